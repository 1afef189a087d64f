"""Python's search for garbage, which waits while an analysis makes many objects that live as long as it does.

Else Python looks through what is new again and again, and now and then through all objects of the notebook.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Found = TypeVar("Found")


class Waiting(threading.local):
    """Whether the search waits for this thread."""

    ours = False


WAITING = Waiting()


def later(function: Callable[Given, Found]) -> Callable[Given, Found]:
    """Let the search wait until a function of ours has returned that is bounded in time."""

    @functools.wraps(function)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> Found:
        if not gc.isenabled():
            return function(*args, **kwargs)
        kept = WAITING.ours
        try:
            WAITING.ours = True
            gc.disable()
            return function(*args, **kwargs)
        finally:
            if WAITING.ours:
                gc.enable()
            WAITING.ours = kept

    return run


@contextlib.contextmanager
def meanwhile() -> Iterator[None]:
    """Let Python search as ever while code of the user's runs inside; what that says of the search holds."""
    if not WAITING.ours:
        yield
        return
    try:
        gc.enable()
        yield
    finally:
        WAITING.ours = gc.isenabled()
        gc.disable()
