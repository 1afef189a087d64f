"""Objects that have one dictionary of attributes: what is set of one of them shows in the others."""

from __future__ import annotations

from typing import Any

from concompare.cells.distribution.staging import Staged
from concompare.cells.objects import Obj
from concompare.cells.replay import checks
from concompare.cells.syntax.own_code import is_own
from concompare.errors import CellRefused


def refuse(staged: Staged) -> None:
    """Refuse a loop that changes an object whose attributes are those of another one that it uses.

    Raises:
        CellRefused: It does.
    """
    effects = staged.analysed.effects.values()
    used = {place.obj for found in effects for place in found.reads | found.writes if place.obj is not None}
    used = used.union(*[found.deep for found in effects])
    changed = checks.touched(staged)
    owners: dict[int, tuple[Any, Obj]] = {}
    for obj in sorted(used if changed else (), key=lambda each: each.number):
        for thing in obj.live if obj.outer else ():
            own = dictionary_of(thing)
            first, other = owners.setdefault(id(own), (thing, obj)) if own is not None else (thing, obj)
            known = obj in other.owner or other in obj.owner  # the dictionary is followed as that of the object
            if other is obj or first is thing or known:  # the same object is followed as that under all its names
                continue
            if not changed.isdisjoint((obj, other)):
                text = f"the loop changes attributes that {other.shown} and {obj.shown} have in one dictionary"
                raise CellRefused(f"{text}. Give each its own.", staged.analysed.loop.line)


def dictionary_of(thing: Any) -> dict[str, Any] | None:
    """Return the dictionary of attributes that an object has, or is; None: it has none of the user's."""
    if type(thing) is dict:
        return thing
    return vars(thing) if is_own(thing) else None
