"""`for` and `while` statements."""

from __future__ import annotations

import ast

from concompare.cells.ir import Loop


def for_loop(node: ast.AST, shadowed: frozenset[str]) -> Loop | None:
    """Return a `for` statement as a loop."""
    if not isinstance(node, ast.For):
        return None
    return Loop("loop", node.lineno, node, node.target, node.iter, node.body, node.orelse)


def while_loop(node: ast.AST, shadowed: frozenset[str]) -> Loop | None:
    """Return a `while` statement as a loop without items."""
    if not isinstance(node, ast.While):
        return None
    return Loop("loop", node.lineno, node, None, None, node.body, node.orelse, node.test)
