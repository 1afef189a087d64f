"""Arrays that are not contiguous, such as a column, or cannot be written to: they cross as they are.

A pickle of numpy's own makes them contiguous, and the sums and products of contiguous numbers may be rounded in another
order; it lets them be written to, where the plain loop fails. Nothing but the standard library may be imported.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable
from typing import Any

MOST = 1 << 28
"""Bytes that an array may reach over; one that reaches further becomes contiguous."""

SMALL = 1 << 20
"""Bytes up to which an array that cannot be written to stays so."""

OWNED = 1 << 14
"""Bytes up to which a contiguous array goes the older way: it is quicker, and the copy owns its memory, as most do."""


def table() -> dict[type, Callable[[Any], Any]] | None:
    """Return a pickler's dispatch table that keeps strides; None where there are no arrays."""
    numpy = sys.modules.get("numpy")
    if not hasattr(numpy, "ndarray"):
        return None
    return {**copyreg.dispatch_table, numpy.ndarray: reduced}  # type: ignore[union-attr]


def is_strided(thing: Any) -> bool:
    """Tell whether something is an array of numbers with gaps, or a small one that cannot be written to."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(thing) is not getattr(numpy, "ndarray", None):
        return False
    return has_gaps(thing) or is_read_only(thing)


def has_gaps(thing: Any) -> bool:
    """Tell whether an array is not contiguous."""
    flags = thing.flags
    return not (flags.c_contiguous or flags.f_contiguous or thing.dtype.hasobject) and sum(reach(thing)) <= MOST


def is_read_only(thing: Any) -> bool:
    """Tell whether an array cannot be written to; a large one, as of a file, is not copied for that."""
    return not (thing.flags.writeable or thing.dtype.hasobject) and bool(thing.nbytes <= SMALL)


def reach(thing: Any) -> tuple[int, int]:
    """Return how many bytes an array reaches over, before its first element and from there on."""
    steps = [stride * (length - 1) for stride, length in zip(thing.strides, thing.shape, strict=True)]
    return -sum(step for step in steps if step < 0), sum(step for step in steps if step > 0) + thing.itemsize


def reduced(thing: Any) -> Any:
    """Return what makes an array again, with its strides."""
    if thing.nbytes <= OWNED and thing.flags.carray:
        return thing.__reduce__()
    if not is_strided(thing):
        return thing.__reduce_ex__(5)
    if not has_gaps(thing):
        return locked, (thing.copy(order="K"),)
    return laid_out, (thing.copy(order="C"), thing.strides, *reach(thing), bool(thing.flags.writeable))


def has_attributes(thing: Any) -> bool:
    """Tell whether something is an array of a derived class with attributes, which neither pickles nor copies keep."""
    numpy = sys.modules.get("numpy")
    kind = getattr(numpy, "ndarray", None)
    if kind is None or not isinstance(thing, kind) or not getattr(thing, "__dict__", None):
        return False
    return type(thing).__reduce__ is kind.__reduce__ and type(thing).__setstate__ is kind.__setstate__


def special(thing: Any) -> Any:
    """Return what makes an array again that needs more than numpy's own pickle; None for all else."""
    if is_strided(thing):
        return reduced(thing)
    return with_attributes(thing) if has_attributes(thing) else None


def with_attributes(thing: Any) -> Any:
    """Return what makes an array of a derived class again, with its attributes."""
    make, arguments, state = thing.__reduce__()
    return make, arguments, (state, vars(thing)), None, None, give_attributes


def give_attributes(made: Any, state: tuple[Any, dict[str, Any]]) -> None:
    """Give an array that was made again its elements and attributes."""
    made.__setstate__(state[0])
    vars(made).update(state[1])


def base_of(thing: Any) -> Any:
    """Return the array that an array is a part of, or None."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(thing) is not getattr(numpy, "ndarray", None) or type(thing.base) is not type(thing):
        return None
    return thing.base


def place_in(whole: Any, thing: Any) -> tuple[Any, ...]:
    """Return where a part lies in an array, how that is laid out, and a copy of the part."""
    offset = thing.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    return layout_of(whole), offset, thing.strides, bool(thing.flags.writeable), thing.copy()


def layout_of(thing: Any) -> tuple[Any, ...]:
    """Return how an array lies in memory."""
    return thing.shape, thing.strides, thing.dtype.str


def part_of(
    whole: Any, layout: tuple[Any, ...], offset: int, strides: tuple[int, ...], writeable: bool, data: Any
) -> Any:
    """Return the same part of another array; its copy where that one is laid out otherwise, or has other numbers."""
    if type(whole) is not type(data) or layout_of(whole) != layout or data.dtype.hasobject:
        return data
    numpy = sys.modules["numpy"]
    flat = whole if whole.flags.c_contiguous else whole.T
    if not flat.flags.c_contiguous:
        return data
    made = numpy.ndarray(data.shape, data.dtype, flat, offset, strides)
    if made.tobytes() != data.tobytes():
        return data
    return made if writeable or not made.flags.writeable else locked(made)


def locked(data: Any) -> Any:
    """Return an array that cannot be written to."""
    data.flags.writeable = False
    return data


def laid_out(data: Any, strides: tuple[int, ...], before: int, after: int, writeable: bool = True) -> Any:
    """Return an array with these elements and strides."""
    numpy = sys.modules["numpy"]
    memory = numpy.empty(before + after, "u1")
    made = numpy.ndarray(data.shape, data.dtype, memory, before, strides)
    made[...] = data
    return made if writeable else locked(made)
