"""Calls of a cell that do not depend on each other: in statements one after the other, or in one literal."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import TypeGuard

from concompare.cells.forms.comprehensions import collected
from concompare.cells.ir import OURS, Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

NUMBER = OURS + "number"
SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)
LIGHT = frozenset([
    *("append", "add", "update", "extend", "items", "keys", "values", "get", "format", "join", "write", "round"),
    *("strip", "split", "upper", "lower", "copy", "head", "mean", "sum", "std", "min", "max", "title"),
])  # fmt: skip
"""Methods that a loop may call and do no work worth speaking of."""
APPLYING = ("map", "filter")
"""Builtins that call what they are given first."""
LIMITING = frozenset({ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom})
"""What ties an expression to its place."""
MOST = 50
"""Calls that are looked at together."""


def is_light(loop: Loop) -> bool:
    """Tell whether a loop only shows or moves what is there."""
    for node in names.nodes_in(loop.node):
        if isinstance(node, ast.Call):
            func = node.func
            plain = is_builtin(func) and (func.id not in APPLYING or all(map(is_builtin, node.args[:1])))
            if not plain and not (isinstance(func, ast.Attribute) and func.attr in LIGHT):
                return False
    return True


def is_builtin(node: ast.expr) -> TypeGuard[ast.Name]:
    """Tell whether an expression is the name of a builtin."""
    return isinstance(node, ast.Name) and hasattr(builtins, node.id)


def may_run_together(statements: Sequence[ast.stmt], fixed: Sequence[ast.AST]) -> bool:
    """Tell whether there are several calls in simple statements without a loop."""
    found, apart = 0, set(fixed)
    for statement in statements:
        nodes = names.nodes_in(statement) if isinstance(statement, SIMPLE) else ()
        if apart.isdisjoint(nodes):
            found += sum(isinstance(node, ast.Call) for node in nodes)
    return found > 1


def window(statements: Sequence[ast.stmt], first: int, is_work: Callable[[ast.stmt], bool]) -> list[ast.stmt]:
    """Return the simple statements from a place on, up to a block, a definition or a loop."""
    found: list[ast.stmt] = []
    for place in range(first, min(first + MOST, len(statements))):
        statement = statements[place]
        if not isinstance(statement, SIMPLE) or names.kinds_in(statement) & LIMITING or is_work(statement):
            break
        found.append(statement)
    return found


def calls_in(statement: ast.stmt, is_ready: Callable[[ast.Call], bool]) -> list[ast.Call]:
    """Return the calls of a statement that are made whatever else happens, outermost first of those that are ready.

    Where the arguments of a call hold several such calls, these are taken, not the call around them.
    """
    value = getattr(statement, "value", None)
    return found_in(value, is_ready) if isinstance(value, ast.expr) else []


def found_in(node: ast.expr, is_ready: Callable[[ast.Call], bool]) -> list[ast.Call]:
    """Return the calls in an expression."""
    inner = [call for part in evaluated(node) for call in found_in(part, is_ready)]
    if isinstance(node, ast.Call) and len(inner) < 2 and is_ready(node):
        return [node]
    return inner


def evaluated(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts of an expression that are evaluated whenever it is."""
    if isinstance(node, (ast.Lambda, *names.COMPREHENSIONS)):
        return
    if isinstance(node, ast.BoolOp):
        yield node.values[0]
    elif isinstance(node, ast.IfExp):
        yield node.test
    elif isinstance(node, ast.Compare):
        yield node.left
        yield node.comparators[0]
    else:
        for part in names.children_of(node):
            if isinstance(part, ast.keyword):
                yield part.value
            elif isinstance(part, ast.expr):
                yield part


def together(calls: Sequence[ast.Call]) -> Loop:
    """Return different calls as a loop over their numbers."""
    place = calls[0]
    target = located(ast.Name(NUMBER, ast.Store()), place)
    loop = collected("calls", place, target, load(OURS + "calls", place), by_number(calls), [], [])
    loop.lazy = True
    return loop


def by_number(calls: Sequence[ast.Call]) -> ast.expr:
    """Return the call that a number tells."""
    place = calls[0]
    value: ast.expr = calls[-1]
    for number in reversed(range(len(calls) - 1)):
        asked = ast.Compare(load(NUMBER, place), [ast.Eq()], [located(ast.Constant(number), place)])
        value = located(ast.IfExp(located(asked, place), calls[number], value), calls[number])
    return value


def load(name: str, place: ast.AST) -> ast.Name:
    """Return a name that is read."""
    return located(ast.Name(name, ast.Load()), place)
