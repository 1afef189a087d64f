"""Arrays that are not contiguous, such as a column: they cross with their strides.

A pickle of numpy's own makes them contiguous, and the sums and products of contiguous numbers may be rounded in another
order. Nothing but the standard library may be imported.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable
from typing import Any

MOST = 1 << 28
"""Bytes that an array may reach over; one that reaches further becomes contiguous."""


def table() -> dict[type, Callable[[Any], Any]] | None:
    """Return a pickler's dispatch table that keeps strides; None where there are no arrays."""
    numpy = sys.modules.get("numpy")
    if not hasattr(numpy, "ndarray"):
        return None
    return {**copyreg.dispatch_table, numpy.ndarray: reduced}  # type: ignore[union-attr]


def is_strided(thing: Any) -> bool:
    """Tell whether something is an array of numbers with gaps."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(thing) is not getattr(numpy, "ndarray", None):
        return False
    flags = thing.flags
    return not (flags.c_contiguous or flags.f_contiguous or thing.dtype.hasobject) and sum(reach(thing)) <= MOST


def reach(thing: Any) -> tuple[int, int]:
    """Return how many bytes an array reaches over, before its first element and from there on."""
    steps = [stride * (length - 1) for stride, length in zip(thing.strides, thing.shape, strict=True)]
    return -sum(step for step in steps if step < 0), sum(step for step in steps if step > 0) + thing.itemsize


def reduced(thing: Any) -> Any:
    """Return what makes an array again, with its strides."""
    if not is_strided(thing):
        return thing.__reduce_ex__(5)
    return laid_out, (thing.copy(order="C"), thing.strides, *reach(thing))


def laid_out(data: Any, strides: tuple[int, ...], before: int, after: int) -> Any:
    """Return an array with these elements and strides."""
    numpy = sys.modules["numpy"]
    memory = numpy.empty(before + after, "u1")
    made = numpy.ndarray(data.shape, data.dtype, memory, before, strides)
    made[...] = data
    return made
