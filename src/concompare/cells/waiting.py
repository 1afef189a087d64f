"""Cells that await something at the top: they run as they are, all that they await in one event loop."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from concompare.cells.hooks import annotate
from concompare.cells.ir import Loop
from concompare.cells.replay.compiling import compiled
from concompare.cells.syntax import sources
from concompare.cells.wishes import Refused, Runner
from concompare.errors import CellRefused
from concompare.worker import coroutines


def run(
    tree: ast.Module,
    refused: list[Refused],
    refusal: CellRefused,
    filename: str,
    namespace: dict[str, Any],
    runner: Runner,
) -> Any:
    """Run a cell as it is, and let the runner say why; returns its value."""
    place = next(statement for statement in tree.body if sources.waits(statement))
    loop = Loop("call", refusal.line or place.lineno, place, None, None, [])
    refused.append(Refused(loop, refusal))
    return runner.plainly(loop, refusal, lambda: statements(tree, filename, namespace))


def statements(tree: ast.Module, filename: str, namespace: dict[str, Any]) -> Any:
    """Run statements one by one as the notebook does; returns the value of a last expression."""
    wait, value = coroutines.called(lambda found: found), None
    for statement in tree.body:
        annotate(statement, namespace)
        last = isinstance(statement, ast.Expr) and statement is tree.body[-1]
        code: ast.Module | ast.Expression = ast.Module([statement], [])
        if isinstance(statement, ast.Expr) and last:
            code = ast.Expression(statement.value)
        made = compiled(code, filename, "eval" if last else "exec", namespace, waits=True)
        value = eval(made, namespace)
        if made.co_flags & inspect.CO_COROUTINE:
            value = wait(value)
    return value if isinstance(tree.body[-1], ast.Expr) else None
