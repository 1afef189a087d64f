"""Reads and writes of each object that a loop changes, under other names of the same object too."""

from __future__ import annotations

import array
import ast
import mmap
from collections.abc import Iterable
from typing import NamedTuple

from concompare.cells import alias
from concompare.cells.effects.kinds import inert, is_bar
from concompare.cells.ir import AT, Analysed
from concompare.cells.objects import ANY, Obj, reachable

Touch = tuple[int, ast.AST, str, bool]
"""Who reads or changes an object: its place in the order, the node, the field, and whether it changes it."""
VIEWS = frozenset({"numpy", "pandas"})
VIEWED = (memoryview, bytearray, array.array, mmap.mmap)
"""Other types whose memory may be shared."""


class Read(NamedTuple):
    """A field of a changing object that is read."""

    obj: Obj
    field: str


class Touches:
    """The touches of every object that one body changes."""

    def __init__(self, analysed: Analysed) -> None:
        self.analysed = analysed
        self.alias_of: dict[Obj, list[Obj]] = {}
        self.reach: dict[int, set[Obj]] = {}
        self.reached: dict[Obj, set[Obj]] = {}
        self.read_as: dict[tuple[int, str], list[Read]] = {}
        self.read_of: dict[Obj, alias.Read] = {}
        self.fields_written: dict[Obj, set[str]] = {}
        for found in analysed.effects.values():
            for place in found.writes:
                if place.obj is not None:
                    self.fields_written.setdefault(place.obj, set()).add(place.field)
        self.written = set(self.fields_written)
        self.by_object = self.touched(self.written)
        self.changing = frozenset(obj for obj in self.by_object if obj.outer)

    def touched(self, written: set[Obj]) -> dict[Obj, list[Touch]]:
        """Return for each object that changes who reads or changes it: (order, node, field, changes)."""
        order = self.analysed.order
        touches: dict[Obj, list[Touch]] = {obj: [] for obj in written}
        for node, found in self.analysed.effects.items() if written else ():
            at = order.get(node, 0)
            for place in found.reads:
                if place.obj is not None:
                    for other in self.read_with(place.obj, place.field, written):
                        touches[other.obj].append((at, node, other.field, False))
            for place in found.writes:
                if place.obj is not None:
                    for obj in (place.obj, *self.aliases(place.obj, written)):
                        touches[obj].append((at, node, place.field, True))
            for obj in found.deep:
                for inner in self.read_inside(obj, written):
                    touches[inner].append((at, node, ANY, False))
        return {obj: sorted(set(found), key=in_order) for obj, found in touches.items()}

    def read_with(self, obj: Obj, field: str, written: set[Obj]) -> list[Read]:
        """Return what of the changing objects a read of one object's field may read."""
        known = self.read_as.get((obj.number, field))
        if known is None:
            known = [Read(other, field) for other in self.aliases(obj, written)]
            if obj in written:
                known.append(Read(obj, field))
            elif may_be_view(obj):
                known += [Read(other, ANY) for other in self.live_reach(obj, written)]
            self.read_as[obj.number, field] = known
        return known

    def read_inside(self, obj: Obj, written: set[Obj]) -> set[Obj]:
        """Return what of the changing objects is read where an object is read with all that it holds."""
        if obj.number not in self.reach:
            self.reach[obj.number] = (set(reachable([obj])) | self.live_reach(obj, written)) & written
        return self.reach[obj.number]

    def aliases(self, obj: Obj, written: Iterable[Obj]) -> list[Obj]:
        """Return the other changed objects that may be the same as an object of the notebook."""
        found = self.alias_of.get(obj)
        if found is None:
            known = obj.outer and not inert(obj)
            found = self.alias_of[obj] = [
                other
                for other in written
                if known and other is not obj and other.outer and may_be_one(obj, other)
                if not self.is_read_around(other, obj)
            ]
        return found

    def is_read_around(self, other: Obj, obj: Obj) -> bool:
        """Tell whether the loop only reads on in an archive, of which an object is a part."""
        return other in obj.owner and self.fields_written.get(other) == {AT}

    def live_reach(self, obj: Obj, written: set[Obj]) -> set[Obj]:
        """Return the changed objects of the notebook that a live object may reach."""
        if not obj.outer:
            inner = [part for part in reachable([obj]) if part.outer and part is not obj]
            return set[Obj]().union(*[self.live_reach(part, written) for part in inner])
        if written is not self.written:
            return self.reach_of(obj, written)
        if obj not in self.reached:
            self.reached[obj] = self.reach_of(obj, written)
        return self.reached[obj]

    def reach_of(self, obj: Obj, written: set[Obj]) -> set[Obj]:
        """Find which of some objects an object of the notebook may reach."""
        found: set[Obj] = set()
        for other in written:
            if other is obj or not other.outer:
                continue
            if not obj.live or not other.live:
                if other.owner and obj in other.owner:
                    found.add(other)
                continue
            plain = all(kind.__module__ in ("builtins", "collections") for kind in other.types or (object,))
            fields = self.fields_written.get(other, {ANY})
            shallow = is_bar(other) or (plain and all(name.startswith("[") for name in fields)) or fields == {AT}
            things = list(other.live)
            if self.read(obj).meets(things if shallow else [], [] if shallow else things):
                found.add(other)
        return found

    def read(self, obj: Obj) -> alias.Read:
        """Return what a live object holds, found once."""
        if obj not in self.read_of:
            namespace = self.analysed.loop.__dict__.get("namespace", {})
            reach = alias.Reach(namespace, step=self.analysed.budget.step)
            self.read_of[obj] = alias.Read(list(obj.live), reach)
        return self.read_of[obj]


def in_order(touch: Touch) -> tuple[int, int, int, bool, str]:
    """Return the place of a touch among others: by order, then by where it stands, changes first."""
    order, node, name, changes = touch
    return order, getattr(node, "lineno", 0), getattr(node, "col_offset", 0), not changes, name


def may_be_one(obj: Obj, other: Obj) -> bool:
    """Tell whether two abstract objects of the notebook may stand for the same live one."""
    if obj.live and other.live:
        if not {id(thing) for thing in obj.live}.isdisjoint(map(id, other.live)):
            return True
        if obj.whole and other.whole:
            return False
        return obj.types is None or other.types is None or not set(obj.types).isdisjoint(other.types)
    return bool(obj.owner & other.owner) or bool({obj} & other.owner) or bool({other} & obj.owner)


def may_be_view(obj: Obj) -> bool:
    """Tell whether an object of the notebook may share its memory with another."""
    kinds = set(map(type, obj.live)) if obj.outer else ()
    return any(kind in VIEWED or kind.__module__.partition(".")[0] in VIEWS for kind in kinds)
