"""The clocks of a worker's thread: time, CPU, and the wait for a CPU."""

from __future__ import annotations

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


class Meter:
    """Clocks of this thread and its process between two moments."""

    def __init__(self) -> None:
        self.waited = run_queue()
        self.process = time.process_time()
        self.thread = time.thread_time()
        self.start = time.perf_counter()

    def read(self) -> tuple[float, float, float, float, float | None]:
        """Return start and end, the thread's CPU seconds, the other threads' CPU seconds, and the wait for a CPU."""
        end = time.perf_counter()
        thread = time.thread_time() - self.thread
        native = max(0.0, time.process_time() - self.process - thread)
        after = run_queue()
        waited = None if after is None or self.waited is None else after - self.waited
        return self.start, end, thread, native, waited
