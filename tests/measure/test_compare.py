"""Whole comparisons in simulated worlds: what is run, what is kept, what is said of what cannot run."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from concompare.analysis import findings, pick, scaling, stats
from concompare.analysis.findings import evidence
from concompare.measure import plan as planner
from concompare.measure.compare import NEARLY, Progress
from concompare.records import Comparison, Pass, Trial
from tests.measure.worlds import PROCESSES, SERIAL, THREADS, Cost, FakeBackend, World, of, run


def test_every_backend_and_worker_count_is_a_row_and_the_values_are_kept() -> None:
    world = World(lambda x: Cost(0.003))
    comparison, kept = run(world, range(100))
    assert [(t.backend, t.workers) for t in comparison.trials] == [
        ("serial", 1), ("threads", 1), ("threads", 2), ("processes", 1), ("processes", 2),
    ]  # fmt: skip
    assert kept.values == [2 * x for x in range(100)]
    assert all(t.same for t in comparison.trials)
    assert of(comparison, "processes", 2).start_up == pytest.approx(0.27)
    best = pick.pick(comparison)
    assert (best.backend, best.workers) == ("processes", 2)


def test_without_a_gil_threads_are_the_first_rows_after_the_plain_loop() -> None:
    world = World(lambda x: Cost(0.003))
    asked = [SERIAL, PROCESSES, THREADS]
    with_gil, _ = run(world, range(100), backends=asked)
    free, _ = run(world, range(100), backends=asked, environment=replace(world.environment(), gil="off"))
    assert list(dict.fromkeys(t.backend for t in with_gil.trials)) == ["serial", "processes", "threads"]
    assert list(dict.fromkeys(t.backend for t in free.trials)) == ["serial", "threads", "processes"]


def test_every_pool_has_one_marked_warm_up_and_its_time_is_the_cold_one() -> None:
    comparison, _ = run(World(lambda x: Cost(0.003)), range(100), budget=10.0)
    for trial in comparison.trials:
        warm = [p.warm_up for p in trial.passes]
        assert warm == [True] + [False] * (len(warm) - 1)
        assert len(trial.timed) >= (3 if trial.plain or trial.workers > 1 else 1)
    trial = of(comparison, "processes", 2)
    first, second = trial.passes[:2]
    rest = second.wall * (1 - first.items / 100)  # of the items that the warm-up did not run
    assert 0 < first.items < 100
    assert trial.cold == pytest.approx((trial.start_up or 0) + first.wall + rest)


def test_blocks_are_interleaved_in_random_order_that_the_seed_repeats() -> None:
    orders = []
    for seed in (3, 3, 4):
        world = World(lambda x: Cost(0.003))
        run(world, range(100), seed=seed)
        orders.append(world.order)
    assert orders[0] == orders[1] != orders[2]
    kinds = [key for key in orders[0] if key == ("threads", 2)]
    last = len(orders[0]) - 1 - orders[0][::-1].index(("threads", 2))
    assert last - orders[0].index(("threads", 2)) > len(kinds)


def deciding(world: World, items: Sequence[Any], **more: Any) -> tuple[Comparison, float]:
    """Return a comparison and how many times its planned seconds it took to decide."""
    marks: list[tuple[float, str]] = []
    comparison, _ = run(world, items, show=lambda p: marks.append((world.now, p.doing)), **more)
    end = next(now for now, doing in marks if doing == "done" or "for the results" in doing)
    assert comparison.plan is not None
    return comparison, (end - marks[0][0]) / comparison.plan.estimate


def test_the_budget_is_what_the_user_waits_from_the_call_to_the_report() -> None:
    world = World(lambda x: Cost(0.05))
    called = world.now
    world.now += 2.0  # imports, looking at the cell
    comparison, kept = run(world, range(200), budget=12.0, since=called, drawing=1.0)
    assert len(kept.values) == 200
    assert world.now + 1.0 - called <= 1.05 * 12.0
    assert comparison.seconds == pytest.approx(world.now - called)


@pytest.mark.parametrize("cost", [0.00001, 0.003, 0.1, 1.0, 4.0])
def test_the_comparison_takes_no_longer_than_planned(cost: float) -> None:
    comparison, took = deciding(World(lambda x: Cost(cost)), range(100))
    assert took <= 1.1
    assert comparison.plan is not None
    assert comparison.plan.estimate <= 30


def surprising(seed: int) -> tuple[World, range]:
    """Return a world whose first items tell little of the others, or whose processes start slowly, and its items."""
    chance = random.Random(seed)
    items = range(int(10 ** chance.uniform(0.5, 1.7)))
    mean = 10 ** chance.uniform(-0.5, 2.0) / len(items)
    gil, wait = chance.choice([(1.0, 0.0), (0.05, 0.0), (1.0, 0.9)])
    uneven = [chance.lognormvariate(0, 1) / 1.65 for _ in items]
    growing = [2 * (i + 0.5) / len(items) for i in items]
    times = (uneven, growing, [1.0] * len(items))[seed % 3]
    world = World(
        lambda x: Cost(mean * times[x] * (1 - wait), mean * times[x] * wait, gil),
        cpus=chance.choice([2, 16, 64, 256]),
        spawn=chance.choice([0.1, 0.5, 1.5]),
        noise=0.02,
        seed=seed,
    )
    return world, items


@pytest.mark.parametrize("seed", range(30))
def test_a_plan_made_on_wrong_guesses_is_kept_all_the_same(seed: int) -> None:
    world, items = surprising(seed)
    comparison, took = deciding(world, items, seed=seed)
    assert comparison.plan is not None
    assert took <= 1.1 or (took * comparison.plan.estimate <= 30 and longest(comparison) > comparison.plan.blocks)
    assert comparison.plan.estimate <= 30


def longest(comparison: Comparison) -> int:
    """Return the timed passes of the way that has most."""
    return max(len(stats.used(trial)) for trial in comparison.trials)


@pytest.mark.parametrize("seed", range(8))
def test_measuring_goes_on_beyond_the_plan_while_the_pick_is_in_doubt(seed: int) -> None:
    world = World(lambda x: Cost(0.55), noise=0.3, seed=seed)
    shown: list[Progress] = []
    begun = world.now
    comparison, _ = run(world, range(3), seed=seed, show=shown.append, asked=True)
    took = world.now - begun
    assert comparison.plan is not None
    assert all(one.at_most is None or one.fraction == NEARLY for one in shown)
    assert (took > comparison.plan.estimate + 3) <= any(one.at_most is not None for one in shown)
    standing = pick.standing_of(comparison)
    assert standing is not None
    block = sum(stats.median([p.wall for p in used]) for trial in comparison.trials if (used := stats.used(trial)))
    assert standing.loss <= planner.DOUBTFUL or longest(comparison) >= planner.MOST_BLOCKS or took > 30 - 2 * block - 3


def test_the_tail_of_a_small_uneven_sample_is_not_taken_for_that_of_all_items() -> None:
    world = World(lambda x: Cost(0.25 if x < 3 else 2.5))
    comparison, _ = run(world, range(60))
    chosen = of(comparison, "processes", 2)
    found = stats.used(chosen)[-1]
    assert found.items == 2  # 0.25 s and 2.5 s: on two workers the sample alone is 1.1 times as fast
    assert found.wall == pytest.approx(2.5, rel=0.01)
    between = stats.speed_up(chosen, comparison.trials[0])
    assert between is not None
    assert between.mid == pytest.approx(2.0, rel=0.05)
    assert pick.pick(comparison).line == "%%parallel -b processes -w 2"


def test_items_slowed_by_the_gil_stand_for_themselves_only() -> None:
    world = World(lambda x: Cost(1.0 if x % 2 else 3.0), cpus=8)
    comparison, _ = run(world, range(200), workers=(8,))
    threads = of(comparison, "threads", 8)
    assert stats.used(threads) or threads.problem
    for passed in stats.used(threads):
        assert stats.done(passed) == pytest.approx(passed.items, rel=0.6)
        assert passed.wall / stats.done(passed) > 0.9 * 2.0  # no faster than the plain loop


def test_one_arm_of_each_backend_runs_even_where_the_probes_took_the_time() -> None:
    class Slow(World):
        def capacity(self, counts: Sequence[int]) -> tuple[tuple[int, float], ...]:
            self.now += 6.0
            return super().capacity(counts)

    world = Slow(lambda x: Cost(0.00001))
    comparison, took = deciding(world, range(1000), budget=10.0)
    assert took > 1.1
    ran = {t.backend for t in comparison.trials if t.problem is None}
    assert ran == {"serial", "threads", "processes"}


class Shipping(World):
    """A world in which it takes processes a fifth of a second to get the function, in every pass."""

    def simulate(self, costs: Sequence[Cost], isolation: str, workers: int) -> Pass:
        record = super().simulate(costs, isolation, workers)
        if isolation != "process":
            return record
        moments = ("received", "start", "end", "returned", "done")
        later = tuple(replace(m, **{name: getattr(m, name) + 0.2 for name in moments}) for m in record.messages)
        return replace(record, wall=record.wall + 0.2, messages=later)


def test_what_a_pass_takes_before_its_first_item_counts_once_for_all_items() -> None:
    comparison, _ = run(Shipping(lambda x: Cost(0.01), cpus=4), range(2000), seed=3)
    ran = of(comparison, "processes", 4)
    assert ran.problem is None
    sampled = [p for p in stats.used(ran) if p.items < 200]
    assert sampled
    whole = stats.whole(ran, comparison)
    assert whole == pytest.approx(2000 * 0.01 / 4 + 0.2, rel=0.1)  # and not 0.2 s for each of its samples
    assert pick.pick(comparison).workers == 4


@pytest.mark.parametrize("budget", [2.0, 2.5, 4.0])
def test_workers_are_not_stopped_for_what_it_takes_to_get_the_function_to_them(budget: float) -> None:
    comparison, _ = run(Shipping(lambda x: Cost(0.005)), range(600), seed=3, budget=budget)
    ran = of(comparison, "processes", 2)
    assert ran.problem is None
    assert len(ran.timed) >= 2


def test_a_sample_ends_early_where_its_items_are_longer_than_thought() -> None:
    world = World(lambda x: Cost(0.25 if x < 3 else 2.5))
    _, took = deciding(world, range(60))
    assert took <= 1.1
    assert len({x for name, x in world.executions if name == "serial"}) < 10


def test_the_plan_is_shown_before_any_pool_is_opened() -> None:
    shown: list[Progress] = []
    pools: list[int] = []
    world = World(lambda x: Cost(0.003))

    def show(progress: Progress) -> None:
        shown.append(progress)
        if progress.doing == "plan":
            pools.append(len(world.pools))

    run(world, range(100), show=show)
    assert pools == [1]  # the plain loop's
    plan = next(p for p in shown if p.doing == "plan").plan
    assert plan is not None
    assert plan.budget == 30.0
    fractions = [p.fraction for p in shown]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_short_cell_is_looped_until_a_sample_is_long_enough() -> None:
    comparison, kept = run(World(lambda x: Cost(0.0001)), range(100))
    trial = of(comparison, "serial", 1)
    assert {p.loops for p in trial.timed} <= {10, 11}
    assert stats.seconds(trial) == pytest.approx(0.01)
    assert kept.values == [2 * x for x in range(100)]


def test_a_long_cell_is_sampled_and_the_rest_run_once_with_the_pick() -> None:
    world = World(lambda x: Cost(0.5))
    comparison, kept = run(world, range(200))
    assert kept.values == [2 * x for x in range(200)]
    plan = comparison.plan
    assert plan is not None
    assert plan.sampled is not None
    assert plan.sampled < 60
    assert plan.confirming == pytest.approx(0.5 * (200 - plan.sampled) / 2, rel=0.2)
    best = of(comparison, "processes", 2)
    confirming = best.passes[-1]
    plain = {x for name, x in world.executions if name == "serial"}
    assert len(plain) <= plan.sampled + 2
    assert (confirming.items, confirming.block) == (200 - len(plain), -1)
    assert set(confirming.sample).isdisjoint(stats.used(best)[-1].sample)
    times = [x for name, x in world.executions if name == "processes"]
    assert {times.count(x) for x in confirming.sample} == {1}
    assert stats.whole(best, comparison) == pytest.approx(50, rel=0.1)


def test_the_plain_loop_does_not_run_an_item_twice_to_calibrate() -> None:
    world = World(lambda x: Cost(60.0))
    comparison, kept = run(world, range(3), backends=(SERIAL, THREADS))
    assert [x for name, x in world.executions] == [0, 1, 2]
    assert kept.values == [0, 2, 4]
    problem = of(comparison, "threads", 2).problem
    assert problem == "not run: one pass does not fit the budget of 30 s"


def test_items_too_long_to_run_several_are_run_by_every_worker() -> None:
    world = World(lambda x: Cost(8.0))
    comparison, kept = run(world, range(20))
    trial = of(comparison, "processes", 2)
    assert trial.problem is None
    between = stats.speed_up(trial, comparison.trials[0])
    assert between is not None
    assert between.mid == pytest.approx(2.0, rel=0.05)
    assert kept.values == [2 * x for x in range(20)]


def test_memory_is_looked_up_in_the_warm_up_and_the_first_timed_pass() -> None:
    world = World(lambda x: Cost(0.003), memory_per_worker=2**20)
    comparison, _ = run(world, range(100))
    assert [p.peak_memory for p in of(comparison, "processes", 2).passes][:3] == [2**21, 2**21, None]


def test_weak_scaling_gives_every_worker_the_same_work() -> None:
    comparison, kept = run(World(lambda x: Cost(0.3)), [5], scaling="weak")
    assert {(t.backend, t.workers, t.timed[-1].items) for t in comparison.trials} == {
        ("serial", 1, 1), ("threads", 1, 1), ("threads", 2, 2), ("processes", 1, 1), ("processes", 2, 2),
    }  # fmt: skip
    threads, processes = of(comparison, "threads", 2), of(comparison, "processes", 2)
    assert stats.seconds(threads) == pytest.approx(0.6, rel=0.01)
    assert stats.seconds(processes) == pytest.approx(0.3, rel=0.01)
    assert kept.values == [10]
    assert comparison.scaling == "weak"


def test_weak_scaling_of_several_items_gives_every_worker_as_many() -> None:
    world = World(lambda x: Cost(0.02), cpus=4)
    comparison, kept = run(world, range(50), scaling="weak")
    assert kept.values == [2 * x for x in range(50)]
    each = of(comparison, "serial", 1).timed[-1].items
    assert each == 10  # a fifth of a second
    for trial in comparison.trials:
        assert trial.problem is None
        assert {p.items for p in stats.used(trial)} == {trial.workers * each}
    curves = {curve.backend: curve for curve in scaling.curves(comparison)}
    at_four = {name: curve.at(4) for name, curve in curves.items()}
    assert at_four["threads"] is not None
    assert at_four["threads"].mid == pytest.approx(1.0, rel=0.05)  # the work of four, one after the other
    assert at_four["processes"] is not None
    assert at_four["processes"].mid == pytest.approx(4.0, rel=0.05)


def test_slow_rows_are_measured_under_weak_scaling_as_long_as_they_fit() -> None:
    comparison, _ = run(World(lambda x: Cost(0.3), cpus=4), range(5), scaling="weak")
    assert [t.problem for t in comparison.trials] == [None] * 7


def test_a_short_call_is_looped_under_weak_scaling() -> None:
    comparison, kept = run(World(lambda x: Cost(0.004)), [5], scaling="weak")
    assert kept.values == [10]
    assert {p.loops for p in of(comparison, "processes", 2).timed} == {24}
    plan = comparison.plan
    assert plan is not None
    assert plan.steps[0] == "5 trials on 1 item for every worker, repeated for 0.1 s per pass"


def test_nothing_to_do_is_an_empty_comparison() -> None:
    comparison, kept = run(World(lambda x: Cost(0.003)), [])
    assert (comparison.trials, kept.values) == ((), [])


def test_waiting_items_get_many_threads() -> None:
    comparison, _ = run(World(lambda x: Cost(0.0002, 0.01)), range(300))
    best = pick.pick(comparison)
    assert (best.backend, best.workers) == ("threads", 32)


def test_items_that_wait_half_of_the_time_get_more_processes_than_cpus() -> None:
    comparison, _ = run(World(lambda x: Cost(0.005, 0.005)), range(300), budget=20.0)
    best = pick.pick(comparison)
    assert (best.backend, best.workers) == ("processes", 4)  # two of them leave half of the CPUs idle


def test_the_ledgers_explain_all_of_workers_times_wall() -> None:
    comparison, _ = run(World(lambda x: Cost(0.003, 0.001)), range(100))
    ledgers = [p.ledger for t in comparison.trials for p in t.timed if p.ledger is not None]
    assert len(ledgers) > 10
    assert all(abs(found.unexplained) < 0.05 * found.total for found in ledgers)
    under_the_gil = stats.used(of(comparison, "threads", 2))[-1].ledger
    assert under_the_gil is not None
    assert under_the_gil.lock > 0.2 * under_the_gil.total


def test_a_plain_pass_put_together_from_single_items_has_its_ledger() -> None:
    comparison, _ = run(World(lambda x: Cost(3.0, 5.0)), range(20))
    only = stats.used(comparison.trials[0])
    assert [p.ledger is not None and round(p.ledger.io / p.ledger.total, 3) for p in only] == [0.625]
    assert evidence.waits(comparison) == pytest.approx(0.625)


def test_messages_are_kept_for_one_pass_of_a_trial() -> None:
    comparison, _ = run(World(lambda x: Cost(0.003)), range(100))
    for trial in comparison.trials:
        assert [bool(p.messages) for p in trial.passes] == [False] * (len(trial.passes) - 1) + [True]


@pytest.mark.parametrize(
    ("cost", "items", "more"),
    [(0.003, 100, {}), (0.00001, 50, {}), (0.3, 200, {}), (8.0, 20, {}), (0.02, 50, {"scaling": "weak"})],
)
def test_executions_are_counted(cost: float, items: int, more: dict[str, Any]) -> None:
    world = World(lambda x: Cost(cost), cpus=4)
    comparison, _ = run(world, range(items), **more)
    most = max(Counter(item for _, item in world.executions).values())
    assert most <= comparison.probe.executions <= 1.5 * most + 2


def regret_in_a_world(seed: int) -> tuple[float, float, float]:
    """Return by how many seconds the pick missed the best of all trials, the best's, and the plan's share taken."""
    chance = random.Random(seed)
    cpus = (16, 64, 256)[seed % 3]
    items = range(int(10 ** chance.uniform(1.8, 3.2)))
    mean = 10 ** chance.uniform(-0.3, 2) / len(items)
    gil, wait = chance.choice([(1.0, 0.0), (0.05, 0.0), (1.0, 0.9)])
    world = World(
        lambda x: Cost(mean * (1 - wait), mean * wait, gil),
        cpus=cpus,
        physical=chance.choice([cpus, cpus // 2]),
        quota=chance.choice([None, cpus / 4 + 0.5]),
        noise=0.02,
        seed=seed,
    )
    comparison, took = deciding(world, items, seed=seed)
    best = pick.pick(comparison)
    kinds: dict[str, FakeBackend] = {"serial": SERIAL, "threads": THREADS, "processes": PROCESSES}
    truth = {(t.backend, t.workers): world.truth(items, kinds[t.backend], t.workers) for t in comparison.trials}
    assert truth[best.backend, best.workers] <= 1.1 * truth["serial", 1]
    return truth[best.backend, best.workers] - min(truth.values()), min(truth.values()), took


@pytest.mark.slow
def test_the_pick_is_near_the_best_on_nine_of_ten_machines() -> None:
    found = [regret_in_a_world(seed) for seed in range(20)]
    near = [regret <= 0.1 * best or regret < 0.02 for regret, best, _ in found]
    assert sum(near) >= 18, found
    assert max(took for *_, took in found) <= 1.1


def test_the_budget_holds_where_every_guess_was_too_low() -> None:
    comparison, took = deciding(World(lambda x: Cost(0.02), spawn=8.0, cpus=8), range(200))
    assert took < 2.5  # the first pool takes 8 s to open
    assert any("used up" in (t.problem or "") for t in comparison.trials)


TWIN = FakeBackend("loky", "loky", "process")


def same_twice(seed: int, drift: float, *, together: bool) -> stats.Interval | None:
    """Compare the same workers under two names, in one comparison or in one after the other."""
    world = World(lambda x: Cost(0.1), noise=0.03, drift=drift, seed=seed)

    def compared(*backends: FakeBackend) -> Comparison:
        return run(world, range(8), backends=(SERIAL, *backends), workers=(2,), seed=seed, budget=12.0)[0]

    if together:
        comparison = compared(PROCESSES, TWIN)
        return stats.speed_up(of(comparison, "processes", 2), of(comparison, "loky", 2))
    first, second = compared(PROCESSES), compared(TWIN)
    return stats.speed_up(of(first, "processes", 2), of(second, "loky", 2))


@pytest.mark.slow
@pytest.mark.parametrize(("drift", "together", "least", "most"), [(0.0, 1, 0, 4), (0.02, 1, 0, 4), (0.02, 0, 51, 100)])
def test_the_same_twice_is_a_tie_unless_measured_one_after_the_other(
    drift: float, together: bool, least: int, most: int
) -> None:
    found = [same_twice(seed, drift, together=together) for seed in range(100)]
    assert None not in found
    assert least <= sum(stats.verdict(between) != "tie" for between in found if between is not None) <= most


def test_the_items_that_are_told_of_are_those_of_all_stretches_and_not_the_first() -> None:
    world = World(lambda x: Cost(wait=0.02 + 0.02 * x))
    comparison, _ = run(world, range(60))
    seconds = comparison.probe.item_seconds
    assert len(seconds) >= 3
    assert sum(seconds) / len(seconds) == pytest.approx(0.02 + 0.02 * 29.5, rel=0.35)
    assert "uneven-items" not in [
        finding.code for finding in findings.find(comparison)
    ]  # the longest is twice the mean


def test_too_few_items_are_seen_where_the_sample_filled_the_workers() -> None:
    comparison, _ = run(World(lambda x: Cost(wait=2.0)), range(12), workers=(8,), backends=(SERIAL, THREADS))
    (finding,) = [f for f in findings.find(comparison) if f.code == "too-few-items"]
    assert "12 items for 8 workers: they have nothing to run 25 % of the time" in finding.summary
    assert finding.advice.endswith("or use -w 6, which take as long.")


def test_passes_go_on_until_there_are_enough_or_the_budget_is_used_up() -> None:
    asked: list[int] = []

    def enough(trials: Sequence[Trial]) -> bool:
        asked.append(len(stats.used(trials[0])))
        return asked[-1] >= 40

    world = World(lambda x: Cost(0.003))
    comparison, _ = run(world, range(100), backends=[SERIAL, PROCESSES], workers=[2], budget=60.0, enough=enough)
    assert [len(stats.used(trial)) for trial in comparison.trials] == [40, 40]
    assert asked == sorted(asked)
    began = (world := World(lambda x: Cost(0.003))).now
    comparison, _ = run(
        world, range(100), backends=[SERIAL, PROCESSES], workers=[2], budget=10.0, enough=lambda _: False
    )
    assert 8.0 <= world.now - began <= 10.5


def test_a_comparison_samples_the_items_of_another_one() -> None:
    world = World(lambda x: Cost(0.5))
    places = tuple(range(3, 100, 8))
    comparison, kept = run(world, range(100), budget=60.0, workers=[2], places=places, enough=lambda _: True)
    assert kept.values == [2 * x for x in range(100)]
    assert {one.sample for one in stats.used(comparison.trials[0])} == {places}
    others, _ = run(World(lambda x: Cost(0.5)), range(20), budget=60.0, workers=[2], places=places)
    assert places not in {one.sample for one in stats.used(others.trials[0])}
