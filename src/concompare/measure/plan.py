"""Decide what to run next from what is known so far: pure functions, no clock and no pool.

Calibration ─ arms ─► Shape (loops, all items, or a sample) ─► Plan ─► blocks of arms, until decided or out of time
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from concompare.analysis import stats
from concompare.analysis.chances import Standing
from concompare.analysis.stats import HOPELESS
from concompare.backends.base import Backend
from concompare.backends.traits import handling_of, traits_of
from concompare.measure.cost_model import ITEMS_PER_WORKER, SHORT, Arm, Calibration, Costs, allowed
from concompare.records import Plan

LOOP_FOR = 0.1
"""Seconds of a looped sample (pyperf's)."""
SCOUT = 0.15
"""Seconds of plain work in the first pass of one arm of each backend, which gives the first pick."""
MOST_LOOPS = 50
WAITING_SOME, WAITING_MOST, WAITING_ALL = 0.2, 0.5, 0.9
"""Shares of the time that items wait: from the first on more workers than CPUs are tried, from the second on many
threads, and from the last on no more processes, since threads wait as well."""
MANY, MOST_MANY = (4, 16), 128
"""Threads per CPU of those extra trials, and threads at most."""
RESERVE = 0.9
"""Share of the allowed time that is planned for; the rest is for a machine slower than it was when asked."""
PASSES = 4
"""Passes per arm that a good sample allows."""
LEAST_BLOCKS, MOST_BLOCKS = 3, 25
MANY_BLOCKS, MOST_WATCHED = 18, 120
"""Passes per arm for which the sample is made small enough where somebody says when there are enough, and at most."""
ROOMY_BLOCKS = 9
"""Passes per arm for which a good sample is small enough where there is time: what others disturb shows in these."""
DECIDED = 0.05
"""Half-width of the finalists' intervals, relative, at which measuring stops."""
SETTLED = 0.01
"""Expected loss of the best at which measuring stops after `ROOMY_BLOCKS`, however wide the intervals are."""
DOUBTFUL = 0.02
"""Expected loss of the best from which on measuring goes on beyond the plan, as long as there is time."""
LOSING, UNLIKELY = 0.1, 0.02
"""Expected loss and chance of being the fastest of an arm that runs no more once its row has enough passes."""
LEAST_SAMPLE, LEAST_WEAK = 0.12, 0.2
"""Seconds of plain work that a sample should hold; the second where every worker gets all of it."""
FEW_ITEMS = 8
"""Items of a sample that is small because the plain loop takes too long for more."""
NATIVE = 0.25
"""Share of the CPU seconds that native threads computed, from which on threads are tried with those capped as well."""
SAID = 0.05
"""Seconds of the tails that are left, from which on the plan says so."""
MEMORY_SHARE = 0.8
"""Share of the memory available that the workers of a trial may need."""

Mode = Literal["looped", "full", "sampled"]


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
        rounds: Items per worker that a pass has at least, the sample's items again where they do not suffice.
        places: Positions of the sample, where they are given; empty: by chance.
    """

    mode: Mode
    size: int
    arms: tuple[Arm, ...]
    blocks: int
    estimate: float
    warm_all: bool = False
    strict: bool = False
    rounds: int = 0
    places: tuple[int, ...] = ()


def ladder(usable: int, asked: Sequence[int] | None) -> tuple[int, ...]:
    """Return the worker counts to try: those asked for, or 1, 2, 4, … and the usable CPUs."""
    if asked is not None:
        return tuple(dict.fromkeys(asked))
    counts = [2**k for k in range(usable.bit_length()) if 2**k < usable]
    return (*counts, usable)


def extra_counts(usable: int, waits: float, isolation: str, items: int) -> tuple[int, ...]:
    """Return the worker counts beyond the CPUs that items may need which wait for a part of their time."""
    wanted: tuple[int, ...] = ()
    if isolation == "thread" and waits >= WAITING_SOME:
        wanted = tuple(k * usable for k in (MANY if waits >= WAITING_MOST else (2,)))
    elif isolation == "process" and WAITING_SOME <= waits < WAITING_ALL:
        wanted = ((2 if waits < (WAITING_MOST + WAITING_ALL) / 2 else 4) * usable,)
    return tuple(count for count in wanted if count <= min(items, max(MOST_MANY, MANY[0] * usable)))


def arms_of(
    backends: Iterable[Backend],
    usable: int,
    asked: Sequence[int] | None,
    waits: float,
    native: int = 1,
    items: int = MOST_MANY,
) -> tuple[Arm, ...]:
    """Return the arms, the plain loop first.

    Args:
        backends: Those that can run here.
        usable: CPUs that may be used.
        asked: Worker counts asked for, or None for the default ladder.
        waits: Share of the time that items wait; adds trials with more workers than CPUs.
        native: Threads of the native pool that items use. Where workers × these are more than the CPUs, threads are
            tried with the CPUs shared out as well; worker processes get no more than their share anyway.
        items: Number of items, which more workers cannot share.
    """
    counts = ladder(usable, asked)
    found: list[Arm] = []
    for backend in backends:
        arm = Arm(backend.name, 1, backend.isolation, backend.label, traits=traits_of(backend))
        if arm.isolation == "none":
            found.insert(0 if arm.plain else len(found), arm)  # another Python's plain loop comes in its turn
            continue
        extra = extra_counts(usable, waits, arm.isolation, items) if asked is None else ()
        found += [replace(arm, workers=count) for count in dict.fromkeys((*counts, *extra))]
        crowded = [count for count in counts if count > 1 and count * native > usable] if native > 1 else []
        if handling_of(backend).native == "pass":
            found += [replace(arm, workers=count, native=max(1, usable // count)) for count in crowded]
    return tuple(found)


def shape(
    calibration: Calibration,
    arms: Sequence[Arm],
    budget: float,
    usable: int,
    probing: float = 0.0,
    weak: bool = False,
    asked: bool = True,
    passes: int = LEAST_BLOCKS,
) -> Shape:
    """Choose how to measure: whole passes where enough of them fit, else samples, else fewer arms.

    Args:
        calibration: What is known of the items.
        arms: The arms wanted, the plain loop first.
        budget: Seconds for all of it.
        usable: CPUs that may be used.
        probing: Seconds that the probes of machine and GIL will take.
        weak: Whether every worker gets the whole sample.
        asked: Whether somebody asked for this budget, so that it may be used up.
        passes: Passes of each arm below which a sample is better than all items.
    """
    spent = calibration.spent + probing
    room = RESERVE * allowed(calibration, budget, asked or weak) - spent
    costs = Costs(calibration, usable, weak=weak)
    if not weak:
        least = LOOP_FOR if calibration.serial < SHORT else 0.0
        block = costs.block(arms, calibration.items, least=least)
        start = costs.start(arms, calibration.items, warm_all=bool(least))
        start += max(0, calibration.items - calibration.done) * calibration.mean
        fits = int((room - start) / block) if block > 0 else 0
        if fits >= passes or (least and fits >= 1):
            blocks = min(stats.ENOUGH if least else MOST_BLOCKS, fits)
            estimate = min(budget, spent + start + blocks * block)
            mode: Mode = "looped" if least else "full"
            return Shape(mode, calibration.items, tuple(arms), blocks, estimate, warm_all=bool(least))
    return sample_shape(costs, arms, budget, spent, room, passes)


def like(shape: Shape, places: Sequence[int], items: int, temporaries: Sequence[str]) -> Shape:
    """Return a shape whose passes run these items, where that is possible: those of another comparison of the task."""
    possible = places and places[-1] < items and shape.mode != "looped"
    if not possible or (temporaries and places[-1] != items - 1):  # the last item leaves the names of the cell
        return shape
    return replace(
        shape, mode="sampled", size=len(places), rounds=shape.rounds or ITEMS_PER_WORKER, places=tuple(places)
    )


def sample_shape(
    costs: Costs, arms: Sequence[Arm], budget: float, spent: float, room: float, wanted: int = ROOMY_BLOCKS
) -> Shape:
    """Choose a sample: a good one, else a small one whose items run again for further workers, else fewer arms."""
    items = costs.calibration.items
    enough = math.ceil((LEAST_WEAK if costs.weak else LEAST_SAMPLE) / costs.calibration.mean)
    chosen = list(arms)
    while True:
        good = min(items, max(enough, ITEMS_PER_WORKER * max(arm.workers for arm in chosen)))
        small = min(items, max(enough, FEW_ITEMS))
        for rounds, least, passes, strict in ways_weak(min(items, enough)) if costs.weak else ways(good, small, wanted):
            tried = replace(costs, rounds=rounds)
            found = sampled(tried, chosen, least, passes, strict, room)
            if found is not None:
                size, blocks, seconds = found
                whole = size >= items and not costs.weak
                found_mode: Mode = "full" if whole else "looped" if costs.short(size) else "sampled"
                return Shape(
                    found_mode, size, tuple(chosen), blocks, min(budget, spent + seconds), False, strict, rounds
                )
        chosen = without_costliest(chosen, replace(costs, rounds=1)) if len(chosen) > 1 else chosen
        if len(chosen) == 1:
            return Shape("sampled", 1, tuple(chosen), 1, spent, strict=True)


def ways(good: int, small: int, wanted: int) -> tuple[tuple[int, int, int, bool], ...]:
    """Return the ways to sample, the best first: rounds, least items, blocks, and whether hopeless arms are stopped."""
    return (
        *([(ITEMS_PER_WORKER, good, wanted, False)] if wanted > ROOMY_BLOCKS else []),
        (ITEMS_PER_WORKER, good, ROOMY_BLOCKS, False),
        (ITEMS_PER_WORKER, good, PASSES + 1, False),
        (ITEMS_PER_WORKER, good, LEAST_BLOCKS, False),
        (ITEMS_PER_WORKER, small, PASSES, False),
        (ITEMS_PER_WORKER, small, 2, False),
        (ITEMS_PER_WORKER, small, PASSES, True),
        (ITEMS_PER_WORKER, small, 2, True),
        (2, min(small, 2), 2, True),
        (2, 1, 1, True),
        (1, 1, 1, True),
    )


def ways_weak(good: int) -> tuple[tuple[int, int, int, bool], ...]:
    """Return the same for weak scaling, where the rows of slow arms are what one wants to see."""
    several = [(ITEMS_PER_WORKER, good, blocks, False) for blocks in (PASSES + 1, LEAST_BLOCKS, 2, 1)]
    return (*several, (2, min(good, 2), 1, False), (1, 1, 1, False), (1, 1, 1, True))


def sampled(
    costs: Costs, arms: Sequence[Arm], least: int, passes: int, strict: bool, room: float
) -> tuple[int, int, float] | None:
    """Return the largest sample that allows so many blocks, its blocks and seconds, or None if `least` does not fit."""
    loop = LOOP_FOR if costs.short(least) else 0.0
    most = least if costs.weak else costs.calibration.items
    low = largest(most, lambda size: costs.all(arms, size, passes, least=loop, strict=strict) <= room)
    if low < least or low == 0:
        return None
    blocks = passes
    while blocks < MOST_BLOCKS and costs.all(arms, low, blocks + 1, least=loop, strict=strict) <= room:
        blocks += 1
    return low, blocks, costs.all(arms, low, blocks, least=loop, strict=strict)


def largest(most: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number up to `most` that fits, where all smaller ones do; 0 when none does."""
    low, high = 0, most
    while low < high:
        size = (low + high + 1) // 2
        low, high = (size, high) if fits(size) else (low, size - 1)
    return low


def fitted(shape: Shape, costs: Costs, room: float) -> Shape:
    """Return the shape with fewer items per pass where, by what is known of them now, all of them do not fit.

    Args:
        shape: The shape that was planned; its estimate stays what was promised.
        costs: What passes cost, by all items that ran.
        room: Seconds left of the plan.
    """
    arms, warm_all = shape.arms, shape.warm_all
    if costs.all(arms, shape.size, 1, warm_all=warm_all, strict=shape.strict) <= room:
        return shape
    tight = replace(costs, rounds=1)
    size = largest(shape.size, lambda size: tight.all(arms, size, 1, strict=True) <= room)
    return replace(shape, mode="sampled", size=max(1, size), blocks=1, warm_all=False, strict=True, rounds=1)


def without_costliest(arms: Sequence[Arm], costs: Costs) -> list[Arm]:
    """Leave out the arm that costs most to try, as long as its backend has others; then that of any backend."""
    others = [arm for arm in arms if not arm.plain]
    several = [arm for arm in others if sum(a.backend == arm.backend for a in others) > 1] or others
    worst = max(several, key=lambda arm: costs.trouble(arm, 1))
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
        there = kept[bisect_left(kept, low) : bisect_left(kept, high)]
        chosen.append(chance.choice(there) if there else chance.randrange(low, high))
    return tuple(chosen)


def thinned(positions: Sequence[int], most: int) -> list[int]:
    """Return at most so many positions, evenly from all of them: never the first ones."""
    step = max(1.0, len(positions) / most)
    return [positions[int(i * step)] for i in range(min(most, len(positions)))]


def shuffled(positions: Sequence[int], seed: int) -> list[int]:
    """Return positions in a random order that begins with the last one: every part of it is a sample of its own."""
    order = list(positions[:-1])
    random.Random(seed).shuffle(order)
    return [*positions[-1:], *order]


def block_order(arms: Sequence[Arm], block: int, seed: int, planned: Mapping[Arm, float] | None = None) -> list[Arm]:
    """Return a block's arms in their random order; in the first, one middle arm of each backend comes first.

    Where time is short, `planned` has the seconds planned for each: the quick ones then come first, to cap the others.
    """
    chance = random.Random(f"{seed}/{block}")
    order = list(arms)
    chance.shuffle(order)
    if block == 0:
        scouts = set(scouting(arms))
        order.sort(key=lambda arm: (arm not in scouts, arm.workers == 1, planned[arm] if planned else 0.0))
    return order


def scouting(arms: Sequence[Arm]) -> list[Arm]:
    """Return the plain loop and the upper-middle arm of each backend: the first to be tried."""
    by_backend: dict[str, list[Arm]] = {}
    for arm in arms:
        by_backend.setdefault(arm.backend, []).append(arm)
    found = []
    for group in by_backend.values():
        ordered = sorted(group, key=lambda arm: arm.workers)
        found.append(ordered[(2 * len(ordered)) // 3 if len(ordered) > 2 else -1])
    return found


def cap(arm: Arm, best: float | None, planned: float, strict: bool) -> float | None:
    """Return the seconds after which a pass is stopped as hopeless; None for the plain loop and before any result.

    Args:
        arm: The arm.
        best: Seconds of the best pass so far.
        planned: Seconds that the plan reckoned with: what is within them may run to its end, unless time is short.
        strict: Whether time is short.
    """
    if arm.plain or best is None:
        return None
    limit = HOPELESS * best + 0.05
    return limit if strict else max(limit, 1.25 * planned + 0.1)


def next_block(
    seconds: Mapping[Arm, float],
    rates: Mapping[Arm, float],
    ran: int,
    left: float,
    strict: bool = False,
    losing: Sequence[Arm] = (),
) -> tuple[Arm, ...]:
    """Return the arms of the next block: the plain loop, and as many of the best as leave time for enough blocks.

    All of them where three blocks of all fit, since a row of fewer passes says little; then those that may still be the
    fastest. A single worker does what the plain loop does, and is the first to be left out.

    Args:
        seconds: Seconds of a pass of each arm, loops included, as measured.
        rates: Seconds per item of each.
        ran: Blocks that ran.
        left: Seconds left.
        strict: Whether time is short, so that what takes over twice the best is not repeated.
        losing: Arms that are hardly the fastest.
    """
    serial = [arm for arm in seconds if arm.plain]
    others = sorted((arm for arm in seconds if not arm.plain), key=lambda arm: (arm.workers == 1, rates[arm]))
    if strict and others:
        others = [arm for arm in others if rates[arm] <= HOPELESS * rates[others[0]]]
    if sum(seconds.values()) * (LEAST_BLOCKS - ran) <= left and ran < LEAST_BLOCKS and not strict:
        return (*serial, *others)
    if ran >= LEAST_BLOCKS:
        others = [arm for arm in others if arm not in losing] or others[:1]
    wanted = max(1, stats.ENOUGH - ran)
    while others:
        chosen = (*serial, *others)
        cost = sum(seconds[arm] for arm in chosen)
        if cost * wanted <= left:
            return chosen
        if len(others) <= 2:
            break
        others = others[: max(2, len(others) * 2 // 3)]
    chosen = (*serial, *others)
    return chosen if others and sum(seconds[arm] for arm in chosen) <= left else ()


def decided(intervals: Iterable[stats.Interval | None], standings: Sequence[Standing] = ()) -> bool:
    """Say whether to stop: the finalists' intervals are narrow, or after many blocks the best is hardly in doubt."""
    known = [i for i in intervals if i is not None]
    if known and all(i.n >= stats.ENOUGH and (i.high - i.low) / 2 <= DECIDED * i.mid for i in known):
        return True
    most = max((i.n for i in known), default=0)
    return most >= ROOMY_BLOCKS and min((s.loss for s in standings), default=1.0) <= SETTLED


def too_large(arm: Arm, per_worker: float | None, available: int | None) -> str | None:
    """Say why an arm's workers would not fit into memory, with the numbers, or None."""
    if per_worker is None or available is None or arm.isolation not in ("process", "cluster"):
        return None
    need = per_worker * arm.workers
    if need <= MEMORY_SHARE * available:
        return None
    most = f"{MEMORY_SHARE:.0%} of the {available / 2**30:.1f} GB available"
    each = f"{per_worker / 2**30:.2g} GB each"
    return f"not run: {arm.workers} workers would need about {need / 2**30:.1f} GB of memory ({each}), over {most}"


def with_replaying(plan: Plan, seconds: float) -> Plan:
    """Return the plan with the tails that are left for the end, where they take long enough to be said."""
    if seconds < SAID:
        return replace(plan, replaying=seconds)
    step = f"then what stays in the notebook of the other items, once, about {seconds:.1f} s"
    return replace(plan, replaying=seconds, steps=(*plan.steps, step))


def plan_of(shape: Shape, items: int, budget: float, seed: int, confirming: float = 0.0, weak: bool = False) -> Plan:
    """Put the shape into words."""
    tried = len(shape.arms)
    what = f"all {items} items" if items != 1 else "the one item"
    if weak:
        what = f"{shape.size} {'item' if shape.size == 1 else 'items'} for every worker"
    elif shape.mode == "sampled":
        what = f"a sample of {shape.size} of {items} items"
    if shape.mode == "looped":
        what += f", repeated for {LOOP_FOR:g} s per pass"
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
        sampled=shape.size if shape.mode == "sampled" and not weak else None,
        confirming=confirming,
        steps=tuple(steps),
    )
