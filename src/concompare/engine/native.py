"""What workers may take, and do: threads of native libraries (BLAS, OpenMP), what the system allows each, memory.

The threads are their share of the CPUs, or as many as were asked for.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from concompare.backends.base import Backend
from concompare.errors import BackendUnavailable
from concompare.workplace import THREAD_VARIABLES

HERE = ("serial", "threads")
"""Backends of this process whose workers can be limited, for the time of a pass."""


def variables_for(workers: int, asked: int | None) -> dict[str, str]:
    """Return the environment of worker processes: threads per native pool, the usable CPUs shared out if none asked."""
    from concompare.machine import usable_cpus

    return dict.fromkeys(THREAD_VARIABLES, str(asked or max(1, usable_cpus() // workers)))


def limits(backend: Backend, asked: int | None) -> AbstractContextManager[object]:
    """Return what limits the native threads of this process while it is entered, where workers are part of it."""
    if asked is None or backend.name not in HERE:
        return nullcontext()
    import threadpoolctl

    limit: AbstractContextManager[object] = threadpoolctl.threadpool_limits(asked)
    return limit


def refuse_limit(backend: Backend, asked: int | None) -> None:
    """Raise where a limit of native threads could not be kept.

    Raises:
        BackendUnavailable: The workers have what the notebook has loaded, or are not ours.
    """
    fresh = backend.isolation == "process" and backend.name != "fork" and not hasattr(backend, "executor")
    if asked is None or backend.name in HERE or fresh:
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
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        peak = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        return now + max(0, peak - resident) if now else None
    return now or None
