"""Items that are tried again later: those that raise what the user has named, such as "too many requests"."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from concompare.engine.thread_seeding import OWN
from concompare.worker.compute import plain

TRIES = 8
"""How often an item is tried before what it raises is its error."""

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds until an item is tried for the second time, and the most between two tries; each wait is twice the last."""


def seconds_before(tries: int) -> float:
    """Return the seconds to wait after so many tries."""
    return float(min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1)))


def patient(
    function: Callable[[Any], Any],
    kinds: tuple[type[Exception], ...],
    sleep: Callable[[float], object] | None = None,
) -> Callable[[Any], Any]:
    """Return a function for the plain loop that waits and tries again where it raises one of these kinds."""
    call, sleep = plain(function), sleep or time.sleep

    def tried(item: Any) -> Any:
        for tries in range(1, TRIES):
            try:
                return call(item)
            except kinds:
                sleep(seconds_before(tries))
                if (sources := OWN.get()) is not None:  # each try draws the numbers of the first
                    sources.begin(sources.seed, sources.position)
        return call(item)

    return tried
