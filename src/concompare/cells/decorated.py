"""Functions that were given to `concompare.parallel`."""

from __future__ import annotations

import types

DECORATED = "__concompare_parallel__"
"""Where `concompare.parallel` keeps the function that it was given."""


def meant_by(function: types.FunctionType) -> types.FunctionType:
    """Return the function that was given to `concompare.parallel`, or the function itself."""
    found = function.__dict__.get(DECORATED, function)
    return found if isinstance(found, types.FunctionType) else function
