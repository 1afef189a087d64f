from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from concompare.analysis import stats
from concompare.records import Ledger, Pass, Probe, Trial
from tests.records import bare, comparison, serial, trial


def test_median_and_mad() -> None:
    assert stats.median([3, 1, 2]) == 2
    assert stats.median([4, 1, 2, 3]) == 2.5
    assert stats.mad([1, 1, 2, 2, 4, 6, 9]) == 1
    with pytest.raises(ValueError, match="no values"):
        stats.median([])


def test_speed_up_is_taken_within_blocks_so_that_drift_cancels() -> None:
    plain = serial([1.0, 2.0, 4.0, 8.0, 16.0])
    half = trial("processes", 2, [0.5, 1.0, 2.0, 4.0, 8.0])
    between = stats.speed_up(half, plain)
    assert between == stats.Interval(2.0, 2.0, 2.0, "bootstrap", 5)


def test_fewer_than_five_blocks_give_a_range_and_not_an_interval() -> None:
    between = stats.speed_up(trial("threads", 2, [1.0, 0.5, 0.8, 1.0]), serial([1.0] * 4))
    assert between is not None
    assert (between.kind, between.low, between.high, between.n) == ("range", 1.0, 2.0, 4)


def test_warm_ups_stopped_passes_and_the_confirming_run_are_not_used() -> None:
    passes = (
        Pass(10, 9.0, 9.0, warm_up=True),
        Pass(10, 1.0, 1.0, block=0),
        Pass(10, 9.0, 9.0, block=1, stopped="capped"),
        Pass(90, 9.0, 9.0),
    )
    assert stats.seconds(bare("threads", 2, passes=passes)) == 1.0


def test_without_a_common_block_all_passes_are_set_against_all() -> None:
    alone = bare("threads", 2, passes=(Pass(100, 0.5, 0.5), Pass(100, 0.25, 0.5)))
    between = stats.speed_up(alone, serial([1.0, 2.0]))
    assert between is not None
    assert (between.low, between.mid, between.high, between.n) == (2.0, 4.0, 8.0, 1)


def test_a_trial_without_passes_has_no_speed_up() -> None:
    assert stats.speed_up(bare("threads", 2, problem="no"), serial()) is None


def test_weak_scaling_counts_items_per_second() -> None:
    between = stats.speed_up(trial("processes", 2, [1.0] * 5, items=200), serial(items=100))
    assert between is not None
    assert between.mid == 2.0


@pytest.mark.parametrize(
    ("low", "mid", "high", "n", "said"),
    [
        (1.2, 1.3, 1.4, 5, "faster"),
        (1.01, 1.04, 1.1, 5, "tie"),  # beyond its interval, within the noise threshold
        (0.9, 1.3, 1.7, 5, "tie"),  # beyond the threshold, within its interval
        (0.5, 0.6, 0.7, 5, "slower"),
        (0.96, 0.97, 0.98, 5, "tie"),
        (1.02, 1.08, 1.1, 4, "tie"),  # the range of few pairs excludes 1 now and then
        (1.02, 1.12, 1.2, 3, "faster"),
        (0.85, 0.92, 0.98, 3, "tie"),
        (1.2, 1.2, 1.2, 1, "tie"),  # a single pair says little
        (1.5, 1.5, 1.5, 1, "faster"),
    ],
)
def test_a_difference_is_called_beyond_interval_and_threshold_only(
    low: float, mid: float, high: float, n: int, said: str
) -> None:
    assert stats.verdict(stats.Interval(low, mid, high, "range", n)) == said


def passes_of_the_same(order: str, drift: float, seed: int) -> tuple[Trial, Trial]:
    """Measure the same thing twice on a machine that slows down, interleaved or one after the other."""
    chance = random.Random(seed)
    turns = [(name, block) for block in range(7) for name in chance.sample("ab", 2)]
    if order == "blocked":
        turns.sort()
    walls: dict[str, list[Pass]] = {"a": [], "b": []}
    for moment, (name, block) in enumerate(turns):
        wall = (1 + drift * moment) * chance.gauss(1, 0.03)
        walls[name].append(Pass(10, wall, wall, block=block))
    return bare("threads", 1, passes=tuple(walls["a"])), bare("threads", 2, passes=tuple(walls["b"]))


@pytest.mark.parametrize("drift", [0.0, 0.05])
def test_the_same_twice_is_a_tie_in_interleaved_blocks(drift: float) -> None:
    said = [stats.speed_up(*passes_of_the_same("interleaved", drift, seed)) for seed in range(100)]
    assert sum(stats.verdict(between) != "tie" for between in said if between is not None) < 5
    assert None not in said


@pytest.mark.parametrize(("pairs", "noise"), [(3, 0.12), (5, 0.12), (7, 0.06)])
def test_few_pairs_of_noisy_passes_of_the_same_are_a_tie(pairs: int, noise: float) -> None:
    chance = random.Random(pairs)
    found = [
        stats.interval([max(0.2, chance.gauss(1, noise)) / max(0.2, chance.gauss(1, noise)) for _ in range(pairs)])
        for _ in range(300)
    ]
    assert sum(stats.verdict(between) != "tie" for between in found) < 15
    assert sum(stats.verdict(replace(between, apart=True)) != "tie" for between in found) >= 15, "their interval alone"


@pytest.mark.parametrize(
    ("ratios", "apart"),
    [
        ([1.10, 1.11, 1.12], True),
        ([1.02, 1.30, 1.75], False),  # mean of the logs 0.281 with a standard error of 0.156: 1.8, where it takes 4.8
        ([1.25, 1.90, 2.60], True),  # not one of them near 1
        ([0.40, 0.55, 0.80], True),
        ([1.02, 1.75], True),  # of two there is no such test: a larger threshold instead
        ([1.30, 0.0, 1.30], True),
        ([1.10] * 8, True),
        ([1.10] * 4 + [0.95] * 4, False),
    ],
)
def test_scattered_ratios_are_told_from_1_only_where_that_is_no_chance(ratios: list[float], apart: bool) -> None:
    assert stats.interval(ratios).apart is apart
    if not apart:
        assert stats.verdict(stats.interval(ratios)) == "tie"


def test_the_same_twice_one_after_the_other_is_called_a_difference_under_drift() -> None:
    said = [stats.speed_up(*passes_of_the_same("blocked", 0.05, seed)) for seed in range(100)]
    assert sum(stats.verdict(between) != "tie" for between in said if between is not None) > 50


def test_warnings_name_what_is_doubtful() -> None:
    def of(walls: list[float], **more: Any) -> tuple[str, ...]:
        return stats.warnings_of(trial("threads", 2, walls, **more), cpus=4)

    assert of([1.0, 1.01, 0.99, 1.0, 1.0]) == ()
    assert of([1.0, 1.5, 0.6, 1.4, 0.7])[0] == "passes spread by 40% (limit 10%)"
    assert of([3.0, 1.0, 1.01, 0.99, 1.0]) == ("the first pass took 3.0× the others: caches were not filled",)
    assert of([0.0005] * 5) == ("passes under 1 ms: too short to time well",)
    assert of([1.0, 1.0]) == ("only 2 timed passes",)
    two_groups = [1.0 + 0.01 * (k % 3) for k in range(9)] + [1.09 + 0.01 * (k % 3) for k in range(9)]
    assert any("two groups" in warning for warning in of(two_groups))
    assert not any("two groups" in warning for warning in of([random.Random(k).gauss(1, 0.05) for k in range(30)]))
    busy = of([1.0] * 5, shares={"waiting": 0.4})
    assert busy == ("workers waited for a CPU 40% of the time: the machine was busy",)
    assert of([1.0] * 5, shares={"waiting": 0.1}) == ()


def test_busy_share_needs_to_be_told() -> None:
    untold = trial("threads", 2, [1.0] * 5, shares={"waiting": None})
    assert stats.busy_share(untold) is None
    assert stats.busy_share(trial("threads", 2, [1.0], shares={"waiting": 0.25})) == pytest.approx(0.25)
    assert Ledger(1.0, 0.5, None, 0.0, 0.0, 0.0, 0.5).unexplained == 0.0


def test_list_scheduling_gives_the_tail_its_time() -> None:
    assert stats.list_schedule([1, 1, 1, 1], 2) == 2
    assert stats.list_schedule([1, 1, 1, 4], 2) == 5
    assert stats.list_schedule([4, 1, 1, 1], 2) == 4
    assert stats.list_schedule([1, 1], 8) == 1


def test_a_pass_stands_for_the_part_of_the_whole_that_its_schedule_is() -> None:
    even = (1.0,) * 8
    assert stats.standing(even, even, 4, 800) == 8
    assert stats.standing(even, even[:3], 4, 800) == 4  # three items keep four workers from more for as long
    uneven = (1.0, 1.0, 1.0, 1.0, 4.0)  # 5 s on four workers; 500 of them 200 s and a tail of at most 3 s
    assert 12.3 <= stats.standing(uneven, uneven, 4, 500) <= 12.5
    assert stats.standing(uneven, uneven, 1, 500) == 5
    assert stats.standing(uneven, uneven * 2, 1, 500) == 10
    assert stats.standing((0.0,), (0.0,), 4, 10) == 1


def test_a_long_item_of_a_sample_counts_as_often_in_the_pass_as_in_the_plain_loop() -> None:
    sample = (1.0,) * 20 + (80.0,)  # of 31 items: with one long item 110 s, on two workers at least 80
    stands = stats.standing(sample, sample, 2, 31)
    speed_up = (sum(sample) / 21) / (stats.list_schedule(sample, 2) / stands)
    assert speed_up == pytest.approx(110 / 90, rel=0.01), "the long one starts when the 20 before are done"


def test_a_sample_is_scaled_by_what_it_stands_for_and_not_its_tail_multiplied() -> None:
    plain = serial([8.0], items=5)
    four = trial("processes", 4, [5.0], items=5)
    four = replace(four, passes=(replace(four.passes[0], stands_for=12.5),))
    known = comparison(plain, four, items=500)
    assert stats.whole(plain, known) == 800.0
    assert stats.whole(four, known) == 200.0
    between = stats.speed_up(four, plain)
    assert between is not None
    assert between.mid == pytest.approx(4.0)
    assert stats.per_item(four) == pytest.approx(0.4)
    again = replace(known, subject=replace(known.subject, items=5))  # as many items as all, but some of them again
    assert stats.whole(four, again) == 2.0


def test_all_items_need_no_scaling() -> None:
    known = comparison(serial([2.0, 3.0, 2.5]), items=100, probe=Probe(item_seconds=(0.1,)))
    assert stats.whole(known.trials[0], known) == 2.5


def test_times_and_speed_ups_say_the_same_where_the_machine_got_slower_from_block_to_block() -> None:
    plain = serial([6.0, 8.0, 20.0])
    two = trial("processes", 2, [3.0, 8.0, 10.0])  # 2, 1 and 2 times as fast, by medians no faster at all
    known = comparison(plain, two)
    between = stats.speed_up(two, plain)
    assert between is not None
    assert between.mid == 2.0
    assert stats.whole(plain, known) == 8.0
    assert stats.whole(two, known) == 4.0
    assert stats.seconds_alone(two, known) == 8.0


def test_a_trial_without_a_block_of_the_plain_loop_has_its_own_median() -> None:
    two = trial("processes", 2, [3.0, 8.0, 10.0])
    assert stats.whole(two, comparison(two)) == 8.0
