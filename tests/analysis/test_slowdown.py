"""Two comparisons of a loop: how often a check is wrong, by simulation."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from concompare.analysis import slowdown
from concompare.records import Comparison, Pass, Probe
from tests import records

BLOCKS, SPREAD, DISTURBED, DRIFT = 9, 0.02, 0.1, 0.005


def drawn(rng: np.random.Generator, factor: float, spread: float = SPREAD, blocks: int = BLOCKS) -> Comparison:
    """Draw a comparison of the plain loop and two processes: normal noise, some passes disturbed, a drifting clock."""
    clock = math.exp(rng.normal(0, DRIFT))

    def walls(seconds: float) -> list[float]:
        disturbed = np.where(rng.random(blocks) < DISTURBED, 1 + 0.5 * rng.random(blocks), 1.0)
        return [float(wall) for wall in seconds * clock * factor * np.exp(rng.normal(0, spread, blocks)) * disturbed]

    plain, processes = records.trial("serial", 1, walls(1.0)), records.trial("processes", 2, walls(0.55), start_up=0.1)
    return records.comparison(replace(plain, same=True), replace(processes, same=True))


def verdicts(factor: float, count: int, spread: float = SPREAD, blocks: int = BLOCKS) -> Counter[str]:
    """Return what is said of two saved reports."""
    rng = np.random.default_rng(7)
    pairs = ((drawn(rng, 1.0, spread, blocks), drawn(rng, factor, spread, blocks)) for _ in range(count))
    return Counter(slowdown.check(old, new).verdict for old, new in pairs)


def watched(factor: float, count: int, spread: float, before: int, most: int) -> tuple[Counter[str], list[int]]:
    """Return what is said of a saved report and passes that are made until it can be told, and how many those were."""
    rng = np.random.default_rng(11)
    found: Counter[str] = Counter()
    needed = []
    for _ in range(count):
        old, new = drawn(rng, 1.0, spread, before), drawn(rng, factor, spread, most)
        enough = slowdown.Deciding(old)
        made = next((n for n in range(1, most + 1) if enough(first(new, n).trials)), most)
        needed.append(made)
        found[slowdown.check(old, first(new, made), len(slowdown.LOOKS)).verdict] += 1
    return found, needed


def first(comparison: Comparison, passes: int) -> Comparison:
    """Return a comparison as it was after so many passes of each way."""
    return replace(comparison, trials=tuple(replace(one, passes=one.passes[:passes]) for one in comparison.trials))


def test_an_unchanged_loop_is_called_slower_in_one_of_a_hundred_checks_at_most() -> None:
    found = verdicts(1.0, 100)
    assert found["slower"] <= 1
    assert found["same"] >= 95


def test_a_loop_slower_by_a_tenth_is_found_in_95_of_a_hundred_checks() -> None:
    assert verdicts(1.1, 100)["slower"] >= 95


@pytest.mark.slow
@pytest.mark.parametrize(("spread", "before"), [(0.02, 6), (0.05, 25), (0.08, 60)])
def test_further_passes_tell_where_a_few_do_not_and_no_alarm_is_false(spread: float, before: int) -> None:
    unchanged, _ = watched(1.0, 25, spread, before, slowdown.LOOKS[-1])
    slower, _ = watched(1.1, 25, spread, before, slowdown.LOOKS[-1])
    assert unchanged["slower"] == 0
    assert unchanged["same"] >= 24
    assert slower["slower"] >= 24
    assert slower["same"] == 0


def test_steady_passes_are_enough_at_the_first_look() -> None:
    _, needed = watched(1.0, 20, 0.005, 9, slowdown.LOOKS[-1])
    assert sum(made == slowdown.LOOKS[0] for made in needed) >= 15


@pytest.mark.parametrize(("spread", "blocks"), [(0.15, 9), (0.1, 4)])
def test_where_a_tenth_could_not_be_found_nothing_is_claimed(spread: float, blocks: int) -> None:
    found = verdicts(1.0, 30, spread, blocks)
    assert found["slower"] == 0
    assert found["unclear"] >= 25


def busy(seconds: float, least: float, most: float) -> Comparison:
    """Draw a plain loop of so many seconds on a CPU in passes that waited for one for a part of their time."""
    rng = np.random.default_rng(3)
    walls = [seconds / (1 - share) for share in rng.uniform(least, most, 12)]
    passes = [
        Pass(100, wall, seconds, block=block, ledger=records.parts(wall, waiting=1 - seconds / wall))
        for block, wall in enumerate(walls)
    ]
    return records.comparison(replace(records.trial("serial", 1, [1.0]), passes=tuple(passes)))


def test_on_a_busy_machine_the_items_alone_are_judged() -> None:
    found = {factor: slowdown.check(busy(1.0, 0.2, 0.6), busy(factor, 0.1, 0.7)) for factor in (1.0, 1.06, 1.2)}
    assert {factor: one.verdict for factor, one in found.items()} == {1.0: "same", 1.06: "unclear", 1.2: "slower"}
    assert found[1.2].shifts[0].ratio == pytest.approx(1.2)
    assert found[1.2].shifts[0].quiet
    untold = records.comparison(records.serial([1.0] * 9, shares={"waiting": None}))
    assert [shift.quiet for shift in slowdown.check(untold, busy(1.0, 0.2, 0.6)).shifts] == [False]


def test_a_busier_machine_is_not_taken_for_a_slower_loop_nor_a_quieter_one_for_as_quick_a_loop() -> None:
    quiet = records.comparison(records.serial([1.0 + k / 1000 for k in range(12)]))
    assert slowdown.check(quiet, busy(1.3, 0.3, 0.6)).verdict == "unclear"
    assert slowdown.check(quiet, busy(1.0, 0.3, 0.6)).verdict == "same"
    assert slowdown.check(busy(1.0, 0.3, 0.6), quiet).verdict == "unclear"
    slower = records.comparison(records.serial([1.3 + k / 1000 for k in range(12)]))
    assert slowdown.check(busy(1.0, 0.3, 0.6), slower).verdict == "slower"


def test_other_items_of_uneven_ones_make_a_verdict_less_sure() -> None:
    uneven = Probe(item_seconds=tuple(1.0 + 0.4 * (k % 2) for k in range(40)))

    def sampled(places: range, seconds: float) -> Comparison:
        trial = records.serial([seconds * (1 + k / 2000) for k in range(20)])
        passes = tuple(replace(one, items=len(places), sample=tuple(places)) for one in trial.passes)
        return replace(records.comparison(replace(trial, passes=passes), items=100), probe=uneven)

    old, same, others = sampled(range(0, 80, 2), 1.0), sampled(range(0, 80, 2), 1.09), sampled(range(1, 81, 2), 1.09)
    assert slowdown.apart(old, same) == 0.0
    assert slowdown.apart(old, others) == pytest.approx(math.sqrt(2 * (0.2 / 1.2) ** 2 / 40))
    assert slowdown.check(old, same).verdict == "slower"
    assert slowdown.check(old, others).verdict == "unclear"


def test_a_report_is_precise_once_a_later_check_could_tell() -> None:
    rng = np.random.default_rng(5)
    assert slowdown.precise(drawn(rng, 1.0, 0.01, 9).trials)
    assert not slowdown.precise(drawn(rng, 1.0, 0.08, 9).trials)
    assert not slowdown.precise(drawn(rng, 1.0, 0.001, 4).trials)


def test_only_the_plain_loop_and_the_pick_decide() -> None:
    rng = np.random.default_rng(1)
    old, new = drawn(rng, 1.0), drawn(rng, 1.0)
    threads = [records.trial("threads", 2, [factor * (1 + k / 200) for k in range(9)]) for factor in (1.0, 2.0)]
    old, new = (replace(one, trials=(*one.trials, more)) for one, more in zip((old, new), threads, strict=True))
    found = slowdown.check(old, new)
    assert [(one.trial.backend, one.decides, one.verdict) for one in found.shifts] == [
        ("serial", True, "same"),
        ("processes", True, "same"),
        ("threads", False, "slower"),
    ]
    assert found.verdict == "same"
    assert found.shifts[2].ratio == pytest.approx(2.0)


def test_a_way_that_is_missing_cannot_be_judged() -> None:
    rng = np.random.default_rng(1)
    old, new = drawn(rng, 1.0), drawn(rng, 1.0)
    found = slowdown.check(old, replace(new, trials=new.trials[:1]))
    assert found.obstacles == ("processes × 2 is missing in the new report",)
    assert found.verdict == "unclear"


def test_the_quicker_half_is_what_disturbed_passes_do_not_reach() -> None:
    assert slowdown.quicker_half([9.0, 1.0, 3.0, 2.0, 50.0]) == 2.0
    assert slowdown.quicker_half([4.0, 2.0]) == 2.0
