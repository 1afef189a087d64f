"""Look now and then at which of the user's lines the items are: a thread beside those that compute them.

    sampling() ─ Sampler, a thread ─ look() ─┬─ States    which threads wait, as Linux tells
                                             └─ places()  the user's line of each thread that is inside `compute`

A library's time counts for the line of the user's that called it. The looks come at random moments, as those of a
Poisson process, whose share at a line is that of the time (Wolff 1982); at regular ones they would fall into step with
the items. To look takes the GIL: the time that the sampler waited for it was spent at the line that it finds.
"""

from __future__ import annotations

import contextlib
import opcode
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any, NamedTuple

from concompare.worker.compute import compute

PERIOD = 0.01
"""Mean seconds between two looks, at the least."""

REST = 200
"""Times the CPU seconds of a look, waking up and taking the GIL included, that two are apart in the mean."""

SOON = 0.0005
"""Seconds after which a thread that computes alone hands over the GIL; a look is shorter, so it is not cut in two."""

COMPUTE = compute.__code__
OURS = os.path.join(os.path.dirname(os.path.dirname(COMPUTE.co_filename)), "")
LIBRARY = os.path.join(os.path.dirname(os.__file__), "")
INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))
PROMPTS = ("<ipython-input-", "<python-input-", "<stdin>")
"""Beginnings of the file names of code typed at a prompt; others in angle brackets are of generated code."""

BETWEEN = frozenset(
    number
    for name, number in opcode.opmap.items()
    if name == "RESUME" or (name.startswith(("JUMP_BACKWARD", "POP_JUMP_BACKWARD")) and "NO_INTERRUPT" not in name)
)
"""Instructions that run nothing but Python, and at which a thread may have to hand over the GIL."""


class Place(NamedTuple):
    """A line of code; `line` is 0 where items were in none of the user's."""

    file: str
    line: int
    function: str


class Counts(NamedTuple):
    """What was seen at a line.

    Attributes:
        samples: How often a thread was there.
        seconds: That these stand for.
        waiting: Of these, the seconds of threads that waited for the GIL or another lock.
        sure: Of these, at instructions that wait for nothing but the GIL.
    """

    samples: int = 0
    seconds: float = 0.0
    waiting: float = 0.0
    sure: float = 0.0

    def plus(self, other: Counts) -> Counts:
        """Return the sum of both."""
        return Counts(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))  # type: ignore[arg-type]


NOWHERE = Place("", 0, "")
Lines = dict[Place, Counts]


def can_look() -> bool:
    """Tell whether frames of other threads may be read: they are this interpreter's and stand still meanwhile."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    known = sys.modules.get("_interpreters") or sys.modules.get("_xxsubinterpreters")
    return hasattr(sys, "_current_frames") and (known is None or len(known.list_all()) == 1)


@contextlib.contextmanager
def sampling(*, alone: bool) -> Iterator[Lines]:
    """Look at the lines of items as long as this lasts; what is given is filled meanwhile.

    Args:
        alone: Whether one thread computes, so that nobody else is switched to sooner when the sampler is.
    """
    sampler = Sampler(states=None if alone else States())
    if not can_look():
        yield sampler.lines
        return
    with sampler.running(), switching_soon() if alone else contextlib.nullcontext():
        yield sampler.lines


@contextlib.contextmanager
def switching_soon() -> Iterator[None]:
    """Let a thread that computes hand over the GIL soon after the sampler asks for it.

    With the usual interval it would look up to 5 ms later than it wanted to: mostly where the GIL is let go of anyway,
    in `sleep` and the like, and hardly ever in short stretches of Python.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, SOON))
    ours = sys.getswitchinterval()
    try:
        yield
    finally:
        if sys.getswitchinterval() == ours:  # else the user's code has set it
            sys.setswitchinterval(before)


class States:
    """What the threads of this process wait for, as Linux tells by the name of a function of the kernel.

    It is read without letting go of the GIL, and first of all: a thread that has just handed it over is on its way to
    wait for it again, and does not yet.
    """

    def __init__(self) -> None:
        self.files: dict[int, int] = {}
        self.read: Any = None
        self.told = False

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Take in the threads that there are now, as long as this lasts."""
        for thread in threading.enumerate():
            with contextlib.suppress(OSError):
                path = f"/proc/self/task/{thread.native_id}/wchan"
                self.files[thread.ident or 0] = os.open(path, os.O_RDONLY)
        try:
            if self.files:
                import ctypes

                self.read, self.buffer = ctypes.PyDLL(None).pread, ctypes.create_string_buffer(16)
                self.told = any(not self.word(file).startswith(b"0") for file in self.files.values())
            yield
        finally:
            for file in self.files.values():
                os.close(file)
            self.files.clear()

    def word(self, file: int) -> bytes:
        """Return the beginning of the name; "0" of a thread that runs or may, or where the system keeps it secret."""
        size = self.read(file, self.buffer, 16, 0)
        return bytes(self.buffer.raw[:size]) if size > 0 else b"0"

    def now(self) -> dict[int, bool]:
        """Return of each thread whether it waits for a lock, as the GIL is one; nothing where that is not told."""
        if not self.told:
            return {}
        return {ident: self.word(file).startswith(b"futex") for ident, file in self.files.items()}


class Sampler:
    """Looks at the threads of this process that compute items.

    Args:
        frames: Returns the innermost frame of every thread.
        states: Tells which threads wait; None where one thread computes, which waits for nobody.

    Attributes:
        lines: What was seen so far.
    """

    def __init__(self, frames: Callable[[], dict[int, FrameType]] | None = None, states: States | None = None) -> None:
        self.frames, self.states = frames or sys._current_frames, states
        self.lines: Lines = {}
        self.own: dict[str, bool] = {}
        self.codes: dict[CodeType, bytes] = {}
        self.going = threading.Lock()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Look now and then from a thread of its own."""
        with contextlib.nullcontext() if self.states is None else self.states.opened():
            self.going.acquire()
            thread = threading.Thread(target=self.run, name="concompare-lines")
            thread.start()
            try:
                yield
            finally:
                self.going.release()
                thread.join()

    def run(self) -> None:
        """Look until the end."""
        chance, mean, looks = random.Random(), PERIOD, 0
        due = time.perf_counter() + chance.expovariate(1 / mean)
        while not self.going.acquire(timeout=max(0.0, due - time.perf_counter())):
            self.look(mean + max(0.0, time.perf_counter() - due))
            looks += 1
            mean = max(PERIOD, REST * time.thread_time() / looks)
            due = time.perf_counter() + chance.expovariate(1 / mean)

    def look(self, seconds: float) -> None:
        """Add so many seconds to the line of every thread that computes items."""
        waiting = self.states.now() if self.states is not None else {}
        places = self.places()  # no frame is held any more: what it refers to may go where its function ends
        at_python = sum(between for _, between in places.values())
        for ident, (place, between) in places.items():
            if waiting:
                waited = seconds if waiting.get(ident) else 0.0
            else:  # one of those at an instruction of Python's has just handed over the GIL
                waited = seconds * (at_python - 1) / at_python if between else 0.0
            counts = Counts(1, seconds, waited, waited if between else 0.0)
            self.lines[place] = self.lines[place].plus(counts) if place in self.lines else counts

    def places(self) -> dict[int, tuple[Place, bool]]:
        """Return the line of each thread that computes items, and whether it can wait for nothing but the GIL there."""
        found = {}
        for ident, frame in self.frames().items():
            code, at = frame.f_code, frame.f_lasti
            place = self.place_in(frame)
            if place is not None:
                found[ident] = place, self.is_between(code, at)
        return found

    def place_in(self, frame: FrameType | None) -> Place | None:
        """Return the innermost line of the user's of a thread that computes items; None of others."""
        place = None
        while frame is not None and frame.f_code is not COMPUTE:
            if place is None and self.is_own(frame.f_code.co_filename):
                place = Place(frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_name)
            frame = frame.f_back
        return None if frame is None else place or NOWHERE

    def is_own(self, file: str) -> bool:
        """Tell whether a file is the user's: neither Python's nor ours, nor that of an installed package."""
        known = self.own.get(file)
        if known is None:
            known = self.own[file] = file.startswith(PROMPTS) if file.startswith("<") else not is_installed(file)
        return known

    def is_between(self, code: CodeType, at: int) -> bool:
        """Tell whether the instruction at a place runs nothing but Python."""
        if code not in self.codes:
            self.codes[code] = code.co_code
        return at >= 0 and self.codes[code][at] in BETWEEN


def is_installed(file: str) -> bool:
    """Tell whether a file is of Python, of this package, or of another that is installed."""
    return file.startswith((OURS, LIBRARY)) or any(part in file for part in INSTALLED)
