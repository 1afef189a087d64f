"""Loops that read and change a container only at the index that the item gives: `a[i] = f(a[i])`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from concompare.cells import names
from concompare.cells.values import Value

if TYPE_CHECKING:
    from concompare.cells.judge import Judge

STAND_IN = "·apart"
HOLDERS = (list, dict)


def apart(judge: Judge) -> dict[str, str]:
    """Return the changed containers that every iteration uses at its own index alone, with the name of that index."""
    found = {}
    for root in judge.changed:
        if root in judge.an.local or root.startswith("\u00b7") or not root.isidentifier():
            continue
        index = index_of(judge, root)
        if index is not None:
            found[root] = index
    return found


def index_of(judge: Judge, root: str) -> str | None:
    """Return the one loop name that a container is indexed with everywhere in the body, or None."""
    own = judge.loop.bound - names.writes(*judge.loop.body)
    used: set[str] = set()
    inside: set[int] = set()
    for node in [part for statement in judge.loop.body for part in names.nodes_in(statement)]:
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == root:
            if not isinstance(node.slice, ast.Name):
                return None
            used.add(node.slice.id)
            inside.add(id(node.value))
        elif isinstance(node, ast.Name) and node.id == root and id(node) not in inside:
            return None
    stores = all(effect.text == "stores into {}" for effect in judge.whole.effects if root in effect.roots)
    if len(used) != 1 or not used <= own or not stores or reached_otherwise(judge, root):
        return None
    return used.pop()


def renamed(statement: ast.stmt, name: str) -> ast.stmt:
    """Return a copy of a statement with our name in the place of another."""

    def instead(node: ast.AST) -> ast.AST | None:
        if not isinstance(node, ast.Name) or node.id != name:
            return None
        return ast.copy_location(ast.Name(STAND_IN, node.ctx), node)

    return names.copied(statement, instead)


def reached_otherwise(judge: Judge, root: str) -> bool:
    """Tell whether a called function reads the container as well."""
    body = [renamed(statement, root) for statement in judge.loop.body]
    judge.an.local[STAND_IN] = Value(frozenset({STAND_IN}), frozenset({STAND_IN}))
    reading = judge.an.look(*body)
    del judge.an.local[STAND_IN]
    return root in reading.roots


def all_different(holder: Any, indices: list[Any]) -> bool:
    """Tell whether the indices surely name different elements of the container."""
    if type(holder) not in HOLDERS and not (type(holder).__module__ == "numpy" and type(holder).__name__ == "ndarray"):
        return False
    try:
        different = len(set(indices)) == len(indices)
    except TypeError:
        return False
    if type(holder) is dict:
        return different and all(index in holder for index in indices)
    kinds = {type(index) for index in indices}
    return (
        different
        and all(issubclass(kind, int) or kind.__module__ == "numpy" for kind in kinds)
        and all(i >= 0 for i in indices)
    )
