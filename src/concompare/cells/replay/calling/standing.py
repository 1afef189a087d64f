"""Stand-ins for a function whose values are computed already, and for an iterator that was walked already."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

PLAIN = frozenset({int, str, bytes, bool, type(None)})
LAST = object()
"""Stands for a value that is not there."""


@dataclass(frozen=True)
class Given:
    """What a function is called with."""

    args: tuple[Any, ...]
    named: dict[str, Any] = field(default_factory=dict)

    def is_same(self, other: Given) -> bool:
        """Tell whether a call with the one is a call with the other."""
        if len(self.args) != len(other.args) or list(self.named) != list(other.named):
            return False
        return all(map(same, self.args, other.args)) and all(
            same(self.named[key], other.named[key]) for key in other.named
        )


def same(one: Any, other: Any) -> bool:
    """Tell whether a function cannot tell two arguments apart: one object, or equal to the last bit."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if kind in PLAIN:
        return bool(one == other)
    if kind is float:
        return struct.pack("d", one) == struct.pack("d", other)
    if kind is complex:
        return same(one.real, other.real) and same(one.imag, other.imag)
    if kind.__module__ == "numpy" and hasattr(one, "dtype") and not one.dtype.hasobject:
        return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())
    return False


class StandIn:
    """Hands out values in order, as long as it is asked for the items that they belong to.

    Args:
        function: The function, for all other calls.
        expected: What it is called with, in order; may grow until it is asked.
        values: What that gives; raises where the function raised.
    """

    def __init__(self, function: Callable[..., Any], expected: Sequence[Given], values: Iterator[Any]) -> None:
        self.function, self.expected, self.values = function, expected, values
        self.position = 0
        self.off = False

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Return what the function gives."""
        if not self.off:
            known = self.position < len(self.expected)
            self.off = not known or not self.expected[self.position].is_same(Given(args, named))
        if not self.off:
            self.position += 1
            value = next(self.values, LAST)
            if value is not LAST:
                return value
            self.off = True
        return self.function(*args, **named)


class Walked:
    """An iterator that is walked once and remembered, so that it can be walked once more.

    Attributes:
        seen: What it gave.
        end: What it raised then, until it has been walked once more.
    """

    def __init__(self, iterator: Iterator[Any]) -> None:
        self.iterator = iterator
        self.seen: list[Any] = []
        self.end: BaseException | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            item = next(self.iterator)
        except BaseException as error:
            self.end = error
            raise
        self.seen.append(item)
        return item

    def again(self) -> Iterator[Any]:
        """Return an iterator that gives what this one gave, and goes on with what is left."""
        return Again(self)


class Again:
    """Walks once more what was walked."""

    def __init__(self, walked: Walked) -> None:
        self.walked, self.position = walked, 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        walked = self.walked
        if self.position == len(walked.seen):
            if walked.end is not None:
                end, walked.end = walked.end, None
                raise end
            next(walked)
        self.position += 1
        return walked.seen[self.position - 1]


class Singly(Sequence[Given]):
    """Items as what a function of one argument is called with; `spread`: each item is all its arguments."""

    def __init__(self, items: Sequence[Any], *, spread: bool = False) -> None:
        self.items, self.spread = items, spread

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: Any) -> Any:
        item = self.items[position]
        return Given(tuple(item) if self.spread else (item,))
