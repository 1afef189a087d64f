"""Chances: how sure it is which trial is the fastest, from one pass on, and what disturbed passes weigh."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import replace

import pytest

from concompare.analysis import chances
from concompare.records import Trial
from tests.records import parts, serial, trial


def standing(*trials: Trial) -> dict[tuple[str, int], chances.Standing]:
    return {(s.trial.backend, s.trial.workers): s for s in chances.standings(trials)}


def test_what_is_twice_as_fast_in_every_block_is_the_fastest_and_the_others_lose() -> None:
    found = standing(serial([1.0, 1.1, 0.9, 1.0]), trial("processes", 2, [0.5, 0.52, 0.47, 0.5]))
    best, plain = found["processes", 2], found["serial", 1]
    assert best.best > 0.98
    assert best.loss < 0.01
    assert best.beats is not None
    assert best.beats > 0.98
    assert plain.loss == pytest.approx(1.0, abs=0.2)
    assert plain.beats is None
    assert plain.pace / best.pace == pytest.approx(2.0, rel=0.06)


def test_one_pass_says_less_than_eight() -> None:
    once = standing(serial([1.0]), trial("processes", 2, [0.85]))["processes", 2]
    often = standing(serial([1.0] * 8), trial("processes", 2, [0.85] * 8))["processes", 2]
    assert once.error > 2 * often.error
    assert 0.6 < once.best < 0.9 < often.best


def test_a_machine_that_gets_slower_from_block_to_block_moves_nothing() -> None:
    slower = [1.0, 1.3, 1.6, 2.0]
    found = standing(serial(slower), trial("threads", 2, [wall / 1.2 for wall in slower]))
    assert found["serial", 1].pace / found["threads", 2].pace == pytest.approx(1.2, rel=0.01)


def with_waits(of: Trial, shares: Sequence[float]) -> Trial:
    passes = [
        replace(p, ledger=parts(of.workers * p.wall, waiting=share)) for p, share in zip(of.passes, shares, strict=True)
    ]
    return replace(of, passes=tuple(passes))


def test_a_pass_for_which_the_kernel_says_that_others_had_the_cpus_weighs_less() -> None:
    walls = [0.5, 0.5, 1.4]
    plain = serial([1.0] * 3)
    untold = standing(plain, trial("processes", 2, walls))["processes", 2]
    told = standing(plain, with_waits(trial("processes", 2, walls), [0.0, 0.0, 0.6]))["processes", 2]
    usual = standing(plain, with_waits(trial("processes", 2, walls), [0.6, 0.6, 0.6]))["processes", 2]
    assert told.pace < untold.pace
    assert told.pace / 0.005 == pytest.approx(1.0, rel=0.1)
    assert usual.pace == pytest.approx(untold.pace)  # what waits all the time is not told from its usual pace


def test_a_pass_in_which_a_hypervisor_had_the_cpus_weighs_less() -> None:
    walls = [0.5, 0.5, 1.4]
    plain = serial([1.0] * 3)
    quiet = with_waits(trial("processes", 2, walls), [0.0] * 3)
    stolen = replace(quiet, passes=(*quiet.passes[:2], replace(quiet.passes[2], stolen=0.9)))
    assert standing(plain, stolen)["processes", 2].pace < standing(plain, quiet)["processes", 2].pace


def test_on_a_busy_machine_few_passes_are_weighed_against_what_the_trials_are_on_a_quiet_one() -> None:
    """Two noisy passes in which processes look slower, though without what others took they are twice as fast."""
    plain = with_waits(serial([1.0, 1.0]), [0.0, 0.0])
    crowd = with_waits(trial("processes", 2, [1.05, 1.15]), [0.5, 0.54])
    (_, untold), (_, told) = (chances.standings([plain, crowd], cpus=cpus) for cpus in (None, 2))
    assert told.pace < untold.pace
    assert untold.best < 0.4 < told.best
    (_, many) = chances.standings([plain, with_waits(trial("processes", 4, [1.05, 1.15]), [0.5, 0.54])], cpus=2)
    assert many.pace == pytest.approx(untold.pace)  # more workers than CPUs wait for each other
    (_, threads) = chances.standings([plain, with_waits(trial("threads", 2, [1.05, 1.15]), [0.5, 0.54])], cpus=2)
    assert threads.pace == pytest.approx(untold.pace)


def test_first_small_passes_tell_where_there_are_no_others_yet_and_no_longer() -> None:
    def warm(of: Trial) -> Trial:
        return replace(of, passes=tuple(replace(p, warm_up=True, block=-1) for p in of.passes))

    early = standing(warm(serial([1.0])), warm(trial("processes", 2, [0.4])))
    assert early["processes", 2].best > 0.9
    assert early["processes", 2].error > standing(serial([1.0]), trial("processes", 2, [0.4]))["processes", 2].error
    both = replace(serial([1.0]), passes=(*warm(serial([9.0])).passes, *serial([1.0]).passes))
    assert standing(both)["serial", 1].pace == pytest.approx(0.01)


def test_trials_without_a_pass_have_no_standing() -> None:
    stopped = trial("threads", 2, [1.0])
    stopped = replace(stopped, passes=tuple(replace(p, stopped="stopped after 1 s") for p in stopped.passes))
    assert [s.trial.backend for s in chances.standings([serial(), stopped])] == ["serial"]
    assert chances.standings([]) == ()


def test_a_trial_is_believed_no_more_than_its_bound() -> None:
    threads = trial("threads", 2, [0.4] * 5)
    (_, bounded) = chances.standings([serial(), threads], {id(threads): 0.95})
    assert bounded.loss == 0.0
    assert bounded.best == 1.0
    (_, held) = chances.standings([serial(), threads], {id(threads): 1.0})
    assert held.beats == 0.0


@pytest.mark.parametrize(("noise", "blocks"), [(0.05, 2), (0.15, 4), (0.3, 8)])
def test_the_chance_is_how_often_it_is_right(noise: float, blocks: int) -> None:
    said, right, lost = [], [], []
    for seed in range(150):
        chance = random.Random(seed)
        true = [0.0, chance.gauss(0, 0.3), chance.gauss(0, 0.3)]
        pace = [chance.gauss(0, 0.15) for _ in range(blocks)]
        walls = [
            [math.exp(level + moment + chance.gauss(0, noise) + (chance.random() < 0.1) * 2 * noise) for moment in pace]
            for level in true
        ]
        found = chances.standings([serial(walls[0]), trial("threads", 2, walls[1]), trial("processes", 2, walls[2])])
        best = max(range(3), key=lambda i: found[i].best)
        said.append(found[best].best)
        right.append(true[best] == min(true))
        lost.append((found[best].loss, math.exp(true[best] - min(true)) - 1))
    assert statistics.mean(said) == pytest.approx(statistics.mean(right), abs=0.12)
    assert statistics.mean(one for one, _ in lost) == pytest.approx(statistics.mean(two for _, two in lost), abs=0.04)
