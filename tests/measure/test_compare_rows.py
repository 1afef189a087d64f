"""Comparisons in which something differs, fails or cannot run: what the row says, and what the user keeps."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from concompare.analysis import findings, pick
from concompare.engine.item_errors import with_item
from concompare.errors import Interrupted, WorkerDied
from concompare.measure import compare, trials
from tests.measure.worlds import SERIAL, THREADS, Cost, FakeBackend, World, of, run


def test_different_results_are_seen_named_and_never_picked() -> None:
    def change(name: str, workers: int, values: list[Any]) -> list[Any]:
        return [-1, *values[1:]] if name == "processes" else values

    comparison, kept = run(World(lambda x: Cost(0.003), change=change), range(1, 101))
    trial = of(comparison, "processes", 2)
    assert (trial.same, trial.difference) == (False, "item 0: -1 instead of 2")
    assert pick.pick(comparison).backend != "processes"
    assert kept.values[0] == 2
    assert len(trial.timed) == 1  # not worth further passes


def test_a_plain_loop_that_differs_from_itself_makes_nothing_wrong() -> None:
    chance = random.Random(1)
    comparison, _ = run(World(lambda x: Cost(0.003)), range(100), function=lambda x: chance.random())
    ran = [trial for trial in comparison.trials[1:] if trial.passes]
    assert len(ran) >= 2
    for trial in ran:
        assert trial.same is None
        assert trial.difference == "cannot be compared: the plain loop gives other results each time"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (WorkerDied("a worker was killed by SIGSEGV at item 3"), "a worker was killed by SIGSEGV at item 3"),
        (ValueError("bad\nmore"), "ValueError: bad"),
        (KeyError(), "KeyError"),
        (with_item(ValueError("bad"), 57, "'x'"), "item 57 raised ValueError: bad"),
        (with_item(WorkerDied("gone at item 3"), 3, "3"), "gone at item 3"),
    ],
)
def test_a_backend_that_cannot_run_is_a_row_that_says_why(error: Exception, said: str) -> None:
    def before(name: str, workers: int, number: int) -> None:
        if name == "processes":
            raise error

    world = World(lambda x: Cost(0.003), before=before)
    comparison, kept = run(world, range(100))
    assert of(comparison, "processes", 2).problem == said
    assert of(comparison, "threads", 2).problem is None
    assert kept.values == [2 * x for x in range(100)]


def test_a_backend_that_is_not_available_is_a_row_too() -> None:
    absent = FakeBackend("loky", "loky", "process", reason="loky is not installed")
    comparison, _ = run(World(lambda x: Cost(0.003)), range(100), backends=(SERIAL, THREADS, absent))
    assert of(comparison, "loky", 2).problem == "loky is not installed"


def test_the_plain_loop_is_measured_even_if_nobody_asked() -> None:
    comparison, _ = run(World(lambda x: Cost(0.003)), range(100), backends=(THREADS, SERIAL))
    assert comparison.trials[0].backend == "serial"


def interrupting(at: set[int], when: Callable[[str, int], bool] = lambda name, workers: True) -> Any:
    """Return what interrupts before these passes, counted from the first of the kind that is meant."""
    seen = [0]

    def before(name: str, workers: int, number: int) -> None:
        seen[0] += when(name, workers)
        if when(name, workers) and seen[0] in at:
            raise Interrupted("stopped")

    return before


def test_an_interrupt_before_anything_was_tried_closes_all_pools_and_goes_on_up() -> None:
    world = World(lambda x: Cost(0.003), before=interrupting({3}))
    with pytest.raises(KeyboardInterrupt):
        run(world, range(1000))
    assert all(pool.closed for pool in world.pools)


@pytest.mark.parametrize("passes", [2, 3, 5, 8])
def test_an_interrupt_takes_the_pick_so_far_and_the_results_are_complete(passes: int) -> None:
    in_processes = interrupting({passes}, lambda name, workers: name == "processes")
    world = World(lambda x: Cost(0.01), before=in_processes)
    comparison, kept = run(world, range(1000))
    assert kept.values == [2 * x for x in range(1000)]
    assert comparison.taken is not None
    assert 0 < comparison.taken < comparison.seconds
    assert all(pool.closed for pool in world.pools)
    best = pick.pick(comparison)
    assert (best.backend, best.workers) == ("processes", 2)
    confirming = of(comparison, "processes", 2).passes[-1]
    assert (confirming.block, confirming.items > 500) == (-1, True)  # it ran what was left


def test_a_second_interrupt_ends_the_comparison_in_the_last_run() -> None:
    world = World(lambda x: Cost(0.01), before=interrupting({4, 5}, lambda name, workers: name == "processes"))
    with pytest.raises(KeyboardInterrupt):
        run(world, range(1000))
    assert all(pool.closed for pool in world.pools)


def test_all_pools_are_closed_in_the_end() -> None:
    world = World(lambda x: Cost(0.003))
    run(world, range(100))
    assert all(pool.closed for pool in world.pools)


@pytest.mark.parametrize("cost", [0.001, 0.5])
def test_an_item_that_fails_leaves_what_the_plain_loop_would_have_left(cost: float) -> None:
    def fail(x: int) -> tuple[int, dict[str, int]]:
        y = x + 1
        if x >= 57:
            raise ValueError(f"item {x}")
        return 2 * x, {"y": y}

    world = World(lambda x: Cost(cost))
    comparison, kept = run(world, range(100), function=fail, temporaries=("y",))
    assert (kept.failed, str(kept.error)) == (57, "item 57")
    assert kept.values == [2 * x for x in range(57)]
    assert kept.names == {"y": 58}
    assert comparison.trials[0].problem == "item 57 raised ValueError: item 57"


@pytest.mark.parametrize("fails", [2, 30, 59])
@pytest.mark.parametrize("every", [1, 7])
def test_an_item_that_fails_in_the_last_run_leaves_the_names_of_those_before(fails: int, every: int) -> None:
    def name(x: int) -> tuple[int, dict[str, int]]:
        if x == fails:
            raise ValueError("bad")
        return 2 * x, {"last": x, **({"seldom": x} if x % every == 0 else {})}

    world = World(lambda x: Cost(2.0), prints=True)
    _, kept = run(world, range(60), function=name, temporaries=("last", "seldom"))
    assert kept.failed == fails
    assert kept.values == [2 * x for x in range(fails)]
    assert kept.names == {"last": fails - 1, "seldom": (fails - 1) // every * every}


def test_the_last_run_draws_from_the_streams_of_its_items() -> None:
    world = World(lambda x: Cost(0.5))
    comparison, _ = run(world, range(200), streams=7)
    missing = next(t for t in comparison.trials if t.passes[-1].block == -1).passes[-1].sample
    last = next(o for o in reversed(world.options) if o.places is not None and len(o.places) == len(missing))
    assert (tuple(last.places or ()), last.seed) == (missing, 7)


@pytest.mark.parametrize("seldom", [1, 37, 58])
@pytest.mark.parametrize("cost", [0.0001, 0.5, 8.0])
def test_the_names_are_those_of_the_plain_loop(cost: float, seldom: int) -> None:
    def name(x: int) -> tuple[int, dict[str, int]]:
        return 2 * x, {"last": x, **({"seldom": x} if x % seldom == 0 else {})}

    world = World(lambda x: Cost(cost))
    _, kept = run(world, range(60), function=name, temporaries=("last", "seldom"))
    assert kept.values == [2 * x for x in range(60)]
    assert kept.names == {"last": 59, "seldom": 59 // seldom * seldom}


def test_prints_are_dropped_while_measuring_and_kept_once_in_item_order() -> None:
    world = World(lambda x: Cost(0.5), prints=True)
    _, kept = run(world, range(100))
    assert [position for position, _, _ in kept.output] == list(range(100))
    assert {o.output for o in world.options} == {"keep", "drop"}


def test_a_hopeless_trial_is_stopped_at_its_cap_and_the_row_says_so() -> None:
    world = World(lambda x: Cost(0.02), contention_of={"processes": 20.0})
    comparison, kept = run(world, range(400))
    trial = of(comparison, "processes", 2)
    assert trial.problem is not None
    cap, best = re.fullmatch(r"stopped after (\S+) s: the best needs (\S+) s for these items", trial.problem).groups()  # type: ignore[union-attr]
    assert float(cap) >= 2 * float(best)
    assert trial.passes[-1].stopped is not None
    assert not trial.timed
    assert kept.values == [2 * x for x in range(400)]
    assert all(pool.closed for pool in world.pools)


def few_long(x: int) -> Cost:
    return Cost(1.0 if x % 100 == 30 else 0.003)


@pytest.mark.parametrize("seed", range(6))
def test_a_pass_of_items_that_are_longer_than_the_mean_one_is_not_hopeless(seed: int) -> None:
    world = World(few_long, contention_of={"processes": 1.6})  # its warm-up has one long item: 1.6 s for 1.1 on average
    comparison, kept = run(world, range(400), seed=seed, budget=30.0, asked=False)
    trial = of(comparison, "processes", 2)
    assert trial.problem is None
    assert trial.timed
    assert kept.values == [2 * x for x in range(400)]


@pytest.mark.parametrize("seed", range(6))
def test_a_sample_of_short_items_is_as_long_as_it_was_planned(seed: int) -> None:
    comparison, _ = run(World(few_long), range(400), seed=seed, budget=30.0, asked=False)
    assert comparison.plan is not None
    first = of(comparison, "serial", 1).timed[0]
    assert first.wall >= 0.05  # nine items stand for 0.11 s of the mean item's, and take 0.027 s where all are short
    assert comparison.plan.sampled == first.items
    assert f"a sample of {first.items} of 400 items" in comparison.plan.steps[0]


def test_a_looped_pass_that_is_stopped_does_not_go_on_without_its_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(lambda x: Cost(0.0001))
    ran, stopped = world.run_pass, []

    def run_pass(function: Any, items: Any, pool: Any, options: Any, **how: Any) -> Any:
        assert pool not in stopped, "its workers were ended"
        if (
            pool.backend.name == "threads"
            and pool.workers == 2
            and sum(one == ("threads", 2) for one in world.order) > 4
        ):
            world.contention_of["threads"] = 1000.0
        outcome = ran(function, items, pool, options, **how)
        world.contention_of.clear()
        if outcome.record.stopped is not None:
            stopped.append(pool)
        return outcome

    monkeypatch.setattr(world, "run_pass", run_pass)
    comparison, kept = run(world, range(100))
    trial = of(comparison, "threads", 2)
    assert len(stopped) == 1
    assert trial.passes[-1].stopped is not None
    assert trial.passes[-1].loops < 10
    assert "Assertion" not in (trial.problem or "")
    assert kept.values == [2 * x for x in range(100)]


def test_workers_that_would_not_fit_into_memory_are_a_row_with_the_number() -> None:
    world = World(lambda x: Cost(0.003), cpus=8, memory_per_worker=3 * 2**30, memory_available=16 * 2**30)
    comparison, _ = run(world, range(100), workers=(1, 2, 4, 8))
    said = {t.workers: t.problem for t in comparison.trials if t.backend == "processes"}
    assert (
        said[8]
        == "not run: 8 workers would need about 24.0 GB of memory (3 GB each), over 80% of the 16.0 GB available"
    )
    assert said[4] is None
    assert said[1] is None


def test_an_item_that_switches_the_gil_back_on_is_noticed_and_its_module_named(monkeypatch: pytest.MonkeyPatch) -> None:
    state = ["off"]
    loader = ModuleType("loader")
    monkeypatch.setitem(sys.modules, "loader", loader)

    def before(name: str, workers: int, number: int) -> None:
        if name == "threads" and workers == 2 and state == ["off"]:
            state[:] = ["re-enabled"]
            text = (
                "The global interpreter lock (GIL) has been enabled to load module 'old.fast', which has not declared"
            )
            loader.__warningregistry__ = {(text, RuntimeWarning, 1): True}  # type: ignore[attr-defined]

    for room in (compare, trials):
        monkeypatch.setattr(room, "gil_state", lambda: state[0])
    world = World(lambda x: Cost(0.003), before=before)
    off = replace(world.environment(), free_threaded_build=True, gil="off")
    comparison, _ = run(world, range(100), environment=off)
    finding = next(f for f in findings.find(comparison) if f.code == "gil-re-enabled")
    assert "importing old.fast switched it back on while threads × 2 ran" in finding.summary
    assert (comparison.environment.gil, comparison.probe.gil_enabled_by) == ("re-enabled", "old.fast")
    states = [p.gil for t in comparison.trials for p in t.passes if p.gil]
    assert states.count(("off", "re-enabled")) == 1
    assert ("re-enabled", "re-enabled") in states


def test_builds_with_a_gil_record_no_state_of_it() -> None:
    comparison, _ = run(World(lambda x: Cost(0.003)), range(100))
    assert {p.gil for t in comparison.trials for p in t.passes} == {()}
