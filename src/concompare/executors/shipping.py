"""Functions as they are sent for single calls: pickled again only where they may have changed since the last call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from concompare.engine.transport.functions import Shipment, ship
from concompare.worker.calls import CallOf
from concompare.worker.transfer.object_refs import ATOMS
from concompare.worker.transfer.pickling import names_in

MISSING = object()
"""Stands for a name that is not assigned: a builtin, or none yet."""

MOST = 200
"""Objects that a function refers to, up to which it is looked whether any of them can change."""


class Shipped:
    """The function that was sent last, ready to be sent again as long as nothing of it can have changed.

    Attributes:
        parts: What it consists of; `item_is`: how it is called.
    """

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.item_is = ""
        self.shipment: Shipment | None = None

    def of(self, function: Callable[..., Any]) -> Shipment:
        """Return a function as it is now, to be sent to other processes.

        Results hold copies of what it captures, which may have changed here until they come.

        Raises:
            CannotShip: Something in it cannot be sent.
        """
        if not isinstance(function, CallOf) or function.setup is not None:
            return replace(ship(function, here=False), objects={})
        parts = lasting_parts(function.func)
        if parts is not None and self.shipment is not None and self.is_same(parts, function.item_is):
            return self.shipment
        shipment = replace(ship(function, here=False), objects={})
        if parts is not None:
            self.parts, self.item_is, self.shipment = parts, function.item_is, shipment
        return shipment

    def is_same(self, parts: list[Any], item_is: str) -> bool:
        """Tell whether a function is the one that was sent last."""
        same = len(parts) == len(self.parts) and item_is == self.item_is
        return same and all(one is other for one, other in zip(parts, self.parts, strict=True))


def lasting_parts(function: Any) -> list[Any] | None:
    """Return all that a function consists of, where none of it can change in itself; else None."""
    found: list[Any] = []
    stack: list[Any] = [function]
    seen: set[int] = set()
    while stack:
        thing = stack.pop()
        found.append(thing)
        if len(found) > MOST:
            return None
        kind = type(thing)
        if kind in ATOMS or kind is ModuleType or id(thing) in seen or has_name(thing):
            continue
        seen.add(id(thing))
        if kind is tuple:
            stack += thing
        elif kind is FunctionType and not thing.__dict__:
            stack += parts_of(thing)
        elif kind is not CodeType and thing is not MISSING:
            return None
    return found


def parts_of(function: FunctionType) -> list[Any]:
    """Return what a function consists of: its code, defaults, and what the names that it reads stand for."""
    parts: list[Any] = [function.__code__, function.__defaults__, function.__doc__]
    parts += [function.__name__, function.__qualname__, function.__module__]
    parts += [*(function.__kwdefaults__ or {}).values(), *annotations_of(function)]
    parts += [function.__globals__.get(name, MISSING) for name in read_by(function.__code__)]
    for cell in function.__closure__ or ():
        try:
            parts.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            parts.append(cell)
    return parts


def annotations_of(function: FunctionType) -> list[Any]:
    """Return the annotations of a function; something that changes each time where they cannot be evaluated yet."""
    try:
        return [*function.__annotations__.values()]
    except Exception:
        return [[]]


@lru_cache(maxsize=256)
def read_by(code: CodeType) -> tuple[str, ...]:
    """Return the global names that code may use."""
    return tuple(names_in(code))


def has_name(thing: Any) -> bool:
    """Tell whether pickles hold an object by its name in an installed or imported module, whatever is in it."""
    if not isinstance(thing, (FunctionType, BuiltinFunctionType, type)):
        return False
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", "")
    if module in (None, "__main__") or by_value_all_the_same(str(module)):
        return False
    return getattr(sys.modules.get(str(module)), name, None) is thing


def by_value_all_the_same(module: str) -> bool:
    """Tell whether the user wants a module's functions to go by value (`cloudpickle.register_pickle_by_value`)."""
    cloudpickle = sys.modules.get("cloudpickle")
    registered = cloudpickle.list_registry_pickle_by_value() if cloudpickle is not None else ()
    return any(module == name or module.startswith(f"{name}.") for name in registered)
