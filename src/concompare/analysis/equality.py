"""Compare a backend's results with the plain loop's: exact, but NaN equals NaN."""

from __future__ import annotations

import contextlib
import math
import pickle
import reprlib
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

DEEP = 50
"""Levels of nesting that are followed before pickles are compared."""

LAST_DIGITS = 1e-10
"""Relative difference of floating-point numbers up to which it is taken for rounding."""


class Difference(NamedTuple):
    """How results differ from those of the plain loop.

    Attributes:
        same: Whether they are the same; None: not all could be compared.
        words: A sentence about the first that differs, or None.
        rounding: Whether that differs in its last digits only.
    """

    same: bool | None
    words: str | None = None
    rounding: bool = False


_ATOMS = (str, bytes, bytearray, int, bool, complex, type(None), range)


class _At(NamedTuple):
    """Where a comparison is: how deep, and which pairs it has met, with the answers: objects may hold each other.

    A pair that is still being compared counts as equal. The pairs are held, so that no identity is used again.
    """

    depth: int
    met: dict[tuple[int, int], tuple[Any, Any, bool | None]]

    def deeper(self) -> _At:
        return _At(self.depth + 1, self.met)


def equal(one: Any, other: Any, at: _At | None = None) -> bool | None:
    """Return whether two results are the same value, or None when that cannot be told.

    Numbers are compared exactly, since the same code on the same item gives the same bits; arrays by
    `array_equal` with NaN equal to NaN, pandas objects by their `equals`, containers by their parts. Objects without a
    comparison of their own are compared by their attributes, else by their pickles.
    """
    if one is other:
        return True
    if _kind(one) != _kind(other):
        return _loosely(one, other)
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, _ATOMS):
        return bool(one == other)
    at, pair = at or _At(0, {}), (id(one), id(other))
    if pair in at.met:
        return at.met[pair][2]
    at.met[pair] = one, other, True
    answer = _parts(one, other, at)
    at.met[pair] = one, other, answer
    return answer


def _parts(one: Any, other: Any, at: _At) -> bool | None:
    """Compare two objects of one type by what they are made of."""
    if at.depth >= DEEP:
        return _by_pickle(one, other)
    if _is_array(one):
        return False if _are_tagged_otherwise(one, other, at) else _arrays(one, other, at)
    if hasattr(type(one), "equals") and hasattr(type(one), "to_numpy"):
        return False if _are_tagged_otherwise(one, other, at) else _asked(lambda: one.equals(other))
    if type(one) in (list, tuple) or (isinstance(one, tuple) and isinstance(one, Sequence)):
        return _in_order(one, other, at)
    if isinstance(one, Mapping):
        return _mappings(one, other, at)
    if isinstance(one, Set):
        return _asked(lambda: one == other)
    if isinstance(one, BaseException):
        return equal(one.args, other.args, at.deeper())
    return _objects(one, other, at)


def difference(values: Sequence[Any], reference: Sequence[Any], positions: Sequence[int]) -> Difference:
    """Compare a pass's results with the plain loop's."""
    unsure = False
    for value, expected, position in zip(values, reference, positions, strict=False):
        same = equal(value, expected)
        if same is False:
            said = f"item {position}: {_short(value)} instead of {_short(expected)}"
            off = rounding(value, expected)
            if off is None or off > LAST_DIGITS:
                return Difference(False, said)
            return Difference(False, f"{said}, {off:.0e} of it: rounding", rounding=True)
        unsure = unsure or same is None
    if len(values) != len(reference):
        return Difference(False, f"{len(values)} results instead of {len(reference)}")
    return Difference(None if unsure else True)


def rounding(one: Any, other: Any) -> float | None:
    """Return by how much of their size two results differ, where only their floating-point numbers do; None else.

    Sums that native libraries make with another number of threads are added in another order.
    """
    if _kind(one) != _kind(other):
        return None
    if isinstance(one, float | complex):
        size = max(abs(one), abs(other))
        return 0.0 if one == other else abs(one - other) / size if 0 < size < math.inf else None
    if _is_array(one):
        return _rounded_arrays(one, other)
    if isinstance(one, list | tuple | Mapping):
        if len(one) != len(other) or (isinstance(one, Mapping) and one.keys() != other.keys()):
            return None
        pairs = [(one[k], other[k]) for k in (one if isinstance(one, Mapping) else range(len(one)))]
        found = [rounding(a, b) for a, b in pairs]
        return None if None in found else max((f for f in found if f is not None), default=0.0)
    return 0.0 if equal(one, other) else None


def _rounded_arrays(one: Any, other: Any) -> float | None:
    import numpy as np

    if not isinstance(one, np.ndarray) or one.shape != other.shape or one.dtype != other.dtype:
        return None
    if one.dtype.kind not in "fc" or not one.size or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return 0.0 if equal(one, other) else None
    size = float(np.abs(one).max())
    return float(np.abs(one - other).max()) / size if size else None


def _short(value: Any) -> str:
    shown = reprlib.Repr()
    shown.maxstring = shown.maxother = 40
    try:
        return shown.repr(value)
    except Exception:
        return f"<{type(value).__name__}>"


def _kind(value: Any) -> tuple[str, str]:
    return type(value).__module__, type(value).__qualname__


def _loosely(one: Any, other: Any) -> bool | None:
    """Compare values of two types: equal only if both sides say so with a plain yes."""
    if _is_array(one) or _is_array(other):
        return False
    return _asked(lambda: one == other)


def _asked(question: Any) -> bool | None:
    """Return the answer to a comparison that the user's classes may answer with anything, or with an exception."""
    try:
        return bool(question())
    except Exception:
        return None


def _is_array(value: Any) -> bool:
    kind = type(value)  # an object of the user's may do anything when it is asked for an attribute
    return hasattr(kind, "__array_interface__") or (hasattr(kind, "dtype") and hasattr(kind, "shape"))


def _are_tagged_otherwise(one: Any, other: Any, at: _At) -> bool:
    """Tell whether the user's attributes of two arrays or tables differ: their pickles leave such out."""
    mine, theirs = (
        {name: part for name, part in getattr(value, "__dict__", {}).items() if not name.startswith("_")}
        for value in (one, other)
    )
    return bool(mine or theirs) and equal(mine, theirs, at.deeper()) is False


def _arrays(one: Any, other: Any, at: _At) -> bool | None:
    import numpy as np

    if not isinstance(one, np.ndarray | np.generic) or not isinstance(other, np.ndarray | np.generic):
        return _asked(lambda: np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True))
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype == object:
        return _in_order(list(one.ravel()), list(other.ravel()), at)
    if one.dtype.names is not None:
        return one.tobytes() == other.tobytes()
    try:
        return bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fcmM"))
    except TypeError:
        return one.tobytes() == other.tobytes()


def _all(answers: Any) -> bool | None:
    unsure = False
    for answer in answers:
        if answer is False:
            return False
        unsure = unsure or answer is None
    return None if unsure else True


def _in_order(one: Any, other: Any, at: _At) -> bool | None:
    if len(one) != len(other):
        return False
    return _all(equal(a, b, at.deeper()) for a, b in zip(one, other, strict=True))


def _mappings(one: Any, other: Any, at: _At) -> bool | None:
    if len(one) != len(other):
        return False
    try:
        if any(key not in other for key in one):
            return _by_pickle(one, other)
    except Exception:
        return None
    return _all(equal(one[key], other[key], at.deeper()) for key in one)


def _objects(one: Any, other: Any, at: _At) -> bool | None:
    mine, theirs = _state(one), _state(other)
    alike = equal(mine, theirs, at.deeper()) if mine and theirs else _by_pickle(one, other)
    if not alike and not _compares_by_identity(type(one)):  # its own `__eq__` may do more than compare
        return _asked(lambda: one == other)
    return alike


def _compares_by_identity(kind: type) -> bool:
    return next(c for c in kind.__mro__ if "__eq__" in vars(c)) is object


def _state(value: Any) -> dict[str, Any] | None:
    names = [n for c in type(value).__mro__ for n in getattr(c, "__slots__", ()) if isinstance(n, str)]
    found = {}
    for name in names:
        with contextlib.suppress(AttributeError):  # not by its `__getattr__`, which may do more than answer
            if not name.startswith("__"):
                found[name] = object.__getattribute__(value, name)
    found.update(getattr(value, "__dict__", {}))
    return found or None


def _by_pickle(one: Any, other: Any) -> bool | None:
    """Compare pickles: the same bytes mean the same value, other bytes mean nothing certain."""
    try:
        return True if pickle.dumps(one) == pickle.dumps(other) else None
    except Exception:
        return None
