"""What the first run of a cell on `auto` costs, on a simulated machine: two CPUs, a GIL, a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from concompare import engine
from concompare.cells.task import Task, task_of
from concompare.engine.chunking import GROWTH, Chunker
from concompare.engine.outcome import LAST, Outcome
from concompare.records import Message, Pass, Trial
from concompare.run import adaptive, auto_history, dispatch
from concompare.run.request import Request, request_of
from tests.records import bare

OPENING, HAND_OVER, CALL = 0.18, 0.0002, 0.0002
"""Seconds to start processes, to hand over an item of 1 ms or more, and of a pass beside its items."""


class Simulated:
    """Passes that only count: their time is that of the items, by position."""

    def __init__(self, cost: Callable[[int], float]) -> None:
        self.cost = cost
        self.seconds = 0.0
        self.ran: list[tuple[str, int]] = []

    def one_pass(
        self,
        task: Task,
        backend: Any,
        workers: int,
        request: Request,
        on_value: Callable[[int, Any], bool],
        first: int = 0,
        *,
        cap: float | None = None,
    ) -> tuple[Trial, Outcome]:
        outcome, messages, now, place, items = Outcome(), [], CALL, first, iter(task.items)
        chunker = Chunker(1, task.count, bulk=1)
        while chunk := list(islice(items, chunker.next())):
            took = sum(self.cost(place + offset) for offset in range(len(chunk)))
            since = (now, now, now, now + took, now + took, now + took)
            messages.append(Message(place, len(chunk), 0, *since, cpu=took))
            outcome.values += chunk
            for offset, value in enumerate(chunk):
                on_value(place + offset, value)
            chunker.learn(len(chunk), took, 0)
            if cap is not None:
                chunker.fixed = max(1, int(min(auto_history.STEP / (took / len(chunk)), GROWTH * chunker.largest)))
            now, place = now + took, place + len(chunk)
            if cap is not None and now > cap:
                outcome.stopped = True
                break
        wall = now
        if backend.name == "processes":
            wall = OPENING + now / workers + (place - first) * min(HAND_OVER, 0.2 * now / max(1, place - first))
        stopped = f"stopped after {cap} s" if outcome.stopped else None
        outcome.record = Pass(place - first, wall, now, stopped=stopped, messages=tuple(messages))
        LAST[:] = [outcome]
        self.ran.append((backend.name, place - first))
        self.seconds += wall
        return bare(backend.name, workers, passes=(outcome.record,)), outcome


@pytest.fixture(autouse=True)
def machine_of_two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = list(LAST)
    monkeypatch.setattr("concompare.machine.usable_cpus", lambda: 2)
    monkeypatch.setattr(auto_history, "gil_state", lambda: "on")
    monkeypatch.setattr(engine, "pools", lambda: ())
    for memory in (auto_history.COMPARISONS, auto_history.RUNS):
        memory.clear()
    yield
    for memory in (auto_history.COMPARISONS, auto_history.RUNS):
        memory.clear()
    LAST[:] = before


def run(monkeypatch: pytest.MonkeyPatch, cost: Callable[[int], float], count: int) -> tuple[Simulated, float]:
    """Run so many items; return what ran, and its seconds against the best of the plain loop and processes."""
    world = Simulated(cost)
    monkeypatch.setattr(adaptive, "watched_pass", lambda *given, **how: (*world.one_pass(*given, **how), ""))
    ran = dispatch.run(task_of(abs, range(count)), request_of(("auto",), None))
    assert ran.value == list(range(count))
    assert sum(items for _, items in world.ran) == count
    assert engine.last().values == list(range(count))
    assert not engine.last().stopped
    assert ran.trials[0].passes[0].items == count
    assert ran.trials[0].passes[0].stopped is None
    plain = sum(map(cost, range(count)))
    return world, world.seconds / min(plain, OPENING + plain / 2 + count * HAND_OVER)


@pytest.mark.parametrize(
    ("cost", "count", "most"),
    [
        (lambda x: 4e-6 * x, 1000, 1.2),  # ever longer, 2 s in all
        (lambda x: 6e-9 * x * x, 1000, 1.2),
        (lambda x: 1e-5 if x < 5000 else 0.004, 5600, 1.1),  # 50 ms of short ones, then 2.4 s
        (lambda x: 1e-4 if x < 5000 else 0.05, 5100, 1.25),  # half a second of short ones
        (lambda x: 0.004 if x < 600 else 1e-5, 5600, 1.1),  # the long ones first
        (lambda x: 0.002, 1000, 1.06),
    ],
)
def test_items_that_turn_out_longer_go_to_processes_in_time(
    cost: Callable[[int], float], count: int, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, ratio = run(monkeypatch, cost, count)
    assert world.ran[-1][0] == "processes"
    assert ratio < most


@pytest.mark.parametrize(
    ("cost", "count"),
    [
        (lambda x: 1e-7, 100_000),
        (lambda x: 1e-5, 5000),
        (lambda x: 2e-7 * x, 1000),  # ever longer, but 0.1 s in all
    ],
)
def test_what_is_too_small_to_gain_stays_in_the_plain_loop(
    cost: Callable[[int], float], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, ratio = run(monkeypatch, cost, count)
    assert {backend for backend, _ in world.ran} <= {"serial", "threads"}
    assert ratio < 1.1 or world.seconds * (1 - 1 / ratio) < 0.002 + CALL * len(world.ran)


def messages(*means: float, each: int = 10) -> list[Message]:
    return [
        Message(each * i, each, 0, sent=0, received=0, start=0, end=each * mean, returned=each * mean, done=each * mean)
        for i, mean in enumerate(means)
    ]


def test_a_rise_is_believed_where_each_quarter_took_longer_and_only_so_far() -> None:
    assert auto_history.rise(messages(1, 2, 3, 4), 40) == auto_history.TRUST
    assert auto_history.rise(messages(1, 1.2, 1.4, 1.6), 4) == pytest.approx(1 + 0.6 / 30 * 7 / 1.6)
    assert auto_history.rise(messages(1, 3, 2, 4), 40) == 1.0  # up and down
    assert auto_history.rise(messages(1, 1.1, 1.2, 1.3), 40) == 1.0  # too little
    assert auto_history.rise(messages(4, 3, 2, 1), 40) == 1.0
    assert auto_history.rise(messages(5), 40) == 1.0


def test_looks_become_rarer_as_the_loop_runs() -> None:
    assert auto_history.next_look(0.03) == pytest.approx(0.03 + auto_history.PROBE)
    assert auto_history.next_look(4.0) == pytest.approx(5.0)
