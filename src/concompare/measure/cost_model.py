"""Estimate the cost of trying an arm, on the safe side, from the first items of the plain loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from concompare.analysis.stats import HOPELESS
from concompare.records import Isolation, Traits

SHORT = 0.020
"""Seconds of a plain pass below which passes are looped."""
QUICK = 2.8
"""Seconds that deciding takes at most where no budget was asked for and the plain loop is short; a longer one gets as
many as `PATIENCE` plain passes take, so that the whole takes no more than four."""
PATIENCE = 2.9
LEFT = 0.1
"""Share of the budget that deciding may take even where what stays in the notebook takes all of it."""
ITEMS_PER_WORKER = 4

OPENING = {
    "none": (0.0, 0.0, 0.0),
    "thread": (0.005, 0.001, 0.0),
    "interpreter": (0.1, 0.02, 0.05),
    "process": (0.2, 0.02, 0.1),
    "cluster": (2.0, 0.1, 0.5),  # of one that is there already a tenth of it
}
"""Seconds to open a pool: for the pool, per worker, and per worker of computing that CPUs share."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A backend at a worker count that may be tried; `native` caps the threads of BLAS and OpenMP pools."""

    backend: str
    workers: int
    isolation: Isolation = "thread"
    label: str = ""
    native: int | None = None
    traits: Traits = field(default_factory=Traits)

    @property
    def plain(self) -> bool:
        """Return whether it is the notebook's plain loop."""
        return self.isolation == "none" and not self.traits.python

    @property
    def key(self) -> tuple[str, int]:
        """Return what names the arm's trial, and that of its variant with limited native threads."""
        return self.backend, self.workers

    @property
    def name(self) -> str:
        """Return the arm as shown."""
        kind = self.label or self.backend
        capped = f" ({self.native} native each)" if self.native is not None else ""
        return kind if self.plain else f"{kind} × {self.workers}{capped}"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Measurements of the first items of the plain loop.

    Attributes:
        items: Number of items of the task.
        mean: Estimated mean seconds of an item.
        longest: The longest item seen.
        waits: Share of the time without a CPU, from 0 to 1.
        done: Items that ran.
        spent: Seconds since the comparison began.
        gil: Whether threads share one GIL.
        native: Share of the CPU seconds that native threads (BLAS, OpenMP) computed.
        beside: Seconds that the tails of the other items will take in the notebook, once.
        later: Seconds of what else follows once it is decided: the other items with the pick, drawing the report.
    """

    items: int
    mean: float
    longest: float
    waits: float
    done: int
    spent: float
    gil: bool = True
    native: float = 0.0
    beside: float = 0.0
    later: float = 0.0

    @property
    def serial(self) -> float:
        """Return the estimated seconds of a plain pass over all items."""
        return self.mean * self.items


def pass_seconds(arm: Arm, work: float, waits: float, usable: int, gil: bool = True) -> float:
    """Guess, on the safe side, the seconds an arm needs for `work` plain seconds: threads never overlap computing."""
    if arm.plain:
        return work
    busy, waiting = work * (1 - waits), work * waits
    together = 1 if gil and arm.isolation in ("thread", "none", "unknown") else min(arm.workers, usable)
    return 1.1 * (busy / together + waiting / arm.workers) + 0.002


def allowed(calibration: Calibration, budget: float, asked: bool = True) -> float:
    """Return the seconds that deciding may take: never above the budget, nor for long on a short cell.

    One takes as long as it likes where it was `asked` for. The tails that are still to come have to fit into the budget
    as well, as far as they can, and so does what else follows, up to half of it.
    """
    limit = budget if asked else min(budget, max(QUICK, PATIENCE * calibration.serial))
    limit = min(limit, max(budget - calibration.later, budget / 2))
    if not calibration.beside:
        return limit
    return min(limit, max(budget - calibration.later - calibration.beside, calibration.spent + LEFT * budget))


@dataclass(frozen=True, slots=True)
class Costs:
    """Cost of passes of a task, estimated on the safe side.

    Attributes:
        rounds: Items per worker that a pass has at least, the sample's items again where they do not suffice.
        weak: Whether every worker gets the whole sample instead.
        opening: Seconds per worker to open pools of processes, as measured; None before one was opened.
    """

    calibration: Calibration
    usable: int
    rounds: int = 0
    weak: bool = False
    opening: float | None = None

    def count(self, arm: Arm, size: int) -> int:
        """Return the items of a pass of an arm, for a sample of `size`."""
        if self.weak:
            return size * arm.workers
        if arm.plain:
            return size
        return max(size, min(self.calibration.items, self.rounds * arm.workers))

    def one(self, arm: Arm, size: int) -> float:
        """Return the seconds of one pass of an arm, for a sample of `size`."""
        calibration = self.calibration
        work = calibration.mean * self.count(arm, size)
        guess = pass_seconds(arm, work, calibration.waits, self.usable, calibration.gil)
        if arm.plain:
            return guess
        return max(guess, min(work, calibration.longest)) if size else 0.0

    def block(self, arms: Sequence[Arm], size: int, *, least: float = 0.0, strict: bool = False) -> float:
        """Return the seconds of a pass of every arm: each looped to at least `least`, or stopped at twice the best."""
        each = [self.one(arm, size) for arm in arms]
        if strict and len(each) > 1:
            limit = HOPELESS * min(each[1:]) + 0.05
            each = [each[0], *(min(seconds, limit) for seconds in each[1:])]
        return sum(max(seconds, least) for seconds in each)

    def open(self, arm: Arm) -> float:
        """Return the seconds until an arm's workers are there and have imported what the function needs."""
        first, each, importing = OPENING.get(arm.isolation, OPENING["process"])
        guess = first + each * arm.workers + importing * arm.workers / self.usable
        if self.opening is not None and arm.isolation == "process":
            return max(guess, self.opening * arm.workers)
        return guess

    def short(self, size: int) -> bool:
        """Say whether passes are looped although only a sample runs: under weak scaling, where that is all there is."""
        return self.weak and self.calibration.mean * size < SHORT

    def warm(self, arm: Arm, size: int) -> int:
        """Return the items of a short warm-up pass: threads share what is warm already, others get one or two each.

        There is none where items are so long that a pass has one per worker.
        """
        count = self.count(arm, size)
        if self.rounds == 1:
            return 0
        if arm.isolation in ("none", "thread"):
            return min(2, count)
        return min(count, max(2, arm.workers * (2 if self.rounds >= ITEMS_PER_WORKER else 1)))

    def start(self, arms: Sequence[Arm], size: int, *, warm_all: bool = False) -> float:
        """Return the seconds of opening all pools and of their warm-up passes."""
        total = 0.0
        for arm in arms:
            if not arm.plain:
                warm = self.count(arm, size) if warm_all else self.warm(arm, size)
                first = max(warm / max(1, self.count(arm, size)) * self.one(arm, size), self.calibration.mean)
                total += self.open(arm) + (first if warm else 0.0)
        return total

    def all(
        self,
        arms: Sequence[Arm],
        size: int,
        blocks: int,
        *,
        warm_all: bool = False,
        least: float = 0.0,
        strict: bool = False,
    ) -> float:
        """Return the seconds of all: the plain loop's items that did not run yet, pools, warm-ups, blocks.

        With a single block the plain loop's pass is what ran already.
        """
        new = max(0, size - self.calibration.done) * self.calibration.mean
        known = self.one(arms[0], size) if blocks == 1 else 0.0
        start = self.start(arms, size, warm_all=warm_all)
        return new + start + blocks * self.block(arms, size, least=least, strict=strict) - known

    def trouble(self, arm: Arm, size: int) -> float:
        """Return by what arms are left out: the seconds to try one, by a root less for those that promise more."""
        tried = self.one(arm, size)
        return (self.open(arm) + tried) * math.sqrt(tried / self.count(arm, size))
