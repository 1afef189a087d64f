"""Computing one chunk of items in this thread, on live objects: values, errors, what each item took.

The plain loop, threads and worker processes all call items here. Nothing but the standard library may be imported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from concompare.worker.bootstrap import PLACE, StopItem
from concompare.worker.bound_names import note_bound
from concompare.worker.coroutines import called, is_coroutine_function
from concompare.worker.transfer.error_traces import frames_of_user

TINY = 10e-6
"""Seconds; items below this are timed by the chunk, not one by one."""

COUNTED = 256
"""Tiny items of a chunk, up to which each one's seconds are told all the same."""


class Computed:
    """Outcome of one chunk: values so far, exceptions by offset, seconds by item, names assigned, output.

    `brief` are seconds and numbers of tiny items whose mean comes after `seconds`.
    """

    __slots__ = ("brief", "errors", "names", "output", "seconds", "values")

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.errors: list[tuple[int, BaseException]] = []
        self.seconds: list[float] = []
        self.brief: list[tuple[float, int]] = []
        self.names: dict[str, Any] = {}
        self.output: list[tuple[int, str, Any]] = []

    def spread(self) -> None:
        """Give every tiny item the mean of those that were timed with it."""
        for took, ran in self.brief:
            self.seconds.extend([took / ran] * ran)
        self.brief.clear()

    def worth_telling(self) -> tuple[float, ...]:
        """Return the seconds of each item, or nothing where they are many and tiny."""
        count = len(self.seconds) + sum(ran for _, ran in self.brief)
        took = sum(self.seconds) + sum(took for took, _ in self.brief)
        if count > COUNTED and took < TINY * count:
            return ()
        self.spread()
        return tuple(self.seconds)


def compute(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    done: Computed,
    *,
    first: int = 0,
    each: bool = True,
    keep_going: bool = False,
    temporaries: tuple[str, ...] = (),
    stopped: Callable[[], bool] | None = None,
    ends: type[BaseException] = StopItem,
) -> None:
    """Call the function on each item, in order, into `done`, and never raise.

    With `each` the items are timed one by one and marked on the board; without, a chunk costs one loop. A failed item
    leaves None among the values; without `keep_going`, or with an error that `ends` it, the chunk is over.
    """
    call = plain(function)
    if temporaries:
        call = naming(call, done.names)
    iterator = iter(items)
    while True:
        try:
            if each and stopped is not None:
                call_tiny_in_blocks(call, iterator, done, first, stopped)
            elif each:
                call_each(call, iterator, done, first, None)
            else:
                call_in_blocks(call, iterator, done, stopped)
        except BaseException as error:
            done.errors.append((len(done.values), error))
            if temporaries:
                done.names.update(names_of_head(error, temporaries))
            if not keep_going or isinstance(error, ends):
                break
            done.values.append(None)
        else:
            break
    if done.names:
        note_bound(done.names)
    if PLACE:
        PLACE[0].mark(-1)


class Stop:
    """Tell whoever computes a chunk whether to leave the rest of its items.

    Args:
        limit: Seconds, since this was first asked, after which they are to be given back; None: never.
        clock: Seconds.
        unwanted: Whether they are not wanted any more; None: they are.
    """

    def __init__(
        self, limit: float | None, clock: Callable[[], float], unwanted: Callable[[], bool] | None = None
    ) -> None:
        self.limit, self.clock, self.unwanted = limit, clock, unwanted
        self.end: float | None = None

    def __call__(self) -> bool:
        """Say whether to leave them: never before the first has been computed, for want of time."""
        if self.unwanted is not None and self.unwanted():
            return True
        if self.limit is None:
            return False
        now = self.clock()
        if self.end is None:
            self.end = now + self.limit
            return False
        return now > self.end


FEW, BLOCK, LARGEST_BLOCK = 16, 64, 4096
"""Items timed before they may be taken for tiny; those computed between two looks at whether to stop, first and last,
where they have turned out tiny.
"""

BRIEF = 0.001
"""Seconds aimed at, at the most, between two looks."""


def next_block(size: int, took: float) -> int:
    """Return how many items come before the next look, after so many that took so many seconds."""
    if took > BRIEF:
        return max(1, int(size * BRIEF / took))
    return min(4 * size, LARGEST_BLOCK) if 4 * took < BRIEF else size


def call_in_blocks(
    call: Callable[[Any], Any], iterator: Iterator[Any], done: Computed, stopped: Callable[[], bool] | None
) -> None:
    """Call the function on all items in one loop, or in several where it may have to stop.

    The list grows item by item, also while `extend` runs: prints and errors find their item by its length.
    """
    values, clock, size = done.values, time.perf_counter, 1
    if stopped is None:
        values.extend(map(call, iterator))
        return
    while not stopped():
        before, began = len(values), clock()
        values.extend(map(call, islice(iterator, size)))
        if len(values) == before:
            return
        size = next_block(size, clock() - began)


def call_tiny_in_blocks(
    call: Callable[[Any], Any], iterator: Iterator[Any], done: Computed, first: int, stopped: Callable[[], bool]
) -> None:
    """Time each item, but tiny ones by the block: many may have come before anyone knew how long they take."""
    clock, values = time.perf_counter, done.values
    tiny, size = False, BLOCK
    while not stopped():
        before, began, ran = len(values), clock(), 0
        try:
            if tiny:
                values.extend(map(call, islice(iterator, size)))
            else:
                done.spread()
                call_each(call, islice(iterator, FEW), done, first, stopped)
        except BaseException:
            ran = 1
            raise
        finally:
            took, ran = clock() - began, ran + len(values) - before
            if tiny and ran:
                done.brief.append((took, ran))
        if not ran:
            return
        size = next_block(size, took) if tiny else BLOCK
        tiny = took < TINY * ran


def call_each(
    call: Callable[[Any], Any], iterator: Iterator[Any], done: Computed, first: int, stopped: Callable[[], bool] | None
) -> None:
    """Call the function item by item with the time of each."""
    clock = time.perf_counter
    mark = PLACE[0].mark if PLACE else None
    for item in iterator:
        if mark is not None:
            mark(first + len(done.values))
        began = clock()
        try:
            value = call(item)
        finally:
            done.seconds.append(clock() - began)
        done.values.append(value)
        del item, value  # what they lie in may serve for the next
        if stopped is not None and stopped():  # before the next is taken, which may take long
            return


def plain(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that may be called: a coroutine function through an event loop."""
    return called(function) if is_coroutine_function(function) else function


def naming(function: Callable[[Any], Any], names: dict[str, Any]) -> Callable[[Any], Any]:
    """Return a function that keeps the names of each (value, names) pair and returns the value."""

    def call(item: Any) -> Any:
        value, assigned = function(item)
        names.update(assigned)
        return value

    return call


OWN = "_concompare_own"
"""What names, among the names of a failed pass, those that the failing head had assigned itself."""


def names_of_head(error: BaseException, temporaries: tuple[str, ...]) -> dict[str, Any]:
    """Return what the head had assigned when it raised."""
    for entry in frames_of_user(error):
        local = entry.tb_frame.f_locals
        found = {name: local[name] for name in temporaries if name in local}
        return {**found, OWN: tuple(found)}
    return {}
