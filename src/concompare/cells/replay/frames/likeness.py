"""Compare parts of tables in all that a function can see of them, to tell whether pandas asks for the same."""

from __future__ import annotations

from typing import Any

KNOWN = frozenset({"builtins", "numpy", "pandas", "datetime", "decimal", "fractions", "uuid"})
"""Modules whose values are the same where they have one type and are equal."""


def alike(one: Any, other: Any) -> bool:
    """Tell whether a function cannot tell two arguments apart, except by their identity."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if hasattr(one, "_mgr"):
        return alike_tables(one, other)
    if type(one).__module__ == "numpy" and hasattr(one, "shape") and one.shape:
        return alike_arrays(one, other)
    if type(one) is tuple:
        return len(one) == len(other) and all(map(alike, one, other))
    if type(one).__module__.partition(".")[0] not in KNOWN:
        return False
    try:
        return bool(one == other) or bool(one != one and other != other)  # nan
    except Exception:
        return False


def alike_tables(one: Any, other: Any) -> bool:
    """Tell whether two Series or frames are alike: data, labels, names, attributes, flags."""
    if one.shape != other.shape or len(one.axes) != len(other.axes):
        return False
    if not all(map(alike_indexes, one.axes, other.axes)) or one.attrs != other.attrs or one.flags != other.flags:
        return False
    if len(one.axes) == 1:
        return alike(one.name, other.name) and alike_arrays(one.array, other.array)
    if not alike(vars(one).get("name"), vars(other).get("name")):
        return False
    columns = range(one.shape[1])
    return all(alike_arrays(one.iloc[:, place].array, other.iloc[:, place].array) for place in columns)


def alike_indexes(one: Any, other: Any) -> bool:
    """Tell whether two indexes are alike."""
    return one is other or (type(one) is type(other) and bool(one.identical(other)))


def alike_arrays(one: Any, other: Any) -> bool:
    """Tell whether two arrays have the same types and values, bit for bit."""
    if type(one) is not type(other) or one.dtype != other.dtype or one.shape != other.shape:
        return False
    if type(one.dtype).__module__.partition(".")[0] != "numpy":
        return bool(one.equals(other))
    mine, theirs = (part.to_numpy() if hasattr(part, "to_numpy") else part for part in (one, other))
    if mine.dtype != object:
        return bool(mine.tobytes() == theirs.tobytes())
    return all(map(alike, mine.ravel().tolist(), theirs.ravel().tolist()))


def of_same_rows(one: Any, other: Any) -> bool:
    """Tell whether two parts of a table are of the same rows."""
    return hasattr(one, "index") and hasattr(other, "index") and alike_indexes(one.index, other.index)
