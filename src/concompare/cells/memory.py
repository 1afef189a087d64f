"""The memory of frames: which arrays hold it, and whether anything else does."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from typing import Any


def is_index(thing: Any) -> bool:
    """Tell whether something is an index of pandas, which nobody can change, without objects in it."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(thing, pandas.Index) and thing.dtype != object


def is_frame(thing: Any) -> bool:
    """Tell whether something is a frame or column of pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(thing, (pandas.DataFrame, pandas.Series))


def arrays_of(frame: Any) -> list[Any]:
    """Return the arrays that hold what a frame or column shows."""
    return [getattr(values, "_ndarray", values) for values in frame._mgr.arrays]


def parts_of(frame: Any) -> Iterator[Any]:
    """Yield what a frame holds: its memory, by the objects that own it, and the objects in its cells."""
    for values in arrays_of(frame):
        base = getattr(values, "base", None)
        yield values if base is None else base
        if values.dtype == object:
            yield from itertools.chain.from_iterable(values) if getattr(values, "ndim", 1) > 1 else values
    yield frame.attrs


def labels_of(thing: Any) -> set[int]:
    """Return the identities of the objects that label the rows and columns of a frame or column, or of labels."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(thing, pandas.Index):
        return {id(thing)}
    return set(map(id, thing.axes)) if is_frame(thing) else set()


def is_shared(frame: Any) -> bool:
    """Tell whether something beside a frame may hold a part of its memory, as an array that is a view does."""
    forget_columns(frame)
    return any(holders_of(frame, place) > ALONE for place in range(len(arrays_of(frame))))


def forget_columns(frame: Any) -> None:
    """Let a frame forget the columns that it has given out and that nobody has any more: old pandas keeps them."""
    kept = getattr(frame, "_item_cache", {})
    for name in list(kept):
        if sys.getrefcount(kept[name]) <= KEPT:
            del kept[name]


def holders_of(frame: Any, place: int) -> int:
    """Return the references to what owns one of a frame's arrays, with those that it takes to ask."""
    values = arrays_of(frame)[place]
    base = getattr(values, "base", None)
    if base is None:
        del base
        return sys.getrefcount(values)
    del values
    return sys.getrefcount(base)


class Plain:
    """What has one array as a frame has."""

    def __init__(self) -> None:
        self._mgr = self
        self.arrays = [bytearray()]


def references_when_kept() -> int:
    """Return the references to what one dictionary holds, with those that it takes to ask."""
    kept = {"column": bytearray()}
    return sys.getrefcount(kept["column"])


KEPT = references_when_kept()
ALONE = holders_of(Plain(), 0)
"""Counted, not written down: Python 3.14 borrows references where earlier versions take them."""


def overlaps_itself(holder: Any) -> bool:
    """Tell whether elements of an array may share memory with each other, as windows that slide over another do."""
    strides, shape = getattr(holder, "strides", ()), getattr(holder, "shape", ())
    reached = getattr(holder, "itemsize", 0)
    for stride, size in sorted(zip(map(abs, strides), shape, strict=True)):
        if size > 1 and stride < reached:
            return 0 not in shape
        reached += stride * max(0, size - 1)
    return False
