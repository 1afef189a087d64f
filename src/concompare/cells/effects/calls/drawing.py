"""Installed functions of which nothing is declared and that draw into the current figure of pyplot, as seaborn's do."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

from concompare.cells.effects import declared
from concompare.cells.effects.declared import Declared

PYPLOT = "matplotlib.pyplot"
MOST = 40
"""Functions of a package that are looked at for one call."""
KNOWN: dict[types.CodeType, bool] = {}


def as_drawing(thing: Any) -> Declared | None:
    """Return what a callable does that draws by pyplot: what pyplot's own functions do; None for others."""
    return declared.table(PYPLOT)["*"] if draws(thing) else None


def draws(thing: Any) -> bool:
    """Tell whether the code of a callable, or of what it calls in its own package, names pyplot."""
    waiting, seen = list(functions_of(thing)), set[types.CodeType]()
    while waiting and len(seen) < MOST:
        function = waiting.pop(0)
        if function.__code__ in seen:
            continue
        seen.add(function.__code__)
        if names_pyplot(function):
            return True
        waiting += called_by(function)
    return False


def functions_of(thing: Any) -> Iterator[types.FunctionType]:
    """Yield the functions written in Python that a callable runs: of a class those that make an object."""
    thing = getattr(thing, "__func__", thing)
    if isinstance(thing, types.FunctionType):
        yield thing
        wrapped = getattr(thing, "__wrapped__", None)
        if isinstance(wrapped, types.FunctionType):
            yield wrapped
    elif isinstance(thing, type):
        found = (getattr(thing, name, None) for name in ("__new__", "__init__"))
        yield from (part for part in found if isinstance(part, types.FunctionType))


def names_pyplot(function: types.FunctionType) -> bool:
    """Tell whether a function's own code imports or uses pyplot."""
    code = function.__code__
    if code not in KNOWN:
        KNOWN[code] = any(is_pyplot(name, function.__globals__.get(name)) for name in names_in(code))
    return KNOWN[code]


def is_pyplot(name: str, value: Any) -> bool:
    """Tell whether a name in code stands for pyplot or for a function of it."""
    if name in ("pyplot", PYPLOT):
        return True
    return (value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)) == PYPLOT


def names_in(code: types.CodeType) -> Iterator[str]:
    """Yield the names that code and the functions in it look up."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from names_in(part)


def called_by(function: types.FunctionType) -> Iterator[types.FunctionType]:
    """Yield the functions of its own package that a function names."""
    package = (function.__module__ or "").partition(".")[0]
    for name in names_in(function.__code__):
        value = function.__globals__.get(name)
        module = getattr(value, "__module__", None)
        if isinstance(value, (types.FunctionType, type)) and isinstance(module, str):
            yield from functions_of(value) if module.partition(".")[0] == package else ()
