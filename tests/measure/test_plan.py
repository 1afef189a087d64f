from __future__ import annotations

from dataclasses import replace

import pytest

from concompare import backends
from concompare.analysis import stats
from concompare.measure import cost_model
from concompare.measure import plan as planner
from concompare.measure.cost_model import Arm, Calibration, Costs

BACKENDS = tuple(backends.find(name) for name in backends.COMPARED)


def calibration(serial: float, items: int = 1000, **more: float) -> Calibration:
    mean = serial / items
    return Calibration(items, mean, mean, **{"waits": 0.0, "done": min(items, 50), "spent": 0.4, **more})  # type: ignore[arg-type]


def arms(usable: int = 2, waits: float = 0.0) -> tuple[Arm, ...]:
    return planner.arms_of(BACKENDS, usable, None, waits)


def test_the_ladder_doubles_up_to_the_usable_cpus() -> None:
    assert planner.ladder(1, None) == (1,)
    assert planner.ladder(2, None) == (1, 2)
    assert planner.ladder(6, None) == (1, 2, 4, 6)
    assert planner.ladder(8, (3, 5, 3)) == (3, 5)


def test_items_that_wait_get_a_trial_with_many_threads() -> None:
    assert [arm.key for arm in arms(2, waits=0.9)] == [
        ("serial", 1), ("threads", 1), ("threads", 2), ("threads", 8), ("threads", 32),
        ("processes", 1), ("processes", 2),
    ]  # fmt: skip
    assert ("threads", 32) not in [arm.key for arm in planner.arms_of(BACKENDS, 2, None, 0.9, items=20)]
    assert ("threads", 8) not in [arm.key for arm in arms(2, waits=0.2)]
    assert ("threads", 8) not in [arm.key for arm in planner.arms_of(BACKENDS, 2, (2,), 0.9)]


@pytest.mark.parametrize(("waits", "extra"), [
    (0.1, []), (0.3, [("threads", 4), ("processes", 4)]), (0.6, [("threads", 8), ("threads", 32), ("processes", 4)]),
    (0.8, [("threads", 8), ("threads", 32), ("processes", 8)]),
])  # fmt: skip
def test_items_that_wait_for_a_part_get_as_many_workers_as_keep_the_cpus_busy(
    waits: float, extra: list[tuple[str, int]]
) -> None:
    assert [arm.key for arm in arms(2, waits=waits) if arm.workers > 2] == extra


@pytest.mark.parametrize("budget", [10.0, 30.0, 120.0])
@pytest.mark.parametrize("serial", [0.0001, 0.005, 0.3, 5.0, 300.0, 3000.0])
@pytest.mark.parametrize("usable", [2, 16, 256])
def test_the_plan_never_exceeds_the_budget(serial: float, budget: float, usable: int) -> None:
    known = calibration(serial)
    shape = planner.shape(known, arms(usable), budget, usable, probing=0.9)
    assert shape.estimate <= budget
    unasked = planner.shape(known, arms(usable), budget, usable, probing=0.3, asked=False)
    assert unasked.estimate <= min(budget, max(cost_model.QUICK, cost_model.PATIENCE * serial))
    assert shape.arms[0].backend == "serial"
    plan = planner.plan_of(shape, known.items, budget, seed=7)
    assert plan.estimate == shape.estimate
    assert "seed 7" in " ".join(plan.steps)


def test_what_follows_the_decision_is_part_of_the_budget() -> None:
    known = calibration(60.0)
    alone, followed = (cost_model.allowed(replace(known, later=later), 30.0) for later in (0.0, 6.0))
    assert (alone, followed) == (30.0, 24.0)
    assert cost_model.allowed(replace(known, later=100.0), 30.0) == 15.0  # half of it is for deciding


def test_short_cells_are_looped_and_long_ones_sampled() -> None:
    assert planner.shape(calibration(0.005), arms(), 30, 2).mode == "looped"
    assert planner.shape(calibration(0.3), arms(), 30, 2).mode == "full"
    long = planner.shape(calibration(60.0), arms(), 30, 2)
    assert (long.mode, long.blocks >= planner.LEAST_BLOCKS) == ("sampled", True)
    assert cost_model.ITEMS_PER_WORKER * 2 <= long.size < 1000


def test_a_short_pass_is_looped_for_a_tenth_of_a_second() -> None:
    assert planner.loops_for(0.01) == 10
    assert planner.loops_for(0.5) == 1
    assert planner.loops_for(1e-9) == planner.MOST_LOOPS


def test_items_longer_than_the_budget_allows_are_run_by_every_worker() -> None:
    known = calibration(200.0, items=20, done=1, spent=10.2)
    shape = planner.shape(known, arms(), 30, 2)
    assert (shape.size, shape.blocks) == (1, 1)
    assert ("processes", 2) in [arm.key for arm in shape.arms]
    costs = Costs(known, 2, shape.rounds)
    assert costs.count(Arm("processes", 2, "process"), 1) == 2


def test_a_pass_never_has_more_items_than_the_task() -> None:
    costs = Costs(calibration(10.0, items=5), 64, rounds=4)
    assert costs.count(Arm("processes", 64, "process"), 3) == 5
    assert costs.count(Arm("serial", 1, "none"), 3) == 3


def test_the_arm_left_out_first_costs_much_and_promises_little() -> None:
    costs = Costs(calibration(1000.0), 16, rounds=1)
    rest = planner.without_costliest(arms(16), costs)
    gone = set(arms(16)) - set(rest)
    assert [arm.backend for arm in gone] == [
        "threads"
    ]  # computing on threads: 16 items on 16 threads take 16 times as long
    while len(rest) > 3:
        rest = planner.without_costliest(rest, costs)
    assert [arm.backend for arm in rest] == ["serial", "threads", "processes"]
    assert rest[2].workers > 1


def test_a_sample_takes_one_item_of_every_stretch_and_prefers_those_that_ran() -> None:
    chosen = planner.stratified(100, 10, seed=1)
    assert [p // 10 for p in chosen] == list(range(10))
    assert chosen != planner.stratified(100, 10, seed=2)
    assert planner.stratified(100, 10, 1, keep=[33, 55]).count(33) == 1
    assert planner.stratified(5, 10, 1) == (0, 1, 2, 3, 4)


def test_blocks_have_a_random_order_of_their_own_that_the_seed_repeats() -> None:
    orders = {tuple(planner.block_order(arms(), block, seed=5)) for block in range(1, 9)}
    assert len(orders) > 4
    assert planner.block_order(arms(), 3, 5) == planner.block_order(arms(), 3, 5)
    assert set(planner.block_order(arms(), 3, 5)) == set(arms())


def test_the_first_block_begins_with_one_arm_of_each_backend() -> None:
    first = planner.block_order(arms(16), 0, seed=1)[:3]
    assert {arm.backend for arm in first} == {"serial", "threads", "processes"}
    assert {arm.workers for arm in first if arm.backend != "serial"} == {8}


def test_a_cap_is_twice_the_best_and_never_below_what_was_planned_unless_time_is_short() -> None:
    arm = Arm("threads", 2)
    assert planner.cap(arm, 1.0, 5.0, strict=True) == pytest.approx(2.05)
    assert planner.cap(arm, 1.0, 5.0, strict=False) == pytest.approx(6.35)
    assert planner.cap(arm, 1.0, 0.1, strict=False) == pytest.approx(2.05)
    assert planner.cap(Arm("serial", 1, "none"), 1.0, 5.0, strict=True) is None


def test_the_best_arms_go_on_as_far_as_time_allows() -> None:
    seconds = dict.fromkeys(arms(), 1.0)
    rates = dict(zip(arms(), (1.0, 1.1, 1.2, 0.9, 0.5), strict=True))
    assert set(planner.next_block(seconds, rates, ran=1, left=100)) == set(arms())
    assert set(planner.next_block(seconds, rates, ran=1, left=10)) == set(arms())  # three blocks of all fit
    assert [arm.key for arm in planner.next_block(seconds, rates, 3, left=7)] == [
        ("serial", 1), ("processes", 2), ("threads", 2),
    ]  # fmt: skip
    assert planner.next_block(seconds, rates, 1, left=2.5) == ()
    strict = planner.next_block(seconds, rates, 1, 100, strict=True)
    assert ("threads", 2) not in [arm.key for arm in strict]


def test_measuring_stops_when_the_intervals_are_narrow() -> None:
    wide, narrow = stats.Interval(1.5, 2.0, 2.5, "bootstrap", 5), stats.Interval(1.95, 2.0, 2.05, "bootstrap", 5)
    few = stats.Interval(2.0, 2.0, 2.0, "range", 3)
    assert planner.decided([narrow, narrow])
    assert not planner.decided([narrow, wide])
    assert not planner.decided([few])
    assert not planner.decided([])


def test_workers_that_would_not_fit_into_memory_are_not_started() -> None:
    arm = Arm("processes", 8, "process")
    said = planner.too_large(arm, per_worker=2 * 2**30, available=16 * 2**30)
    assert (
        said == "not run: 8 workers would need about 16.0 GB of memory (2 GB each), over 80% of the 16.0 GB available"
    )
    assert planner.too_large(arm, 1.59 * 2**30, 16 * 2**30) is None
    assert planner.too_large(arm, 1.61 * 2**30, 16 * 2**30) is not None
    assert planner.too_large(arm, 1 * 2**30, 16 * 2**30) is None
    assert planner.too_large(Arm("threads", 8), 9 * 2**30, 16 * 2**30) is None
    assert planner.too_large(arm, None, 16 * 2**30) is None
