"""Objects of mpmath that hold the precision: each process has its own, so they cross by name, with the precision.

Taken apart they cannot be put together again, and a copy would not be the one that mpmath's functions use.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

PACKAGE = "mpmath"
CONTEXTS = ("mp", "iv")


def reduced(thing: Any) -> Any:
    """Return how mpmath, or an object of it that holds a precision, is made in another process; None for others."""
    package = sys.modules.get(PACKAGE)
    if package is None or not (thing is package or type(thing).__module__.startswith(PACKAGE)):
        return None
    held = {name: getattr(package, name) for name in CONTEXTS if hasattr(package, name)}
    now = {name: context.prec for name, context in held.items() if hasattr(context, "prec")}
    if thing is package:
        return at_precision, ("", now)
    name = next((name for name in now if held[name] is thing), None)
    return None if name is None else (at_precision, (name, now))


def at_precision(name: str, precision: dict[str, int]) -> ModuleType | Any:
    """Return mpmath, or its object of that name, set to a precision."""
    package = importlib.import_module(PACKAGE)
    for one, bits in precision.items():
        context = getattr(package, one)
        if context.prec != bits:
            context.prec = bits
    return getattr(package, name) if name else package
