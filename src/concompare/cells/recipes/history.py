"""The code that gave the notebook's names their values: the cells that have run, or the file of a script."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from concompare.cells.syntax import names

PLAIN_MAGICS = frozenset({"parallel", "concompare", "time", "capture", "prun"})
"""Cell magics that run their cell in the notebook."""
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
TURNS = (ast.For, ast.AsyncFor, ast.While)
OPAQUE = re.compile(r"\bexec\s*\(|\bglobals\s*\(|'run', |'load|'store', '-r|\brun_cell\b(?!_magic)")
"""What may give names values that no assignment shows."""
SURROUNDINGS = re.compile(r"\bchdir\b|\bputenv\b|\benviron\b|'cd', |'env', |'set_env', ")
"""What may change where the code runs."""


class Given(NamedTuple):
    """One place where a name gets a value: the expression, None where that cannot be told.

    Attributes:
        cell: Which of the cells it is in.
        once: It runs once each time that the cell does.
    """

    value: ast.expr | None
    cell: int
    once: bool = True


class History:
    """The cells that have run, in order; a script is one cell.

    Args:
        namespace: The names of the notebook, or of the script's module.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self.cells = sources_of(namespace)

    def given(self, name: str) -> list[Given]:
        """Return where a name gets its values, in order; a cell that ran twice counts twice."""
        found = []
        for number, source in enumerate(self.cells):
            if re.search(rf"\b{re.escape(name)}\b", source):
                found += [one._replace(cell=number) for one in givers(source, name)]
        return found

    def is_opaque(self) -> bool:
        """Tell whether something may have given names values that no assignment shows."""
        return any(map(OPAQUE.search, self.cells))

    def moved_since(self, cell: int) -> bool:
        """Tell whether the folder or the environment may have changed in a cell or after it."""
        return any(map(SURROUNDINGS.search, self.cells[cell:]))


def sources_of(namespace: Mapping[str, Any]) -> list[str]:
    """Return the cells that have run, as IPython keeps them, or the text of a script, as far as they are known."""
    cells = namespace.get("_ih")
    if isinstance(cells, list):
        return [cell for cell in cells if isinstance(cell, str)]
    file = namespace.get("__file__")
    if not isinstance(file, str):
        return []
    try:
        with open(file, encoding="utf-8") as text:
            return [text.read()]
    except (OSError, UnicodeDecodeError):
        return []


@functools.lru_cache(maxsize=512)
def givers(source: str, name: str) -> tuple[Given, ...]:
    """Return where a cell gives a name its values."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return (Given(None, 0),)
    return tuple(in_block(tree.body, name, once=True))


def in_block(statements: list[ast.stmt], name: str, *, once: bool) -> Iterator[Given]:
    """Yield where statements give a name of their module its values."""
    for statement in statements:
        body = magic_body(statement)
        if body is not None:
            yield from givers(body, name)
            continue
        yield from plainly(statement, name, once=once)
        inner = once and not isinstance(statement, TURNS)
        for block in ("body", "orelse", "finalbody"):
            if not isinstance(statement, DEFINITIONS):
                yield from in_block(getattr(statement, block, []), name, once=inner)
        for handler in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from in_block(handler.body, name, once=inner)
            if getattr(handler, "name", None) == name or name in patterns_of(handler):
                yield Given(None, 0)


def patterns_of(case: ast.AST) -> set[str]:
    """Return the names that a pattern of `match` binds."""
    pattern = getattr(case, "pattern", None)
    return names.writes(pattern) if pattern is not None else set()


def plainly(statement: ast.stmt, name: str, *, once: bool) -> Iterator[Given]:
    """Yield where a statement gives a name its value, but for the statements inside it."""
    for target, value in targets_of(statement):
        if name in names_in(target):
            yield Given(value if isinstance(target, ast.Name) else None, 0, once)
    if name in defined_by(statement) or (not isinstance(statement, DEFINITIONS) and hidden_in(statement, name)):
        yield Given(None, 0)


def targets_of(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Yield what a statement gives values, each with its value where that is written down."""
    if isinstance(statement, ast.Assign):
        plain = all(isinstance(target, ast.Name) for target in statement.targets)
        yield from ((target, statement.value if plain else None) for target in statement.targets)
    elif isinstance(statement, ast.AnnAssign):
        yield from [(statement.target, statement.value)] if statement.value is not None else []
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        plain = isinstance(statement, ast.With)
        items = [(item.optional_vars, item.context_expr if plain else None) for item in statement.items]
        yield from ((target, value) for target, value in items if target is not None)
    elif isinstance(statement, (ast.For, ast.AsyncFor, ast.AugAssign)):
        yield statement.target, None
    elif isinstance(statement, ast.Delete):
        yield from ((target, None) for target in statement.targets)


def names_in(target: ast.expr) -> set[str]:
    """Return the names that a target gives values, or deletes."""
    found = [node for node in ast.walk(target) if isinstance(node, ast.Name)]
    return {node.id for node in found if not isinstance(node.ctx, ast.Load)}


def defined_by(statement: ast.stmt) -> set[str]:
    """Return the names that a definition or an import gives values, and those that a function says are global."""
    if isinstance(statement, DEFINITIONS):
        inner = [node for node in ast.walk(statement) if isinstance(node, ast.Global)]
        return {statement.name}.union(*[node.names for node in inner])
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {part.asname or part.name.partition(".")[0] for part in statement.names}
    return set()


def hidden_in(statement: ast.stmt, name: str) -> bool:
    """Tell whether an expression of a statement gives a name a value by `:=`, or a magic that it runs may do so."""
    parts = list(own_expressions(statement))
    if any(isinstance(part, ast.NamedExpr) and part.target.id == name for part in parts):
        return True
    texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return is_magic(statement) and any(re.search(rf"\b{re.escape(name)}\b", text) for text in texts)


def own_expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the parts of a statement that are in none of the statements inside it."""
    stack: list[ast.AST] = [*ast.iter_child_nodes(statement)]
    stack = [part for part in stack if isinstance(part, (ast.expr, ast.withitem))]
    while stack:
        node = stack.pop()
        yield node
        stack += ast.iter_child_nodes(node)


def is_magic(statement: ast.stmt) -> bool:
    """Tell whether a statement runs a magic, or anything else of the shell's."""
    return any(isinstance(part, ast.Name) and part.id == "get_ipython" for part in ast.walk(statement))


def magic_body(statement: ast.stmt) -> str | None:
    """Return the cell under a magic that runs it in the notebook."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.func.attr != "run_cell_magic":
        return None
    given = [part.value for part in call.args if isinstance(part, ast.Constant)]
    known = len(given) == 3 and given[0] in PLAIN_MAGICS and isinstance(given[2], str)
    return str(given[2]) if known else None
