"""Limits of workers: threads of native libraries (BLAS, OpenMP), limits of the system, memory.

The threads are their share of the CPUs, or as many as were asked for.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

from concompare.backends.base import Backend
from concompare.backends.traits import handling_of
from concompare.errors import BackendUnavailable
from concompare.worker.bootstrap import THREAD_VARIABLES


def variables_for(workers: int, asked: int | None) -> dict[str, str]:
    """Return the environment of worker processes: threads per native pool, the usable CPUs shared out if none asked."""
    from concompare.machine import usable_cpus

    return dict.fromkeys(THREAD_VARIABLES, str(asked or max(1, usable_cpus() // workers)))


def limits(backend: Backend, asked: int | None) -> AbstractContextManager[object]:
    """Return what limits the native threads of this process while it is entered, where workers are part of it.

    Raises:
        BackendUnavailable: They stay more: threadpoolctl lets one thread alone limit a pool that all threads share.
    """
    if asked is None or handling_of(backend).native != "pass":
        return nullcontext()
    from concompare.machine import native_limits

    threadpoolctl = native_limits()
    limit = threadpoolctl.threadpool_limits(asked)
    if any((pool["num_threads"] or 0) > asked for pool in threadpoolctl.threadpool_info()):
        limit.restore_original_limits()
        raise BackendUnavailable(
            f"native threads cannot be limited to {asked} in {backend.name}: another thread of this process limits them"
        )
    return cast(AbstractContextManager[object], limit)


def refuse_limit(backend: Backend, asked: int | None) -> None:
    """Raise where a limit of native threads could not be kept.

    Raises:
        BackendUnavailable: The workers have what the notebook has loaded, or are not ours.
    """
    if asked is None or handling_of(backend).native:
        return
    raise BackendUnavailable(
        f"native threads cannot be limited to {asked} in {backend.name}: use the plain loop, threads or processes, or"
        " set OMP_NUM_THREADS where the workers start"
    )


def kinds_of_limits() -> tuple[int, ...]:
    """Return what the system may limit for a process, and can tell of another one (Linux)."""
    try:
        import resource
    except ImportError:
        return ()
    names = ("AS", "DATA", "STACK", "CPU", "NOFILE", "FSIZE", "NPROC")
    return tuple(getattr(resource, f"RLIMIT_{name}") for name in names) if hasattr(resource, "prlimit") else ()


LIMITED = kinds_of_limits()


def allowances(processes: list[Any]) -> tuple[Any, ...]:
    """Return what each process may take, where the system tells it of another process (Linux)."""
    if not LIMITED:
        return ()
    from resource import prlimit

    found: list[Any] = []
    for process in processes:
        with contextlib.suppress(OSError):
            found.append([prlimit(process.pid, kind) for kind in LIMITED])
    return tuple(found)


def taken(pid: int) -> tuple[int, int]:
    """Return the bytes of memory that a process takes (PSS, else USS, else RSS) and its RSS; zeros when it is gone."""
    import psutil

    with contextlib.suppress(psutil.Error):
        full = psutil.Process(pid).memory_full_info()
        return getattr(full, "pss", 0) or getattr(full, "uss", 0) or full.rss, full.rss
    return 0, 0


def highest(pid: int) -> int | None:
    """Return the most bytes that a process took so far, as far as the system tells; None when it is gone."""
    now, resident = taken(pid)
    return now + max(0, highest_resident(pid) - resident) if now else None


def highest_resident(pid: int) -> int:
    """Return the most bytes of a process that were in memory, which Linux and Windows keep; 0 elsewhere."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
    import psutil

    with contextlib.suppress(psutil.Error):
        return int(getattr(psutil.Process(pid).memory_info(), "peak_wset", 0))
    return 0
