"""How far a run is: a bar where one can stand in its place, else a line now and then."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from concompare import formats

if TYPE_CHECKING:
    from concompare.engine.forecast import Standing

BAR_AFTER = 1.0
"""Seconds that a run takes before its progress is shown."""

LINE_AFTER, LATER = 10.0, 1.5
"""Seconds before the first line where there is no bar, and how many times as late each next one comes."""


@contextmanager
def progress_bar(
    stream: TextIO | None, name: str, clock: Callable[[], float] = time.time
) -> Iterator[Callable[[Standing], None] | None]:
    """Give a receiver of standings that shows a bar after a second, gone at the end, or lines in a log."""
    if stream is None:
        yield None
        return
    began, shown = clock(), None

    def show(standing: Standing) -> None:
        nonlocal shown
        passed = clock() - began
        if shown is None:
            if passed < BAR_AFTER:  # most cells end before: they need not wait for tqdm to be loaded
                return
            shown = Bar(stream, name, began) if stays_in_place(stream) else Lines(stream, name)
        shown.show(standing, passed)

    try:
        yield show
    finally:
        if shown is not None:
            shown.close()


def stays_in_place(stream: TextIO) -> bool:
    """Tell whether what is written after a carriage return takes the place of what was there, as in no log.

    `TERM=dumb` is a terminal that cannot, or one that is read out.
    """
    return getattr(stream, "in_place", False) or (stream.isatty() and os.environ.get("TERM") != "dumb")


class Bar:
    """A bar in its place.

    Args:
        stream: Where.
        name: Of what runs.
        began: When, as `time.time` tells.
    """

    def __init__(self, stream: TextIO, name: str, began: float) -> None:
        from tqdm import tqdm

        width = None if stream.isatty() else 80
        looks = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
        self.bar: Any = tqdm(
            desc=name, unit="item", leave=False, delay=BAR_AFTER, mininterval=0.25, file=stream, ncols=width
        )
        self.looks = looks
        self.bar.start_t = self.bar.last_print_t = began

    def show(self, standing: Standing, passed: float) -> None:
        """Draw the bar."""
        bar = self.bar
        bar.total, bar.bar_format = standing.total, self.looks if standing.total is not None else None
        bar.set_postfix_str(", ".join(words_of(standing)), refresh=False)
        bar.update(standing.finished - bar.n)

    def close(self) -> None:
        """Take the bar away."""
        self.bar.close()


class Lines:
    """A line now and then, rarer and rarer: for logs that keep everything, and for who has them read out.

    Args:
        stream: Where.
        name: Of what runs.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self.stream, self.name, self.next = stream, name, LINE_AFTER

    def show(self, standing: Standing, passed: float) -> None:
        """Write a line if it is time for one."""
        if passed < self.next:
            return
        self.next = LATER * passed
        done = (
            f"{standing.finished} of {standing.total} items"
            if standing.total is not None
            else (formats.count(standing.finished, "item"))
        )
        parts = (done, f"{formats.round_seconds(passed)} passed", *words_of(standing))
        self.stream.write(f"{self.name}: {', '.join(parts)}\n")
        self.stream.flush()

    def close(self) -> None:
        """Leave the lines."""


def words_of(standing: Standing) -> list[str]:
    """Return how long it will go on, and what the workers do, as far as that is known."""
    words = [] if standing.left is None else [f"about {formats.round_seconds(standing.left)} left"]
    if standing.workers > 1:
        waiting = standing.workers - standing.busy
        words.append(
            f"{standing.busy} of {standing.workers} workers busy" + (f", {waiting} waiting" if waiting else "")
        )
    return words
