"""Coroutines of a comprehension or of `asyncio.gather`, one for each item."""

from __future__ import annotations

import ast

from concompare.cells.forms.comprehensions import collecting
from concompare.cells.ir import Loop
from concompare.cells.syntax.nodes import gathered_of


def gathered(node: ast.AST, shadowed: frozenset[str]) -> Loop | None:
    """Return `await asyncio.gather(*[f(x) for x in xs])` as a loop that awaits one coroutine for each item."""
    made = gathered_of(node)
    if made is None:
        return None
    assert isinstance(node, ast.Await)
    loop = collecting(made)
    loop.node = node
    return loop
