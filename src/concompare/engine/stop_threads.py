"""Stop threads: nothing queued runs, pure Python ends at its next line, and what cannot be stopped is named."""

from __future__ import annotations

import sys
import threading
import time
from types import FrameType

from concompare.engine.pools.pool import Pool
from concompare.worker.bootstrap import stop_thread
from concompare.worker.coroutines import wake

GRACE = 0.15
"""Seconds that threads get to end."""


def stop_threads(pool: Pool) -> tuple[str, ...]:
    """Drop what the pool has queued and end its busy threads where Python can.

    Returns:
        The calls inside which threads still are, each as "sleep (line 3)".
    """
    executor = pool.executor
    threads = threads_of(executor)
    inside: set[threading.Thread] = getattr(executor, "threads", set())
    pool.kill()
    end = time.monotonic() + GRACE
    busy = [thread for thread in threads if is_busy(thread)]
    for thread in busy:
        if thread.ident is not None:
            stop_thread(thread.ident)
            wake(thread.ident)
    while busy and time.monotonic() < end:
        busy[0].join(0.01)
        busy = [thread for thread in busy if thread.is_alive() and is_busy(thread)]
    for thread in inside:  # their interpreters have been told; they are gone as soon as that is done
        thread.join(max(0.0, end - time.monotonic()))
    calls = [call_of(thread) for thread in busy]
    return tuple(dict.fromkeys([*calls, *("a sub-interpreter" for thread in inside if thread.is_alive())]))


def threads_of(executor: object) -> list[threading.Thread]:
    """Return the threads that compute for an executor."""
    found = list(getattr(executor, "_threads", ()))
    found += [thread for thread in getattr(getattr(executor, "pool", None), "_pool", ()) if hasattr(thread, "ident")]
    alive = getattr(executor, "alive", None)
    return found + (list(alive.values()) if isinstance(alive, dict) else [])


def user_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame that belongs to the user's call, or None where the thread computes nothing."""
    inner = frame
    while frame is not None:
        room, name = frame.f_globals.get("__name__"), frame.f_code.co_name
        if room in ("concompare.worker.compute", "concompare.backends.event_loop") and name in ("compute", "call_each"):
            return inner
        frame = frame.f_back
    return None


def is_busy(thread: threading.Thread) -> bool:
    """Return whether a thread computes an item now."""
    return user_frame(sys._current_frames().get(thread.ident or 0)) is not None


def call_of(thread: threading.Thread) -> str:
    """Return what a busy thread is doing: the function and line of the user's innermost frame."""
    frame = user_frame(sys._current_frames().get(thread.ident or 0))
    if frame is None:
        return "a call that has just ended"
    return f"{frame.f_code.co_qualname}() (line {frame.f_lineno})"
