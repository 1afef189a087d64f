"""Items that must not go to other processes: their classes say how they are pickled, and that shows."""

from __future__ import annotations

import copyreg
from collections.abc import Sequence
from typing import TYPE_CHECKING

from concompare.cells.telling_classes import pickled_its_way, telling_when_pickled
from concompare.worker.state_watch import captured
from concompare.worker.transfer.item_state import parts_of

if TYPE_CHECKING:
    from concompare.cells.task import Task


def why_not_sent(task: Task) -> str:
    """Return why the items of a task must not be sent to processes; empty where they may."""
    items = task.items if isinstance(task.items, Sequence) and not isinstance(task.items, (str, bytes)) else ()
    if isinstance(items, range):
        return ""
    kinds = {*map(type, items), *(type(thing) for _, thing in captured(task.function))}
    telling = telling_when_pickled(kinds)
    if telling is not None:
        kind, method = telling
        return f"`{method}` of `{kind.__name__}` changes something whenever an object is sent to a process"
    for kind in {type(part) for item in items for part in parts_of(item)} if task.changing else ():
        if pickled_its_way(kind) is not None or (kind in copyreg.dispatch_table and kind.__module__ == "__main__"):
            return f"the items change, and what is sent of a `{kind.__name__}` is what its class says, not all of it"
    return ""
