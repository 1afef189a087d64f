"""Consumers that take all values of a generator, and do not show when they take them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from concompare.cells.syntax import names

HOLDING = frozenset(["list", "tuple", "sorted", "deque", "extend"])
"""Calls that hold the values, and do not look at them before they have all."""
LOOKING = frozenset(["dict", "set", "frozenset", "sum", "min", "max", "join", "Counter"])
"""Calls that look at each value as it comes."""
METHODS = frozenset(["extend", "join"])
STORED = (ast.Name, ast.Tuple, ast.Constant, ast.expr_context)
TAKING = frozenset({ast.Call, ast.For, ast.List, ast.Tuple, ast.Set, ast.ListComp, ast.DictComp})
"""Nodes that may take values to the end."""
PASSIVE = (ast.Name, ast.Tuple, ast.List, ast.Constant, ast.expr_context, ast.comprehension, *names.COMPREHENSIONS)


@dataclass(frozen=True)
class Use:
    """How the values of a call are taken, to the last one.

    Attributes:
        looks: They are looked at as they come.
        into: The names of the containers that they are put into between two of them.
        names: The names that are given values between two of them.
    """

    looks: bool
    into: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def consumed_in(trees: Iterable[ast.AST], shadowed: frozenset[str]) -> dict[int, Use]:
    """Return the calls whose values are taken to the end, by identity."""
    found: dict[int, Use] = {}
    for tree in trees:
        for node in names.nodes_in(tree):
            if type(node) not in TAKING:
                continue
            for part, looks in given(node, shadowed):
                if isinstance(part, ast.Call):
                    found[id(part)] = Use(looks)
            if isinstance(node, ast.For) and isinstance(node.iter, ast.Call) and (use := use_of(node)) is not None:
                found[id(node.iter)] = use
    return found


def use_of(loop: ast.For) -> Use | None:
    """Return how a `for` statement takes its items that does nothing but to store them, or None."""
    into: dict[str, None] = {}
    bound, looks = names.stored(loop.target), False
    parts: list[ast.AST] = [loop.target]
    for statement in loop.body:
        value = statement.value if isinstance(statement, (ast.Expr, ast.Assign)) else None
        if isinstance(value, ast.Call) and isinstance(statement, ast.Expr):
            func = value.func
            plain = isinstance(func, ast.Attribute) and func.attr in ("append", "add") and not value.keywords
            if not plain or not isinstance(func, ast.Attribute) or not isinstance(func.value, ast.Name):
                return None
            into[func.value.id] = None
            looks = looks or func.attr == "add"
            parts += value.args
            continue
        if not isinstance(statement, ast.Assign):
            return None
        parts.append(statement.value)
        for target in statement.targets:
            if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                into[target.value.id], looks = None, True
                parts.append(target.slice)
            else:
                parts.append(target)
                bound |= names.stored(target)
    simple = all(isinstance(inner, STORED) for part in parts for inner in names.nodes_in(part))
    return Use(looks, tuple(into), tuple(sorted(bound))) if simple and not bound & into.keys() else None


def given(node: ast.AST, shadowed: frozenset[str]) -> list[tuple[ast.AST, bool]]:
    """Return what a node takes the values of."""
    if isinstance(node, ast.Call) and node.args:
        func = node.func
        word = func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")
        known = word not in shadowed if isinstance(func, ast.Name) else word in METHODS
        quiet = not node.keywords or word in ("sorted", "dict", "deque")
        if known and quiet and len(node.args) == 1 and word in HOLDING | LOOKING:
            return [(node.args[0], word in LOOKING)]
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        looks = isinstance(node, ast.Set)
        return [(part.value, looks) for part in node.elts if isinstance(part, ast.Starred)]
    if isinstance(node, (ast.ListComp, ast.DictComp)) and len(node.generators) == 1:
        walked = node.generators[0].iter
        if all(isinstance(part, PASSIVE) for part in {*names.nodes_in(node)}.difference(names.nodes_in(walked))):
            return [(walked, isinstance(node, ast.DictComp))]
    return []
