"""The frame of a function whose loop runs in parallel, as its namespace tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from concompare.cells.ir import OURS

WHOLE = "<module>"
"""What the frame is called of the notebook itself, where its names are copied to look at a cell before it runs."""
FRAME = OURS + "frame"
"""The name in a loop's namespace under which its frame is kept; the cell's own loops have none."""


@dataclass(frozen=True)
class Frame:
    """A function that runs.

    Attributes:
        name: Of the function; `qualname`: with what it stands in; `first_line`: where it begins.
        module: The globals that the functions it calls see.
        local: Its own names, which nobody else sees.
        held: The identities of what its variables hold: the namespace holds those once more.
    """

    name: str
    qualname: str
    first_line: int
    module: Mapping[str, Any]
    local: frozenset[str]
    held: frozenset[int]


def frame_of(namespace: Mapping[str, Any]) -> Frame | None:
    """Return the frame whose names a namespace holds; None: they are the notebook's."""
    found = namespace.get(FRAME)
    return found if isinstance(found, Frame) else None


def is_own(namespace: Mapping[str, Any], module: Mapping[str, Any], name: str) -> bool:
    """Tell whether a name of a module is the one that a loop's namespace has."""
    if module is namespace:
        return True
    frame = frame_of(namespace)
    return frame is not None and module is frame.module and name not in frame.local
