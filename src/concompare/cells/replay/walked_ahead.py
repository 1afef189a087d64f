"""Bodies that look how far the iterator of their items is: workers have taken more from it than the plain loop."""

from __future__ import annotations

import types
from collections.abc import Set
from typing import TYPE_CHECKING, Any

from concompare.cells import readers
from concompare.cells.distribution.staging import Staged
from concompare.cells.effects.kinds import is_bar
from concompare.cells.effects.live import is_iterator
from concompare.cells.ir import Effects, Loop
from concompare.cells.objects import Obj, reachable
from concompare.cells.syntax.own_code import is_own
from concompare.errors import CellRefused

if TYPE_CHECKING:
    from concompare.cells.replay.twice import Twice

WALKING = frozenset({"loop", "comprehension"})
"""Kinds of work that take item by item, to the end unless one fails."""
COUNTING = "fileinput"
"""A module whose functions tell how far its own iterator is."""
STEADY = frozenset({
    *("name", "mode", "encoding", "errors", "closed", "newlines"),
    *("fieldnames", "dialect", "restkey", "restval"),
    *("description", "connection", "row_factory", "arraysize"),
})  # fmt: skip
"""Attributes of files, readers and cursors that stay what they are while these are walked."""


def twice_of(loop: Loop, items: Any, namespace: dict[str, Any]) -> Twice | None:
    """Return how what a loop uses up is walked ahead, on a copy, and then again; None where it is walked once."""
    uses_up = is_iterator(items) and type(items) is not types.GeneratorType
    if loop.target is None or loop.kind not in WALKING or not (uses_up or readers.is_archive(items)):
        return None
    from concompare.cells.replay.twice import found_twice

    return found_twice(items, namespace)


def read_on_the_way(staged: Staged, items: Any) -> None:
    """Refuse to read in the body what an iterator changes with each item.

    Raises:
        CellRefused: The body does, or may.
    """
    line = staged.analysed.loop.line
    if type(items).__module__ == COUNTING:
        raise CellRefused(f"`{COUNTING}` tells what it has come to. Make a list of its lines first.", line)
    done = [place for place in staged.analysed.walking.writes if place.obj is not None and place.field != "next"]
    own = {place for place in done if place.obj and place.obj.outer and any(map(is_own, place.obj.live))}
    others = {place.obj for place in done if place.obj and may_tell(place.obj)} - {place.obj for place in own}
    for node, found in staged.analysed.effects.items() if own or others else ():
        deep = set(reachable(found.deep))
        seen = [place.obj for place in own if place.obj in deep or any(map(place.meets, found.reads))]
        for obj in [*seen, *told_by(found, deep, others)]:
            if obj is not None:
                text = f"reads {obj.shown}, which changes whenever it gives an item"
                raise CellRefused(f"{text}.", getattr(node, "lineno", line))


def may_tell(obj: Obj) -> bool:
    """Tell whether an object is an iterator of the notebook's that may show how far it is: files and readers do."""
    return obj.outer and any(map(is_iterator, obj.live)) and not is_bar(obj)


def told_by(found: Effects, deep: Set[Obj], iterators: Set[Obj | None]) -> list[Obj | None]:
    """Return the iterators of which a step looks at more than what stays as it is."""
    read = {place.obj for place in found.reads if place.field not in STEADY}
    return [obj for obj in iterators if obj in deep or obj in read]
