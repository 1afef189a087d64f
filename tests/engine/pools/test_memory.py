"""How many workers run in the memory that is left; all figures are made up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine import pool_pass
from concompare.engine.forecast import Standing
from concompare.engine.outcome import PassOptions
from concompare.engine.pools import memory
from concompare.engine.pools.memory import MemoryGuard, Room, fitting

GB = 1e9


@pytest.fixture(autouse=True, scope="module")
def no_pools_left() -> Iterator[None]:
    yield
    engine.close_pools()


class Machine:
    """Memory of a made-up machine: what is left, and what its processes have and had."""

    def __init__(self, total: float, left: float) -> None:
        self.total, self.left = total, left
        self.processes: dict[int, tuple[float, float]] = {}
        self.said: list[str] = []

    def guard(self, workers: int) -> MemoryGuard:
        return MemoryGuard(workers, self.said.append, lambda: Room(self.total, self.left), self.held)

    def held(self, pid: int) -> tuple[float, float]:
        return self.processes.get(pid, (0.0, 0.0))


def test_fewer_workers_run_when_each_may_take_more_than_there_is() -> None:
    machine = Machine(10 * GB, 6 * GB)
    guard = machine.guard(4)
    machine.processes = dict.fromkeys(range(4), (0.1 * GB, 0.1 * GB))
    guard.look(machine.processes)
    assert guard.allowed == 4
    machine.processes[0] = (2.1 * GB, 2.1 * GB)  # it has taken 2 GB, of which 4 are left beyond the fifth kept free
    machine.left = 4 * GB
    guard.look(machine.processes)
    assert guard.allowed == 2  # (4 - 2 + 2) / 2
    assert machine.said == [
        (
            "memory: 4.00 GB of 10.0 GB are left and a worker takes up to 2.00 GB, "
            "so 2 of 4 workers run until there is more"
        )
    ]
    machine.left = 1 * GB
    guard.look(machine.processes)
    assert guard.allowed == 1
    machine.processes[0] = (0.1 * GB, 2.1 * GB)  # it gave back what it took
    machine.left = 12 * GB
    guard.look(machine.processes)
    assert guard.allowed == 4
    assert len(machine.said) == 1


def test_workers_that_take_little_run_however_full_the_memory_is() -> None:
    machine = Machine(10 * GB, 0.5 * GB)
    guard = machine.guard(4)
    for _ in range(2):
        machine.processes = dict.fromkeys(range(4), (0.15 * GB, 0.15 * GB))
        guard.look([*machine.processes, 99])
        assert guard.allowed == 4
    assert machine.said == []


def test_results_that_outgrow_the_memory_are_said_once_before_they_do() -> None:
    machine = Machine(10 * GB, 1e6)
    guard = machine.guard(2)
    values: list[Any] = [bytes(10_000)] * 7
    guard.expect(values, 1000)
    assert machine.said == []  # too few to tell
    values += [bytes(10_000)] * 3
    guard.expect(values, 90)
    assert machine.said == []  # 0.9 MB
    for _ in range(2):
        guard.expect(values, 200)
    (words,) = machine.said
    assert (
        "the results of the 200 items to come would take about 2.01 MB, and 1.00 MB are left: let the function" in words
    )
    guard.expect(values, None)


def test_no_more_workers_start_than_there_is_memory_for_what_each_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(memory, "LARGE", 100_000)
    monkeypatch.setattr(memory, "WORKER", 1000)
    names: dict[str, Any] = {"model": bytearray(999_000)}
    exec("def f(x): return len(model)", names)
    assert fitting(names["f"], 8, said.append, lambda: Room(10e6, 5.1e6)) == 3  # (5.1 - 2) / 1
    assert said == [
        (
            "memory: each worker takes about 1.00 MB, most of it what the function refers to, "
            "and 5.10 MB of 10.0 MB are left, so 3 of 8 workers start"
        )
    ]
    assert fitting(names["f"], 8, said.append, lambda: Room(10e6, 0)) == 1
    assert fitting(names["f"], 2, said.append, lambda: Room(100e6, 90e6)) == 2
    assert len(said) == 2
    assert fitting(abs, 8, said.append, lambda: Room(0, 0)) == 8


def test_a_pass_sends_no_more_than_the_workers_that_may_run_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """The most messages under way, after the first look, are as many as workers may run."""
    flying: list[int] = []
    monkeypatch.setattr(pool_pass, "PROGRESS", 0.0)
    monkeypatch.setattr(MemoryGuard, "look", lambda self, pids: setattr(self, "allowed", 1))

    def progress(standing: Standing) -> None:
        flying.append(len(running.channel.flying))

    with engine.lease(backends.find("processes"), 2) as pool:
        options = PassOptions(say=print, chunk=1, progress=progress)
        running = pool_pass.PassRun(
            abs, list(range(-30, 0)), pool, options, None, None, __import__("time").perf_counter
        )
        assert running.go().values == list(range(30, 0, -1))
    assert max(flying[flying.index(1) :]) == 1
