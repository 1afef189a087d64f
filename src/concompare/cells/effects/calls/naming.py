"""Methods and functions that are called by a name that is itself a value: `getattr(model, name)(x)`."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concompare.cells.ir import Loop

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter
    from concompare.cells.effects.scopes import Scope

MOST = 50
"""Items of which the texts are looked at."""
WALKED: tuple[type, ...] = (list, tuple, dict, set, frozenset, type({}.items()), type({}.keys()))
"""Types of items that walking does not use up."""


def texts_of(loop: Loop, items: Any, fixed: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return the texts that targets of a loop stand for, of those that its items give and nothing else changes.

    Args:
        loop: The loop.
        items: What it walks, evaluated; without that, what is written out in the code counts.
        fixed: The names that only the loop itself gives values.
    """
    rows = [*items] if type(items) in WALKED and len(items) <= MOST else written_out(loop.items)
    if not rows or loop.target is None:
        return {}
    columns: Mapping[str, list[Any]] = {}
    if isinstance(loop.target, ast.Name):
        columns = {loop.target.id: rows}
    elif isinstance(loop.target, ast.Tuple) and all(type(row) is tuple for row in rows):
        parts = loop.target.elts
        if all(isinstance(part, ast.Name) for part in parts) and {len(row) for row in rows} == {len(parts)}:
            columns = {part.id: [row[at] for row in rows] for at, part in enumerate(parts)}  # type: ignore[attr-defined]
    return {
        name: frozenset(values)
        for name, values in columns.items()
        if name in fixed and all(type(value) is str for value in values)
    }


def written_out(node: ast.expr | None) -> list[Any]:
    """Return the elements of a list or tuple that is written out with constants, else nothing."""
    if not isinstance(node, (ast.List, ast.Tuple)):
        return []
    try:
        return [*ast.literal_eval(node)]
    except ValueError:
        return []


@dataclass(frozen=True)
class Asked:
    """What is asked of an object by `getattr`: `names` are all that may be asked of what `holder` stands for."""

    holder: ast.expr
    names: frozenset[str]


def asked_by_name(an: Interpreter, node: ast.expr, scope: Scope) -> Asked | None:
    """Return what `getattr` is asked for where that is what is called, and all its names are known; else None."""
    if not isinstance(node, ast.Call) or len(node.args) != 2 or node.keywords:
        return None
    holder, name = node.args
    function = an.value(node.func, scope) if isinstance(node.func, ast.Name) else None
    if not function or any(obj.live != (getattr,) for obj in function):
        return None
    if not isinstance(holder, (ast.Name, ast.Attribute)):
        return None
    if isinstance(name, ast.Constant) and type(name.value) is str:
        return Asked(holder, frozenset({name.value}))
    own = isinstance(name, ast.Name) and scope is an.top and name.id not in an.given
    found = an.item_texts.get(name.id) if own else None  # type: ignore[attr-defined]
    return Asked(holder, found) if found else None
