"""Check whether this process may be forked: reasons why a forked worker, or the fork itself, could hang."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections.abc import Iterator

CALM = 0.25
"""Seconds that native threads get to come to rest; OpenBLAS's spin for 0.1 s after their last work."""

PAUSE = 0.003
"""Seconds between two looks at them."""

LOOKS = 20
"""Looks at them in a row."""

RUNNING = b"RD"
"""States of a thread, as Linux calls them, that wants a CPU or sits in a page fault."""

TASKS = "/proc/self/task"


def reason_not_to_fork() -> str | None:
    """Return why a copy of this process could not work, or None.

    CUDA cannot be used after a fork, and an OpenMP runtime waits for threads that a fork does not copy. OpenBLAS ends
    its own threads before a fork and starts them again, which works only while none of them computes: in the middle of
    a product the fork waits for them for ever, with the GIL held, and the whole kernel with it.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "CUDA is initialised in this process and does not survive a fork; use -b processes"
    if "threadpoolctl" in sys.modules or "numpy" in sys.modules:
        import threadpoolctl

        for pool in threadpoolctl.threadpool_info():
            if pool["user_api"] == "openmp" and pool["num_threads"] > 1:
                library = pool["prefix"]
                return f"{library} (OpenMP) is loaded here and its threads do not survive a fork; use -b processes"
    return reason_to_wait()


def hazard() -> tuple[str, ...]:
    """Return what may happen to a copy of this process, in one sentence; nothing where it has one thread only."""
    import psutil

    threads = psutil.Process().num_threads()
    if threads < 2:
        return ()
    told = (
        f"fork: this process runs {threads} threads; a forked worker gets one of them and every lock that the others "
    )
    return (f"{told}hold, and may wait for it for ever (-b processes cannot)",)


def reason_to_wait(patience: float = CALM) -> str | None:
    """Return that native threads compute here and go on to; None as soon as they are at rest.

    Asked again right before each fork: what was at rest when the pool was opened may compute by then.
    """
    if "numpy" not in sys.modules:
        return None
    end = time.monotonic() + patience
    while native_threads_run():
        if time.monotonic() > end:
            return (
                "another thread of this process computes in native code (BLAS, say), which a fork would wait for for "
                "ever; wait until it is done, or use -b processes"
            )
        time.sleep(PAUSE)
    return None


def native_threads_run() -> bool:
    """Return whether another thread of this process runs although we have the GIL: then it is in native code.

    Where the system does not tell (only Linux does), the answer is no.
    """
    try:
        others = [thread for thread in os.listdir(TASKS) if int(thread) != threading.get_native_id()]
    except OSError:
        return False
    library = ctypes.PyDLL(None)  # whose calls keep the GIL
    with undisturbed():
        for _ in range(LOOKS):
            if not any(state_of(thread, library) in RUNNING for thread in others):
                return False
            library.usleep(200)  # who has just given us the GIL still runs a little
    return True


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep the GIL as far as this code gives no occasion to lose it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1.0)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def state_of(thread: str, library: ctypes.PyDLL) -> bytes:
    """Return a thread's state, a letter; read without giving up the GIL, as `open` would. "?" once it is gone."""
    file = library.open(f"{TASKS}/{thread}/stat".encode(), os.O_RDONLY | os.O_CLOEXEC)
    if file < 0:
        return b"?"
    text = ctypes.create_string_buffer(512)
    length = library.read(file, text, len(text))
    library.close(file)
    return text.raw[: max(0, length)].rpartition(b")")[2].strip()[:1] or b"?"
