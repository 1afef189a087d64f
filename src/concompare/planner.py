"""What to run next, decided from what is known so far: pure functions, no clock and no pool.

Calibration ─ arms ─► Shape (loops, all items, or a sample) ─► Plan ─► blocks of arms, until decided or out of time
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from concompare import stats
from concompare.records import Plan

SHORT = 0.020
"""Seconds of a plain pass below which passes are looped."""
LOOP_FOR = 0.1
"""Seconds of a looped sample (pyperf's)."""
MOST_LOOPS = 50
WAITING_TASK = 0.5
"""Share of the time that items wait, from which on many threads are tried as well."""
MANY = 4
"""Threads per CPU of that extra trial."""
QUICK = 10.0
"""Seconds that deciding may take on any cell; longer cells get `PATIENCE` plain passes, within the budget."""
PATIENCE = 3.5
RESERVE = 0.9
"""Share of the allowed time that is planned for; the rest is for a machine slower than it was when asked."""
PASSES = 4
"""Passes per arm that a good sample allows."""
LEAST_BLOCKS, MOST_BLOCKS = 3, 9
DECIDED = 0.05
"""Half-width of the finalists' intervals, relative, at which measuring stops."""
HOPELESS = 2.0
"""Times the best, at which a trial is stopped or not repeated."""
WARM_SHARE = 0.25
"""Part of a sample that a warm-up pass is reckoned with."""
LEAST_SAMPLE = 0.2
"""Seconds of plain work that a sample should hold."""
ITEMS_PER_WORKER = 4
MEMORY_SHARE = 0.8
"""Share of the memory available that the workers of a trial may need."""

OPENING = {
    "none": (0.0, 0.0, 0.0),
    "thread": (0.005, 0.001, 0.0),
    "interpreter": (0.1, 0.02, 0.05),
    "process": (0.2, 0.02, 0.1),
    "cluster": (5.0, 0.1, 1.0),
}
"""Seconds to open a pool: for the pool, per worker, and per worker of computing that CPUs share."""

Mode = Literal["looped", "full", "sampled"]


@dataclass(frozen=True, slots=True)
class Arm:
    """A backend at a worker count that may be tried."""

    backend: str
    workers: int
    isolation: str = "thread"
    label: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """Return what names the arm's trial."""
        return self.backend, self.workers

    @property
    def name(self) -> str:
        """Return the arm as shown."""
        kind = self.label or self.backend
        return kind if self.backend == "serial" else f"{kind} × {self.workers}"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the first items of the plain loop told.

    Attributes:
        items: Number of items of the task.
        mean: Estimated mean seconds of an item.
        longest: The longest item seen.
        waits: Share of the time without a CPU, from 0 to 1.
        done: Items that ran.
        spent: Seconds since the comparison began.
        gil: Whether threads share one GIL.
    """

    items: int
    mean: float
    longest: float
    waits: float
    done: int
    spent: float
    gil: bool = True

    @property
    def serial(self) -> float:
        """Return the estimated seconds of a plain pass over all items."""
        return self.mean * self.items


@dataclass(frozen=True, slots=True)
class Shape:
    """How passes are made: how long, of what, how often.

    Attributes:
        size: Items of a pass; the number of all items unless `mode` is "sampled".
        arms: The arms that are tried, the others do not fit the budget.
        blocks: Blocks that fit the estimate.
        estimate: Seconds of the whole comparison, from its beginning.
        warm_all: True where the warm-up pass runs all of a pass's items, False where a few per worker.
        strict: True where time is short: what takes over twice the best is stopped.
        each: True where every worker gets the whole sample, because items are too long to run several.
    """

    mode: Mode
    size: int
    arms: tuple[Arm, ...]
    blocks: int
    estimate: float
    warm_all: bool = False
    strict: bool = False
    each: bool = False


def ladder(usable: int, asked: Sequence[int] | None) -> tuple[int, ...]:
    """Return the worker counts to try: those asked for, or 1, 2, 4, … and the usable CPUs."""
    if asked is not None:
        return tuple(dict.fromkeys(asked))
    counts = [2**k for k in range(usable.bit_length()) if 2**k < usable]
    return (*counts, usable)


def arms_of(
    backends: Iterable[tuple[str, str, str]], usable: int, asked: Sequence[int] | None, waits: float
) -> tuple[Arm, ...]:
    """Return the arms, the plain loop first.

    Args:
        backends: Name, label and isolation of each.
        usable: CPUs that may be used.
        asked: Worker counts asked for, or None for the default ladder.
        waits: Share of the time that items wait; adds a trial with many threads when large.
    """
    counts = ladder(usable, asked)
    found: list[Arm] = []
    for name, label, isolation in backends:
        if name == "serial":
            found.insert(0, Arm(name, 1, isolation, label))
            continue
        extra = (MANY * usable,) if asked is None and waits >= WAITING_TASK and isolation in ("thread", "none") else ()
        found += [Arm(name, count, isolation, label) for count in dict.fromkeys((*counts, *extra))]
    return tuple(found)


def pass_seconds(arm: Arm, work: float, waits: float, usable: int, gil: bool = True) -> float:
    """Guess, on the safe side, the seconds an arm needs for `work` plain seconds: threads never overlap computing."""
    if arm.backend == "serial":
        return work
    busy, waiting = work * (1 - waits), work * waits
    together = 1 if gil and arm.isolation in ("thread", "none", "unknown") else min(arm.workers, usable)
    return 1.1 * (busy / together + waiting / arm.workers) + 0.002


def open_seconds(arm: Arm, usable: int) -> float:
    """Guess the seconds until an arm's workers are there and have imported what the function needs."""
    first, each, importing = OPENING.get(arm.isolation, OPENING["process"])
    return first + each * arm.workers + importing * arm.workers / usable


def allowed(calibration: Calibration, budget: float) -> float:
    """Return the seconds that deciding may take: never above the budget, and no endless search for a short cell."""
    return min(budget, max(QUICK, PATIENCE * calibration.serial))


@dataclass(frozen=True, slots=True)
class Costs:
    """What passes of a task will cost, on the safe side."""

    calibration: Calibration
    usable: int
    weak: bool = False

    def one(self, arm: Arm, size: float) -> float:
        """Return the seconds of one pass of `size` items on an arm, under weak scaling of that many per worker."""
        calibration = self.calibration
        work = calibration.mean * size * (arm.workers if self.weak else 1)
        guess = pass_seconds(arm, work, calibration.waits, self.usable, calibration.gil)
        return guess if self.weak or size < 1 else max(guess, calibration.mean)

    def block(self, arms: Sequence[Arm], size: float, *, least: float = 0.0, strict: bool = False) -> float:
        """Return the seconds of a pass of every arm: each looped to at least `least`, or stopped at twice the best."""
        each = [self.one(arm, size) for arm in arms]
        if strict and len(each) > 1:
            limit = HOPELESS * min(each) + 0.05
            each = [each[0], *(min(seconds, limit) for seconds in each[1:])]
        return sum(max(seconds, least) for seconds in each)

    def opening(self, arms: Sequence[Arm], size: float) -> float:
        """Return the seconds of opening all pools and of their warm-up passes of `size` items."""
        return sum(open_seconds(arm, self.usable) + self.one(arm, size) for arm in arms if arm.backend != "serial")


def shape(
    calibration: Calibration, arms: Sequence[Arm], budget: float, usable: int, probing: float = 0.0, weak: bool = False
) -> Shape:
    """Choose how to measure: whole passes where enough of them fit, else samples, else fewer arms.

    Args:
        calibration: What is known of the items.
        arms: The arms wanted, the plain loop first.
        budget: Seconds for all of it.
        usable: CPUs that may be used.
        probing: Seconds that the probes of machine and GIL will take.
        weak: Whether every worker gets the whole sample.
    """
    spent = calibration.spent + probing
    room = RESERVE * allowed(calibration, budget) - spent
    costs = Costs(calibration, usable, weak)
    if not weak:
        least = LOOP_FOR if calibration.serial < SHORT else 0.0
        block = costs.block(arms, calibration.items, least=least)
        opening = costs.opening(arms, calibration.items)
        opening += max(0, calibration.items - calibration.done) * calibration.mean
        fits = int((room - opening) / block) if block > 0 else 0
        if fits >= LEAST_BLOCKS or least:
            blocks = max(1, min(stats.ENOUGH if least else MOST_BLOCKS, fits))
            estimate = min(budget, spent + opening + blocks * block)
            return Shape("looped" if least else "full", calibration.items, tuple(arms), blocks, estimate, warm_all=True)
    return sample_shape(costs, arms, budget, spent, room)


def sample_shape(costs: Costs, arms: Sequence[Arm], budget: float, spent: float, room: float) -> Shape:
    """Choose a sample: one that allows three blocks, else stricter capping, else fewer arms."""
    items, weak = costs.calibration.items, costs.weak
    enough = math.ceil(LEAST_SAMPLE / max(1e-9, costs.calibration.mean))
    chosen = list(arms)
    while True:
        most = max(arm.workers for arm in chosen)
        wanted = min(items, enough if weak else max(ITEMS_PER_WORKER * most, enough))
        least = 1 if weak else min(items, max(2, most))
        warm = costs.opening(chosen, min(items, WARM_SHARE * wanted))
        for passes, strict in ((PASSES + 1, False), (LEAST_BLOCKS, False), (PASSES, True), (2, True), (1, True)):
            size = largest(costs, chosen, passes, strict, room - warm)
            if size >= (wanted if passes > 1 else least):
                size = wanted if weak else size
                block, first = costs.block(chosen, size, strict=strict), costs.calibration.mean * size
                blocks = max(1, min(MOST_BLOCKS, int((room - warm - first) / block)))
                whole = size >= items and not weak
                estimate = min(budget, spent + warm + blocks * block + (first if blocks > 1 else 0.0))
                return Shape("full" if whole else "sampled", size, tuple(chosen), blocks, estimate, strict=strict)
        if len(chosen) == 1:
            break
        chosen = without_least_likely(chosen)
    return each_shape(costs, arms, budget, spent, room)


def each_shape(costs: Costs, arms: Sequence[Arm], budget: float, spent: float, room: float) -> Shape:
    """Choose one item, run by every worker, of which the plain loop's time is known: for items too long to run more."""
    known = Costs(costs.calibration, costs.usable, weak=True)
    chosen = list(arms)
    while len(chosen) > 1:
        need = sum(known.one(arm, 1) + open_seconds(arm, costs.usable) for arm in chosen[1:])
        if need <= room:
            return Shape("sampled", 1, tuple(chosen), 1, min(budget, spent + need), strict=True, each=True)
        chosen = without_least_likely(chosen)
    return Shape("sampled", 1, tuple(chosen), 1, min(budget, spent), strict=True, each=True)


def largest(costs: Costs, arms: Sequence[Arm], passes: int, strict: bool, room: float) -> int:
    """Return the largest size of which so many passes fit beside the plain loop's first run of it; 0 for none."""
    low, high = 0, costs.calibration.items
    while low < high:
        size = (low + high + 1) // 2
        first = costs.calibration.mean * size if passes > 1 else 0.0
        fits = first + passes * costs.block(arms, size, strict=strict) <= room
        low, high = (size, high) if fits else (low, size - 1)
    return low


def without_least_likely(arms: Sequence[Arm]) -> list[Arm]:
    """Drop the arm least missed: single workers first, then middle counts, the largest of each backend last."""
    top = {arm.backend: max(a.workers for a in arms if a.backend == arm.backend) for arm in arms}
    others = [arm for arm in arms if arm.backend != "serial"]
    candidates = [arm for arm in others if arm.workers != top[arm.backend]] or others
    worst = min(candidates, key=lambda arm: (arm.workers, arm.isolation != "thread"))
    return [arm for arm in arms if arm is not worst]


def loops_for(serial: float) -> int:
    """Return how often a short pass is repeated for one sample."""
    return max(1, min(MOST_LOOPS, math.ceil(LOOP_FOR / max(serial, 1e-9))))


def stratified(items: int, size: int, seed: int, keep: Iterable[int] = ()) -> tuple[int, ...]:
    """Return `size` positions, one at random from each of as many equal stretches of the input, in input order.

    Positions in `keep`, which ran already, stand in for the random one of their stretch.
    """
    if size >= items:
        return tuple(range(items))
    chance = random.Random(seed)
    kept = sorted(set(keep))
    chosen = []
    for stretch in range(size):
        low, high = stretch * items // size, (stretch + 1) * items // size
        there = [position for position in kept if low <= position < high]
        chosen.append(chance.choice(there) if there else chance.randrange(low, high))
    return tuple(chosen)


def block_order(arms: Sequence[Arm], block: int, seed: int, planned: Mapping[Arm, float] | None = None) -> list[Arm]:
    """Return a block's arms in their random order; in the first, one middle arm of each backend comes first.

    Args:
        arms: The arms of the block.
        block: Its number.
        seed: The comparison's seed.
        planned: Where time is short, the seconds planned for each: in the first block the quick ones then come first,
            so that there is something to cap the others by.
    """
    chance = random.Random(f"{seed}/{block}")
    order = list(arms)
    chance.shuffle(order)
    if block == 0:
        scouts = set(scouting(arms))
        order.sort(key=lambda arm: (arm.key not in scouts, planned[arm] if planned else 0.0))
    return order


def scouting(arms: Sequence[Arm]) -> list[tuple[str, int]]:
    """Return the keys of the plain loop and of the upper-middle arm of each backend: the first to be tried."""
    by_backend: dict[str, list[Arm]] = {}
    for arm in arms:
        by_backend.setdefault(arm.backend, []).append(arm)
    found = []
    for group in by_backend.values():
        ordered = sorted(group, key=lambda arm: arm.workers)
        found.append(ordered[(2 * len(ordered)) // 3 if len(ordered) > 2 else -1].key)
    return found


def cap(arm: Arm, best: float | None, planned: float, strict: bool) -> float | None:
    """Return the seconds after which a pass is stopped as hopeless; None for the plain loop and before any result.

    Args:
        arm: The arm.
        best: Seconds of the best pass so far.
        planned: Seconds that the plan reckoned with: what is within them may run to its end, unless time is short.
        strict: Whether time is short.
    """
    if arm.backend == "serial" or best is None:
        return None
    limit = HOPELESS * best + 0.05
    return limit if strict else max(limit, 1.25 * planned + 0.1)


def next_block(walls: Mapping[Arm, float], ran: int, left: float, strict: bool = False) -> tuple[Arm, ...]:
    """Return the arms of the next block: the plain loop, and as many of the best as leave time for enough blocks.

    Args:
        walls: Seconds of a pass of each arm, loops included, as measured.
        ran: Blocks that ran.
        left: Seconds left.
        strict: Whether time is short, so that what takes over twice the best is not repeated.
    """
    serial = [arm for arm in walls if arm.backend == "serial"]
    others = sorted((arm for arm in walls if arm.backend != "serial"), key=lambda arm: walls[arm])
    if strict and others:
        others = [arm for arm in others if walls[arm] <= HOPELESS * walls[others[0]]]
    wanted = max(1, stats.ENOUGH - ran)
    while others:
        chosen = (*serial, *others)
        cost = sum(walls[arm] for arm in chosen)
        if cost * wanted <= left:
            return chosen
        if len(others) <= 2:
            break
        others = others[: max(2, len(others) * 2 // 3)]
    chosen = (*serial, *others)
    return chosen if others and sum(walls[arm] for arm in chosen) <= left else ()


def decided(intervals: Iterable[stats.Interval | None]) -> bool:
    """Say whether the finalists' intervals are narrow enough to stop."""
    known = [i for i in intervals if i is not None]
    return bool(known) and all(i.n >= stats.ENOUGH and (i.high - i.low) / 2 <= DECIDED * i.mid for i in known)


def too_large(arm: Arm, per_worker: float | None, available: int | None) -> str | None:
    """Say why an arm's workers would not fit into memory, with the numbers, or None."""
    if per_worker is None or available is None or arm.isolation not in ("process", "cluster"):
        return None
    need = per_worker * arm.workers
    if need <= MEMORY_SHARE * available:
        return None
    return f"would need about {need / 2**30:.1f} GB of memory; {available / 2**30:.1f} GB are available"


def plan_of(shape: Shape, items: int, budget: float, seed: int, confirming: float = 0.0) -> Plan:
    """Put the shape into words."""
    tried = len(shape.arms)
    what = {
        "looped": f"all {items} items, repeated for {LOOP_FOR:g} s per pass",
        "full": f"all {items} items",
        "sampled": f"a sample of {shape.size} of {items} items",
    }[shape.mode]
    steps = [
        f"{tried} {'trial' if tried == 1 else 'trials'} on {what}",
        f"{shape.blocks} randomised {'block' if shape.blocks == 1 else 'blocks'} (seed {seed})",
    ]
    if confirming:
        steps.append(f"then all other items once with the pick, about {confirming:.1f} s")
    return Plan(
        budget=budget,
        estimate=shape.estimate,
        seed=seed,
        blocks=shape.blocks,
        sampled=shape.size if shape.mode == "sampled" else None,
        confirming=confirming,
        steps=tuple(steps),
    )
