"""Tracebacks through methods of pandas, as those of the plain cell."""

from __future__ import annotations

import types
from collections.abc import Callable

from concompare.cells.replay.compiling import OF_THEIR_OWN

PACKAGE = __name__.split(".")[0] + "."
CALLING = (PACKAGE + "cells.replay.calling.", PACKAGE + "cells.replay.frames.")
"""Modules that call functions of libraries in the cell's place."""
TAKING = tuple(PACKAGE + name for name in ("cells.replay.items", "engine.lookahead", "engine.serial_pass"))
"""Modules that take the next of the user's items, which iterators without frames of their own may raise in."""
CELL = "<module>"


def entries(trace: types.TracebackType | None) -> list[types.TracebackType]:
    """Return the entries of a traceback, outermost first."""
    found: list[types.TracebackType] = []
    while trace is not None:
        found.append(trace)
        trace = trace.tb_next
    return found


def module_of(entry: types.TracebackType) -> str:
    """Return the module that a frame belongs to."""
    return str(entry.tb_frame.f_globals.get("__name__", ""))


def without_ours(trace: types.TracebackType | None) -> types.TracebackType | None:
    """Return a traceback without what stands between the cell, functions of libraries and the user's own.

    Where an error is raised by this package itself the frames stay: they tell of a mistake in it.
    """
    found = entries(trace)
    while found and module_of(found[-1]).startswith(CALLING):
        found.pop()
    if not found or module_of(found[-1]).startswith(PACKAGE):
        return trace
    kept = [entry for entry in found if not module_of(entry).startswith(PACKAGE)]
    for entry, following in zip(kept, [*kept[1:], None], strict=False):
        entry.tb_next = following
    return kept[0]


def of_function(error: BaseException, filename: str, caller: str = CELL) -> types.TracebackType | None:
    """Return the traceback of an item's error from where the user's function begins.

    Args:
        error: The error.
        filename: Of the code that the call of the method is in.
        caller: The name of that code: of the cell, or of a function, which may be called again further in.
    """
    found = entries(error.__traceback__)
    codes = [entry.tb_frame.f_code for entry in found]
    heads = [n for n, code in enumerate(codes) if (code.co_filename, code.co_name) == (filename, caller)]
    if not heads:
        return error.__traceback__
    return found[heads[-1 if caller == CELL else 0]].tb_next


def above(trace: types.TracebackType | None, code: types.CodeType) -> types.TracebackType | None:
    """Return a traceback without what a hook has called: there the plain cell would have failed itself."""
    frames: list[types.TracebackType] = []
    while trace is not None and trace.tb_frame.f_code is not code:
        frames.append(trace)
        trace = trace.tb_next
    found = None
    for entry in reversed(frames):
        found = types.TracebackType(found, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return found


def below(
    trace: types.TracebackType | None, leads_in: Callable[[types.TracebackType], bool], *, plain: bool
) -> types.TracebackType | None:
    """Return a traceback without what led into the last of some frames: there the plain cell goes on in one frame.

    Where nothing of the cell comes after that, as where its items' iterator raises, or only what has a frame of its
    own, as comprehensions have before Python 3.12, its frame is the one before; but not where this package raises
    itself, nor of interrupts, which are no `plain` errors: the user sees no frames then.
    """
    found = entries(trace)
    last = max((number for number, entry in enumerate(found) if leads_in(entry)), default=None)
    if last is None or last + 1 == len(found):
        return trace
    below, caller = found[last + 1], found[last - 1] if last else None
    if caller is not None and plain and module_of(found[-1]) in TAKING and not module_of(caller).startswith(PACKAGE):
        return types.TracebackType(None, caller.tb_frame, caller.tb_lasti, caller.tb_lineno)
    if caller is None or not plain or any(module_of(entry).startswith(PACKAGE) for entry in (caller, found[-1])):
        return below
    inside = next((entry for entry in found[last + 1 :] if is_of_file(entry, caller)), None)
    if inside is not None and inside.tb_frame.f_code.co_name not in OF_THEIR_OWN.values():
        return below
    return types.TracebackType(below, caller.tb_frame, caller.tb_lasti, caller.tb_lineno)


def is_of_file(entry: types.TracebackType, other: types.TracebackType) -> bool:
    """Tell whether two frames run code of one file."""
    return entry.tb_frame.f_code.co_filename == other.tb_frame.f_code.co_filename
