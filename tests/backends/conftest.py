from __future__ import annotations

import gc
import glob
import os
import tempfile
import threading
import time
from collections.abc import Iterator

import loky  # noqa: F401 - gives this process's semaphores names that tell whose they are
import psutil
import pytest

from concompare import engine


def helpers_of_python(process: psutil.Process) -> bool:
    """The fork server and the resource trackers live as long as the interpreter: they are Python's, not ours."""
    try:
        words = " ".join(process.cmdline())
    except psutil.Error:
        return True
    return "forkserver" in words or "resource_tracker" in words or process.status() == psutil.STATUS_ZOMBIE


def workers_alive() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if not helpers_of_python(p)]


def shared_files() -> set[str]:
    mine = f"concompare-{os.getpid()}-*"
    return {*glob.glob(f"/dev/shm/{mine}"), *glob.glob(f"{tempfile.gettempdir()}/{mine}")}


def semaphores() -> set[str]:
    return set(glob.glob(f"/dev/shm/sem.loky-{os.getpid()}-*"))


def busy_threads() -> set[str]:
    """Threads that a pool of ours would leave behind; Python's own queue feeders end by themselves."""
    return {t.name for t in threading.enumerate() if t.name.startswith("concompare")}


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Nothing of a pool is left once it is closed: no process, thread, semaphore or shared memory."""
    engine.close_pools()
    gc.collect()
    before = shared_files(), semaphores()
    yield
    engine.close_pools()
    gc.collect()
    end = time.monotonic() + 5
    while time.monotonic() < end and (workers_alive() or busy_threads() or semaphores() - before[1]):
        threading.Event().wait(0.02)
        gc.collect()
    assert workers_alive() == []
    assert busy_threads() == set()
    assert shared_files() - before[0] == set()
    assert semaphores() - before[1] == set()
