"""Finding work over items in a cell, wherever it stands at the cell's own level: the registry of the forms."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from concompare.cells.forms import awaiting, callers, comprehensions, consuming, loops, methods
from concompare.cells.ir import Loop
from concompare.cells.syntax import names

BLOCKS = (ast.If, ast.With, ast.Try, ast.TryStar, ast.ExceptHandler, ast.Match, ast.match_case)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def loops_in(statements: Sequence[ast.stmt], shadowed: frozenset[str] = frozenset()) -> list[Loop]:
    """Return the work over items in statements, outermost only, in the order of the text.

    Args:
        statements: Of a cell, or of the body of a loop that has to stay sequential.
        shadowed: Names that do not mean the builtin here.
    """
    found: list[Loop] = []
    for statement in statements:
        found += inside(statement, shadowed)
    return found


def inside(node: ast.AST, shadowed: frozenset[str]) -> Iterator[Loop]:
    """Yield the work in one node."""
    stack = [node]
    while stack:
        node = stack.pop()
        loop = next((loop for form in FORMS if (loop := form(node, shadowed)) is not None), None)
        if loop is not None:
            yield loop
            if loop.method is None:
                yield from before(node, loop, shadowed)
                continue
        if isinstance(node, names.COMPREHENSIONS):  # inside there are names that nobody else sees
            stack.append(node.generators[0].iter)
        elif not isinstance(node, DEFINITIONS):
            stack += reversed(names.children_of(node))


def before(node: ast.AST, loop: Loop, shadowed: frozenset[str]) -> Iterator[Loop]:
    """Yield the work in what is evaluated once, before a loop begins."""
    if loop.caller is not None:
        for part in names.children_of(loop.node):
            yield from inside(part, shadowed)
        return
    walked = callers.walked_call(node, shadowed)
    if walked is not None:
        yield walked
        yield from before(walked.node, walked, shadowed)
    elif loop.items is not None:
        yield from inside(loop.items, shadowed)


FORMS = (
    *(awaiting.gathered, consuming.for_stream, loops.for_loop, loops.while_loop),
    *(consuming.consumed, callers.call_with_function, comprehensions.comprehension, methods.method),
)
"""What recognises a way to write work over items: a node and the shadowed names to a loop or None."""
