"""Pictures drawn by pyplot, whose current figure the whole process has: in order, or each item in its own process."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Sequence

from concompare.cells.effects.live import definition_of
from concompare.cells.ir import Analysed, Order
from concompare.cells.syntax import names

PYPLOT = "matplotlib.pyplot"
MAKERS = frozenset({"figure", "subplots", "subplot_mosaic"})
NUMBERS = frozenset({"num", "clear"})
"""Options that take a figure that is there already."""


def are_own(analysed: Analysed) -> bool:
    """Tell whether an item makes the figure that it draws into, and closes it at last."""
    body = analysed.loop.body

    def draws(node: ast.Call) -> bool:
        return Order.FIGURE in analysed.of(node).order

    touched = statements_that(draws, body)
    if len(touched) == 1 and isinstance(touched[0], (ast.Expr, ast.Assign)):
        return all(is_own_function(analysed, node) for node in calls_in(touched[0]) if draws(node))
    return begin_and_end(touched, body)


def statements_that(draws: Callable[[ast.Call], bool], body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """Return the statements with a call that draws."""
    return [statement for statement in body if any(map(draws, calls_in(statement)))]


def calls_in(node: ast.AST) -> list[ast.Call]:
    """Return the calls in a node."""
    return [part for part in names.nodes_in(node) if isinstance(part, ast.Call)]


def begin_and_end(touched: Sequence[ast.stmt], body: Sequence[ast.stmt]) -> bool:
    """Tell whether the first of the statements that draw makes a figure, and the last closes one, come what may."""
    if len(touched) < 2:
        return False
    before = body[: list(body).index(touched[-1])]
    leaves = any(isinstance(part, (ast.Return, ast.Continue, ast.Break)) for one in before for part in ast.walk(one))
    return makes_figure(touched[0]) and called(touched[-1]) == "close" and not leaves


def makes_figure(statement: ast.stmt) -> bool:
    """Tell whether a statement makes a new figure."""
    call = getattr(statement, "value", None)
    if called(statement) not in MAKERS or not isinstance(call, ast.Call):
        return False
    numbered = called(statement) == "figure" and bool(call.args)
    return not numbered and NUMBERS.isdisjoint(part.arg or "num" for part in call.keywords)


def called(statement: ast.stmt) -> str:
    """Return the name of what a plain statement calls, or nothing."""
    call = statement.value if isinstance(statement, (ast.Expr, ast.Assign)) else None
    func = call.func if isinstance(call, ast.Call) else None
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def is_own_function(analysed: Analysed, node: ast.Call) -> bool:
    """Tell whether a call is of a function of the notebook's that makes and closes its figure."""
    found = [thing for obj in analysed.values.get(node.func, ()) for thing in obj.live]
    functions = [thing for thing in found if isinstance(thing, types.FunctionType) and thing.__module__ == "__main__"]
    return len(functions) == len(found) == 1 and makes_and_closes(functions[0])


def makes_and_closes(function: types.FunctionType) -> bool:
    """Tell whether a function makes a figure before anything else that is pyplot's, and closes it after all else."""
    definition = definition_of(function.__code__, function.__name__)
    if definition is None or isinstance(definition, ast.Lambda):
        return False
    pyplot = sys.modules.get(PYPLOT)

    def draws(node: ast.Call) -> bool:
        holder = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        thing = function.__globals__.get(holder.id) if isinstance(holder, ast.Name) else None
        return thing is pyplot or getattr(thing, "__module__", None) == PYPLOT

    return begin_and_end(statements_that(draws, definition.body), definition.body)
