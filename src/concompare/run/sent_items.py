"""Items that must not go to other processes: their classes say what is sent of them, or do something with copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from concompare.cells.telling_classes import telling_when_pickled
from concompare.run.copied_items import PICKLING, has_own, is_registered
from concompare.worker.state_watch import captured
from concompare.worker.transfer.item_state import parts_of

if TYPE_CHECKING:
    from concompare.cells.task import Task

PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Classes of which there is nothing to look at."""


def why_not_sent(task: Task) -> str:
    """Return why the items of a task must not be sent to processes; empty where they may."""
    items = task.items if isinstance(task.items, Sequence) and not isinstance(task.items, (str, bytes, range)) else ()
    kinds = {*map(type, items), *[type(thing) for _, thing in captured(task.function)]} - PLAIN
    telling = telling_when_pickled(kinds)
    if telling is not None:
        kind, method = telling
        return f"`{method}` of `{kind.__name__}` changes something whenever an object is sent to a process"
    if task.changing:
        parts = {type(part) for item in items for part in parts_of(item) if id(part) not in task.shared}
        odd = [kind for kind in parts if has_own(kind, PICKLING) or is_registered(kind)]
        return f"the items change, and `{odd[0].__name__}` says itself what of them is sent" if odd else ""
    odd = [kind for kind in kinds if has_own(kind, ("__del__",))]
    return f"`{odd[0].__name__}` does something when it is dropped, and copies would be" if odd else ""
