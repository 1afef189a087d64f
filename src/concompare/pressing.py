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
    """Send an interrupt again a little later, and return True, where an import would not survive one."""
    if not importing(frame):
        return False
    threading.Timer(AGAIN, press).start()
    return True


def press() -> None:
    """Interrupt the main thread, from any other: by a real signal, which ends what it waits for, where that can be."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:
        _thread.interrupt_main()


def importing(frame: FrameType | None) -> bool:
    """Return whether Python's import machinery itself runs, or an import that our code has asked for.

    Raised right after the machinery has taken the lock of all imports, an interrupt leaves that locked: no other thread
    can import anything any more. Modules that import each other and of which one was interrupted stay half-made.
    """
    if frame is not None and is_machinery(frame):
        return True
    inside = False
    while frame is not None:
        if inside and is_ours(frame):
            return True
        inside = is_machinery(frame)
        frame = frame.f_back
    return False


def is_machinery(frame: FrameType) -> bool:
    """Return whether a frame is one of Python's import machinery."""
    return frame.f_code.co_filename.startswith("<frozen importlib")


def is_ours(frame: FrameType) -> bool:
    """Return whether a frame is one of ours."""
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "concompare"


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
