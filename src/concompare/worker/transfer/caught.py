"""An exception that a worker hands back as a value, with what it says of its place."""

from __future__ import annotations

import contextlib
import traceback
from typing import Any

from concompare.worker.transfer.pickling import can_pack


class Remote(Exception):
    """The cause of an exception that crossed: the text of its traceback, which no pickle has."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}"""'


class Caught:
    """Holds an exception, or None where it cannot be sent.

    Args:
        error: The exception, caught by the function that a worker calls.
    """

    def __init__(self, error: BaseException) -> None:
        trace = error.__traceback__
        self.error: BaseException | None = error.with_traceback(trace.tb_next if trace is not None else None)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.error is None or not can_pack(self.error):
            return arrived, (None, "", None)
        text = ""
        with contextlib.suppress(Exception):  # an exception's own `__str__` may raise
            text = "".join(traceback.format_exception(self.error))
        return arrived, (self.error, text, self.error.__cause__ if can_pack(self.error.__cause__) else None)


def caught_whole(error: BaseException) -> Caught:
    """Return what holds an exception with its whole traceback: the user's own code has caught it."""
    made = Caught.__new__(Caught)
    made.error = error
    return made


def arrived(error: BaseException | None, text: str, cause: BaseException | None) -> Caught:
    """Return what holds an exception that has crossed."""
    made = Caught.__new__(Caught)
    made.error = error
    if error is not None:
        error.__cause__ = cause or Remote(text)
    return made
