"""Classes of the notebook whose methods run where an object is only looked at or pickled, and change something then."""

from __future__ import annotations

import ast
import collections
import datetime
import decimal
import fractions
import types
from collections.abc import Iterable, Mapping
from typing import Any

from concompare.cells.syntax import names
from concompare.cells.syntax.definitions import definition_of
from concompare.cells.syntax.own_code import is_user_module

PICKLING = ("__getstate__", "__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__")
"""Methods that run where an object is pickled."""
NOTICING = ("__getattribute__", "__class__", "__module__")
"""What a class may have that runs wherever one of its objects is looked at."""
VALUES = (int, float, complex, str, bytes, tuple, frozenset, decimal.Decimal, fractions.Fraction, datetime.date)
"""Types whose objects are made again, by the class, where they are copied or come from another process."""
PASSING = frozenset({"__getattribute__", "super", "getattr", "isinstance", "len", "str", "repr", "type"})
"""What a method may call to answer without changing anything."""
ARRIVING = ("__setstate__", "__getattr__")
"""Methods that run where an object is put together again, or is asked whether it has one for that."""
FILLED = ("__iter__", "items", "keys", "__getitem__", "append", "extend", "add", "update", "__setitem__")
"""Methods by which containers are pickled and filled again."""
CONTAINERS = (list, dict, set, frozenset, collections.deque)
CALLED_AGAIN = (
    set,
    frozenset,
    collections.deque,
    collections.OrderedDict,
    collections.Counter,
    collections.defaultdict,
)
"""Containers whose class is called to make them again."""
FILLING = frozenset({"setattr", "object", "vars", "dict"})
"""What such a method may call to fill the object itself."""


def class_of(thing: Any) -> type[Any]:
    """Return the class of an object, or the object where it is one, without asking the object itself."""
    kind = type(thing)
    return thing if issubclass(kind, type) else kind


def why_unseen(namespace: Mapping[str, Any]) -> str | None:
    """Return why the notebook's objects cannot be looked at without anybody noticing; None: they can."""
    kinds = {id(kind): kind for kind in map(class_of, list(namespace.values()))}
    for kind in kinds.values():
        for base in type.__dict__["__mro__"].__get__(kind):
            if base is not object and (method := noticing(base)):
                return f"`{base.__qualname__}` has a `{method}` of its own, which runs wherever an object is looked at"
    return None


def may_make(source: str) -> bool:
    """Tell whether a cell may make a class that notices being looked at."""
    return any(f"def {name}" in source for name in NOTICING)


def noticing(kind: type) -> str | None:
    """Return what of a class runs wherever one of its objects is looked at; None: nothing that could show."""
    held = vars(kind)
    for name in NOTICING[1:]:
        if type(held.get(name)) is property:
            return name
    method = held.get("__getattribute__")
    return "__getattribute__" if type(method) is types.FunctionType and changes_others(method) else None


def pickled_its_way(kind: type) -> str | None:
    """Return the method by which a class of the user's says how its objects are pickled; None: as any others are."""
    for base in kind.__mro__:
        for name in PICKLING:
            method = vars(base).get(name)
            if type(method) is types.FunctionType and is_user_module(method.__module__ or "__main__"):
                return name
    return None


def telling_when_pickled(kinds: Iterable[type]) -> tuple[type, str] | None:
    """Return a class whose method changes something where its objects are pickled, with that method."""
    for kind in kinds:
        if telling_when_made_again(kind):
            return kind, "__new__"
        name = pickled_its_way(kind)
        method = getattr(kind, name) if name is not None else None
        if name is not None and isinstance(method, types.FunctionType) and changes_others(method):
            return kind, name
        called = ("__init__",) if issubclass(kind, CALLED_AGAIN) else ()
        for name in (*ARRIVING, *(FILLED if issubclass(kind, CONTAINERS) else ()), *called):
            method = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)
            if type(method) is types.FunctionType and changes_more_than_itself(kind, method):
                return kind, name
    return None


def changes_more_than_itself(kind: type, method: types.FunctionType) -> bool:
    """Tell whether a method of the user's changes more than its object, or that object though it is only asked."""
    if not is_user_module(method.__module__ or "__main__"):
        return False
    asked = method.__name__ == "__getattr__" and any("__slots__" in vars(base) for base in kind.__mro__)
    return changes_others(method, frozenset() if asked else FILLING | {*method.__code__.co_varnames[:1]})


def telling_when_made_again(kind: type) -> bool:
    """Tell whether a class of values has a `__new__` of the user's that changes something: copies are made by it."""
    method = next((vars(base)["__new__"] for base in kind.__mro__ if "__new__" in vars(base)), None)
    method = method.__func__ if isinstance(method, staticmethod) else method
    if not isinstance(method, types.FunctionType) or not issubclass(kind, VALUES):
        return False
    return is_user_module(method.__module__ or "__main__") and changes_others(method)


def changes_others(function: types.FunctionType, besides: frozenset[str] = frozenset()) -> bool:
    """Tell whether a function may change more than what it makes itself and some names, as far as its syntax shows."""
    node = definition_of(function.__code__, function.__name__)
    if node is None or isinstance(node, ast.Lambda):
        return False
    own = {*names.writes(*node.body), *PASSING, *besides}
    return any(changed_by(part) not in own for part in names.nodes_in(node))


def changed_by(node: ast.AST) -> str:
    """Return the name that a part of a function begins with which may change what it stands for, or one of PASSING."""
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return ""
    if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
        return root_of(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return root_of(node.value.func)
    return "super"


def root_of(node: ast.expr) -> str:
    """Return the name that an expression begins with, empty where it is something else."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
