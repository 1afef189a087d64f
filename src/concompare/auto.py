"""What `auto` stands for: chosen by the last comparison of a task, else by what its first items took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from concompare import backends, engine, machine
from concompare.errors import CannotShip
from concompare.machine import gil_state

if TYPE_CHECKING:
    from concompare.advise import Choice
    from concompare.cells.task import Task
    from concompare.records import Comparison, Message

Item = TypeVar("Item")

PROBE = 0.03
"""Seconds for which first items run in the plain loop before there is a choice; the item that passes it is the last."""
ALIKE = 2.0
"""Times as many or as large, up to which items are like those of the last comparison."""
FEW = 16
"""Items whose size is looked at."""
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
        size = getattr(item, "nbytes", None)
        return float(size if isinstance(size, int) else len(item))  # type: ignore[arg-type]
    except Exception:
        return 1.0


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of this session, and the backend that it recommends."""

    comparison: Comparison
    pick: str
    sizes: Sizes


COMPARISONS: dict[tuple[str, str], Compared] = {}
"""The last comparison of each task of this session, by name and source."""


def key_of(task: Task) -> tuple[str, str]:
    """Return what tells one cell's task from another's."""
    return task.name, task.source


def remember(task: Task, comparison: Comparison) -> None:
    """Keep a comparison; the oldest is given up."""
    from concompare import advise

    COMPARISONS.pop(key_of(task), None)
    COMPARISONS[key_of(task)] = Compared(comparison, advise.pick(comparison).backend, sizes_of(task))
    for oldest in list(COMPARISONS)[:-REMEMBERED]:
        del COMPARISONS[oldest]


def chosen_before(task: Task) -> Choice | None:
    """Return what the last comparison of the same task recommends, if its items were like these; else None."""
    before = COMPARISONS.get(key_of(task))
    if before is None or before.pick not in backends.names() or before.comparison.scaling != "strong":
        return None
    if not sizes_of(task).like(before.sizes):
        return None
    from concompare import advise

    return advise.choose(advise.Known((), (), task.count, machine.usable_cpus()), before.comparison)


def early(items: Iterator[Item], clock: Callable[[], float] = time.perf_counter) -> Iterator[Item]:
    """Yield items for as long as the probe lasts, at least one."""
    end = clock() + PROBE
    for item in items:
        yield item
        if clock() >= end:
            return


def choose(task: Task, messages: tuple[Message, ...], left: int | None) -> Choice:
    """Return the backend and worker count for the items that are left, and why.

    Args:
        task: The task.
        messages: What the first items took in the plain loop.
        left: How many items are left, or None if that is not known.
    """
    from concompare import advise

    blob = 0
    can: tuple[str, ...] = ("threads", "processes")
    try:
        blob = len(engine.ship(task.function).blob)
    except CannotShip:
        can = ("threads",)
    known = advise.Known(
        seconds=tuple(
            (message.end - message.start - (message.waited or 0.0)) / max(1, message.count) for message in messages
        ),  # waiting for a CPU is the machine's, not the items'
        cpu=tuple((message.cpu + message.native_cpu) / max(1, message.count) for message in messages),
        left=left,
        usable=machine.usable_cpus(),
        gil=gil_state() != "off",
        blob=blob,
        start_up={pool.backend.name: 0.0 for pool in engine.pools()},
        can=can,
    )
    return advise.choose(known)
