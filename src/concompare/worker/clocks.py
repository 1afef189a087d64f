"""The clocks of a worker's thread: time, CPU, and the wait for a CPU."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any

LOCAL = threading.local()
"""State of each thread of a worker; it goes with the thread."""


class Held:
    """Something that is closed with the thread that holds it."""

    def __init__(self, thing: Any, close: Callable[[Any], object]) -> None:
        self.thing = thing
        self.close = close

    def __del__(self) -> None:
        try:
            self.close(self.thing)
        except (OSError, AttributeError, TypeError):  # the interpreter may be half gone, contextlib with it
            return


def run_queue() -> float | None:
    """Return the seconds this thread has been ready to run without a CPU, where Linux counts them; else None."""
    held: Held | None = getattr(LOCAL, "schedstat", None)
    if held is None:
        try:
            descriptor = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        except OSError:
            descriptor = -1
        held = LOCAL.schedstat = Held(descriptor, os.close if descriptor >= 0 else lambda _: None)
    if held.thing < 0:
        return None
    try:
        return int(os.pread(held.thing, 64, 0).split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        LOCAL.schedstat = Held(-1, lambda _: None)
        return None


def apart() -> tuple[int, ...]:
    """Return the system's numbers of the threads that were there before any item ran, the main one left out."""
    main = threading.main_thread()
    return tuple(thread.native_id for thread in threading.enumerate() if thread is not main and thread.native_id)


APART = apart()
"""Threads of the kernel itself: what they compute while items run, such as a debugger's import, is no item's work."""


def spent_apart() -> float:
    """Return the CPU seconds of the kernel's own threads so far, where Linux counts them; else 0."""
    files: list[Held] | None = getattr(LOCAL, "apart", None)
    if files is None:
        files, own = [], threading.get_native_id()
        for number in APART:
            with contextlib.suppress(OSError):
                if number != own:
                    files.append(Held(os.open(f"/proc/self/task/{number}/schedstat", os.O_RDONLY), os.close))
        LOCAL.apart = files
    spent = 0.0
    for file in files:
        with contextlib.suppress(OSError, IndexError, ValueError):  # the thread has ended
            spent += int(os.pread(file.thing, 64, 0).split()[0]) / 1e9
    return spent


class Meter:
    """Clocks of this thread and its process between two moments."""

    def __init__(self) -> None:
        self.apart = spent_apart()
        self.waited = run_queue()
        self.process = time.process_time()
        self.thread = time.thread_time()
        self.start = time.perf_counter()

    def read(self) -> tuple[float, float, float, float, float | None]:
        """Return start and end, the thread's CPU seconds, the other threads' CPU seconds, and the wait for a CPU.

        The threads that were there before any item ran are left out of the others.
        """
        end = time.perf_counter()
        thread = time.thread_time() - self.thread
        native = time.process_time() - self.process - thread
        if native > 0 and APART:
            native -= max(0.0, spent_apart() - self.apart)
        after = run_queue()
        waited = None if after is None or self.waited is None else after - self.waited
        return self.start, end, thread, max(0.0, native), waited
