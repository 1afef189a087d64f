"""What workers may take: threads of native libraries (BLAS, OpenMP), and what the system allows each of them.

The threads are their share of the CPUs, or as many as were asked for.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager, nullcontext
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


LIMITED = ("RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CPU", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_NPROC")
"""What the system may limit for a process, by the names of Python's `resource`."""


def allowances(processes: list[Any]) -> tuple[Any, ...]:
    """Return what each process may take, where the system tells it of another process (Linux)."""
    try:
        from resource import prlimit
    except ImportError:
        return ()
    import resource

    found: list[Any] = []
    for process in processes:
        with contextlib.suppress(OSError):
            found.append([prlimit(process.pid, getattr(resource, name)) for name in LIMITED])
    return tuple(found)
