"""The user's functions among the arguments of a call, those in lists, dictionaries and records as well."""

from __future__ import annotations

import functools
import types
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.elements import elements_of
from concompare.cells.effects.kinds import CACHE, is_container
from concompare.cells.objects import Obj, Origin, Value

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

DEPTH = 3
"""Containers inside one another in which functions are looked for."""


def callables_among(an: Interpreter, value: Value) -> Value:
    """Return some objects, with the functions in those that hold others: `agg({"v": [f, "max"]})` calls `f`."""
    found, waiting = value, value
    for _ in range(DEPTH):
        within = frozenset(part for obj in waiting for part in parts_of(an, obj)) - found
        found |= frozenset(part for part in within if may_be_called(an, part))
        waiting = within
    return found


def parts_of(an: Interpreter, obj: Obj) -> Value:
    """Return what a container or a record holds that the code has made, or a container of the notebook."""
    if obj.origin is Origin.MADE:
        return obj.held_anywhere()
    return elements_of(an, obj) if obj.types and all(map(is_container, obj.types)) else frozenset()


def may_be_called(an: Interpreter, obj: Obj) -> bool:
    """Tell whether an object is a function of the user's."""
    return obj.origin is Origin.FUNCTION or any(is_own_function(an, thing) for thing in obj.live)


def is_own_function(an: Interpreter, thing: Any) -> bool:
    """Tell whether a live object is a function of the user's, or what may stand before one."""
    if isinstance(thing, (types.FunctionType, types.MethodType)):
        return an.world.is_user(getattr(thing, "__func__", thing))
    return isinstance(thing, (functools.partial, CACHE))
