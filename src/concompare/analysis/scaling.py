"""Fitted scaling curves: Amdahl's law and the Universal Scalability Law, by non-negative least squares.

Time per unit of work on n workers, in plain-loop times, n·T(n)/T(1) = c + σ(n−1) + κ n(n−1): c is what one worker costs
against the plain loop, σ the share that does not run in parallel (Amdahl 1967), κ what workers cost each other
(Gunther 2007). The law is linear in the three, so non-negative least squares fits it without a starting guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concompare.analysis import stats
from concompare.records import Comparison, Trial

LEAST_COUNTS = 3
"""Worker counts without which there is no curve."""
BEYOND = 2.0
"""Times the largest measured worker count up to which a curve is drawn."""
DRAWS = 200
NOISE = 0.05
"""Relative standard deviation taken for a worker count that ran once, and at least, for what a curve cannot follow."""
BAND = 0.9
"""Share of the drawn curves within the band."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted curve of one backend.

    Attributes:
        law: "usl", or "amdahl" where κ is 0.
        cost: c of the fit, sigma and kappa its σ and κ.
        measured: Largest worker count that ran; up to `limit` the curve may be drawn, dashed.
        ceiling: Speed-up that the machine's capacity allows, by worker count; larger counts get the last one's.
        draws: Fits of resampled times, from which the band comes.
    """

    backend: str
    law: str
    cost: float
    sigma: float
    kappa: float
    measured: int
    limit: int
    ceiling: tuple[tuple[int, float], ...] = ()
    draws: tuple[tuple[float, float, float], ...] = ()

    def at(self, workers: float) -> stats.Interval | None:
        """Return the speed-up at a worker count with its band, or None beyond the limit."""
        if not 1 <= workers <= self.limit:
            return None
        mid, limit = self.mid(workers), self.limit_at(workers)
        drawn = sorted(min(speed(workers, *draw), limit) for draw in self.draws) or [mid]
        edge = int(len(drawn) * (1 - BAND) / 2)
        return stats.Interval(min(mid, drawn[edge]), mid, max(mid, drawn[-1 - edge]), "bootstrap", len(drawn))

    def mid(self, workers: float) -> float:
        """Return the speed-up at a worker count, cut at what the machine can give."""
        return min(speed(workers, self.cost, self.sigma, self.kappa), self.limit_at(workers))

    def limit_at(self, workers: float) -> float:
        """Return the speed-up that the machine can give."""
        known = [limit for count, limit in self.ceiling if count <= workers]
        above = [limit for count, limit in self.ceiling if count >= workers]
        return above[0] if above else known[-1] if known else math.inf

    @property
    def best(self) -> int:
        """Return the worker count up to the limit from which on the curve gains less than a hundredth per worker."""
        best = 1
        for workers in range(2, self.limit + 1):
            if self.mid(workers) > self.mid(best) * 1.01 ** (workers - best):
                best = workers
        return best


def speed(workers: float, cost: float, sigma: float, kappa: float) -> float:
    """Return the speed-up of the Universal Scalability Law."""
    time = cost + sigma * (workers - 1) + kappa * workers * (workers - 1)
    return workers / time if time > 0 else workers


def nnls(matrix: Array, target: Array) -> Array:
    """Return x ≥ 0 that minimises |matrix·x − target| (all active sets tried: exact for the few columns here).

    Args:
        matrix: Independent columns; or several such matrices, one for each target.
        target: As many numbers as the matrix has rows, or several of these.
    """
    columns = matrix.shape[-1]
    best, found = (target**2).sum(axis=-1), np.zeros((*target.shape[:-1], columns))
    for chosen in range(1, 2**columns):
        active = [c for c in range(columns) if chosen >> c & 1]
        orthogonal, triangle = np.linalg.qr(matrix[..., active])
        part = np.linalg.solve(triangle, np.einsum("...nc,...n->...c", orthogonal, target)[..., None])
        rest = ((matrix[..., active] @ part)[..., 0] - target) ** 2
        left = np.where((part < 0).any(axis=(-2, -1)), np.inf, rest.sum(axis=-1))
        better = left < best - 1e-15
        best = np.where(better, left, best)
        found[better] = 0.0
        found[..., active] = np.where(better[..., None], part[..., 0], found[..., active])
    return found


def fit_times(points: Mapping[int, float], law: str = "usl") -> tuple[float, float, float]:
    """Return c, σ and κ fitted to speed-ups by worker count, each weighed by its relative error."""
    ((cost, sigma, kappa),) = fits_of(list(points), np.array([list(points.values())]), law)
    return cost, sigma, kappa


def fits_of(workers: Sequence[int], speeds: Array, law: str) -> list[tuple[float, float, float]]:
    """Return the same for several rows of speed-ups, each with one for every worker count."""
    counts = np.array(workers, dtype=float)
    columns = [np.ones_like(counts), counts - 1] + ([counts * (counts - 1)] if law == "usl" else [])
    target = counts / speeds
    found = nnls(np.stack(columns, axis=1) / target[..., None], np.ones_like(target))
    return [(cost, sigma, *rest, 0.0)[:3] for cost, sigma, *rest in found.tolist()]


def fit(comparison: Comparison, backend: str, law: str = "usl") -> Curve | None:
    """Fit a backend's curve, or return None with fewer than three worker counts.

    Args:
        comparison: Strong or weak scaling; under weak scaling speed-ups are those of the throughput.
        backend: The backend's name.
        law: "usl" or "amdahl".
    """
    serial = stats.serial_of(comparison)
    native = serial.native_threads if serial is not None else None
    able = [t for t in comparison.trials if t.backend == backend and t.problem is None]
    trials = [t for t in able if t.native_threads == native]  # those of a capped variant lie on a curve of their own
    between = {t.workers: i for t in trials if serial is not None and (i := stats.speed_up(t, serial)) is not None}
    if len(between) < LEAST_COUNTS:
        return None
    points = {workers: interval.mid for workers, interval in between.items()}
    cost, sigma, kappa = fit_times(points, law)
    most = max(points)
    limit = int(BEYOND * most)
    draws = tuple(drawn(points, {t.workers: deviation(t) for t in trials}, law))
    ceiling = ceiling_of(comparison, limit) if waits_little(comparison) else ()
    return Curve(backend, law, cost, sigma, kappa, most, limit, ceiling, draws)


def deviation(trial: Trial) -> float:
    """Return the relative standard error of a trial's median pass, at least a share of the usual noise."""
    walls = [p.whole for p in stats.used(trial)]
    if len(walls) < stats.FEW:
        return NOISE
    return max(NOISE / 2, 1.4826 * stats.mad(walls) / stats.median(walls) * 1.2533 / math.sqrt(len(walls)))


def drawn(
    points: Mapping[int, float], noise: Mapping[int, float], law: str, seed: int = 0
) -> list[tuple[float, float, float]]:
    """Return fits of speed-ups redrawn within their noise, or within what the curve misses of the points."""
    chance = np.random.default_rng(seed)
    cost, sigma, kappa = fit_times(points, law)
    missed = [points[n] / speed(n, cost, sigma, kappa) - 1 for n in points]
    freedom = max(1, len(points) - 3)
    residual = float(np.sqrt(sum(m * m for m in missed) / freedom))
    spread = np.array([max(noise[n], residual) for n in points])
    moved = np.maximum(0.1, 1 + chance.normal(0, spread, (DRAWS, len(points))))
    return fits_of(list(points), np.array(list(points.values())) * moved, law)


def ceiling_of(comparison: Comparison, limit: int) -> tuple[tuple[int, float], ...]:
    """Return the speed-up that capacity allows, by worker count: as measured, level beyond the usable CPUs."""
    known = sorted((n, got) for n, got in comparison.probe.capacity if n <= limit)
    usable = comparison.environment.usable
    if not known or known[-1][0] < usable:
        return ((usable, float(usable)),) if not known else ()
    return tuple(known)


def waits_little(comparison: Comparison) -> bool:
    """Say whether items compute most of their time, so that CPUs are what limits them; yes where it is not known."""
    seconds, cpu = sum(comparison.probe.item_seconds), sum(comparison.probe.item_cpu)
    serial = stats.serial_of(comparison)
    if (seconds <= 0 or cpu <= 0) and serial is not None:
        seconds, cpu = stats.seconds(serial) or 0.0, stats.cpu_seconds(serial) or 0.0
    return seconds <= 0 or cpu > seconds / 2


def curves(comparison: Comparison) -> tuple[Curve, ...]:
    """Return the curves of all backends that have enough worker counts."""
    names: Sequence[str] = list(dict.fromkeys(t.backend for t in comparison.trials if not t.plain))
    return tuple(curve for name in names if (curve := fit(comparison, name)) is not None)
