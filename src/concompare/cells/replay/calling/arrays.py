"""The calls that numpy makes, found by a run of `numpy.vectorize` or its like with a function that only notes them."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from concompare.cells.forms.callers import VECTORIZED
from concompare.cells.forms.comprehensions import collected
from concompare.cells.ir import OURS, Loop
from concompare.cells.objects import is_atom
from concompare.cells.replay.calling.standing import Given
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

Call = Callable[..., Any]
ALONG = ("func1d", "axis", "arr")
"""The parameters of `apply_along_axis`."""


@dataclass
class Grid:
    """The calls of a function with the parts of arrays.

    Attributes:
        function: The function.
        given: What it is called with each time, in order.
        again: Makes the call with another function in its place.
    """

    function: Call
    given: list[Given]
    again: Callable[[Call], Any]


def mark(tree: ast.Module, namespace: Mapping[str, Any]) -> bool:
    """Mark calls of names that stand for a `numpy.vectorize`, now or from a statement of the cell on; tells of any."""
    known = {name for name, thing in namespace.items() if type(thing).__name__ == "vectorize"}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and makes_vectorized(statement.value):
            known |= names.writes(statement)
        if isinstance(statement, ast.FunctionDef) and any(map(makes_vectorized, statement.decorator_list)):
            known.add(statement.name)
    found = False
    for node in names.nodes_in(tree) if known else ():
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
            node.__dict__[VECTORIZED] = located(ast.Subscript(node.func, ast.Constant(0), ast.Load()), node.func)
            found = True
    return found


def makes_vectorized(node: ast.AST) -> bool:
    """Tell whether an expression makes a `numpy.vectorize`."""
    func = node.func if isinstance(node, ast.Call) else node
    return getattr(func, "attr", getattr(func, "id", "")) == "vectorize"


def grid_of(called: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Grid | None:
    """Return the calls that a call of numpy makes, or None where it is another call, or cannot be made."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    given: list[Given] = []

    def note(*args: Any, **named: Any) -> None:
        given.append(Given(args, named))

    function: Any
    again: Callable[[Call], Any]
    if type(called) is numpy.vectorize:
        function = called.pyfunc
        run = vectorizing(numpy, called, note, args, named)
        again = vectorizing(numpy, called, None, args, named)
    elif called is numpy.apply_along_axis and {*ALONG} <= {*ALONG[: len(args)], *named}:
        function = args[0] if args else named["func1d"]
        beside = {name: value for name, value in named.items() if name != "func1d"}
        run = again = lambda function: numpy.apply_along_axis(function, *args[1:], **beside)
    else:
        return None
    try:
        run(note)
    except Exception:
        return None  # the call itself raises it
    alike = given and all(len(part.args) == len(given[0].args) and [*part.named] == [*given[0].named] for part in given)
    return Grid(function, given, again) if alike and callable(function) else None


def vectorizing(
    numpy: Any, called: Any, noting: Call | None, args: tuple[Any, ...], named: dict[str, Any]
) -> Callable[[Call], Any]:
    """Return what calls a `numpy.vectorize` with another function; one that only notes its calls gives no arrays."""
    types, signature = called.otypes, called.signature
    if noting is not None:
        types = None if types is None else "O"
        signature = signature and signature.partition("->")[0] + "->()"

    def run(function: Call) -> Any:
        made = numpy.vectorize(
            function, otypes=types, excluded=called.excluded, cache=called.cache, signature=signature
        )
        return made(*args, **dict(named))

    return run


class Columns:
    """The arguments of all calls, one column for each: what every call is given becomes a name of the notebook.

    Args:
        place: Where the call is written.
        keep: The notebook's names.
    """

    def __init__(self, place: ast.AST, keep: dict[str, Any]) -> None:
        self.place, self.keep = place, keep
        self.columns: list[list[Any]] = []
        self.stores: list[ast.expr] = []

    def word(self, column: list[Any]) -> ast.expr:
        """Return the name that stands for an argument."""
        always = len(column) > 1 and all(thing is column[0] for thing in column) and not is_atom(column[0])
        if always:
            word = f"{OURS}given{id(column[0])}"
            self.keep[word] = column[0]
        else:
            word = f"{OURS}item{len(self.columns)}"
            self.columns.append(column)
            self.stores.append(located(ast.Name(word, ast.Store()), self.place))
        return located(ast.Name(word, ast.Load()), self.place)

    def items(self, count: int) -> tuple[ast.expr, list[Any]]:
        """Return the target of the loop, and its items."""
        if not self.columns:  # the same call again and again
            return located(ast.Name(f"{OURS}item", ast.Store()), self.place), [None] * count
        if len(self.columns) == 1:
            return self.stores[0], self.columns[0]
        return located(ast.Tuple(self.stores, ast.Store()), self.place), list(zip(*self.columns, strict=True))


def loop_over(loop: Loop, grid: Grid, keep: dict[str, Any]) -> tuple[Loop, list[Any]]:
    """Return the calls of a grid as a loop, and its items.

    Args:
        loop: The call as it is written.
        grid: The calls.
        keep: The notebook's names: gains what all the calls are given.
    """
    node, first = loop.node, grid.given[0]
    assert isinstance(node, ast.expr)
    assert loop.plainly is not None
    assert loop.items is not None
    plain = loop.plainly.elt
    assert isinstance(plain, ast.Call)
    columns = Columns(node, keep)
    args = [columns.word([given.args[place] for given in grid.given]) for place in range(len(first.args))]
    named = [
        located(ast.keyword(word, columns.word([given.named[word] for given in grid.given])), node)
        for word in first.named
    ]
    call = located(ast.Call(names.copied(plain.func), args, named), plain)
    target, items = columns.items(len(grid.given))
    made = collected(loop.kind, node, target, loop.items, call, [], [])
    each = ast.comprehension(names.copied(target), loop.items, [], 0)
    plainly = located(ast.GeneratorExp(names.copied(call), [each]), node)
    return replace(made, lazy=True, caller=loop.caller, pure=True, plainly=plainly), items
