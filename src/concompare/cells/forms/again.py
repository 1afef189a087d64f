"""Loops as they were written, over items that are evaluated already."""

from __future__ import annotations

import ast
from collections.abc import Callable

from concompare.cells.ir import OURS, Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

Instead = Callable[[ast.AST], ast.AST | None]
"""Gives what stands in the place of a node, or None where it stays."""


def plain_items(loop: Loop, load: ast.expr, mapper: ast.expr) -> ast.expr:
    """Return what a `for` statement walks; `mapper` is what calls a function with each item."""
    node = loop.node
    assert isinstance(node, ast.For)
    return load if node.iter is loop.items else mapped(node.iter, load, mapper)


def plain_expression(loop: Loop, load: ast.expr, mapper: ast.expr, other: Instead = lambda part: None) -> ast.expr:
    """Return a comprehension or map; `mapper` is what calls a function with each item, `other` what else changes."""
    node = loop.plainly or loop.node
    if isinstance(node, names.COMPREHENSIONS):
        first = node.generators[0].iter
        return names.copied(node, lambda part: load if part is first else other(part))
    assert isinstance(node, ast.Call)
    return mapped(node, load, mapper)


def mapped(node: ast.expr, load: ast.expr, mapper: ast.expr) -> ast.expr:
    """Return a `map` or `starmap` over items that are evaluated already."""
    assert isinstance(node, ast.Call)
    return located(ast.Call(mapper, [node.args[0], load], []), node)


def once_instead(loop: Loop, other: Instead = lambda part: None) -> Instead:
    """Return what gives the names of what the plain code evaluates once, in the places where the body has it."""
    known = set(map(id, loop.once)) if loop.renamed else ()

    def instead(part: ast.AST) -> ast.AST | None:
        if id(part) in known:
            return located(ast.Name(word_of_once(part), ast.Load()), part)
        return other(part)

    return instead


def word_of_once(node: ast.AST) -> str:
    """Return the name of what is evaluated once, by where it stands."""
    return f"{OURS}once_{getattr(node, 'lineno', 0)}_{getattr(node, 'col_offset', 0)}"


def read_at_once(node: ast.AST) -> set[str]:
    """Return the names that evaluating an expression reads; a lambda in it reads others when it is called."""
    if isinstance(node, ast.Lambda):
        args = node.args
        return set().union(*[read_at_once(part) for part in [*args.defaults, *args.kw_defaults] if part is not None])
    if isinstance(node, ast.Name):
        return {node.id}
    return set().union(*[read_at_once(part) for part in names.children_of(node)])


def word_of(node: ast.AST) -> str:
    """Return the name of what calls a function with each item of the items of a `map` or `starmap`."""
    return "starmap" if isinstance(node, ast.Call) and (len(node.args) > 2 or is_star(node)) else "map"


def is_star(node: ast.Call) -> bool:
    """Tell whether a call is one of `starmap`."""
    func = node.func
    return (func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")) == "starmap"
