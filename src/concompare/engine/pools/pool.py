"""Open workers of one backend: started by rendezvous, asked how they are, ended without a trace."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concompare.backends.base import Backend, Start
from concompare.backends.traits import handling_of, shares_objects
from concompare.engine.pools.directory import make_folder, release_alive, remove
from concompare.engine.pools.learned import Learned
from concompare.engine.pools.limits import allowances, highest, taken, variables_for
from concompare.engine.pools.open_pools import close_at_exit, close_with_the_process, forget
from concompare.engine.pools.rendezvous import Present, Rendezvous
from concompare.engine.pools.start_failures import not_started
from concompare.errors import BackendUnavailable, ConcompareError
from concompare.interrupts import guarded, shielded
from concompare.worker.bootstrap import BOARD, begin
from concompare.worker.surroundings import decoded, undecoded
from concompare.worker.transfer.pickling import let_go

if TYPE_CHECKING:
    from concompare.engine.pools.inherited_state import State
    from concompare.engine.shortcuts.direct_channel import Lines
    from concompare.engine.shortcuts.shortcuts import Shortcuts


class Pool:
    """Open workers of one backend.

    Attributes:
        backend: Their kind.
        handling: How it is to be dealt with.
        workers: How many were asked for.
        present: Those that have answered.
        learned: What its passes so far tell of functions.
        start_up: Seconds from opening until all answered.
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
        self.lazily = False
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
