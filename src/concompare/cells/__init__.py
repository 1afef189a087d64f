"""From a cell's source to a Task: find the loop, split it into head and tail, bind it. Runs nothing but `bind`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from concompare.cells.task import Task, task_of

if TYPE_CHECKING:
    from concompare.cells.lifting import Lifted, lift

__all__ = ["Lifted", "Task", "lift", "task_of"]


def __getattr__(name: str) -> Any:
    """Load the lifting when a cell comes: `concompare.map` does without."""
    if name not in ("Lifted", "lift"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from concompare.cells import lifting

    return getattr(lifting, name)
