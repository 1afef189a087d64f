"""The arguments of a call, and callables that are known by what they were given."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

from concompare.cells.effects import declared
from concompare.cells.effects.kinds import INERT
from concompare.cells.objects import ATOM, Value


@dataclass
class Arguments:
    """The arguments of a call.

    Attributes:
        positional: Those given by place; `named`: by name.
        spread: Some were given by `*` or `**`: any parameter may be any of them.
        flags: Those that are written out, with their values.
        same: The places and names of those that are surely the same for every item; `receiver`: what a method is of is.
        meeting: Those that may be the same for several items, as they are made of a part of the item.
        texts: All texts that some of them may be, where these are known.
    """

    positional: list[Value] = field(default_factory=list)
    named: dict[str, Value] = field(default_factory=dict)
    spread: Value | None = None
    flags: dict[str | int, Any] = field(default_factory=dict)
    same: frozenset[str | int] = frozenset()
    receiver: bool = False
    meeting: frozenset[str | int] = frozenset()
    texts: dict[str | int, frozenset[str]] = field(default_factory=dict)

    @functools.cached_property
    def all(an) -> Value:
        """Every argument, once they are complete."""
        found = an.spread or ATOM
        return found.union(*an.positional, *an.named.values())

    def of(an, word: str) -> Value:
        """Return what a declared entry names: a place, a name, or all."""
        if word == "*":
            return an.all
        if word.lstrip("-").isdigit():
            place = int(word)
            found = an.positional[place] if place < len(an.positional) else ATOM
            return found | (an.spread or ATOM)
        return an.named.get(word, ATOM) | (an.spread or ATOM)

    def after(an, first: Value) -> Arguments:
        """Return the arguments behind a receiver."""
        moved = {place + 1 if isinstance(place, int) else place for place in an.same}
        same = frozenset({*moved, 0} if an.receiver else moved)
        meeting = frozenset(place + 1 if isinstance(place, int) else place for place in an.meeting)
        texts = {place + 1 if isinstance(place, int) else place: found for place, found in an.texts.items()}
        return Arguments([first, *an.positional], an.named, an.spread, an.flags, same, meeting=meeting, texts=texts)


@dataclass(frozen=True)
class Found:
    """What an object has under a name that is not known."""

    holder: Value


@dataclass(frozen=True)
class Unloaded:
    """Something of a module that is not loaded yet: known by its dotted name alone."""

    dotted: str


@dataclass(frozen=True)
class Partial:
    """A function with some of its arguments."""

    function: Value
    given: Arguments


@dataclass(frozen=True)
class Method:
    """A method of an installed class, bound to an object: that is the owner of what it is the code of."""

    name: str


def made_with(given: Arguments) -> dict[str, object]:
    """Return the arguments by name that an object is made with: their values where they are written out."""
    return {name: given.flags.get(name, declared.UNSEEN) for name in given.named}


def carried(value: Value) -> Value:
    """Return the objects that a new one may hold: functions and modules say nothing."""
    return frozenset(obj for obj in value if not (obj.live and all(isinstance(part, INERT) for part in obj.live)))
