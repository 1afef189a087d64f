"""The notebook's part of a loop: its tails, replayed once and timed, and the taking of its items.

Workers run the heads. A comparison runs these many times and the tails once: those of the first items as soon as the
plain loop has computed them, so that the plan knows how long the others will take, and the others at the end. Every
pass gets the seconds that all of this adds to it: in the plain loop all, elsewhere what does not fit beside the heads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from concompare.records import Comparison, Environment, Notebook, Pass, Trial

HANDING_ON = 10e-6
"""Seconds of a tail up to which it is not told from what handing it its value costs, which the plain loop need not."""
MOST_KEPT = 2000
"""Tails whose seconds are kept one by one."""


class Tails:
    """The tails of a loop, each replayed once, in item order.

    Attributes:
        apply: Replays the tail of an item's position and value; true where the loop stops there.
        show: Shows what an item printed, before its tail.
        clock: Seconds.
        taking: Seconds of taking all items, before any was computed.
        seconds: What the tails took that were replayed.
        stopped: Whether the loop stopped at the last of them.
    """

    def __init__(
        self,
        apply: Callable[[int, Any], bool],
        show: Callable[[str, Any], None],
        clock: Callable[[], float],
        taking: float = 0.0,
    ) -> None:
        self.apply, self.show, self.clock, self.taking = apply, show, clock, taking
        self.seconds: list[float] = []
        self.stopped = False

    @property
    def done(self) -> int:
        """Return how many were replayed: the position of the next."""
        return len(self.seconds)

    @property
    def mean(self) -> float:
        """Return the mean seconds of those that were replayed, 0 before the first."""
        return sum(self.seconds) / len(self.seconds) if self.seconds else 0.0

    def replay(
        self, values: Mapping[int, Any], output: Sequence[tuple[int, str, Any]] = (), most: float = math.inf
    ) -> bool:
        """Replay the tails of the next items as far as their values are known; say whether the loop stopped.

        Args:
            values: By position.
            output: Position, stream and text of what items printed.
            most: Seconds of all tails so far from which on no further one is begun.
        """
        printed: dict[int, list[tuple[str, Any]]] = {}
        for position, stream, text in output if self.done in values and not self.stopped else ():
            printed.setdefault(position, []).append((stream, text))
        total = sum(self.seconds)
        while not self.stopped and self.done in values and total < most:
            for stream, text in printed.get(self.done, ()):
                self.show(stream, text)
            began = self.clock()
            self.stopped = self.apply(self.done, values[self.done])
            took = self.clock() - began
            self.seconds.append(took)
            total += took
        return self.stopped

    def left(self, items: int) -> float:
        """Return the seconds that the tails of the other items will take, as far as those so far tell."""
        return 0.0 if self.stopped or self.mean < HANDING_ON else self.mean * max(0, items - self.done)

    def record(self, items: int) -> Notebook:
        """Return what they took as a record, with those that are left of so many items taken to be like the others."""
        step = max(1.0, len(self.seconds) / MOST_KEPT)
        kept = tuple(self.seconds[int(i * step)] for i in range(min(MOST_KEPT, len(self.seconds))))
        told = self.mean >= HANDING_ON
        replaying = sum(self.seconds) + self.left(items) if told else 0.0
        return Notebook(self.taking, replaying, len(self.seconds), kept)


def with_notebook(comparison: Comparison, notebook: Notebook) -> Comparison:
    """Return a comparison whose passes know what the notebook's own part adds to each."""
    trials = tuple(with_part(trial, notebook, comparison) for trial in comparison.trials)
    return replace(comparison, trials=trials, notebook=notebook)


def with_part(trial: Trial, notebook: Notebook, comparison: Comparison) -> Trial:
    """Return a trial whose passes know what the notebook's own part adds to each."""
    items = comparison.subject.items
    if not notebook.seconds or not items:
        return trial
    passes = []
    for one in trial.passes:
        done = one.stands_for if one.stands_for is not None else one.items
        share = notebook.seconds * done / items
        passes.append(replace(one, beside=added(one, share, done, trial, comparison.environment)))
    return replace(trial, passes=tuple(passes))


def added(one: Pass, seconds: float, items: float, trial: Trial, environment: Environment) -> float:
    """Return what so many seconds of the notebook's own part add to a pass.

    Beside workers a part of them fits: never more than the CPUs have room for, and threads that share a GIL leave no
    more than what they do not compute. The first item has no tail beside it yet, and the last tail no head any more.
    """
    if trial.plain or not items:
        return seconds
    alone = environment.gil != "off" and trial.isolation == "thread"
    cpus = 1 if alone else max(1, environment.usable)
    room = (one.cpu + seconds) / cpus
    whole = max(one.wall + seconds / items, one.wall / items + seconds, room)
    return min(seconds, max(0.0, whole - one.wall))
