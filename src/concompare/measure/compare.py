"""Plan and carry out a comparison: everything that costs time happens here, within the budget.

    calibrate ─► plan (shown) ─► probes ─► first block: every arm ─► blocks of the best ─► confirm
    the plain loop on the       machine,   warms up and runs once,   until decided or     the items that the
    first items, then on        GIL        capped when hopeless,     out of time          sample left out,
    some of every stretch                  results compared                               for the user

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
from typing import Any, Protocol, Unpack, cast

from concompare.analysis import pick as advise
from concompare.analysis import stats
from concompare.backends.base import Backend
from concompare.backends.traits import is_plain, kind_of, shares_objects
from concompare.engine.forecast import Standing
from concompare.machine import gil_enabled_by, gil_state
from concompare.measure import line_profiles, machine_probes, plan
from concompare.measure.baseline import ItemFailed, PlainLoop, Runner, printed_before
from concompare.measure.calibrate import Calibrating
from concompare.measure.cost_model import SHORT, Arm, Calibration, Costs, allowed
from concompare.measure.plan import Shape
from concompare.measure.tails import Tails, with_notebook
from concompare.measure.trials import Bench, Trials, Wished, Wishes, in_words, wishes_of
from concompare.records import Comparison, Environment, LineProfile, Message, NativePool, Plan, Probe, Subject, Trial

PROBE_ITEMS = 0.25
"""Seconds of items beside the GIL probe."""
LONGEST_PROBE = 1.0
NEARLY = 0.99
"""Share of the plan that is shown as done until it is."""
MOST_ITEMS_KEPT = 2000
"""Item times kept in the probe."""


class Machine(Protocol):
    """Measures the machine and the interpreter: `machine_probes`, or a simulated one."""

    @property
    def capacity(self) -> Callable[[Sequence[int]], tuple[tuple[int, float], ...]]: ...  # noqa: D102
    @property
    def capacity_quiet(self) -> Callable[[Sequence[int]], tuple[tuple[int, float], ...]]: ...  # noqa: D102
    @property
    def known(self) -> Callable[[Sequence[int]], bool]: ...  # noqa: D102
    @property
    def native_pools(self) -> Callable[[], tuple[NativePool, ...]]: ...  # noqa: D102
    @property
    def gil_share(self) -> Callable[[Callable[[], object]], machine_probes.Share]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a comparison is, for a live display.

    Attributes:
        fraction: How much of the plan is done: 1 at the end only.
        at_most: Seconds that are left at most where it takes longer than planned; else None.
    """

    plan: Plan | None
    comparison: Comparison
    doing: str
    fraction: float
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """Results that the user gets: those of one run of every item.

    Attributes:
        values: In input order. Where an item failed, those of the items before it.
        names: The temporaries as the plain loop would have left them.
        output: Position, stream and text of what the items printed, in item order.
        error: What an item raised, with which the plain cell would have ended; None when all went well.
        failed: Position of that item; `own`: those of the names that it had assigned itself.
    """

    values: list[Any]
    names: dict[str, Any] = field(default_factory=dict)
    output: tuple[tuple[int, str, str], ...] = ()
    error: BaseException | None = None
    failed: int | None = None
    own: tuple[str, ...] = ()


def compare(
    function: Callable[[Any], Any],
    items: Sequence[Any],
    *,
    backends: Sequence[Backend],
    subject: Subject,
    environment: Environment | None = None,
    runner: Runner | ModuleType | None = None,
    machine: Machine | ModuleType | None = machine_probes,
    show: Callable[[Progress], None] | None = None,
    progress: Callable[[Standing], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    tails: Tails | None = None,
    **wished: Unpack[Wished],
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
        machine: What measures capacity and GIL share; None to do without.
        show: Called when something begins.
        progress: Told how far the confirming run is.
        clock: Seconds.
        tails: Replays the tails of the first items for the plan; the others are left to the caller.
        wished: See `Wishes`.

    Raises:
        KeyboardInterrupt: The user interrupted before there was any pick, or once more; all pools are closed.
    """
    if runner is None:
        from concompare import engine

        runner = engine
    if environment is None:
        from concompare.machine import environment as look

        environment = look()
    comparing = Comparing(
        function=function,
        items=items,
        backends=_with_serial(backends),
        subject=replace(subject, items=len(items)),
        environment=environment,
        runner=cast(Runner, runner),
        machine=cast(Machine, machine) if machine is not None else None,
        wishes=wishes_of(wished, time.time_ns() % 10_000),
        show=show,
        progress=progress,
        clock=clock,
        tails=tails,
    )
    return comparing.run()


def _with_serial(backends: Sequence[Backend]) -> tuple[Backend, ...]:
    if not any(is_plain(backend) for backend in backends):
        from concompare.backends import plain

        return (plain(), *backends)
    return tuple(sorted(backends, key=lambda backend: not is_plain(backend)))


@dataclass
class Comparing:
    """A comparison at work."""

    function: Callable[[Any], Any]
    items: Sequence[Any]
    backends: Sequence[Backend]
    subject: Subject
    environment: Environment
    runner: Runner
    machine: Machine | None
    wishes: Wishes
    show: Callable[[Progress], None] | None
    progress: Callable[[Standing], None] | None
    clock: Callable[[], float]
    tails: Tails | None = None

    def __post_init__(self) -> None:
        now = self.clock()
        self.started = now if self.wishes.since is None else min(now, self.wishes.since)
        self.created = datetime.now(UTC).isoformat(timespec="seconds")
        self.benches: list[Bench] = []
        self.problems: list[Trial] = []
        self.plan: Plan | None = None
        self.probe = Probe()
        self.probed = 0
        self.probing = 0.0
        self.trials: Trials | None = None
        self.taken: float | None = None
        self.profiles: tuple[LineProfile, ...] = ()

    def run(self) -> tuple[Comparison, Kept]:
        """Measure, and return the comparison and what is kept for the user."""
        with ExitStack() as pools:
            wishes = self.wishes
            plain = self.runner.lease(self.backends[0], 1, native_threads=wishes.native_threads)
            pool = pools.enter_context(plain)
            self.plain = PlainLoop(self.function, self.items, pool, self.runner, wishes.temporaries, wishes.streams)
            try:
                if len(self.items):
                    self.measure(pools)
            except ItemFailed as failed:
                return self.failed(failed)
        self.tell("done")
        return self.comparison(), self.kept()

    def measure(self, pools: ExitStack) -> None:
        """Take the comparison's steps; where the user interrupts, take the pick so far for the items that are left.

        Raises:
            ItemFailed: An item raised in the plain loop.
            KeyboardInterrupt: The user interrupted before anything but the plain loop was tried, or once more.
        """
        try:
            self.explore(pools)
        except KeyboardInterrupt:
            if not any(bench.passes for bench in self.benches[1:]):
                raise
            self.taken = self.spent()
        for bench in self.benches:
            bench.stack.close()
            if self.taken is not None:
                bench.count_first()
        if self.trials is not None:
            self.learn(self.trials)
        self.confirm()

    def explore(self, pools: ExitStack) -> None:
        """Calibrate, plan, and run blocks until decided or out of time."""
        self.tell("timing the first items of the plain loop")
        gil, usable = self.environment.gil != "off", self.environment.usable
        calibrating = Calibrating(self.plain, self.wishes, gil, usable, self.spent, self.tails)
        calibration = calibrating.calibrate()
        shape, arms, calibration = self.prepare(calibration, pools)
        calibrating.later = calibration.later
        scouted = calibrating.scouted(calibration, shape)
        trials = self.trials = Trials(
            self.plain, self.runner, self.environment, self.wishes, shape, calibration, self.benches, scouted, pools,
            self.tell, self.spent, calibrating.tried, taken_away=getattr(self.machine, "taken_away", lambda: None),
        )  # fmt: skip
        if scouted:
            trials.scout()
        found = calibrating.run_sample(shape, calibration)
        self.say_sample(shape, found[0])
        trials.go_on(*found)
        trials.first_block()
        self.measure_machine(calibration, arms)
        if self.wishes.asked:
            self.profiles = line_profiles.of(trials)
        trials.more_blocks(self.plan.estimate if self.plan is not None else 0.0)
        if not self.wishes.asked:  # then the pick comes first
            self.profiles = line_profiles.of(trials)

    def spent(self) -> float:
        """Return the seconds since the comparison began."""
        return self.clock() - self.started

    def tell(self, doing: str) -> None:
        """Report progress."""
        if self.show is not None:
            planned = self.plan if self.wishes.enough is None else None
            estimate = planned.estimate if planned is not None else self.wishes.budget
            spent, done = self.spent(), doing == "done"
            fraction = 1.0 if done else min(NEARLY, spent / max(estimate, 1e-9))
            at_most = max(0.0, self.wishes.budget - spent) if spent > estimate and not done else None
            self.show(Progress(self.plan, self.comparison(), doing, fraction, at_most))

    # ---- before the trials

    def prepare(self, calibration: Calibration, pools: ExitStack) -> tuple[Shape, tuple[Arm, ...], Calibration]:
        """Choose the arms and the shape of passes, and show the plan; return the shape and all arms wanted.

        The calibration is returned with the seconds that are needed once it is decided.
        """
        usable, weak = self.environment.usable, self.wishes.scaling == "weak"
        native = self.native_threads(calibration)
        wanted = plan.arms_of(
            self.able_backends(), usable, self.wishes.workers, calibration.waits, native, calibration.items
        )
        if self.wishes.native_threads is not None:
            wanted = tuple(replace(arm, native=self.wishes.native_threads) for arm in wanted)
        self.probing = self.probing_seconds(calibration, wanted)
        scouts = len(plan.scouting(wanted)) - 1 if calibration.serial >= SHORT and not weak else 0
        probing = self.probing + plan.SCOUT * scouts
        wishes, budget, asked = self.wishes, self.wishes.budget, self.wishes.asked
        calibration = replace(calibration, later=self.later_seconds(calibration, wanted))
        passes = plan.LEAST_BLOCKS if wishes.enough is None else plan.MANY_BLOCKS
        shape = plan.shape(calibration, wanted, budget, usable, probing, weak, asked, passes)
        shape = plan.like(shape, wishes.places, len(self.items), wishes.temporaries)
        confirming = self.confirming_seconds(calibration, shape)
        self.plan = plan.plan_of(shape, len(self.items), self.wishes.budget, self.wishes.seed, confirming, weak)
        self.plan = plan.with_replaying(self.plan, calibration.beside)
        self.make_benches(wanted, shape, pools)
        self.tell("plan")
        return shape, wanted, calibration

    def say_sample(self, planned: Shape, found: Shape) -> None:
        """Say in the plan how many items the sample has, where it turned out to be another than was planned."""
        if self.plan is None or found.mode != "sampled" or found.size == planned.size:
            return
        wishes, confirming, replaying = self.wishes, self.plan.confirming, self.plan.replaying
        weak = wishes.scaling == "weak"
        self.plan = plan.plan_of(found, len(self.items), wishes.budget, wishes.seed, confirming, weak)
        self.plan = plan.with_replaying(self.plan, replaying)

    def native_threads(self, calibration: Calibration) -> int:
        """Return the threads of the largest native pool where items use one that is not limited; else 1."""
        if self.machine is None or calibration.native < plan.NATIVE or self.wishes.native_threads is not None:
            return 1
        return max((pool.threads for pool in self.machine.native_pools()), default=1)

    def able_backends(self) -> list[Backend]:
        """Return the backends that can run here; the others become rows."""
        able = []
        for backend in self.backends:
            reason = backend.unavailable()
            if reason is None:
                able.append(backend)
            else:
                workers = max(plan.ladder(self.environment.usable, self.wishes.workers))
                row = Trial(backend.name, workers, backend.label, problem=reason, **kind_of(backend))
                self.problems.append(row)
        return able

    def make_benches(self, wanted: Sequence[Arm], shape: Shape, pools: ExitStack) -> None:
        """Make a bench of every arm that fits the plan; the others become rows that say so."""
        by_name = {backend.name: backend for backend in self.backends}
        for arm in wanted:
            if arm in shape.arms:
                stack = pools.enter_context(ExitStack())
                self.benches.append(Bench(arm, by_name[arm.backend], stack))
            else:
                reason = f"not run: one pass does not fit the budget of {self.wishes.budget:g} s"
                backend = by_name[arm.backend]
                row = Trial(arm.backend, arm.workers, backend.label, problem=reason, native_threads=arm.native)
                self.problems.append(replace(row, **kind_of(backend)))

    def counts(self, wanted: Sequence[Arm]) -> list[int]:
        """Return the worker counts for which the machine's capacity matters."""
        return sorted({arm.workers for arm in wanted if 1 < arm.workers <= self.environment.usable})

    def probing_seconds(self, calibration: Calibration, wanted: Sequence[Arm]) -> float:
        """Return what the probes will take; 0 when they are not wanted or would take a good part of the time."""
        counts, machine = self.counts(wanted), self.machine
        if machine is None:
            return 0.0
        needed = (len(counts) + 2) * machine_probes.SPIN + 0.1 if counts and not machine.known(counts) else 0.0
        needed += 3 * machine_probes.CALIBRATE + min(LONGEST_PROBE, max(PROBE_ITEMS, calibration.mean))
        room = allowed(calibration, self.wishes.budget, self.wishes.asked) - calibration.spent
        return needed if needed < room / 4 else 0.0

    def measure_machine(self, calibration: Calibration, wanted: Sequence[Arm]) -> None:
        """Measure what n processes really get, and for how much of its time the plain loop holds the GIL."""
        machine = self.machine
        estimate = self.plan.estimate if self.plan is not None else 0.0
        if machine is None or not self.probing or self.spent() + self.probing > estimate:
            return
        self.tell("measuring what this machine gives")
        counts = self.counts(wanted)
        share = machine_probes.Share(None, "items too long to probe")
        capacity = machine.capacity(counts) if counts else ()
        if calibration.mean <= LONGEST_PROBE:
            share = machine.gil_share(lambda: self.probe_items(calibration))
        pools = machine.native_pools()
        self.probe = replace(
            self.probe,
            capacity=capacity,
            capacity_quiet=machine.capacity_quiet(counts),
            gil_share=share.value,
            gil_word=share.word,
            native_pools=pools,
        )

    def probe_items(self, calibration: Calibration) -> None:
        """Run items of the plain loop for the GIL probe, a quarter of a second of them."""
        options = self.runner.PassOptions(output="drop", temporaries=self.wishes.temporaries)
        size = max(1, int(PROBE_ITEMS / 4 / calibration.mean))
        end = self.clock() + PROBE_ITEMS
        while self.clock() < end:
            chosen = [self.items[position] for position in list(self.plain.values)[:size]]
            self.runner.run_pass(self.function, chosen, self.plain.pool, options, count=len(chosen))
            self.probed += 1

    def later_seconds(self, calibration: Calibration, wanted: Sequence[Arm]) -> float:
        """Guess how long it takes from the decision to the report: the other items with the pick, and drawing.

        Items that take most of the budget by themselves come on top of it, as the plan says.
        """
        rest, budget = len(self.items) - calibration.done, self.wishes.budget
        if rest <= 0 or self.wishes.scaling != "strong" or calibration.serial < budget / 4:
            return self.wishes.drawing
        costs = Costs(calibration, self.environment.usable)
        running = min(costs.one(arm, rest) for arm in wanted)
        return self.wishes.drawing + (running if running <= budget / 2 else 0.0)

    def confirming_seconds(self, calibration: Calibration, shape: Shape) -> float:
        """Guess how long the items that the sample leaves out will take with the pick."""
        rest = len(self.items) - max(shape.size, calibration.done)
        if rest <= 0 or shape.mode != "sampled":
            return 0.0
        costs = Costs(calibration, self.environment.usable)
        return min(costs.one(arm, rest) for arm in shape.arms)

    # ---- after the trials

    def learn(self, trials: Trials) -> None:
        """Add what the passes told about the task to the probe."""
        known = [bench.trial() for bench in self.benches]
        usual = self.wishes.native_threads
        pairs = [t for t in known if t.threads and t.workers == 2 and t.native_threads == usual]
        two = pairs[0] if pairs else None
        between = stats.speed_up(two, known[0]) if two is not None else None
        away = [b for b in self.benches if b.arm.isolation not in ("none", "thread")]
        shipped = [message for bench in away for p in bench.passes for message in p.messages]
        ran = {*trials.sample, *trials.tried} & set(self.plain.seconds)
        order = plan.thinned(sorted(ran), MOST_ITEMS_KEPT)  # not the prefix as such
        if self.environment.free_threaded_build:  # an item may have imported what switches the GIL back on
            self.environment = replace(self.environment, gil=gil_state())
        enabled_by = gil_enabled_by() if self.environment.gil == "re-enabled" else None
        self.probe = replace(
            self.probe,
            item_seconds=tuple(self.plain.seconds[p] for p in order),
            item_cpu=tuple(self.plain.cpu.get(p, 0.0) for p in order),
            two_threads=between.mid if between is not None else None,
            bytes_in=_bytes(shipped, "bytes_in"),
            bytes_out=_bytes(shipped, "bytes_out"),
            executions=trials.runs + self.probed,
            hidden_state=trials.hidden_state,
            shared_random=trials.shared_random,
            gil_enabled_by=enabled_by,
            native_share=self.plain.native_share,
        )

    def confirm(self) -> None:
        """Run the items that were left out once with the pick, for the results the user keeps."""
        missing = self.plain.missing()
        if not missing:
            return
        pick = advise.pick(self.comparison())
        wanted = (pick.backend, pick.workers)
        found = [b for b in self.benches if b.arm.key == wanted and b.arm.native == pick.native_threads]
        bench = found[0] if found else self.benches[0]
        self.tell(f"{bench.arm.name}: the other {len(missing)} items, for the results")
        if bench is not self.benches[0]:
            self.confirm_on(bench, missing)
        self.plain.run(self.plain.missing())

    def confirm_on(self, bench: Bench, missing: Sequence[int]) -> None:
        """Run the missing items on an arm; what it cannot run is left to the plain loop.

        The names that workers give back are those of the whole run. They are enough when the items that ran before come
        first, and not needed when the last item ran before and assigned them all; else every item gives back its own.
        """
        wanted, plain = self.wishes.temporaries, self.plain
        after = max(plain.names, default=-1) < missing[0]
        each = not after and not set(wanted) <= set(plain.names.get(len(self.items) - 1, ()))

        def keep(index: int, value: Any) -> bool:
            if each:
                plain.keep(missing[index], value)
            else:
                plain.values[missing[index]] = value
            return False

        options = self.runner.PassOptions(
            output="keep",
            temporaries=() if each else wanted,
            chunk=self.wishes.chunk,
            progress=self.progress,
            places=missing,
            seed=self.wishes.streams,
        )
        chosen = [self.items[position] for position in missing]
        try:
            lease = self.runner.lease(bench.backend, bench.arm.workers, native_threads=bench.arm.native)
            with lease as pool:
                outcome = self.runner.run_pass(self.function, chosen, pool, options, count=len(chosen), on_value=keep)
        except Exception:
            plain.output += [line for line in printed_before(self.runner, missing) if line[0] in plain.values]
            return
        plain.output += [(missing[index], stream, text) for index, stream, text in outcome.output]
        if after and wanted:
            plain.names[missing[-1]] = outcome.names
        bench.passes.append(replace(outcome.record, messages=(), sample=tuple(missing)))

    def failed(self, failure: ItemFailed) -> tuple[Comparison, Kept]:
        """Return what there is when an item failed, as the plain loop would have failed: at the first that does."""
        position, error = failure.position, failure.error
        while missing := [p for p in self.plain.missing() if p < position]:
            try:
                self.plain.run(missing)
            except ItemFailed as earlier:
                position, error = earlier.position, earlier.error
        self.plain.find_names(position)
        own = self.plain.locals_at(error)
        names = self.plain.names_until(position) | own
        values = [self.plain.values[p] for p in range(position)]
        output = tuple(o for o in self.printed() if o[0] <= position)
        problem = f"item {position} raised {in_words(error)}"
        plain = self.backends[0]
        trial = Trial(plain.name, 1, plain.label, problem=problem, **kind_of(plain))
        comparison = replace(self.comparison(), trials=(trial,))
        return comparison, Kept(values, names, output, error, position, tuple(own))

    def printed(self) -> tuple[tuple[int, str, str], ...]:
        """Return what items printed, in item order."""
        return tuple(sorted(self.plain.output, key=lambda line: line[0]))

    def kept(self) -> Kept:
        """Return what the user gets."""
        values = [self.plain.values[position] for position in range(len(self.items))]
        return Kept(values, self.plain.names_until(len(self.items)), self.printed())

    def comparison(self) -> Comparison:
        """Return the comparison as far as it is."""
        order = {backend.name: index for index, backend in enumerate(self.backends)}
        if self.environment.gil == "off":  # then threads come first
            here = {backend.name for backend in self.backends if shares_objects(backend)}
            order |= {name: place - len(order) for name, place in order.items() if name in here}
        trials = [*(bench.trial() for bench in self.benches), *self.problems]
        trials.sort(key=lambda t: (order.get(t.backend, 99), t.workers, t.native_threads or 0))
        found = Comparison(
            subject=self.subject,
            environment=self.environment,
            trials=tuple(trials),
            plan=self.plan,
            probe=self.probe,
            seconds=self.spent(),
            created=self.created,
            scaling=self.wishes.scaling,
            taken=self.taken,
            profiles=self.profiles,
        )
        return found if self.tails is None else with_notebook(found, self.tails.record(len(self.items)))


def _bytes(messages: Sequence[Message], attribute: str) -> int | None:
    found = [getattr(m, attribute) / max(1, m.count) for m in messages]
    return round(stats.median(found)) if found else None
