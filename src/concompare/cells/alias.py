"""Alias checks on the live objects: can the head reach an object that the tail changes?"""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import functools
import gc
import math
import pathlib
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from concompare.cells import enumerations, memory
from concompare.cells.frame import frame_of

MOST = 200_000
"""Objects looked at before the answer is: cannot be told."""


PACE, OBJECTS_OF_A_STEP = 512, 8
"""After how many objects the time is looked at, and how many of them count as one step of an analysis."""
ATOMS = frozenset(
    {
        *(str, bytes, int, float, complex, bool, type(None), range, type(Ellipsis), slice, re.Pattern, re.Match),
        *(pathlib.PurePath, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, fractions.Fraction),
        types.ModuleType,
    }
)
"""Types whose values nobody can change (a tuple or frozenset of these neither)."""
CALLABLES = (
    *(types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodDescriptorType),
    *(types.WrapperDescriptorType, type, functools.partial, type(functools.lru_cache(lambda: None))),
)
BUILTIN = frozenset({list, tuple, set, frozenset})
UNCHANGING = frozenset({tuple, frozenset, types.FunctionType})


def is_atom(value: Any, depth: int = 3) -> bool:
    """Tell whether nobody can change the value nor anything inside it."""
    kind = type(value)
    if kind in ATOMS or isinstance(value, (pathlib.PurePath, types.ModuleType)):
        return True
    if kind is tuple or kind is frozenset:
        return depth > 0 and len(value) <= 1000 and all(is_atom(part, depth - 1) for part in value)
    if kind.__module__ == "numpy" and hasattr(value, "dtype") and not hasattr(value, "__setitem__"):
        return True
    return issubclass(kind, (int, str, float)) and kind.__module__ != "__main__"


def all_atoms(values: Any, most: int = 200_000) -> bool:
    """Tell whether every element of a builtin container (or numeric array) is something nobody can change."""
    kind = type(values)
    if kind in (range, str, bytes):
        return True
    if kind.__module__ == "numpy" and hasattr(values, "dtype"):
        return bool(values.ndim == 1 and values.dtype.kind not in "OV")  # a record is a view
    if kind not in (list, tuple, set, frozenset, dict) or len(values) > most:
        return False
    kinds = set(map(type, values))
    if all(part in ATOMS for part in kinds):
        return True
    return len(values) <= 5000 and all(is_atom(value) for value in values)


class TooMany(Exception):
    """Raised when there are more objects than are looked at."""


class Alone:
    """An object of which nothing but what it is itself is looked at, as its attributes are given one by one."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing


class Reach:
    """The changeable objects that can be reached from some objects.

    Args:
        namespace: The notebook's names.
        most: Objects that are looked at for one answer.
        step: Is told how much was looked at, and may raise.
    """

    def __init__(
        self, namespace: Mapping[str, Any], most: int = MOST, step: Callable[[int], object] = lambda count: None
    ) -> None:
        self.namespace = namespace
        self.most = most
        self.step = step

    def __call__(self, objects: Iterable[Any]) -> set[int]:
        """Return the identities of every changeable object that can be reached; raises TooMany."""
        return {id(thing) for thing in self.walk(objects, set()) if type(thing) not in UNCHANGING}

    def walk(self, objects: Iterable[Any], seen: set[int], keep: list[Any] | None = None) -> Iterator[Any]:
        """Yield what can be reached and is not seen yet, but for what nobody can change; raises TooMany."""
        keep = [] if keep is None else keep  # so that no two objects have one identity
        known_before = len(keep)
        stack = list(objects)
        while stack:
            thing = stack.pop()
            kind = type(thing)
            if kind is Alone:
                seen.add(id(thing.thing))
                keep.append(thing.thing)
                yield thing.thing
                continue
            if kind in ATOMS or id(thing) in seen or isinstance(thing, types.ModuleType):
                continue
            if isinstance(thing, enum.Enum) and enumerations.is_still(thing, is_atom):
                continue
            if (isinstance(thing, type) and not self.is_user(thing)) or memory.is_index(thing):
                continue
            seen.add(id(thing))
            keep.append(thing)
            if kind not in BUILTIN or not all_atoms(thing):
                if len(keep) - known_before > self.most:
                    raise TooMany
                stack += self.parts(thing)
            if not len(keep) % PACE:
                self.step(PACE // OBJECTS_OF_A_STEP)
            yield thing

    def is_user(self, kind: type) -> bool:
        """Tell whether a class is the notebook's own."""
        return bool(kind.__module__ == self.namespace.get("__name__", "__main__"))

    def parts(self, thing: Any) -> list[Any]:
        """Return the objects that an object holds."""
        if isinstance(thing, types.FunctionType):
            return self.parts_of_function(thing)
        if memory.is_frame(thing):
            return list(memory.parts_of(thing))
        if type(thing) is memoryview:
            return [thing.obj]
        if isinstance(thing, type):
            return [value for name, value in vars(thing).items() if not name.startswith("__")]
        if is_drawn(thing):
            name = self.namespace.get("__name__", "__main__")  # asked of each attribute of each artist
            own = [part for part in getattr(thing, "__dict__", {}).values() if type(part).__module__ == name]
            return [*own, *children_of(thing), getattr(thing, "figure", None), getattr(thing, "axes", None)]
        if type(thing).__module__ == "numpy" and hasattr(thing, "base") and hasattr(thing, "dtype"):
            held = [thing.base] if thing.base is not None else []
            return held + (list(thing.flat) if thing.dtype == object else [])
        return [part for part in gc.get_referents(thing) if part is not type(thing)]

    def parts_of_function(self, function: types.FunctionType) -> list[Any]:
        """Return what a function reaches: defaults, attributes, closure, and the notebook's names in its code."""
        found: list[Any] = [
            *(function.__defaults__ or ()),
            *(function.__kwdefaults__ or {}).values(),
            *vars(function).values(),
        ]
        for cell in function.__closure__ or ():
            try:
                found.append(cell.cell_contents)
            except ValueError:
                continue
        frame, names = frame_of(self.namespace), function.__globals__
        if names is self.namespace or (frame is not None and names is frame.module):
            stack = [function.__code__]
            while stack:
                code = stack.pop()
                found += [names[name] for name in code.co_names if name in names]
                stack += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        return found


def is_drawn(thing: Any) -> bool:
    """Tell whether a thing is a part of a figure of matplotlib: these hold each other, and much else."""
    if not type(thing).__module__.startswith("matplotlib."):
        return False
    return any((kind.__module__, kind.__name__) == ("matplotlib.artist", "Artist") for kind in type(thing).__mro__)


def holders(thing: Any) -> float:
    """Return the references to a container, those that the way here takes included; infinity for other objects."""
    plain = type(thing) in (
        list,
        dict,
        set,
        collections.deque,
        collections.Counter,
        collections.defaultdict,
        collections.OrderedDict,
    )
    return sys.getrefcount(thing) if plain else math.inf


def holders_of_one() -> float:
    """Return what `holders` says, asked as below, where one name and one list of ours hold a container."""
    notebook: dict[str, Any] = {"name": []}
    shallow = [notebook["name"]]
    (count,) = [holders(thing) for thing in shallow]
    return count


HELD_ONCE = holders_of_one()
"""Counted, not written down: Python 3.14 borrows references where earlier versions take them."""


def themselves(things: Iterable[Any]) -> set[int]:
    """Return the identities of objects and of the memory they are views of."""
    found = set()
    for thing in things:
        while thing is not None:
            found.add(id(thing))
            thing = owner_of(thing)
    return found


def children_of(artist: Any) -> list[Any]:
    """Return the parts of a part of a figure that are there already: to ask an axis for its ticks makes them."""
    if not hasattr(type(artist), "majorTicks"):
        return list(artist.get_children())
    ticks = [part for name in ("majorTicks", "minorTicks") for part in vars(artist).get(name, ())]
    return [*ticks, artist.label, artist.offsetText]


def owner_of(thing: Any) -> Any:
    """Return what a method belongs to, or the owner of the memory that something is a view of; None: there is none."""
    if type(thing) is memoryview:
        return thing.obj
    if type(thing).__module__ == "numpy":
        return getattr(thing, "base", None)
    return getattr(thing, "__self__", None) if isinstance(thing, CALLABLES) else None


def overlap(
    shallow: list[Any], deep: list[Any], read: Iterable[Any], namespace: Mapping[str, Any], reach: Reach | None = None
) -> bool:
    """Tell whether something changed may be something read; True too where that cannot be told.

    Args:
        shallow: Objects that change themselves, but nothing inside them.
        deep: Objects in which anything may change.
        read: Objects that are read, with all they hold.
        namespace: The notebook's names.
        reach: What walks them.
    """
    frame = frame_of(namespace)
    twice = frame.held if frame is not None else ()
    left = [thing for thing in shallow if holders(thing) > HELD_ONCE + (id(thing) in twice)]
    read = list(read)
    return bool((left or deep) and read) and Read(read, reach or Reach(namespace)).meets(left, deep)


class Read:
    """Objects that are read, with all they hold, looked up once for many questions.

    Args:
        things: The objects.
        reach: Walks them.
    """

    def __init__(self, things: list[Any], reach: Reach) -> None:
        self.reach = reach
        self.apart: set[int] = set()
        self.kept: list[Any] = []
        self.found: set[int] | None
        try:
            self.found = reach(things)
        except TooMany:
            self.found = None

    def meets(self, shallow: Iterable[Any], deep: list[Any]) -> bool:
        """Tell whether something that changes may be something read; True too where that cannot be told.

        Args:
            shallow: Objects that change themselves, but nothing inside them.
            deep: Objects in which anything may change.
        """
        if self.found is None or not themselves(shallow).isdisjoint(self.found):
            return True
        kept = len(self.kept)
        try:
            for thing in self.reach.walk(deep, self.apart, self.kept):
                if id(thing) in self.found and type(thing) not in UNCHANGING:
                    for other in self.kept[kept:]:
                        self.apart.discard(id(other))
                    del self.kept[kept:]
                    return True
        except TooMany:
            self.found = None
            return True
        return False  # and none of what was walked now meets anything in later questions


def shared_by(items: Iterable[Any], others: Iterable[Any], reach: Reach) -> list[Any]:
    """Return all that more than one item can reach, or an item and the others; raises TooMany."""
    owners: dict[int, int] = {}
    keep: list[Any] = []
    shared: dict[int, Any] = {}
    for number, part in enumerate((list(others), *([item] for item in items))):
        for thing in reach.walk(part, set(), keep):
            if type(thing) not in UNCHANGING and owners.setdefault(id(thing), number) != number:
                shared[id(thing)] = thing
        if len(keep) > MOST:
            raise TooMany
    return list(shared.values())


def all_apart(
    items: Iterable[Any], others: Iterable[Any], namespace: Mapping[str, Any], reach: Reach | None = None
) -> bool:
    """Tell whether no two items share anything changeable, nor an item and the others."""
    reach = reach or Reach(namespace)
    try:
        seen = reach(others)
        for item in items:
            found = reach([item])
            if found & seen or len(seen) > MOST:
                return False
            seen |= found
    except TooMany:
        return False
    return True
