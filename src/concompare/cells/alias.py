"""Whether objects that the tail changes can be reached from what the head reads, as the objects themselves show."""

from __future__ import annotations

import gc
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
        return kind.__module__ == self.namespace.get("__name__", "__main__")

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
        found: list[Any] = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values(), *vars(function).values()]
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


def overlap(changed: Iterable[Any], read: Iterable[Any], namespace: Mapping[str, Any]) -> bool:
    """Tell whether something changed may be something read; True too where that cannot be told."""
    reach = Reach(namespace)
    changed, read = list(changed), list(read)
    if not changed or not read:
        return False
    try:
        return bool(reach(changed) & reach(read))
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
