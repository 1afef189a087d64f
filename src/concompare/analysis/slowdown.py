"""Whether a loop has become slower from one comparison to another, told from their raw passes.

Each way of running that both have is judged by itself: the logarithms of the seconds per item of its passes, old
against new. The shift between them is the difference of the means of their quicker halves, since what disturbs a pass
makes it slower, and its chance under "at most `MARGIN` slower" comes from exchanging passes between the two (a
permutation test, which holds for whatever distribution passes have). Two ways decide, each at half of `FALSE_ALARMS`:
the plain loop, and what the old comparison picked. The others are shown, and decide nothing.
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

    from concompare.records import Comparison, Environment, Trial

FALSE_ALARMS = 0.01
"""Share of checks of an unchanged loop that may call it slower, at most."""
SOUGHT = 1.10
"""A loop that takes so many times as long is to be found."""
FOUND = 1.645
"""Standard deviations below the mean that 95 % of normal values lie above."""
MARGIN = 1.02
"""What the same loop may differ by from one process to the next: memory layout, the clock of the CPU."""
LEAST = 1.05
"""A loop is called slower from this ratio on, whatever its certainty."""
EXCHANGES = 2000
FEWEST = 6
"""Passes of a way, old and new, below which no exchange of them is rare enough."""
HARDWARE = ("machine", "processor", "cpus", "usable", "physical", "affinity", "quota")
"""What of an environment must be the same for times to be compared at all."""

Verdict = Literal["slower", "same", "unclear"]


@dataclass(frozen=True, slots=True)
class Shift:
    """How a way of running has changed.

    Attributes:
        trial: The way, as the new comparison has it.
        ratio: New seconds over old.
        chance: Of such a shift where it is at most `MARGIN` slower.
        passes: How many there were, old and new.
        decides: It is one of the ways that the verdict rests on.
        verdict: "unclear": a slow-down of 10 % might not have been found.
    """

    trial: Trial
    ratio: float
    chance: float
    passes: tuple[int, int]
    decides: bool
    verdict: Verdict


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


def check(old: Comparison, new: Comparison) -> Check:
    """Return whether the loop of two comparisons has become slower."""
    chosen, plain = best_of(old), stats.serial_of(old)
    deciding = {key_of(trial) for trial in (chosen, plain) if trial is not None}
    before = {key_of(trial): trial for trial in old.trials if trial.problem is None}
    both = [(before[key_of(trial)], trial) for trial in new.trials if trial.problem is None and key_of(trial) in before]
    level = FALSE_ALARMS / max(1, len(deciding))
    shifts = tuple(shift_of(one, other, level, key_of(other) in deciding) for one, other in both)
    missing = deciding - {key_of(other) for _, other in both}
    found = list(obstacles(old, new))
    found += [f"{backend} × {workers} is missing in the new report" for backend, workers, _ in sorted(missing, key=str)]
    return Check(shifts, tuple(found))


def key_of(trial: Trial) -> tuple[str, int, int | None]:
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


def shift_of(old: Trial, new: Trial, level: float, decides: bool) -> Shift:
    """Return how one way has changed, judged at a level of false alarms."""
    first, second = logs_of(old), logs_of(new)
    counts = (len(first), len(second))
    if min(counts) == 0:
        return Shift(new, math.nan, 1.0, counts, decides, "unclear")
    ratio = math.exp(quicker_half(second) - quicker_half(first))
    if min(counts) < FEWEST:
        return Shift(new, ratio, 1.0, counts, decides, "unclear")
    chance = chance_of(first, second)
    if chance <= level and ratio >= LEAST:
        return Shift(new, ratio, chance, counts, decides, "slower")
    alike = [value - math.log(ratio) for value in second]
    sought = math.log(SOUGHT) - FOUND * float(exchanged(first, alike).std())
    slower = [value + sought for value in alike]
    clear = sought >= math.log(LEAST) and chance_of(first, slower) <= level
    return Shift(new, ratio, chance, counts, decides, "same" if clear else "unclear")


def logs_of(trial: Trial) -> list[float]:
    """Return the logarithms of the seconds per item of a trial's passes."""
    return [math.log(one.whole / stats.done(one)) for one in stats.used(trial) if one.items and one.whole > 0]


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
        return np.partition(part, half - 1, axis=1)[:, :half].mean(axis=1)

    return halves(drawn[:, len(first) :]) - halves(drawn[:, : len(first)])


def chance_of(first: Sequence[float], second: Sequence[float]) -> float:
    """Return how often exchanges shift as far as two samples do, where the second is at most `MARGIN` slower."""
    back = [value - math.log(MARGIN) for value in second]
    seen = quicker_half(back) - quicker_half(first)
    return (1 + int((exchanged(first, back) >= seen - 1e-12).sum())) / (1 + EXCHANGES)
