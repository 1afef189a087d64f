"""Find the names whose values only the thread can use that made them, as connections to sqlite are."""

from __future__ import annotations

import contextlib
import itertools
import threading
import types
from collections.abc import Iterable
from typing import Any

BOUND = "_concompare_bound"
"""What names, among the names of a pass, those whose values are bound to the thread of their worker."""

KINDS = frozenset({"sqlite3.Connection", "sqlite3.Cursor", "sqlite3.Blob", "_thread._local"})
"""Types whose objects are of use to the thread only that made them, by their names."""

SKIPPED = (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType)
MOST, DEPTH = 50, 2
"""Parts of an object that are looked at, and how deep."""


def note_bound(names: dict[str, Any]) -> None:
    """Add which of the names that this thread gave values are bound to it; the notebook's own thread is not asked."""
    if threading.current_thread() is threading.main_thread():
        return
    if bound := tuple(name for name, value in names.items() if is_bound_here(value)):
        names[BOUND] = bound


def is_bound_here(value: Any, depth: int = DEPTH) -> bool:
    """Tell whether an object, or one that it holds, is of use to this thread only."""
    kind = type(value)
    if kind in (int, float, str, bytes, bool) or isinstance(value, SKIPPED):
        return False
    if not KINDS.isdisjoint(f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__):
        return True
    if kind.__module__ == "_thread" and kind.__qualname__ == "RLock":
        return bool(value._is_owned())
    return depth > 0 and any(is_bound_here(part, depth - 1) for part in itertools.islice(parts_of(value), MOST))


def parts_of(value: Any) -> Iterable[Any]:
    """Return what an object holds in its own attributes or as a list, tuple or dict, without asking the user's code."""
    if type(value) in (list, tuple):
        return list(value)
    if type(value) is dict:
        return list(value.values())
    with contextlib.suppress(AttributeError, TypeError):
        return list(object.__getattribute__(value, "__dict__").values())
    return ()
