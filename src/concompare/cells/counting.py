"""Count the items of an iterable where that takes none of them and runs nobody's code."""

from __future__ import annotations

import copy
import itertools
import math
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from typing import Any

HOLDING = (list, tuple, range, str, bytes, bytearray, dict, set, frozenset, deque)
"""Types whose length is that of what they give."""

NOTHING: dict[Any, Any] = {}

VIEWS = tuple(type(view) for view in (NOTHING.keys(), NOTHING.values(), NOTHING.items()))

WALKED: tuple[Any, ...] = (NOTHING.keys(), NOTHING.values(), NOTHING.items(), [], NOTHING, deque())

TELLING = frozenset(
    type(iterator)
    for iterator in (
        *(iter(walked) for walked in (*WALKED, (), set(), b"", bytearray(), "a", "ä", range(1), range(2**70))),
        *(reversed(walked) for walked in WALKED),
    )
)
"""Iterators of the standard library over these, whose length hint is what is left."""

ENDLESS = (itertools.count, itertools.cycle)

PAIRING = (zip, map)
"""What ends with the first of those that it walks."""

SEQUENCE = type(iter(type("Sequence", (), {"__getitem__": lambda self, place: place})()))
"""The iterator over whatever has `__getitem__`, as arrays have."""

DEEPEST = 20
"""Iterators within iterators that are looked at."""


def number_of(items: Iterable[Any]) -> int | None:
    """Return the number of items of what has a length or where it can be told without one, else None."""
    return len(items) if isinstance(items, Sized) else counted(items)


def counted(items: Iterable[Any]) -> int | None:
    """Return the number of items that an iterable will give, or None where it cannot be known for certain."""
    try:
        number = count_of(items, DEEPEST)
    except Exception:  # what an interpreter does not tell of its iterators
        return None
    return None if number is None or number == math.inf else int(number)


def count_of(items: Any, depth: int) -> float | None:
    """Return the number of items, infinity for an endless iterator, or None."""
    kind = type(items)
    if kind in HOLDING or kind in VIEWS:
        return len(items)
    if kind in TELLING:
        hint: int = items.__length_hint__()
        return hint
    if kind in ENDLESS:
        return math.inf
    if kind is itertools.repeat:
        return left_of_repeat(items)
    if not depth:
        return None
    if kind in PAIRING:
        walked = items.__reduce__()[1]
        return least([count_of(part, depth - 1) for part in (walked[1:] if kind is map else walked)])
    if kind is enumerate:
        return count_of(items.__reduce__()[1][0], depth - 1)
    if kind is reversed:
        parts = items.__reduce__()
        return count_backwards(parts[1][0], items)
    if kind is SEQUENCE:
        parts = items.__reduce__()
        whole = rows_of(parts[1][0])
        return None if whole is None else max(0, whole - parts[2])
    return rows_of(items)


def least(counts: list[float | None]) -> float | None:
    """Return the least of several numbers, None where one of them is not known."""
    known = [count for count in counts if count is not None]
    return min(known) if counts and len(known) == len(counts) else None


def left_of_repeat(items: Any) -> float:
    """Return how often an object is still repeated."""
    try:
        hint: int = items.__length_hint__()
    except TypeError:
        return math.inf
    return hint


def count_backwards(walked: Any, items: Any) -> int | None:
    """Return what is left of a sequence that is walked from its end, where it is one of ours or an array."""
    if type(walked) in HOLDING or rows_of(walked) is not None:
        hint: int = items.__length_hint__()
        return hint
    return None


def rows_of(items: Any) -> int | None:
    """Return the length of a numpy array, or None for anything else."""
    kind = type(items)
    return len(items) if kind.__module__ == "numpy" and kind.__name__ == "ndarray" and items.ndim else None


def is_shared_by_others(items: Any) -> bool:
    """Tell whether an iterator that pairs or numbers walks another one which somebody else has as well.

    To take its items before their turn would show there. What such an iterator made for itself only it refers to.
    """
    if type(items) not in (zip, enumerate):
        return False
    (alone, *_), counts = held_by_itself(zip(()) if type(items) is zip else enumerate(())), held_by_itself(items)
    return any(
        count > alone or is_shared_by_others(part)
        for part, count in zip(items.__reduce__()[1], counts, strict=True)
        if hasattr(type(part), "__next__")
    )


def another(items: Any) -> Iterator[Any] | None:
    """Return an iterator that gives what one that pairs or numbers is going to give, of which it takes nothing.

    None where there is none that leaves alone what somebody else has, and where a `zip` will find unequal lengths.
    """
    kind = type(items)
    if kind in TELLING:
        found: Iterator[Any] = copy.copy(items)
        return found
    if kind not in (zip, enumerate) or is_shared_by_others(items):
        return None
    _, walked, *strict = items.__reduce__()
    if kind is enumerate:
        first, start = walked
        part = another(first)
        return None if part is None else enumerate(part, start)
    if strict and len({count_of(part, DEEPEST) for part in walked}) != 1:
        return None
    parts = [part for part in map(another, walked) if part is not None]
    return zip(*parts, strict=False) if len(parts) == len(walked) else None


def held_by_itself(items: Any) -> list[int]:
    """Return how often each of the iterators that an iterator walks is referred to."""
    parts = items.__reduce__()[1]
    return [sys.getrefcount(parts[place]) for place in range(len(parts))]
