"""Parts that share the memory of a whole: rows of arrays, and columns of frames before pandas copies on write."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from concompare.cells.effects.kinds import INDEXERS, copies_on_write
from concompare.cells.ir import Place
from concompare.cells.objects import Obj
from concompare.cells.syntax import names

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter


class Shared(NamedTuple):
    """What a part shares its memory with: the places in wholes, and whether these are arrays."""

    places: frozenset[Place]
    array: bool


def note_views(an: Interpreter, body: Iterable[ast.AST]) -> None:
    """Note that parts are read and changed with their wholes, where the body changes one of them in place.

    To store a whole column into a frame puts another array into its place: what was looked up before stays as it was.
    """
    frames = "pandas" in sys.modules and not copies_on_write()
    joined = {part: shared.places for part, shared in an.parts_of.items() if shared.array or frames}
    if not joined:
        return
    arrays = {place.obj for shared in an.parts_of.values() if shared.array for place in shared.places}
    added = {part.target for node in body for part in names.nodes_in(node) if isinstance(part, ast.AugAssign)}
    changed = {
        place
        for node, found in an.nodes.items()
        for place in found.writes
        if place.obj in joined or place.obj in arrays or node in added or not is_whole_column(node)
    }
    changing = {place.obj for place in changed}
    for part, places in joined.items():
        if part in changing or any(place.meets(other) for place in places for other in changed):
            for found in an.nodes.values():
                if any(place.obj is part for place in found.writes):
                    found.writes |= places
                if part in found.deep or any(place.obj is part for place in found.reads):
                    found.reads |= places


def is_whole_column(node: ast.AST) -> bool:
    """Tell whether what changes a frame stores a column as a whole, if it stores one."""
    if not isinstance(node, ast.Subscript):
        return False
    return not (isinstance(node.value, ast.Attribute) and node.value.attr in INDEXERS)


def note_part(an: Interpreter, node: ast.Subscript, part: Obj, places: frozenset[Place], *, array: bool) -> None:
    """Note the places that a part may share its memory with: a single cell of a frame shares none."""
    if not (isinstance(node.value, ast.Attribute) and node.value.attr in ("at", "iat")):
        known = an.parts_of[part].places if part in an.parts_of else frozenset()
        an.parts_of[part] = Shared(known | places, array)


def filled(body: Iterable[ast.AST]) -> frozenset[str]:
    """Return the names of what statements store into, or delete from: those before `[...]`."""
    parts = [part for node in body for part in names.nodes_in(node) if isinstance(part, ast.Subscript)]
    stores = [part.value for part in parts if not isinstance(part.ctx, ast.Load)]
    return frozenset(value.id for value in stores if isinstance(value, ast.Name))
