"""Loops over the rows of a frame that change the frame: whether a later row shows what an earlier iteration stored."""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

from concompare.cells import memory
from concompare.cells.alias import is_drawn
from concompare.cells.counting import SEQUENCE, TELLING
from concompare.cells.distribution.staging import Staged
from concompare.cells.effects.kinds import INDEXERS, copies_on_write, holds_values, is_of_values
from concompare.cells.ir import Loop, Why
from concompare.cells.objects import ENOUGH, Obj, all_atoms, reachable
from concompare.cells.syntax import names
from concompare.errors import CellRefused

ROWS = ("iterrows", "itertuples")
"""Methods that give the rows one by one."""


def rows_walked(staged: Staged) -> Iterator[tuple[str, Obj]]:
    """Yield the frames whose rows a loop walks, with the method that gives the rows."""
    for obj in reachable(staged.analysed.walked):
        if obj.method in ROWS:
            for frame in obj.owner:
                yield obj.method, frame


def changed_row(staged: Staged, changed: set[Obj]) -> bool:
    """Tell whether the body changes a row that it walks, which the loop leaves under its name."""
    series = getattr(sys.modules.get("pandas"), "Series", None)
    given = [obj for obj in reachable(staged.analysed.element) if not obj.outer and obj.types == (series,)]
    return any(obj in changed for obj in given)


def shows_changes(staged: Staged, loop: Loop, method: str, frame: Obj) -> bool:
    """Tell whether a row may show what an iteration before has stored into its frame."""
    if len(frame.live) != 1:
        return True
    thing = frame.live[0]
    if method == "iterrows" and are_copies(thing, rebound=rebinds(loop)):
        return False
    stores = list(stores_into(staged, frame))
    if not stores or None in stores:
        return True
    label = label_of(loop, method)
    own = method == "itertuples" and bool(thing.index.is_unique)
    return not all(
        column not in thing.columns or (own and ast.unparse(place) in label) for place, column in filter(None, stores)
    )


def columns_apart(staged: Staged, loop: Loop, frame: Obj) -> bool:
    """Tell whether a loop walks some columns of a frame, or its index, and stores into others alone."""
    if len(frame.live) != 1 or loop.items is None or not holds_values(frame):
        return False
    thing, name = frame.live[0], frame.label
    if not hasattr(type(thing), "columns"):
        return False
    walked = columns_in(loop.items, name, thing.columns)
    stores = list(stores_into(staged, frame))
    return walked is not None and None not in stores and not walked & {cell[1] for cell in stores if cell}


def are_rows_of(array: Obj, items: Any, staged: Staged) -> bool:
    """Tell whether what is walked are views of an array by their places, of which only elements change.

    To find the next view no element is looked at; what reads a view stays in the notebook, as where it has a name.
    """
    if len(array.live) != 1 or not has_rows(array.live[0]):
        return False
    fields = {place.field for found in staged.analysed.effects.values() for place in found.writes if place.obj is array}
    return all(field.startswith("[") for field in fields) and any(part is array.live[0] for part in side_by_side(items))


def side_by_side(items: Any) -> list[Any]:
    """Return what is walked, with arrays in the place of their iterators; that is several where it is a `zip`."""
    parts = items.__reduce__()[1] if type(items) in (zip, enumerate) else [items]
    arrays = [part.__reduce__()[1][0] if type(part) is SEQUENCE else None for part in parts]
    return [array if has_rows(array) else part for part, array in zip(parts, arrays, strict=True)]


def has_rows(thing: Any) -> bool:
    """Tell whether walking something gives views of it that are different parts of its memory."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(thing) is not numpy.ndarray or thing.ndim < 2 or thing.dtype == object:
        return False
    return not memory.overlaps_itself(thing)


def columns_in(node: ast.expr, name: str, columns: Any) -> set[Any] | None:
    """Return the columns of a frame that an expression names; None where it uses the frame in another way."""
    found: set[Any] = set()
    above = {id(part): parent for parent in names.nodes_in(node) for part in ast.iter_child_nodes(parent)}
    for part in names.nodes_in(node):
        if not isinstance(part, ast.Name) or part.id != name:
            continue
        use = above.get(id(part))
        if isinstance(use, ast.Subscript) and use.value is part and isinstance(use.slice, ast.Constant):
            found.add(use.slice.value)
        elif isinstance(use, ast.Attribute) and use.attr in columns:
            found.add(use.attr)
        elif not (isinstance(use, ast.Attribute) and use.attr == "index"):
            return None
    return found


def are_copies(frame: Any, *, rebound: bool) -> bool:
    """Tell whether `iterrows` gives rows of the frame as it was when the first was asked for.

    Columns of several types are put together into a new array. One of a single type is walked as it is: with copy on
    write a store makes a copy of it, as long as the row is held.
    """
    several = len({str(kind) for kind in frame.dtypes}) > 1
    return several or (copies_on_write() and not rebound)


def rebinds(loop: Loop) -> bool:
    """Tell whether the body gives the names of the loop's target other values, so that nothing holds the row."""
    return loop.target is None or bool(names.stored(loop.target) & names.writes(*loop.body))


def stores_into(staged: Staged, frame: Obj) -> Iterator[tuple[ast.expr, Any] | None]:
    """Yield the label and the column of each cell of a frame that the body stores into; None for another change."""
    for node, effects in staged.analysed.effects.items():
        if any(place.obj is frame for place in effects.writes):
            yield cell_of(node)


def cell_of(node: ast.AST) -> tuple[ast.expr, Any] | None:
    """Return the label and the column that `df.loc[label, "column"]` names."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Attribute):
        return None
    key = node.slice
    if node.value.attr not in INDEXERS - {"iloc", "iat"} or not isinstance(key, ast.Tuple) or len(key.elts) != 2:
        return None
    label, column = key.elts
    return (label, column.value) if isinstance(column, ast.Constant) else None


def label_of(loop: Loop, method: str) -> tuple[str, ...]:
    """Return the expressions that are the label of the row that is walked."""
    if rebinds(loop) or not isinstance(loop.target, ast.Name):
        return ()
    return (f"{loop.target.id}.Index",) if method == "itertuples" else ()


def walks_what_it_stores(loop: Loop, namespace: Mapping[str, Any]) -> bool:
    """Tell whether a loop walks a column of a frame that it stores into.

    With copy on write it depends on who holds the column whether the walk shows what is stored: only the plain loop
    itself, where it stands, gets that right.
    """
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(loop.node, ast.For) or loop.items is None or gives_labels(loop.items):
        return False
    for name in names.reads(loop.items):
        thing = namespace.get(name)
        if not isinstance(thing, pandas.DataFrame):
            continue
        walked = columns_in(loop.items, name, thing.columns)
        stores = [part for node in loop.body for part in names.nodes_in(node) if stores_by(part, name)]
        columns = {cell[1] if (cell := cell_of(part)) is not None else None for part in stores}
        if walked and (walked & columns or None in columns):
            return True
    return False


def gives_labels(node: ast.expr) -> bool:
    """Tell whether an expression gives labels of rows, as `df.index[df["c"] > 0]` does: columns only tell which."""
    if isinstance(node, ast.Call) and not node.args and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("tolist", "to_list") and gives_labels(node.func.value)
    if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.func, ast.Name):
        return node.func.id in ("list", "tuple") and gives_labels(node.args[0])
    holder = node.value if isinstance(node, ast.Subscript) else node
    return isinstance(holder, ast.Attribute) and holder.attr == "index"


def are_labels(loop: Loop, items: Any) -> bool:
    """Tell whether what is walked is a new list of labels of rows, as `df.index.tolist()` gives."""
    listed = type(items) is list and isinstance(loop.items, ast.Call)
    return listed and loop.items is not None and gives_labels(loop.items) and all_atoms(items)


def may_walk_what_it_stores(loop: Loop) -> bool:
    """Tell the same of a loop of a function, whose objects are not there yet: it stores by `loc` and the like."""
    if not isinstance(loop.node, ast.For) or loop.items is None or gives_labels(loop.items):
        return False
    for name in names.reads(loop.items):
        walked = columns_in(loop.items, name, ())
        stores = [part for node in loop.body for part in names.nodes_in(node) if stores_by(part, name)]
        cells = [cell_of(part) for part in stores if is_indexer(part)]
        if walked and any(cell is None or cell[1] in walked for cell in cells):
            return True
    return False


def refusal(loop: Loop) -> CellRefused:
    """Return why such a loop runs as it is."""
    text = "the loop stores into a column that it walks. Walk a copy of it."
    return CellRefused(text, loop.line, Why.CARRIED)


def is_indexer(node: ast.AST) -> bool:
    """Tell whether a node is an element of `df.loc` or the like."""
    holder = node.value if isinstance(node, ast.Subscript) else None
    return isinstance(holder, ast.Attribute) and holder.attr in INDEXERS


def stores_by(node: ast.AST, name: str) -> bool:
    """Tell whether a node stores into an element of what a name stands for, or of its `loc` and the like."""
    if not isinstance(node, ast.Subscript) or isinstance(node.ctx, ast.Load):
        return False
    holder = node.value
    while isinstance(holder, (ast.Attribute, ast.Subscript)):
        holder = holder.value
    return isinstance(holder, ast.Name) and holder.id == name


def labels_of(items: Any) -> Any:
    """Return the labels of the columns that walking a frame gives, which nobody can change, or the items themselves.

    The objects that a column or an array of numpy holds are listed: walking it gives these very objects.
    """
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and type(items) is pandas.DataFrame:
        return items.columns
    holds = pandas is not None and type(items) is pandas.Series
    holds = holds or (numpy is not None and type(items) is numpy.ndarray and items.ndim == 1)
    return list(items) if holds and items.dtype == object and not any(map(is_drawn, items)) else items


def are_values(groups: list[Any]) -> bool:
    """Tell whether groups of a frame hold nothing but values: what they share with it is copied before it changes."""
    return all(type(group) is tuple and is_of_values(group[1]) for group in groups)


def paired(items: Any) -> list[Any] | None:
    """Return what a `zip` or `enumerate` over columns of objects gives: nobody sees that it was asked. Else None."""
    if type(items) not in (zip, enumerate):
        return None
    parts = [part for part in items.__reduce__()[1] if hasattr(part, "__next__")]
    held = [array_of(part) for part in parts]
    arrays = [array for array in held if array is not None and array.dtype == object]
    objects = bool(arrays) and not any(is_drawn(thing) for array in arrays for thing in array)
    known = all(array is not None or type(part) in TELLING for part, array in zip(parts, held, strict=True))
    return list(items) if objects and known else None


def array_of(iterator: Any) -> Any:
    """Return the array that an iterator of numpy or pandas walks, else None."""
    numpy = sys.modules.get("numpy")
    array: Any = None
    if numpy is None:
        return None
    if isinstance(iterator, types.GeneratorType):  # pandas' own arrays have no iterator of another kind
        array = iterator.gi_frame.f_locals.get("self") if iterator.gi_frame is not None else None
        return array if type(array).__module__.partition(".")[0] == "pandas" and hasattr(array, "dtype") else None
    array = iterator.__reduce__()[1][0] if type(iterator) in (SEQUENCE, map) else None
    array = getattr(array, "__self__", array)
    return array if type(array) is numpy.ndarray and array.ndim == 1 else None


def is_fixed(items: Any) -> bool:
    """Tell whether what is walked is the index of a frame, which nobody can change, with labels of that kind."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(items, pandas.Index):
        return False
    return items.dtype != object or (len(items) <= ENOUGH * 100 and all_atoms(list(items)))
