"""Columns of frames as views: before pandas copies on write, they share the memory of their frame."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from concompare.cells.effects.kinds import INDEXERS, copies_on_write
from concompare.cells.ir import Place
from concompare.cells.objects import Obj
from concompare.cells.syntax import names

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter


def note_views(an: Interpreter, body: Iterable[ast.AST]) -> None:
    """Note that columns are read and changed with their frames, of frames that the body changes in place.

    To store a whole column puts another array into its place: what was looked up before stays as it was.
    """
    if not an.columns or copies_on_write():
        return
    added = {part.target for node in body for part in names.nodes_in(node) if isinstance(part, ast.AugAssign)}
    changed = {
        place
        for node, found in an.nodes.items()
        for place in found.writes
        if place.obj in an.columns or node in added or not is_whole_column(node)
    }
    changing = {place.obj for place in changed}
    for column, places in list(an.columns.items()):
        if column in changing or any(place.meets(other) for place in places for other in changed):
            for found in an.nodes.values():
                if any(place.obj is column for place in found.writes):
                    found.writes |= places
                if column in found.deep or any(place.obj is column for place in found.reads):
                    found.reads |= places


def is_whole_column(node: ast.AST) -> bool:
    """Tell whether what changes a frame stores a column as a whole, if it stores one."""
    if not isinstance(node, ast.Subscript):
        return False
    return not (isinstance(node.value, ast.Attribute) and node.value.attr in INDEXERS)


def of_column(an: Interpreter, node: ast.Subscript, column: Obj, places: frozenset[Place]) -> None:
    """Note the columns that a part of a frame may share its memory with: a single cell shares none."""
    if not (isinstance(node.value, ast.Attribute) and node.value.attr in ("at", "iat")):
        an.columns[column] = an.columns.get(column, frozenset()) | places
