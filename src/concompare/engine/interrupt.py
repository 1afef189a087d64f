"""Ctrl-C: noticed at once, acted on where nothing of ours is half done.

While a pass runs, the first interrupt only raises a flag that the pass looks at between two steps. It is raised as
KeyboardInterrupt on the spot where the user's own code runs in the notebook's thread (tails, items, the plain loop).
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from concompare.pressing import AGAIN, press, put_off

Handler = Callable[[int, FrameType | None], Any] | int | None

get_handler = getattr(signal.getsignal, "__wrapped__", signal.getsignal)
set_handler = getattr(signal.signal, "__wrapped__", signal.signal)
"""Without the names that `signal` looks for among its enumerations, at ten times the cost."""


class Guard:
    """Whether the user has interrupted, since the pass began."""

    def __init__(self) -> None:
        self.interrupted = False
        self.told = False
        self.in_user_code = 0
        self.wake: Callable[[], None] = lambda: None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take the signal."""
        if self.in_user_code:
            if put_off(frame):
                return
            raise KeyboardInterrupt
        self.interrupted = True
        self.wake()

    @contextlib.contextmanager
    def user_code(self) -> Iterator[None]:
        """Let an interrupt be raised on the spot: the notebook's own code runs here."""
        self.in_user_code += 1
        try:
            self.check()
            yield
        finally:
            self.in_user_code -= 1

    def check(self) -> None:
        """Raise KeyboardInterrupt if the user has interrupted."""
        if self.interrupted:
            self.told = True
            raise KeyboardInterrupt


@contextlib.contextmanager
def unswallowed() -> Iterator[None]:
    """Send an interrupt again that Python raised where it can raise nothing: in a `__del__` or a weakref's callback.

    Python would print "Exception ignored in …" and go on, and the user would have to interrupt twice.
    """
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if unraisable.exc_type is KeyboardInterrupt:
            threading.Timer(AGAIN, press).start()
        else:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        if sys.unraisablehook is hook:
            sys.unraisablehook = before


@contextlib.contextmanager
def guarded() -> Iterator[Guard]:
    """Take interrupts for the time of a pass; in other threads than the main one there are none to take.

    An interrupt that comes after the last look at it is raised at the end: none is lost.
    """
    guard = Guard()
    if threading.current_thread() is not threading.main_thread():
        yield guard
        return
    before: Handler = get_handler(signal.SIGINT)
    if before in (signal.SIG_IGN, None):  # between cells a kernel takes none either
        yield guard
        return
    outer = getattr(before, "__self__", None)
    if isinstance(outer, Guard):  # a pass inside a tail of another pass: the inner one decides
        outer_before = outer.in_user_code
        guard.interrupted = outer.interrupted and not outer_before
    set_handler(signal.SIGINT, guard.handle)
    try:
        with unswallowed():
            yield guard
    finally:
        set_handler(signal.SIGINT, before)
    if guard.interrupted and not guard.told:
        raise KeyboardInterrupt
