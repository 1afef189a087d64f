"""What the statements before the loop change of what the analysis takes as given: names, classes, what lists hold."""

from __future__ import annotations

import ast
import types
from collections.abc import Sequence

from concompare.cells import calls, names
from concompare.cells.purity import Analyzer
from concompare.cells.values import WALKED_ONCE
from concompare.cells.world import World
from concompare.errors import CellRefused

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
DATA = (ast.Constant, ast.List, ast.Dict, ast.Tuple, ast.Set, ast.UnaryOp)


def settle(world: World, before: Sequence[ast.stmt]) -> None:
    """Tell the world what statements that run before the loop may change.

    Raises:
        CellRefused: They change what a class or module does, so nothing that is seen of it now holds in the loop.
    """
    running = [statement for statement in before if not isinstance(statement, DEFINITIONS)]
    for statement in running:
        refuse_patches(world, statement)
        if isinstance(statement, ast.Assign) and WALKED_ONCE & Analyzer(world).value(statement.value).own:
            parts = [part for part in statement.targets if isinstance(part, (ast.Attribute, ast.Subscript))]
            world.lazy_parts |= {calls.held_part(part) for part in parts}
    for effect in Analyzer(world).look(*running).effects:
        if effect.kind in ("change", "opaque", "calls", "forbidden"):
            world.steady = False
        elif effect.kind == "rebind":
            world.definitions.update(dict.fromkeys(effect.roots))


def refuse_patches(world: World, statement: ast.stmt) -> None:
    """Refuse where a class, function or module is given an attribute that may be a function."""
    for node in names.nodes_in(statement):
        holder: ast.expr | None = None
        if isinstance(node, ast.Assign) and not isinstance(node.value, DATA):
            holder = next((part.value for part in node.targets if isinstance(part, ast.Attribute)), None)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr" and node.args:
            holder = node.args[0]
        if isinstance(holder, (ast.Name, ast.Attribute)) and is_patched(world, holder):
            what = ast.unparse(holder)
            text = f"changes `{what}` just before the loop, so it cannot be seen what it does there"
            raise CellRefused(f"{text}. Put that into a cell of its own.", holder.lineno)


def is_patched(world: World, holder: ast.expr) -> bool:
    """Tell whether an expression names a class, function or module."""
    if isinstance(holder, ast.Name) and isinstance(world.definitions.get(holder.id), (*names.FUNCTIONS, ast.ClassDef)):
        return True
    return isinstance(world.part(holder), (type, types.ModuleType, types.FunctionType))
