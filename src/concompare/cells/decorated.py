"""Functions that were given to `concompare.parallel`."""

from __future__ import annotations

import types
from typing import Any

DECORATED = "__concompare_parallel__"
"""Where `concompare.parallel` keeps the function that it was given, and the code of the one that it made."""


def mark(made: Any, given: types.FunctionType) -> None:
    """Note which function `concompare.parallel` was given."""
    vars(made)[DECORATED] = made.__code__, given


def meant_by(function: types.FunctionType) -> types.FunctionType:
    """Return the function that was given to `concompare.parallel`, or the function itself.

    A decorator around that one has its attributes too, by `functools.wraps`, and does more than to call it.
    """
    code, given = vars(function).get(DECORATED, (None, function))
    return given if code is function.__code__ else function
