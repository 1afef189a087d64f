"""Two comparisons of a loop: how often a check is wrong, by simulation."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from concompare.analysis import slowdown
from concompare.records import Comparison
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
    rng = np.random.default_rng(7)
    pairs = ((drawn(rng, 1.0, spread, blocks), drawn(rng, factor, spread, blocks)) for _ in range(count))
    return Counter(slowdown.check(old, new).verdict for old, new in pairs)


def test_an_unchanged_loop_is_called_slower_in_one_of_a_hundred_checks_at_most() -> None:
    found = verdicts(1.0, 100)
    assert found["slower"] <= 1
    assert found["same"] >= 80


def test_a_loop_slower_by_a_tenth_is_found_in_95_of_a_hundred_checks() -> None:
    assert verdicts(1.1, 100)["slower"] >= 95


@pytest.mark.parametrize(("spread", "blocks"), [(0.08, 9), (0.02, 5)])
def test_where_a_tenth_could_not_be_found_nothing_is_claimed(spread: float, blocks: int) -> None:
    found = verdicts(1.0, 30, spread, blocks)
    assert found["slower"] == 0
    assert found["unclear"] >= 28


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
