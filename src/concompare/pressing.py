"""Interrupts of our own code: shown in one line, and never where Python would not survive one."""

from __future__ import annotations

import _thread
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from types import FrameType
from typing import ParamSpec, TypeVar

from concompare.errors import Interrupted

Given = ParamSpec("Given")
Gives = TypeVar("Gives")

AGAIN = 0.01
"""Seconds after which an interrupt that came at a bad moment is sent again."""


def put_off(frame: FrameType | None) -> bool:
    """Send an interrupt again a little later, and return True, where Python's import machinery itself runs.

    Raised right after it has taken the lock of all imports, an interrupt leaves that locked: no other thread can import
    anything any more, for as long as the process lives.
    """
    if frame is None or not frame.f_code.co_filename.startswith("<frozen importlib"):
        return False
    threading.Timer(AGAIN, _thread.interrupt_main).start()
    return True


@contextlib.contextmanager
def imports_unharmed() -> Iterator[None]:
    """Let interrupts do what they did before, but not inside the import machinery."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if not put_off(frame):
            before(number, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def in_one_line(function: Callable[Given, Gives]) -> Callable[Given, Gives]:
    """Let an interrupt of our own code be shown in one line; one of the user's code keeps its traceback.

    IPython reads and walks the source of every frame that it shows, which takes seconds on a busy machine.
    """

    @wraps(function)
    def call(*arguments: Given.args, **options: Given.kwargs) -> Gives:
        try:
            with imports_unharmed():
                return function(*arguments, **options)
        except KeyboardInterrupt as error:
            trace = error.__traceback__
            while trace is not None and trace.tb_frame.f_globals.get("__name__") != "__main__":
                trace = trace.tb_next
            if trace is not None or hasattr(error, "_render_traceback_"):
                raise
        raise Interrupted("interrupted")

    return call
