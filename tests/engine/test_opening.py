"""An interrupt while a pool opens: nothing that has begun is left to nobody."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import pytest

from concompare import engine
from concompare.backends.base import Start
from concompare.backends.processes import Processes
from concompare.engine.folders import ALIVE, KEEPERS


@dataclass(frozen=True, slots=True)
class Interrupted(Processes):
    """Spawned processes whose user interrupts while the executor is made, before the pool has it."""

    method: str | None = "spawn"
    opened: list[Executor] = field(default_factory=list)

    def open(self, workers: int, start: Start) -> Executor:
        executor = Processes.open(self, workers, start)
        executor.submit(os.getpid)
        os.kill(os.getpid(), signal.SIGINT)
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
