"""Measurements as frozen data: everything after the measuring works on these alone.

    Comparison ── Subject · Environment · Plan · Probe · LineProfile ── Line
        └─ Trial ── Pass ── Ledger · Message

Times are seconds, sizes are bytes. Raw values are kept; medians, intervals and verdicts are derived.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

SCHEMA = 4
"""Version of the saved form. 1: first. 2: what the notebook itself does of a loop, with every pass and by itself.
3: what the workers of a trial share with the notebook, and are like; whether results differ by rounding only.
4: at which of the user's lines the items were; what spinning processes would get on a quiet machine; whether an
interrupt took the pick so far, and what a hypervisor or a limit took from every pass.
"""

DECLARED = 3
"""The first version whose trials say of what kind their workers are."""

Isolation = Literal["none", "thread", "interpreter", "process", "cluster", "unknown"]
"""What a worker shares with the notebook: everything ("none" runs in its very thread, "thread"), or nothing."""


AS_WRITTEN = "as-written"
"""Stands for a backend in the trial of the parallel code that a cell has itself; it is never the pick."""
PLAIN, THREADS, PROCESSES = "serial", "threads", "processes"
"""Names of the backends that are always there: the plain loop, and what `auto` chooses from besides."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to a worker and its answer: a chunk of items.

    The six moments are seconds since the pass began. `received` to `start` is unpacking in the worker (also of items
    that were unpacked one by one between the calls: then `start` is so much later than the first call), `end` to
    `returned` packing the answer; `packing` is what the notebook's own process spent packing and unpacking.

    Attributes:
        first: Position of the first item in the input.
        count: Number of items.
        worker: Which worker, from 0.
        cpu: CPU seconds of the worker's thread between `start` and `end`.
        native_cpu: CPU seconds of the other threads of the worker's process (BLAS, OpenMP) in that time; 0 for threads.
        waited: Seconds ready to run but without a CPU in that time; None where the system does not tell.
        seconds: Time of each item, where items were timed one by one; empty for tiny items.
    """

    first: int
    count: int
    worker: int
    sent: float
    received: float
    start: float
    end: float
    returned: float
    done: float
    cpu: float = 0.0
    native_cpu: float = 0.0
    waited: float | None = None
    packing: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: tuple[float, ...] = ()


SETTERS = tuple(getattr(Message, part.name).__set__ for part in fields(Message))


def message_of(*values: Any) -> Message:
    """Return a message with all of these attributes, in less than half the time that its class takes for that."""
    made = object.__new__(Message)
    for put, value in zip(SETTERS, values, strict=True):
        put(made, value)
    return made


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of time in which a thread's shares did not change: on a CPU, ready without one; the rest blocked."""

    start: float
    end: float
    computing: float
    waiting: float


@dataclass(frozen=True, slots=True)
class Track:
    """Timeline of one worker's thread, seen from outside.

    Attributes:
        ident: Process id and thread id.
        slices: In order of time, in seconds since the pass began.
    """

    ident: tuple[int, int]
    slices: tuple[Slice, ...]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where workers × wall of one pass went, in worker-seconds; the parts sum to `total` but for `unexplained`.

    `lock` is the time blocked beyond what the plain loop is blocked for the same items: the GIL or another lock.
    `waiting` is None where the system does not tell it from `lock`.
    """

    total: float
    computing: float
    waiting: float | None
    lock: float
    io: float
    sending: float
    idle: float

    @property
    def unexplained(self) -> float:
        """Return the worker-seconds that no part accounts for (negative where the parts overlap)."""
        parts = self.computing + (self.waiting or 0.0) + self.lock + self.io + self.sending + self.idle
        return self.total - parts


@dataclass(frozen=True, slots=True)
class Pass:
    """All items, or a sample of them, once, on one backend at one worker count.

    Attributes:
        wall: Seconds of one pass of heads. Where it was repeated `loops` times for one sample, the mean of them.
        cpu: CPU seconds of all workers, native threads included.
        sample: Positions of the items that ran; empty when all of them ran.
        stands_for: How many items of the task the pass stands for, where it ran a sample whose last items kept fewer
            workers busy than all items would: by list scheduling of the measured item times. None: as many as ran.
        block: Which randomised block it was part of, from 0; -1 outside the blocks.
        warm_up: True for the first pass of a pool, which no statistic uses.
        stopped: Why the pass was cut short ("capped at 2.1 s"), or None. No statistic uses a stopped pass.
        peak_memory: Highest memory of all workers together (PSS on Linux, else USS), or None where not measured.
        worker_memory: The same of each worker, the highest first; empty where not measured.
        messages: Kept for one pass of a trial, to bound what is stored; empty for the others.
        tracks: When each worker was on a CPU, where that was recorded.
        gil: On a free-threaded build, the state of the notebook's GIL before and after; empty elsewhere.
        beside: Seconds that the notebook's own part of these items, their tails and the taking of them, adds to `wall`.
        stolen: CPU seconds in one pass that a hypervisor or the container's limit took from this machine; None where
            the system does not tell.
    """

    items: int
    wall: float
    cpu: float
    loops: int = 1
    block: int = -1
    warm_up: bool = False
    sample: tuple[int, ...] = ()
    stands_for: float | None = None
    failures: int = 0
    stopped: str | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    packing: float = 0.0
    peak_memory: int | None = None
    worker_memory: tuple[int, ...] = ()
    ledger: Ledger | None = None
    messages: tuple[Message, ...] = ()
    tracks: tuple[Track, ...] = ()
    gil: tuple[str, ...] = ()
    beside: float = 0.0
    stolen: float | None = None

    @property
    def whole(self) -> float:
        """Return the seconds of the loop: heads, tails and the taking of items."""
        return self.wall + self.beside


@dataclass(frozen=True, slots=True)
class Traits:
    """What a backend's workers are like, besides what they share with the notebook.

    Findings, the pick and its script follow from these, so that a backend of another package gets them as ours do.

    Attributes:
        worker: What one worker is called in a sentence ("loky worker"); empty: they go by the backend's label.
        together: Whether items may compute at the same time; those of an event loop take turns in one thread.
        starts: Whether opening a pool starts its workers; those of the user or of a cluster are there already.
        cost: Place among the backends from the one that costs least to have, which breaks ties; None: by isolation.
        script: What opens such a pool in a script: a class of `concurrent.futures`, a function of loky; empty: nothing.
        method: Start method of its processes there; empty: the safe one of the platform.
        python: Version of the other Python that the workers run; empty: the notebook's own.
    """

    worker: str = ""
    together: bool = True
    starts: bool = True
    cost: int | None = None
    script: str = ""
    method: str = ""
    python: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One backend at one worker count: its passes, or why it could not run.

    Attributes:
        label: The backend as shown ("plain loop", "processes").
        isolation: What its workers share with the notebook.
        traits: What they are like.
        start_up: Seconds from opening the pool until all workers answered; None where no pool was opened.
        cold: Seconds of the first time: start-up plus the first pass.
        got: How many distinct workers answered; fewer than `workers` is shown.
        same: Whether the results equal the plain loop's; None where they could not be compared.
        problem: Why it could not run, or was stopped, in one sentence; None when it ran.
        difference: What differs, in one sentence, when `same` is False.
        rounding: Whether that differs in its last digits only.
        native_threads: Threads per native pool (BLAS, OpenMP) in each worker, where they were limited; None otherwise.
    """

    backend: str
    workers: int
    label: str = ""
    passes: tuple[Pass, ...] = ()
    start_up: float | None = None
    cold: float | None = None
    got: int | None = None
    same: bool | None = None
    difference: str | None = None
    problem: str | None = None
    native_threads: int | None = None
    isolation: Isolation = "unknown"
    traits: Traits = Traits()
    rounding: bool = False

    @property
    def timed(self) -> tuple[Pass, ...]:
        """Return the passes that statistics use: no warm-ups, none cut short."""
        return tuple(p for p in self.passes if not p.warm_up and p.stopped is None)

    @property
    def plain(self) -> bool:
        """Return whether it is the notebook's plain loop."""
        return self.isolation == "none" and not self.traits.python

    @property
    def threads(self) -> bool:
        """Return whether items run at the same time in threads of one process."""
        return self.isolation == "thread" and self.traits.together

    @property
    def sends(self) -> bool:
        """Return whether items and results are sent, as bytes, to workers that share nothing with the notebook."""
        return self.isolation not in ("none", "thread") and not self.as_written

    @property
    def as_written(self) -> bool:
        """Return whether it is the parallel code that the cell has itself."""
        return self.backend == AS_WRITTEN


@dataclass(frozen=True, slots=True)
class ShortForm:
    """A loop as plain Python that runs by itself.

    Attributes:
        function: Source of the function of an item.
        turn: Source of the loop over what it gives back, which walks `zip(items, map(compute, items))`.
        items: Source of what is walked.
        part: Which node of its statement the loop is, in the order of `ast.walk`.
        reason: Why it cannot be written so, as the rest of a sentence; empty where it can.
        shows: The function shows lines.
        taken: Names of the notebook that a script must not use otherwise.
    """

    function: str = ""
    turn: str = ""
    items: str = ""
    part: int = 0
    reason: str = ""
    shows: bool = False
    taken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """The task that was compared, as data.

    Attributes:
        name: What the table's caption calls it ("score", "the loop at line 3").
        kind: "loop", "comprehension", "map", "function" or "call".
        source: The cell as written; `statement` says which of its statements, from 0, holds what ran in workers.
        head: Source of the function that ran in workers.
        tail: Source of what was replayed in the notebook; empty when there is none.
        items: Number of items.
        blob: Bytes of the function as shipped, captured values included; None where it was not shipped.
        captured: Name and bytes of the larger captured values.
        staying: The call that stays in the notebook ("`m.fit` at line 3"); empty where none is worth naming.
        short: The loop as a script has it.
    """

    name: str
    kind: str = "map"
    source: str = ""
    head: str = ""
    tail: str = ""
    items: int = 0
    blob: int | None = None
    captured: tuple[tuple[str, int], ...] = ()
    statement: int | None = None
    staying: str = ""
    short: ShortForm | None = None


@dataclass(frozen=True, slots=True)
class NativePool:
    """A BLAS or OpenMP thread pool loaded in a process."""

    api: str
    library: str
    threads: int


@dataclass(frozen=True, slots=True)
class Environment:
    """This machine and this Python, as far as they bear on running in parallel.

    Attributes:
        cpus: Logical CPUs of the machine.
        affinity: CPUs that this process may use; None where the system does not tell.
        quota: CPUs' worth of time the container may use (cgroup), or None for no limit.
        usable: What concompare counts with: the least of these, and at least 1.
        physical: Physical cores, or None where the system does not tell.
        gil: "on", "off", or "re-enabled" (a free-threaded build on which an import switched it back on).
        start_methods: Start methods of multiprocessing here; `start_method` is the one `processes` uses.
        threads: Threads that run in this process now: what a fork would copy half of.
        variables: Thread-count variables found in the environment (OMP_NUM_THREADS and such).
        packages: Versions of the packages that bear on the measurement.
        hazards: One sentence each.
        untold: What this system does not tell: "waiting" (for a CPU), "limits" (of a container), "load", "sharing"
            (which memory workers share).
    """

    python: str
    implementation: str
    platform: str
    machine: str
    cpus: int
    usable: int
    affinity: int | None = None
    quota: float | None = None
    physical: int | None = None
    processor: str = ""
    memory: int | None = None
    memory_available: int | None = None
    memory_limit: int | None = None
    load: float | None = None
    gil: str = "on"
    free_threaded_build: bool = False
    start_methods: tuple[str, ...] = ()
    start_method: str = ""
    threads: int = 1
    native_pools: tuple[NativePool, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    packages: tuple[tuple[str, str], ...] = ()
    hazards: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a comparison within its budget, printed before it runs.

    Attributes:
        estimate: Seconds it was expected to take; never above `budget`.
        confirming: Seconds the run that gives the user the cell's results was expected to take, when it comes on top.
        replaying: Seconds that the tails of the other items were expected to take in the notebook, at the end.
        seed: Seed of the order of the blocks and of the sample.
        sampled: Items in a sample; None when every pass runs all items.
        steps: The steps in words, in order.
    """

    budget: float
    estimate: float
    seed: int
    blocks: int = 0
    sampled: int | None = None
    confirming: float = 0.0
    replaying: float = 0.0
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """Calibration: measurements of the task and the machine before the trials.

    Attributes:
        item_seconds: Times of the items of the plain loop, as sampled.
        item_cpu: CPU seconds of the same items, native threads included.
        capacity: For n spinning processes, how many times one process's work the machine did: ((2, 1.9), …).
        capacity_quiet: The same as it would be if nobody else used the CPUs, by the CPU seconds that they had.
        two_threads: Speed-up of the same items on two threads against one; None where not run.
        gil_share: Share of the time the plain loop holds the GIL, rounded to 0.05; None where it cannot be told.
        gil_word: That share in words, or why it cannot be told ("machine too busy to tell", "no GIL").
        bytes_in: Bytes of an item as sent, median; bytes_out of a result.
        native_pools: Native thread pools seen in a worker.
        executions: How often each item was run, at most, in the whole comparison.
        native_share: Share of the CPU seconds that native threads (BLAS, OpenMP) computed; None where not known.
        gil_enabled_by: The module whose import switched the GIL of a free-threaded Python back on, where that is known.
    """

    item_seconds: tuple[float, ...] = ()
    item_cpu: tuple[float, ...] = ()
    capacity: tuple[tuple[int, float], ...] = ()
    two_threads: float | None = None
    gil_share: float | None = None
    gil_word: str = ""
    bytes_in: int | None = None
    bytes_out: int | None = None
    native_pools: tuple[NativePool, ...] = ()
    executions: int = 0
    hidden_state: tuple[str, ...] = ()
    shared_random: str | None = None
    gil_enabled_by: str | None = None
    native_share: float | None = None
    capacity_quiet: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Notebook:
    """Time of the notebook's own process for one run of the loop beside the heads; measured once.

    Attributes:
        taking: Seconds of taking the items from what the loop walks.
        replaying: Seconds of the tails, those to come like the others so far; 0 where they are too short to tell.
        tails: How many were replayed.
        tail_seconds: Times of tails one by one, some of every stretch where they are many.
    """

    taking: float = 0.0
    replaying: float = 0.0
    tails: int = 0
    tail_seconds: tuple[float, ...] = ()

    @property
    def seconds(self) -> float:
        """Return the seconds of all of it."""
        return self.taking + self.replaying


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the user's own code, as items were seen at it; what it calls of libraries is counted with it.

    Attributes:
        file: Name of its file without the folder; empty for a cell of the notebook.
        line: Its number, from 1.
        function: Name of the function that it is in; empty outside of any.
        text: What is written there.
        samples: How often a thread was seen there.
        seconds: Of all threads, that these stand for.
        waiting: Of these, the seconds of threads that waited for the GIL or another lock; where the system does not
            tell, those that are sure.
        sure: Of these, at an instruction that runs nothing but Python and so waits for nothing but the GIL.
    """

    file: str
    line: int
    function: str
    text: str
    samples: int
    seconds: float
    waiting: float = 0.0
    sure: float = 0.0


@dataclass(frozen=True, slots=True)
class LineProfile:
    """At which lines the items of one trial were, looked at now and then in a pass made for that and not timed.

    Attributes:
        items: How many items ran.
        samples: How often a thread was seen that computed items.
        seconds: Of all threads, that these stand for, also at no line of the user's.
        lines: Those that took most, the longest first.
    """

    backend: str
    workers: int
    items: int
    samples: int
    seconds: float
    lines: tuple[Line, ...] = ()
    native_threads: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """All trials of a task and the environment they ran in.

    Attributes:
        taken: Seconds after which the user interrupted it and took the pick so far; None when it came to its end.
    """

    subject: Subject
    environment: Environment
    trials: tuple[Trial, ...]
    plan: Plan | None = None
    probe: Probe = field(default_factory=Probe)
    seconds: float = 0.0
    created: str = ""
    scaling: str = "strong"
    notebook: Notebook = field(default_factory=Notebook)
    taken: float | None = None
    profiles: tuple[LineProfile, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One diagnosis, with its numbers and the next step.

    Attributes:
        code: One of the codes of the documentation ("gil-bound").
        summary: One sentence with the number and its limit.
        evidence: Names and numbers behind it.
        advice: The next step.
        trial: Backend and worker count that it is about, or None for the whole comparison.
    """

    code: str
    summary: str
    advice: str
    evidence: tuple[tuple[str, float], ...] = ()
    trial: tuple[str, int] | None = None
