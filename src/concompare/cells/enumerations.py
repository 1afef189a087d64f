"""Enumerations of the notebook whose members can be changed: by what they hold, or by methods that give them more."""

from __future__ import annotations

import ast
import enum
import functools
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from concompare.cells.syntax import names
from concompare.cells.syntax.definitions import definition_of
from concompare.cells.syntax.own_code import is_user_module
from concompare.cells.telling_classes import root_of

MAKERS = frozenset({"__new__", "__init__", "__init_subclass__", "_generate_next_value_"})
"""Methods that run while the members are made."""
REACHING = frozenset({"setattr", "delattr", "vars", "__dict__", "__setattr__", "__setitem__"})
"""What changes attributes by their names."""
KNOWN: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()
"""Whether methods of an enumeration give its members attributes, found once."""


def keeps_still(kind: type, is_fixed: Callable[[Any], bool]) -> bool:
    """Tell whether nobody can change the members of an enumeration; `is_fixed` tells that of what they hold."""
    if not is_user_module(kind.__module__):
        return True
    members = vars(kind).get("_member_map_", {})
    return not gives_attributes(kind) and all(holds_nothing(member, is_fixed) for member in members.values())


def is_still(member: enum.Enum, is_fixed: Callable[[Any], bool]) -> bool:
    """Tell whether nobody can change a member of an enumeration; `is_fixed` tells that of what it holds."""
    kind = type(member)
    if not is_user_module(kind.__module__):
        return True
    return not gives_attributes(kind) and holds_nothing(member, is_fixed)


def holds_nothing(member: enum.Enum, is_fixed: Callable[[Any], bool]) -> bool:
    """Tell whether a member holds nothing but what all have: its name, its value and the like."""
    held = vars(member)
    return all(name.startswith("_") and name.endswith("_") for name in held) and is_fixed(held.get("_value_"))


def gives_attributes(kind: type) -> bool:
    """Tell whether a method or property of an enumeration sets attributes of a member."""
    found = KNOWN.get(kind)
    if found is None:
        found = KNOWN[kind] = any(sets_attributes(function) for function in functions_of(kind))
    return found


def functions_of(kind: type) -> Iterator[types.FunctionType | None]:
    """Yield the user's functions in an enumeration, but for those that make members; None: what keeps a value."""
    for base in kind.__mro__:
        for name, thing in vars(base).items() if is_user_module(base.__module__) else ():
            if isinstance(thing, functools.cached_property):
                yield None
            parts = (thing, *(getattr(thing, word, None) for word in ("fget", "fset", "__func__")))
            yield from (part for part in parts if isinstance(part, types.FunctionType) and name not in MAKERS)


def sets_attributes(function: types.FunctionType | None) -> bool:
    """Tell whether a method sets an attribute of what it is called on, as far as its syntax shows."""
    node = definition_of(function.__code__, function.__name__) if function is not None else None
    if node is None:
        return function is None
    own = next(iter(names.parameters(node)), "")
    for part in names.nodes_in(node):
        if isinstance(part, ast.Attribute) and not isinstance(part.ctx, ast.Load) and root_of(part) == own:
            return True
        if (part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "")) in REACHING:
            return True
    return False
