"""What the first run of a cell on `auto` costs, on a simulated machine: two CPUs, a GIL, a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest

from concompare import engine
from concompare.cells.task import Task, task_of
from concompare.engine.chunking import GROWTH, Chunker
from concompare.engine.growth import Growth
from concompare.engine.outcome import LAST, Outcome
from concompare.engine.serial_pass import Rest
from concompare.errors import BackendUnavailable
from concompare.records import Message, Pass, Trial
from concompare.run import adaptive, auto_history, dispatch, judging, kept_runs
from concompare.run.request import Request, request_of
from tests.records import bare

CALL = 0.0002
"""Seconds of a pass beside its items."""

Enough = Callable[[Sequence[Message], float], bool]


@dataclass
class Machine:
    """Passes that only count, and a clock that goes on with them.

    Attributes:
        cost: Seconds of an item in the plain loop, by position; `cpu`: the share of it that is computing.
        factors: How many times as long as in the plain loop an item takes in a worker of each backend.
        opening: Seconds until processes are there.
    knee: How many threads at a time wait for as long as one alone; 0: threads compute.
    """

    cost: Callable[[int], float]
    factors: dict[str, float] = field(default_factory=lambda: {"threads": 2.0, "processes": 1.02})
    cpu: float = 1.0
    opening: float = 0.18
    knee: int = 0
    slower: Callable[[str, float], float] = lambda backend, now: 1.0
    now: float = 0.0
    warm: float = float("inf")
    ran: list[tuple[str, int]] = field(default_factory=list)
    broken: bool = False

    @property
    def order(self) -> list[str]:
        """The backends in the order in which they ran something."""
        return [name for place, (name, _) in enumerate(self.ran) if not place or self.ran[place - 1][0] != name]

    def pools(self) -> tuple[Any, ...]:
        return (bare_pool("processes"),) if self.warm <= self.now else ()

    def one_pass(
        self,
        task: Task,
        backend: Any,
        workers: int,
        request: Request,
        on_value: Callable[[int, Any], bool],
        first: int = 0,
        *,
        enough: Enough | None = None,
        expected: float = 0.0,
        growth: Growth | None = None,
    ) -> tuple[Trial, Outcome, str]:
        if backend.name == "processes" and not self.pools():
            if self.broken:
                raise BackendUnavailable("processes: none here")
            self.now += self.opening
            self.warm = self.now
        began, outcome, place = self.now, Outcome(), first
        self.now += CALL
        messages: list[Message] = []
        items, chunker = iter(task.items), Chunker(workers, task.count, bulk=1, alone=backend.name == "serial")
        free, factor = [self.now] * workers, self.factors.get(backend.name, 1.0)
        factor = 1.0 if self.knee else factor
        while not outcome.paused and (chunk := list(islice(items, chunker.next()))):
            under_way = growth.now if growth is not None else workers
            worker = free.index(min(free[:under_way]))
            start = max(free[worker], self.now) if self.knee else free[worker]
            took = sum(self.cost(place + offset) for offset in range(len(chunk)))
            took *= factor * self.slower(backend.name, start) * max(1.0, under_way / (self.knee or 1e9))
            free[worker] = start + took
            chunker.learn(len(chunk), took, 0)
            if enough is not None and backend.name == "serial":
                chunker.fixed = max(
                    1, int(min(auto_history.STEP * len(chunk) / max(took, 1e-9), GROWTH * chunker.largest))
                )
            since, end = start - began, start + took - began
            cpu = self.cpu * took / max(1.0, factor)
            messages.append(Message(place, len(chunk), worker, since, since, since, end, end, end, cpu=cpu))
            messages.sort(key=lambda message: message.done)
            outcome.values += chunk
            for offset, value in enumerate(chunk):
                on_value(place + offset, value)
            place, self.now = place + len(chunk), max(self.now, start) if self.knee else start + took
            if growth is not None:
                growth.note(len(chunk), start + took)
                chunker.workers = growth.now
            outcome.paused = enough is not None and enough(messages, self.now - began)
        self.now = max(*free, self.now)
        record = outcome.record = Pass(
            place - first, self.now - began, sum(m.cpu for m in messages), messages=tuple(messages)
        )
        LAST[:] = [outcome]
        self.ran.append((backend.name, place - first))
        workers = workers if growth is None else growth.now
        return bare(backend.name, workers, passes=(record,), isolation=backend.isolation), outcome, ""


def bare_pool(name: str) -> Any:
    """Return as much of a pool as is asked."""

    class Open:
        backend = type("Kind", (), {"name": name})

    return Open


class Opening:
    """Workers that start on the simulated machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.ready = machine, machine.now + machine.opening
        self.problem = BackendUnavailable("processes: none here") if machine.broken else None

    @property
    def over(self) -> bool:
        over = self.machine.now >= self.ready
        if over and not self.machine.broken:
            self.machine.warm = self.ready
        return over

    def wait(self, seconds: float) -> bool:
        self.machine.now += min(seconds, max(0.0, self.ready - self.machine.now))
        return self.over


@pytest.fixture(autouse=True)
def machine_of_two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = list(LAST)
    monkeypatch.setattr("concompare.machine.usable_cpus", lambda: 2)
    monkeypatch.setattr(auto_history, "gil_state", lambda: "on")
    for memory in (auto_history.COMPARISONS, auto_history.RUNS):
        memory.clear()
    yield
    for memory in (auto_history.COMPARISONS, auto_history.RUNS):
        memory.clear()
    LAST[:] = before


def run(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, count: int, items: Any = None, **asked: Any
) -> tuple[float, dispatch.Ran]:
    """Run so many items; return the seconds they took, and what ran."""
    monkeypatch.setattr(adaptive, "watched_pass", machine.one_pass)
    monkeypatch.setattr(engine, "pools", machine.pools)
    monkeypatch.setattr(engine, "Opening", lambda *_: Opening(machine))
    monkeypatch.setattr(judging, "seconds_to_pickle", lambda thing: 0.0)
    began = machine.now
    ran = dispatch.run(task_of(abs, range(count) if items is None else items), request_of(("auto",), None, **asked))
    assert ran.value == list(range(count))
    assert engine.last().values == list(range(count))
    assert not engine.last().stopped
    assert ran.trials[0].passes[0].items == count
    return machine.now - began, ran


def best(machine: Machine, count: int) -> float:
    """Return the seconds of the best of the plain loop, two threads and two processes, whose start is waited for."""
    plain = sum(map(machine.cost, range(count)))
    threads = plain * machine.factors["threads"] / 2
    return min(plain, threads, machine.opening + plain * machine.factors["processes"] / 2)


@pytest.mark.parametrize(
    ("cost", "count", "most"),
    [
        (lambda x: 4e-6 * x, 1000, 1.1),  # ever longer, 2 s in all
        (lambda x: 6e-9 * x * x, 1000, 1.15),
        (lambda x: 1e-5 if x < 5000 else 0.004, 5600, 1.3),  # 50 ms of short ones, then 2.4 s
        (lambda x: 1e-4 if x < 5000 else 0.05, 5100, 1.25),  # half a second of short ones
        (lambda x: 0.004 if x < 600 else 1e-5, 5600, 1.1),  # the long ones first
        (lambda x: 0.002, 1000, 1.05),
        (lambda x: 0.002, 2000, 1.02),
        (lambda x: 0.008, 100, 1.1),
        (lambda x: 0.4, 10, 1.2),  # they are waited for rather than that one more item begins here
    ],
)
def test_items_that_compute_go_to_processes_which_start_meanwhile(
    cost: Callable[[int], float], count: int, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(cost)
    seconds, _ = run(monkeypatch, machine, count)
    assert machine.order[-1] == "processes"
    assert seconds / best(machine, count) < most


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
    machine = Machine(cost)
    seconds, _ = run(monkeypatch, machine, count)
    assert set(machine.order) <= {"serial", "threads"}
    assert seconds - best(machine, count) < 0.002 + CALL * len(machine.ran)


@pytest.mark.parametrize("items", [None, "iterator"])
def test_processes_that_are_slower_than_they_promised_are_left_in_mid_run(
    items: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(lambda x: 0.002, {"threads": 2.0, "processes": 7.0})
    seconds, ran = run(monkeypatch, machine, 1000, iter(range(1000)) if items else None)
    assert machine.order[-2:] == ["processes", "serial"]
    assert seconds < 1.1 * 2.0
    assert ran.trials[0].backend == "serial"
    assert ran.note in [f"auto: the plain loop: processes × 2 took {times} times as long" for times in (3.5, 4)]
    assert auto_history.RUNS[auto_history.key_of(ran.task)].guessed["processes", 2] > 0.006  # and not tried next time


def test_threads_that_run_together_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda x: 0.002, {"threads": 1.0, "processes": 1.02})
    seconds, ran = run(monkeypatch, machine, 1000)
    assert machine.order == ["serial", "threads"]
    assert ran.note == "auto: threads × 2: threads run together here"
    assert seconds < 1.05 * best(machine, 1000)


def test_workers_that_only_seem_slower_since_the_machine_got_slower_are_taken_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(lambda x: 0.002, slower=lambda backend, now: 1.0 if now < 0.6 else 4.0)
    run(monkeypatch, machine, 2000)
    assert machine.order[-3:] == ["processes", "serial", "processes"]
    assert machine.ran[-2][1] < 40  # the plain loop was only looked at


def test_workers_that_are_left_again_and_again_are_watched_for_longer_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a machine whose speed changes all the time the ways do not take turns for ever."""
    machine = Machine(lambda x: 0.002, slower=lambda backend, now: 1.0 if int(now * 4) % 2 else 4.0)
    seconds, _ = run(monkeypatch, machine, 4000)
    assert len(machine.ran) < 16
    assert seconds < 1.2 * 4000 * 0.002 * 2.5 / 2


def test_where_no_process_can_start_the_plain_loop_just_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda x: 0.002, broken=True)
    seconds, ran = run(monkeypatch, machine, 1000)
    assert set(machine.order) == {"serial", "threads"}
    assert seconds < 1.05 * 2.0
    assert ran.note == "auto: the plain loop, since processes: none here"


def test_a_loop_that_ends_before_its_workers_are_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda x: 0.002, opening=2.0)
    monkeypatch.setattr("concompare.analysis.pick.OPENING", 0.0)
    _, ran = run(monkeypatch, machine, 300)
    assert "processes" not in machine.order
    assert ran.note == "auto: the plain loop, which was done before the processes had started"


def test_where_items_reach_beyond_the_process_no_worker_starts_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda x: 0.002)
    monkeypatch.setattr(judging.Judge, "open", lambda *_: pytest.fail("started beside the items"))
    run(monkeypatch, machine, 1000, outside=True)
    assert machine.order[-1] == "processes"


def test_the_next_run_begins_with_what_was_fastest_and_leaves_it_where_it_is_slower_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Machine(lambda x: 0.002)
    for _ in range(3):  # in the second threads are tried
        run(monkeypatch, machine, 900)
    assert machine.ran[-1] == ("processes", 900)
    machine.factors["processes"] = 9.0
    seconds, ran = run(monkeypatch, machine, 900)
    assert machine.order[-1] == "serial"
    assert "processes × 2 took" in ran.note
    assert seconds < 1.2 * 1.8


def test_a_plain_loop_that_was_fastest_is_left_where_its_items_take_longer_now(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda x: 1e-5)
    for _ in range(5):  # threads are tried, twice
        run(monkeypatch, machine, 1000)
    assert machine.order[-1] == "serial"
    machine.cost = lambda x: 0.004
    run(monkeypatch, machine, 1000)
    assert machine.order[-1] == "processes"


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


@pytest.mark.parametrize(("knee", "found"), [(16, {16, 32}), (64, {64, 128})])
def test_items_that_wait_get_as_many_threads_as_help(
    knee: int, found: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(lambda x: 0.01, cpu=0.01, knee=knee)
    seconds, ran = run(monkeypatch, machine, 2000)
    assert machine.order == ["serial", "threads"]
    assert ran.trials[0].workers in found
    assert ran.note == f"auto: threads × {ran.trials[0].workers}: items wait 99% of the time"
    assert seconds < 1.25 * 20 / knee + 0.2


def test_the_next_run_begins_with_as_many_threads_as_helped(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda x: 0.01, cpu=0.01, knee=16)
    _, first = run(monkeypatch, machine, 190)
    _, ran = run(monkeypatch, machine, 180)
    assert machine.ran[-1] == ("threads", 180)
    assert ran.trials[0].workers == first.trials[0].workers
    assert ran.note == f"auto: threads × {ran.trials[0].workers}, the fastest in earlier runs of this cell"


def test_a_number_of_threads_that_was_asked_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda x: 0.01, cpu=0.01, knee=64)
    monkeypatch.setattr(adaptive, "watched_pass", machine.one_pass)
    ran = dispatch.run(task_of(abs, range(300)), request_of(("auto",), 5))
    assert (ran.trials[0].backend, ran.trials[0].workers) == ("threads", 5)


@pytest.mark.parametrize("factor", [1.02, 7.0])
def test_what_other_kernels_have_seen_only_lets_workers_start_earlier(
    factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What this run shows decides, not what was kept."""
    machine = Machine(lambda x: 0.002, {"threads": 2.0, "processes": factor})
    monkeypatch.setattr(kept_runs, "known", lambda task: {("serial", 1): 0.002, ("processes", 2): 0.0011})
    seconds, _ = run(monkeypatch, machine, 1000)
    if factor < 2:
        assert machine.warm == pytest.approx(machine.opening, abs=0.01)  # from the first item on
        assert seconds < 1.05 * best(machine, 1000)
    else:
        assert machine.order[-1] == "serial"
        assert seconds < 1.1 * 2.0


def test_what_other_kernels_have_seen_of_threads_is_where_their_number_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(lambda x: 0.01, cpu=0.01, knee=64)
    begun: list[int] = []
    monkeypatch.setattr(kept_runs, "known", lambda task: {("serial", 1): 0.01, ("threads", 64): 0.0002})

    def growth(first: int, most: int) -> Growth:
        begun.append(first)
        return Growth(first, most)

    monkeypatch.setattr(adaptive, "Growth", growth)
    run(monkeypatch, machine, 1000)
    assert begun == [64]


def test_of_very_many_items_none_is_copied_for_the_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[Any] = []
    usual = adaptive.Trying.next_items

    def noted(self: adaptive.Trying, size: int | None, *, plainly: bool) -> Any:
        handed.append(usual(self, size, plainly=plainly))
        return handed[-1]

    monkeypatch.setattr(adaptive.Trying, "next_items", noted)
    items = list(range(1_000_000))
    run(monkeypatch, Machine(lambda x: 1e-7), 1_000_000, items)
    assert len(handed) > 1
    assert sum(len(part) for part in handed if type(part) is list and part is not items) < 10
    assert all(part.items is items for part in handed if isinstance(part, Rest))
