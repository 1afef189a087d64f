"""Methods of Python's own library of which no table tells: whether their code changes the object that they are of."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import textwrap
import types
from typing import Any

from concompare.cells.effects.live import MISSING, static

APART = frozenset({
    *("builtins", "collections", "threading", "concurrent", "multiprocessing", "queue", "asyncio", "logging"),
    *("unittest", "weakref", "functools", "random", "typing", "abc", "enum", "dataclasses"),
})  # fmt: skip
"""Packages whose objects are made to be shared by threads, or are followed in another way."""
CHANGING = frozenset({
    *("append", "appendleft", "add", "insert", "extend", "update", "setdefault", "sort", "reverse", "rotate"),
    *("pop", "popleft", "popitem", "remove", "discard", "clear"),
})  # fmt: skip
"""Methods of containers that change them."""
DEPTH = 6
"""Methods that call one another up to which code is looked at."""


@functools.lru_cache(512)  # a class of the user's may be made anew every time a cell runs
def changes_itself(kind: type, name: str) -> bool:
    """Tell whether a method that a class has from one of Python's library changes its object, as its code shows."""
    owner = next((base for base in kind.__mro__ if name in vars(base)), object)
    package = owner.__module__.partition(".")[0].lstrip("_")
    if package not in sys.stdlib_module_names or package in APART:
        return False
    met: set[str] = set()
    waiting = [(name, DEPTH)]
    while waiting:
        word, depth = waiting.pop()
        met.add(word)
        node = code_of(static(kind, word))
        if node is None:
            continue
        if changes(node):
            return True
        waiting += [(other, depth - 1) for other in called_by(node) - met if depth]
    return False


def code_of(thing: Any) -> ast.FunctionDef | None:
    """Return the definition of a method that is written in Python; None: it is not, or its source is gone."""
    thing = thing.fget if isinstance(thing, property) else thing
    if thing is MISSING or not isinstance(thing, types.FunctionType):
        return None
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    except (OSError, SyntaxError, IndexError):
        return None
    return node if isinstance(node, ast.FunctionDef) and node.args.args else None


def changes(node: ast.FunctionDef) -> bool:
    """Tell whether a method sets attributes, or changes a container in an attribute of its object."""
    own = node.args.args[0].arg
    for part in ast.walk(node):
        stored = not isinstance(getattr(part, "ctx", None), (ast.Load, type(None)))
        if isinstance(part, ast.Attribute) and stored:
            return True
        if isinstance(part, ast.Subscript) and stored and is_part_of(part.value, own):
            return True
        called = part.func if isinstance(part, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in CHANGING and is_part_of(called.value, own):
            return True
    return False


def is_part_of(node: ast.expr, own: str) -> bool:
    """Tell whether an expression is an attribute of an object, or a part of one."""
    inside = False
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        inside, node = True, node.value
    return inside and isinstance(node, ast.Name) and node.id == own


def called_by(node: ast.FunctionDef) -> set[str]:
    """Return the names of what a method asks of its object."""
    own = node.args.args[0].arg
    found = [part for part in ast.walk(node) if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name)]
    return {part.attr for part in found if part.value.id == own}  # type: ignore[attr-defined]
