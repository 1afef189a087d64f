"""Rules with names: what is no dependence, but forbids the head all the same."""

from __future__ import annotations

import ast
import functools
import sys
import types
from collections.abc import Iterable, Iterator, Mapping

from concompare.cells.distribution.advice import UNDER_WITH
from concompare.cells.distribution.control import Control
from concompare.cells.distribution.handing import (
    NOT_GIVEN_BACK,
    is_bound_to_thread,
    is_file,
    is_uncrossable,
    name_of,
)
from concompare.cells.distribution.nodes import BLOCKS, blocks_of, is_ambient, is_calm_context, operands
from concompare.cells.distribution.raising import meets
from concompare.cells.distribution.staging import Body, Rules
from concompare.cells.distribution.uses import START, is_let_through, turn_of
from concompare.cells.effects.kinds import PLAIN_CONTAINERS
from concompare.cells.ir import Doubt, Effects, Order, Place, Stage, Why
from concompare.cells.objects import ATOM, Obj, Origin, Value, reachable
from concompare.cells.syntax import names
from concompare.cells.syntax.own_code import is_user_module

NEVER = sys.maxsize
"""After everything that an iteration does."""
OPENED = (ast.Tuple, ast.List, ast.Dict, ast.Set, ast.IfExp, ast.BoolOp, ast.Starred, ast.keyword)
"""Expressions whose parts the notebook may put together itself."""
UNDER_TRY = "Leave only the call under the `try`, and put what follows it under `else`"


class NamedRules(Rules):
    """Keep prints, errors and contexts as the plain loop has them.

    `uncrossable` are the names that may stand for what cannot be handed over, and whether the body closes all of that.
    `bound` tells of values whether they keep what only the thread can use that made it.
    """

    def __init__(self, body: Body, control: Control) -> None:
        super().__init__(body)
        self.control = control
        self.raising = body.staged.raising
        self.stored: set[Obj] | None = None
        self.of_turn: dict[tuple[Obj, ast.AST], bool] = {}
        self.bound: dict[Value, bool] = {}
        self.uncrossable: dict[str, bool] = {}
        for name in self.uses.defs:
            inner = list(reachable(self.analysed.bound.get(name, ())))
            if any(map(is_uncrossable, inner)):
                self.uncrossable[name] = all(map(self.is_closed, filter(is_uncrossable, inner)))

    def is_closed(self, obj: Obj) -> bool:
        """Tell whether an object is a file or connection that the body closes, which comes back, or writes to such."""
        kinds = obj.types or ()
        named = set(map(name_of, kinds))
        return named == {"_csv.writer"} or (
            obj in self.closed and (named == {"sqlite3.Connection"} or any(map(is_file, kinds)))
        )

    @functools.cached_property
    def closed(self) -> frozenset[Obj]:
        """The objects that the body closes, by their method or at the end of a `with`."""
        calls = [node.func for node in self.body.nodes_of(ast.Call) if isinstance(node, ast.Call)]
        ends = [func.value for func in calls if isinstance(func, ast.Attribute) and func.attr == "close"]
        ends += [item.context_expr for node in self.body.nodes_of(ast.With) for item in getattr(node, "items", ())]
        return frozenset(obj for node in ends for obj in self.analysed.values.get(node, ()))

    def apply(self) -> None:
        """Apply what is no dependence, but forbids the head all the same."""
        self.output()
        self.uncrossable_names()
        self.bound_to_threads()
        for node in self.body.nodes_of(ast.NamedExpr):
            self.walrus(node)
        for node in self.body.nodes_of(ast.FunctionDef, ast.AsyncFunctionDef):
            self.defaults(node)
        for node in self.body.nodes_of(ast.Try, ast.TryStar):
            self.caught(node)
        for node in self.body.nodes_of(ast.With, ast.AsyncWith):
            self.within(node)
        for node in self.body.nodes_of(ast.Raise):
            if self.staged.of(node) is Stage.TAIL:
                self.control.rest_of(node)

    def uncrossable_names(self) -> None:
        """A name that the notebook gives values too cannot have one there that only the head can make."""
        for name, closed in self.uncrossable.items():
            definitions = self.uses.defs[name]
            held = any(self.staged.of(node) is Stage.TAIL for node in definitions) or definitions & self.staged.both
            if not held and (closed or not self.staged.runs_once()):
                continue
            for node in definitions:
                value = self.body.value_node(node)
                if value is not None and any(map(self.is_kept_here, self.analysed.values.get(value, ()))):
                    self.body.to_tail(value, Doubt(Why.AFTER, self.body.line(value), NOT_GIVEN_BACK))

    def is_kept_here(self, obj: Obj) -> bool:
        """Tell whether an object cannot be handed over, or holds what only the thread can use that made it."""
        return is_uncrossable(obj) or any(map(is_bound_to_thread, reachable([obj])))

    def bound_to_threads(self) -> None:
        """What only the thread can use that made it is made where it is used: in the notebook, if that has it later."""
        stage, tail = self.body.stage, Stage.TAIL
        for node in list(self.analysed.effects):
            for part in operands(node) if stage.get(node) is tail else ():
                if self.staged.of(part) is Stage.HEAD and self.keeps_bound(self.analysed.values.get(part, ATOM)):
                    for value in self.values_of(part):
                        self.body.to_tail(value)

    def keeps_bound(self, value: Value) -> bool:
        """Tell whether objects are such, or surely keep some: containers and objects of the user's classes."""
        if value not in self.bound:
            seen: set[Obj] = set()
            waiting = list(value)
            while waiting and not is_bound_to_thread(waiting[-1]):
                obj = waiting.pop()
                plain = bool(obj.types) and all(map(is_plainly_made, obj.types or ()))
                for name, held in obj.fields.items() if obj not in seen else ():
                    waiting += held if plain or name.isidentifier() else ()
                seen.add(obj)
            self.bound[value] = bool(waiting)
        return self.bound[value]

    def values_of(self, node: ast.AST) -> list[ast.AST]:
        """Return the expressions that an expression has its value from: those of a name, or itself."""
        found: list[ast.AST] = []
        met: set[ast.AST] = set()
        waiting = [node]
        while waiting:
            part = waiting.pop()
            definitions = self.uses.reads.get(part, frozenset()) if isinstance(part, ast.Name) else ()
            values = [self.body.value_node(each) for each in definitions if each is not START]
            given = [value for value in values if value is not None and value not in met]
            met.add(part)
            waiting += given
            found += [] if given else [part]
        return found

    def defaults(self, node: ast.AST) -> None:
        """A function that holds what was made for its defaults is made once: the notebook keeps it."""
        assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        given = [part for part in (*node.args.defaults, *node.args.kw_defaults) if part is not None]
        made = [obj for part in given for obj in self.analysed.values.get(part, ()) if not obj.outer]
        if any(obj.origin is Origin.MADE for obj in made) and not self.loop.collects:
            self.body.to_tail(node)

    def walrus(self, node: ast.AST) -> None:
        """A name that the notebook gives values too, or reads there, gets them there by `:=` in a part of the tail."""
        assert isinstance(node, ast.NamedExpr)
        statement: ast.AST | None = node
        while statement is not None and not isinstance(statement, ast.stmt):
            statement = self.body.parent.get(statement)
        if statement is None or self.staged.of(statement) is not Stage.TAIL:
            return
        definitions = self.uses.defs.get(node.target.id, set())
        given = definitions & self.staged.both or any(self.staged.of(part) is Stage.TAIL for part in definitions)
        read = any(map(self.is_read_in_tail, self.reads_of(node.target, statement)))
        if given or read or self.may_be_missed(node, statement):
            self.body.to_tail(node)
            self.body.to_tail(node.target)

    def may_be_missed(self, node: ast.NamedExpr, statement: ast.AST) -> bool:
        """Tell whether the notebook may raise in a statement before it comes to a `:=` there."""
        order, operand = self.analysed.order, self.operand_around(node)
        inside = set(names.nodes_in(operand))
        at = order.get(node, NEVER)
        return any(
            self.raising.raises(part)
            for part in names.nodes_in(statement)
            if part not in inside and order.get(part, NEVER) < at and self.is_done_in_notebook(part)
        )

    def operand_around(self, node: ast.AST) -> ast.AST:
        """Return the largest expression around a part that the head computes as a whole."""
        found, above = node, self.body.parent.get(node)
        while above is not None and not isinstance(above, ast.stmt) and above not in self.body.holding_tail:
            if not isinstance(above, OPENED):
                found = above
            above = self.body.parent.get(above)
        return found

    def is_done_in_notebook(self, node: ast.AST) -> bool:
        """Tell whether the notebook evaluates a part of a statement of the tail, or may do so to look something up."""
        if isinstance(node, ast.Attribute) and self.is_there(node):
            return False
        return self.staged.of(node) is Stage.TAIL or isinstance(node, (ast.Name, ast.Attribute, ast.Subscript))

    def is_there(self, node: ast.Attribute) -> bool:
        """Tell whether the types of an object have an attribute, whatever the object holds itself."""
        found = self.analysed.values.get(node.value, frozenset())
        return bool(found) and all(obj.types and all(hasattr(kind, node.attr) for kind in obj.types) for obj in found)

    def reads_of(self, definition: ast.AST, statement: ast.AST) -> Iterator[ast.AST]:
        """Yield the parts of a statement that read a name with the value that it is given there."""
        for part in names.nodes_in(statement):
            if definition in self.uses.reads.get(part, frozenset()):
                yield part

    def is_read_in_tail(self, node: ast.AST) -> bool:
        """Tell whether the tail reads a name."""
        above = self.body.parent.get(node)
        return self.staged.of(node) is Stage.TAIL or (above is not None and self.staged.of(above) is Stage.TAIL)

    def output(self) -> None:
        """A print comes after what the tail did before it, unless that cannot raise."""
        order = self.analysed.order
        holding = self.body.holding_tail
        done = [part for statement in self.loop.body if statement in holding for part in self.done_in_tail(statement)]
        tail = {node: order[node] for node in done if node in order and not self.raising.calm(node)}
        if not tail:
            return
        around = {loop for node in tail for loop in self.body.loops.get(node, ())}
        held, handed = self.held_from(), self.handed_from()
        leaving = {node: block for node in tail if (block := self.left_from(node)) is not None}
        for node, found in self.analysed.effects.items():
            before = self.tail_before(node, tail, leaving) if leaving else tail
            if before and self.comes_after(node, found, before, around, held, handed):
                self.body.to_tail(
                    node,
                    Doubt(Why.ORDER, self.body.line(node), "follows a step that stays in the notebook and may raise"),
                )

    def left_from(self, node: ast.AST) -> list[ast.stmt] | None:
        """Return the innermost block of an `if` around a step of the tail that ends the item: no more follows."""
        above = self.body.parent.get(node)
        while above is not None and (isinstance(above, ast.If) or not isinstance(above, BLOCKS)):
            for block in blocks_of(above) if isinstance(above, ast.If) and not self.body.loops.get(above) else ():
                if node in block and isinstance(block[-1], (ast.Break, ast.Continue)):
                    return block
            node, above = above, self.body.parent.get(above)
        return None

    def tail_before(
        self, node: ast.AST, tail: Mapping[ast.AST, int], leaving: Mapping[ast.AST, list[ast.stmt]]
    ) -> Mapping[ast.AST, int]:
        """Return the steps of the tail that may come before a part in one item."""
        around = set(self.ancestors(node))
        return {part: at for part, at in tail.items() if part not in leaving or not around.isdisjoint(leaving[part])}

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield a node and what is around it."""
        above: ast.AST | None = node
        while above is not None:
            yield above
            above = self.body.parent.get(above)

    def comes_after(
        self,
        node: ast.AST,
        found: Effects,
        tail: Mapping[ast.AST, int],
        around: set[ast.AST],
        held: Mapping[Obj, int],
        handed: Mapping[Obj, int],
    ) -> bool:
        """Tell whether it would be seen that a part was done, although a step of the tail before it raised."""
        at, above = self.analysed.order.get(node, 0), self.body.parent.get(node)
        again = above in around and node is getattr(above, "iter", None)
        turning = [loop for loop in self.body.loops.get(node, ()) if loop in around]
        if Order.OUTPUT in found.order:
            return bool(turning) or again or at > min(tail.values())
        for place in found.writes:
            turns = bool(turning) and not self.is_of_turn(place.obj, turning[-1])
            since = min(self.told_after(place, held, tail), self.seen_after(place, {} if turns else handed, tail))
            if at > since or (since < NEVER and (again or turns)):
                return True
        return False

    def is_of_turn(self, obj: Obj | None, loop: ast.AST) -> bool:
        """Tell whether the head of one turn of an inner loop only comes to objects of a kind that the turn has made."""
        if obj is None or obj.origin is not Origin.MADE or obj.of_items or obj.again:
            return False
        if (obj, loop) not in self.of_turn:
            before = {part for value in self.values_before(loop) for part in reachable(value)}
            self.of_turn[obj, loop] = obj not in before and all(part.origin is not Origin.FUNCTION for part in before)
        return self.of_turn[obj, loop]

    def values_before(self, loop: ast.AST) -> Iterator[Value]:
        """Yield what the head of one turn of an inner loop may have from before it."""
        if not isinstance(loop, (ast.For, ast.AsyncFor, ast.While)):
            yield from self.analysed.values.values()
            return
        if not isinstance(loop, ast.While):
            yield self.analysed.values.get(loop.iter, ATOM)
        for node, found in turn_of(loop, self.body.assigned, self.analysed.budget).reads.items():
            if START in found and self.staged.of(node) is Stage.HEAD:
                for name in read_by(node):
                    yield frozenset(self.analysed.bound.get(name, ()))

    def told_after(self, place: Place, held: Mapping[Obj, int], tail: Mapping[ast.AST, int]) -> int:
        """Return from when on a change would be seen if a step of the tail raised: its object has a name there."""
        if place.obj is None or place.obj not in held:
            return NEVER
        return min((at for at in tail.values() if at >= held[place.obj]), default=NEVER)

    def seen_after(self, place: Place, handed: Mapping[Obj, int], tail: Mapping[ast.AST, int]) -> int:
        """Return from when on a change would be seen if a step of the tail raised: its object is stored by then."""
        if place.obj is None or not self.is_seen(place.obj):
            return NEVER
        begun = handed.get(place.obj, 0) if place.obj.origin is Origin.MADE else 0
        return min((at for at in tail.values() if at >= begun), default=NEVER)

    def handed_from(self) -> dict[Obj, int]:
        """Return the objects that the head hands to the tail, and since when."""
        since: dict[Value, int] = {}
        for node in self.analysed.effects:
            at = self.analysed.order.get(node, 0)
            for part in operands(node) if self.staged.of(node) is Stage.TAIL else ():
                value = self.analysed.values.get(part, ATOM)
                since[value] = min(since.get(value, at), at)
        found: dict[Obj, int] = {}
        for value, at in since.items():
            for obj in reachable(value):
                found[obj] = min(found.get(obj, at), at)
        return found

    def held_from(self) -> dict[Obj, int]:
        """Return the objects that have names of the notebook while the tail runs, and since when."""
        given = {
            obj
            for node in self.analysed.effects
            if self.staged.of(node) is Stage.TAIL
            for part in operands(node)
            if self.staged.of(part) is Stage.HEAD
            for obj in self.analysed.values.get(part, ())
        }
        handed = set(reachable(given))
        found: dict[Obj, int] = {}
        for name, definitions in self.uses.defs.items():
            objects = set(reachable(self.analysed.bound.get(name, ())))
            if self.loop.collects or not (any(map(self.is_held, definitions)) or objects & handed):
                continue
            for node in definitions:
                value, at = self.body.value_node(node), self.analysed.order.get(node, 0)
                walked = value is None or isinstance(self.body.parent.get(value), (ast.For, ast.AsyncFor))
                for obj in objects if value is None or walked else reachable(self.analysed.values.get(value, ())):
                    if not obj.outer:
                        found[obj] = min(found.get(obj, at), at)
        return found

    def is_held(self, definition: ast.AST) -> bool:
        """Tell whether the notebook gives a name this value too, while the tail runs."""
        if self.staged.of(definition) is Stage.TAIL or definition in self.staged.both or self.staged.runs_once():
            return True  # a head that runs once cannot say again what a name had when the tail raised
        value = self.body.value_node(definition)
        objects = self.analysed.values.get(value, ()) if value is not None else ()
        return any(obj.origin in (Origin.OUTER, Origin.FUNCTION) for obj in objects)

    def caught(self, node: ast.AST) -> None:
        """A step of the tail under `try` must not raise what would be caught there."""
        assert isinstance(node, (ast.Try, ast.TryStar))
        last = bool(node.finalbody)
        if not (node.handlers or last) or self.staged.stage.get(node) is Stage.TAIL:
            return
        catches = (
            (BaseException,)
            if last
            else tuple(kind for handler in node.handlers for kind in self.raising.kinds(handler.type))
        )
        for statement in node.body:
            for part in self.done_in_tail(statement):
                if meets(self.raising.raises(part), catches):
                    text = "is under a `try` together with a step that stays in the notebook and may raise"
                    self.control.whole(node, why=Doubt(Why.CONTEXT, self.body.line(node), text, UNDER_TRY))
                    return

    def within(self, node: ast.AST) -> None:
        """A step of the tail under `with` must not depend on the context, nor be swallowed by it."""
        assert isinstance(node, (ast.With, ast.AsyncWith))
        if self.staged.stage.get(node) is Stage.TAIL or not any(map(self.may_matter, node.items)):
            return
        for statement in node.body:
            for part in self.done_in_tail(statement):
                if not self.raising.calm(part):
                    context = ", ".join(ast.unparse(item.context_expr) for item in node.items)
                    text = f"is under `with {context}` together with a step that stays in the notebook"
                    self.control.whole(node, why=Doubt(Why.CONTEXT, self.body.line(node), text, UNDER_WITH))
                    return

    def may_matter(self, item: ast.withitem) -> bool:
        """Tell whether a context changes what its block does, or sees or swallows what is raised there."""
        found = self.analysed.values.get(item.context_expr, frozenset())
        known = bool(found) and all(
            obj.types and not any(kind is types.GeneratorType or is_user_module(kind.__module__) for kind in obj.types)
            for obj in found
        )
        passes = known or is_let_through(item.context_expr)
        return is_ambient(item.context_expr) or not passes or not is_calm_context(item, self.analysed)

    def is_seen(self, obj: Obj) -> bool:
        """Tell whether what the head does to an object is seen when the tail fails: to items, or to what is stored."""
        if self.stored is None:
            holders = {place.obj for found in self.analysed.effects.values() for place in found.writes if place.obj}
            held = [part for one in holders if one.outer for parts in one.fields.values() for part in parts]
            self.stored = {part for part in reachable(held) if not part.outer}
        return (obj.of_items and self.staged.items_change) or obj in self.stored

    def done_in_tail(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the parts of a node that the tail evaluates: its own, and what these only look up."""
        stage, tail = self.body.stage, Stage.TAIL
        for part in names.nodes_in(node):
            if stage.get(part) is not tail:
                continue
            yield part
            for operand in operands(part):
                found = self.analysed.values.get(operand, frozenset())
                looked_up = isinstance(operand, (ast.Attribute, ast.Subscript)) and any(obj.outer for obj in found)
                method = isinstance(part, ast.Call) and operand is part.func
                if (
                    self.staged.of(operand) is Stage.HEAD
                    and not method
                    and (looked_up or isinstance(operand, ast.Name))
                ):
                    yield from names.nodes_in(operand)


def read_by(node: ast.AST) -> Iterable[str]:
    """Return the names that a node reads by itself: a function those that it takes from outside."""
    if isinstance(node, names.FUNCTIONS):
        return names.free_names(node)
    named = node.target if isinstance(node, ast.AugAssign) else node
    return (named.id,) if isinstance(named, ast.Name) else ()


def is_plainly_made(kind: type) -> bool:
    """Tell whether objects of a type hold what was put into them, and no more."""
    return kind in PLAIN_CONTAINERS or is_user_module(kind.__module__)
