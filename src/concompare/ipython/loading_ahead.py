"""Load what the first cell with a magic needs while the kernel has nothing to do, so that this cell need not wait."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from concompare.interrupts import shielded

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

PAUSE = 0.05
"""Seconds from the end of the cell with `%load_ext` on, in which its answer reaches the front end."""

MODULES = (
    "concompare.report.run_summary",
    "concompare.run.cell_runners",
    "concompare.run.dispatch",
    "concompare.cells.program",
    "concompare.engine.pools.early_start",
)
"""With what they import, this is what a first `%%parallel` would load."""


def load_when_idle(shell: Any) -> None:
    """Begin once the cell that runs now has ended, where the shell runs cells in an event loop, as kernels do."""

    def begin(*_: Any) -> None:
        shell.events.unregister("post_run_cell", begin)
        asyncio = sys.modules.get("asyncio")  # a kernel has it
        with contextlib.suppress(RuntimeError, AttributeError):  # no loop: nobody would call
            loop = asyncio.get_running_loop()  # type: ignore[union-attr]
            loop.call_later(PAUSE, load, loop, list(MODULES))

    shell.events.register("post_run_cell", begin)


def load(loop: AbstractEventLoop, names: list[str], find: Callable[[str], Any] = import_module) -> None:
    """Load the first of some modules, and the others afterwards: a cell that comes meanwhile runs in between.

    What cannot be loaded is told by the cell that needs it.
    """
    with shielded(), contextlib.suppress(Exception):
        find(names.pop(0))
    if names:
        loop.call_soon(load, loop, names, find)
