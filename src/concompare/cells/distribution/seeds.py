"""Parts that are in the tail by themselves: changes of the notebook's objects, and steps that need an order."""

from __future__ import annotations

import ast

from concompare.cells.distribution.staging import Body, Rules
from concompare.cells.distribution.touches import Touch, Touches
from concompare.cells.ir import Doubt, Effects, Order, Place, Why
from concompare.cells.objects import Obj, Origin
from concompare.cells.syntax import names

FATAL = {Why.OPAQUE, Why.FORBIDDEN, Why.FUNCTION}
ORDERED = (Order.RANDOM, Order.INPUT, Order.ONE_FILE)


class Seeds(Rules):
    """Puts into the tail what needs no other part to be there."""

    def __init__(self, body: Body, touches: Touches) -> None:
        super().__init__(body)
        self.touches = touches

    def refuse_fatal(self) -> None:
        """Note what forbids workers wherever it stands."""
        for found in self.analysed.effects.values():
            self.staged.reasons += [doubt for doubt in found.doubts if doubt.why in FATAL]

    def seed(self) -> None:
        """Put into the tail what changes objects of the notebook, or needs an order that workers lack."""
        self.seed_nodes()
        for obj, touches in self.touches.by_object.items():
            self.seed_object(obj, touches)
        self.seed_sums()
        for name in self.body.assigned:
            if self.uses.exposed(name) or name in self.analysed.given:
                self.staged.both |= self.uses.defs.get(name, set())

    def seed_sums(self) -> None:
        """Put into the tail as a whole what adds to a name that a called function gives values: it is read first."""
        for node in self.body.nodes_of(ast.AugAssign):
            if self.analysed.given & {getattr(node.target, "id", "")}:  # type: ignore[attr-defined]
                for part in names.nodes_in(node):
                    self.body.to_tail(part)

    def seed_nodes(self) -> None:
        """Put into the tail what each node asks for by itself."""
        for node, found in self.analysed.effects.items():
            for doubt in found.doubts:
                if doubt.why is Why.ALIAS:
                    self.body.to_tail(node, doubt)
            for order in sorted(found.order) if found.order else ():
                if order in ORDERED and not (order is Order.RANDOM and self.body.seeded):
                    self.body.to_tail(node, self.reason_of_order(order, node, found))
            self.globals_of(node, found)

    def seed_object(self, obj: Obj, touches: list[Touch]) -> None:
        """Put into the tail what changes one object, by where the object comes from."""
        if obj.origin is Origin.FUNCTION:
            for _, node, _, writes in touches:
                if writes:
                    self.body.to_tail(node)
        elif obj.origin is Origin.MADE:
            if obj in self.analysed.shared:
                self.carried_object(obj, touches)
        elif obj.origin is Origin.ITEM:
            self.staged.items_change = True
        else:
            self.outer_object(obj, touches)

    def carried_object(self, obj: Obj, touches: list[Touch]) -> None:
        """An object that one iteration hands to the next changes in the notebook only."""
        for _, node, _, writes in touches:
            if writes:
                text = f"changes {obj.label}, which the item before made"
                self.body.to_tail(node, Doubt(Why.CARRIED, self.body.line(node), text, about=obj))

    def outer_object(self, obj: Obj, touches: list[Touch]) -> None:
        """Changes of the notebook's objects, and what reads them, keep the plain loop's order."""
        effects = self.analysed.effects
        if self.body.seeded and all(Order.RANDOM in effects[node].order for _, node, _, writes in touches if writes):
            return  # each item draws from a stream of its own
        fields = {name for _, _, name, _ in touches}
        own = len(fields) == 1 and next(iter(fields)).startswith("[") and next(iter(fields)) != "[]"
        if own:
            self.staged.own_index[obj] = next(iter(fields))[1:-1]
        others = [node for _, node, _, _ in touches if node is not self.loop.filled]
        if others and any(node is self.loop.filled for _, node, _, _ in touches):
            text = f"uses {obj.shown}, which takes the values one by one"
            self.staged.reasons.append(
                Doubt(Why.FORBIDDEN, self.body.line(others[0]), text, "Make a list of them first")
            )
        written = {name for _, _, name, writes in touches if writes}
        for _, node, name, writes in touches:
            meets = any(Place(obj, name).meets(Place(obj, other)) for other in written)
            if writes:
                self.body.to_tail(node, Doubt(Why.CHANGES, self.body.line(node), f"changes {obj.shown}", about=obj))
            elif meets and not own:
                text = f"reads {obj.shown}, which the loop changes"
                self.body.to_tail(node, Doubt(Why.CARRIED, self.body.line(node), text, about=obj))

    def reason_of_order(self, order: Order, node: ast.AST, found: Effects) -> Doubt:
        """Return why something that needs an order stays in the notebook."""
        what = f"`{found.called[0]}` " if found.called else ""
        if order is Order.RANDOM:
            text = f"{what}draws from random numbers that all items share, so the results depend on the order"
            return Doubt(Why.RANDOM, self.body.line(node), text, "Use --seed N, or make a generator inside the loop")
        if order is Order.ONE_FILE:
            text = f"{what}writes to one file in all items, so what stands in it depends on the order"
            return Doubt(
                Why.ORDER, self.body.line(node), text, "Return what is to be written, and write it in the loop"
            )
        words = {Order.INPUT: "asks for input", Order.PROCESS: "changes the whole process", Order.LOG: "logs"}
        return Doubt(Why.ORDER, self.body.line(node), f"{what}{words.get(order, 'needs the order of the plain loop')}")

    def globals_of(self, node: ast.AST, found: Effects) -> None:
        """A function that reads a name of the notebook which the loop assigns is called in the notebook."""
        given = {place.field for place in found.writes if place.obj is None} if found.writes else set()
        if given:
            given &= found.globals | self.declared(node, given)
        for place in found.writes if given else ():
            if place.obj is None and place.field in given:
                text = f"gives the name '{place.field}' a value"
                self.body.to_tail(node, Doubt(Why.CHANGES, self.body.line(node), text, about=place.field))
        for name in sorted(found.globals & self.body.visible) if found.globals else ():
            text = f"reads the name '{name}', which the loop gives values"
            why = Doubt(Why.CARRIED, self.body.line(node), text, "Hand it to the function as an argument")
            self.body.to_tail(node, why)
            for definition in self.uses.defs.get(name, ()):
                self.staged.both.add(definition)
        if self.analysed.reads_given(found):
            text = "reads a name that a function which the loop calls gives values"
            self.body.to_tail(node, Doubt(Why.CARRIED, self.body.line(node), text))

    def declared(self, node: ast.AST, found: set[str]) -> set[str]:
        """Return the names among those that a part gives values to which what it calls does: they are no targets."""
        return found if isinstance(node, ast.Call) else found & self.analysed.given - {getattr(node, "id", "")}
