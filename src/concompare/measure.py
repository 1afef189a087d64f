"""Plan and carry out a comparison: everything that costs time happens here, within the budget.

    calibrate ─► plan (shown) ─► probes ─► block 0: every arm warms up and runs once ─► blocks of the best ─► confirm
    the plain loop on the       machine,   capped when hopeless, results compared,        until decided or   the items a
    first items, then on        GIL        rows that cannot run say why                   out of time        sample left out
    some of every stretch

The order within a block is random, so that a machine that drifts does not pick the winner; speed-ups are taken within
blocks. The first pass of every pool is marked as a warm-up. What the plain loop computed is kept for the user.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Protocol, cast

from concompare import equality, ledger, planner, probes, stats
from concompare.backends.base import Backend
from concompare.plain import ItemFailed, PlainLoop, Runner
from concompare.planner import Arm, Calibration
from concompare.records import Comparison, Environment, Message, Pass, Plan, Probe, Subject, Trial

PREFIX = 0.2
"""Seconds of the growing prefix."""
STRETCHES = (8, 24)
"""Items of the stratified probes that follow the prefix, while they stay short."""
PROBE_ITEMS = 0.25
"""Seconds of items beside the GIL probe."""
LONGEST_PROBE = 1.0
MOST_MESSAGES = 4000
"""Messages of a pass beyond which they are not kept."""
MOST_ITEMS_KEPT = 2000
"""Item times kept in the probe."""
WARM_ITEMS = 2
"""Items per worker of a warm-up pass that does not run all."""
OVERRUN = 1.05
"""Times the estimate at which no further block begins."""


class Machine(Protocol):
    """Measures the machine and the interpreter: `probes`, or a simulated one."""

    @property
    def capacity(self) -> Callable[[Sequence[int]], tuple[tuple[int, float], ...]]: ...  # noqa: D102
    @property
    def gil_share(self) -> Callable[[Callable[[], object]], probes.Share]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is, for a live display."""

    plan: Plan | None
    comparison: Comparison
    doing: str
    fraction: float


@dataclass(frozen=True, slots=True)
class Kept:
    """What the user gets: the results of one run of every item.

    Attributes:
        values: In input order. Where an item failed, those of the items before it.
        names: The temporaries as the plain loop would have left them.
        output: Position, stream and text of what the items printed, in item order.
        error: What an item raised, with which the plain cell would have ended; None when all went well.
        failed: Position of that item.
    """

    values: list[Any]
    names: dict[str, Any] = field(default_factory=dict)
    output: tuple[tuple[int, str, str], ...] = ()
    error: Exception | None = None
    failed: int | None = None


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a comparison is wanted.

    Attributes:
        workers: Worker counts, or None for the default ladder.
        chunk: Items per message, or None for measured.
        timeout: Seconds per item, or None.
        probing: Measure the machine's capacity and the GIL share first.
    """

    workers: tuple[int, ...] | None = None
    budget: float = 30.0
    scaling: str = "strong"
    seed: int = 0
    chunk: int | None = None
    timeout: float | None = None
    temporaries: tuple[str, ...] = ()
    probing: bool = True
    show: Callable[[Progress], None] | None = None
    clock: Callable[[], float] = time.perf_counter


def compare(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    backends: Sequence[Backend],
    subject: Subject,
    environment: Environment | None = None,
    runner: Runner | ModuleType | None = None,
    machine: Machine | ModuleType = probes,
    workers: Sequence[int] | None = None,
    budget: float = 30.0,
    scaling: str = "strong",
    seed: int | None = None,
    show: Callable[[Progress], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    temporaries: Sequence[str] = (),
    chunk: int | None = None,
    timeout: float | None = None,
    probing: bool = True,
) -> tuple[Comparison, Kept]:
    """Compare backends and worker counts on a task, within a budget.

    The plain loop is always measured, as what everything is compared with. A backend that cannot run the task is a
    trial with a `problem`; an item that fails in the plain loop ends the measuring and is given in `Kept.error`.

    Args:
        function: One item to its value (to a pair of value and names when there are `temporaries`).
        items: All items.
        backends: The backends wanted.
        subject: The task as data, for the record; its `items` is set here.
        environment: The machine, or None to look.
        runner: What leases pools and runs passes; None for the engine.
        machine: What measures capacity and GIL share.
        workers: Worker counts, or None for 1, 2, 4, … and the usable CPUs (and many threads for items that wait).
        budget: Seconds for deciding; the confirming run of a sampled comparison comes on top.
        scaling: "strong": the same work for all; "weak": the same work for every worker.
        seed: Seed of sample and order, or None for one from the clock.
        show: Called when something begins.
        clock: Seconds.
        temporaries: Names that the function gives back beside its value.
        chunk: Items per message; None: the engine measures.
        timeout: Seconds per item.
        probing: Measure the machine's capacity and the share of the GIL.

    Raises:
        KeyboardInterrupt: The user interrupted; all pools are closed.
    """
    if seed is None:
        seed = time.time_ns() % 10_000
    wishes = Wishes(
        tuple(workers) if workers is not None else None,
        budget, scaling, seed, chunk, timeout, tuple(temporaries), probing, show, clock,
    )  # fmt: skip
    if runner is None:
        from concompare import engine as runner  # type: ignore[no-redef]
    if environment is None:
        from concompare.machine import environment as look

        environment = look()
    comparing = Comparing(
        function, items, _with_serial(backends), replace(subject, items=len(items)), environment,
        cast(Runner, runner), cast(Machine, machine), wishes,
    )  # fmt: skip
    return comparing.run()


def _with_serial(backends: Sequence[Backend]) -> tuple[Backend, ...]:
    if not any(backend.name == "serial" for backend in backends):
        from concompare.backends import find

        return (find("serial"), *backends)
    return tuple(sorted(backends, key=lambda backend: backend.name != "serial"))


@dataclass
class Bench:
    """One arm at work: its pool while it is open, and what it measured so far."""

    arm: Arm
    backend: Backend
    stack: ExitStack
    pool: Any = None
    passes: list[Pass] = field(default_factory=list)
    start_up: float | None = None
    cold: float | None = None
    got: int | None = None
    same: bool | None = None
    compared: bool = False
    difference: str | None = None
    problem: str | None = None
    loops: int = 1
    retired: bool = False

    def trial(self) -> Trial:
        """Return what is known as a record."""
        return Trial(
            backend=self.arm.backend,
            workers=self.arm.workers,
            label=self.backend.label,
            passes=tuple(self.passes),
            start_up=self.start_up,
            cold=self.cold,
            got=self.got,
            same=self.same,
            difference=self.difference,
            problem=self.problem,
        )

    @property
    def wall(self) -> float | None:
        """Return the seconds of the last timed pass."""
        timed = [p for p in self.passes if not p.warm_up and p.stopped is None and p.block >= 0]
        return timed[-1].wall if timed else None

    @property
    def able(self) -> bool:
        """Return whether it can run further passes that matter."""
        return self.problem is None and not self.retired and self.same is not False and self.wall is not None

    def add(self, passed: Pass) -> None:
        """Add a pass; messages are kept for the last one only."""
        self.passes = [replace(p, messages=()) for p in self.passes] if passed.messages else self.passes
        self.passes.append(passed)


@dataclass
class Comparing:
    """A comparison at work."""

    function: Callable[[Any], Any]
    items: Sequence[Any]
    backends: Sequence[Backend]
    subject: Subject
    environment: Environment
    runner: Runner
    machine: Machine
    wishes: Wishes

    def __post_init__(self) -> None:
        self.started = self.wishes.clock()
        self.created = datetime.now(UTC).isoformat(timespec="seconds")
        self.benches: list[Bench] = []
        self.problems: list[Trial] = []
        self.plan: Plan | None = None
        self.probe = Probe()
        self.sample: tuple[int, ...] = ()
        self.runs_per_item = 0
        self.plain_differs = False
        self.per_worker: float | None = None
        self.captured: list[Any] = []

    # ---- the whole

    def run(self) -> tuple[Comparison, Kept]:
        """Measure, and return the comparison and what is kept for the user."""
        with ExitStack() as self.pools:
            pool = self.pools.enter_context(self.runner.lease(self.backends[0], 1))
            self.plain = PlainLoop(self.function, self.items, pool, self.runner, self.wishes.temporaries)
            try:
                if len(self.items):
                    calibration = self.calibrate()
                    self.prepare(calibration)
                    self.first_block()
                    self.more_blocks()
                    self.settle()
                    self.confirm()
            except ItemFailed as failed:
                return self.failed(failed)
        self.tell("done")
        return self.comparison(), self.kept()

    def spent(self) -> float:
        """Return the seconds since the comparison began."""
        return self.wishes.clock() - self.started

    def tell(self, doing: str) -> None:
        """Report progress."""
        if self.wishes.show is not None:
            estimate = self.plan.estimate if self.plan else self.wishes.budget
            fraction = min(1.0, self.spent() / estimate) if doing != "done" else 1.0
            self.wishes.show(Progress(self.plan, self.comparison(), doing, fraction))

    # ---- before the trials

    def calibrate(self) -> Calibration:
        """Run the plain loop on a growing prefix, then on some items of every stretch of the input."""
        self.tell("timing the first items of the plain loop")
        count, plain = len(self.items), self.plain
        done, step = 0, 1
        while done < count and self.spent() < PREFIX:
            plain.run(range(done, min(count, done + step)))
            done, step = min(count, done + step), step * 2
        tried: list[int] = []
        for size in STRETCHES:
            longest = max(plain.seconds.values())
            rest = count - done
            affordable = int(min(PREFIX * 2, self.wishes.budget / 20) / max(longest, 1e-9))
            size = min(size, affordable, rest)
            if size < 2:
                break
            tried = [done + p for p in planner.stratified(rest, size, self.wishes.seed)]
            plain.run(tried)
        return self.calibration(tried)

    def calibration(self, tried: Sequence[int]) -> Calibration:
        """Return the estimate from what the plain loop ran; the very first item, often slow, counts once."""
        seconds, cpu = self.plain.seconds, self.plain.cpu
        known = sum(seconds.values())
        rest = len(self.items) - len(seconds)
        sample = [p for p in tried if p in seconds] or [p for p in seconds if p > 0] or list(seconds)
        mean = sum(seconds[p] for p in sample) / len(sample)
        busy = sum(min(cpu.get(p, 0.0), s) for p, s in seconds.items())
        return Calibration(
            items=len(self.items),
            mean=(known + rest * mean) / len(self.items),
            longest=max(seconds.values()),
            waits=max(0.0, min(1.0, 1 - busy / known)) if known > 0 else 0.0,
            done=len(seconds),
            spent=self.spent(),
            gil=self.environment.gil != "off",
        )

    def prepare(self, calibration: Calibration) -> None:
        """Choose the arms and the shape of passes, show the plan, and probe the machine."""
        self.usable = self.environment.usable
        able = self.able_backends()
        wanted = planner.arms_of(able, self.usable, self.wishes.workers, calibration.waits)
        probing = self.probing_seconds(calibration, wanted)
        weak = self.wishes.scaling == "weak"
        self.shape = planner.shape(calibration, wanted, self.wishes.budget, self.usable, probing, weak)
        self.calibrated = calibration
        confirming = self.confirming_seconds(calibration)
        self.plan = planner.plan_of(self.shape, len(self.items), self.wishes.budget, self.wishes.seed, confirming)
        self.open_benches(wanted)
        self.tell("plan")
        if probing:
            self.measure_machine(calibration, wanted)
        sampled = self.shape.mode == "sampled"
        keep = self.plain.values if sampled else ()
        self.sample = planner.stratified(len(self.items), self.shape.size, self.wishes.seed, keep)
        self.plain.run(self.sample)

    def able_backends(self) -> list[tuple[str, str, str]]:
        """Return name, label and isolation of the backends that can run here; the others become rows."""
        able = []
        for backend in self.backends:
            reason = backend.unavailable()
            if reason is None:
                able.append((backend.name, backend.label, str(backend.isolation)))
            else:
                workers = max(planner.ladder(self.environment.usable, self.wishes.workers))
                self.problems.append(Trial(backend.name, workers, backend.label, problem=reason))
        return able

    def open_benches(self, wanted: Sequence[Arm]) -> None:
        """Make a bench of every arm that fits the plan; the others become rows that say so."""
        by_name = {backend.name: backend for backend in self.backends}
        for arm in self.shape.arms:
            stack = self.pools.enter_context(ExitStack())
            self.benches.append(Bench(arm, by_name[arm.backend], stack))
        for arm in wanted:
            if arm not in self.shape.arms:
                reason = f"not run: one pass does not fit the budget of {self.wishes.budget:g} s"
                self.problems.append(Trial(arm.backend, arm.workers, by_name[arm.backend].label, problem=reason))

    def probing_seconds(self, calibration: Calibration, wanted: Sequence[Arm]) -> float:
        """Return what the probes will take, 0 when they are not wanted or would take most of the time."""
        counts = {arm.workers for arm in wanted if 1 < arm.workers <= self.usable}
        needed = (len(counts) + 2) * probes.SPIN + 0.1 if counts and not probes.known(tuple(counts)) else 0.0
        needed += 3 * probes.CALIBRATE + min(LONGEST_PROBE, max(PROBE_ITEMS, calibration.mean))
        room = planner.allowed(calibration, self.wishes.budget) - calibration.spent
        return needed if self.wishes.probing and needed < room / 4 else 0.0

    def measure_machine(self, calibration: Calibration, wanted: Sequence[Arm]) -> None:
        """Measure what n processes really get, and how much of its time the plain loop holds the GIL."""
        self.tell("measuring what this machine gives")
        counts = sorted({arm.workers for arm in wanted if 1 < arm.workers <= self.usable})
        capacity = self.machine.capacity(counts) if counts else ()
        self.probe = replace(self.probe, capacity=capacity)
        if calibration.mean > LONGEST_PROBE:
            self.probe = replace(self.probe, gil_word="items too long to probe")
            return
        share = self.machine.gil_share(self.probe_items)
        self.probe = replace(self.probe, gil_share=share.value, gil_word=share.word)

    def probe_items(self) -> None:
        """Run items of the plain loop for the GIL probe, a quarter of a second of them."""
        options = self.runner.PassOptions(output="drop", temporaries=self.wishes.temporaries)
        positions = list(self.plain.values)
        end = self.wishes.clock() + PROBE_ITEMS
        while self.wishes.clock() < end:
            size = max(1, int(PROBE_ITEMS / 4 / max(self.calibrated.mean, 1e-9)))
            chosen = [self.items[p] for p in positions[:size]]
            self.runner.run_pass(self.function, chosen, self.plain.pool, options, count=len(chosen))
            self.runs_per_item += 1

    def confirming_seconds(self, calibration: Calibration) -> float:
        """Guess how long the items that the sample leaves out will take with the pick."""
        rest = len(self.items) - max(self.shape.size, calibration.done)
        if rest <= 0 or self.shape.mode != "sampled":
            return 0.0
        work = rest * calibration.mean
        gil = calibration.gil
        return min(planner.pass_seconds(arm, work, calibration.waits, self.usable, gil) for arm in self.shape.arms)

    # ---- the trials

    def first_block(self) -> None:
        """Let every arm warm up and run once; the plain loop's warm-up is what ran already."""
        serial = self.benches[0]
        seconds = [self.plain.seconds.get(position, 0.0) for position in self.sample]
        only = self.shape.blocks == 1
        known = Pass(
            items=len(seconds),
            wall=sum(seconds),
            cpu=sum(self.plain.cpu.get(position, 0.0) for position in self.sample),
            block=0 if only else -1,
            warm_up=not only,
            sample=self.named_sample(self.sample),
        )
        serial.add(known)
        serial.same, serial.got = True, 1
        serial.loops = planner.loops_for(known.wall) if self.shape.mode == "looped" else 1
        serial.cold = known.wall if self.shape.mode != "sampled" else None
        self.runs_per_item += 1
        arms = [bench.arm for bench in self.benches]
        costs = planner.Costs(self.calibrated, self.usable, self.wishes.scaling == "weak" or self.shape.each)
        planned = {arm: costs.one(arm, self.shape.size) for arm in arms} if self.shape.strict else None
        for arm in planner.block_order(arms, 0, self.wishes.seed, planned):
            bench = self.bench_of(arm)
            if bench is serial and only:
                continue
            if bench is not serial and not self.open(bench):
                continue
            self.pass_of(bench, 0)
            if self.is_hopeless(bench) and not self.roomy():
                bench.retired = True
                bench.stack.close()
        self.judge_results()

    def open(self, bench: Bench) -> bool:
        """Open an arm's pool and let it warm up; return whether it can go on."""
        arm = bench.arm
        late = self.spent() > OVERRUN * self.wishes.budget
        reason = planner.too_large(arm, self.per_worker, self.environment.memory_available)
        if late or reason:
            bench.problem = reason or f"not run: the budget of {self.wishes.budget:g} s was used up"
            return False
        self.tell(f"{arm.name}: opening and first pass")
        try:
            bench.pool = bench.stack.enter_context(self.runner.lease(bench.backend, arm.workers, fresh=True))
        except Exception as error:
            bench.problem = in_words(error)
            return False
        bench.start_up, bench.got = bench.pool.start_up, bench.pool.got
        return self.pass_of(bench, -1, warm_up=True)

    def positions_of(self, arm: Arm, warm_up: bool) -> list[int]:
        """Return the positions of a pass of this arm: the sample, or under weak scaling the sample for every worker."""
        chosen = list(self.sample)
        if self.wishes.scaling == "weak" or self.shape.each:
            chosen = chosen * arm.workers
        if warm_up and not self.shape.warm_all:
            return chosen[: max(2, min(len(chosen), WARM_ITEMS * arm.workers))]
        return chosen

    def pass_of(self, bench: Bench, block: int, *, warm_up: bool = False) -> bool:
        """Run one pass (looped when short), compare its results, and add it; return whether the arm can go on."""
        positions = self.positions_of(bench.arm, warm_up)
        chosen = [self.items[position] for position in positions]
        pool = self.plain.pool if bench is self.benches[0] else bench.pool
        cap = None if warm_up else self.cap_of(bench)
        if not warm_up:
            self.tell(f"{bench.arm.name}: block {block}")
        options = self.runner.PassOptions(
            output="drop",
            temporaries=self.wishes.temporaries,
            chunk=self.wishes.chunk,
            timeout=self.wishes.timeout,
            cap=cap,
            memory=block == 0,
        )
        records: list[Pass] = []
        try:
            for _ in range(1 if warm_up else bench.loops):
                outcome = self.runner.run_pass(self.function, chosen, pool, options, count=len(chosen))
                records.append(outcome.record)
        except Exception as error:
            bench.problem = in_words(error)
            bench.stack.close()
            return False
        self.runs_per_item += len(records)
        self.note(bench, self.merged(records, block, warm_up, positions))
        return self.check(bench, outcome, positions, warm_up)

    def merged(self, records: Sequence[Pass], block: int, warm_up: bool, positions: Sequence[int]) -> Pass:
        """Return the loops of a short pass as one."""
        last, n = records[-1], len(records)
        return replace(
            last,
            wall=sum(r.wall for r in records) / n,
            cpu=sum(r.cpu for r in records) / n,
            packing=sum(r.packing for r in records) / n,
            loops=n,
            block=block,
            warm_up=warm_up,
            sample=self.named_sample(positions),
        )

    def named_sample(self, positions: Sequence[int]) -> tuple[int, ...]:
        """Return the positions as a pass records them: nothing where all items ran."""
        return () if len(positions) == len(self.items) and self.wishes.scaling != "weak" else tuple(positions)

    def note(self, bench: Bench, passed: Pass) -> None:
        """Add a pass with its ledger; of its messages keep what is bounded."""
        positions = passed.sample or range(len(self.items))
        if bench is self.benches[0] and passed.messages:
            self.plain.note_times(passed, positions)
        blocked = {i: self.plain.blocked[p] for i, p in enumerate(positions) if p in self.plain.blocked}
        if passed.messages:
            scaled = self.unlooped(passed)
            parts = ledger.ledger_of(scaled, bench.arm.workers, blocked, bench.arm.isolation)
            passed = replace(passed, ledger=parts)
        if len(passed.messages) > MOST_MESSAGES or passed.warm_up:
            passed = replace(passed, messages=())
        if passed.peak_memory is not None and bench.arm.isolation == "process":
            self.per_worker = passed.peak_memory / bench.arm.workers
        bench.add(passed)

    @staticmethod
    def unlooped(passed: Pass) -> Pass:
        """Return a looped pass with the wall of its last loop, whose messages it has."""
        if passed.loops == 1:
            return passed
        return replace(passed, wall=max((m.done for m in passed.messages), default=passed.wall))

    def check(self, bench: Bench, outcome: Any, positions: Sequence[int], warm_up: bool) -> bool:
        """Compare a pass's results with the plain loop's; say why when it was stopped."""
        passed = bench.passes[-1]
        if passed.stopped is not None:
            best = self.best_wall()
            than = f", more than {planner.HOPELESS:g}× the best ({best:.3g} s)" if best else ""
            if bench.wall is None:
                bench.problem = f"stopped: {passed.stopped}{than}"
            bench.retired = True
            bench.stack.close()
            return False
        self.captured += [outcome]
        del self.captured[:-1]
        expected = [self.plain.values[position] for position in positions]
        same, difference = equality.difference(list(outcome.values), expected, positions)
        if bench is self.benches[0]:
            self.plain_differs = self.plain_differs or same is False
        elif bench.same is not False:
            bench.same, bench.difference = same, difference
        if warm_up and bench.start_up is not None:
            bench.cold = bench.start_up + passed.wall if self.shape.warm_all else None
        if self.shape.mode == "looped" and warm_up:
            bench.loops = planner.loops_for(passed.wall)
        return True

    def cap_of(self, bench: Bench) -> float | None:
        """Return the seconds after which this arm's pass is hopeless."""
        arm, calibration = bench.arm, self.calibrated
        weak = self.wishes.scaling == "weak" or self.shape.each
        planned = planner.Costs(calibration, self.usable, weak).one(arm, len(self.sample))
        best = self.best_wall()
        return planner.cap(arm, best * arm.workers if best and weak else best, planned, self.shape.strict)

    def best_wall(self) -> float | None:
        """Return the least seconds of a single timed pass so far."""
        walls = [b.wall for b in self.benches if b.wall is not None and b.same is not False]
        return min(walls, default=None)

    def is_hopeless(self, bench: Bench) -> bool:
        """Say whether an arm took far longer than the best."""
        best = self.best_wall()
        return best is not None and bench.wall is not None and bench.wall > planner.HOPELESS * best

    def roomy(self) -> bool:
        """Say whether all pools may stay open at once: few enough workers for this machine."""
        return sum(b.arm.workers for b in self.benches if b.arm.isolation == "process") <= max(16, 2 * self.usable)

    def bench_of(self, arm: Arm) -> Bench:
        """Return the arm's bench."""
        return next(bench for bench in self.benches if bench.arm == arm)

    def judge_results(self) -> None:
        """Where the plain loop itself gives other results each time, say that nothing can be compared."""
        if not self.plain_differs:
            return
        for bench in self.benches[1:]:
            if bench.same is False:
                bench.same = None
                bench.difference = "cannot be compared: the plain loop gives other results each time"

    def more_blocks(self) -> None:
        """Repeat the best arms in randomised blocks until decided, or until the plan's time is used up."""
        plan = self.plan
        if plan is None:
            return
        for block in range(1, planner.MOST_BLOCKS):
            alive = {b.arm: b.wall * b.loops for b in self.benches if b.able and b.wall}
            left = min(self.wishes.budget, OVERRUN * plan.estimate) - self.spent()
            chosen = planner.next_block(alive, block, left, self.shape.strict)
            if not chosen or planner.decided(self.intervals(chosen)):
                return
            for arm in planner.block_order(chosen, block, self.wishes.seed):
                bench = self.bench_of(arm)
                if bench.able:
                    self.pass_of(bench, block)
            self.judge_results()

    def intervals(self, arms: Sequence[Arm]) -> list[stats.Interval | None]:
        """Return the speed-ups of the arms so far."""
        serial = self.benches[0].trial()
        return [stats.speed_up(self.bench_of(arm).trial(), serial) for arm in arms if arm.backend != "serial"]

    # ---- after the trials

    def settle(self) -> None:
        """Close the pools and add what the passes told about the task to the probe."""
        for bench in self.benches:
            bench.stack.close()
        walls = {b.arm.key: b.trial() for b in self.benches}
        serial = walls[self.benches[0].arm.key]
        two = next((walls[b.arm.key] for b in self.benches if b.arm.isolation == "thread" and b.arm.workers == 2), None)
        between = stats.speed_up(two, serial) if two is not None else None
        shipped = [m for b in self.benches if b.arm.isolation != "thread" for p in b.passes for m in p.messages]
        order = sorted(self.plain.seconds)[:MOST_ITEMS_KEPT]
        self.probe = replace(
            self.probe,
            item_seconds=tuple(self.plain.seconds[p] for p in order),
            item_cpu=tuple(self.plain.cpu.get(p, 0.0) for p in order),
            two_threads=between.mid if between is not None else None,
            bytes_in=_bytes(shipped, "bytes_in"),
            bytes_out=_bytes(shipped, "bytes_out"),
            executions=self.runs_per_item,
            hidden_state=tuple(getattr(self.captured[-1], "hidden_state", ()) or ()) if self.captured else (),
            shared_random=getattr(self.captured[-1], "shared_random", None) or None if self.captured else None,
        )

    def confirm(self) -> None:
        """Run the items that were left out once with the pick, for the results the user keeps."""
        missing = self.plain.missing()
        if not missing:
            return
        from concompare import advise

        pick = advise.pick(self.comparison())
        bench = next((b for b in self.benches if b.arm.key == (pick.backend, pick.workers)), self.benches[0])
        self.tell(f"{bench.arm.name}: the other {len(missing)} items, for the results")
        exact = set(self.wishes.temporaries) <= set(self.plain.names.get(len(self.items) - 1, ()))
        if bench is not self.benches[0] and (exact or not self.wishes.temporaries):
            self.confirm_on(bench, missing)
        self.plain.run(self.plain.missing())

    def confirm_on(self, bench: Bench, missing: Sequence[int]) -> None:
        """Run the missing items on an arm; what it cannot run is left to the plain loop.

        The names that the last item assigns are known from the plain loop, so those of this run are not needed.
        """
        names = self.wishes.temporaries

        def keep(index: int, value: Any) -> bool:
            self.plain.values[missing[index]] = value
            return False

        options = self.runner.PassOptions(output="keep", temporaries=names, chunk=self.wishes.chunk, progress=True)
        chosen = [self.items[position] for position in missing]
        try:
            with self.runner.lease(bench.backend, bench.arm.workers) as pool:
                outcome = self.runner.run_pass(self.function, chosen, pool, options, count=len(chosen), on_value=keep)
        except Exception:
            return
        self.plain.output += [(missing[index], stream, text) for index, stream, text in outcome.output]
        record = replace(outcome.record, messages=(), sample=tuple(missing))
        bench.passes.append(replace(record, ledger=None))

    def failed(self, failure: ItemFailed) -> tuple[Comparison, Kept]:
        """Return what there is when an item failed, as the plain loop would have failed: at the first that does."""
        position, error = failure.position, failure.error
        while missing := [p for p in self.plain.missing() if p < position]:
            try:
                self.plain.run(missing)
            except ItemFailed as earlier:
                position, error = earlier.position, earlier.error
        names = self.plain.names_until(position) | self.plain.locals_at(error)
        values = [self.plain.values[p] for p in range(position)]
        output = tuple(sorted((o for o in self.plain.output if o[0] <= position), key=lambda o: o[0]))
        problem = f"item {position} raised {in_words(error)}"
        trial = Trial("serial", 1, self.backends[0].label, problem=problem)
        comparison = replace(self.comparison(), trials=(trial,))
        return comparison, Kept(values, names, output, error, position)

    def kept(self) -> Kept:
        """Return what the user gets."""
        values = [self.plain.values[position] for position in range(len(self.items))]
        names = self.plain.names_until(len(self.items))
        return Kept(values, names, tuple(sorted(self.plain.output, key=lambda o: o[0])))

    def comparison(self) -> Comparison:
        """Return the comparison as far as it is."""
        order = {backend.name: index for index, backend in enumerate(self.backends)}
        trials = [*(bench.trial() for bench in self.benches), *self.problems]
        trials.sort(key=lambda trial: (order.get(trial.backend, 99), trial.workers))
        return Comparison(
            subject=self.subject,
            environment=self.environment,
            trials=tuple(trials),
            plan=self.plan,
            probe=self.probe,
            seconds=self.spent(),
            created=self.created,
            scaling=self.wishes.scaling,
        )


def in_words(error: BaseException) -> str:
    """Return an exception as one line."""
    text = str(error).strip().splitlines()
    first = text[0] if text else ""
    ours = type(error).__module__.startswith("concompare.")
    return first if ours and first else f"{type(error).__name__}: {first}" if first else type(error).__name__


def _bytes(messages: Sequence[Message], attribute: str) -> int | None:
    found = [getattr(m, attribute) / max(1, m.count) for m in messages]
    return round(stats.median(found)) if found else None
