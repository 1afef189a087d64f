"""Passes that look at the lines of items: made for that, on the best of each kind, within a share of the budget."""

from __future__ import annotations

from typing import Any

import pytest

from concompare.measure import line_profiles
from concompare.worker.line_sampler import Counts, Place
from tests.measure.worlds import Cost, FakeOutcome, World, of, run

LINES = {
    Place(__file__, 1, "score"): Counts(20, 0.1, 0.04, 0.02),
    Place("/nowhere/cell_7.py", 3, "<listcomp>"): Counts(60, 0.3),
    Place("", 0, ""): Counts(20, 0.1),
}


class Seen(World):
    """A world in which the lines of items can be seen."""

    def can_look(self) -> bool:
        return True

    looked: tuple[tuple[str, int, float], ...] = ()

    def run_pass(self, function: Any, items: Any, pool: Any, options: Any, *more: Any, **how: Any) -> FakeOutcome:
        outcome = super().run_pass(function, items, pool, options, *more, **how)
        outcome.lines = LINES if options.lines else {}  # type: ignore[attr-defined]
        if options.lines:
            self.looked += ((pool.backend.name, pool.workers, outcome.record.wall),)
        return outcome


def test_the_plain_loop_and_the_best_of_threads_and_processes_are_looked_at() -> None:
    world = Seen(lambda x: Cost(0.01), cpus=4)
    comparison, kept = run(world, range(400))
    assert [p.backend for p in comparison.profiles] == ["serial", "threads", "processes"]
    assert [p.workers for p in comparison.profiles][::2] == [1, 4]
    assert kept.values == [2 * x for x in range(400)]


def test_what_was_seen_is_kept_with_the_code_and_without_folders() -> None:
    comparison, _ = run(Seen(lambda x: Cost(0.01)), range(400))
    profile = comparison.profiles[0]
    assert profile.samples == 100
    assert profile.seconds == pytest.approx(0.5)
    in_cell, in_file = profile.lines
    assert (in_cell.file, in_cell.line, in_cell.function, in_cell.text) == ("", 3, "", "")
    assert (in_file.file, in_file.function) == ("test_line_profiles.py", "score")
    assert in_file.text.startswith('"""Passes that look at the lines')
    assert (in_file.samples, in_file.seconds, in_file.waiting, in_file.sure) == (20, 0.1, 0.04, 0.02)


def test_no_timed_pass_is_looked_at_and_items_are_counted() -> None:
    world = Seen(lambda x: Cost(0.01))
    comparison, _ = run(world, range(400))
    looked = sum(options.lines for options in world.options)
    assert looked == len(comparison.profiles) == 3
    passes = sum(len(trial.passes) for trial in comparison.trials)
    assert len(world.options) - looked >= passes
    blind, _ = run(World(lambda x: Cost(0.01)), range(400))
    assert blind.profiles == ()
    assert len(of(comparison, "processes", 2).timed) <= len(of(blind, "processes", 2).timed)


def test_looking_takes_a_tenth_of_the_budget_at_the_most() -> None:
    world = Seen(lambda x: Cost(0.005), cpus=4)
    run(world, range(2000), budget=9.0)
    assert 0.25 < sum(wall for _, _, wall in world.looked) <= line_profiles.SHARE_OF_BUDGET * 9.0 * 1.05


def test_a_short_budget_is_for_the_plain_loop_alone() -> None:
    comparison, _ = run(Seen(lambda x: Cost(0.01)), range(400), budget=3.0)
    assert [profile.backend for profile in comparison.profiles] == ["serial"]


@pytest.mark.parametrize(("cost", "items", "budget"), [(0.001, 50, 30.0), (3.0, 20, 20.0)])
def test_what_is_too_short_or_too_long_is_not_looked_at(cost: float, items: int, budget: float) -> None:
    world = Seen(lambda x: Cost(cost))
    comparison, _ = run(world, range(items), budget=budget)
    assert comparison.profiles == ()
    assert not any(options.lines for options in world.options)


def test_an_item_that_fails_while_it_is_looked_at_costs_the_profile_only() -> None:
    def before(name: str, workers: int, number: int) -> None:
        if world.options[-1].lines and name == "threads":
            raise ValueError("now and then")

    world = Seen(lambda x: Cost(0.01), before=before)
    comparison, _ = run(world, range(400))
    assert [p.backend for p in comparison.profiles] == ["serial", "processes"]
    assert of(comparison, "threads", 2).problem is None


def test_a_short_sample_is_looked_at_again_and_again() -> None:
    comparison, _ = run(Seen(lambda x: Cost(0.1)), range(400), budget=20.0)
    assert comparison.plan is not None
    assert comparison.profiles[0].items == int(20.0 * line_profiles.SHARE_OF_BUDGET / 3 / 0.1) == 6
    long, _ = run(Seen(lambda x: Cost(0.3)), range(400), budget=20.0)
    assert long.profiles[0].items == 2
