"""Times and speed-ups are those of the whole loop: taking items, heads, and the tails that stay in the notebook."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from concompare.analysis import findings, pick, stats
from concompare.cells.task import Task
from concompare.measure.tails import HANDING_ON, MOST_KEPT, Tails, added, with_notebook
from concompare.record_data import from_data, to_data
from concompare.records import Environment, Notebook, Pass
from concompare.report.run_summary import summary_of
from concompare.run import auto_history, dispatch
from concompare.run.request import request_of
from tests.cells import programs
from tests.measure.worlds import Cost, World, of, run
from tests.records import bare


class Replaying:
    """Tails that take their time on a world's clock."""

    def __init__(self, world: World, seconds: float, taking: float = 0.0, stop: int | None = None) -> None:
        self.world, self.seconds, self.stop = world, seconds, stop
        self.order: list[int] = []
        self.values: list[Any] = []
        self.tails = Tails(self.apply, lambda stream, text: None, world.clock, taking)

    def apply(self, position: int, value: Any) -> bool:
        self.world.now += self.seconds
        self.order.append(position)
        self.values.append(value)
        return position == self.stop


def compared(world: World, count: int, tail: Replaying, **more: Any) -> Any:
    """Return a comparison with the tails, all of them replayed."""
    comparison, kept = run(world, range(count), tails=tail.tails, **more)
    tail.tails.replay(dict(enumerate(kept.values)), kept.output)
    return with_notebook(comparison, tail.tails.record(count))


def test_the_plain_loop_s_time_is_heads_and_tails_and_each_tail_runs_once_in_order() -> None:
    world = World(lambda item: Cost(0.01))
    tail = Replaying(world, 0.02)
    comparison = compared(world, 20, tail)
    assert tail.order == list(range(20))
    assert tail.values == [2 * item for item in range(20)]
    serial = stats.serial_of(comparison)
    assert serial is not None
    assert stats.whole(serial, comparison) == pytest.approx(20 * 0.03)
    assert stats.head_share(comparison) == pytest.approx(1 / 3)


@pytest.mark.parametrize("tail_seconds", [0.0, 0.005, 0.05, 0.5])
def test_no_speed_up_is_beyond_what_the_notebook_s_part_allows(tail_seconds: float) -> None:
    world = World(lambda item: Cost(0.05), cpus=4)
    comparison = compared(world, 24, Replaying(world, tail_seconds))
    serial = stats.serial_of(comparison)
    assert serial is not None
    for trial in comparison.trials[1:]:
        between = stats.speed_up(trial, serial)
        if between is not None:
            assert between.mid <= (0.05 + tail_seconds) / max(tail_seconds, 0.05 / 4) * 1.01
    best = of(comparison, "processes", 4)
    between = stats.speed_up(best, serial)
    assert between is not None
    if tail_seconds == 0.5:
        assert between.mid == pytest.approx(1.1, rel=0.02)


@pytest.mark.parametrize(("tail_seconds", "budget"), [(0.2, 10.0), (0.5, 30.0), (0.02, 5.0), (0.9, 30.0)])
def test_the_budget_is_for_the_tails_too(tail_seconds: float, budget: float) -> None:
    world = World(lambda item: Cost(0.1))
    tail = Replaying(world, tail_seconds)
    began = world.now
    comparison = compared(world, 20, tail, budget=budget)
    assert world.now - began <= budget * 1.1, "the plan is kept within 10 %, in whatever order its blocks are drawn"
    assert comparison.plan.replaying >= tail_seconds * 9
    assert "stays in the notebook" in comparison.plan.steps[-1]


def test_tails_longer_than_the_budget_leave_a_tenth_of_it_for_deciding() -> None:
    world = World(lambda item: Cost(0.00002))
    tail = Replaying(world, 1.5)
    began = world.now
    comparison = compared(world, 10, tail, budget=10.0)
    assert tail.order == list(range(10))
    assert world.now - began <= 10 * 1.5 + 1.0 + 0.1, "not 31 s for a loop that takes 15 s"
    serial = stats.serial_of(comparison)
    assert serial is not None
    assert stats.whole(serial, comparison) == pytest.approx(15.0, rel=0.01)


def test_a_small_head_is_said_and_nothing_is_called_too_small_for_it() -> None:
    world = World(lambda item: Cost(0.00002))
    comparison = compared(world, 10, Replaying(world, 0.5))
    comparison = replace(comparison, subject=replace(comparison.subject, staying="`m.fit` at line 3"))
    found = {finding.code: finding for finding in findings.find(comparison)}
    assert "too-small" not in found
    assert found["stays-in-notebook"].summary.startswith("`m.fit` at line 3 stays in the notebook and takes 100 % of")
    assert "stays in the notebook" in pick.reason_for_plain(comparison)
    assert "too small" not in pick.reason_for_plain(comparison)


def test_a_head_that_holds_more_than_half_is_no_finding() -> None:
    world = World(lambda item: Cost(0.02))
    codes = {finding.code for finding in findings.find(compared(world, 10, Replaying(world, 0.015)))}
    assert "stays-in-notebook" not in codes


def test_slow_items_are_said_too() -> None:
    world = World(lambda item: Cost(0.001))
    comparison = compared(world, 10, Replaying(world, 0.0, taking=2.0))
    (said,) = [finding for finding in findings.find(comparison) if finding.code == "stays-in-notebook"]
    assert said.summary.startswith("Taking the items is done in the notebook")


def test_tiny_tails_are_not_told_from_handing_them_their_values() -> None:
    world = World(lambda item: Cost(0.001))
    comparison = compared(world, 50, Replaying(world, HANDING_ON / 2))
    assert comparison.notebook.replaying == 0.0
    assert comparison.notebook.tails == 50
    assert stats.head_share(comparison) == 1.0


def test_where_the_loop_stops_no_further_tail_runs_or_counts() -> None:
    world = World(lambda item: Cost(0.001))
    tail = Replaying(world, 0.1, stop=4)
    comparison = compared(world, 30, tail)
    assert tail.order == [0, 1, 2, 3, 4]
    assert comparison.notebook.replaying == pytest.approx(0.5)


HERE = Environment("3.11.7", "CPython", "Linux", "x86_64", 4, 4)


@pytest.mark.parametrize(
    ("backend", "wall", "cpu", "seconds", "whole"),
    [
        ("serial", 4.0, 4.0, 2.0, 6.0),  # one after the other
        ("processes", 1.0, 3.9, 2.0, 2.1),  # as long as the tails, and the first head before them
        ("processes", 2.0, 4.0, 0.2, 2.02),  # beside the heads, and the last tail after them
        ("processes", 1.0, 4.0, 1.0, 1.25),  # four CPUs have no room for more
        ("threads", 4.0, 4.0, 2.0, 6.0),  # one GIL
        ("threads", 1.0, 0.1, 0.5, 1.05),  # that waiting items leave free
    ],
)
def test_tails_run_beside_heads_where_there_is_room(
    backend: str, wall: float, cpu: float, seconds: float, whole: float
) -> None:
    trial, one = bare(backend, 4), Pass(10, wall, cpu)
    assert wall + added(one, seconds, 10, trial, HERE) == pytest.approx(whole)


def test_raw_seconds_of_tails_are_kept_within_bounds_and_saved() -> None:
    world = World(lambda item: Cost(0.0))
    tail = Replaying(world, 0.001)
    tail.tails.replay(dict.fromkeys(range(5000)))
    record = tail.tails.record(5000)
    assert (record.tails, len(record.tail_seconds)) == (5000, MOST_KEPT)
    assert from_data(Notebook, to_data(record)) == record
    assert from_data(Pass, {"items": 1, "wall": 1.0, "cpu": 1.0}).beside == 0.0


SLOW_TAIL = """\
for x in xs:
    y = f(x)
    kept.learn(y)
"""


class Learner:
    """What a tail changes; it computes for some thousand times as long as the head."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def learn(self, value: int) -> None:
        self.seen.append(value)
        sum(range(200_000))


def task_in(namespace: dict[str, Any]) -> Task:
    return programs.bound(SLOW_TAIL, namespace)[0]


def whole(x: float) -> int:
    return int(x)


def names() -> dict[str, Any]:
    return {"xs": list(range(12)), "f": whole, "kept": Learner()}


def test_a_comparison_of_a_cell_replays_each_tail_once_and_names_the_call() -> None:
    namespace = names()
    report = dispatch.measure(task_in(namespace), request_of(["threads"], 2, budget=2.0))
    assert namespace["kept"].seen == list(range(12))
    assert not [name for name in namespace if name.startswith("_concompare")]
    assert report.comparison.subject.staying == "`kept.learn` at line 3"
    assert report.comparison.notebook.tails == 12
    (said,) = [finding for finding in report.findings if finding.code == "stays-in-notebook"]
    assert said.summary.startswith("`kept.learn` at line 3 stays in the notebook and takes ")


def test_several_configurations_have_the_tails_in_their_times() -> None:
    namespace = names()
    ran = dispatch.run(task_in(namespace), request_of(["serial", "threads"], 2))
    assert namespace["kept"].seen == list(range(12))
    serial, threads = ran.trials
    assert stats.seconds(serial) == serial.passes[0].whole
    assert serial.passes[0].beside > serial.passes[0].wall
    assert threads.passes[0].beside > threads.passes[0].wall


def test_one_configuration_has_them_in_its_pass() -> None:
    namespace = names()
    ran = dispatch.run(task_in(namespace), request_of(["serial"], None))
    (trial,) = ran.trials
    assert sum(message.end - message.start for message in trial.passes[0].messages) < trial.passes[0].wall / 2
    assert "12 items in " in repr(summary_of(ran.comparison, ran.note))


def test_auto_does_not_call_a_loop_too_small_whose_tail_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auto_history, "COMPARISONS", {})
    monkeypatch.setattr(auto_history, "RUNS", {})
    ran = dispatch.run(task_in(names()), request_of(["auto"], None))
    assert "too small" not in ran.note
    assert "`kept.learn` at line 3 stays in the notebook and takes " in ran.note
