"""Resolve `auto`: by a task's last comparison, its earlier runs, or the time of its first items."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concompare import backends, engine, machine, records
from concompare.cells.syntax.own_code import is_user_module
from concompare.errors import BadOption, CannotShip
from concompare.machine import gil_state
from concompare.records import PROCESSES, THREADS
from concompare.run import kept_runs
from concompare.worker.state_watch import captured

if TYPE_CHECKING:
    from concompare.analysis.pick import Choice
    from concompare.cells.task import Task
    from concompare.records import Comparison, Message, Pass


PROBE = 0.03
"""Seconds for which items run in the plain loop before there is a choice, and at least until it is looked at again."""
GROWTH = 8
"""How many times as many items as before run in the plain loop until then."""
LOOK_AGAIN = 1.25
"""Times as long as the plain loop has run, after which it is looked at again: items may take longer than before."""
STEP = 0.002
"""Seconds of items in the plain loop between two looks at the clock."""
RISE, TRUST = 1.5, 1.5
"""How many times as long as the first items the last ones must take for a rise, and how much more of it is believed:
where it is none after all, that costs a tenth."""
SHORT, LONG = 0.005, 2.0
"""Seconds of a task, in the plain loop, from and up to which it learns from one run to the next."""
SOON = 0.05
"""Seconds that processes which are starting already are taken to need still."""
STARTING = 0.15
"""Seconds of a task, in the plain loop, from which processes are started to try them."""
WORTH = 1.1
"""How many times as fast as the plain loop a backend must have been to be taken."""
TRYING = 1.25
"""How many times as fast as the fastest a backend must promise to be for it to be tried."""
ALIKE = 2.0
"""Times as many or as large, up to which items are like those of the last comparison."""
FEW, LOOKED_AT = 16, 10_000
"""Items whose size, and whose type, is looked at."""
REMEMBERED = 64
"""How many comparisons are kept."""


class Auto:
    """Stands for the backend that is chosen when the task is known."""

    name = label = "auto"
    isolation = "unknown"
    chunk = None
    ephemeral = False

    def unavailable(self) -> str | None:
        """Return None: something can always run."""
        return None


AUTO: Any = Auto()


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many items there are, of which types, and how large a few of them are together.

    Of an iterator only the number is known, if that: its items cannot be looked at without using them up.
    """

    count: int | None
    types: frozenset[str] = frozenset()
    total: float = 0.0

    def like(self, other: Sizes) -> bool:
        """Say whether other items are about as many and, where both are known, about as large, of the same types."""
        if self.count is None or other.count is None or not near(self.count, other.count):
            return False
        return not (self.types and other.types) or (self.types == other.types and near(self.total, other.total))


def near(one: float, other: float) -> bool:
    """Say whether two numbers differ by no more than `ALIKE` times."""
    return one <= ALIKE * other and other <= ALIKE * one


def sizes_of(task: Task) -> Sizes:
    """Return the sizes of a task's items."""
    items = task.items
    if not isinstance(items, (list, tuple, range)):
        return Sizes(task.count)
    few = items[:: max(1, len(items) // FEW)]
    return Sizes(len(items), frozenset(type(item).__qualname__ for item in few), sum(map(size_of, few)))


def size_of(item: object) -> float:
    """Return what tells a large item from a small one: bytes of an array, length, a number itself; else 1."""
    try:
        if isinstance(item, (int, float)):
            return abs(item)
        size = getattr(item, "nbytes", None) if is_telling(type(item), "nbytes") else None
        if isinstance(size, int):
            return float(size)
        return float(len(item)) if is_telling(type(item), "__len__") else 1.0  # type: ignore[arg-type]
    except Exception:
        return 1.0


def is_telling(kind: type, name: str) -> bool:
    """Tell whether objects can be asked for something that runs no code of the user's, which may do anything."""
    maker = next((base for base in kind.__mro__ if name in vars(base)), None)
    return maker is not None and not is_user_module(maker.__module__)


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of this session, and the backend that it recommends."""

    comparison: Comparison
    pick: str
    sizes: Sizes


Key = tuple[str, str, int]
COMPARISONS: dict[Key, Compared] = {}
"""The last comparison of each task of this session, by name, source and line."""


def key_of(task: Task) -> Key:
    """Return what tells one loop's task from another's."""
    return task.name, task.source, task.line


def remember(task: Task, comparison: Comparison) -> None:
    """Keep a comparison; the oldest is given up."""
    from concompare.analysis import pick

    COMPARISONS.pop(key_of(task), None)
    COMPARISONS[key_of(task)] = Compared(comparison, pick.pick(comparison).backend, sizes_of(task))
    for oldest in list(COMPARISONS)[:-REMEMBERED]:
        del COMPARISONS[oldest]


def chosen_before(task: Task) -> Choice | None:
    """Return what the last comparison of the same task recommends, if its items were like these; else None."""
    before = COMPARISONS.get(key_of(task))
    if before is None or before.pick not in backends.names() or before.comparison.scaling != "strong":
        return None
    if not sizes_of(task).like(before.sizes):
        return None
    from concompare.analysis import pick

    return pick.choose(pick.Known((), (), task.count, machine.usable_cpus()), before.comparison)


LATEST = 3
"""How many of a way's runs are looked at: the quickest of them tells, since a busy machine only adds to it."""


@dataclass
class Runs:
    """Earlier runs of a task, by way: backend and number of workers.

    Attributes:
        sizes: Of its items.
        measured: Seconds per item of the latest runs in each way; `guessed` what others would take as far as was seen.
        since_plain: How many runs there were since the last in the plain loop.
        undisturbed: Seconds per item in the plain loop without the time that others took of its CPU; 0: not known.
    """

    sizes: Sizes
    measured: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    guessed: dict[tuple[str, int], float] = field(default_factory=dict)
    since_plain: int = 0
    undisturbed: float = 0.0

    @property
    def seconds(self) -> dict[tuple[str, int], float]:
        """Seconds per item in each way."""
        return {**self.guessed, **{way: min(latest) for way, latest in self.measured.items()}}


RUNS: dict[Key, Runs] = {}
"""Runs of the tasks of this session, by name, source and line."""


PLAIN = (records.PLAIN, 1)

BRIEF, NEAR = 0.1, 1.5
"""Seconds of a task in the plain loop up to which what ran once is tried again, unless it took that many times as long.
"""

DISTURBED = 1.5
"""How many times as long as it computes the plain loop took where it was disturbed, so that the times of few runs say
little: it then stays where all of it takes less than `LITTLE`."""
SO_OFTEN, LITTLE = 8, 0.02
"""After so many runs in something else the plain loop is tried again where that seemed to cost so many seconds at the
most, and at once where it ran only once, cold and perhaps while the machine was busy."""


def learn(
    task: Task,
    sizes: Sizes,
    way: tuple[str, int],
    record: Pass | None,
    guesses: Mapping[tuple[str, int], float] | None = None,
) -> None:
    """Note what a whole pass took, beside what earlier ones took, and what others would take as far as was seen."""
    if record is None or record.failures or record.stopped or not record.items:
        return
    runs = RUNS.pop(key_of(task), None)
    if runs is None or not runs.sizes.like(sizes):
        runs = Runs(sizes)
    RUNS[key_of(task)] = runs
    runs.measured[way] = [*runs.measured.get(way, ()), record.wall / record.items][-LATEST:]
    runs.since_plain = 0 if way == PLAIN else runs.since_plain + 1
    runs.guessed |= guesses or {}
    if way == PLAIN and sum(message.count for message in record.messages) == record.items:
        runs.undisturbed = sum(map(taken, record.messages)) / record.items
    for oldest in list(RUNS)[:-REMEMBERED]:
        del RUNS[oldest]
    if runs.seconds.get(PLAIN, 0.0) * record.items >= STARTING:  # else no worker would start for it
        kept_runs.keep(task, runs.seconds)


def learned(task: Task, sizes: Sizes) -> Choice | None:
    """Return what earlier runs of a short task recommend: what was fastest, or what was not tried and may be faster."""
    runs = RUNS.get(key_of(task))
    if runs is None or task.count is None or not runs.sizes.like(sizes) or PLAIN not in (seconds := runs.seconds):
        return None
    plain = seconds[PLAIN] * task.count
    if plain > LONG:
        return None
    from concompare.analysis.pick import Choice

    if (least := runs.undisturbed * task.count) and least < min(LITTLE, plain / DISTURBED):
        return Choice(*PLAIN, "the plain loop: others use the CPUs, and what it computes itself is too small to gain")
    best = min(seconds, key=lambda way: seconds[way])
    if seconds[best] * WORTH > seconds[PLAIN]:
        best = PLAIN
    fastest = seconds[best] * task.count
    tried = {way[0] for way in seconds if not by_chance(runs, way, seconds[way] * task.count, plain)}
    other = untried(task, tried, plain, fastest)
    if other is not None:
        return Choice(other, machine.usable_cpus(), f"{other}, to see whether they are faster on these items")
    doubtful = len(runs.measured.get(PLAIN, ())) == 1 or runs.since_plain >= SO_OFTEN
    if best != PLAIN and doubtful and plain - fastest < LITTLE:
        return Choice(*PLAIN, "the plain loop, to see whether it still takes longer")
    words = "the plain loop" if best == PLAIN else f"{best[0]} × {best[1]}"
    return Choice(*best, f"{words}, the fastest in earlier runs of this cell", fastest)


def hint(task: Task) -> Choice | None:
    """Return what was fastest in earlier runs of a task, of other kernels too and with whatever items, or None."""
    runs = RUNS.get(key_of(task))
    seconds = runs.seconds if runs is not None else kept_runs.known(task)
    if PLAIN not in seconds:
        return None
    from concompare.analysis.pick import Choice

    best = min(seconds, key=lambda way: seconds[way])
    return Choice(*best, f"{best[0]}, the fastest in earlier runs of this cell")


def forget() -> Path | None:
    """Forget all runs and comparisons; return the file that was deleted, if there was one.

    Raises:
        BadOption: It cannot be deleted.
    """
    RUNS.clear()
    COMPARISONS.clear()
    try:
        return kept_runs.forget()
    except OSError as error:
        raise BadOption(f"what is kept of earlier runs cannot be deleted: {error}") from error


def by_chance(runs: Runs, way: tuple[str, int], seconds: float, plain: float) -> bool:
    """Say whether a way ran only once, cold, and may be faster all the same, where it costs little to see."""
    return len(runs.measured.get(way, ())) == 1 and way != PLAIN and plain < BRIEF and seconds < NEAR * plain


def plain_before(task: Task, sizes: Sizes) -> float:
    """Return the seconds of an item in the plain loop, as far as earlier runs over items like these tell; else 0."""
    runs = RUNS.get(key_of(task))
    return runs.seconds.get(PLAIN, 0.0) if runs is not None and runs.sizes.like(sizes) else 0.0


def untried(task: Task, tried: set[str], plain: float, fastest: float) -> str | None:
    """Return a backend that was not tried and may be faster, or None.

    Args:
        task: The task.
        tried: The backends that were.
        plain: Seconds in the plain loop.
        fastest: Seconds in what was fastest so far.
    """
    from concompare.analysis.pick import HAND_OVER

    if plain < SHORT or (usable := machine.usable_cpus()) < 2:
        return None
    if THREADS not in tried and threads_may(task) and plain / usable * TRYING < fastest:
        return THREADS
    ready = plain >= STARTING or any(pool.backend == backends.find(PROCESSES) for pool in engine.pools())
    hoped = plain / usable + (task.count or 0) * HAND_OVER[PROCESSES]
    if PROCESSES in tried or not ready or hoped * TRYING > fastest or size_as_shipped(task) is None:
        return None
    return PROCESSES


def threads_may(task: Task) -> bool:
    """Tell whether a task may run in threads: it changes nothing of the whole process, as far as can be seen."""
    return engine.shared_context(task.function) is None and not kept_from_threads(task)


def kept_from_threads(task: Task) -> str:
    """Return why something that a task captures is not for other threads than the notebook's, or nothing."""
    if "sqlite3" not in sys.modules:
        return ""
    from concompare.cells.recipes import states

    words = ((name, states.kept_from_threads(thing)) for name, thing in reached_by(task))
    return next((f"`{name}` {why}" for name, why in words if why), "")


def reached_by(task: Task) -> Iterator[tuple[str, Any]]:
    """Yield what a task captures and an item of each type, by their names, with what objects of the user's hold.

    Of many items only some are looked at: looking at all would take as long as running them may.
    """
    items = task.items if isinstance(task.items, (list, tuple)) else ()
    seen = items if len(items) <= LOOKED_AT else items[:: len(items) // LOOKED_AT]  # they may take next to nothing
    ends = [("an item", item) for item in {type(item): item for item in seen}.values()]
    for name, thing in (*captured(task.function), *ends):
        yield name, thing
        if is_user_module(type(thing).__module__):
            yield from ((f"{name}.{word}", part) for word, part in getattr(thing, "__dict__", {}).items())


def size_as_shipped(task: Task) -> int | None:
    """Return the bytes of a task's function as it would be sent; None where it cannot be."""
    from concompare.engine.transport.functions import ship

    try:
        return len(ship(task.function).blob)
    except CannotShip:
        return None


def next_look(wall: float) -> float:
    """Return the seconds in the plain loop after which it is looked at again, so many having passed."""
    return max(LOOK_AGAIN * wall, wall + PROBE)


def rise(messages: Sequence[Message], left: int | None) -> float:
    """Return how many times as long as the latest items those that are left promise to take, at most `TRUST`.

    Items are taken to go on taking longer where each quarter of those that ran took longer than the one before.

    Args:
        messages: All that ran in the plain loop, in order.
        left: How many items are left, or None if that is not known.
    """
    ran = sum(message.count for message in messages)
    quarters, place = [[0.0, 0] for _ in range(4)], 0
    for message in messages:
        quarter = quarters[min(3, 4 * (place + message.count // 2) // max(1, ran))]
        quarter[0] += taken(message)
        quarter[1] += message.count
        place += message.count
    if any(not count for _, count in quarters):
        return 1.0
    means = [seconds / count for seconds, count in quarters]
    if sorted(set(means)) != means or means[3] < RISE * means[0]:
        return 1.0
    each = (means[3] - means[0]) / (0.75 * ran)
    ahead = ran / 8 + (left if left is not None else ran) / 2
    return min(TRUST, 1 + each * ahead / means[3])


def taken(message: Message) -> float:
    """Return the seconds that a message's items took; waiting for a CPU is the machine's, not the items'."""
    return max(message.cpu, message.end - message.start - (message.waited or 0.0))


@dataclass(frozen=True, slots=True)
class Seen:
    """What this run has shown of other ways than the plain loop.

    Attributes:
        two_threads: How many CPUs threads had together, where that was tried.
        ratios: Of each backend that was tried, how many times as long as in the plain loop an item takes there.
        moving: Seconds that it takes to pickle an item and its result.
        starting: Whether processes are starting already.
    """

    two_threads: float | None = None
    ratios: Mapping[str, float] = field(default_factory=dict)
    moving: float = 0.0
    starting: bool = False


NOTHING = Seen()


def choose(
    task: Task,
    messages: tuple[Message, ...],
    left: int | None,
    seen: Seen = NOTHING,
    rising: float = 1.0,
    shipped: Callable[[Task], int | None] = size_as_shipped,
) -> Choice:
    """Return the backend and worker count for the items that are left, and why.

    Args:
        task: The task.
        messages: What the latest items took in the plain loop.
        left: How many items are left, or None if that is not known.
        seen: What this run has shown of other ways.
        rising: How many times as long as the latest items those that are left promise to take.
        shipped: Gives the bytes of the function as it would be sent, or None where it cannot be.
    """
    from concompare.analysis import pick

    blob, open_now = shipped(task), {pool.backend.name: 0.0 for pool in engine.pools()}

    known = pick.Known(
        seconds=tuple(rising * taken(message) for message in messages),
        cpu=tuple(rising * (message.cpu + message.native_cpu) for message in messages),
        count=sum(message.count for message in messages),
        left=left,
        usable=machine.usable_cpus(),
        gil=gil_state() != "off",
        two_threads=seen.two_threads,
        ratios=seen.ratios,
        moving=seen.moving,
        blob=blob or 0,
        start_up={PROCESSES: SOON} | open_now if seen.starting else open_now,
        can=(*((THREADS,) if threads_may(task) else ()), *((PROCESSES,) if blob is not None else ())),
    )
    return pick.choose(known)
