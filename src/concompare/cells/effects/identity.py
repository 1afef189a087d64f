"""Where it matters which objects of the notebook are met, of which a worker process has copies."""

from __future__ import annotations

import ast
import enum
from typing import TYPE_CHECKING

from concompare.cells.effects.kinds import INERT, is_bare
from concompare.cells.effects.live import MISSING
from concompare.cells.effects.scopes import Scope, live_object
from concompare.cells.ir import Why
from concompare.cells.objects import Value

if TYPE_CHECKING:
    from concompare.cells.effects.interpreter import Interpreter

SEARCHES = frozenset(
    ["index", "count", "remove", "get", "pop", "setdefault", "discard", "add", "update", "__contains__", "append"]
) - {"append"}
"""Methods that look for their argument among the elements of their object."""
OF_MEMORY = frozenset({"shares_memory", "may_share_memory"})
"""Functions that tell whether two arrays lie in the same memory, which those sent to another process do not."""


def compare_identity(
    an: Interpreter, node: ast.Compare, left: Value, right: Value, position: int, scope: Scope
) -> None:
    """Note a comparison of identities: a worker process has copies, but of what crosses by its name."""
    pair = [node.left, *node.comparators][position : position + 2]
    if an.world.assume_pure or any(is_single(an, part, scope) for part in pair):
        return
    noted(an, node, left | right)


def noted(an: Interpreter, node: ast.AST, value: Value) -> None:
    """Note that it matters which objects of the notebook these are."""
    plain = [obj for obj in value if obj.outer and not (obj.live and all(isinstance(part, INERT) for part in obj.live))]
    if plain:
        what = ast.unparse(node)[:40]
        an.doubt(
            Why.ALIAS,
            f"`{what}` depends on which object it meets, and a worker process has copies",
            "Compare a value instead",
        )


def is_single(an: Interpreter, node: ast.expr, scope: Scope) -> bool:
    """Tell whether an expression is a constant or a member of an enumeration, which is the same one everywhere."""
    if isinstance(node, ast.Constant):
        return node.value is None or node.value is ... or isinstance(node.value, bool)
    if not (isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute))):
        return False
    holder = live_object(an, node.value.id, scope) if isinstance(node.value, ast.Name) else MISSING
    return isinstance(holder, enum.EnumMeta) and node.attr in holder.__members__


def found_by_identity(an: Interpreter, node: ast.AST, sought: Value, holders: Value) -> None:
    """Note a search for objects without `__eq__`, which are found by what they are, among the notebook's."""
    plain = frozenset(obj for obj in sought if obj.outer and any(is_bare(kind) for kind in obj.types or (int,)))
    if plain and any(obj.outer for obj in holders) and not an.world.assume_pure:
        noted(an, node, plain)
