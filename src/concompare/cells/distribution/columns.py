"""Columns of a frame that the items of a loop read and store under labels of their own, as `df[c] = f(df[c])`."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from concompare.cells.ir import COLUMN, COMPUTED, POSITION

LABELS = (str, int)
"""Types of labels that are equal only where they are the same."""


def are_apart(written: str, read: str, targets: Mapping[str, Sequence[Any]]) -> bool:
    """Tell whether no item stores a column that another one reads, and none reads its own under another label.

    Args:
        written: The field of a frame that items store.
        read: The field that they read, before they store.
        targets: What each name of the loop's target stands for, item by item.
    """
    stored, wanted = labels(written, targets), labels(read, targets)
    if stored is None or wanted is None:
        return False
    if written == read:
        own = written.removeprefix(COLUMN).startswith(COMPUTED)
        return own and len(set(stored)) == len(stored)
    return set(stored).isdisjoint(wanted)


def labels(field: str, targets: Mapping[str, Sequence[Any]]) -> list[Any] | None:
    """Return the labels that a field of a frame has in all items: one where it is a constant; None: nobody knows."""
    if not field.startswith(COLUMN):
        return None
    text = field.removeprefix(COLUMN)
    if text.startswith(COMPUTED):
        found = computed(ast.parse(text.removeprefix(COMPUTED), mode="eval").body, targets)
    else:
        found = [ast.literal_eval(text)] if not text.startswith(POSITION) else None
    return found if found and all(type(label) in LABELS for label in found) else None


def computed(node: ast.expr, targets: Mapping[str, Sequence[Any]]) -> list[Any] | None:
    """Return what a label made of names of the target is in each item, or None where that cannot be told."""
    used = sorted({part.id for part in ast.walk(node) if isinstance(part, ast.Name)})
    if not used or not all(name in targets for name in used):
        return None
    code = compile(ast.Expression(node), "<label>", "eval")
    rows = zip(*[targets[name] for name in used], strict=True)
    try:
        return [eval(code, {"__builtins__": {}}, dict(zip(used, row, strict=True))) for row in rows]
    except Exception:  # adding a number to text fails in the loop too
        return None
