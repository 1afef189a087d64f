"""Interrupts: noticed at once, acted on where nothing of ours is half done, shown in one line.

While a pass runs, the first interrupt only raises a flag that the pass looks at between two steps. It is raised as
KeyboardInterrupt on the spot where the user's own code runs in the notebook's thread (tails, items, the plain loop),
but never inside an import, which Python would not survive.
"""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import wraps
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from concompare.errors import Interrupted

Given = ParamSpec("Given")
Gives = TypeVar("Gives")
Handler = Callable[[int, FrameType | None], Any] | int | None

AGAIN = 0.01
"""Seconds after which an interrupt that came at a bad moment is sent again."""

get_handler = getattr(signal.getsignal, "__wrapped__", signal.getsignal)
set_handler = getattr(signal.signal, "__wrapped__", signal.signal)
"""Without the names that `signal` looks for among its enumerations, at ten times the cost."""


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Let threads and processes begin that Ctrl-C does not reach."""
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
    try:
        yield
    finally:
        if masked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)


def put_off(frame: FrameType | None) -> bool:
    """Send an interrupt again a little later, and return True, where an import would not survive one, or it is lost."""
    if not (importing(frame) or sending(frame)):
        return False
    press_again()
    return True


def press_again() -> None:
    """Interrupt the main thread a little later, without waiting for the thread that does it, as `threading` would."""

    def later() -> None:
        time.sleep(AGAIN)
        press()

    _thread.start_new_thread(later, ())


def press() -> None:
    """Interrupt the main thread, from any other: by a real signal, which ends what it waits for."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:  # Windows, where it does not matter which thread raises it
        signal.raise_signal(signal.SIGINT)


def sending(frame: FrameType | None) -> bool:
    """Return whether an interrupt came back while it is still being sent again, as it does on a busy machine.

    Raised there, Python may swallow it once more: what sends it again is called where Python can raise nothing.
    """
    while frame is not None:
        if frame.f_code is press_again.__code__:
            return True
        frame = frame.f_back
    return False


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
    before: Handler = get_handler(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if not put_off(frame):
            before(number, frame)

    set_handler(signal.SIGINT, handle)
    try:
        yield
    finally:
        set_handler(signal.SIGINT, before)


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
            press_again()
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
