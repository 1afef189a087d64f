"""Functions that were given to `concompare.parallel`."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

DECORATED = "__concompare_parallel__"
"""Where `concompare.parallel` keeps what it made, and the function that it was given."""


def mark(made: Callable[..., Any], given: types.FunctionType) -> None:
    """Let a function that `concompare.parallel` has made be known by the one that it was given."""
    vars(made)[DECORATED] = made, given


def meant_by(function: types.FunctionType) -> types.FunctionType:
    """Return the function that was given to `concompare.parallel`, or the function itself.

    A decorator around it copies its attributes with `functools.wraps`, and does something of its own.
    """
    made, given = function.__dict__.get(DECORATED, (None, function))
    return given if made is function else function
