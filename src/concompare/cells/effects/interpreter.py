"""Abstract interpretation of a loop's body: where values come from, and what each part reads and changes.

    body ── statements.py ── expressions.py ── calls/ ┬─ following.py: the user's functions
                │                  │                  ├─ calls/classes.py: objects that are made
            storing.py      operators.py,             └─ calls/installed.py, calls/applying.py: as declared
                            elements.py, attributes.py

Every node of the body itself gets `Effects` of its own; those of a followed function belong to the call. Objects gain
fields and never lose them, so the walk is repeated until nothing new is stored where it was looked up before (at most
ROUNDS times).
"""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from concompare.cells import garbage
from concompare.cells.effects import expressions, operators, sinks, statements, views
from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.calls import callables, naming
from concompare.cells.effects.elements import grouped, walk_over
from concompare.cells.effects.following import ALONE, Contexts, Running
from concompare.cells.effects.kinds import inert, is_drawn, is_of_values, may_hold_objects, type_named
from concompare.cells.effects.live import MISSING, VIEWING, World
from concompare.cells.effects.scopes import Scope
from concompare.cells.effects.storing import assign
from concompare.cells.ir import Analysed, Budget, Doubt, Effects, Loop, Place, TooLong, Why
from concompare.cells.objects import (
    ANY,
    ATOM,
    ATTRS,
    ELEMENT,
    LAZY,
    NAMED,
    OF_OWNER,
    Obj,
    Origin,
    Value,
    all_atoms,
    made_before,
    reachable,
)
from concompare.cells.syntax import names

ROUNDS = 30
MOST = 1000
"""Labels that are looked at."""
HANDLERS = {getattr(ast, name): found for name, found in {**expressions.HANDLERS, **statements.HANDLERS}.items()}


class Recording:
    """A block of code whose effects are noted by themselves; as those of a node of the body, where one is given."""

    __slots__ = ("an", "effects", "kept", "node")

    def __init__(self, an: Interpreter, effects: Effects, node: ast.AST | None = None) -> None:
        self.an, self.effects, self.node = an, effects, node

    def __enter__(self) -> Effects:
        self.kept, self.an.now = self.an.now, self.effects
        return self.effects

    def __exit__(self, *error: object) -> None:
        self.an.now = self.kept
        if self.node is not None and error[0] is None:
            self.an.note(self.node)


class Interpreter:
    """Walks the body of a loop, and what it calls.

    Args:
        world: The notebook.
        budget: What the analysis may do.

    `rows` says whether each iteration's own rows of arrays are told apart, `taken_in` which of prints and log records
    end up in something that the body looks at.
    """

    labels: Mapping[str, list[Any]] = types.MappingProxyType({})
    filled_names: frozenset[str] = frozenset()
    rows = True
    takes = False
    taken_in: frozenset[str] = frozenset()
    items: Any = MISSING

    def __init__(self, world: World, budget: Budget | None = None) -> None:
        self.world = world
        self.budget = budget or Budget()
        self.now = Effects()
        self.nodes: dict[ast.AST, Effects] = {}
        self.values: dict[ast.AST, Value] = {}
        self.order: dict[ast.AST, int] = {}
        self.sites: dict[Any, Obj] = {}
        self.calling: dict[ast.AST, Scope] = {}
        self.texts: dict[ast.AST, dict[str, tuple[int, Any]]] = {}
        self.in_texts: dict[ast.AST, frozenset[str]] = {}
        self.functions: dict[types.FunctionType, tuple[names.FunctionNode, Scope, dict[str, Value]] | None] = {}
        self.special: dict[tuple[tuple[type, ...] | None, str], list[types.FunctionType]] = {}
        self.memo: dict[Any, tuple[Effects, Value]] = {}
        self.open: dict[Any, int] = {}
        self.lowest, self.evaluated = ALONE, 0
        self.running: dict[Any, Running] = {}
        self.returned: dict[Any, Value] = {}
        self.contexts: dict[Any, Contexts] = {}
        self.element = self.raised = self.walked_objects = ATOM
        self.renewed: set[ast.AST] = set()
        self.calling_only: set[ast.AST] = set()
        self.managers: dict[ast.expr, tuple[set[str], set[ast.AST]]] = {}
        self.followed: dict[ast.AST, set[types.FunctionType]] = {}
        self.bindings: dict[str, Value] = {}
        self.plain_classes: dict[type, bool] = {}
        self.plain: dict[tuple[type, ...], bool] = {}
        self.iterators: dict[tuple[type, ...], bool] = {}
        self.changed = self.missed = self.intertwined = self.looking = False
        self.depth = self.inner = self.line = 0
        self.chain: tuple[int, ...] = ()
        self.top: Scope | None = None
        self.assigned = self.visible = frozenset[str]()
        self.given: dict[str, Value] = {}
        self.walking = Effects()
        self.unknowns: dict[str, Obj] = {}
        self.own_index: frozenset[str] = frozenset()
        self.item_texts: dict[str, frozenset[str]] = {}
        self.parts_of: dict[Obj, views.Shared] = {}
        self.asked: dict[Any, set[ast.AST]] = {}
        self.result = Obj(Origin.OUTER, "the result", (list,), whole=False)

    @garbage.later
    def analyse(self, loop: Loop, items: Any = MISSING) -> Analysed:
        """Return the effects of every node of a loop's body.

        Args:
            loop: The loop.
            items: What it walks, evaluated; MISSING where that is not known yet.
        """
        self.items = items
        body = loop.body
        targets = names.stored(loop.target) if loop.target is not None else set()
        self.assigned = frozenset(names.writes(*body) | targets | (names.writes(loop.test) if loop.test else set()))
        self.own_index = frozenset(targets - names.writes(*body))
        self.item_texts = naming.texts_of(loop, items, self.own_index)
        self.labels = naming.labels_of(loop, items, self.own_index)
        self.filled_names = views.filled(body) if self.rows else frozenset()
        self.visible = self.assigned - targets if loop.collects else self.assigned
        exposed = names.flow_of([*([loop.test] if loop.test else []), *body], sure=targets).exposed
        carried = {name for name in self.assigned if name in exposed or name not in targets}
        scope = Scope(local=self.assigned, module=self.world.namespace, body=body)
        self.top = scope
        element = self.element_of(loop, items, scope)
        before = {name: self.started(name) for name in carried}
        self.settle(loop, element, before, exposed.keys())
        while sinks.look_for_sinks(self):
            self.settle(loop, element, before, exposed.keys())
        views.note_views(self, body)
        if loop.filled is not None:
            self.fill(loop.filled)
        shared = {obj for name in exposed if name in carried for obj in before.get(name, ATOM)}
        return self.analysed(loop, scope, shared)

    def analysed(self, loop: Loop, scope: Scope, shared: set[Obj]) -> Analysed:
        """Return what was found; `shared` are the objects that the iterations hand to each other by name."""
        return Analysed(
            loop,
            self.order,
            self.nodes,
            self.values,
            shared,
            self.walked_objects,
            self.walking,
            dict(scope.names),
            self.bindings,
            self.budget,
            self.element,
            self.result,
            frozenset(self.given),
            self.calling_only,
            self.followed,
            self.labels,
            in_texts=self.in_texts,
        )

    def settle(self, loop: Loop, element: Value, before: dict[str, Value], exposed: Set[str]) -> None:
        """Walk the body until another walk would find nothing new.

        Where all that was looked up is tracked, that is when nothing was put where a look-up has missed it; else when
        nothing new is known.

        Args:
            loop: The loop.
            element: What its target is bound to.
            before: What its names stand for when an iteration begins; gains what the body leaves.
            exposed: The names that the body may read before it sets them.
        """
        for _ in range(ROUNDS):
            kept = self.size() if self.intertwined or not self.nodes else -1
            self.walk(loop, element, before, exposed)
            if not self.missed and not (self.intertwined and (self.changed or self.size() != kept)):
                return
        raise TooLong

    def walk(self, loop: Loop, element: Value, before: dict[str, Value], exposed: Set[str]) -> None:
        """Walk the body once; the arguments are those of `settle`."""
        scope = self.top
        assert scope is not None
        self.memo, self.open = {}, {}
        self.changed = self.missed = False
        self.order.clear()
        scope.names = {name: before.get(name, ATOM) for name in self.assigned}
        if loop.test is not None:
            self.value(loop.test, scope)
        if loop.target is not None:
            assign(self, loop.target, element, scope)
        self.block(loop.body, scope)
        for name, known in before.items():
            left = known | scope.names.get(name, ATOM)
            if left != known:
                self.changed = True
                self.missed = self.missed or name in exposed or name in scope.shared
            before[name] = left

    def note(self, node: ast.AST) -> None:
        """Note that a node is evaluated now; parts of inner loops are again, where their turns are walked again."""
        self.evaluated = self.order[node] = self.evaluated + 1

    def throw(self, value: Value) -> None:
        """Note that objects may reach whoever catches an exception: they are it, or it has them."""
        if not value <= self.raised:
            self.raised |= value
            self.changed = self.missed = self.intertwined = True

    def size(self) -> int:
        """Return a number that grows with what is known."""
        found = sum(len(part.reads) + len(part.writes) + len(part.deep) for part in self.nodes.values())
        return found + sum(len(value) + 1 for known in (self.values, self.given) for value in known.values())

    def fill(self, node: ast.expr) -> None:
        """Note that a container takes a value in every iteration."""
        with self.recording(Effects()):
            found = self.value(node, Scope(module=self.world.namespace))
        with self.recording(self.effects_of(node)):
            self.write(found, ELEMENT)
        self.note(node)

    def started(self, name: str) -> Value:
        """Return what a name of the loop stands for before the first iteration."""
        if name not in self.world.namespace:
            return ATOM
        return self.world.outer(self.world.namespace[name], name, route=NAMED)

    def element_of(self, loop: Loop, items: Any, scope: Scope) -> Value:
        """Return what the loop's target is bound to."""
        if loop.items is None:
            return ATOM
        around = Scope(module=self.world.namespace)
        with self.recording(self.walking if loop.early else Effects()):
            found = self.value(loop.items, around)
            if loop.early:
                walk_over(self, found, loop.items)
        if items is not MISSING and type(items) in (list, tuple, dict, set, frozenset, range):
            (holder,) = self.world.outer(items, "the items", Origin.ITEM) or (None,)
            if holder is None:
                return ATOM
            self.walked_objects = frozenset({holder}) if loop.snapshot else found | {holder}
            if loop.snapshot and items:
                return self.copied_group(items)
            if loop.shared:
                return self.tuples_of(items, replace(holder, origin=Origin.OUTER), shared=True)
            return self.tuples_of(items, holder)
        self.walked_objects = found
        if are_labels(items):
            return ATOM
        before = {*made_before(found)}
        with self.recording(self.walking):
            made = self.group_of(items, found) or walk_over(self, found, loop.items)
        made = self.row_read(items) or made
        self.element = made
        for obj in before.intersection(reachable(made)):
            obj.several = True
        for obj in made:
            self.as_item(obj, 3)
        return made

    def walking_of(self, items: ast.expr) -> Effects:
        """Return what it does to find some items and to walk them to their end, before any of that is done."""
        with self.recording(Effects()) as found:
            walk_over(self, self.value(items, Scope(module=self.world.namespace)), items)
        return found

    def group_of(self, items: Any, found: Value) -> Value:
        """Return the pair of a key and a frame that walking groups of a live frame gives; nothing for other items."""
        kind, groups = type_named("pandas.DataFrame"), type_named("pandas.api.typing.DataFrameGroupBy")
        seen = items is MISSING and bool(found) and all(obj.types == (groups,) for obj in found)
        if kind is None or groups is None or not (seen or type(items) is groups):
            return ATOM
        pair = Obj(Origin.MADE, "a pair", (tuple,))
        group = Obj(Origin.OUTER, "a group", (kind,), whole=False, owner=found)
        frames = self.world.outer(items.obj, "the frame") if not seen else grouped(found)
        outer = bool(frames) and all(obj.outer for obj in frames)
        group.of_values = (outer and not any(map(may_hold_objects, frames))) or None
        if group.of_values:
            pair.put("0", ATOM)  # the key, which is not the frame
        pair.put("1", frozenset({group}))
        return frozenset({pair})

    def copied_group(self, groups: list[Any]) -> Value:
        """Return the pair of a key and a group that was copied before the loop began."""
        pair = Obj(Origin.MADE, "a pair", (tuple,))
        group = Obj(Origin.ITEM, "a group", (type(groups[0][1]),), whole=False)
        group.of_values = all(is_of_values(each) for _, each in groups) or None
        pair.put("0", ATOM if group.of_values else frozenset({group}))
        pair.put("1", frozenset({group}))
        return frozenset({pair})

    def row_read(self, items: Any) -> Value:
        """Return the row that a reader of `csv` makes of a line, without a part of the reader; else nothing."""
        kind = {"csv.DictReader": dict, "_csv.reader": list}.get(f"{type(items).__module__}.{type(items).__name__}")
        return frozenset({Obj(Origin.ITEM, "the row", (kind,), whole=False)}) if kind is not None else ATOM

    def as_item(self, obj: Obj, deep: int) -> None:
        """Note that an object is the item, or a part of it."""
        if obj.origin is Origin.OUTER and (obj.owner or not obj.live) and not is_drawn(obj):
            obj.origin = Origin.ITEM
            for part in self.world.parts_met(obj):  # whoever walks the items may have looked into them
                self.as_item(part, deep)
        for held in obj.fields.values() if deep else ():
            for part in held:
                self.as_item(part, deep - 1)

    def row_of(self, rows: list[Any], holder: Obj, deep: int) -> Value:
        """Return what tuples of one length may be, by place, and so the tuples in them."""
        made = Obj(Origin.MADE, "the item", (tuple,))
        for place in range(min(len(rows[0]), 10)):
            parts = [row[place] for row in rows]
            inner = deep and are_rows(parts)
            made.put(
                str(place),
                self.row_of(parts, holder, deep - 1) if inner else self.world.summary(parts, "the item", holder),
            )
        return frozenset({made})

    def tuples_of(self, items: Any, holder: Obj, *, shared: bool = False) -> Value:
        """Return the elements of live items, each item's own but for those that are `shared`.

        Tuples of one length keep what stands at each place.
        """
        parts = list(items)[:1_000_000] if not isinstance(items, range) else []
        if are_rows(parts):
            return self.row_of(parts, holder, 3)
        found = self.world.element_apart(holder)
        for obj in found if not shared else ():
            obj.origin = Origin.ITEM if obj.origin is Origin.OUTER and not is_drawn(obj) else obj.origin
        return found

    def recording(self, effects: Effects) -> Recording:
        """Note what is done inside the block by itself."""
        return Recording(self, effects)

    def effects_of(self, node: ast.AST) -> Effects:
        """Return the effects of a node of the body, none so far where it is met for the first time."""
        found = self.nodes.get(node)
        if found is None:
            found = self.nodes[node] = Effects()
        return found

    def read(self, obj: Obj | None, name: str) -> None:
        """Note that a place is read."""
        self.now.reads.add(Place(obj, name))
        if obj is not None and obj.method in OF_OWNER:
            self.now.reads.update([Place(holder, ANY) for holder in obj.owner])
        if obj is not None and obj.live and type(obj.live[0]) in VIEWING:
            self.now.reads.update([Place(holder, ANY) for holder in self.world.shown_by(obj)])

    def write(self, value: Iterable[Obj], name: str, what: str = "") -> None:
        """Note that a field of objects changes."""
        for obj in value:
            if name == ELEMENT and obj.types and self.of_plain_class(obj.types):  # by its `__dict__`
                self.now.writes.add(Place(obj, ANY))
            self.now.writes.add(Place(obj, name))
            if name == ANY or name.startswith("["):
                self.missed = obj.move() or self.missed
            if obj.method in OF_OWNER:
                self.write(obj.owner, ANY)
            elif obj.owner and obj.origin is not Origin.FUNCTION and not obj.live:
                for holder in obj.owner:  # a part that was not looked at: its holder counts as changed
                    self.now.writes.add(Place(holder, ELEMENT))
                    self.write(holder.owner if holder.method == ATTRS else ATOM, ANY)

    def deep(self, value: Value) -> None:
        """Note that objects are read with all they hold."""
        if value:
            if owners := [obj.owner for obj in value if obj.method in OF_OWNER]:
                value = value.union(*owners)
            if shown := [self.world.shown_by(obj) for obj in value if obj.live and type(obj.live[0]) in VIEWING]:
                value = value.union(*shown)
            self.now.deep.update([obj for obj in value if not (obj.live and inert(obj))])
            operators.looked_at(self, value)

    def doubt(self, why: Why, text: str, remedy: str = "") -> None:
        """Note why this part may not run in workers."""
        found = Doubt(why, self.line, text, remedy)
        if found not in self.now.doubts:
            self.now.doubts += (found,)

    def put(self, holders: Iterable[Obj], name: str, value: Value) -> None:
        """Note that objects may hold a value from now on."""
        for obj in holders:
            if name == ELEMENT and obj.types and self.of_plain_class(obj.types):
                self.put_into(obj, ANY, value)
            if obj.method in OF_OWNER:
                self.put(obj.owner, ANY, value)
            self.put_into(obj, name, value)

    def put_into(self, obj: Obj, name: str, value: Value) -> None:
        """Note that a field of an object may hold a value from now on."""
        is_new, was_missed = obj.put(name, value)
        if is_new:
            self.changed = True
        if was_missed:
            self.missed = True

    def defer(self, obj: Obj, lazy: Effects | None) -> None:
        """Note what an object does once it is walked."""
        self.intertwined = self.intertwined or (LAZY in obj.asked and obj.lazy != lazy)
        obj.lazy = lazy

    def made(self, node: Any, label: str, types: tuple[type, ...] | None = None, key: Any = "") -> Obj:
        """Return the object that is made at a place of the code, always the same one."""
        site = (node, key, self.chain[-3:])
        found = self.sites.get(site)
        if found is None:
            found = self.sites[site] = Obj(Origin.MADE, label, types, depth=self.inner)
        return found

    def value(self, node: ast.AST | None, scope: Scope) -> Value:
        """Follow an expression; returns what it may stand for."""
        if node is None:
            return ATOM
        budget = self.budget
        budget.left = left = budget.left - 1
        if left < 0 or not left & 2047:
            budget.check()
        handler = HANDLERS.get(type(node), follow_parts)
        if scope is not self.top:
            return handler(self, node, scope)
        self.line = getattr(node, "lineno", self.line)
        effects = self.nodes.get(node)
        if effects is None:
            effects = self.nodes[node] = Effects()
        kept, self.now = self.now, effects
        try:
            found = handler(self, node, scope)
        finally:
            self.now = kept
        self.evaluated = self.order[node] = self.evaluated + 1
        held = self.values.get(node)
        self.values[node] = held | found if held else found
        return found

    def parts(self, node: ast.AST, scope: Scope) -> Value:
        """Follow the parts of an expression that makes nothing itself."""
        found = ATOM
        for part in names.children_of(node):
            found |= self.value(part, scope)
        return found

    def of_plain_class(self, kinds: tuple[type, ...]) -> bool:
        """Tell whether an object of some types may be of a plain class of the user's."""
        found = self.plain.get(kinds)
        if found is None:
            found = self.plain[kinds] = any(map(self.is_plain_class, kinds))
        return found

    def is_plain_class(self, kind: type) -> bool:
        """Tell whether a class and all its bases are the user's: its objects hold what is stored into them, no more."""
        if kind not in self.plain_classes:
            bases = [part for part in kind.__mro__ if part is not object and part.__module__ not in ("typing", "abc")]
            self.plain_classes[kind] = self.world.is_user(kind) and all(map(self.world.is_user, bases))
        return self.plain_classes[kind]

    def block(self, statements: Sequence[ast.stmt], scope: Scope) -> None:
        """Follow statements one after the other."""
        for place, statement in enumerate(statements):
            if type(statement) is ast.Expr and is_renewed(statement, statements[place + 1 : place + 2]):
                self.renewed.add(statement.value)
            self.value(statement, scope)

    def at(self, node: ast.AST, scope: Scope) -> Recording:
        """Note what is done inside the block as that of a node of the body."""
        return Recording(self, self.effects_of(node), node) if scope is self.top else Recording(self, self.now)

    def call_value(self, node: ast.AST, value: Value, given: Arguments, what: str) -> Value:
        """Follow a call of whatever a value may be."""
        return callables.call_value(self, node, value, given, what)

    def call_obj(self, node: ast.AST, obj: Obj, given: Arguments, what: str) -> Value:
        """Follow a call of what one abstract object stands for."""
        return callables.call_obj(self, node, obj, given, what)


def follow_parts(an: Interpreter, node: ast.AST, scope: Scope) -> Value:
    """Follow the parts of a node that makes nothing itself."""
    return an.parts(node, scope)


def is_renewed(node: ast.Expr, following: Sequence[ast.stmt]) -> bool:
    """Tell whether a statement yields what a name stands for, and the next one gives the name another value."""
    given = node.value.value if isinstance(node.value, ast.Yield) else None
    if not isinstance(given, ast.Name) or not following or not isinstance(following[0], ast.Assign):
        return False
    return any(isinstance(target, ast.Name) and target.id == given.id for target in following[0].targets)


def are_labels(items: Any) -> bool:
    """Tell whether items are the labels of a frame, of a kind that nobody can change."""
    kind: Any = type_named("pandas.Index")
    return kind is not None and isinstance(items, kind) and len(items) <= MOST and all_atoms([*items])


def are_rows(parts: list[Any]) -> bool:
    """Tell whether all are tuples of one length."""
    return bool(parts) and all(type(part) is tuple for part in parts) and len(set(map(len, parts))) == 1
