"""Check that names mean what a form takes them to mean, when it is reached."""

from __future__ import annotations

import builtins
import sys
import types
from typing import Any

from concompare.cells.effects.live import is_iterator
from concompare.cells.forms import streams

MISSING: Any = object()


def are_meant(paths: tuple[str, ...], *found: Any) -> bool:
    """Tell whether objects are those that dotted paths name, containers, or anything but None, as is said."""
    return all(map(is_meant, paths, found))


def is_meant(path: str, thing: Any) -> bool:
    """Tell whether an object is the one of a dotted path."""
    if path == streams.CONTAINER:
        return hasattr(type(thing), "__len__") and not is_iterator(thing)
    if path == streams.NOT_NONE:
        return thing is not None
    if path == streams.BUILT_IN:
        return type(thing).__module__ in ("builtins", "collections", "array")
    if path == streams.LIST:
        return type(thing) is list
    module, *parts = path.split(".")
    known: Any = builtins if module == "builtins" else sys.modules.get(module, MISSING)
    for part in parts:
        known = getattr(known, part, MISSING)
    if type(known) is types.BuiltinFunctionType and type(thing) is types.BuiltinFunctionType:
        return bool(known == thing)  # a method of a class is made anew each time
    return thing is known
