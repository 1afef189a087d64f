"""Simulated machines with a clock of their own: what the planner and the explanations are tested on."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from concompare.backends.traits import Handling
from concompare.engine import outcome
from concompare.measure import compare, machine_probes
from concompare.measure.compare import Kept
from concompare.records import Comparison, Environment, Message, NativePool, Pass, Subject, Trial


@dataclass(frozen=True)
class FakeBackend:
    name: str
    label: str = ""
    isolation: str = "thread"
    chunk: int | None = None
    ephemeral: bool = False
    reason: str | None = None
    handling: Handling = field(default_factory=Handling)

    def unavailable(self) -> str | None:
        return self.reason

    def open(self, workers: int, start: Any) -> Any:
        raise NotImplementedError

    def processes(self, executor: Any) -> list[Any]:
        return []

    def kill(self, executor: Any) -> None: ...


SERIAL = FakeBackend("serial", "plain loop", "none")
THREADS = FakeBackend("threads", "threads", "thread", handling=Handling(native="pass"))
PROCESSES = FakeBackend("processes", "processes", "process")
BACKENDS: tuple[Any, ...] = (SERIAL, THREADS, PROCESSES)


@dataclass(frozen=True)
class Cost:
    """What an item costs: CPU seconds, seconds of waiting, share of the CPU seconds that hold the GIL, native CPU."""

    cpu: float = 0.0
    wait: float = 0.0
    gil: float = 1.0
    native: float = 0.0


@dataclass
class FakePool:
    backend: FakeBackend
    workers: int
    start_up: float
    got: int | None
    closed: bool = False
    native_threads: int | None = None


@dataclass
class FakeOutcome:
    values: list[Any]
    record: Pass
    names: dict[str, Any] = field(default_factory=dict)
    output: tuple[tuple[int, str, str], ...] = ()
    stopped: bool = False
    hidden_state: tuple[str, ...] = ()
    shared_random: str | None = None


@dataclass
class World:
    """A machine and a task.

    Attributes:
        cost: An item to its cost.
        capacity_of: For n busy workers, how many CPUs' worth they get.
        overhead: Seconds per message between processes; threads take a tenth.
        dispatch: Seconds of the notebook's own process per message, one after the other.
        spawn: CPU seconds to start a process.
        contention: How much longer computing takes per further busy worker (memory bandwidth, locks).
        crowding: How much longer computing takes in threads whose native threads are not limited.
        noise: Relative standard deviation of a pass.
        drift: Relative slowdown per second of the world's clock.
        before: Called with (backend, workers, pass number) before every pass, to break or change something.
    """

    cost: Callable[[Any], Cost]
    cpus: int = 2
    physical: int | None = None
    quota: float | None = None
    overhead: float = 0.0002
    dispatch: float = 0.00003
    spawn: float = 0.1
    contention: float = 0.0
    contention_of: dict[str, float] = field(default_factory=dict)
    memory_per_worker: int | None = None
    memory_available: int | None = None
    prints: bool = False
    pools_of_items: tuple[NativePool, ...] = ()
    crowding: float = 1.0
    noise: float = 0.0
    drift: float = 0.0
    busy: float = 0.0
    seed: int = 1
    now: float = 1000.0
    before: Callable[[str, int, int], None] | None = None
    change: Callable[[str, int, list[Any]], list[Any]] | None = None
    executions: list[tuple[str, Any]] = field(default_factory=list)
    order: list[tuple[str, int]] = field(default_factory=list)
    pools: list[FakePool] = field(default_factory=list)
    options: list[outcome.PassOptions] = field(default_factory=list)
    PassOptions = outcome.PassOptions

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def clock(self) -> float:
        return self.now

    def environment(self) -> Environment:
        usable = self.cpus if self.quota is None else max(1, min(self.cpus, round(self.quota + 0.49)))
        return Environment(
            "3.11.7",
            "CPython",
            "Linux",
            "x86_64",
            self.cpus,
            usable,
            quota=self.quota,
            physical=self.physical,
            memory_available=self.memory_available,
        )

    def capacity_of(self, n: int) -> float:
        physical = self.physical or self.cpus
        cores = min(n, physical) + 0.25 * max(0, min(n, self.cpus) - physical)
        limit = self.quota if self.quota is not None else cores
        return max(0.05, min(cores, limit, n) * (1 - self.busy))

    def capacity(self, counts: Sequence[int]) -> tuple[tuple[int, float], ...]:
        self.now += 0.1 * (len(counts) + 2)
        return ((1, 1.0), *((n, self.capacity_of(n) / self.capacity_of(1)) for n in counts))

    def known(self, counts: Sequence[int]) -> bool:
        """Say that the capacity has to be measured, whatever this process has measured."""
        return False

    def native_pools(self) -> tuple[NativePool, ...]:
        return self.pools_of_items

    def capacity_quiet(self, counts: Sequence[int]) -> tuple[tuple[int, float], ...]:
        """Return the same without what others use."""
        return tuple((n, min(float(n), got / (1 - self.busy))) for n, got in self.capacity(counts))

    def gil_share(self, run: Callable[[], object]) -> machine_probes.Share:
        self.now += 0.3
        run()
        return machine_probes.Share(None, "simulated")

    @contextmanager
    def lease(
        self, backend: FakeBackend, workers: int, fresh: bool = False, native_threads: int | None = None
    ) -> Iterator[FakePool]:
        here = 0.001 if backend.isolation == "thread" else 0.0
        away = backend.isolation not in ("none", "thread")
        start_up = 0.15 + 0.01 * workers + self.spawn * workers / self.cpus if away else here
        self.now += start_up
        pool = FakePool(backend, workers, start_up, workers, native_threads=native_threads)
        self.pools.append(pool)
        try:
            yield pool
        finally:
            pool.closed = True

    def durations(self, costs: Sequence[Cost], isolation: str, workers: int) -> list[float]:
        n = max(1, min(workers, len(costs)))
        cap = self.capacity_of(n)
        grown = 1 + self.contention * (n - 1)
        shared = isolation in ("thread", "none")
        return [
            max(c.cpu * grown + c.wait, n * c.cpu * grown / cap, n * c.cpu * c.gil if shared else 0.0) for c in costs
        ]

    def run_pass(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        pool: FakePool,
        options: outcome.PassOptions,
        count: int | None = None,
        on_value: Callable[[int, Any], bool] | None = None,
    ) -> FakeOutcome:
        name, isolation = pool.backend.name, pool.backend.isolation
        self.order.append((name, pool.workers))
        self.options.append(options)
        if self.before is not None:
            self.before(name, pool.workers, len(self.order))
        values = []
        merged: dict[str, Any] = {}
        for index, item in enumerate(items):
            self.executions.append((name, item))
            value = function(item)
            if options.temporaries:
                value, names = value
                merged.update(names)
            values.append(value)
            if on_value is not None:
                on_value(index, value)
        if self.change is not None:
            values = self.change(name, pool.workers, values)
        crowded = self.crowding if isolation == "thread" and pool.native_threads is None else 1.0
        grown = self.contention_of.get(name, 1.0) * crowded
        costs = [replace(cost, cpu=cost.cpu * grown) for cost in map(self.cost, items)]
        record = self.simulate(costs, isolation, pool.workers)
        if options.memory and self.memory_per_worker is not None:
            sizes = (self.memory_per_worker,) * pool.workers
            record = replace(record, peak_memory=sum(sizes), worker_memory=sizes)
        if options.cap is not None and record.wall > options.cap:
            record = replace(record, wall=options.cap, stopped=f"capped at {options.cap:.3g} s")
        self.now += record.wall
        printed = tuple((i, "stdout", f"{item}\n") for i, item in enumerate(items))
        return FakeOutcome(values, record, merged, printed if self.prints and options.output == "keep" else ())

    def simulate(self, costs: Sequence[Cost], isolation: str, workers: int) -> Pass:
        slow = (1 + self.drift * (self.now - 1000.0)) * max(0.3, self.chance.gauss(1, self.noise))
        handing = {"none": 0.0, "thread": self.overhead / 10}.get(isolation, self.overhead)
        n = max(1, min(workers, len(costs)))
        free = [(0.0, w) for w in range(n)]
        messages = []
        for first, (cost, long) in enumerate(zip(costs, self.durations(costs, isolation, workers), strict=True)):
            at, worker = heapq.heappop(free)
            at = max(at, first * self.dispatch) if isolation != "none" else at
            start, end = at + handing, at + handing + long * slow
            heapq.heappush(free, (end, worker))
            computing = cost.cpu * (1 + self.contention * (n - 1))
            waited = (
                max(0.0, n * computing / self.capacity_of(n) - computing)
                if n * computing / self.capacity_of(n) <= long
                else 0.0
            )
            messages.append(
                Message(
                    first,
                    1,
                    worker,
                    at,
                    start,
                    start,
                    end,
                    end,
                    end,
                    cpu=computing * slow,
                    native_cpu=cost.native,
                    waited=min(waited * slow, max(0.0, end - start - computing * slow)),
                    seconds=(end - start,),
                )
            )
        wall = max((m.end for m in messages), default=0.0)
        return Pass(len(costs), wall, sum(m.cpu for m in messages), messages=tuple(messages))

    def truth(self, items: Sequence[Any], backend: FakeBackend, workers: int) -> float:
        """Return the noiseless seconds of a whole pass."""
        quiet = replace(self, noise=0.0, drift=0.0, executions=[], order=[], pools=[], options=[])
        return quiet.simulate([self.cost(item) for item in items], backend.isolation, workers).wall


def double(x: int) -> int:
    return 2 * x


def run(
    world: World,
    items: Sequence[Any],
    function: Callable[[Any], Any] = double,
    backends: Sequence[Any] = BACKENDS,
    **more: Any,
) -> tuple[Comparison, Kept]:
    return compare.compare(
        function,
        items,
        backends=backends,
        subject=Subject("f"),
        runner=world,
        machine=world,
        clock=world.clock,
        **{"seed": 3, "environment": world.environment(), **more},
    )


def of(comparison: Comparison, backend: str, workers: int) -> Trial:
    return next(t for t in comparison.trials if (t.backend, t.workers) == (backend, workers))
