"""State of modules that a loop changes: installed functions may read it without being given it."""

from __future__ import annotations

import os
import sys
import types
import warnings
from typing import Any

from concompare.cells.distribution.staging import Staged
from concompare.cells.replay.checks import touched
from concompare.cells.syntax.own_code import is_user_module
from concompare.errors import CellRefused

KNOWN: tuple[tuple[Any, str], ...] = (
    (os.environ, "os.environ"),
    (sys.path, "sys.path"),
    (sys.modules, "sys.modules"),
    (warnings.filters, "warnings.filters"),
)
"""What functions of many modules read."""


def refuse_calls_of_numpy(line: int) -> None:
    """Refuse a loop while numpy calls a function of the user's at overflows: what that does cannot be seen.

    Raises:
        CellRefused: It does.
    """
    numpy: Any = sys.modules.get("numpy")
    called = hasattr(numpy, "geterrcall") and numpy.geterrcall() is not None
    if called and not {"call", "log"}.isdisjoint(numpy.geterr().values()):
        raise CellRefused(
            "numpy calls what `np.seterrcall` was given, in the order of the items. Call `np.seterr(all='warn')` "
            "before the loop, if no item needs that.",
            line,
            "changes-outer",
        )


def refuse_changes(staged: Staged) -> None:
    """Refuse a loop that changes, for each item, what functions of installed modules may read.

    Raises:
        CellRefused: It does.
    """
    refuse_calls_of_numpy(staged.analysed.loop.line)
    lines = {
        place.obj: getattr(node, "lineno", None)
        for node, found in reversed(staged.analysed.effects.items())
        for place in found.writes
    }
    for obj in sorted(touched(staged), key=lambda each: each.label):
        names = [name_of(thing) for thing in obj.live if obj.outer]
        if any(names):
            raise CellRefused(
                f"the loop changes `{next(filter(None, names))}`, which functions that it calls may read, so every "
                "item needs the one before. Change it before the loop, or give what it holds to the functions.",
                lines.get(obj),
                "changes-outer",
            )


def name_of(thing: Any) -> str:
    """Return the full name of an object that is the state of an installed module, or nothing."""
    if isinstance(thing, types.ModuleType):
        return "" if is_user_module(thing.__name__) else thing.__name__
    found = next((name for known, name in KNOWN if known is thing), "")
    if found:
        return found
    kind = type(thing).__module__
    for held in sorted({kind, kind.partition(".")[0]} - {"builtins", "__main__"}):
        module = sys.modules.get(held)
        if module is None or is_user_module(held):
            continue
        for attribute, value in vars(module).items():
            if value is thing:
                return f"{held}.{attribute}"
    return ""
