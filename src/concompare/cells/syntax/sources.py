"""A cell's source as a tree: parsed as written, with what cannot be run in parallel refused by name."""

from __future__ import annotations

import ast
import re

from concompare.cells.syntax import names, placing
from concompare.cells.syntax.nodes import awaits_items
from concompare.errors import CellRefused

SHELL = re.compile(r"^\s*(?:[\w, ]+=\s*)?([!%].*)$|^\s*(\?.*|.*\?)\s*$")


def parsed(source: str, filename: str, first_line: int) -> ast.Module:
    """Parse and compile a cell as written, so that its own syntax errors are raised as they are."""
    text = "\n" * (first_line - 1) + source
    try:
        tree = compile(text, filename, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        compile(tree, filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        line = (
            text.splitlines()[(error.lineno or 1) - 1]
            if text.strip() and (error.lineno or 1) <= len(text.splitlines())
            else ""
        )
        for number, shown in ((error.lineno, line), *enumerate(text.splitlines(), 1)):
            found = SHELL.match(shown or "")
            if found and shown.strip() and number is not None and number <= (error.lineno or number):
                what = (found.group(1) or found.group(2)).strip()
                raise CellRefused(
                    f"`{what}` is IPython syntax, which has to stand in a cell of its own.", number
                ) from None
        raise
    assert isinstance(tree, ast.Module)
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            text = "`from __future__ import` holds for all cells that follow. Put it into a cell of its own."
            raise CellRefused(text, statement.lineno)
        placing.all_placed(statement)
    return tree


def waiting(tree: ast.Module) -> CellRefused | None:
    """Return why a cell runs as it is where it awaits something else than one coroutine for each item."""
    for statement in tree.body:
        if not waits(statement) or awaits_items(statement):
            continue
        for node in outside_functions(statement):
            if is_wait(node):
                text = "`await` at the top of the cell needs an event loop of its own"
                place: int = getattr(node, "lineno", statement.lineno)
                return CellRefused(f"{text}. Define an `async def` and give the items with --over.", place)
    return None


def waits(node: ast.AST) -> bool:
    """Tell whether code awaits something, outside of its functions."""
    kinds = names.kinds_in(node) & {ast.Await, ast.AsyncFor, ast.AsyncWith, ast.comprehension}
    return bool(kinds) and any(map(is_wait, outside_functions(node)))


def is_wait(node: ast.AST) -> bool:
    """Tell whether a node awaits something."""
    walks = isinstance(node, ast.comprehension) and bool(node.is_async)
    return walks or isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith))


def outside_functions(statement: ast.AST) -> list[ast.AST]:
    """Return the nodes of a statement that are not inside a function of its own."""
    found, stack = [], [statement]
    while stack:
        node = stack.pop()
        found.append(node)
        if not isinstance(node, names.FUNCTIONS):
            stack += names.children_of(node)
    return found
