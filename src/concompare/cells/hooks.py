"""What stands in the place of a loop in a cell's tree: a call of a hook, and what the plain loop does there first."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from typing import Any

from concompare.cells.ir import OURS, Loop
from concompare.cells.syntax import names, sources
from concompare.cells.syntax.nodes import located, method

HOOK = OURS + "hook"
ITEMS = OURS + "items"
HANDLING = (ast.Try, ast.TryStar, ast.With, ast.AsyncWith)
"""Blocks that may be told of an error."""


def hook_of(loop: Loop, number: int, items: list[ast.expr], orelse: list[ast.stmt] | None = None) -> ast.AST:
    """Return what stands in the place of a loop: a statement, or an expression."""
    place = loop.node
    call = hook_call(number, place, *items)
    if isinstance(place, ast.expr):
        return call
    if loop.orelse:
        return located(ast.If(call, orelse or loop.orelse, []), place)
    return located(ast.Expr(call), place)


def hook_call(number: int, place: ast.AST, *given: ast.expr) -> ast.Call:
    """Return a call of the hook, at the place of what it stands for."""
    arguments = [located(ast.Constant(number), place), *given]
    return located(ast.Call(located(ast.Name(HOOK, ast.Load()), place), arguments, []), place)


def hook_if_meant(loop: Loop, hook: ast.AST, plainly: ast.AST) -> ast.AST:
    """Return the hook of a loop where its functions are those that their names say, else the plain code."""
    place = loop.node
    paths = located(ast.Tuple([located(ast.Constant(part.path), place) for part in loop.means], ast.Load()), place)
    arguments = [paths, *[names.copied(part.func) for part in loop.means]]
    asked = located(ast.Attribute(located(ast.Name(HOOK, ast.Load()), place), "means", ast.Load()), place)
    test = located(ast.Call(asked, arguments, []), place)
    if isinstance(hook, ast.expr) and isinstance(plainly, ast.expr):
        return located(ast.IfExp(test, hook, plainly), place)
    assert isinstance(hook, ast.stmt)
    assert isinstance(plainly, ast.stmt)
    return located(ast.If(test, [hook], [plainly]), place)


class Walked:
    """The iterable of a plain loop; its name is gone once the loop begins, so that the cell sees none of ours."""

    def __init__(self, namespace: dict[str, Any], items: Any) -> None:
        self.namespace, self.items = namespace, items

    def __iter__(self) -> Iterator[Any]:
        self.namespace.pop(ITEMS, None)
        return iter(self.items)


def annotate(node: ast.AST, namespace: dict[str, Any]) -> None:
    """Give the notebook its `__annotations__`, as a statement that annotates names does when it begins."""
    if ast.AnnAssign not in names.kinds_in(node) or sys.version_info >= (3, 14):
        return
    inner = [part for part in sources.outside_functions(node) if isinstance(part, ast.ClassDef)]
    of_classes = {part for kind in inner for part in names.nodes_in(kind)}
    if any(isinstance(part, ast.AnnAssign) and part not in of_classes for part in sources.outside_functions(node)):
        namespace.setdefault("__annotations__", {})


def iterable(items: Any) -> Any:
    """Return what a loop walks; raises the error of the plain loop where that cannot be walked."""
    known = hasattr(type(items), "__iter__") or hasattr(type(items), "__getitem__")
    return items if known else iter(items)


def place_in(loop: Loop) -> ast.AST:
    """Return the node in whose place the hook of a loop stands."""
    return loop.caller or loop.method or loop.node


def tidy_blocks(tree: ast.AST) -> None:
    """Let what handles errors of a hook, an `except` or a `with`, see those of the plain cell."""
    for node in sources.outside_functions(tree):
        if isinstance(node, HANDLING) and any(map(holds_hook, node.body)):
            place = node.body[0]
            asked = method(located(ast.Name(HOOK, ast.Load()), place), "caught", place)
            tidied = located(ast.Expr(located(ast.Call(asked, [], []), asked)), asked)
            again = located(ast.Raise(None, None), place)
            handler = located(ast.ExceptHandler(None, None, [tidied, again]), place)
            node.body = [located(ast.Try(node.body, [handler], [], []), place)]


def holds_hook(node: ast.AST) -> bool:
    """Tell whether code calls what stands in the place of the user's."""
    return any(isinstance(part, ast.Name) and part.id.startswith(OURS) for part in ast.walk(node))
