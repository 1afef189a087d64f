"""Calls of the tail that workers make before it is known whether they are needed: speculation.

A block that stays in the notebook decides whether its calls are made. Where a call itself depends on nothing that
stays there and changes nothing, a worker can make it all the same: the head hands over what it gave, and the tail
takes that where it comes to the call. A call that raised, or was made with other arguments, is made in the notebook.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from concompare.cells.distribution.handing import is_uncrossable
from concompare.cells.distribution.nodes import BLOCKS, blocks_of, is_calm_context, is_scoped_context, own_jumps
from concompare.cells.distribution.staging import Early, Staged
from concompare.cells.distribution.touches import Touches
from concompare.cells.distribution.uses import START
from concompare.cells.effects.live import MISSING, static
from concompare.cells.ir import CHANGING_FILES, TAPE, Effects, Order, Place, Stage
from concompare.cells.objects import Obj, Origin, reachable
from concompare.cells.syntax import names

COUNTED = frozenset({list, tuple, range, dict, set, frozenset, str, bytes})
"""What can be walked to its end whatever it holds."""
TIED = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Starred)
APART = (*names.FUNCTIONS, ast.ClassDef, ast.While, ast.AsyncFor, ast.AsyncWith)
"""What a call inside is not made in its turn, or nobody knows how often."""
SETTLED = frozenset({"process", "environment"})
"""What code may see that is as the notebook has it, in workers too, while nothing changes it."""


@dataclass
class Group:
    """Statements that are one action of the tail.

    Attributes:
        inside: All their parts.
    """

    statements: Sequence[ast.stmt]
    inside: set[ast.AST] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.inside = {part for statement in self.statements for part in names.nodes_in(statement)}

    def skips_before(self, statement: Any) -> bool:
        """Tell whether the item may end before a statement, and the loop go on."""
        before = self.statements[: self.statements.index(statement)]
        jumps = [jump for part in before for jump in own_jumps(part)]
        return any(isinstance(jump, ast.Continue) for jump in jumps)


class Speculation:
    """Finds the calls of one body that workers make early.

    Args:
        staged: The stages of the body.
    """

    def __init__(self, staged: Staged) -> None:
        self.staged, self.uses, self.analysed = staged, staged.uses, staged.analysed
        loop = self.analysed.loop
        inside = names.writes(*loop.body)
        target = names.stored(loop.target) if loop.target is not None and not loop.collects else set()
        self.visible = inside | target | self.analysed.given
        self.parent = {
            part: node
            for statement in loop.body
            for node in names.nodes_in(statement)
            for part in names.children_of(node)
        }
        self.changes = Touches(self.analysed).by_object
        self.touched: dict[ast.AST, set[Obj]] = {}
        for obj, touches in self.changes.items():
            for _, node, _, _ in touches:
                self.touched.setdefault(node, set()).add(obj)

    def find(self) -> None:
        """Note the calls with the stages of the body."""
        for statements in self.groups(self.analysed.loop.body):
            group = Group(statements)
            for statement in statements:
                self.search(statement, group)

    def groups(self, block: Sequence[ast.stmt]) -> Iterator[Sequence[ast.stmt]]:
        """Yield the statements that are one action together."""
        for place, statement in enumerate(block):
            if not isinstance(statement, BLOCKS):
                if any(self.staged.of(part) is Stage.TAIL for part in names.nodes_in(statement)):
                    yield [statement]
            elif self.staged.of(statement) is not Stage.TAIL:
                for inner in inner_blocks(statement):
                    yield from self.groups(inner)
            elif any(True for _ in own_jumps(statement)):
                yield block[place:]
                return
            else:
                yield [statement]

    def search(self, node: ast.AST, group: Group) -> None:
        """Note the outermost calls in a part of the tail that a worker can make."""
        self.analysed.budget.step()
        if isinstance(node, APART):
            return
        if isinstance(node, ast.Call) and self.staged.of(node) is Stage.TAIL:
            early = self.early(node, group)
            if early is not None and (early.sure or not self.analysed.loop.certain):
                self.staged.early[node] = early
                return
        for part in names.children_of(node):
            self.search(part, group)

    def early(self, call: ast.Call, group: Group) -> Early | None:
        """Return how a worker makes a call, or None where it must not."""
        effects = self.analysed.inside([call])
        under = self.settings_around(call)
        if not effects.heavy or not self.is_undisturbed(effects, under or []) or under is None:
            return None
        found = self.around(call, group)
        if found is None or (effects.trusted and not found.sure):
            return None
        if not self.is_free(call, group, found) or not self.is_fresh(call):
            return None
        if found.targets:
            read = {part.id for part in names.nodes_in(call.func) if isinstance(part, ast.Name)}
            if not isinstance(call.func, ast.Name) or read & {name for part in found.targets for name in part}:
                return None
        found.under = [item.context_expr for item in under]
        return found

    def around(self, call: ast.Call, group: Group) -> Early | None:
        """Return the loops around a call inside an action that a worker can walk, and the conditions it can ask."""
        found = Early(call)
        node: ast.AST = call
        above = self.parent.get(call)
        steps: list[tuple[ast.AST, ast.AST]] = []
        while above is not None and above in group.inside:
            steps.append((above, node))
            node, above = above, self.parent.get(above)
        found.sure = not group.skips_before(node)
        found.inner = any(isinstance(part, (ast.For, ast.While)) for part in self.above(call))
        for holder, part in reversed(steps):
            if isinstance(holder, APART) or not self.enter(holder, part, group, found):
                return None
        return found

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what is around a part of the body."""
        around = self.parent.get(node)
        while around is not None:
            yield around
            around = self.parent.get(around)

    def is_undisturbed(self, effects: Effects, under: Sequence[ast.withitem]) -> bool:
        """Tell whether nothing of the loop changes what a call sees without being given it, but contexts around it."""
        inside = {part for item in under for part in names.nodes_in(item)}
        others = {order for node, found in self.analysed.effects.items() if node not in inside for order in found.order}
        if (effects.sees or effects.trusted) and Order.PROCESS in others:
            return False
        if ("files" in effects.sees or effects.trusted) and others & CHANGING_FILES:
            return False
        return effects.sees <= SETTLED | {"files"}

    def settings_around(self, call: ast.Call) -> list[ast.withitem] | None:
        """Return the contexts around a call that change what it goes by, which workers can enter; None: others do."""
        around = [node for node in self.above(call) if isinstance(node, (ast.With, ast.AsyncWith))]
        items = [item for node in reversed(around) for item in node.items]
        found = [item for item in items if not is_calm_context(item, self.analysed)]
        return found if all(is_scoped_context(item, self.analysed) for item in found) else None

    def enter(self, holder: ast.AST, part: ast.AST, group: Group, found: Early) -> bool:
        """Note what one part of an action around another means for it; False: it must stay."""
        if isinstance(holder, ast.For):
            jumps = [jump for statement in holder.body for jump in own_jumps(statement)]
            if jumps or part in holder.orelse:
                found.sure = False
            breaks = any(isinstance(jump, ast.Break) for jump in jumps)
            return part not in holder.body or self.walk(holder.target, holder.iter, breaks, group, found)
        if isinstance(holder, names.COMPREHENSIONS):
            return self.walk_all(holder, part, group, found)
        if isinstance(holder, (ast.If, ast.IfExp)):
            body = holder.body if isinstance(holder.body, list) else [holder.body]
            asked = part is holder.test or self.ask(holder.test, part in body, holder, group, found)
            found.sure = found.sure and asked
        elif isinstance(holder, ast.BoolOp):
            before = holder.values[: holder.values.index(part)]  # type: ignore[arg-type]
            found.sure = self.ask_all(before, isinstance(holder.op, ast.And), holder, group, found) and found.sure
        elif isinstance(holder, (ast.ExceptHandler, ast.match_case, ast.Assert)) or part in getattr(
            holder, "orelse", ()
        ):
            found.sure = False
        return True

    def walk_all(self, holder: ast.AST, part: ast.AST, group: Group, found: Early) -> bool:
        """Note the loops of a comprehension that are around a part of it."""
        if isinstance(part, ast.comprehension) or not self.is_calm_itself(holder):
            return False
        generators: list[ast.comprehension] = holder.generators  # type: ignore[attr-defined]
        found.sure = found.sure and not isinstance(holder, ast.GeneratorExp)
        for one in generators:
            if one.is_async or not self.walk(one.target, one.iter, False, group, found):
                return False
            found.sure = self.ask_all(one.ifs, True, holder, group, found) and found.sure
        return True

    def walk(self, target: ast.expr, walked: ast.expr, breaks: bool, group: Group, found: Early) -> bool:
        """Note a loop around a call; False: a worker cannot walk what it walks."""
        objects = self.analysed.values.get(walked, frozenset())
        counted = all(obj.types and COUNTED.issuperset(obj.types) for obj in objects)
        if (breaks and not counted) or any(map(is_used_up, objects)) or not self.is_free(walked, group, found):
            return False
        found.steps.append((target, walked))
        found.targets.append(frozenset(names.stored(target)))
        return True

    def ask(self, test: ast.expr, holds: bool, holder: ast.AST, group: Group, found: Early) -> bool:
        """Note a condition of a holder around a call, as far as a worker can ask it: tells how far."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) is holds:
            return self.ask_all(test.values, holds, holder, group, found)
        is_heavy = self.analysed.inside([test]).heavy or self.analysed.of(holder).heavy
        if is_heavy or not self.is_calm_itself(holder) or not self.is_free(test, group, found):
            return False
        found.steps.append((None, test if holds else ast.copy_location(ast.UnaryOp(ast.Not(), test), test)))
        return True

    def ask_all(self, tests: Sequence[ast.expr], holds: bool, holder: ast.AST, group: Group, found: Early) -> bool:
        """Note conditions that all hold, or all do not, around a call; tells whether a worker can ask each of them."""
        asked = [self.ask(test, holds, holder, group, found) for test in tests]
        return all(asked)

    def is_calm_itself(self, holder: ast.AST) -> bool:
        """Tell whether what a statement or expression does beside its parts depends on nothing that stays.

        To ask whether its conditions are true, or to walk what it walks, may run the user's methods.
        """
        effects = self.analysed.of(holder)
        targets = {name for part in getattr(holder, "generators", ()) for name in names.stored(part.target)}
        own = (
            place.field in targets if place.obj is None else place.obj.origin is Origin.MADE for place in effects.writes
        )
        return all(own) and self.is_calm(effects) and self.is_apart({holder})

    def is_free(self, node: ast.AST, group: Group, early: Early) -> bool:
        """Tell whether an expression depends on nothing that stays in the notebook, and changes nothing."""
        inner = names.nodes_in(node)
        if any(isinstance(part, TIED) for part in inner):
            return False
        effects = self.analysed.inside([node])
        return (
            self.is_calm(effects)
            and all(self.is_known(part, group, early) for part in inner)
            and self.is_apart(set(inner))
            and self.changes_own(node, effects)
        )

    def is_calm(self, effects: Effects) -> bool:
        """Tell whether nothing needs an order, and no name is read that the loop gives values."""
        if effects.order or effects.doubts or effects.hazards or effects.globals & self.visible:
            return False
        return not self.analysed.reads_given(effects)

    def is_known(self, node: ast.AST, group: Group, early: Early) -> bool:
        """Tell whether a worker has the value of a name where an action begins."""
        found = self.uses.reads.get(node)
        if found is None:
            return True
        words = {node.id} if isinstance(node, ast.Name) else set(names.free_names(node))
        if START in found and any(self.uses.defs.get(word) for word in words):
            return False
        for definition in found - {START}:
            if definition in group.inside:
                stored = isinstance(node, ast.Name) and any(node.id in one for one in early.targets)
                if stored and self.is_target(definition):
                    continue
                value = self.from_front(definition) if len(found) == 1 and isinstance(node, ast.Name) else None
                if value is None:
                    return False
                early.instead[node] = value
            elif self.is_in_tail(definition):
                return False
        return True

    def from_front(self, definition: ast.AST) -> ast.expr | None:
        """Return what gives a name its value, if that is a value which the front has computed once for the item."""
        above = self.parent.get(definition)
        value = above.value if isinstance(above, ast.Assign) else None
        once = isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name) and value.value.id == TAPE
        return value if once else None

    def is_target(self, definition: ast.AST) -> bool:
        """Tell whether a name gets its value as the target of a loop."""
        node: ast.AST | None = definition
        while isinstance(node, (ast.Name, ast.Tuple, ast.List)):
            above = self.parent.get(node)
            if isinstance(above, (ast.For, ast.comprehension)):
                return above.target is node
            node = above
        return False

    def is_in_tail(self, definition: ast.AST) -> bool:
        """Tell whether a name gets its value in the notebook only."""
        node: ast.AST | None = definition
        while node is not None and not isinstance(node, ast.stmt):
            if self.staged.of(node) is Stage.TAIL:
                return True
            node = self.parent.get(node)
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            return Stage.TAIL in (self.staged.of(node), self.staged.of(node.value))
        return node is not None and self.staged.of(node) is Stage.TAIL

    def is_apart(self, inner: set[ast.AST], *, always: bool = False) -> bool:
        """Tell whether nothing that an expression touches is changed in the notebook, or `always`: elsewhere at all."""
        for obj in {obj for node in inner for obj in self.touched.get(node, ())}:
            used = {Place(obj, name) for _, node, name, _ in self.changes[obj] if node in inner}
            for _, node, name, writes in self.changes[obj]:
                elsewhere = writes and node not in inner and (always or self.staged.of(node) is Stage.TAIL)
                if elsewhere and any(map(Place(obj, name).meets, used)):
                    return False
        return True

    def changes_own(self, node: ast.AST, effects: Effects) -> bool:
        """Tell whether an expression changes only what it makes itself."""
        if not effects.writes:
            return True
        given = self.given(node)
        own = (place.obj is not None and place.obj.origin is Origin.MADE for place in effects.writes)
        return all(own) and not any(place.obj in given for place in effects.writes)

    def given(self, node: ast.AST) -> set[Obj]:
        """Return the objects that an expression gets by names."""
        loads = [part for part in names.nodes_in(node) if isinstance(part, ast.Name)]
        return set(reachable(obj for part in loads for obj in self.analysed.values.get(part, frozenset())))

    def is_fresh(self, call: ast.Call) -> bool:
        """Tell whether a call gives something that nobody has yet, and that can be handed over."""
        given = self.given(call)
        found = self.analysed.values.get(call, frozenset())
        return all(
            obj.origin is Origin.MADE and obj not in given and not is_uncrossable(obj) and obj.types is not None
            for obj in reachable(found)
        )


def is_used_up(obj: Obj) -> bool:
    """Tell whether walking an object of the notebook may use it up."""
    return obj.outer and any(static(kind, "__next__") is not MISSING for kind in obj.types or ())


def inner_blocks(statement: ast.stmt) -> Iterator[Sequence[ast.stmt]]:
    """Yield the blocks of a statement, those of its `except` and `case` among them."""
    yield from blocks_of(statement)
    for part in [*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]:
        yield part.body


def speculate(staged: Staged) -> None:
    """Note the calls of the tail that workers make early."""
    Speculation(staged).find()
