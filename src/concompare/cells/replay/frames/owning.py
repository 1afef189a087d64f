"""Parts of tables that a function may change, because since pandas 3 each call is given one of its own."""

from __future__ import annotations

import ast
from typing import Any

from concompare.cells.effects import declared
from concompare.cells.effects.entries import read_entry
from concompare.cells.ir import COLUMN, OURS, Analysed
from concompare.cells.objects import ELEMENT, is_atom
from concompare.cells.replay.frames import owners
from concompare.cells.replay.frames.asking import Call, kind_of, named


def own_frame(frame: Any) -> Any:
    """Return a frame that a function may change: a copy, with the name of its group."""
    made = frame.copy()
    return named(made, vars(frame)["name"]) if "name" in vars(frame) else made


def own_series(series: Any) -> Any:
    """Return a Series that a function may change."""
    return series.copy()


OWNING = {"DataFrame": own_frame, "Series": own_series}
for kind, function in OWNING.items():
    entry = read_entry({"returns": "new", "type": f"pandas.{kind}", "cheap": True})
    declared.FUNCTIONS[id(function)] = function, entry


def owning(owner: Any, name: str, calls: list[Call]) -> Any:
    """Return what gives each call of a function a part of its own, or None where pandas does not."""
    kinds = {kind_of(call.argument) for call in calls}
    is_meant = "GroupBy" in type(owner).__name__ or type(owner).__name__ == "DataFrame"
    own = OWNING.get(kinds.pop()) if len(kinds) == 1 else None
    if own is None or name != "apply" or not is_meant or not owners.since_3():
        return None
    return own


def changes_beyond_values(analysed: Analysed) -> bool:
    """Tell whether more than the values of a part of its own changes: pandas has one object for all rows of a frame."""
    nodes = [node for node in analysed.values if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    names = {f"{OURS}{function.__name__}" for function in OWNING.values()}
    own = {obj for node in nodes if node.func.id in names for obj in analysed.values[node]}  # type: ignore[attr-defined]
    written = {place.field for found in analysed.effects.values() for place in found.writes if place.obj in own}
    return any(field != ELEMENT and not field.startswith(COLUMN) for field in written)


def holds_values(part: Any) -> bool:
    """Tell whether nothing that a part of a table holds can be changed in itself; an element is seen by itself."""
    if not hasattr(type(part), "dtype") and not hasattr(type(part), "dtypes"):
        return True
    frame = kind_of(part) == "DataFrame"
    columns = [part.iloc[:, place] for place in range(part.shape[1])] if frame else [part]
    labels = part.axes if kind_of(part) else []
    mixed = [found for found in [*columns, *labels] if getattr(getattr(found, "dtype", None), "hasobject", False)]
    return all(map(is_atom, (value for found in mixed for value in list(found))))
