"""`map`, `compare` and their companions, as a script uses them."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from weakref import ref

import pytest

import concompare
from concompare import engine, machine
from concompare.analysis import pick
from concompare.cells.task import task_of
from concompare.errors import BackendUnavailable, BadOption, UnknownBackend
from concompare.records import Message, Pass
from concompare.run import auto_history, dispatch
from concompare.run.request import request_of

KINDS = ("serial", "threads", "processes", "auto")


@pytest.fixture(autouse=True, scope="module")
def no_pools_left() -> Iterator[None]:
    yield
    engine.close_pools()


def square(number: int) -> int:
    return number * number


def divide(number: int) -> int:
    return 12 // (3 - number)


@pytest.mark.parametrize("backend", KINDS)
def test_map_gives_the_results_in_item_order(backend: str) -> None:
    assert concompare.map(square, range(50), backend=backend, workers=2) == [n * n for n in range(50)]
    assert concompare.map(square, [], backend=backend, workers=2) == []


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_map_takes_lambdas_and_closures(backend: str) -> None:
    factor = 3
    assert concompare.map(lambda n: n * factor, [1, 2], backend=backend, workers=2) == [3, 6]


def test_map_reads_an_iterator_as_workers_become_free() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100_000):
            taken += 1
            yield number

    with pytest.raises(ZeroDivisionError):
        concompare.map(divide, items(), backend="threads", workers=2, chunk=1)
    assert taken < 10_000


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_a_failing_item_raises_its_own_exception_with_its_index(backend: str) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        concompare.map(divide, range(6), backend=backend, workers=2)
    assert any("item 3: 3" in note for note in caught.value.__notes__)
    assert concompare.last().values[:3] == [4, 6, 12]


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_failures_can_be_kept(backend: str) -> None:
    values: list[Any] = concompare.map(divide, range(6), backend=backend, workers=2, on_error="keep")
    assert values[:3] + values[4:] == [4, 6, 12, -12, -6]
    assert isinstance(values[3], concompare.Failure)
    assert values[3].index == 3
    assert isinstance(values[3].error, ZeroDivisionError)


def test_map_takes_an_executor_and_leaves_it_open() -> None:
    with ThreadPoolExecutor(2, thread_name_prefix="mine") as mine:
        names = concompare.map(lambda _: threading.current_thread().name, range(4), backend=mine, workers=2)
        assert all(name.startswith("mine") for name in names)
        assert mine.submit(square, 3).result() == 9


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"backend": "thread"}, UnknownBackend, "there is no backend 'thread' (did you mean 'threads'?)"),
        ({"workers": 0}, BadOption, "'0' is not a number of workers"),
        ({"workers": "many"}, BadOption, "'many' is not a number of workers"),
        ({"chunk": 0}, BadOption, "chunk is 0: use 1 or more"),
        ({"on_error": "ignore"}, BadOption, "on_error is 'ignore': use 'stop' or 'keep'"),
    ],
)
def test_a_bad_argument_is_named_before_anything_runs(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    ran: list[int] = []
    with pytest.raises(kind) as caught:
        concompare.map(ran.append, [1], **options)
    assert message in str(caught.value)
    assert ran == []


def test_several_ways_are_run_each_and_bound_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "usable_cpus", lambda: 2)
    task = task_of(square, iter(range(5)))
    ran = dispatch.run(task, request_of(["serial", "threads"], "1,2"))
    assert ran.value == [0, 1, 4, 9, 16]
    trials = [(trial.backend, trial.workers, trial.passes[0].items) for trial in ran.comparison.trials]
    assert trials == [("serial", 1, 5), ("threads", 1, 5), ("threads", 2, 5)]


def closed_executor() -> Executor:
    closed = ThreadPoolExecutor(1)
    closed.shutdown()
    return closed


def test_a_way_that_cannot_run_is_a_row_among_several_and_an_error_alone() -> None:
    task = task_of(square, range(5))
    ran = dispatch.run(task, request_of([closed_executor(), "threads"], 2))
    assert ran.value == [0, 1, 4, 9, 16]
    assert ran.comparison.trials[0].problem is not None
    with pytest.raises(BackendUnavailable):
        concompare.map(square, range(5), backend=closed_executor())


def test_auto_takes_the_plain_loop_where_nothing_can_be_gained() -> None:
    task = task_of(square, [7])
    ran = dispatch.run(task, request_of(["auto"], None))
    assert [trial.backend for trial in ran.comparison.trials] == ["serial"]
    assert ran.note == "auto: the plain loop, which was done before anything else could start"


@pytest.fixture
def soon_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `auto` take one item for its probe and then two threads."""
    monkeypatch.setattr(auto_history, "PROBE", 0.0)
    monkeypatch.setattr(pick, "choose", lambda known, last=None: pick.Choice("threads", 2, f"{known.left} left"))


@pytest.mark.usefixtures("soon_threads")
def test_auto_runs_no_item_twice() -> None:
    calls: list[int] = []

    def noted(number: int) -> int:
        calls.append(number)
        return number + 1

    ran = dispatch.run(task_of(noted, range(20)), request_of(["auto"], None))
    assert ran.value == list(range(1, 21))
    assert sorted(calls) == list(range(20))
    assert concompare.last().values == list(range(1, 21))
    trial = ran.comparison.trials[0]
    assert (trial.backend, trial.workers, trial.passes[0].items) == ("threads", 2, 20)
    assert sorted(n for m in trial.passes[0].messages for n in range(m.first, m.first + m.count)) == list(range(20))
    assert ran.note in ("auto: 19 left", "auto: 17 left")  # one ran in the plain loop, two may show how threads do


@pytest.mark.usefixtures("soon_threads")
def test_auto_counts_items_from_the_first() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        concompare.map(divide, iter(range(6)))
    assert any("item 3: 3" in note for note in caught.value.__notes__)
    assert concompare.last().values[:3] == [4, 6, 12]
    values: list[Any] = concompare.map(divide, iter(range(6)), on_error="keep")
    assert values[3].index == 3
    assert concompare.last().failures[0].index == 3


def test_auto_takes_the_plain_loop_for_little_work() -> None:
    ran = dispatch.run(task_of(square, range(200)), request_of(["auto"], None))
    assert [trial.backend for trial in ran.comparison.trials] == ["serial"]
    assert ran.value[-1] == 199**2


def test_auto_takes_several_workers_for_items_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = threading.Event()
    monkeypatch.setattr(auto_history, "PROBE", 0.02)
    ran = dispatch.run(task_of(lambda _: waits.wait(0.02), range(60)), request_of(["auto"], None))
    assert [trial.backend for trial in ran.comparison.trials] == ["threads"]
    assert ran.comparison.trials[0].workers > 2


def test_auto_goes_by_the_last_comparison_of_the_same_task() -> None:
    task = task_of(square, range(40))
    report = dispatch.measure(task, request_of(["serial", "threads"], 2, budget=1.0))
    assert report.pick.backend == "serial"
    ran = dispatch.run(task_of(square, range(40)), request_of(["auto"], None))
    assert [trial.backend for trial in ran.comparison.trials] == ["serial"]
    assert ran.note == "auto: serial as in the last comparison of this cell"


def test_compare_returns_a_report_with_the_results() -> None:
    report = concompare.compare(square, range(30), backends=["serial", "threads"], workers=[1, 2], budget=1.0, seed=7)
    assert report.results == [n * n for n in range(30)]
    rows = {(trial.backend, trial.workers) for trial in report.comparison.trials}
    assert rows == {("serial", 1), ("threads", 1), ("threads", 2)}
    assert report.comparison.subject.name == "square"
    assert report.comparison.subject.items == 30
    assert report.comparison.subject.blob
    assert report.comparison.plan is not None
    assert report.comparison.plan.seed == 7
    assert report.best is not None


def test_compare_raises_what_an_item_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        concompare.compare(divide, range(6), backends=["serial", "threads"], workers=2, budget=1.0)


@pytest.mark.usefixtures("unhurried")
def test_a_task_that_cannot_be_sent_is_compared_where_it_can_run() -> None:
    guard = threading.Lock()

    def guarded(number: int) -> int:
        with guard:
            return number

    report = concompare.compare(guarded, range(8), workers=2, budget=60.0)
    problems = {trial.backend: trial.problem for trial in report.comparison.trials}
    assert problems["threads"] is None
    assert "guard" in str(problems["processes"])
    assert report.comparison.subject.blob is None
    assert report.results == list(range(8))


def test_the_environment_is_this_machine_s() -> None:
    here = concompare.environment()
    assert here.usable == machine.usable_cpus()
    assert here.cpus == os.cpu_count()


@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_the_traceback_of_a_failing_item_goes_from_the_call_to_the_user_s_function(backend: str) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        concompare.map(divide, range(6), backend=backend, workers=2)
    assert [entry.name for entry in caught.traceback] == [
        "test_the_traceback_of_a_failing_item_goes_from_the_call_to_the_user_s_function",
        "map",
        "divide",
    ]


def test_a_machine_that_makes_the_first_items_wait_is_not_taken_for_items_that_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[pick.Known] = []

    def noted(known: pick.Known, last: object = None) -> pick.Choice:
        seen.append(known)
        return pick.Choice("serial", 1, "noted")

    monkeypatch.setattr(pick, "choose", noted)
    busy = Message(0, 1, 0, 0, 0, 0.0, 0.010, 0.010, 0.010, cpu=0.002, waited=0.008)
    auto_history.choose(task_of(square, range(9)), (busy,), 8)
    assert seen[0].seconds == pytest.approx((0.002,))
    assert seen[0].cpu == (0.002,)
    assert seen[0].left == 8


@pytest.mark.alone
def test_auto_learns_from_the_runs_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto_history, "SHORT", 0.0)
    monkeypatch.setattr(auto_history, "PROBE", 5.0)
    monkeypatch.setattr(auto_history, "RUNS", {})
    waits = threading.Event()

    def waiting(count: int) -> str:
        task = task_of(lambda _: waits.wait(0.15), range(count), name="waiting")
        return dispatch.run(task, request_of(["auto"], 2)).note

    assert waiting(8) == "auto: the plain loop, which was done before anything else could start"
    assert waiting(8) == "auto: threads, to see whether they are faster on these items"
    assert waiting(8) == "auto: threads × 2, the fastest in earlier runs of this cell"
    assert "done before" in waiting(2)  # far fewer items: nothing is known of those


def test_auto_tries_the_plain_loop_again_where_it_seemed_little_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto_history, "RUNS", {})
    monkeypatch.setattr(auto_history, "untried", lambda *_: None)
    task = task_of(square, range(100), name="short")
    sizes = auto_history.sizes_of(task)

    def ran(way: tuple[str, int], wall: float) -> None:
        auto_history.learn(task, sizes, way, Pass(items=100, wall=wall, cpu=wall))

    def next_run() -> str:
        choice = auto_history.learned(task, sizes)
        assert choice is not None
        return choice.backend

    ran(auto_history.PLAIN, 0.040)  # cold
    ran(("threads", 2), 0.010)
    assert next_run() == "threads"  # 30 ms less is not little
    ran(auto_history.PLAIN, 0.015)  # on a busy machine, once more
    for _ in range(8):
        assert next_run() == "threads"
        ran(("threads", 2), 0.010)
    assert next_run() == "serial"
    ran(auto_history.PLAIN, 0.002)
    assert next_run() == "serial"  # the quickest of its runs: 2 ms
    assert auto_history.learned(task, sizes).reason == "the plain loop, the fastest in earlier runs of this cell"  # type: ignore[union-attr]


def test_auto_runs_the_plain_loop_a_second_time_before_it_believes_little_differences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auto_history, "RUNS", {})
    monkeypatch.setattr(auto_history, "untried", lambda *_: None)
    task = task_of(square, range(100), name="short")
    sizes = auto_history.sizes_of(task)
    for way, wall in ((auto_history.PLAIN, 0.017), (("threads", 2), 0.005)):
        auto_history.learn(task, sizes, way, Pass(items=100, wall=wall, cpu=wall))
    assert auto_history.learned(task, sizes).backend == "serial"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("walls", "expected"),
    [
        ([0.024], "threads"),  # cold: it may well be faster than 20 ms, two CPUs promise 10
        ([0.024, 0.023], "serial"),
        ([0.031], "serial"),  # that is not by chance
    ],
)
def test_auto_tries_what_ran_once_a_second_time_where_that_costs_little(
    walls: list[float], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_history, "RUNS", {})
    monkeypatch.setattr(machine, "usable_cpus", lambda: 2)
    task = task_of(square, range(100), name="short")
    sizes = auto_history.sizes_of(task)
    for wall in (0.020, 0.020):
        auto_history.learn(task, sizes, auto_history.PLAIN, Pass(items=100, wall=wall, cpu=wall))
    for wall in walls:
        auto_history.learn(task, sizes, ("threads", 2), Pass(items=100, wall=wall, cpu=wall))
    assert auto_history.learned(task, sizes).backend == expected  # type: ignore[union-attr]


def test_auto_measures_over_what_it_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto_history, "RUNS", {})
    monkeypatch.setattr(auto_history, "untried", lambda *_: None)
    task = task_of(square, range(100), name="growing")
    sizes = auto_history.sizes_of(task)
    auto_history.learn(task, sizes, ("processes", 2), Pass(items=100, wall=0.3, cpu=0.3), {auto_history.PLAIN: 0.002})
    assert auto_history.learned(task, sizes).backend == "serial"  # type: ignore[union-attr]
    auto_history.learn(task, sizes, auto_history.PLAIN, Pass(items=100, wall=0.6, cpu=0.6))
    assert auto_history.plain_before(task, sizes) == pytest.approx(0.006)
    assert auto_history.learned(task, sizes).backend == "processes"  # type: ignore[union-attr]


@pytest.mark.parametrize(("fastest", "expected"), [(0.5, "threads"), (0.3, None)])
def test_auto_tries_threads_only_where_they_could_be_fastest(
    fastest: float, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "usable_cpus", lambda: 2)
    # Two threads take 0.25 s of the plain loop's 0.5 s at best, and must promise a quarter less than the fastest.
    assert auto_history.untried(task_of(square, range(100)), {"serial", "processes"}, 0.5, fastest) == expected


def test_auto_looks_again_where_later_items_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def choose(known: pick.Known, last: object = None) -> pick.Choice:
        looks.append(known.seconds[-1])
        return pick.Choice("threads" if known.seconds[-1] > 0.004 else "serial", 2, "as it looks")

    monkeypatch.setattr(auto_history, "PROBE", 0.004)
    monkeypatch.setattr(pick, "choose", choose)
    waits = threading.Event()
    ran = dispatch.run(task_of(lambda n: waits.wait(n / 5000), range(60), name="growing"), request_of(["auto"], 2))
    assert [trial.backend for trial in ran.comparison.trials] == ["threads"]
    assert len(looks) > 1
    assert ran.comparison.trials[0].passes[0].items == 60


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_auto_runs_nothing_after_the_loop_has_stopped(stop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[int] = []

    def apply(position: int, value: int) -> bool:
        applied.append(position)
        return position == stop

    monkeypatch.setattr(auto_history, "PROBE", 0.0)
    monkeypatch.setattr(machine, "usable_cpus", lambda: 2)
    monkeypatch.setattr(auto_history, "RUNS", {})
    task = replace(task_of(lambda n: sum(range(100_000 + n)), range(40), name="stopping"), apply=apply)
    dispatch.run(task, request_of(["auto"], None))
    assert applied == list(range(stop + 1))


@pytest.mark.parametrize("run", [concompare.map, concompare.compare])
def test_what_cannot_be_called_or_walked_is_shown(run: Any) -> None:
    with pytest.raises(BadOption, match=r"the function is \[1, 2\]: give something that can be called first, and the"):
        run([1, 2], abs)
    with pytest.raises(BadOption, match=r"the items are 5: give a list, or something else to walk"):
        run(abs, 5)


LONG = 60.0
"""Seconds after which a test gives up."""


class Thing:
    def __init__(self, number: int) -> None:
        self.number = number


def doubled(thing: Thing) -> Thing:
    return Thing(thing.number * 2)


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("backend", ["serial", "threads", "thread-per-item", "processes", "mp-pool", "auto"])
def test_items_and_results_live_no_longer_than_their_caller_has_them(backend: str, listed: bool) -> None:
    gc.collect()
    gc.disable()  # they go by themselves
    try:
        items = [Thing(number) for number in range(8)]
        values = concompare.map(doubled, items if listed else iter(items), backend=backend, workers=2)
        assert [value.number for value in values] == [0, 2, 4, 6, 8, 10, 12, 14]
        alive = [ref(thing) for thing in (*items, *values)]
        del items, values
        late = time.monotonic() + LONG  # a thread that has given its result may not have ended yet
        while any(found() is not None for found in alive) and time.monotonic() < late:
            time.sleep(0.001)
        assert [found() for found in alive] == [None] * 16
    finally:
        gc.enable()
    assert concompare.last().record.items == 8
    assert concompare.last().values == []


def test_values_beside_failures_are_kept_for_another_try() -> None:
    values: list[Any] = concompare.map(divide, range(6), backend="threads", workers=2, on_error="keep")
    again = concompare.last().retry()
    assert again[:3] + again[4:] == values[:3] + values[4:] == [4, 6, 12, -12, -6]
    assert again[3].index == 3
