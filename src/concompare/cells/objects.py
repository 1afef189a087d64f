"""Abstract objects: what a name or an expression of a loop's body may stand for.

The abstract heap is the one of a points-to analysis with allocation sites (Choi and others, 1999): an object that the
body makes stands for all objects made at that place in one iteration; objects of the notebook are known themselves.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import itertools
import pathlib
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from concompare.cells import enumerations

MISSING: Any = object()
"""Stands where there is no live object."""
ELEMENT = "[]"
"""The field of a container's elements, keys and values."""
ANY = "*"
"""The field of whatever an object owns."""
PLACES = "#"
"""Stands for all fields that are places of a sequence, by number."""
ALL = "**"
"""Stands for all fields."""
HELD_ANYWHERE = "***"
"""Stands for what all fields hold, whichever there are."""
MOVED = "moved"
"""Stands for whether elements may have changed their places."""
THERE = "?"
"""Stands, before the name of a field, for whether anything was put into it, be it nothing that can be changed."""
RETURNED = "returned"
"""Stands for what a generator gives at its end."""
LAZY = "lazy"
"""Stands for what an object does once it is walked."""
ATTRIBUTES = "__dict__"
"""Stands, as the way by which it was made, for the dictionary of an object's attributes."""
STREAM = "sys"
"""Stands, in the same way, for what `sys` has for output when it is asked: in workers that is another one."""
ATTRS = "attrs"
"""Stands, as the way by which it was made, for the dictionary of notes that a frame or a column of pandas has."""
OF_OWNER = (ATTRIBUTES, ATTRS)
"""The ways by which a part was made that is read and changed with its owner."""
ENOUGH = 1000
"""Elements of a container that are looked at one by one."""
MANY = 1_000_000
"""Elements of which the types are looked at."""

ATOMS: tuple[type, ...] = (
    *(str, bytes, int, float, complex, bool, type(None), range, type(Ellipsis), type(NotImplemented)),
    *(re.Pattern, re.Match, datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo),
    *(decimal.Decimal, fractions.Fraction, enum.Enum, types.ModuleType, types.BuiltinFunctionType, types.GenericAlias),
)
"""Types whose values nobody can change."""
ATOM_KINDS = frozenset(ATOMS)
ATOMS_AND_PATHS = (*ATOMS, pathlib.PurePath)

NAMED, ATTRIBUTE, ELSEWHERE = range(3)
"""How an object of the notebook was reached."""
NUMBERS = [itertools.count()]
"""Numbers the objects of the analysis that runs."""


class Origin(Enum):
    """Where an abstract object comes from."""

    MADE = "made in the iteration"
    ITEM = "the item, or a part of it"
    OUTER = "an object of the notebook"
    FUNCTION = "a function made in the iteration"


NO_ARGUMENTS: Mapping[str, object] = {}


@dataclass(eq=False, slots=True)
class Obj:
    """An abstract object.

    Attributes:
        origin: Where it comes from.
        label: How the user calls it, for messages.
        types: Its possible types; None: not known.
        live: Live objects that it stands for: one for a name of the notebook, those looked at for an element.
        whole: `live` are all that it may stand for.
        fields: What the body stores into it, by attribute; ELEMENT for elements, ANY for what cannot be told apart.
        lazy: It does its work when it is walked, with these effects.
        code: The definition of a function made in the iteration, with the scope it sees.
        owner: The receiver of a bound method, or what a part belongs to.
        method: The method of its owner that gives it, where that makes a difference.
        made_with: The arguments by name that it was made with.
        of_values: Whether its cells hold nothing that can be changed by itself, once that was asked.
        again: A generator may give it several times.
        several: Several items may hold it: it is made before the loop takes the first of them.
        depth: How many inner loops of the body stand around the place where it is made.
        asked: The fields that were looked up: what is put there later was missed.
        moved: Its elements may have changed their places since it was made.
        route: How an object of the notebook was reached: by its name, as an attribute of objects with names (`via`),
            or in another way as well.
    """

    origin: Origin
    label: str
    types: tuple[type, ...] | None = None
    live: tuple[Any, ...] = ()
    whole: bool = True
    fields: dict[str, set[Obj]] = field(default_factory=dict)
    lazy: Any = None
    code: Any = None
    owner: Value = frozenset()
    method: str = ""
    depth: int = 0
    again: bool = False
    several: bool = False
    route: int = 0
    via: frozenset[Obj] = frozenset()
    made_with: Mapping[str, object] = field(default_factory=lambda: NO_ARGUMENTS)
    of_values: bool | None = None
    asked: set[str] = field(default_factory=set)
    moved: bool = False
    number: int = field(default_factory=lambda: next(NUMBERS[-1]))

    def __hash__(self) -> int:
        return self.number  # sets have the same order in every run

    def __repr__(self) -> str:
        return f"<{self.origin.name.lower()} {self.label}>"

    @property
    def shown(self) -> str:
        """Return how messages name it: its label as code, unless that is words."""
        return self.label if " `" in self.label else f"`{self.label}`"

    @property
    def outer(self) -> bool:
        """Tell whether it exists outside of the iteration."""
        return self.origin in (Origin.OUTER, Origin.ITEM)

    @property
    def of_items(self) -> bool:
        """Tell whether items hold it, so that it may be in several of them."""
        return self.origin is Origin.ITEM or self.several

    @property
    def by_name(self) -> bool:
        """Tell whether it was only reached by its name, or as an attribute of an object that was."""
        return self.route <= NAMED or (self.route == ATTRIBUTE and all(obj.route <= NAMED for obj in self.via))

    def held(self, name: str) -> Iterable[Obj]:
        """Look up what a field may hold."""
        self.asked.add(name)
        return self.fields.get(name, ATOM)

    def has(self, name: str) -> bool:
        """Tell whether anything was put into a field."""
        self.asked |= {name, THERE + name}
        return name in self.fields

    def at(self, place: int) -> Iterable[Obj] | None:
        """Look up what the element at a place may be; None: it cannot be told apart from the others."""
        self.asked |= {MOVED, str(place), f"{THERE}{place}"}
        return None if self.moved else self.fields.get(str(place))

    def move(self) -> bool:
        """Note that elements may change their places; tells whether a look-up has missed that."""
        if self.moved or self.types == (tuple,):
            return False
        self.moved = True
        return MOVED in self.asked

    def all_held(self) -> Mapping[str, Iterable[Obj]]:
        """Look up what all fields may hold."""
        self.asked.add(ALL)
        return self.fields

    def held_anywhere(self) -> Value:
        """Look up what any field may hold."""
        self.asked.add(HELD_ANYWHERE)
        return ATOM.union(*self.fields.values())

    def put(self, name: str, value: Value) -> tuple[bool, bool]:
        """Note that a field may hold a value; tells whether that is new, and whether a look-up has missed it."""
        held = self.fields.get(name)
        if held is None:
            self.fields[name] = set(value)
            if not value:
                return False, self.was_asked(THERE + name)
            return True, HELD_ANYWHERE in self.asked or self.was_asked(name)
        before = len(held)
        held |= value
        is_new = len(held) > before
        return is_new, is_new and (HELD_ANYWHERE in self.asked or self.was_asked(name))

    def was_asked(self, name: str) -> bool:
        """Tell whether a field was looked up."""
        asked = self.asked
        return bool(asked) and (name in asked or ALL in asked or (PLACES in asked and name.isdigit()))


Value = frozenset[Obj]
"""What an expression may stand for; empty: something that nobody can change."""
ATOM: Value = frozenset()


def is_atom(thing: Any, depth: int = 3) -> bool:
    """Tell whether nobody can change a live object nor anything inside it."""
    kind = type(thing)
    if kind in ATOM_KINDS:
        return True
    if isinstance(thing, enum.Enum):
        return enumerations.is_still(thing, is_atom)
    if isinstance(thing, ATOMS_AND_PATHS):
        return kind.__module__ != "__main__"
    if kind in (tuple, frozenset) or (isinstance(thing, tuple) and hasattr(kind, "_fields")):
        return depth > 0 and len(thing) <= ENOUGH and all(is_atom(part, depth - 1) for part in thing)
    return kind.__module__ == "numpy" and hasattr(thing, "dtype") and not hasattr(thing, "__setitem__")


def is_atom_type(kind: type) -> bool:
    """Tell whether nobody can change an object of a type."""
    if kind in ATOM_KINDS:
        return True
    if issubclass(kind, Enum):
        return enumerations.keeps_still(kind, is_atom)
    return issubclass(kind, ATOMS_AND_PATHS) and kind.__module__ != "__main__"


def gives_its_own_way(kind: type) -> bool:
    """Tell whether a container's class, derived from a builtin one, may give other elements: it is not to be asked."""
    return any(isinstance(getattr(kind, name, None), types.FunctionType) for name in GIVING)


GIVING = ("__iter__", "__len__", "__getitem__", "keys", "values", "items")
"""Methods by which a container gives what it holds."""


def all_atoms(thing: Any) -> bool:
    """Tell whether every element of a builtin container is something that nobody can change."""
    kind = type(thing)
    if kind in (range, str, bytes):
        return True
    if kind.__module__ == "numpy" and hasattr(thing, "dtype"):
        return bool(thing.dtype.kind not in "OV" and thing.ndim == 1)  # a record is a view
    if gives_its_own_way(kind):
        return False
    if isinstance(thing, dict):
        return len(thing) <= MANY and all_atoms(list(thing.values()))
    if not isinstance(thing, (list, tuple, set, frozenset)) or len(thing) > MANY:
        return False
    kinds = set(map(type, thing))
    if kinds <= ATOM_KINDS:
        return True
    return len(thing) <= ENOUGH * 10 and all(map(is_atom, thing))


def made_before(value: Iterable[Obj]) -> Iterator[Obj]:
    """Yield what is made and held already where something is about to be walked, but for what generators will make."""
    for obj in reachable(value, types.GeneratorType):
        if obj.origin is Origin.MADE:
            yield obj


def reachable(value: Iterable[Obj], beyond: type | None = None) -> Iterator[Obj]:
    """Yield abstract objects and all that they may hold, not that of those which are surely of the type `beyond`."""
    seen: set[int] = set()
    stack = list(value)
    while stack:
        found = stack.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        for held in found.fields.values() if beyond is None or found.types != (beyond,) else ():
            stack += held
