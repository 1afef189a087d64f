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
LASTED: OrderedDict[tuple[str, int], float] = OrderedDict()
"""The seconds of such loops, by the source of the cell and the line."""


def note(source: str, line: int, seconds: float, wall: float | None = None) -> None:
    """Take note of what the items of a loop took.

    Args:
        source: The cell.
        line: The loop's.
        seconds: What its items took themselves.
        wall: What they took in workers, with handing them out; None where they ran as they are.
    """
    LASTED.pop((source, line), None)
    if seconds < (LITTLE if wall is None else min(LITTLE, wall)):
        LASTED[source, line] = seconds
        if len(LASTED) > MOST:
            LASTED.popitem(last=False)


def seconds_of(source: str, line: int) -> float | None:
    """Return the seconds that the items of a loop took the last time, where that was very little."""
    return LASTED.get((source, line))


def lasted_in(source: str) -> Callable[[int], float | None]:
    """Return what tells that of the loops of a cell by their lines."""
    return functools.partial(seconds_of, source)


def played(source: str, line: int, play: Callable[[], Any]) -> Any:
    """Run a loop as it is; where it took next to nothing before, note whether it still does."""
    if (source, line) not in LASTED:
        return play()
    began = time.perf_counter()
    try:
        return play()
    finally:
        note(source, line, time.perf_counter() - began)
