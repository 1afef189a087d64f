"""Loops beside others whose items took next to nothing the last time: they run as they are the next time.

To hand items to workers takes milliseconds, whatever they do. Which loop of a cell is worth that shows when it has run.
"""

from __future__ import annotations

import functools
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

LITTLE = 0.01
"""Seconds of all items of a loop below which it is not worth handing them out, unless that took less still."""
MOST = 1000
"""Loops that are remembered."""
Begins = tuple[int, int]
"""The line and the column where a loop begins: a line may have several, as `for x in sorted(xs, key=f):`."""
LASTED: OrderedDict[tuple[str, Begins], float] = OrderedDict()
"""The seconds of such loops, by the source of the cell and where they begin."""


def note(source: str, begins: Begins, seconds: float, wall: float | None = None) -> None:
    """Take note of what the items of a loop took.

    Args:
        source: The cell.
        begins: Where the loop does.
        seconds: What its items took themselves.
        wall: What they took in workers, with handing them out; None where they ran as they are.
    """
    LASTED.pop((source, begins), None)
    if seconds < (LITTLE if wall is None else min(LITTLE, wall)):
        LASTED[source, begins] = seconds
        if len(LASTED) > MOST:
            LASTED.popitem(last=False)


def seconds_of(source: str, begins: Begins) -> float | None:
    """Return the seconds that the items of a loop took the last time, where that was very little."""
    return LASTED.get((source, begins))


def lasted_in(source: str) -> Callable[[Begins], float | None]:
    """Return what tells that of the loops of a cell by where they begin."""
    return functools.partial(seconds_of, source)


def played(source: str, begins: Begins, play: Callable[[], Any]) -> Any:
    """Run a loop as it is; where it took next to nothing before, note whether it still does."""
    if (source, begins) not in LASTED:
        return play()
    began = time.perf_counter()
    try:
        return play()
    finally:
        note(source, begins, time.perf_counter() - began)
