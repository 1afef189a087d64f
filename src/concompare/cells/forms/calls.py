"""A plain call, and a function of the cell that is called with every item of `--over`."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from typing import Any

from concompare.cells.forms.comprehensions import collected
from concompare.cells.ir import OURS, Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.errors import BadOption, CellRefused

ITEM = OURS + "item0"

MAGICS = ("run_cell_magic", "run_line_magic")
"""What IPython writes for a magic, which runs code of the cell that cannot be seen."""


def plain_call(tree: ast.Module) -> list[Loop]:
    """Return the call that a cell without a loop ends with, as one item of work."""
    statement = tree.body[-1] if tree.body else None
    if not isinstance(statement, (ast.Expr, ast.Assign)) or not isinstance(statement.value, ast.Call):
        return []
    node = statement.value
    if isinstance(node.func, ast.Attribute) and node.func.attr in MAGICS:
        return []
    nothing = located(ast.Constant(None), node)
    loop = collected("call", node, located(ast.Name(ITEM, ast.Store()), node), nothing, node, [], [])
    loop.shape = "one"
    return [loop]


def over(tree: ast.Module, items: str | None, function: str | None) -> Loop:
    """Return a function of the cell and the items of `--over` as a loop that follows the cell's statements.

    Raises:
        BadOption: There is no such function, or the items cannot be parsed.
        CellRefused: The cell defines no function.
    """
    defined = {part.name: part for part in tree.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))}
    assigned = {name: part for part in tree.body if isinstance(part, ast.Assign) for name in names.writes(part)}
    if items is None:
        raise BadOption(f"--function {function}: give the items as well, with --over")
    walked = parsed_items(items)
    name = function or next(reversed(defined or assigned), None)
    if name is None:
        line = tree.body[0].lineno if tree.body else None
        raise CellRefused("the cell defines no function to call with the items of --over.", line)
    place: ast.AST = defined.get(name) or assigned.get(name) or ast.Constant(None, lineno=1, col_offset=0)
    for part in ast.walk(walked):
        located(part, place)
    func = located(ast.Name(name, ast.Load()), place)
    call = located(ast.Call(func, [located(ast.Name(ITEM, ast.Load()), place)], []), place)
    node = names.copied(call)
    target = located(ast.Name(ITEM, ast.Store()), place)
    value: ast.expr = located(ast.Await(call), place) if isinstance(defined.get(name), ast.AsyncFunctionDef) else call
    return collected("function", node, target, walked, value, [], [])


def check_function(tree: ast.Module, function: str | None, namespace: Mapping[str, Any]) -> None:
    """Raise BadOption where neither the cell nor the notebook has the function of `--function`."""
    if function is not None and function not in names.writes(*tree.body) and function not in namespace:
        raise BadOption(f"--function {function}: neither the cell nor the notebook has it")


def parsed_items(text: str) -> ast.expr:
    """Parse the items given with `--over`."""
    try:
        return ast.parse(text.strip(), "<--over>", mode="eval").body
    except SyntaxError as error:
        raise BadOption(f"--over {text}: {error.msg}") from None


def each(loop: Loop, items: ast.expr) -> ast.expr:
    """Return the list of what the function of a loop gives for each of some items."""
    assert loop.target is not None
    assert isinstance(loop.node, ast.Call)
    part = ast.comprehension(names.copied(loop.target), items, [], 0)
    return located(ast.ListComp(names.copied(loop.node), [part]), loop.node)


def may_enter(node: ast.Call, shadowed: frozenset[str]) -> bool:
    """Tell whether a call may be one of a function of the user's."""
    func = node.func
    if isinstance(func, ast.Name):
        return func.id in shadowed or not hasattr(builtins, func.id)
    return isinstance(func, (ast.Attribute, ast.Call, ast.Subscript))
