"""What a pass borrows: open workers, warm ones where they fit; they are kept for a while, and closed when idle."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from concompare.backends.base import Backend
from concompare.backends.traits import shares_objects
from concompare.engine.pools.limits import limits, refuse_limit
from concompare.engine.pools.open_pools import LOCK, OUT, REAPER, WARM, close_warm, forget
from concompare.engine.pools.pool import PLAIN, Pool
from concompare.engine.pools.start_failures import SCARCE
from concompare.errors import BackendUnavailable

if TYPE_CHECKING:
    from concompare.engine.pools.inherited_state import State

IDLE = 300.0
"""Seconds after which a warm pool that nobody uses is closed."""

KEPT = 4
"""Warm pools kept at a time; the least recently used is closed first."""


class Lease:
    """A pool that is borrowed for the time of a `with` statement, and then kept warm, or closed.

    Args:
        pool: The pool.
        keep: Whether it is kept for the next one who wants such workers.
        fresh: Whether its workers have just been started.
    """

    def __init__(self, pool: Pool, *, keep: bool, fresh: bool) -> None:
        self.pool, self.keep, self.fresh = pool, keep, fresh
        with LOCK:
            OUT.append(pool)

    def __enter__(self) -> Pool:
        return self.pool

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pool.used = time.monotonic()
        if self.pool.broken:
            self.pool.kill()
        elif self.keep:
            warm(self.pool)
        else:
            self.pool.close()


def lease(
    backend: Backend,
    workers: int,
    *,
    fresh: bool = False,
    native_threads: int | None = None,
    inherited: dict[str, Any] | None = None,
    lazily: bool = False,
) -> Lease:
    """Borrow open workers: warm ones where they fit, else new ones.

    Args:
        backend: Their kind.
        workers: How many.
        fresh: Always open new ones, and close them at the end of the lease.
        native_threads: Threads per BLAS or OpenMP pool in a worker; None: as the notebook has them in this process, the
            usable CPUs shared out among processes.
        inherited: Objects that new worker processes are given when they start, by keys of the caller's.
        lazily: Let new threads start as they are needed.

    Returns:
        What gives the pool in a `with` statement.

    Raises:
        BackendUnavailable: The workers cannot be started here.
    """
    refuse_limit(backend, native_threads)
    rehearse(backend, workers, native_threads)
    state = None
    if not shares_objects(backend):
        from concompare.engine.pools.inherited_state import state_now

        state = state_now()
    with LOCK:
        pool = None if fresh else take(backend, workers, native_threads, state)
    if pool is not None:
        return Lease(pool, keep=not backend.ephemeral, fresh=False)
    pool = Pool(backend, workers, native_threads)
    pool.state, pool.inherited, pool.lazily = state, inherited or {}, lazily
    with limits(backend, native_threads):
        open_with_room(pool)
    return Lease(pool, keep=not fresh and not backend.ephemeral, fresh=True)


def open_with_room(pool: Pool) -> None:
    """Open a pool; where files are scarce, close the warm ones first, whose workers hold some."""
    try:
        pool.open()
    except BackendUnavailable as problem:
        if getattr(problem.__cause__, "errno", None) not in SCARCE or not WARM:
            raise
        close_warm()
        pool.broken = False
        pool.open()


def rehearse(backend: Backend, workers: int, native_threads: int | None) -> None:
    """Wake the workers of the pool that will be taken, if one is warm."""
    with LOCK:
        for pool in WARM:
            if pool.shortcuts is not None and pool.kind == (backend, workers, native_threads, PLAIN[0]):
                pool.shortcuts.rehearse()
                return


def take(backend: Backend, workers: int, native_threads: int | None, state: State | None) -> Pool | None:
    """Take a fitting pool off the warm ones; close those that no longer fit the notebook's state."""
    found = None
    for pool in list(WARM):
        if (pool.near or pool.handling.lasting) and (is_outdated(pool, state) or not pool.alive()):
            pool.close()
        elif found is None and pool.kind == (backend, workers, native_threads, PLAIN[0]):
            WARM.remove(pool)
            found = pool
    return found


def is_outdated(pool: Pool, state: State | None) -> bool:
    """Return whether workers have not what they would start with now; threads ask for nothing that could tell."""
    if state is None or pool.state is None or pool.state == state:
        return False
    return pool.handling.lasting or pool.state.start != state.start


def warm(pool: Pool) -> None:
    """Keep a pool for the next cell, for a while."""
    with LOCK:
        forget(pool)
        WARM.append(pool)
        for oldest in WARM[:-KEPT]:
            oldest.close()
        if not any(timer.is_alive() for timer in REAPER):
            look_again()


def look_again() -> None:
    """Look for idle pools when the oldest may be idle for long enough."""
    timer = threading.Timer(IDLE + 1, close_idle)
    timer.daemon = True
    timer.start()
    REAPER[:] = [timer]


def close_idle() -> None:
    """Close the warm pools that have been idle for long."""
    with LOCK:
        for pool in WARM:
            if pool.idle_seconds() >= IDLE:
                pool.close()
        if WARM:
            look_again()


def pools() -> tuple[Pool, ...]:
    """Return the open pools, those in use first."""
    with LOCK:
        return (*OUT, *WARM)
