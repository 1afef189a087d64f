"""A cell's source as a tree: parsed as written, with what cannot be run in parallel refused by name."""

from __future__ import annotations

import ast
import re

from concompare.cells import names
from concompare.cells.loops import Loop, awaits_items, collecting
from concompare.cells.parts import MADE
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
        waits = names.kinds_in(statement) & {ast.Await, ast.AsyncFor, ast.AsyncWith, ast.comprehension}
        if waits and not isinstance(statement, (*names.FUNCTIONS, ast.ClassDef)) and not awaits_items(statement):
            for node in outside_functions(statement):
                walks = isinstance(node, ast.comprehension) and node.is_async
                if walks or isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
                    text = "`await` at the top of the cell needs the notebook's own event loop"
                    place: int = getattr(node, "lineno", statement.lineno)
                    raise CellRefused(f"{text}. Define an `async def` and give the items with --over.", place)
    return tree


def outside_functions(statement: ast.AST) -> list[ast.AST]:
    """Return the nodes of a statement that are not inside a function of its own."""
    found, stack = [], [statement]
    while stack:
        node = stack.pop()
        found.append(node)
        if not isinstance(node, names.FUNCTIONS):
            stack += names.children_of(node)
    return found


def nothing_found(tree: ast.Module) -> CellRefused:
    """Return why a cell without a loop is refused."""
    for statement in tree.body:
        if isinstance(statement, ast.While):
            return CellRefused(
                "a `while` loop has no items to share out. Write it as a `for` loop over them.", statement.lineno
            )
        for node in names.nodes_in(statement):
            if isinstance(node, ast.For) and not isinstance(statement, (*names.FUNCTIONS, ast.ClassDef)):
                kind = f"`{type(statement).__name__.lower()}`"
                return CellRefused(f"the loop is inside {kind}. Put it at the top of the cell.", node.lineno)
    if tree.body and all(
        isinstance(part, (*names.FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom)) for part in tree.body
    ):
        return CellRefused("the cell only defines functions. Give the items with --over.", tree.body[-1].lineno)
    return CellRefused(
        "there is no loop, comprehension, map or call to run in parallel.", tree.body[0].lineno if tree.body else None
    )


def plain_call(tree: ast.Module) -> list[Loop]:
    """Return the call that a cell without a loop ends with."""
    if not tree.body:
        return []
    statement = tree.body[-1]
    if isinstance(statement, (ast.Expr, ast.Assign)) and isinstance(statement.value, ast.Call):
        node = statement.value
        target = ast.copy_location(ast.Name(MADE + "item", ast.Store()), node)
        loop = collecting("call", node, target, [], node, [], len(tree.body) - 1)
        loop.shape = "one"
        return [loop]
    return []
