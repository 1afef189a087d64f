"""What iterators of builtins, itertools and tables give, with what stands at each place of the tuples among it."""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING, NamedTuple

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.elements import elements_of, is_table_of_values, walk_over
from concompare.cells.effects.kinds import DICTS, type_named
from concompare.cells.ir import Effects
from concompare.cells.objects import ATOM, ELEMENT, Value

if TYPE_CHECKING:
    from concompare.cells.effects.declared import Declared
    from concompare.cells.effects.interpreter import Interpreter

WALKS, FOUND = frozenset({"walk", "fwalk"}), ("folders", "files")
"""Functions that walk through folders and give a tuple for each, and the lists in it, at which they look again."""
BESIDE = (zip, itertools.zip_longest, itertools.product)
"""Iterators that give tuples with an element of each argument, in the order of these."""
CHOOSING = tuple(
    getattr(itertools, name)
    for name in ("combinations", "combinations_with_replacement", "permutations", "pairwise", "batched")
    if hasattr(itertools, name)  # `batched` since Python 3.12
)
"""Iterators that give tuples of the elements of their first argument, any of them at any place."""
GROUP = type(next(itertools.groupby([0]))[1])
"""What `groupby` gives beside each key: an iterator."""
PLACES = 10
"""Places of a tuple that are told apart."""


class Applied(NamedTuple):
    """A call that an entry was applied to.

    Attributes:
        node: The call; `what` names it in messages.
        entry: What is declared of it.
        this: Its receiver; `given`: its arguments.
        made_type: The class that is called, if one is.
        called: What the functions among the arguments gave back.
        lazy: What is done once the result is walked.
    """

    node: ast.AST
    entry: Declared
    this: Value
    given: Arguments
    what: str
    made_type: type | None
    called: Value
    lazy: Effects | None


def elements_given(an: Interpreter, call: Applied) -> Value | None:
    """Return what an iterator gives where that is no part of what it walks; None: others."""
    if call.made_type is itertools.repeat:
        return call.given.of("0") | call.given.of("object")
    columns = columns_walked(an, call)
    if columns is None:
        columns = columns_of_tables(an, call)
    if columns is None:
        return None
    made = an.made(call.node, "a tuple", (tuple,), key="tuple")
    for place, value in columns.items():
        an.put({made}, place, value)
    return frozenset({made})


def columns_walked(an: Interpreter, call: Applied) -> dict[str, Value] | None:
    """Return what stands where in the tuples that an iterator makes of what it walks; None: others."""
    node, given, kind = call.node, call.given, call.made_type
    if kind not in BESIDE and kind not in CHOOSING and kind not in (enumerate, itertools.groupby):
        return None
    walked = [walk_over(an, value, node) for value in given.positional]
    others = walk_over(an, given.spread or ATOM, node).union(*given.named.values())
    if kind is itertools.groupby:
        group = an.made(node, "a group", (GROUP,), key="group")
        parts = ATOM.union(others, *walked[:1])
        an.put({group}, ELEMENT, parts | walk_over(an, given.of("iterable"), node))
        return {"0": parts | call.called, "1": frozenset({group})}
    if kind is enumerate:
        return {"0": ATOM, "1": ATOM.union(*walked[:1], walk_over(an, given.of("iterable"), node))}
    if kind in CHOOSING or given.spread is not None or "repeat" in given.named:
        return {ELEMENT: others.union(*walked)}
    return {str(place): value | others for place, value in enumerate(walked[:PLACES])}


def columns_of_tables(an: Interpreter, call: Applied) -> dict[str, Value] | None:
    """Return what stands where in the tuples that methods of tables and dicts give, and `os.walk`; None: others."""
    node, this, method = call.node, call.this, call.what.rpartition(".")[2]
    columns: list[Value]
    if method in WALKS:
        columns = [ATOM, *[frozenset({an.made(node, f"a list of {call.what}", (list,), key=part)}) for part in FOUND]]
    elif method == "itertuples" and this and all(is_table_of_values(an, obj) for obj in this):
        columns = []
    elif method == "iterrows" and this and all(is_table_of_values(an, obj) for obj in this):
        columns = [ATOM, frozenset({an.made(node, "a row", row_types(), key="row")})]
    elif method == "items" and this and all(set(obj.types or (object,)) <= DICTS for obj in this):
        columns = [ATOM, ATOM.union(*[elements_of(an, obj) for obj in this])]
    else:
        return None
    return {str(place): value for place, value in enumerate(columns)}


def row_types() -> tuple[type, ...] | None:
    """Return the type of a row of a frame."""
    kind = type_named("pandas.Series")
    return (kind,) if kind is not None else None
