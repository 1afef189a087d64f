"""Comprehensions."""

from __future__ import annotations

import ast

from concompare.cells.ir import RESULT, Loop
from concompare.cells.syntax.nodes import located, method

SHAPES = {ast.ListComp: "list", ast.SetComp: "set", ast.DictComp: "dict"}


def comprehension(node: ast.AST, shadowed: frozenset[str]) -> Loop | None:
    """Return a list, set or dict comprehension as a loop over its outermost iterable."""
    if not isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp)):
        return None
    return collecting(node)


def collecting(node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> Loop:
    """Return a comprehension as a loop that collects values."""
    first, *inner = node.generators
    value: ast.expr = node.elt if not isinstance(node, ast.DictComp) else pair(node)
    loop = collected("comprehension", node, first.target, first.iter, value, first.ifs, inner)
    loop.shape = SHAPES.get(type(node), "list")
    return loop


def pair(node: ast.DictComp) -> ast.expr:
    """Return key and value of a dict comprehension as a tuple."""
    return located(ast.Tuple([node.key, node.value], ast.Load()), node.value)


def collected(
    kind: str,
    node: ast.expr,
    target: ast.expr,
    items: ast.expr,
    value: ast.expr,
    tests: list[ast.expr],
    inner: list[ast.comprehension],
) -> Loop:
    """Return a loop that appends the value of each item to the result."""
    if inner:
        value = located(ast.ListComp(value, inner), node)
    result = method(located(ast.Name(RESULT, ast.Load()), node), "extend" if inner else "append", node)
    step: ast.stmt = located(ast.Expr(located(ast.Call(result, [value], []), value)), value)
    for test in reversed(tests):
        step = located(ast.If(test, [step], []), test)
    return Loop(kind, node.lineno, node, target, items, [step], collects=True)
