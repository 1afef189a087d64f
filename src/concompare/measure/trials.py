"""The arms of a comparison at work: pools opened, passes run, capped and compared with the plain loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Any, TypedDict

from concompare.analysis import chances, equality, ledger, stats
from concompare.analysis.stats import HOPELESS
from concompare.backends.base import Backend
from concompare.engine.item_errors import item_of
from concompare.errors import ConcompareError
from concompare.machine import gil_state
from concompare.measure import plan
from concompare.measure.baseline import PlainLoop, Runner
from concompare.measure.cost_model import Arm, Calibration, Costs, allowed
from concompare.measure.plan import Shape
from concompare.records import Environment, Pass, Trial

MOST_MESSAGES = 4000
"""Messages of a pass beyond which they are not kept."""
COLD = 2.0
"""Seconds that a warm-up pass may take beyond what a pass may take: imports in the workers, caches."""
WATCHED = 2
"""Passes of a trial whose memory is looked up: the warm-up and the first that runs enough items."""
STRETCHED = 1.3
"""Times its plain seconds, from which on an item is slowed by others that run beside it."""
OVERRUN = 1.05
"""Times the estimate at which nothing further begins."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a comparison is wanted.

    Attributes:
        workers: Worker counts, or None for 1, 2, 4, … and the usable CPUs (and many threads for items that wait).
        budget: Seconds for deciding; the confirming run of a sampled comparison comes on top.
        scaling: "strong": the same work for all; "weak": the same work for every worker.
        seed: Seed of sample and order.
        chunk: Items per message, or None for measured.
        timeout: Seconds per item, or None.
        temporaries: Names that the function gives back beside its value.
        timeline: Whether to record when each worker was on a CPU, in the first pass of its pool.
        streams: Seed of one random stream for each item, the same in every pass; None: items draw as they do.
        native_threads: Threads of each BLAS or OpenMP pool in all workers and the plain loop; None: the usual ones.
        asked: Whether the budget was asked for, and may be used up on a short task too.
        since: Seconds on the clock when the user began to wait; None: when the comparison begins.
        drawing: Seconds of the budget that showing the report will take.
        enough: Says of the trials so far whether they have passes enough; None: when the fastest is hardly in doubt.
        places: Positions of the items to sample, as another comparison had them; empty: by chance.
    """

    workers: tuple[int, ...] | None = None
    budget: float = 30.0
    scaling: str = "strong"
    seed: int = 0
    chunk: int | None = None
    timeout: float | None = None
    temporaries: tuple[str, ...] = ()
    timeline: bool = False
    streams: int | None = None
    native_threads: int | None = None
    asked: bool = True
    since: float | None = None
    drawing: float = 0.0
    enough: Callable[[Sequence[Trial]], bool] | None = None
    places: tuple[int, ...] = ()


class Wished(TypedDict, total=False):
    """The same as keywords, each with the meaning that it has in `Wishes`; the seed may be left to chance.

    A budget that is given counts as asked for unless it is said that it was not.
    """

    workers: Sequence[int] | None
    budget: float
    scaling: str
    seed: int | None
    chunk: int | None
    timeout: float | None
    temporaries: Sequence[str]
    timeline: bool
    streams: int | None
    native_threads: int | None
    asked: bool
    since: float | None
    drawing: float
    enough: Callable[[Sequence[Trial]], bool] | None
    places: tuple[int, ...]


def wishes_of(wished: Wished, chance: int) -> Wishes:
    """Return the wishes; `chance` is the seed where none was wished."""
    counts, seed = wished.get("workers"), wished.get("seed")
    given: dict[str, Any] = {
        "asked": "budget" in wished,
        **wished,
        "workers": tuple(counts) if counts is not None else None,
        "seed": seed if seed is not None else chance,
        "temporaries": tuple(wished.get("temporaries", ())),
    }
    return Wishes(**given)


@dataclass
class Bench:
    """One arm at work: its pool while it is open, and what it measured so far.

    Attributes:
        once: Seconds of the last pass before its first item: to get the function to the workers.
    """

    arm: Arm
    backend: Backend
    stack: ExitStack
    pool: Any = None
    passes: list[Pass] = field(default_factory=list)
    start_up: float | None = None
    cold: float | None = None
    got: int | None = None
    same: bool | None = None
    difference: str | None = None
    rounding: bool = False
    problem: str | None = None
    loops: int = 1
    retired: bool = False
    once: float = 0.0

    def trial(self) -> Trial:
        """Return what is known as a record."""
        return Trial(
            backend=self.arm.backend,
            workers=self.arm.workers,
            label=self.backend.label,
            isolation=self.arm.isolation,
            traits=self.arm.traits,
            passes=tuple(self.passes),
            start_up=self.start_up,
            cold=self.cold,
            got=self.got,
            same=self.same,
            difference=self.difference,
            rounding=self.rounding,
            problem=self.problem,
            native_threads=self.arm.native,
        )

    @property
    def wall(self) -> float | None:
        """Return the seconds of the last timed pass."""
        timed = [p for p in self.passes if not p.warm_up and p.stopped is None and p.block >= 0]
        return timed[-1].wall if timed else None

    @property
    def per_item(self) -> float | None:
        """Return the seconds per item of the last timed pass."""
        timed = [p for p in self.passes if not p.warm_up and p.stopped is None and p.block >= 0 and p.items]
        return timed[-1].wall / stats.done(timed[-1]) if timed else None

    @property
    def able(self) -> bool:
        """Return whether it can run further passes that matter."""
        return self.problem is None and not self.retired and self.same is not False and self.wall is not None

    def retire(self) -> None:
        """Close the pool: no further passes."""
        self.retired = True
        self.stack.close()

    def count_first(self) -> None:
        """Let a warm-up count as a pass of the first block where there is no other and there will be none."""
        if self.passes and not any(not p.warm_up for p in self.passes):
            self.passes[-1] = replace(self.passes[-1], warm_up=False, block=0)

    def add(self, passed: Pass) -> None:
        """Add a pass; messages are kept for the last one only."""
        self.passes = [replace(p, messages=()) for p in self.passes] if passed.messages else self.passes
        self.passes.append(passed)


@dataclass
class Trials:
    """All arms of a comparison, the plain loop first.

    Attributes:
        sample: Positions of the items of a pass.
        pools: Closes all pools in the end.
        runs: How often an item was run at most.
        plain_differs: Whether the plain loop gave other results when it ran again.
        hints: Hidden state and shared random numbers that workers noticed.
        tell: Called with what begins.
        spent: Returns the seconds since the comparison began.
        tried: Positions of other items of all stretches that the plain loop ran.
        taken_away: Returns the CPU seconds so far that the machine could not give; None where it does not tell.
        scouting: Whether the sample is that of the scouts, which stands for the mean item.
    """

    plain: PlainLoop
    runner: Runner
    environment: Environment
    wishes: Wishes
    shape: Shape
    calibration: Calibration
    benches: list[Bench]
    sample: tuple[int, ...]
    pools: ExitStack
    tell: Callable[[str], None]
    spent: Callable[[], float]
    tried: tuple[int, ...] = ()
    runs: int = 0
    plain_differs: bool = False
    per_worker: float | None = None
    opening: float | None = None
    hidden_state: tuple[str, ...] = ()
    shared_random: str | None = None
    scouting: bool = False
    taken_away: Callable[[], float | None] = lambda: None

    @property
    def serial(self) -> Bench:
        """Return the plain loop's bench."""
        return self.benches[0]

    @property
    def costs(self) -> Costs:
        """Return what passes were planned to cost."""
        weak = self.wishes.scaling == "weak"
        return Costs(self.of_sample, self.environment.usable, self.shape.rounds, weak, self.opening)

    @property
    def of_sample(self) -> Calibration:
        """Return what is known of the sample's items: where few items are long, they are shorter than the mean one."""
        seconds = [self.plain.seconds.get(position, self.calibration.mean) for position in self.sample]
        if not seconds:
            return self.calibration
        return replace(self.calibration, mean=max(1e-9, sum(seconds) / len(seconds)), longest=max(seconds))

    def bench_of(self, arm: Arm) -> Bench:
        """Return the arm's bench."""
        return next(bench for bench in self.benches if bench.arm == arm)

    def scout(self) -> None:
        """Try one arm of each backend on items that the plain loop ran, for a first pick before anything long begins.

        These passes are the warm-ups of their pools: where nothing better is known yet, they tell how the arms stand.
        """
        self.scouting = True
        self.add_known(only=False)
        for arm in plan.scouting([bench.arm for bench in self.benches]):
            bench = self.bench_of(arm)
            if bench is not self.serial:
                self.open(bench)
        self.scouting = False

    def go_on(self, shape: Shape, sample: tuple[int, ...], calibration: Calibration) -> None:
        """Go on with the sample of all passes to come, in place of the items that the scouts had."""
        self.shape, self.sample, self.calibration = shape, sample, calibration
        self.serial.passes.clear()

    def first_block(self) -> None:
        """Let every arm warm up and run once; the plain loop's warm-up is what ran already."""
        only = self.shape.blocks == 1
        self.add_known(only)
        self.runs += 1
        arms = [bench.arm for bench in self.benches if bench not in self.later]
        planned = {arm: self.costs.one(arm, self.shape.size) for arm in arms} if self.shape.strict else None
        for arm in plan.block_order(arms, 0, self.wishes.seed, planned):
            bench = self.bench_of(arm)
            if not (bench is self.serial and only):
                self.run_first(bench, 0)
        if only:
            self.run_later(0)
        self.judge_results()

    @property
    def later(self) -> list[Bench]:
        """Return the single workers that nobody asked for: they tell much, but win nothing, so others come first."""
        if self.wishes.workers is not None or self.wishes.scaling == "weak":
            return []
        several = {bench.arm.backend for bench in self.benches if bench.arm.workers > 1}
        return [b for b in self.benches if not b.arm.plain and b.arm.workers == 1 and b.arm.backend in several]

    def run_first(self, bench: Bench, block: int) -> None:
        """Open an arm's pool where it is not open, and let it run once."""
        if bench is not self.serial and not self.ready(bench):
            return
        self.run(bench, block)
        if self.hopeless(bench) and not self.roomy():
            bench.retire()

    def run_later(self, block: int) -> None:
        """Let the arms run once that came to no pass yet, in the block that has just run."""
        for bench in self.later:
            if bench.pool is None and bench.problem is None:
                self.run_first(bench, block)

    def add_known(self, only: bool) -> None:
        """Add what the plain loop ran already as its warm-up pass, or as its timed one where there is one block."""
        seconds = [self.plain.seconds.get(position, 0.0) for position in self.sample]
        cpu = sum(self.plain.cpu.get(position, 0.0) for position in self.sample)
        block, sample = (0 if only else -1), self.named(self.sample)
        parts = self.plain.ledger_of(self.sample)
        known = Pass(len(seconds), sum(seconds), cpu, block=block, warm_up=not only, sample=sample, ledger=parts)
        if self.scouting:
            known = replace(known, stands_for=known.wall / self.calibration.mean)
        self.serial.add(known)
        self.serial.same, self.serial.got = True, 1
        self.serial.loops = plan.loops_for(known.wall) if self.shape.mode == "looped" else 1
        self.serial.cold = known.wall if self.shape.mode != "sampled" else None

    def more_blocks(self, estimate: float) -> None:
        """Repeat the best arms in randomised blocks until decided, or until the plan's time is used up.

        Where somebody says when there are enough, repeat all of them until then, or until the budget is used up.
        """
        for block in range(1, plan.MOST_BLOCKS if self.wishes.enough is None else plan.MOST_WATCHED):
            if block == 2:
                self.run_later(1)
            alive = {b.arm: b.wall * b.loops for b in self.benches if b.able and b.wall is not None}
            standings = self.standings()
            left = self.allowed(estimate, standings) - self.spent()
            rates = {arm: standings[arm].pace if arm in standings else math.inf for arm in alive}
            losing = [
                arm for arm, found in standings.items() if found.loss > plan.LOSING and found.best < plan.UNLIKELY
            ]
            chosen = plan.next_block(alive, rates, block, left, self.shape.strict, losing)
            if not chosen and block < 2:
                self.run_later(block - 1)
            if not chosen or self.done(chosen, standings):
                return
            for arm in plan.block_order(chosen, block, self.wishes.seed):
                if self.bench_of(arm).able:
                    self.run(self.bench_of(arm), block)
            self.judge_results()

    def allowed(self, estimate: float, standings: dict[Arm, chances.Standing]) -> float:
        """Return the seconds that the blocks may take: what was planned, or all there is while the pick is in doubt."""
        budget = self.wishes.budget
        if self.wishes.enough is not None:
            return budget
        asked = self.wishes.asked or self.wishes.scaling == "weak"
        doubt = min((found.loss for found in standings.values()), default=0.0) > plan.DOUBTFUL
        return max(min(budget, OVERRUN * estimate), allowed(self.calibration, budget, asked) if doubt else 0.0)

    def done(self, chosen: Sequence[Arm], standings: dict[Arm, chances.Standing]) -> bool:
        """Return whether no further passes are needed."""
        if self.wishes.enough is not None:
            return self.wishes.enough([bench.trial() for bench in self.benches])
        return plan.decided(self.intervals(chosen), [standings[arm] for arm in chosen if arm in standings])

    def standings(self) -> dict[Arm, chances.Standing]:
        """Return how the arms stand that gave the plain loop's results."""
        able = [bench for bench in self.benches if bench.same is not False and bench.problem is None]
        trials = [bench.trial() for bench in able]
        arms = {id(trial): bench.arm for trial, bench in zip(trials, able, strict=True)}
        return {arms[id(found.trial)]: found for found in chances.standings(trials, cpus=self.environment.usable)}

    def intervals(self, arms: Sequence[Arm]) -> list[stats.Interval | None]:
        """Return the speed-ups of the arms so far."""
        serial = self.serial.trial()
        return [stats.speed_up(self.bench_of(arm).trial(), serial) for arm in arms if not arm.plain]

    def ready(self, bench: Bench) -> bool:
        """Have an arm's pool open and warm; return whether it can go on."""
        return bench.problem is None and not bench.retired if bench.pool is not None else self.open(bench)

    def open(self, bench: Bench) -> bool:
        """Open an arm's pool and let it warm up; return whether it can go on."""
        arm, budget = bench.arm, self.wishes.budget
        need = self.costs.open(arm) + self.costs.one(arm, 1)
        bench.problem = plan.too_large(arm, self.per_worker, self.environment.memory_available)
        limit = allowed(self.calibration, budget, self.wishes.asked or self.wishes.scaling == "weak")
        if arm not in plan.scouting([b.arm for b in self.benches]):  # one of each backend runs in any case
            limit = min(limit, OVERRUN * self.shape.estimate)
        if bench.problem is None and self.spent() + need > limit:
            bench.problem = "not run: the time for deciding was used up"
        if bench.problem is not None:
            return False
        self.tell(f"{arm.name}: opening and first pass")
        try:
            lease = self.runner.lease(bench.backend, arm.workers, fresh=True, native_threads=arm.native)
            bench.pool = bench.stack.enter_context(lease)
        except Exception as error:
            bench.problem = in_words(error)
            return False
        bench.start_up, bench.got = bench.pool.start_up, bench.pool.got
        if arm.isolation == "process":
            self.opening = bench.pool.start_up / arm.workers
        if not self.scouting and not self.shape.warm_all and not self.costs.warm(arm, len(self.sample)):
            return True
        return self.run(bench, -1, warm_up=True)

    def positions_of(self, arm: Arm, warm_up: bool) -> list[int]:
        """Return the positions of a pass: the sample, again and again where workers need more items than it has."""
        chosen = list(islice(cycle(self.sample), self.costs.count(arm, len(self.sample))))
        if warm_up and not self.shape.warm_all and not self.scouting:
            return chosen[: self.costs.warm(arm, len(self.sample))]
        return chosen

    def run(self, bench: Bench, block: int, *, warm_up: bool = False) -> bool:
        """Run one pass (looped when short), add it, and compare its results; return whether the arm can go on."""
        positions = self.positions_of(bench.arm, warm_up)
        pool = self.plain.pool if bench is self.serial else bench.pool
        if not warm_up:
            self.tell(f"{bench.arm.name}: block {block}")
        options = self.runner.PassOptions(
            **({"timeline": True} if self.wishes.timeline and not bench.passes else {}),
            output="drop",
            temporaries=self.wishes.temporaries,
            chunk=self.wishes.chunk,
            timeout=self.wishes.timeout if bench is not self.serial else None,
            seed=self.wishes.streams,
            places=positions,
            cap=self.cap_of(bench, positions, warm_up),
            memory=len(bench.passes) < WATCHED,
        )
        records: list[Pass] = []
        before, away = gil_state(), self.taken_away()
        try:
            for _ in range(1 if warm_up else bench.loops):
                chosen = [self.plain.items[position] for position in positions]  # copies, where the loop changes them
                outcome = self.runner.run_pass(self.plain.function, chosen, pool, options, count=len(chosen))
                records.append(outcome.record)
                if outcome.record.stopped is not None:  # its workers are gone
                    break
        except Exception as error:
            bench.problem = f"{raised_by(error)}{in_words(error)}"
            bench.retire()
            return False
        self.runs += len(records) * math.ceil(len(positions) / len(self.sample))
        gil = (before, gil_state()) if self.environment.free_threaded_build else ()
        since = self.taken_away()
        stolen = None if away is None or since is None else max(0.0, since - away) / len(records)
        made = merged(records, block, warm_up, self.named(positions))
        self.note(bench, replace(made, gil=records[-1].gil or gil, stolen=stolen))
        return self.check(bench, outcome, positions, warm_up)

    def named(self, positions: Sequence[int]) -> tuple[int, ...]:
        """Return the positions as a pass records them: nothing where all items ran."""
        return () if list(positions) == list(range(len(self.plain.items))) else tuple(positions)

    def note(self, bench: Bench, passed: Pass) -> None:
        """Add a pass with its ledger; of its messages keep what is bounded."""
        positions = passed.sample or range(len(self.plain.items))
        if bench is self.serial and passed.messages:
            self.plain.note_times(passed, positions)
        if passed.messages:
            blocked = {i: self.plain.blocked[p] for i, p in enumerate(positions) if p in self.plain.blocked}
            parts = ledger.ledger_of(unlooped(passed), bench.arm.workers, blocked, bench.arm.isolation)
            passed = replace(passed, ledger=parts)
            bench.once = min(message.start for message in passed.messages)
        if self.shape.mode == "sampled" and self.wishes.scaling == "strong" and bench is not self.serial:
            passed = replace(passed, stands_for=self.standing(passed, positions, bench.arm.workers))
        elif self.scouting:
            mean = sum(self.plain.seconds[p] for p in self.sample) / len(self.sample)
            standing = self.standing(passed, positions, bench.arm.workers)
            passed = replace(passed, stands_for=standing * mean / self.calibration.mean)
        if len(passed.messages) > MOST_MESSAGES or passed.warm_up:
            passed = replace(passed, messages=())
        if passed.peak_memory is not None and bench.arm.isolation == "process":
            self.per_worker = passed.peak_memory / bench.arm.workers
        bench.add(passed)

    def standing(self, passed: Pass, positions: Sequence[int], workers: int) -> float:
        """Return how many items a pass stands for: by list scheduling where items took as long as in the plain loop.

        Where they took longer, for want of the GIL or of CPUs, workers that idled in the end would not have helped.
        What a pass takes before its first item, to get the function to the workers, it takes once for all items.
        """
        plain, items = self.plain.undisturbed, len(self.plain.items)
        sample, ran = [plain(p) for p in self.sample], [plain(p) for p in positions]
        within = sum(message.end - message.start for message in passed.messages)
        if workers <= self.environment.usable:  # they have a CPU each, and wait for others only
            within -= sum(message.waited or 0.0 for message in passed.messages)
        if within <= 0 or within > STRETCHED * sum(ran):
            found = len(sample) * sum(ran) / max(1e-12, sum(sample))
        else:
            found = stats.standing(sample, ran, workers, items)
        once = min((message.start for message in passed.messages), default=0.0)
        if not 0 < once < passed.wall or found >= items:
            return found
        return items * passed.wall / (once + (passed.wall - once) * items / found)

    def check(self, bench: Bench, outcome: Any, positions: Sequence[int], warm_up: bool) -> bool:
        """Compare a pass's results with the plain loop's; say why when it was stopped."""
        passed = bench.passes[-1]
        self.hidden_state = tuple(getattr(outcome, "hidden_state", ())) or self.hidden_state
        self.shared_random = getattr(outcome, "shared_random", None) or self.shared_random
        if passed.stopped is not None:
            best = self.needed(positions)
            bench.passes[-1] = replace(passed, stands_for=best / self.best())
            if bench.wall is None:
                needs = f"the best needs {best:.3g} s for these items"
                bench.problem = f"stopped after {passed.wall:.3g} s: {needs}"
            bench.retire()
            return False
        expected = [self.plain.values[position] for position in positions]
        found = equality.difference(list(outcome.values), expected, positions)
        if bench is self.serial:
            self.plain_differs = self.plain_differs or found.same is False
        elif bench.same is not False:
            bench.same, bench.difference, bench.rounding = found
        if warm_up:
            bench.loops = plan.loops_for(passed.wall) if self.shape.mode == "looped" else 1
        if bench is not self.serial and bench.cold is None and self.shape.mode != "sampled":
            bench.cold = self.first_time(bench)
        return True

    def first_time(self, bench: Bench) -> float | None:
        """Return the seconds of an arm's first time, as soon as they are known: its start, its warm-up, and the rest.

        The rest of the items takes what it took in the first pass over all of them.
        """
        warm, last, size = bench.passes[0], bench.passes[-1], len(self.plain.items)
        if last.items < size:
            return None
        rest = 0.0 if last is warm else last.wall * max(0.0, 1 - warm.items / size)
        return (bench.start_up or 0.0) + warm.wall + rest

    def judge_results(self) -> None:
        """Where the plain loop itself gives other results each time, say that nothing can be compared."""
        if not self.plain_differs:
            return
        for bench in self.benches[1:]:
            if bench.same is False:
                bench.same = None
                bench.difference = "cannot be compared: the plain loop gives other results each time"

    def cap_of(self, bench: Bench, positions: Sequence[int], warm_up: bool) -> float | None:
        """Return the seconds after which this arm's pass over these items is hopeless."""
        planned = self.costs.one(bench.arm, len(self.sample))
        limit = plan.cap(bench.arm, self.needed(positions), planned, self.shape.strict)
        if limit is not None:
            limit += bench.once  # of all items too it takes that once
        return limit + COLD if limit is not None and warm_up else limit

    def needed(self, positions: Sequence[int]) -> float:
        """Return the seconds that the best would need for these items: no fewer than the longest of them takes."""
        mean = self.calibration.mean
        plain = [self.plain.seconds.get(position, mean) for position in positions]
        return max(self.best() / mean * sum(plain), *plain)

    def best(self) -> float:
        """Return the least seconds per item so far; the plain loop's are known from the beginning."""
        known = [b.per_item for b in self.benches if b.per_item is not None and b.same is not False]
        return min(known, default=self.calibration.mean)

    def hopeless(self, bench: Bench) -> bool:
        """Say whether an arm took far longer than the best."""
        best = self.best()
        return bench is not self.serial and (bench.per_item or 0.0) > HOPELESS * best

    def roomy(self) -> bool:
        """Say whether all pools may stay open at once: few enough worker processes for this machine."""
        processes = sum(b.arm.workers for b in self.benches if b.arm.isolation == "process")
        return processes <= max(16, 2 * self.environment.usable)


def merged(records: Sequence[Pass], block: int, warm_up: bool, sample: tuple[int, ...]) -> Pass:
    """Return the loops of a short pass as one, with their mean times."""
    n = len(records)
    return replace(
        records[-1],
        wall=sum(r.wall for r in records) / n,
        cpu=sum(r.cpu for r in records) / n,
        packing=sum(r.packing for r in records) / n,
        stopped=next((r.stopped for r in records if r.stopped is not None), None),
        loops=n,
        block=block,
        warm_up=warm_up,
        sample=sample,
    )


def unlooped(passed: Pass) -> Pass:
    """Return a looped pass with the wall of its last loop, whose messages it has."""
    if passed.loops == 1:
        return passed
    return replace(passed, wall=max((m.done for m in passed.messages), default=passed.wall))


def in_words(error: BaseException) -> str:
    """Return an exception as one line."""
    text = str(error).strip().splitlines()
    first = text[0] if text else ""
    ours = type(error).__module__.startswith("concompare.")
    return first if ours and first else f"{type(error).__name__}: {first}" if first else type(error).__name__


def raised_by(error: BaseException) -> str:
    """Return which item raised an exception, as the beginning of a sentence; empty where it is not noted."""
    item = item_of(error)
    return f"item {item} raised " if item is not None and not isinstance(error, ConcompareError) else ""
