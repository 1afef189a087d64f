"""The record of an item: what the head writes into it, statement by statement."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from concompare.cells.ir import OURS
from concompare.cells.syntax.nodes import located, statements_at

RECORD = OURS + "record"
BREAK = -1
"""The number of the action that leaves the loop."""
CHANGED = -3
"""The number of the entry with an item that the head changed."""
KEPT = -2
"""The number of the entry with the names that the head has, where the tail may leave the loop."""
PARTS = OURS + "parts"
"""The parts of the item as it came, and the name of the function that lists them."""


def record(number: int, values: list[ast.expr], place: ast.AST) -> ast.stmt:
    """Return the statement that puts an entry into the record."""
    holder = located(ast.Name(RECORD, ast.Load()), place)
    entry = ast.Tuple([ast.Constant(number), *values], ast.Load())
    call = ast.Call(ast.Attribute(holder, "append", ast.Load()), [entry], [])
    made = ast.Expr(call)
    for part in (made, call, call.func, entry, entry.elts[0]):
        located(part, place)
    return made


def empty_record(place: ast.AST) -> ast.stmt:
    """Return the statement that begins the record, unless one was handed in."""
    return statements_at(f"if {RECORD} is None: {RECORD} = []", place)[0]


def parts_of_item(argument: str, place: ast.AST) -> ast.stmt:
    """Return the statement that lists the parts of the item before anything changes."""
    return statements_at(f"{PARTS} = {PARTS}_of({argument})", place)[0]


def present(words: Sequence[str], place: ast.AST) -> ast.expr:
    """Return the expression of a dict with those of some names that have values."""
    if not words:
        return located(ast.Dict([], []), place)
    (made,) = statements_at("{name: value for name, value in locals().items() if name in ()}", place)
    assert isinstance(made, ast.Expr)
    assert isinstance(made.value, ast.DictComp)
    constants: list[ast.expr] = [located(ast.Constant(word), place) for word in words]
    (test,) = made.value.generators[0].ifs
    assert isinstance(test, ast.Compare)
    test.comparators = [located(ast.Tuple(constants, ast.Load()), place)]
    return made.value
