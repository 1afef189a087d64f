"""Where a value comes from, and what code does: the small facts that the analysis passes around."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

FUNCTION = "·function"
"""Root of a function made in the loop: it sees the loop's own names, so it must not leave the iteration."""

LAZY = "·lazy"
"""Root of a generator or iterator made in the loop, and FILE of an open file: a process cannot give it back."""

FILE = "·file"
WALKED_ONCE = frozenset({LAZY, FILE})
MARKS = frozenset({FUNCTION, LAZY, FILE})
"""Roots that say what a value is, not where it comes from."""

LOCAL = "local:"
"""How the root begins of an object that the iteration itself made and gave a name."""

ITEM = "·item"
"""Root of the item of the iteration."""


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value comes from.

    Attributes:
        own: Names of objects that the value itself may be, or be a part of.
        inside: Names of objects that it may hold, though it is itself new.
    """

    own: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()

    @property
    def all(self) -> frozenset[str]:
        """Return every object that can be reached from the value."""
        return self.own | self.inside


NOTHING = Value()


@dataclass(frozen=True, slots=True)
class Effect:
    """Something that code does beyond returning a value.

    Attributes:
        kind: "change", "rebind", "print", "random", "opaque", "file", "forbidden".
        roots: What may change.
        line: Where.
        text: What happens, as a predicate; `{}` stands for the objects.
        place: The function it happens in, "" for the cell itself.
        direct: Only the named object itself changes, not what it holds.
    """

    kind: str
    roots: frozenset[str]
    line: int
    text: str
    place: str = ""
    direct: bool = False


@dataclass
class Reading:
    """What some code reads and does.

    Attributes:
        names: The names it reads from outside its own scopes.
        called: Those of the names that functions it calls read.
        roots: The objects it reads, by the names they are reached from.
        compared: Those that it compares as wholes, or looks for by themselves.
        effects: What it does beyond returning a value.
    """

    names: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)
    roots: set[str] = field(default_factory=set)
    compared: set[str] = field(default_factory=set)
    effects: list[Effect] = field(default_factory=list)

    def add(self, other: Reading) -> None:
        """Add what other code reads and does."""
        self.names |= other.names
        self.called |= other.called
        self.roots |= other.roots
        self.compared |= other.compared
        self.effects += other.effects


def joined(values: Iterable[Value]) -> Value:
    """Return the value that may be any of these."""
    found = [value for value in values if value.own or value.inside]
    if len(found) < 2:
        return found[0] if found else NOTHING
    own: frozenset[str] = frozenset()
    return Value(own.union(*[value.own for value in found]), own.union(*[value.inside for value in found]))


def unwound(value: Value) -> Value:
    """Return a value as what a call makes of it: a generator that was handed over is taken as walked."""
    return Value(value.own - WALKED_ONCE, value.inside) if WALKED_ONCE & value.own else value


def extracted(value: Value) -> Value:
    """Return what may be found inside a value: an element, an attribute, the result of a method."""
    found = (value.own - WALKED_ONCE) | value.inside
    return Value(found, found)
