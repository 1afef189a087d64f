"""Dependences through names and objects: what uses something that the tail makes or changes is in the tail too."""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable, Iterator

from concompare.cells.distribution.handing import NOT_GIVEN_BACK, is_uncrossable
from concompare.cells.distribution.nodes import asked_in, is_cheap, operands
from concompare.cells.distribution.staging import Body, Rules
from concompare.cells.distribution.touches import Touch, Touches
from concompare.cells.distribution.uses import START, Definitions
from concompare.cells.effects.arguments import Partial
from concompare.cells.ir import Doubt, Place, Stage, Why
from concompare.cells.objects import Obj, Origin, reachable
from concompare.cells.syntax import names


def sees_loop(obj: Obj) -> bool:
    """Tell whether a function that an iteration makes sees the names of the loop's body itself."""
    if isinstance(obj.code, Partial):
        return any(map(sees_loop, obj.code.function | obj.code.given.all))
    scope = obj.code[1] if isinstance(obj.code, tuple) else None
    while scope is not None and scope.where:
        scope = scope.outer
    return scope is not None


class Dependences(Rules):
    """Follows names, objects and operands."""

    def __init__(self, body: Body, touches: Touches) -> None:
        super().__init__(body)
        self.touches = touches
        self.asked = {part for node in body.nodes_of(ast.If) for part in asked_in(node.test)}  # type: ignore[attr-defined]
        self.makers: dict[ast.AST, tuple[ast.AST, ...]] = {}
        self.deleting = {node for node in body.nodes_of(ast.Name) if isinstance(node.ctx, ast.Del)}  # type: ignore[attr-defined]
        collects = body.loop.collects
        self.of_functions = {node for node in body.nodes_of(ast.Assign) if not collects and self.holds_functions(node)}
        self.demands: dict[ast.AST, list[tuple[ast.AST, list[ast.AST], Doubt]]] = {}

    def through_names(self) -> None:
        """What reads a name whose value comes from the tail is in the tail; so is what an iteration hands on."""
        stage = self.body.stage
        for node, found in self.uses.reads.items():
            if stage.get(node) is Stage.TAIL:
                self.looked_up_in_notebook(node, found)
                continue
            name = getattr(node, "id", None)
            if not self.deleting.isdisjoint(found):
                self.body.to_tail(
                    node, Doubt(Why.CARRIED, self.body.line(node), "reads a name that may have been deleted")
                )
            elif START in found and name is not None and name in self.uses.defs and self.is_carried(name):
                text = f"needs '{name}' from the item before"
                self.body.to_tail(node, Doubt(Why.CARRIED, self.body.line(node), text, about=name))
            elif START in found and name is None and any(self.is_carried(word) for word in self.free(node)):
                self.body.to_tail(node)
            elif any(stage.get(part) is Stage.TAIL for definition in found for part in self.makers_of(definition)):
                text = f"needs '{name}', whose value is computed in the notebook" if name is not None else ""
                why = Doubt(Why.AFTER, self.body.line(node), text, about=name)
                self.body.to_tail(node, why if name is not None else None)

    def looked_up_in_notebook(self, node: ast.AST, found: Definitions) -> None:
        """The notebook has the names that a text has there, where the call is made in the notebook."""
        if node in self.analysed.in_texts and not found - {START} <= self.staged.both:
            self.staged.both |= found - {START}
            self.body.changed = True

    def free(self, node: ast.AST) -> set[str]:
        """Return the names that a node reads without naming them: those of a function, of `x += …`, in a text."""
        if isinstance(node, ast.Call):
            return set(self.analysed.in_texts.get(node, ()))
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            return {node.target.id}
        return set(names.free_names(node)) if isinstance(node, names.FUNCTIONS) else set()

    def is_carried(self, name: str) -> bool:
        """Tell whether an assignment of the body may be what the next iteration reads."""
        return bool(self.uses.defs.get(name))

    def makers_of(self, definition: ast.AST) -> tuple[ast.AST, ...]:
        """Return the parts of which one in the tail puts the value of an assignment there, found once."""
        if definition not in self.makers:
            self.makers[definition] = self.found_makers(definition) if definition is not START else ()
        return self.makers[definition]

    def found_makers(self, definition: ast.AST) -> tuple[ast.AST, ...]:
        """Find the parts that make the value of an assignment."""
        node: ast.AST | None = definition
        while node is not None:
            above = self.body.parent.get(node)
            if isinstance(above, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
                return (above, above.value) if above.value is not None else (above,)
            if isinstance(above, ast.AugAssign):
                return (above,)
            if isinstance(above, (ast.For, ast.AsyncFor)) and node is above.target:
                return (above.iter,)
            if isinstance(above, ast.withitem):
                return (above.context_expr,)
            if isinstance(node, (ast.stmt, ast.ExceptHandler)):
                return (node,)
            node = above
        return ()

    def through_objects(self) -> None:
        """What comes after a part of the tail that touches the same object, if one of them changes it, is there too."""
        for obj, touches in self.touches.by_object.items():
            if obj.origin is Origin.OUTER and obj not in self.staged.own_index:
                continue  # `outer_object` has put all that matters into the tail
            done = [touch for touch in touches if self.staged.of(touch[1]) is Stage.TAIL]
            if not done:
                continue
            for at, later, name, changes in touches:
                if self.staged.of(later) is not Stage.TAIL and any(
                    self.is_before(touch, at, later, name, changes, obj) for touch in done
                ):
                    text = f"comes after {obj.shown} is used in the notebook"
                    self.body.to_tail(later, Doubt(Why.AFTER, self.body.line(later), text))

    def is_before(self, touch: Touch, at: int, later: ast.AST, name: str, changes: bool, obj: Obj) -> bool:
        """Tell whether a part of the tail must be done before another part that touches the same object."""
        self.analysed.budget.step()
        order, node, other, writes = touch
        if not (writes or changes) or not Place(obj, name).meets(Place(obj, other)) or self.body.is_inside(node, later):
            return False
        return order < at or self.around_again(obj, node, later)

    def around_again(self, obj: Obj, node: ast.AST, other: ast.AST) -> bool:
        """Tell whether both stand in an inner loop that the object lives longer than one turn of."""
        common = 0
        for one, two in zip(self.body.loops.get(node, ()), self.body.loops.get(other, ()), strict=False):
            if one is not two:
                break
            common += 1
        return common > obj.depth

    def through_operands(self) -> None:
        """What cannot be handed over, or has to be the notebook's own object, is made where it is used."""
        stage, of_functions = self.body.stage, self.of_functions
        for node in self.body.nodes:
            if node in of_functions:
                assert isinstance(node, ast.Assign)
                text = "makes functions that see the loop's names"
                self.body.to_tail(node.value, Doubt(Why.FUNCTION, self.body.line(node), text))
            if stage.get(node) is Stage.TAIL:
                self.operands_of(node)

    def holds_functions(self, node: ast.AST) -> bool:
        """Tell whether an assignment names a container of functions that see the loop's names."""
        assert isinstance(node, ast.Assign)
        found = self.analysed.values.get(node.value, frozenset())
        inner = {obj for obj in reachable(found) if obj.origin is Origin.FUNCTION}
        return any(map(sees_loop, inner - found))

    def operands_of(self, node: ast.AST) -> None:
        """Look at what one part of the tail uses."""
        if node not in self.demands:
            self.demands[node] = list(self.found_demands(node))
        for part, makers, why in self.demands[node]:
            if self.body.stage.get(part) is not Stage.TAIL:
                for maker in makers:
                    self.body.to_tail(maker, why)

    def found_demands(self, node: ast.AST) -> Iterator[tuple[ast.AST, list[ast.AST], Doubt]]:
        """Yield what a part of the tail uses that cannot come from the head, with what has to be in the tail for it."""
        used = list(operands(node))
        for part in [inner for operand in used for inner in (operand, root_of(operand))]:
            if part in self.asked:
                continue
            found = self.analysed.values.get(part, frozenset())
            changing = bool(found) and any(map(self.is_changing, found))
            why = self.why_not_from_head(node, part, found, changing=changing, used=part in used)
            if why is None:
                continue
            if not isinstance(part, ast.Name):
                yield part, [part], why
                continue
            values = map(self.body.value_node, self.uses.reads.get(part, frozenset()) - {START})
            makers = [value for value in values if value is not None and not (changing and self.is_lookup(value))]
            yield part, makers, why

    def why_not_from_head(
        self, node: ast.AST, part: ast.expr, found: frozenset[Obj], *, changing: bool, used: bool
    ) -> Doubt | None:
        """Return why what a part of the tail uses cannot come from the head, or None."""
        line = self.body.line(part)
        if used and any(is_uncrossable(obj) for obj in found):
            return Doubt(Why.AFTER, line, NOT_GIVEN_BACK)
        if isinstance(node, ast.Call) and part is node.func and any(map(is_of_notebook, reachable(found))):
            return Doubt(Why.AFTER, line, "is a function of the notebook, which workers copy")
        if self.holds_changing(found):
            return Doubt(Why.CHANGES, line, "holds an object of the notebook that the loop changes")
        if changing and (not self.is_lookup(part) or self.is_in_made(part)):
            return Doubt(Why.CHANGES, line, "gives an object of the notebook that the loop changes")
        return None

    def is_in_made(self, node: ast.expr) -> bool:
        """Tell whether an expression looks something up in an object that the iteration has made, as in its class."""
        found = self.analysed.values.get(root_of(node), frozenset()) if not isinstance(node, ast.Name) else frozenset()
        return any(not obj.outer for obj in found)

    def is_changing(self, obj: Obj) -> bool:
        """Tell whether an object of the notebook is one that the loop changes, maybe under another name."""
        if self.comes_back(obj):
            return any(not self.comes_back(other) for other in self.touches.aliases(obj, self.touches.changing))
        return obj in self.touches.changing or bool(self.touches.aliases(obj, self.touches.changing))

    def comes_back(self, obj: Obj) -> bool:
        """Tell whether an object is of the item, which comes back changed with what the head gives of it."""
        return obj.origin is Origin.ITEM and self.staged.items_change

    def holds_changing(self, found: Iterable[Obj]) -> bool:
        """Tell whether an object that the iteration made holds one of the notebook that the loop changes."""
        return any(
            inner in self.touches.changing and not self.comes_back(inner)
            for obj in found
            if not obj.outer
            for inner in reachable([obj])
            if inner.outer
        )

    def is_lookup(self, node: ast.AST) -> bool:
        """Tell whether an expression does no more than look something up, so that the notebook may do it again."""
        if isinstance(node, ast.Name):
            return not self.uses.reads.get(node, frozenset()) - {START} or isinstance(
                self.body.parent.get(node), ast.Name
            )
        return is_cheap(node, self.analysed)


def is_of_notebook(obj: Obj) -> bool:
    """Tell whether an object is a function of the notebook, of which workers have a copy with its own names."""
    if isinstance(obj.code, Partial):
        return any(map(is_of_notebook, obj.code.function))
    return any(isinstance(thing, types.FunctionType) and thing.__module__ == "__main__" for thing in obj.live)


def root_of(node: ast.expr) -> ast.expr:
    """Return what an expression looks something up in, or the expression itself."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node
