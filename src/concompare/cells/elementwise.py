"""Loops that read and change a container only at the index that the item gives: `a[i] = f(a[i])`."""

from __future__ import annotations

import ast
import copy
from typing import TYPE_CHECKING, Any

from concompare.cells.values import Value

if TYPE_CHECKING:
    from concompare.cells.split import Splitter

STAND_IN = "·apart"
HOLDERS = (list, dict)


def apart(splitter: Splitter) -> dict[str, str]:
    """Return the changed containers that every iteration uses at its own index alone, with the name of that index."""
    found = {}
    for root in splitter.changed:
        if root in splitter.an.local or root.startswith("\u00b7") or not root.isidentifier():
            continue
        index = index_of(splitter, root)
        if index is not None:
            found[root] = index
    return found


def index_of(splitter: Splitter, root: str) -> str | None:
    """Return the one loop name that a container is indexed with everywhere in the body, or None."""
    from concompare.cells import names

    own = splitter.loop.bound - names.writes(*splitter.loop.body)
    used: set[str] = set()
    inside: set[int] = set()
    for node in [part for statement in splitter.loop.body for part in ast.walk(statement)]:
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == root:
            if not isinstance(node.slice, ast.Name):
                return None
            used.add(node.slice.id)
            inside.add(id(node.value))
        elif isinstance(node, ast.Name) and node.id == root and id(node) not in inside:
            return None
    stores = all(effect.text == "stores into {}" for effect in splitter.whole.effects if root in effect.roots)
    if len(used) != 1 or not used <= own or not stores or reached_otherwise(splitter, root):
        return None
    return used.pop()


class Renamed(ast.NodeTransformer):
    """Gives one name another."""

    def __init__(self, name: str) -> None:
        self.name = name

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Rename one name."""
        return ast.copy_location(ast.Name(STAND_IN, node.ctx), node) if node.id == self.name else node


def reached_otherwise(splitter: Splitter, root: str) -> bool:
    """Tell whether a called function reads the container as well."""
    body = [Renamed(root).visit(copy.deepcopy(statement)) for statement in splitter.loop.body]
    splitter.an.local[STAND_IN] = Value(frozenset({STAND_IN}), frozenset({STAND_IN}))
    reading = splitter.an.look(*body)
    del splitter.an.local[STAND_IN]
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
