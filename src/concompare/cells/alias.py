"""Whether objects that the tail changes can be reached from what the head reads, as the objects themselves show."""

from __future__ import annotations

import collections
import gc
import math
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

from concompare.cells import known

MOST = 200_000
"""Objects looked at before the answer is: cannot be told."""


class TooMany(Exception):
    """Raised when there are more objects than are looked at."""


class Reach:
    """The changeable objects that can be reached from some objects."""

    def __init__(self, namespace: Mapping[str, Any], most: int = MOST) -> None:
        self.namespace = namespace
        self.most = most

    def __call__(self, objects: Iterable[Any]) -> set[int]:
        """Return the identities of every changeable object that can be reached; raises TooMany."""
        seen: set[int] = set()
        keep: list[Any] = []
        stack = list(objects)
        while stack:
            thing = stack.pop()
            if type(thing) in known.ATOMS or id(thing) in seen or isinstance(thing, types.ModuleType):
                continue
            if type(thing) in (list, tuple, set, frozenset) and known.all_atoms(thing):
                seen.add(id(thing))
                keep.append(thing)
                continue
            if isinstance(thing, type) and not self.is_user(thing):
                continue
            seen.add(id(thing))
            keep.append(thing)
            if len(seen) > self.most:
                raise TooMany
            stack += self.parts(thing)
        return {id(thing) for thing in keep if type(thing) not in (tuple, frozenset, types.FunctionType)}

    def is_user(self, kind: type) -> bool:
        """Tell whether a class is the notebook's own."""
        return bool(kind.__module__ == self.namespace.get("__name__", "__main__"))

    def parts(self, thing: Any) -> list[Any]:
        """Return the objects that an object holds."""
        if isinstance(thing, types.FunctionType):
            return self.parts_of_function(thing)
        if isinstance(thing, type):
            return [value for name, value in vars(thing).items() if not name.startswith("__")]
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
        if function.__globals__ is self.namespace:
            stack = [function.__code__]
            while stack:
                code = stack.pop()
                found += [self.namespace[name] for name in code.co_names if name in self.namespace]
                stack += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        return found


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
            owner = getattr(thing, "__self__", None) if isinstance(thing, known.CALLABLES) else None
            thing = getattr(thing, "base", None) if type(thing).__module__ == "numpy" else owner
    return found


def overlap(shallow: list[Any], deep: list[Any], read: Iterable[Any], namespace: Mapping[str, Any]) -> bool:
    """Tell whether something changed may be something read; True too where that cannot be told.

    Args:
        shallow: Objects that change themselves, but nothing inside them.
        deep: Objects in which anything may change.
        read: Objects that are read, with all they hold.
        namespace: The notebook's names.
    """
    reach = Reach(namespace)
    left = [thing for thing in shallow if holders(thing) > HELD_ONCE]
    read = list(read)
    if not (left or deep) or not read:
        return False
    try:
        return bool((themselves(left) | reach(deep)) & reach(read))
    except TooMany:
        return True


def all_apart(items: Iterable[Any], others: Iterable[Any], namespace: Mapping[str, Any]) -> bool:
    """Tell whether no two items share anything changeable, nor an item and the others."""
    reach = Reach(namespace)
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
