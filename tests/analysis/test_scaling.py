from __future__ import annotations

import numpy as np
import pytest

from concompare.analysis import scaling
from concompare.records import Comparison, Probe
from tests.records import ENVIRONMENT, comparison, serial, trial


def world(points: dict[int, float], *, capacity: dict[int, float] | None = None, waits: float = 0.0) -> Comparison:
    probe = Probe((0.01,) * 10, (0.01 * (1 - waits),) * 10, tuple((capacity or {}).items()))
    trials = [trial("processes", n, [1 / speed] * 5) for n, speed in points.items()]
    return comparison(serial(), *trials, probe=probe)


def usl(n: float, sigma: float, kappa: float) -> float:
    return n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


def test_non_negative_least_squares_is_exact_and_stays_non_negative() -> None:
    matrix = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    assert scaling.nnls(matrix, np.array([1.0, 2.0, 3.0])) == pytest.approx([1.0, 1.0])
    assert scaling.nnls(matrix, np.array([3.0, 2.0, 1.0])) == pytest.approx([2.0, 0.0])
    assert scaling.nnls(matrix, np.array([-1.0, -1.0, -1.0])) == pytest.approx([0.0, 0.0])
    several = scaling.nnls(np.stack([matrix, 2 * matrix]), np.array([[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]]))
    assert several == pytest.approx(np.array([[1.0, 1.0], [2.0, 0.0]]))


def test_the_laws_are_recovered() -> None:
    points = {n: usl(n, 0.05, 0.004) for n in (1, 2, 4, 8)}
    assert scaling.fit_times(points) == pytest.approx((1.0, 0.05, 0.004))
    amdahl = {n: 1 / (0.1 + 0.9 / n) for n in (1, 2, 4, 8)}
    assert scaling.fit_times(amdahl, "amdahl") == pytest.approx((1.0, 0.1, 0.0))


def test_a_curve_needs_three_worker_counts() -> None:
    assert scaling.fit(world({1: 1.0, 2: 1.9}), "processes") is None
    assert scaling.fit(world({1: 1.0, 2: 1.9, 4: 3.4}), "threads") is None
    assert [c.backend for c in scaling.curves(world({1: 1.0, 2: 1.9, 4: 3.4}))] == ["processes"]


def test_nothing_is_said_beyond_twice_what_was_measured() -> None:
    curve = scaling.fit(world({1: 0.95, 2: 1.8, 4: 3.2}), "processes")
    assert curve is not None
    assert (curve.measured, curve.limit) == (4, 8)
    assert curve.at(8) is not None
    assert curve.at(9) is None
    assert curve.at(0.5) is None


def test_predictions_are_cut_at_the_measured_capacity() -> None:
    curve = scaling.fit(world({1: 1.0, 2: 2.0, 4: 4.0}, capacity={1: 1.0, 2: 1.95, 4: 3.1}), "processes")
    assert curve is not None
    beyond = curve.at(8)
    assert beyond is not None
    assert beyond.mid == pytest.approx(3.1)


def test_items_that_wait_are_not_cut_at_the_cpus() -> None:
    curve = scaling.fit(world({1: 1.0, 4: 4.0, 16: 15.0}, capacity={1: 1.0, 4: 3.1}, waits=0.9), "processes")
    assert curve is not None
    far = curve.at(16)
    assert far is not None
    assert far.mid > 12


def test_a_curve_that_falls_has_its_best_before_the_limit() -> None:
    curve = scaling.fit(world({n: usl(n, 0.02, 0.02) for n in (1, 2, 4, 8, 16)}, waits=0.9), "processes")
    assert curve is not None
    assert 5 <= curve.best <= 9  # the law's peak: √((1−σ)/κ) = 7


def test_the_band_holds_the_truth_in_four_of_five_worlds() -> None:
    chance = np.random.default_rng(5)
    held = 0
    for _ in range(40):
        sigma, kappa = chance.uniform(0, 0.2), chance.uniform(0, 0.01)
        walls = {n: [1 / usl(n, sigma, kappa) * chance.normal(1, 0.03) for _ in range(5)] for n in (1, 2, 4)}
        trials = [trial("processes", n, found) for n, found in walls.items()]
        plain = serial([float(chance.normal(1, 0.03)) for _ in range(5)])
        known = comparison(plain, *trials, probe=Probe((1.0,), (0.1,)), environment=ENVIRONMENT)
        curve = scaling.fit(known, "processes")
        assert curve is not None
        band = curve.at(8)
        assert band is not None
        held += band.low <= usl(8, sigma, kappa) <= band.high
    assert held >= 32
