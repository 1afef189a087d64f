"""Medians, spreads, intervals and verdicts, derived from the raw passes of trials."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from concompare.records import Comparison, Pass, Trial

HOPELESS = 2.0
"""Times the best, at which a trial is stopped or not repeated."""

Verdict = Literal["faster", "tie", "slower"]

NOISE = 0.05
"""A difference below this is called a tie, whatever its interval."""
NOISE_OF_SOME = 0.10
"""The same for fewer than `ENOUGH` pairs of passes."""
NOISE_OF_FEW = 0.25
"""The same for fewer than `FEW` pairs, whose range says little."""
FEW = 3
ENOUGH = 5
"""From this many pairs on an interval is bootstrapped; below, the range is shown."""
STUDENT = {3: 4.849, 4: 3.482, 5: 2.999, 6: 2.757, 7: 2.612, 8: 2.517}
"""Quantiles of Student's t (two-sided, 4 %), by the number of pairs: the few whose interval promises too much."""
FAR = 1.2
"""Ratio beyond which all of a few pairs lie only where there is a difference."""
CONFIDENCE = 0.95
RESAMPLES = 2000

SPREAD_LIMIT = 0.10
"""Median absolute deviation over median beyond which a trial's passes spread too much."""
OUTLIER = 14.826
"""Distance from the median, in median absolute deviations, of an outlier (a modified z-score of 10)."""
SHORTEST = 0.001
"""Seconds below which the clock and the engine are a good part of what was timed."""
BIMODAL_FROM = 15
"""Passes from which on two modes can be told from one."""
MODES = 4.2
"""Ashman's D of the best split beyond which values have two modes (2.7 for a normal sample, 3.5 for a flat one)."""
MOST_SCHEDULED = 5000
"""Items of a simulated schedule; those of more are scaled up from it."""
BUSY_SHARE = 0.15
"""Share of workers × wall spent waiting for a CPU, with no more workers than CPUs, on a busy machine."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A middle with its bounds.

    Attributes:
        kind: "bootstrap" for a 95 % interval over paired blocks, "range" for the least and greatest of fewer.
        n: Number of pairs behind it.
        apart: Whether so few pairs can tell it from 1 at all, however they scatter; see `tell_apart`.
    """

    low: float
    mid: float
    high: float
    kind: Literal["bootstrap", "range"] = "range"
    n: int = 0
    apart: bool = True


def median(values: Sequence[float]) -> float:
    """Return the median.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("the median of no values")
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def mad(values: Sequence[float]) -> float:
    """Return the median absolute deviation from the median, unscaled."""
    middle = median(values)
    return median([abs(value - middle) for value in values])


def used(trial: Trial) -> tuple[Pass, ...]:
    """Return the passes that a trial's numbers come from: those of the blocks, or all timed ones where it had none."""
    in_blocks = tuple(p for p in trial.timed if p.block >= 0)
    return in_blocks or trial.timed


def seconds(trial: Trial) -> float | None:
    """Return the median seconds of a pass (of the sample, where items were sampled), or None without passes.

    They are those of the whole loop, as everywhere here: the heads' in the workers and the notebook's own part.
    """
    walls = [p.whole for p in used(trial)]
    return median(walls) if walls else None


def cpu_seconds(trial: Trial) -> float | None:
    """Return the median CPU seconds of a pass, all workers together, or None without passes."""
    passes = used(trial)
    return median([p.cpu for p in passes]) if passes else None


def done(passed: Pass) -> float:
    """Return how many items of the task a pass stands for."""
    return passed.stands_for if passed.stands_for is not None else passed.items


def per_item(trial: Trial) -> float | None:
    """Return the median wall seconds per item of a pass, or None without passes."""
    walls = [p.whole / done(p) for p in used(trial) if p.items]
    return median(walls) if walls else None


def head_per_item(trial: Trial) -> float | None:
    """Return the median wall seconds per item of the heads alone, or None without passes."""
    walls = [p.wall / done(p) for p in used(trial) if p.items]
    return median(walls) if walls else None


def head_share(comparison: Comparison) -> float:
    """Return the share of the plain loop's time that is in its heads, from 0 to 1; 1 where it is not known."""
    serial = serial_of(comparison)
    heads = sum(p.wall for p in used(serial)) if serial is not None else 0.0
    loop = sum(p.whole for p in used(serial)) if serial is not None else 0.0
    return heads / loop if loop > 0 else 1.0


def bootstrap(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap bounds of the median (Efron & Tibshirani 1993, chapter 13)."""
    import numpy as np  # not loaded by `auto`, which needs the other functions

    sample = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(sample), (RESAMPLES, len(sample)))
    medians = np.median(sample[draws], axis=1)
    edge = (1 - CONFIDENCE) / 2
    low, high = np.quantile(medians, [edge, 1 - edge])
    return float(low), float(high)


def interval(values: Sequence[float]) -> Interval:
    """Return the median of the values with its bootstrap interval, or with their range when they are few."""
    middle, apart = median(values), tell_apart(values)
    if len(values) < ENOUGH:
        return Interval(min(values), middle, max(values), "range", len(values), apart)
    low, high = bootstrap(values)
    return Interval(low, middle, high, "bootstrap", len(values), apart)


def tell_apart(ratios: Sequence[float]) -> bool:
    """Say whether a few ratios differ from 1 by more than they scatter.

    The range of three to five, and the bootstrapped median of six to eight, leave out 1 by chance in more than one of
    twenty comparisons of the same thing, where passes spread by 6 % or more. So Student's test on their logarithms has
    to agree, unless every single one is far from 1. Others than these few need no such test.
    """
    limit = STUDENT.get(len(ratios))
    if limit is None or min(ratios) > FAR or max(ratios) < 1 / FAR or min(ratios) <= 0:
        return True
    logs = [math.log(ratio) for ratio in ratios]
    middle = sum(logs) / len(logs)
    variance = sum((value - middle) ** 2 for value in logs) / (len(logs) - 1)
    return abs(middle) > limit * math.sqrt(variance / len(logs))


def paired(trial: Trial, other: Trial) -> list[float]:
    """Return, per block that both ran in, how many times more items per second `trial` did than `other`."""
    theirs = {p.block: p.whole / done(p) for p in other.timed if p.block >= 0 and p.items}
    return [
        theirs[p.block] / (p.whole / done(p))
        for p in trial.timed
        if p.block in theirs and p.block >= 0 and p.items and p.wall > 0
    ]


def speed_up(trial: Trial, serial_trial: Trial) -> Interval | None:
    """Return how many times faster a trial was than another, over the blocks both ran in.

    Work is counted in items, so that under weak scaling the speed-up is that of the throughput. Without a common block
    the range is that of all passes against all; None when either has no timed pass.
    """
    ratios = paired(trial, serial_trial)
    if ratios:
        return interval(ratios)
    mine = [p.whole / done(p) for p in used(trial) if p.items and p.wall > 0]
    theirs = [p.whole / done(p) for p in used(serial_trial) if p.items and p.wall > 0]
    if not mine or not theirs:
        return None
    return Interval(min(theirs) / max(mine), median(theirs) / median(mine), max(theirs) / min(mine), "range", 1)


def verdict(between: Interval) -> Verdict:
    """Say whether a speed-up is a difference: beyond its interval and beyond the noise threshold, else a tie."""
    noise = NOISE if between.n >= ENOUGH else NOISE_OF_SOME if between.n >= FEW else NOISE_OF_FEW
    if not between.apart:
        return "tie"
    if between.low > 1 and between.mid > 1 + noise:
        return "faster"
    if between.high < 1 and between.mid < 1 / (1 + noise):
        return "slower"
    return "tie"


def efficiency(trial: Trial, serial_trial: Trial) -> float | None:
    """Return the speed-up per worker, or None without timed passes."""
    between = speed_up(trial, serial_trial)
    return between.mid / trial.workers if between is not None and trial.workers else None


def variance(values: Sequence[float]) -> float:
    """Return the mean square distance of values from their mean."""
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)


def bimodal(values: Sequence[float]) -> bool:
    """Say whether the values fall into two clusters (Ashman's D of the best split, each with a fifth of them)."""
    if len(values) < BIMODAL_FROM:
        return False
    ordered = sorted(values)
    least = max(2, len(ordered) // 5)
    best = 0.0
    for cut in range(least, len(ordered) - least + 1):
        low, high = ordered[:cut], ordered[cut:]
        spread = math.sqrt((variance(low) + variance(high)) / 2)
        gap = median(high) - median(low)
        best = max(best, gap / spread if spread > 0 else (math.inf if gap > 0 else 0.0))
    return best > MODES


def first_is_outlier(values: Sequence[float]) -> bool:
    """Say whether the first of at least four values is far above all others."""
    if len(values) < 4 or values[0] < max(values):
        return False
    rest = values[1:]
    return values[0] - median(rest) > max(OUTLIER * mad(rest), SPREAD_LIMIT * median(rest))


def busy_share(trial: Trial) -> float | None:
    """Return the share of workers × wall spent waiting for a CPU, or None where the system does not tell."""
    shares = [
        p.ledger.waiting / p.ledger.total
        for p in used(trial)
        if p.ledger is not None and p.ledger.waiting is not None and p.ledger.total > 0
    ]
    return median(shares) if shares else None


def quiet_per_item(trial: Trial) -> float | None:
    """Return the median seconds per item without the time for which a trial's workers were ready and had no CPU."""
    found = [
        (p.whole - p.ledger.waiting * p.wall / p.ledger.total) / done(p)
        for p in used(trial)
        if p.ledger is not None and p.ledger.waiting is not None and p.ledger.total > 0 and p.items
    ]
    return median(found) if found else None


def warnings_of(trial: Trial, cpus: int | None = None) -> tuple[str, ...]:
    """Return what makes a trial's numbers doubtful, one sentence each.

    Args:
        trial: The trial to judge.
        cpus: CPUs that may be used; with no more workers than these, waiting for a CPU means a busy machine.
    """
    walls = [p.wall for p in used(trial)]
    if not walls:
        return ()
    middle = median(walls)
    found = []
    if len(walls) >= FEW and mad(walls) > SPREAD_LIMIT * middle:
        found.append(f"passes spread by {mad(walls) / middle:.0%} (limit {SPREAD_LIMIT:.0%})")
    if first_is_outlier(walls):
        found.append(f"the first pass took {walls[0] / median(walls[1:]):.1f}× the others: caches were not filled")
    if min(p.wall * p.loops for p in used(trial)) < SHORTEST:
        found.append("passes under 1 ms: too short to time well")
    if bimodal(walls):
        found.append("passes fall into two groups: something else ran now and then")
    if len(walls) < FEW:
        found.append(f"only {len(walls)} timed {'pass' if len(walls) == 1 else 'passes'}")
    share = busy_share(trial)
    if cpus is not None and trial.workers <= cpus and share is not None and share > BUSY_SHARE:
        found.append(f"workers waited for a CPU {share:.0%} of the time: the machine was busy")
    return tuple(found)


def serial_of(comparison: Comparison) -> Trial | None:
    """Return the trial of the plain loop, or None when the comparison has none."""
    return next((t for t in comparison.trials if t.plain), None)


def list_schedule(durations: Sequence[float], workers: int) -> float:
    """Return the wall seconds of handing items in order to whichever worker is free first (Graham 1969)."""
    free = [0.0] * max(1, min(workers, len(durations)))
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free, default=0.0)


def standing(sample: Sequence[float], ran: Sequence[float], workers: int, items: int) -> float:
    """Return how many of a task's items a pass stands for, by list scheduling.

    The tail of a small sample leaves more workers idle than that of all items, so the pass is taken to be the part of
    the whole that its schedule is of the schedule of all items: the sample's times, again and again.

    Args:
        sample: Seconds of the sample's items in the plain loop, in input order.
        ran: Those of the items of the pass: the sample, or a part of it, or its items several times.
        workers: Workers of the pass.
        items: Number of the task's items.
    """
    many = [sample[i % len(sample)] for i in range(min(items, MOST_SCHEDULED))]
    whole_schedule, mean = list_schedule(many, workers), sum(sample) / len(sample)
    if whole_schedule <= 0:
        return float(len(ran))
    worth = sum(many) / mean  # as many mean items: a long one may be in the last round of the sample, or not
    return worth * list_schedule(ran, workers) / whole_schedule


def whole(trial: Trial, comparison: Comparison) -> float | None:
    """Return the estimated seconds of a pass over all items, from what its sampled passes stand for.

    Beside the plain loop it is the plain loop's median over the speed-up, so that times and speed-ups agree: passes
    that ran in other blocks than each other met the machine in other states.
    """
    serial = serial_of(comparison)
    if serial is not None and serial is not trial and comparison.scaling == "strong":
        ratios, plain = paired(trial, serial), seconds_alone(serial, comparison)
        if ratios and plain is not None:
            return plain / median(ratios)
    return seconds_alone(trial, comparison)


def seconds_alone(trial: Trial, comparison: Comparison) -> float | None:
    """Return the median seconds of a trial's own passes, of all items, whatever the plain loop took meanwhile."""
    passes, items = used(trial), comparison.subject.items
    if not passes or not items or done(passes[-1]) == items or comparison.scaling != "strong":
        return seconds(trial)
    return median([p.whole * items / done(p) for p in passes])
