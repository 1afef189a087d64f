"""The workers open now: started by rendezvous, kept warm between cells, closed when idle, never left behind."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from concompare.backends.base import Backend, Start
from concompare.backends.traits import handling_of, shares_objects
from concompare.engine.pools.directory import ALIVE, KEEPERS, LEFT, make_folder, release_alive, remove, remove_left
from concompare.engine.pools.learned import Learned
from concompare.engine.pools.limits import allowances, highest, limits, refuse_limit, taken, variables_for
from concompare.engine.pools.rendezvous import Present, Rendezvous
from concompare.engine.pools.start_failures import SCARCE, not_started
from concompare.errors import BackendUnavailable, ConcompareError
from concompare.interrupts import guarded, shielded
from concompare.worker.bootstrap import BOARD, begin
from concompare.worker.surroundings import decoded, undecoded
from concompare.worker.transfer.pickling import let_go

if TYPE_CHECKING:
    from concompare.engine.pools.inherited_state import State
    from concompare.engine.shortcuts.direct_channel import Lines
    from concompare.engine.shortcuts.shortcuts import Shortcuts

IDLE = 300.0
"""Seconds after which a warm pool that nobody uses is closed."""

KEPT = 4
"""Warm pools kept at a time; the least recently used is closed first."""


class Pool:
    """Open workers of one backend.

    Attributes:
        backend: Their kind.
        handling: How it is to be dealt with.
        workers: How many were asked for.
        present: Those that have answered.
        learned: What its passes so far tell of functions.
        start_up: Seconds from opening until all answered.
        fresh_now: Whether this lease opened it.
        cost: Seconds that a message costs by itself, where the workers may be far away.
        folder: Files shared with worker processes of this machine, or None.
        state: Of the notebook, when it was opened; `environment`: its variables, undecoded, when the workers started.
        shortcuts: What makes its passes quicker; None where they go the plain way, by executor and pickled messages.
        inherited: Objects that its worker processes are given when they start.
        lazily: Whether threads start as they are needed, since nobody knows how many will be.
    """

    def __init__(self, backend: Backend, workers: int, native_threads: int | None = None) -> None:
        self.backend = backend
        self.handling = handling_of(backend)
        self.workers = workers
        self.native_threads = native_threads
        self.plain = PLAIN[0]
        self.present = Present()
        self.start_up = 0.0
        self.cost = 0.0
        self.fresh_now = True
        self.keep = self.lazily = False
        self.folder: Path | None = None
        self.executor: Executor | None = None
        self.state: State | None = None
        self.environment: dict[Any, Any] = {}
        self.used = time.monotonic()
        self.broken = False
        self.processes: list[Any] = []
        self.allowed: tuple[Any, ...] = ()
        self.shortcuts = shortcuts_for(self)
        self.learned = Learned()
        self.inherited: dict[str, Any] = {}

    @property
    def kind(self) -> tuple[Backend, int, int | None, bool]:
        """Return what it was asked for, and whether its passes go the plain way."""
        return self.backend, self.workers, self.native_threads, self.plain

    @property
    def got(self) -> int | None:
        """Return how many distinct workers answered; None where nobody was asked."""
        return self.present.got

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the processes of the workers that answered."""
        return self.present.pids

    @property
    def near(self) -> bool:
        """Return whether the workers are processes of this machine that we start."""
        return self.backend.isolation == "process" and not self.handling.borrowed

    def refuse_limit(self, seconds: float) -> None:
        """Raise where an item cannot be ended when its time is up."""
        if self.near:
            return
        what = "a thread" if self.shares_objects else "workers that are not ours"
        text = f"a time limit of {seconds:g} s per item cannot be kept: nothing can stop a call in {what} from outside"
        raise BackendUnavailable(f"{text}. Use processes, or leave the limit out.")

    @property
    def shares_objects(self) -> bool:
        """Return whether workers see the notebook's own objects."""
        return shares_objects(self.backend)

    def open(self) -> None:
        """Start the workers and wait until all have answered.

        Raises:
            BackendUnavailable: They did not start.
        """
        reason = self.backend.unavailable()
        if reason is not None:
            raise BackendUnavailable(f"{self.backend.name}: {reason}")
        began = time.perf_counter()
        try:
            # An interrupt in the middle would leave what has begun to nobody; to join a cluster may take long.
            with guarded() if self.near else contextlib.nullcontext():
                if self.near:
                    close_with_the_process()
                    self.folder = make_folder(self.workers if not self.backend.ephemeral else 4096)
                with self.starting():
                    self.executor = self.backend.open(self.workers, self.start())
            if self.backend.isolation != "none" and not self.backend.ephemeral and not self.lazily:
                self.rendezvous()
        except BaseException as error:
            self.kill()
            ours = isinstance(error, OSError) or (self.near and isinstance(error, Exception))
            if not ours or isinstance(error, ConcompareError):
                raise
            raise BackendUnavailable(f"{self.backend.name}: {not_started(error)}") from error
        self.processes = self.backend.processes(self.executor)
        self.allowed = allowances(self.processes)
        self.start_up = time.perf_counter() - began

    def reopen(self) -> None:
        """Open new workers after the old ones broke."""
        executor, self.executor = self.executor, None
        if executor is not None:
            end(self.backend, executor, self.processes)
        self.remove_folder()
        self.learned.forget_workers()
        self.open()

    def direct_lines(self) -> Lines | None:
        """Return the direct lines to the workers, opened for the first pass that asks; None where there are none."""
        if self.shortcuts is None or self.folder is None:
            return None
        assert self.executor is not None
        return self.shortcuts.open_lines(self.executor, self.folder, self.workers, self.backend.name, close_at_exit)

    def start(self) -> Start:
        """Return what each worker process runs first; workers in this process have all of it."""
        if self.shares_objects:
            return Start(lambda: None, (), {}, "".join(self.state or ()), self.native_threads)
        from concompare.backends.start_environment import modules_seen

        variables = variables_for(self.workers, self.native_threads)
        self.environment = dict(undecoded())
        environment = decoded(self.environment) | (variables if self.native_threads else {})
        arguments = (str(self.folder), os.getpid(), environment, variables, modules_seen(), self.inherited)
        return Start(begin, arguments, variables, "".join(self.state or ()), self.native_threads)

    def starting(self) -> contextlib.AbstractContextManager[None]:
        """Return what workers start in; threads need nothing of what processes do."""
        if self.shares_objects:
            return shielded()
        from concompare.backends.processes import starting

        return starting()

    def rendezvous(self) -> None:
        """Let every worker answer, so that all of them have really started."""
        assert self.executor is not None
        with guarded() as guard:
            first = Rendezvous(self.backend, self.executor, guard.check)
            if self.backend.isolation in ("cluster", "unknown"):
                self.cost = first.cost_of_a_message()
            if self.handling.lasting:  # its workers have been asked one by one
                there: Any = self.executor
                self.present = Present(there.slots, pids=there.pids)
            else:
                self.present = first.meet(self.workers, self.folder, self.starting())

    def memory(self) -> int:
        """Return the bytes that the worker processes take (PSS where the system tells, else USS, else RSS)."""
        return sum(taken(process.pid)[0] for process in self.processes)

    def worker_memory(self) -> tuple[int, ...]:
        """Return the most bytes that each worker process took so far, the highest first; empty without any.

        Linux keeps the highest resident size of a process (VmHWM) but not its highest PSS: what was freed since then
        was the process's own, so it is added to the PSS of now.
        """
        found = [size for process in self.processes if (size := highest(process.pid)) is not None]
        return tuple(sorted(found, reverse=True))

    def idle_seconds(self) -> float:
        """Return the seconds since the pool was last used."""
        return time.monotonic() - self.used

    def alive(self) -> bool:
        """Return whether every worker is there, and may still take what it might at first."""
        if self.broken or (self.handling.lasting and not self.executor.whole):  # type: ignore[union-attr]
            return False
        lines = self.shortcuts.lines if self.shortcuts is not None else None
        there = all(process.exitcode is None for process in self.processes) if lines is None else lines.idle()
        return there and allowances(self.processes) == self.allowed

    def close(self) -> None:
        """Let the workers go, and make sure they have gone."""
        forget(self)
        executor, self.executor = self.executor, None
        if executor is not None and not self.handling.borrowed:
            if self.near:
                end(self.backend, executor, self.processes or self.backend.processes(executor))
            else:
                executor.shutdown(wait=False, cancel_futures=True)
        self.remove_folder()

    def kill(self) -> None:
        """End the workers at once, whatever they compute; threads get nothing new to do."""
        self.broken = True
        executor, self.executor = self.executor, None
        forget(self)
        if executor is not None and not self.handling.borrowed:
            self.processes = self.backend.processes(executor) or self.processes
            end(self.backend, executor, self.processes, AT_ONCE)
        self.remove_folder()

    def remove_folder(self) -> None:
        """Remove the shared files, and let go of what holds semaphores."""
        self.processes = []
        if self.shortcuts is not None:
            self.shortcuts.close()
        if self.folder is not None:
            release_alive(self.folder)
            let_go(str(self.folder))
            remove(self.folder)
            self.folder = None

    def board(self) -> list[tuple[int, int, float, int]]:
        """Return for each worker: process id, the item it computes (−1: none), since when, its peak in bytes."""
        if self.folder is None:
            return []
        try:
            data = Path(self.folder, "board").read_bytes()
        except OSError:
            return []
        return [BOARD.unpack_from(data, at) for at in range(0, len(data) - BOARD.size + 1, BOARD.size)]

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.used = time.monotonic()
        if self.broken:
            self.kill()
        elif self.keep:
            warm(self)
        else:
            self.close()


PLAIN = [False]
"""The one switch: whether pools that are asked for now go the plain way."""


@contextlib.contextmanager
def plain_way() -> Iterator[None]:
    """Let passes use the executor and pickled messages only, for pools leased meanwhile.

    There is no direct channel, no warm-up, no lent and no shared memory then. Results are the same; what differs is
    the time. The tests of all backends run both ways.
    """
    before, PLAIN[0] = PLAIN[0], True
    try:
        yield
    finally:
        PLAIN[0] = before


def shortcuts_for(pool: Pool) -> Shortcuts | None:
    """Return what makes the passes of a pool quicker, or None: its workers cannot, or the plain way is asked for."""
    if pool.plain or not pool.near:
        return None
    from concompare.engine.shortcuts.shortcuts import Shortcuts

    return Shortcuts(pool.handling.direct)


HALF_SENT = 0.1
"""Seconds after which a thread that should have ended is taken to wait for the rest of an answer."""


AT_ONCE = 0.6
"""Seconds that ended workers get to be gone where a user waits for the cell to be free: large ones take longer."""


def end(backend: Backend, executor: Executor, processes: list[Any], patience: float = 2.0) -> None:
    """End workers at once and wait until they and the executor's own thread are gone; told to go, they go quickly.

    A worker that is killed in the middle of a large answer leaves that thread waiting for the rest of it, for ever,
    since this process holds the pipe's writing end too.
    """
    manager = getattr(executor, "_executor_manager_thread", None)
    answers = getattr(getattr(executor, "_result_queue", None), "_writer", None)
    backend.kill(executor)
    late = time.monotonic() + patience
    if isinstance(manager, threading.Thread):
        manager.join(HALF_SENT)
        if manager.is_alive() and answers is not None:
            with contextlib.suppress(OSError):
                answers.close()
        manager.join(max(0.0, late - time.monotonic()))
    for process in processes:
        with contextlib.suppress(AssertionError, ValueError, OSError):
            process.join(max(0.0, late - time.monotonic()))


# ------------------------------------------------------------------------------------------------------ warm pools

WARM: list[Pool] = []
"""Pools that nobody uses now, most recently used last."""

OUT: list[Pool] = []
"""Pools in use."""

STARTING: list[threading.Thread] = []
"""Threads that open pools while the notebook goes on; they take themselves off."""

REAPER: list[threading.Timer] = []
"""The one timer that looks for idle pools."""

LOCK = threading.RLock()


def lease(
    backend: Backend,
    workers: int,
    *,
    fresh: bool = False,
    native_threads: int | None = None,
    inherited: dict[str, Any] | None = None,
    lazily: bool = False,
) -> Pool:
    """Return open workers: warm ones where they fit, else new ones.

    Args:
        backend: Their kind.
        workers: How many.
        fresh: Always open new ones, and close them at the end of the lease.
        native_threads: Threads per BLAS or OpenMP pool in a worker; None: as the notebook has them in this process, the
            usable CPUs shared out among processes.
        inherited: Objects that new worker processes are given when they start, by keys of the caller's.
        lazily: Let new threads start as they are needed.

    Returns:
        The pool, to be used in a `with` statement.

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
    if pool is None:
        pool = Pool(backend, workers, native_threads)
        pool.state, pool.inherited = state, inherited or {}
        pool.keep, pool.lazily = not fresh and not backend.ephemeral, lazily
        with limits(backend, native_threads):
            try:
                pool.open()
            except BackendUnavailable as problem:
                if getattr(problem.__cause__, "errno", None) not in SCARCE or not WARM:
                    raise
                close_warm()  # each worker of theirs holds files
                pool.broken = False
                pool.open()
    else:
        pool.fresh_now = False
    with LOCK:
        OUT.append(pool)
    return pool


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


def close_warm() -> None:
    """Close the pools that nobody uses now."""
    with LOCK:
        while WARM:
            WARM[-1].close()


def forget(pool: Pool) -> None:
    """Take a pool off the lists."""
    with LOCK:
        for pools in (WARM, OUT):
            if pool in pools:
                pools.remove(pool)


def pools() -> tuple[Pool, ...]:
    """Return the open pools, those in use first."""
    with LOCK:
        return (*OUT, *WARM)


def close_pools() -> None:
    """Close every open pool, and the clusters that they were on."""
    for thread in tuple(STARTING):
        thread.join()
    for pool in pools():
        pool.close()
    connected = sys.modules.get("concompare.backends.clusters.cluster")
    if connected is not None:
        connected.close_clusters()
    remove_left()


BEFORE_EXIT: list[Callable[[], None]] = []
"""What is called at the interpreter's end before the pools are closed: what was asked for comes to its end first."""


def close_at_exit() -> None:
    """Close every pool at the interpreter's end, before executors wait for their calls."""
    for call in BEFORE_EXIT:
        call()
    close_pools()


def close_with_the_process() -> None:
    """Close every pool before a process of multiprocessing's waits for its children: it calls no `atexit`."""
    from multiprocessing import parent_process, util

    if parent_process() is not None and ENDING[0] != os.getpid():
        ENDING[0] = os.getpid()
        util.Finalize(None, close_at_exit, exitpriority=100)


ENDING = [0]
"""The process that has been told so."""


def forget_all() -> None:
    """Forget the pools in a forked child: they are its parent's."""
    WARM.clear()
    OUT.clear()
    for file in ALIVE.values():
        file.close()
    ALIVE.clear()
    KEEPERS.clear()
    STARTING.clear()
    LEFT.clear()
    REAPER.clear()


atexit.register(close_pools)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_all)
