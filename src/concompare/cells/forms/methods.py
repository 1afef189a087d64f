"""Methods that call a function for every part of what they belong to, as those of pandas do."""

from __future__ import annotations

import ast

from concompare.cells.forms.comprehensions import collected
from concompare.cells.ir import OURS, Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

CALLING = frozenset({"agg", "aggregate", "apply", "applymap", "filter", "map", "pivot_table", "transform"})
PIVOT, AGGREGATING, PLACE = "pivot_table", "aggfunc", 3
"""The method whose function is not its first argument, and where that is."""
PROGRESS = "progress_"
"""How the names begin of those that tqdm adds, which show how far they are."""
METHODS = CALLING | {PROGRESS + name for name in CALLING}
FUNCTION = ("func", "arg")
"""Keywords for what is called."""
CALLABLE = (ast.Lambda, ast.Name, ast.Attribute)
ITEM = OURS + "item0"


def method(node: ast.AST, shadowed: frozenset[str]) -> Loop | None:
    """Return a call such as `frame.apply(f)` as a loop; whose method it is shows only when it is reached."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in METHODS:
        return None
    found = [part for place in places(node) for part in functions_in(place)]
    if not found:
        return None
    calls: list[ast.expr] = [
        called(part, located(ast.Name(ITEM, ast.Load()), part)) for part in found if isinstance(part, CALLABLE)
    ]
    value = calls[0] if len(calls) == 1 else located(ast.Tuple(calls, ast.Load()), node)
    target = located(ast.Name(ITEM, ast.Store()), node)
    loop = collected(node.func.attr, node, target, node.func.value, value, [], [])
    loop.line = node.func.end_lineno or node.lineno
    loop.lazy = True
    loop.method = node.func
    return loop


def places(node: ast.Call) -> list[ast.expr]:
    """Return the arguments that may be a function, or hold some."""
    if isinstance(node.func, ast.Attribute) and node.func.attr == PIVOT:
        given = [keyword.value for keyword in node.keywords if keyword.arg == AGGREGATING]
        return given or node.args[PLACE : PLACE + 1]
    if node.args:
        return node.args[:1]
    named = [keyword.value for keyword in node.keywords if keyword.arg in FUNCTION]
    return named or [keyword.value for keyword in node.keywords]


def functions_in(node: ast.expr) -> list[ast.expr]:
    """Return the parts of an argument that may be functions: itself, or what a list or dict of them holds."""
    if isinstance(node, (ast.List, ast.Tuple)):
        return [found for part in node.elts for found in functions_in(part)]
    if isinstance(node, ast.Dict):
        return [found for part in node.values for found in functions_in(part)]
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "NamedAgg":
        return [found for part in [*node.args, *[word.value for word in node.keywords]] for found in functions_in(part)]
    return [] if isinstance(node, (ast.Constant, ast.JoinedStr)) else [node]


def called(function: ast.expr, *given: ast.expr, **named: ast.expr) -> ast.Call:
    """Return the call of a function."""
    keywords = [located(ast.keyword(name, value), function) for name, value in named.items()]
    return located(ast.Call(names.copied(function), list(given), keywords), function)
