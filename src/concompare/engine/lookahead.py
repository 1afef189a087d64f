"""Items of an iterator taken before those ahead of them are computed, and whether that changes what they are.

The plain loop is done with an item before it takes the next. An iterator may count on that and give the same row or
buffer again and again, with other contents. Workers would then see what came later, so this is looked for: an item's
state just before the iterator goes on, and after.
"""

from __future__ import annotations

import contextlib
import pickle
import time
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from concompare.errors import CellRefused
from concompare.worker.transfer.object_refs import ATOMS
from concompare.worker.transfer.pickling import parts_of

LOOKS = 3
"""Items that are looked at as they are taken: an iterator with one buffer uses it again from the first item on."""

FIRST_LOOK, FIRST_SECONDS = 16, 0.01
"""Items, and seconds, after which the first ones are looked at again, which may lie in a ring of a few buffers."""

LATER_LOOKS = 16
"""Afterwards the first items of one in so many takes."""

MANY = 20
"""Parts of an item that are asked."""

MOST_BYTES = 2**26
"""Bytes of a buffer that are looked at."""

STEADY = (list, tuple, range, dict, set, frozenset, str, bytes)
"""Types that hold their items: to take one does nothing to the others."""


def is_steady(items: Iterable[Any]) -> bool:
    """Return whether items are there already, rather than made when they are taken."""
    kind = type(items)
    return kind in STEADY or (kind.__module__ == "numpy" and kind.__name__ == "ndarray")


def holds_drawn(thing: Any, depth: int = 2) -> bool:
    """Return whether a thing is a part of a figure, or a tuple, list or array with one in it."""
    return any(holds_drawn(part, depth - 1) for part in within(thing) if depth) or is_drawn(thing)


def is_drawn(thing: Any) -> bool:
    """Return whether a thing is a part of a figure of matplotlib: its pickle and its copy are the whole figure."""
    return type(thing).__module__.partition(".")[0] == "matplotlib"


def within(thing: Any) -> list[Any]:
    """Return the first elements of a tuple, a list or an array of objects."""
    if type(thing) in (tuple, list):
        return [*thing[:MANY]]
    of_objects = type(thing).__module__ == "numpy" and getattr(getattr(thing, "dtype", None), "hasobject", False)
    return [*thing.flat[:MANY]] if of_objects and hasattr(thing, "flat") and not thing.dtype.names else []


def state_of(thing: Any, depth: int = 2) -> Any:
    """Return what tells whether a thing has changed since: a sum over its pickle, or over those of its parts."""
    if type(thing) in ATOMS:
        return (thing,)
    if depth and holds_drawn(thing):
        return id(thing) if is_drawn(thing) else tuple(state_of(part, depth - 1) for part in within(thing))
    buffers: list[pickle.PickleBuffer] = []
    try:
        state = zlib.crc32(pickle.dumps(thing, 5, buffer_callback=buffers.append))
        for buffer in buffers:
            state = zlib.crc32(buffer.raw()[:MOST_BYTES], state)
    except Exception:  # whatever its own code raises: then as far as its parts tell
        with contextlib.suppress(Exception):
            return zlib.crc32(memoryview(thing)[:MOST_BYTES])
        if depth:
            with contextlib.suppress(Exception):
                return tuple((label, state_of(part, depth - 1)) for label, part in parts_of(thing))
        return id(thing)
    return state


def steady_state_of(thing: Any) -> Any:
    """Return the state of a thing, or what says nothing of one that changes by being looked at."""
    state = state_of(thing)
    return id(thing) if may_note(thing) and state_of(thing) != state else state


def may_note(thing: Any, depth: int = 2) -> bool:
    """Return whether a thing, or one in a tuple or list, may keep notes of its own when it is looked at."""
    if type(thing) in (tuple, list) and depth:
        return any(may_note(part, depth - 1) for part in thing[:MANY])
    return type(thing) not in ATOMS and type(thing).__module__.partition(".")[0] not in ("builtins", "numpy")


def check(states: list[tuple[int, Any, Any]], *, again: bool = True) -> None:
    """Refuse where one of these items, given with its position and state, has changed since.

    Args:
        states: The items.
        again: The items can be walked once more.

    Raises:
        CellRefused: It has.
    """
    for position, item, state in states:
        if state != id(item) and state_of(item) != state:
            refusal = CellRefused(
                f"item {position} ({type(item).__name__}) changed when the next items were taken: the iterator gives "
                "the same object again, with other contents, and workers would see the wrong ones. Let it give copies."
            )
            refusal.spent = not again
            raise refusal


class Ahead:
    """Take items in batches.

    Attributes:
        again: Whether the items can be walked once more.
        far: Whether the first items are looked at again after several others: else what is taken at a time is enough.
        error: What the iterator raised; the items that it gave before that are given out all the same.
    """

    def __init__(self, items: Iterable[Any], far: bool = False) -> None:
        self.iterator = iter(items)
        self.again = self.iterator is not items
        self.far = far
        self.looking = not is_steady(items)
        self.back: list[Any] = []
        self.given = self.takes = 0
        self.error: Exception | None = None

    def take(self, size: int) -> list[Any]:
        """Return the next items, fewer at the end.

        Raises:
            CellRefused: Items change when those after them are taken.
        """
        looks = self.looking and (self.takes < LOOKS or self.takes % LATER_LOOKS == 0)
        first, self.takes = not self.takes, self.takes + 1
        taken = self.look_at(size, first) if looks else self.some(size)
        if len(taken) > size:
            self.back[:0] = taken[size:]
            del taken[size:]
        self.given += len(taken)
        return taken

    def some(self, size: int) -> list[Any]:
        """Return the next items; what the iterator raises comes after them."""
        taken = self.back[:size]
        del self.back[:size]
        if self.error is None and len(taken) < size:
            try:
                taken.extend(islice(self.iterator, size - len(taken)))  # which leaves there what came before an error
            except Exception as error:
                self.error = error
        return taken

    def look_at(self, size: int, first: bool) -> list[Any]:
        """Return the next items, the first of them unchanged after all are taken, and a few more at the beginning."""
        taken, states = self.some(1), []
        while taken and len(taken) < min(max(size, 2 * first), LOOKS) and type(taken[-1]) not in ATOMS:
            states.append((self.given + len(taken) - 1, taken[-1], steady_state_of(taken[-1])))
            following = self.some(1)
            taken += following
            if not following:
                break
        taken += self.some(max(0, size - len(taken)))
        until = time.perf_counter() + FIRST_SECONDS
        while first and self.far and states and len(taken) < FIRST_LOOK and time.perf_counter() < until:
            following = self.some(1)
            taken += following
            if not following:
                break
        check(states, again=self.again)
        return taken

    def peek(self, size: int) -> list[Any]:
        """Return the next items without taking them away."""
        taken = self.take(size)
        self.given -= len(taken)
        self.takes = max(self.takes, 1)
        self.back[:0] = taken
        return taken

    def end(self) -> None:
        """Raise what the iterator raised after its last item."""
        if self.error is not None:
            raise self.error


def listed(items: Iterable[Any]) -> list[Any]:
    """Return all items as a list.

    Raises:
        CellRefused: Items change when those after them are taken.
    """
    taken, error = taken_of(items)
    if error is not None:
        raise error
    return taken


def taken_of(items: Iterable[Any]) -> tuple[list[Any], Exception | None]:
    """Return all items, and what their iterator raised after the last of them; see `listed`."""
    ahead = Ahead(items)
    taken: list[Any] = []
    while more := ahead.take(2**16):
        taken += more
    return taken, ahead.error


def failing_after(items: list[Any], error: Exception) -> Iterator[Any]:
    """Yield items, and raise what taking the next one has raised."""
    yield from items
    raise error


def watched(items: Iterable[Any], changed: list[int]) -> Iterator[Any]:
    """Return the items for the plain loop, which notes the first ones that change when the next is taken.

    Args:
        items: Any iterable.
        changed: Gets the positions of those that do.
    """
    return iter(items) if is_steady(items) else looked_at(iter(items), changed)


def looked_at(iterator: Iterator[Any], changed: list[int]) -> Iterator[Any]:
    """Yield items; see `watched`."""
    before: Any = None
    for position in range(LOOKS + 1):
        state = state_of(before)
        item = next(iterator, END)
        if state_of(before) != state:
            changed.append(position - 1)
        if item is END:
            return
        yield item
        before = item
    del before, item
    yield from iterator


END = object()
