"""A pool opens and ends: nothing that has begun is left to nobody."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import struct
import sys
import threading
from concurrent.futures import Executor
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from concompare import backends, engine
from concompare.backends.base import Start
from concompare.backends.processes import Processes
from concompare.engine.pools.directory import ALIVE, KEEPERS
from concompare.engine.pools.pool import AT_ONCE, Pool, end


@dataclass(frozen=True, slots=True)
class Interrupted(Processes):
    """Spawned processes whose user interrupts while the executor is made, before the pool has it."""

    method: str | None = "spawn"
    opened: list[Executor] = field(default_factory=list)

    def open(self, workers: int, start: Start) -> Executor:
        executor = Processes.open(self, workers, start)
        executor.submit(os.getpid)
        signal.raise_signal(signal.SIGINT)
        self.opened.append(executor)
        return executor


def test_an_interrupt_while_the_executor_is_made_leaves_no_worker_and_no_file() -> None:
    backend = Interrupted()
    before = dict(ALIVE), dict(KEEPERS), set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        engine.lease(backend, 2, fresh=True)
    executor: Any = backend.opened[0]  # empty where the interrupt has hit before the pool had it
    with pytest.raises(RuntimeError, match=r"shutdown|not usable"):
        executor.submit(os.getpid)
    assert not executor._processes
    assert before[:2] == (ALIVE, KEEPERS)
    assert {thread for thread in threading.enumerate() if thread.is_alive()} <= before[2]


def test_a_worker_killed_in_the_middle_of_its_answer_leaves_no_thread_waiting() -> None:
    reader, writer = multiprocessing.Pipe(duplex=False)
    os.write(writer.fileno(), struct.pack("!i", 1000) + b"half of it")

    def wait_for_the_rest() -> None:
        with contextlib.suppress(EOFError, OSError):
            reader.recv_bytes()

    manager = threading.Thread(target=wait_for_the_rest, daemon=True)
    manager.start()
    executor: Any = SimpleNamespace(_executor_manager_thread=manager, _result_queue=SimpleNamespace(_writer=writer))
    backend: Any = SimpleNamespace(kill=lambda executor: None)
    end(backend, executor, [])
    assert not manager.is_alive()
    reader.close()


def test_a_worker_that_is_slow_to_go_does_not_keep_the_cell() -> None:
    """A process of many gigabytes takes seconds to end: a killed pool waits for it only as long as it may."""
    waits: list[float] = []

    class Lingering:
        pid, exitcode = 0, None

        def join(self, timeout: float) -> None:
            waits.append(timeout)

    class Workers:
        name, isolation, ephemeral = "processes", "process", False

        def processes(self, executor: Any) -> list[Any]:
            return [Lingering(), Lingering()]

        def kill(self, executor: Any) -> None:
            waits.clear()

    pool = Pool(Workers(), 2)  # type: ignore[arg-type]
    pool.executor = object()  # type: ignore[assignment]
    pool.kill()
    assert len(waits) == 2
    assert max(waits) <= AT_ONCE < 1.0


def test_workers_in_this_process_are_given_nothing_to_start_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is made of, the environment and the machine's CPUs, takes longer to look at than an item to compute."""

    def looked_at(*_: object) -> dict[str, str]:
        raise AssertionError("nothing of it is needed")

    monkeypatch.setattr(sys.modules[Pool.__module__], "variables_for", looked_at)
    for name in ("serial", "threads"):
        with engine.lease(backends.find(name), 1, fresh=True) as pool:
            assert pool.start().initargs == ()
            assert engine.run_pass(abs, [-1], pool).values == [1]
