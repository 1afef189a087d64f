"""Choose the number of items in the next message from the measured item time, smaller towards the end."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from concompare.worker.compute import TINY
from concompare.worker.transfer.object_refs import Objects

TARGET = 0.01
"""Seconds of work aimed at per message: a hundred times what a message costs."""

FLOOR = 0.002
"""Seconds of work that a message should not fall below when chunks shrink towards the end."""

GROWTH = 16
"""A chunk is at most so many times the largest before it, so that one fast item does not decide."""

LARGEST_MESSAGE = 9 * 2**19
"""Bytes aimed at, at the most, for the items of one message and their results."""

COSTS, COSTS_AT_THE_END = 10, 3
"""How many times the cost of a message its work should be where that is known: so much, and so much at the end."""

MOST_UNCOUNTED = 20_000
"""Items of a message, at the most, where nobody knows how many there are: those under way are all in memory."""

TURNS = 12
"""Messages per worker, at least, of so many items as were taken so far, where those are few or nobody knows how many
there are: any of them may be the last, or the first long one, while the other workers have nothing left."""

SHORT = 50e-6
"""Seconds of an item, up to which a first one, cold, may yet turn out to be tiny."""

AHEAD, MOST_AHEAD = 0.002, 64
"""Seconds of work that may be under way for each worker in messages of one item, and how many of them at the most."""

SHORTEST, KEEPING = 1e-6, 0.9
"""Seconds that an item is taken to take at the least, and how much what is known counts beside the latest one."""

TOO_LONG, TIMES_TOO_LONG = 0.05, 2
"""Seconds, and times the seconds that it was meant to take, after which a message's worker gives back what it has not
begun: the items are not what those before them were."""

TOO_LONG_GUESSED = 0.005
"""The seconds where only an earlier pass tells what items take: they may be quite others now."""

PLENTY = 256
"""Items per worker from which there are plenty."""

LEAST = 0.00025
"""Seconds of work that pay for a message between processes of one machine."""

PER_WORKER = 4
"""Messages per worker, at least, into which work goes that is worth them: whoever is late leaves some to the others."""

FIRST_BULK = 16
"""Items of the very first messages when there are plenty."""

MOST_AT_FIRST = 256
"""They are more, up to so many, where there are so many items that it is a small share of them all the same."""


@dataclass(slots=True)
class Chunk:
    """Items that go to a worker together.

    Attributes:
        first: Position of the first of them.
        objects: The notebook's objects that its results may refer to, by their numbers in the pickle of the items.
        made: The numbers of the other objects in it; None: `objects` are the items, whose numbers are their places.
        guessed: Whether only an earlier pass tells how long they may take.
        offered: How far the notebook was when it offered its own memory for them, or 0.
        tries: How often it was tried; `ready` is when it may be again, and `printed` what it printed meanwhile.
        apart: Whether each item is a pickle of its own.
        lost: Why its results could not be rebuilt here.
        limit: Seconds after which its worker gives back what it has not begun; None: never.
        series: The number of the messages that it belongs to, in the worker's memory; 0 before it is sent.
        marks: The fingerprints of the items, where results are recorded.
    """

    first: int
    items: list[Any] | range
    each: bool
    sent: float = 0.0
    packing: float = 0.0
    bytes_in: int = 0
    attempts: int = 0
    alone: bool = False
    room: Any = None
    objects: Objects = field(default_factory=dict)
    made: tuple[int, ...] | None = ()
    guessed: bool = False
    offered: int = 0
    apart: bool = False
    lost: Exception | None = None
    limit: float | None = None
    series: int = 0
    marks: Any = None
    tries: int = 1
    ready: float = 0.0
    printed: tuple[tuple[int, str, Any], ...] = ()


@dataclass
class Chunker:
    """Decide chunk sizes for one pass.

    Attributes:
        workers: Number of workers.
        count: Number of items, or None when not known.
        fixed: Items per message where the user or the backend says so.
        cost: Seconds that a message costs by itself, where that was measured.
        bulk: Items of the very first messages when there are plenty.
        expected: Mean seconds of an item in an earlier pass of the same function, 0 where there was none.
        alone: Whether nobody else takes items, so that nothing is won by leaving few for the end.
        typical: What single items take, as a geometric mean: one that had to wait for a CPU says little of the others.
        deep: Whether workers take a message when they begin with it, so that those that wait are nobody's yet.
    """

    workers: int
    count: int | None
    fixed: int | None = None
    cost: float = 0.0
    bulk: int = FIRST_BULK
    expected: float = 0.0
    alone: bool = False
    deep: bool = False
    taken: int = 0
    largest: int = 0
    measured: int = 0
    seconds: float = 0.0
    item_bytes: float = 0.0
    typical: float = 0.0

    @property
    def weighed(self) -> bool:
        """Return whether the bytes of an item are known while messages are dear: then the first may be large."""
        return bool(self.cost and self.item_bytes)

    @property
    def item_seconds(self) -> float | None:
        """Return the mean time of an item so far, recent ones counting more; before the first answer what is expected.

        None where nothing is known.
        """
        return self.seconds / self.measured if self.measured else self.expected or None

    @property
    def each(self) -> bool:
        """Return whether items of the next message are timed one by one."""
        mean = self.item_seconds
        return mean is None or mean >= TINY

    def ahead(self) -> int:
        """Return how many messages may be under way for each worker: one to do and one to do next.

        Just one while nothing is known. More of single short items where workers take one at a time: several are
        written and read at once then, no worker waits for a busy notebook, and no item for one that takes long.
        """
        mean = self.item_seconds
        if self.deep and self.typical:
            return max(2, min(MOST_AHEAD, int(AHEAD / self.typical)))
        return 2 if mean is not None or self.largest == 1 else 1

    def learn(self, count: int, seconds: float, moved: int) -> None:
        """Take in what a message of `count` items cost: seconds of calls, and bytes moved both ways."""
        if not count:
            return
        if self.measured > 4 * count:
            self.measured //= 2
            self.seconds /= 2
        self.measured += count
        self.seconds += seconds
        self.item_bytes = max(moved / count, self.item_bytes * 0.5)
        if self.fixed == 1:
            latest = max(seconds, SHORTEST)
            self.typical = self.typical**KEEPING * latest ** (1 - KEEPING) if self.typical else latest

    def next(self) -> int:
        """Return the size of the next chunk, at least 1."""
        size = self.fixed if self.fixed is not None else self.measured_size()
        if self.count is not None:
            size = min(size, max(1, self.count - self.taken))
        self.taken += size
        self.largest = max(self.largest, size)
        return size

    def measured_size(self) -> int:
        """Return the size that the measurements so far call for."""
        mean = self.item_seconds
        if mean is None:
            return self.first_size()
        mean = max(mean, 1e-9)
        if self.alone:
            most = GROWTH * self.largest if self.measured else math.inf
            return max(1, math.floor(min(TARGET / mean, most, MOST_UNCOUNTED if self.count is None else most)))
        size = max(TARGET, COSTS * self.cost) / mean
        if self.count is None or (mean >= SHORT and self.count <= PLENTY * self.workers):
            worth = max(FLOOR if mean < SHORT else LEAST, COSTS_AT_THE_END * self.cost)
            size = min(size, max(self.taken / (TURNS * self.workers), worth / mean))
        if self.count is None:
            size = min(size, MOST_UNCOUNTED)
        else:
            share = (self.count - self.taken) / (2 * self.workers)
            least = min(FLOOR / mean, self.count / self.messages(mean))
            size = max(share, least) if mean < TINY else min(size, share)
            size = max(size, COSTS_AT_THE_END * self.cost / mean)
        if not self.measured:
            most = MOST_AT_FIRST if self.count is None else self.count / self.messages(mean)
            return max(1, math.floor(min(size, most, LARGEST_MESSAGE / (self.item_bytes or 1))))
        if not self.cost:  # else a worker gives back what takes too long
            size = min(size, GROWTH * max(self.largest, 1))
        if self.item_bytes > 0:
            size = min(size, LARGEST_MESSAGE / self.item_bytes)
        return max(1, math.floor(size))

    def first_size(self) -> int:
        """Return the size of the messages before the first answer: few items, where none may be left for others."""
        if self.count is None or self.count <= PLENTY * self.workers:
            return 1
        if self.weighed:
            return max(self.bulk, int(min(-(-self.count // self.workers), LARGEST_MESSAGE / self.item_bytes)))
        if self.bulk > 1:
            return max(self.bulk, min(MOST_AT_FIRST, self.count // (PLENTY * self.workers)))
        return self.bulk

    def limit(self, size: int) -> float | None:
        """Return the seconds after which the worker of so many items gives back what it has not begun, or None."""
        if size == 1 or (self.fixed is not None and not self.cost):
            return None
        least = TOO_LONG if self.measured or not self.expected else TOO_LONG_GUESSED
        return max(least, TIMES_TOO_LONG * size * (self.item_seconds or 0.0), COSTS * self.cost)

    def messages(self, mean: float) -> float:
        """Return into how many messages at least the work should go that the count of items comes to."""
        assert self.count is not None
        return self.workers * min(max(1.0, self.count * mean / (self.workers * LEAST)), PER_WORKER)
