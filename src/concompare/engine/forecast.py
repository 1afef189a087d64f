"""How far a pass is, and how long it will go on: told by what its items have taken so far.

The mean of the finished items would be too small: short ones finish first. So the items under way count for as long as
they have run at the least (Kaplan and Meier 1958, doi:10.2307/2281868). Where items take longer and longer, or less and
less, what is left follows the line or parabola that told the latest finished ones best. The end, when some workers have
nothing left to do, is played through.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any, NamedTuple

from concompare.records import Message

TOLD_AFTER = 1.0
"""Seconds of a pass from which on it is told how long it will go on: most end before, and need not load numpy."""

LOOKED_AT = 2000
"""Messages that are looked at, at the most."""

PLAYED = 400
"""Items up to which the end is played through."""

BLOCKS, FEWEST, ALIKE, MATTERS = 9, 5, 0.93, 0.1
"""Parts that the finished items are divided into to see whether they take longer and longer: at the most and at the
least; how well their order must follow that, from -1 to 1; and how much of their mean it must come to."""

BETTER, SHORTEST = 0.5, 0.05
"""How many times as large as that of a line the error of a parabola may be for it to be taken, and the least that an
item to come is thought to take, of what the shortest part took."""

LEAST = 3
"""Finished items from which on anything is told."""


class Standing(NamedTuple):
    """How far a pass is.

    Attributes:
        finished: Items computed so far, or that failed, or whose results came from a file.
        total: The number of items, or None where it is not known.
        left: Seconds that it will still take, about; None where nobody can tell.
        busy: Workers that have something to do.
        workers: How many there are.
    """

    finished: int
    total: int | None
    left: float | None = None
    busy: int = 1
    workers: int = 1


def seconds_left(
    messages: Sequence[Message], under_way: Sequence[tuple[float, int]], waiting: int, workers: int
) -> float | None:
    """Return about how many seconds the items that are left will take; None where too few have finished.

    Args:
        messages: What the finished items took.
        under_way: For how long each message under way has run, and of how many items it is.
        waiting: How many other items have not begun.
        workers: How many workers there are.
    """
    import numpy as np

    some = sorted(messages, key=first_of)[:: max(1, len(messages) // LOOKED_AT)]
    places, seconds = items_of(some)
    if len(seconds) < LEAST:
        return None
    ages = np.array([age for age, count in under_way if count == 1], float)
    mean, single = mean_and_left(seconds, ages)
    left = [*single, *(max(mean, count * mean - age) for age, count in under_way if count > 1)]
    means = following(places, seconds, waiting, mean)
    return float(overhead(messages, workers) * end_of(left, means, workers))


def first_of(message: Message) -> int:
    """Return the position of a message's first item."""
    return message.first


def items_of(messages: Sequence[Message]) -> tuple[Any, Any]:
    """Return positions and seconds of items: evenly chosen where they are many."""
    import numpy as np

    ends = np.cumsum([0, *(message.count for message in messages)])
    number = min(int(ends[-1]), LOOKED_AT)
    chosen = ((np.arange(number) + 0.5) * (ends[-1] / max(1, number))).astype(int)
    found = []
    for item, owner in zip(chosen, np.searchsorted(ends, chosen, side="right") - 1, strict=True):
        message, offset = messages[owner], item - ends[owner]
        found.append((message.first + offset, seconds_of(message, offset)))
    places, seconds = zip(*found, strict=True) if found else ((), ())
    return np.array(places, float), np.array(seconds, float)


def seconds_of(message: Message, offset: int) -> float:
    """Return what an item of a message took: as timed, else the mean of them."""
    if len(message.seconds) == message.count:
        return message.seconds[offset]
    return (message.end - message.start) / message.count


def overhead(messages: Sequence[Message], workers: int) -> float:
    """Return how many times as long as its calls a worker takes for a message, between the first and the last."""
    calls = sum(message.end - message.start for message in messages)
    spans: dict[int, tuple[float, float]] = {}
    for message in messages:
        began, ended = spans.get(message.worker, (message.received, message.returned))
        spans[message.worker] = min(began, message.received), max(ended, message.returned)
    lived = sum(ended - began for began, ended in spans.values())
    return max(1.0, lived / calls) if calls > 0 and len(messages) >= 2 * workers else 1.0


def mean_and_left(seconds: Any, ages: Any) -> tuple[float, Any]:
    """Return what an item takes on average, and what is left of each that has run for so long.

    Args:
        seconds: Of the finished items.
        ages: Of those under way.
    """
    import numpy as np

    times = np.concatenate([seconds, ages])
    ended = np.concatenate([np.ones(len(seconds), bool), np.zeros(len(ages), bool)])
    order = np.lexsort((~ended, times))
    times, ended = times[order], ended[order]
    there = len(times) - np.arange(len(times))
    lasting = np.cumprod(np.where(ended, 1 - 1 / there, 1.0))
    starts = np.concatenate([[0.0], times])
    alive = np.concatenate([[1.0], lasting])
    pieces = np.diff(starts, append=starts[-1]) * alive
    beyond = pieces[::-1].cumsum()[::-1]  # from each of the starts on
    tail = alive[-1] * max(times[-1], 1e-9)  # the longest is still under way: as long again
    at = np.searchsorted(starts, ages, side="right") - 1
    rest = (beyond[at] - (ages - starts[at]) * alive[at] + tail) / np.maximum(alive[at], 1e-12)
    rest = np.where(alive[at] > 0, rest, 0.0)
    return float(beyond[0] + tail), rest


def following(places: Any, seconds: Any, waiting: int, mean: float) -> list[float]:
    """Return what the items that have not begun will take, in their order: about, and at most `PLAYED` of them.

    Each stands for equally many.
    """
    import numpy as np

    if not waiting:
        return []
    number = min(waiting, PLAYED)
    share = waiting / number
    ahead = places[-1] + share * (np.arange(number) + 0.5)
    parts = np.array_split(np.arange(len(seconds)), min(BLOCKS, len(seconds) // 3))
    x = np.array([places[part].mean() for part in parts])
    y = np.array([seconds[part].mean() for part in parts])
    if not rises_or_falls(y):
        return [share * part for part in spread(seconds, mean, number)]
    known = len(parts) * 2 // 3
    line, bend = (
        abs(np.polyval(np.polyfit(x[:known], y[:known], tried), x[known:]) - y[known:]).mean() for tried in (1, 2)
    )
    told = np.polyval(np.polyfit(x, y, 2 if known > 3 and bend < BETTER * line else 1), ahead)
    return [share * max(float(part), float(y.min()) * SHORTEST) for part in told]


def rises_or_falls(means: Any) -> bool:
    """Tell whether means of parts in a row go up or down, all but a few: their ranks follow their places."""
    import numpy as np

    if len(means) < FEWEST:
        return False
    ranks = np.argsort(np.argsort(means))
    return bool(
        abs(np.corrcoef(ranks, np.arange(len(means)))[0, 1]) >= ALIKE and np.ptp(means) > MATTERS * means.mean()
    )


def spread(seconds: Any, mean: float, number: int) -> list[float]:
    """Return so many seconds, distributed as those given and in a mixed order, with this mean."""
    import numpy as np

    drawn = np.quantile(seconds, (np.arange(number) * 0.6180339887498949) % 1.0)  # evenly, whatever the number
    return list(drawn * (mean / max(float(drawn.mean()), 1e-12)))


def end_of(left: list[float], waiting: Sequence[float], workers: int) -> float:
    """Return when the last worker ends, who takes the next item as soon as it is free.

    Args:
        left: What is left of the items under way.
        waiting: What the others take, in their order.
        workers: How many workers there are.
    """
    free = [*left, *[0.0] * max(0, workers - len(left))]
    heapq.heapify(free)
    for seconds in waiting:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)
