"""Memory that is left, and how many workers may run in it: fewer, before the system ends one of them.

Looked at four times a second. What a worker may take is told by the most that any of them has taken so far, over what
it had at first; a fifth of the memory stays free. Workers that take little are let run, however full the memory is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from concompare import formats, machine
from concompare.engine.outcome import bytes_of
from concompare.engine.pools.limits import highest_resident
from concompare.worker.state_watch import captured

FREE = 0.2
"""Share of the memory that workers leave free."""

MATTERS = 0.01
"""Share of the memory from which on it matters what a worker takes."""

WORKER = 30e6
"""Bytes that a worker takes besides what it is sent."""

LARGE, MATTERS_OF_LIMIT = 20e6, 0.25
"""Bytes that each worker is sent, and share of a container's limit that all of them take, up to which all start."""

FEW = 8
"""Results from which on it is guessed what all of them will take."""


class Room(NamedTuple):
    """Bytes of memory that there are for this process, by its container or the machine, and that are left."""

    total: float
    left: float


def room() -> Room:
    """Return the memory that there is now."""
    return Room(*machine.memory_room())


def held_by(pid: int) -> tuple[float, float]:
    """Return the bytes that a process has in memory, and the most that it had; zeros when it is gone."""
    import psutil

    try:
        now = psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0.0, 0.0
    return now, max(now, highest_resident(pid))


class MemoryGuard:
    """Say how many of a pass's workers may run.

    Args:
        workers: How many there are.
        say: Says a sentence.
        read: Gives the memory that is left.
        held: Gives what a process has and had.

    Attributes:
        allowed: How many may run.
        first: What each process had when it was looked at first.
        said: What was said already.
    """

    def __init__(
        self,
        workers: int,
        say: Callable[[str], object],
        read: Callable[[], Room] = room,
        held: Callable[[int], tuple[float, float]] = held_by,
    ) -> None:
        self.workers, self.say, self.read, self.held = workers, say, read, held
        self.allowed = workers
        self.first: dict[int, float] = {}
        self.said: set[str] = set()

    def look(self, pids: Iterable[int]) -> None:
        """Look at the worker processes, and let fewer of them run where all could take more than there is."""
        found = {pid: now_and_most for pid in pids if (now_and_most := self.held(pid))[0]}
        for pid, (now, _) in found.items():
            self.first[pid] = min(now, self.first.get(pid, now))
        growth = max((most - self.first[pid] for pid, (_, most) in found.items()), default=0.0)
        total, left = self.read()
        if growth < MATTERS * total:
            self.allowed = self.workers
            return
        taken = sum(now - self.first[pid] for pid, (now, _) in found.items())
        self.allowed = max(1, min(self.workers, int((left - FREE * total + taken) / growth)))
        if self.allowed < self.workers:
            self.once(
                "run",
                f"memory: {formats.size(left)} of {formats.size(total)} are left and a worker takes up to "
                f"{formats.size(growth)}, so {self.allowed} of {self.workers} workers run until there is more",
            )

    def expect(self, values: Collection[Any], left: int | None) -> None:
        """Say it when the results of so many items that are left promise to take more memory than there is."""
        if left is None or len(values) < FEW or "results" in self.said:
            return
        coming, there = bytes_of(values) / len(values) * left, self.read().left
        if coming > there:
            self.once(
                "results",
                f"memory: the results of the {formats.count(left, 'item')} to come would take about "
                f"{formats.size(coming)}, and {formats.size(there)} are left: let the function write large results to "
                "files and return their paths, or take them one by one with concompare.imap",
            )

    def once(self, what: str, words: str) -> None:
        """Say something, the first time only."""
        if what not in self.said:
            self.said.add(what)
            self.say(words)


def fitting(
    function: Callable[..., Any], workers: int, say: Callable[[str], object], read: Callable[[], Room] = room
) -> int:
    """Return how many worker processes to start: no more than there is memory for what each of them is sent."""
    sent = bytes_of([value for _, value in captured(function)])
    if sent < LARGE and (limit() is None or workers * WORKER < MATTERS_OF_LIMIT * (limit() or 0)):
        return workers  # without a look at the memory, which takes longer than many a run
    (total, left), each = read(), WORKER + sent
    fits = max(1, min(workers, int((left - FREE * total) / each)))
    if fits < workers:
        say(
            f"memory: each worker takes about {formats.size(each)}, most of it what the function refers to, and "
            f"{formats.size(left)} of {formats.size(total)} are left, so {fits} of {workers} workers start"
        )
    return fits


@functools.cache
def limit() -> int | None:
    """Return the bytes of memory that the container may use."""
    return machine.memory_limit()
