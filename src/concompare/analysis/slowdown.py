"""Whether a loop has become slower from one comparison to another, told from their raw passes.

Each way of running that both have is judged by itself: the logarithms of the seconds per item of its passes, old
against new. Where the system tells how long workers were ready and had no CPU, and either machine was busy, these are
the seconds of the items alone, on a CPU or blocked: how long they were ready, or what came between them, others decide
there. Items still compute more slowly beside others, who use the same caches and cores: `DRIFT` is allowed for that,
and from a busier machine than the other one nothing is concluded that this alone could have made.

The shift between them is the difference of the means of their quicker halves, since what disturbs a pass makes it
slower, and its chance comes from exchanging passes between the two (a permutation test, which holds for whatever
distribution passes have): "slower" rejects that it is at most `MARGIN` slower, "not slower" rejects that it is `SOUGHT`
slower. Two ways decide, the plain loop and what the old comparison picked, each at half of `FALSE_ALARMS`; the others
are shown, and decide nothing.

While new passes are made, `Deciding` looks at them after each of `LOOKS` passes and says when there are enough. Each
look has its share of the errors that are allowed, so all of them together make no more (Bonferroni's inequality).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from concompare.analysis import stats
from concompare.analysis.pick import best_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from concompare.records import Comparison, Environment, Pass, Trial

FALSE_ALARMS = 0.01
"""Share of checks of an unchanged loop that may call it slower, at most."""
MISSED = 0.05
"""Share of checks of a loop that takes `SOUGHT` times as long that may call it not slower, at most."""
SOUGHT = 1.10
"""A loop that takes so many times as long is to be found."""
MARGIN = 1.02
"""What the same loop may differ by from one process to the next: memory layout, the clock of the CPU."""
LEAST = 1.05
"""A loop is called slower from this ratio on, whatever its certainty."""
EXCHANGES = 5000
LOOKS = (6, 10, 18, 32, 60)
"""New passes of the ways that decide after which it is seen whether there are enough."""
BUSY = 0.02
"""Share of workers × time spent waiting for a CPU from which on seconds are taken without it."""
DRIFT = 1.05
"""What the items alone may differ by on a busy machine from one time to another."""
AS_BUSY = 0.15
"""Difference of those shares up to which one machine is taken to be as busy as the other."""
PRECISE = 0.012
"""Standard error of a way's mean, relative, with which a later check can tell a slow-down of 10 %."""
HARDWARE = ("machine", "processor", "cpus", "usable", "physical", "affinity", "quota")
"""What of an environment must be the same for times to be compared at all."""

Verdict = Literal["slower", "same", "unclear"]
Way = tuple[str, int, int | None]
"""A backend, its workers, and their native threads."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How a way of running has changed.

    Attributes:
        trial: The way, as the new comparison has it.
        ratio: New seconds over old.
        chance: Of such a shift where it is at most `MARGIN` slower.
        passes: How many there were, old and new.
        decides: It is one of the ways that the verdict rests on.
        verdict: "same": it is not 10 % slower; "unclear": neither that nor that it is slower can be told.
        quiet: The seconds are those of the items alone, without waiting for a CPU.
    """

    trial: Trial
    ratio: float
    chance: float
    passes: tuple[int, int]
    decides: bool
    verdict: Verdict
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """Two comparisons of one loop.

    Attributes:
        shifts: Of the ways that both have.
        obstacles: Why their times cannot be compared at all, one sentence each.
    """

    shifts: tuple[Shift, ...]
    obstacles: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Return "slower" where a way that decides is; "unclear" where it cannot be told."""
        told = [shift.verdict for shift in self.shifts if shift.decides]
        if self.obstacles or not told:
            return "unclear"
        return "slower" if "slower" in told else "unclear" if "unclear" in told else "same"


def check(old: Comparison, new: Comparison, looks: int = 1) -> Check:
    """Return whether the loop of two comparisons has become slower; `looks`: how often new passes were judged."""
    deciding = ways_that_decide(old)
    shifts = shifts_of(old, new.trials, deciding, looks, apart(old, new))
    missing = deciding - {key_of(shift.trial) for shift in shifts}
    found = list(obstacles(old, new))
    found += [f"{backend} × {workers} is missing in the new report" for backend, workers, _ in sorted(missing, key=str)]
    return Check(shifts, tuple(found))


@dataclass
class Deciding:
    """Tells, while passes are made, whether there are enough of them.

    Attributes:
        looked: How often it has judged them.
        ways: Those that decide.
    """

    old: Comparison
    looked: int = 0

    def __post_init__(self) -> None:
        self.ways = ways_that_decide(self.old)

    def __call__(self, trials: Sequence[Trial]) -> bool:
        """Return whether the verdict is clear, or further passes would not be judged."""
        passes = [len(stats.used(trial)) for trial in trials if trial.problem is None and key_of(trial) in self.ways]
        if min(passes, default=0) < LOOKS[self.looked]:
            return False
        self.looked += 1
        verdict = Check(shifts_of(self.old, trials, self.ways, len(LOOKS))).verdict
        return verdict != "unclear" or self.looked == len(LOOKS)


def precise(trials: Sequence[Trial]) -> bool:
    """Return whether a later check will be able to tell, by the plain loop and the quickest of the others."""
    known = [trial for trial in trials if trial.problem is None and trial.same is not False and stats.used(trial)]
    others = [trial for trial in known if not trial.plain]
    best = min(others, key=lambda trial: stats.per_item(trial) or math.inf, default=None)
    return all(error_of(trial) <= PRECISE for trial in known if trial.plain or trial is best)


def error_of(trial: Trial) -> float:
    """Return the standard error of the mean of a way's quicker half, about, by how far the passes in it spread."""
    values = logs_of(trial, quiet=is_busy(trial))
    kept = sorted(values)[: (len(values) + 1) // 2]
    if len(values) < LOOKS[0]:
        return math.inf
    return SPREAD_OF_HALF * math.sqrt(stats.variance(kept) / len(kept))


SPREAD_OF_HALF = 1.9
"""Standard error of that mean over that of as many values on their own: where the half ends is left to chance too."""


def ways_that_decide(old: Comparison) -> set[Way]:
    """Return the ways that a verdict rests on: the plain loop and the pick."""
    chosen, plain = best_of(old), stats.serial_of(old)
    return {key_of(trial) for trial in (chosen, plain) if trial is not None}


def shifts_of(
    old: Comparison, trials: Sequence[Trial], deciding: set[Way], looks: int, sampling: float = 0.0
) -> tuple[Shift, ...]:
    """Return how the ways have changed that both have; `sampling` is the error by other items having run."""
    before = {key_of(trial): trial for trial in old.trials if trial.problem is None}
    both = [(before[key_of(trial)], trial) for trial in trials if trial.problem is None and key_of(trial) in before]
    levels = FALSE_ALARMS / max(1, len(deciding)) / looks, MISSED / looks
    return tuple(shift_of(one, other, levels, key_of(other) in deciding, sampling) for one, other in both)


def key_of(trial: Trial) -> Way:
    """Return what makes a trial the same in two comparisons."""
    return trial.backend, trial.workers, trial.native_threads


def obstacles(old: Comparison, new: Comparison) -> list[str]:
    """Return why the times of two comparisons cannot be compared, one sentence each."""
    found = []
    if old.subject.items != new.subject.items:
        found.append(f"the old report is of {old.subject.items:,} items, the new one of {new.subject.items:,}")
    if old.scaling != new.scaling:
        found.append(f"the old report is of {old.scaling} scaling, the new one of {new.scaling}")
    names = [name for name in HARDWARE if getattr(old.environment, name) != getattr(new.environment, name)]
    return found + [difference(name, old.environment, new.environment) for name in names]


def difference(name: str, old: Environment, new: Environment) -> str:
    """Return in a sentence that two environments differ."""
    return f"not the same machine: {name} was {getattr(old, name)}, now {getattr(new, name)}"


def apart(old: Comparison, new: Comparison) -> float:
    """Return the relative standard error of a ratio by not the same items having run; 0 where they are the same."""
    if sample_of(old) == sample_of(new):
        return 0.0
    parts = [variation(one.probe.item_seconds) / max(1, len(sample_of(one)) or one.subject.items) for one in (old, new)]
    return math.sqrt(sum(parts))


def sample_of(comparison: Comparison) -> tuple[int, ...]:
    """Return the positions of the items that the plain loop's passes ran; nothing where all ran."""
    plain = stats.serial_of(comparison)
    passes = stats.used(plain) if plain is not None else []
    return passes[-1].sample if passes else ()


def variation(seconds: Sequence[float]) -> float:
    """Return the squared coefficient of variation."""
    mean = sum(seconds) / len(seconds) if seconds else 0.0
    return stats.variance(seconds) / mean**2 if mean > 0 else 0.0


def shift_of(old: Trial, new: Trial, levels: tuple[float, float], decides: bool, sampling: float = 0.0) -> Shift:
    """Return how one way has changed, judged at levels of false alarms and of slow-downs that are missed."""
    passes = (*stats.used(old), *stats.used(new))
    told = all(items_alone(one) is not None for one in passes)
    quiet = told and (is_busy(old) or is_busy(new))
    first, second = logs_of(old, quiet), logs_of(new, quiet)
    counts = (len(first), len(second))
    if min(counts) == 0:
        return Shift(new, math.nan, 1.0, counts, decides, "unclear")
    ratio = math.exp(quicker_half(second) - quicker_half(first))
    drift = math.log(DRIFT) if quiet else 0.0
    chance = chance_of(first, second, math.log(MARGIN) + drift + ALARM_SDS * sampling)
    busier = share_of(new) - share_of(old) if quiet else 0.0
    verdict: Verdict = "unclear"
    if chance <= levels[0] and ratio >= LEAST and busier <= AS_BUSY:
        verdict = "slower"
    elif chance_of(second, first, drift + MISSED_SDS * sampling - math.log(SOUGHT)) <= levels[1] and busier >= -AS_BUSY:
        verdict = "same"
    return Shift(new, ratio, chance, counts, decides, verdict, quiet)


ALARM_SDS, MISSED_SDS = 2.58, 1.65
"""Standard deviations that an error of sampling exceeds in one of 200 cases, and in one of 20."""


def is_busy(trial: Trial) -> bool:
    """Return whether the workers of a way waited for CPUs."""
    return share_of(trial) > BUSY


def share_of(trial: Trial) -> float:
    """Return which part of their time the workers of a way waited for CPUs, as far as that is told."""
    return stats.busy_share(trial) or 0.0


def items_alone(one: Pass) -> float | None:
    """Return the seconds for which each worker of a pass computed items or was blocked in them; None: not told."""
    parts = one.ledger
    if parts is None or parts.waiting is None or parts.total <= 0:
        return None
    return one.wall * (parts.computing + parts.lock + parts.io) / parts.total


def logs_of(trial: Trial, quiet: bool) -> list[float]:
    """Return the logarithms of the seconds per item of a trial's passes; `quiet`: of the items alone."""
    found = []
    for one in stats.used(trial):
        seconds = items_alone(one) if quiet else one.whole
        if one.items and seconds is not None and seconds > 0:
            found.append(math.log(seconds / stats.done(one)))
    return found


def quicker_half(values: Sequence[float]) -> float:
    """Return the mean of the quicker half."""
    kept = sorted(values)[: (len(values) + 1) // 2]
    return sum(kept) / len(kept)


@functools.cache
def places(first: int, second: int) -> Any:
    """Return random exchanges of the passes of two samples, one a row: the numbers of the first's, then the others."""
    import numpy as np  # not loaded by what only shows a report

    numbers = np.tile(np.arange(first + second), (EXCHANGES, 1))
    return np.random.default_rng(0).permuted(numbers, axis=1)


def exchanged(first: Sequence[float], second: Sequence[float]) -> Any:
    """Return the shifts between two samples whose passes are exchanged at random."""
    import numpy as np

    drawn = np.array([*first, *second])[places(len(first), len(second))]

    def halves(part: Any) -> Any:
        half = (part.shape[1] + 1) // 2
        return np.partition(part, half - 1, axis=1)[:, :half] @ np.full(half, 1 / half)

    return halves(drawn[:, len(first) :]) - halves(drawn[:, : len(first)])


def chance_of(first: Sequence[float], second: Sequence[float], margin: float) -> float:
    """Return how often exchanges shift as far as two samples do, where the second is larger by at most a margin."""
    back = [value - margin for value in second]
    seen = quicker_half(back) - quicker_half(first)
    return (1 + int((exchanged(first, back) >= seen - 1e-12).sum())) / (1 + EXCHANGES)
