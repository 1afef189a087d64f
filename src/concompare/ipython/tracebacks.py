"""Errors of the user's code, shown as the plain cell shows them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from concompare.errors import BadSyntax
from concompare.ipython.source import Source

OURS = (str(Path(__file__).parents[1]), contextmanager.__code__.co_filename, futures.__path__[0])
"""Folders whose frames say nothing to the user."""


@contextmanager
def plain_syntax_error(shell: Any) -> Iterator[None]:
    """Show a syntax error as a plain cell would: the line and the place in it, and no frames."""
    from concompare.engine import unswallowed

    try:
        with unswallowed():
            yield
    except SyntaxError as error:
        lines = shell.SyntaxTB.structured_traceback(type(error), error, [])
        raise BadSyntax(f"{error.msg} (line {error.lineno})", tuple(lines)) from None


@contextmanager
def user_traceback(shell: Any, source: Source) -> Iterator[None]:
    """Show an exception of the user's code as the plain cell would: its own frames, none of ours.

    IPython asks an exception for `_render_traceback_` before it formats one; ours and an interrupt have their own.
    """
    from concompare.engine import unswallowed

    try:
        with unswallowed():
            yield
    except Exception as error:
        if not hasattr(error, "_render_traceback_"):
            frames = user_frames(error.__traceback__, source.filename)
            lines = shell.InteractiveTB.structured_traceback(type(error), error, frames, 0)
            noted = "\n".join(lines)
            lines += [note for note in getattr(error, "__notes__", ()) if note not in noted]
            with suppress(AttributeError, TypeError):
                error._render_traceback_ = Lines(tuple(lines))  # type: ignore[attr-defined]
        raise


@dataclass(frozen=True, slots=True)
class Lines:
    """A traceback that is already formatted; unlike a closure it can be pickled with its exception."""

    lines: tuple[str, ...]

    def __call__(self) -> list[str]:
        """Return the lines."""
        return list(self.lines)


def user_frames(trace: TracebackType | None, filename: str) -> TracebackType | None:
    """Return the traceback from the cell's first frame on, or where the cell is not in it without our first frames."""
    frame = trace
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == filename:
            return frame
        frame = frame.tb_next
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.startswith(OURS):
        trace = trace.tb_next
    return trace
