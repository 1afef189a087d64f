"""Find the front: the parts of a body that the notebook can compute before an item goes out.

Parts that need the order of the plain loop, but none of the heavy results, are computed ahead on copies of what they
change (an inspector before an executor, after Saltz and others, 1991). The values that the head needs of them go out
with the item. The tail does the same parts again for real, in its turn: so whatever ends the loop early, the
notebook's own objects are where the plain loop would have left them, and nothing has to be taken back.

    able:   what is cheap, repeatable, and depends only on what is able itself (a greatest fixed point)
    needy:  what depends on something that one item hands to the next (a least fixed point)
    cuts:   the largest expressions that are both, inside parts that are not able: the head is given their values
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from concompare.cells import readers
from concompare.cells.distribution import columns
from concompare.cells.distribution.ahead import shadows
from concompare.cells.distribution.handing import is_uncrossable
from concompare.cells.distribution.nodes import own_jumps
from concompare.cells.distribution.stages import Solver
from concompare.cells.distribution.touches import may_be_view
from concompare.cells.distribution.uses import START
from concompare.cells.effects.live import is_iterator
from concompare.cells.ir import AT, CHANGING_FILES, Effects, Order, Place
from concompare.cells.objects import ANY, Obj, Origin, reachable
from concompare.cells.syntax import names

PLAIN = (ast.Assign, ast.AugAssign, ast.Expr, ast.Pass, ast.Delete)
NEVER = ast.Pass()
"""A guard that is never able."""
FORBIDDEN = (
    *(ast.Await, ast.Yield, ast.YieldFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import),
    *(ast.ImportFrom, ast.Global, ast.Nonlocal, ast.With, ast.AsyncWith, ast.AsyncFor, ast.Match, ast.TryStar),
    *(ast.Try, ast.ExceptHandler, ast.AnnAssign, ast.Return, ast.Raise, ast.Assert, ast.withitem, ast.match_case),
)
TAKING = {"next": 2, "pop": 2, "popleft": 1, "popitem": 1, "heappop": 2}
"""What takes an element and fails where there is none, and from how many arguments on it does not fail."""
BARRING = (ast.With, ast.AsyncWith, ast.Match, ast.TryStar, ast.AsyncFor)
"""Blocks that the front leaves out, but for what opens members of archives."""
CONDITIONAL = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)


@dataclass(frozen=True)
class Cut:
    """A value that the front hands to the head.

    Attributes:
        node: The expression.
        place: The statement before which its value is taken; the inner `while` itself for the condition of one.
        many: It may be taken several times for one item.
        effectful: Computing it changes something, so that the tail does it at this place.
        truth: Only whether it is true is needed.
    """

    node: ast.expr
    place: ast.stmt
    many: bool
    effectful: bool
    truth: bool


class Finder:
    """Finds what of one body the front can and has to compute.

    Args:
        solver: Of the body: its uses, its objects, its tree.
        seeded: Random numbers of the process come from one stream for each item.
    """

    def __init__(self, solver: Solver, *, seeded: bool) -> None:
        self.solver, self.analysed, self.loop = solver, solver.body.analysed, solver.body.loop
        self.uses, self.seeded = solver.body.uses, seeded
        self.nodes = [part for statement in self.loop.body for part in names.nodes_in(statement)]
        self.namespace = self.loop.__dict__.get("namespace", {})
        self.targets = set(names.nodes_in(self.loop.target)) if self.loop.target is not None else set()
        self.writers: dict[Obj, list[ast.AST]] = {}
        self.touched: dict[ast.AST, set[Obj]] = {}
        for obj, touches in solver.touches.by_object.items():
            written = [Place(obj, name) for _, _, name, writes in touches if writes]
            for _, node, name, writes in touches:
                if not any(map(Place(obj, name).meets, written)):
                    continue  # the shape of an array is not what is stored into it
                self.touched.setdefault(node, set()).add(obj)
                if writes:
                    self.writers.setdefault(obj, []).append(node)
        for node in self.nodes:  # whether a condition is true may be asked of what the items change
            if isinstance(node, (ast.If, ast.While)) and node in self.touched:
                self.touched.setdefault(node.test, set()).update(self.touched[node])
        self.random = [node for node in self.nodes if Order.RANDOM in self.analysed.of(node).order]
        self.tried: dict[ast.Try, tuple[list[ast.AST], list[ast.AST]]] = {}
        self.index: dict[ast.AST, int] = {node: place for place, node in enumerate(self.statements(self.loop.body))}
        self.leaving = [(jump, self.own_guards(jump)) for part in self.loop.body for jump in own_jumps(part)]
        self.turning: dict[ast.AST, list[tuple[ast.AST, list[ast.AST]]]] = {
            node: [(jump, self.own_guards(jump)) for part in node.body for jump in own_jumps(part)]
            for node in self.nodes
            if isinstance(node, (ast.For, ast.While))
        }
        self.guards = {node: self.guards_of(node) for node in self.nodes}
        self.able: set[ast.AST] = set()
        self.needy: set[ast.AST] = set()

    def statements(self, block: Iterable[ast.AST]) -> Iterator[ast.stmt]:
        """Yield statements and those inside them, in the order of the text."""
        for node in block:
            if isinstance(node, ast.stmt):
                yield node
            yield from self.statements(part for part in names.children_of(node) if not isinstance(part, ast.expr))

    def statement_of(self, node: ast.AST) -> ast.stmt:
        """Return the statement that a node belongs to."""
        while not isinstance(node, ast.stmt):
            node = self.solver.body.parent[node]
        return node

    def around(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """Yield what is around a node, innermost first, each with the part of it that the node is in."""
        above = self.solver.body.parent.get(node)
        while above is not None:
            yield above, node
            node, above = above, self.solver.body.parent.get(above)

    # -- control -----------------------------------------------------------------------------------------------------

    def own_guards(self, node: ast.AST) -> list[ast.AST]:
        """Return what decides whether a node is reached, but for jumps before it."""
        found: list[ast.AST] = []
        for above, part in self.around(node):
            if isinstance(above, (ast.If, ast.While)) and part is not above.test:
                found.append(above.test)
            elif isinstance(above, ast.For) and part is not above.iter:
                found.append(above.iter)
            elif isinstance(above, ast.Try):
                found += self.guards_of_try(above, part, node)
            elif isinstance(above, BARRING) and not self.is_reading(above):
                found.append(NEVER)
        return found

    def is_reading(self, node: ast.AST) -> bool:
        """Tell whether a `with` only opens members of archives to read them."""
        if not isinstance(node, ast.With):
            return False
        named = all(isinstance(item.optional_vars, (ast.Name, type(None))) for item in node.items)
        return named and all(map(self.is_member, (item.context_expr for item in node.items)))

    def is_member(self, node: ast.AST) -> bool:
        """Tell whether an expression gives what reads a member of an archive."""
        found = self.analysed.values.get(node, frozenset())
        return bool(found) and all({*map(readers.name_of, obj.types or (object,))} <= readers.MEMBERS for obj in found)

    def guards_of_try(self, above: ast.Try, part: ast.AST, node: ast.AST) -> list[ast.AST]:
        """Return what decides whether a part of a `try` is reached."""
        if above not in self.tried:
            nodes = [one for statement in above.body for one in names.nodes_in(statement)]
            inner: list[ast.AST] = [one for one in nodes if isinstance(one, ast.expr)]
            self.tried[above] = inner, [one for one in inner if not self.solver.body.staged.raising.calm(one)]
        every, raising = self.tried[above]
        if isinstance(part, ast.ExceptHandler):
            return every
        if part in above.orelse and above.handlers:
            return raising
        if part in above.finalbody and any(True for _ in own_jumps(above)):
            return [NEVER]
        order = self.analysed.order
        if part in above.body and above.handlers:
            at = order[node] if node in order else max((order.get(one, 0) for one in names.nodes_in(node)), default=0)
            return [one for one in raising if order.get(one, 0) < at]
        return []

    def guards_of(self, node: ast.AST) -> list[ast.AST]:
        """Return what decides whether a node is reached."""
        found = self.own_guards(node)
        here = self.index[self.statement_of(node)]
        for jump, guards in self.leaving:
            if isinstance(jump, ast.Continue) and self.index[jump] < here and not self.is_failure(jump):
                found += guards
        for above in self.solver.body.loops.get(node, ()):
            for _, guards in self.turning.get(above, ()):
                found += guards
        return found

    def is_failure(self, jump: ast.AST) -> bool:
        """Tell whether a jump is only made when the front itself has failed: from there on the plain loop runs."""
        for above, part in self.around(jump):
            if isinstance(above, ast.Try) and isinstance(part, ast.ExceptHandler):
                return all(self.is_repeatable(one) for statement in above.body for one in names.nodes_in(statement))
        return False

    def is_repeatable(self, node: ast.AST) -> bool:
        """Tell whether nothing about a node itself keeps it out of the front."""
        return not self.is_barred(node)

    # -- able --------------------------------------------------------------------------------------------------------

    def is_barred(self, node: ast.AST) -> bool:
        """Tell whether a node cannot be in the front, whatever the others do."""
        found = self.analysed.of(node)
        above = self.solver.body.parent.get(node)
        if isinstance(above, (ast.If, ast.While)) and node is above.test and self.is_truth_barred(above):
            return True
        if isinstance(node, FORBIDDEN) or found.doubts or found.hazards or found.trusted or found.sees:
            return True
        if isinstance(node, (ast.Break, ast.Continue)) and not self.solver.body.loops.get(node):
            return True
        if isinstance(node, ast.Delete) and any(isinstance(part, ast.Name) for part in node.targets):
            return True
        if isinstance(node, ast.Name) and node.id in self.uses.deleted:
            return True  # whether it has a value is up to what is not in the front
        if found.order - ({Order.RANDOM} if not self.seeded else set()):
            return True
        if found.heavy and not self.is_light(node, found):
            return True
        if found.globals & self.solver.body.visible or self.analysed.reads_given(found) or self.is_inside(node):
            return True
        return any(not self.is_shadowed(place.obj) for place in found.writes if place.obj is not None) or any(
            place.obj is None and (isinstance(node, ast.Call) or place.field in self.analysed.given)
            for place in found.writes
        )

    def is_truth_barred(self, node: ast.If | ast.While) -> bool:
        """Tell whether it cannot be asked ahead whether a condition is true: a class may say that as it likes."""
        found = self.analysed.of(node)
        return bool(found.writes or found.order) or self.is_barred(node)

    def is_light(self, node: ast.AST, found: Effects) -> bool:
        """Tell whether a call that may be work is cheap to repeat all the same."""
        if isinstance(node, (ast.If, ast.While)):
            asked = self.analysed.followed.get(node.test, set())
            return bool(asked) and all(shadows.is_small(function, self.namespace) for function in asked)
        return shadows.is_light(node, found, self.analysed.values, self.namespace, self.solver.body.assigned)

    def is_shadowed(self, obj: Obj) -> bool:
        """Tell whether changes of an object can be made ahead on a copy."""
        if obj.origin is Origin.MADE:
            return not is_uncrossable(obj) or {*map(readers.name_of, obj.types or ())} <= readers.MEMBERS
        if obj.origin is not Origin.OUTER or len(obj.live) != 1:
            return False
        if self.seeded and shadows.is_of_process(obj.live[0]):
            return False
        thing = obj.live[0]
        if readers.is_reader(thing) and not self.is_read_first(obj):
            return False
        return shadows.can_shadow(thing, self.namespace) and (shadows.is_generator(thing) or obj.by_name)

    def is_read_only(self, obj: Obj) -> bool:
        """Tell whether the loop does no more to a file or an archive than to read on in it."""
        return self.solver.touches.fields_written.get(obj) == {AT}

    def is_read_first(self, obj: Obj) -> bool:
        """Tell whether an item reads a file before it writes any, which may be the same: none is read ahead else."""
        if not self.is_read_only(obj):
            return False
        effects, order = self.analysed.effects.items(), self.analysed.order
        writing = [node for node, found in effects if found.order & CHANGING_FILES]
        reading = [node for node, touched in self.touched.items() if obj in touched]
        loops = self.solver.body.loops
        if any(not set(loops.get(node, ())).isdisjoint(loops.get(other, ())) for node in writing for other in reading):
            return False
        last = max((order.get(node, 0) for node in reading), default=0)
        return all(order.get(node, 0) > last for node in writing)

    def is_inside(self, node: ast.AST) -> bool:
        """Tell whether a node reads or changes an object through another one, which would not hold the copy."""
        found, touches = self.analysed.of(node), self.solver.touches
        written = {obj for obj in self.touched.get(node, ()) if obj.origin is Origin.OUTER}
        holders = {place.obj for place in found.reads | found.writes if place.obj is not None} | found.deep
        for holder in holders if written else ():
            others = written - {holder}
            reached = set(touches.aliases(holder, others)) & others if holder.outer else set()
            if holder in found.deep or may_be_view(holder):
                reached |= touches.live_reach(holder, others)
            if holder.outer and any(not shadows.is_held(obj.live, holder.live) for obj in reached):
                return True
        return False

    def find_able(self, without: set[ast.AST]) -> None:
        """Find the greatest set of nodes that depend only on each other and on what no iteration changes."""
        self.able = {node for node in self.nodes if node not in without and not self.is_barred(node)}
        size = -1
        while size != len(self.able):
            size = len(self.able)
            for node in (*reversed(self.nodes), *self.nodes):  # what a node is made of before it, and after it
                if node in self.able and not self.holds(node):
                    self.able.discard(node)

    def holds(self, node: ast.AST) -> bool:
        """Tell whether all that a node depends on is able."""
        if any(part not in self.able for part in names.children_of(node)):
            return False
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and not self.holds_store(node):
            return False
        is_place = isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load)
        if is_place and self.statement_of(node) not in self.able:
            return False
        if isinstance(node, (ast.Break, ast.Continue)) and self.solver.body.loops[node][-1] not in self.able:
            return False
        above = self.solver.body.parent.get(node)
        is_method = isinstance(node, ast.Attribute) and isinstance(above, ast.Call) and node is above.func
        if is_method and above not in self.able:  # a bound method is not handed over, but what it belongs to
            return False
        if Order.RANDOM in self.analysed.of(node).order and any(part not in self.able for part in self.random):
            return False
        for obj in self.touched.get(node, ()):
            if any(
                writer not in self.able for writer in self.writers.get(obj, ()) if not self.is_apart(obj, writer, node)
            ):
                return False
        if not self.holds_reads(node):
            return False
        is_read = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        return is_read or all(guard in self.able for guard in self.guards[node])

    def is_apart(self, obj: Obj, writer: ast.AST, node: ast.AST) -> bool:
        """Tell whether what a node reads of a frame is a column that no other item has stored, nor its own by then."""
        stored = {place.field for place in self.analysed.of(writer).writes if place.obj is obj}
        wanted = {place.field for place in self.analysed.of(node).reads if place.obj is obj}
        pairs = [(one, other) for one in stored for other in wanted]
        flat = all(getattr(getattr(thing, "columns", None), "nlevels", 2) == 1 for thing in obj.live)
        if not pairs or not flat or self.analysed.of(node).writes or obj in reachable(self.analysed.of(node).deep):
            return False
        again = not set(self.solver.body.loops.get(node, ())).isdisjoint(self.solver.body.loops.get(writer, ()))
        late = self.analysed.order.get(node, 0) > self.analysed.order.get(writer, 0) or again
        return all(
            columns.are_apart(one, other, self.analysed.labels) and not (late and one == other) for one, other in pairs
        )

    def holds_store(self, node: ast.Name) -> bool:
        """Tell whether the value that a name is given is able."""
        above = self.solver.body.parent.get(node)
        if isinstance(above, (ast.AugAssign, ast.AnnAssign)):
            return above in self.able
        if isinstance(above, ast.comprehension):
            return True
        if isinstance(above, ast.NamedExpr):
            return above in self.able
        value, statement = self.solver.body.value_node(node), self.statement_of(node)
        if isinstance(statement, ast.Assign) and statement not in self.able:
            return False  # the front does all of an assignment or nothing
        return value is not None and value in self.able

    def holds_reads(self, node: ast.AST) -> bool:
        """Tell whether every assignment that a read may see is able."""
        for definition in self.uses.reads.get(node, frozenset()):
            if definition is START:
                words = [node.id] if isinstance(node, ast.Name) else self.solver.dependences.free(node)
                carried = [word for word in words if self.solver.dependences.is_carried(word)]
                if any(part not in self.able for word in carried for part in self.uses.defs.get(word, ())):
                    return False
            elif definition not in self.targets and definition not in self.able:
                return False
        return True

    # -- needy -------------------------------------------------------------------------------------------------------

    def find_needy(self) -> None:
        """Find what depends on something that one item hands to the next."""
        self.needy = {node for node in self.nodes if self.is_carried(node)}
        size = -1
        while size != len(self.needy):
            size = len(self.needy)
            for node in (*reversed(self.nodes), *self.nodes):
                if node not in self.needy and self.depends(node):
                    self.needy.add(node)

    def is_carried(self, node: ast.AST) -> bool:
        """Tell whether a node itself uses something that iterations share and change."""
        found = self.analysed.of(node)
        if Order.RANDOM in found.order and not self.seeded:
            return True
        for obj in self.touched.get(node, ()):
            if obj.origin is Origin.OUTER or obj in self.analysed.shared:
                return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node in self.able:
            for obj in self.analysed.values.get(node, frozenset()):
                writers = self.writers.get(obj, ())
                if writers and obj.origin is Origin.OUTER and all(writer in self.able for writer in writers):
                    return True
        if START not in self.uses.reads.get(node, frozenset()):
            return False
        words = [node.id] if isinstance(node, ast.Name) else self.solver.dependences.free(node)
        return any(self.solver.dependences.is_carried(word) for word in words)

    def depends(self, node: ast.AST) -> bool:
        """Tell whether a node uses something that is needy."""
        if any(part in self.needy for part in names.children_of(node)):
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            value = self.solver.body.value_node(node)
            above = self.solver.body.parent.get(node)
            if value in self.needy or (isinstance(above, ast.AugAssign) and above in self.needy):
                return True
            return any(above in self.needy and above in self.able for above, _ in self.around(node))
        if any(definition in self.needy for definition in self.uses.reads.get(node, frozenset())):
            return True
        if isinstance(node, ast.Name) and node in self.able and self.names_changed(node):
            return True
        return any(writer in self.needy for obj in self.touched.get(node, ()) for writer in self.writers.get(obj, ()))

    def names_changed(self, node: ast.Name) -> bool:
        """Tell whether a name stands for an object of the iteration that the front changes in other statements."""
        for obj in self.analysed.values.get(node, frozenset()):
            writers = self.writers.get(obj, ()) if obj.origin is Origin.MADE else ()
            apart = all(
                part in self.able and self.statement_of(part) is not self.statement_of(node) for part in writers
            )
            if apart and any(part in self.needy for part in writers):
                return True
        return False

    # -- cuts --------------------------------------------------------------------------------------------------------

    def find(self) -> list[Cut]:
        """Return the cuts, in the order of evaluation; none where the front is of no use."""
        without: set[ast.AST] = set()
        for _ in range(20):
            self.find_able(without)
            self.find_needy()
            cuts, lost = self.cuts()
            if not lost - without:
                order = self.analysed.order
                return sorted(cuts, key=lambda cut: (self.index[cut.place], order.get(cut.node, 0)))
            without |= lost
        return []

    def cuts(self) -> tuple[list[Cut], set[ast.AST]]:
        """Return the cuts, and the nodes that change something where it cannot be made ahead."""
        found: list[Cut] = []
        lost: set[ast.AST] = set()
        for node in self.nodes:
            if node not in self.able or node not in self.needy or isinstance(node, ast.stmt):
                continue
            if not isinstance(node, ast.expr) or isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
                above = self.solver.body.parent.get(node)
                if isinstance(node, ast.keyword) and above not in self.able:
                    continue
                continue
            above = self.expression_above(node)
            if isinstance(above, ast.withitem):
                continue  # the front opens it as well, and reads in it
            if above in self.able or isinstance(node, (ast.Constant, ast.Starred, ast.Slice)):
                continue
            cut = self.cut_of(node)
            if cut is None:
                lost |= {node, *[part for part in names.nodes_in(node) if self.is_effectful(part)]}
            else:
                found.append(cut)
        done = {part for cut in found for part in names.nodes_in(cut.node)}
        done |= {part for node in self.nodes if isinstance(node, ast.withitem) for part in names.nodes_in(node)}
        for node in self.able - done:
            if self.is_effectful(node) and self.statement_of(node) not in self.able:
                lost.add(node)
        return found, lost

    def ending(self) -> Iterator[ast.stmt]:
        """Yield the statements of the loop that take something which is shared, and fail when nothing is left."""
        for statement in self.loop.body:
            if statement in self.able and any(map(self.takes, names.nodes_in(statement))):
                yield statement

    def takes(self, node: ast.AST) -> bool:
        """Tell whether a node takes an element that is gone then."""
        if not isinstance(node, ast.Call) or not self.is_effectful(node):
            return False
        func = node.func
        word = func.id if isinstance(func, ast.Name) else getattr(func, "attr", "")
        return len(node.args) < TAKING.get(word, 0)

    def expression_above(self, node: ast.AST) -> ast.AST | None:
        """Return what uses an expression: keywords and the like are passed over."""
        above = self.solver.body.parent.get(node)
        passing = (ast.keyword, ast.Starred, ast.comprehension, ast.FormattedValue)
        while isinstance(above, passing) and above in self.able:
            above = self.solver.body.parent.get(above)
        return above

    def is_effectful(self, node: ast.AST) -> bool:
        """Tell whether computing a node changes what iterations share."""
        found = self.analysed.of(node)
        if found.order or any(place.obj is not None and place.obj.origin is Origin.OUTER for place in found.writes):
            return True
        return isinstance(node, ast.NamedExpr)

    def cut_of(self, node: ast.expr) -> Cut | None:
        """Return the cut for an expression, or None where its value cannot be handed over."""
        statement = self.statement_of(node)
        effectful = any(self.is_effectful(part) for part in names.nodes_in(node))
        parent = self.solver.body.parent.get(node)
        truth = isinstance(parent, (ast.If, ast.While))
        if not truth and not self.can_hand_over(node):
            return None
        if isinstance(parent, ast.While):
            return Cut(node, statement, True, effectful, True) if not effectful else None
        loops = [part for part in self.solver.body.loops.get(statement, ()) if isinstance(part, (ast.For, ast.While))]
        if isinstance(node, ast.Name):
            place = self.place_of(node, statement)
            if place is None:
                return None
            loops = [part for part in self.solver.body.loops.get(place, ()) if isinstance(part, (ast.For, ast.While))]
            return Cut(node, place, bool(loops), False, truth)
        if self.is_conditional(node, statement):
            return None
        return Cut(node, statement, bool(loops), effectful, truth)

    def place_of(self, node: ast.Name, statement: ast.stmt) -> ast.stmt | None:
        """Return the outermost statement before which a name has its value already, if it has to be taken outside."""
        place = statement
        chain = [above for above, _ in self.around(statement) if isinstance(above, ast.stmt)]
        objects = self.analysed.values.get(node, frozenset())
        for above in chain:
            settled = all(guard in self.able for guard in self.own_guards(place))
            is_loop = isinstance(above, (ast.For, ast.While))
            inner = set(names.nodes_in(above))
            changes = bool(self.uses.defs.get(node.id, set()) & inner) or any(
                writer in inner for obj in objects for writer in self.writers.get(obj, ())
            )
            if settled and not is_loop:
                continue
            if changes:
                return place if all(guard in self.able for guard in self.guards_of(place)) else None
            place = above
        return place if all(guard in self.able for guard in self.own_guards(place)) else None

    def is_conditional(self, node: ast.AST, statement: ast.stmt) -> bool:
        """Tell whether an expression is evaluated only under a condition of its own statement, or not just once."""
        walked: ast.AST | None = None
        for above, part in self.around(node):
            if isinstance(above, ast.comprehension) and part is above.iter:
                walked = above
            if above is statement:
                return isinstance(statement, ast.AugAssign) and not isinstance(statement.target, ast.Name)
            if isinstance(above, CONDITIONAL) and (isinstance(above, ast.Lambda) or above.generators[0] is not walked):
                return True
            if isinstance(above, ast.BoolOp) and part is not above.values[0]:
                return True
            if isinstance(above, ast.IfExp) and part is not above.test:
                return True
            if isinstance(above, ast.Compare) and len(above.comparators) > 1 and part in above.comparators[1:]:
                return True
        return False

    def can_hand_over(self, node: ast.expr) -> bool:
        """Tell whether a value may be handed out as it is then, or as a copy that nobody changes."""
        direct = self.analysed.values.get(node, frozenset())
        if any(is_uncrossable(obj) or obj.origin is Origin.FUNCTION for obj in direct):
            return False
        if any(map(is_iterator, (thing for obj in direct for thing in obj.live))):
            return False  # whoever walks a copy does not use up the iterator itself
        written = set(self.writers)
        held = {part for obj in direct for parts in obj.fields.values() for part in reachable(parts)}
        if held & written or any(self.solver.touches.live_reach(obj, written) for obj in direct):
            return False
        for obj in direct:
            writers = self.writers.get(obj, ())
            if not writers:
                continue
            if any(writer not in self.able for writer in writers):
                return False
            if obj.origin is Origin.ITEM or (obj.live and not shadows.can_copy(obj.live[0])):
                return False
            if self.escapes(obj):
                return False
        return True

    def escapes(self, obj: Obj) -> bool:
        """Tell whether a part that is not able may give an object on, so that a copy would be seen."""
        for node in self.nodes:
            above = self.solver.body.parent.get(node)
            is_method = isinstance(node, ast.Attribute) and isinstance(above, ast.Call) and node is above.func
            if node in self.able or not isinstance(node, ast.expr) or is_method:
                continue
            if obj in reachable(self.analysed.values.get(node, frozenset())):
                return True
        return False


def without_copies(found: Effects, objects: set[Obj]) -> Effects:
    """Return effects without the reading of objects of which copies are handed over."""
    made = Effects()
    made.add(found)
    made.calm = found.calm
    made.reads = {place for place in found.reads if place.obj not in objects}
    made.deep = set()
    for obj in found.deep - objects:
        inner = set(reachable([obj]))
        if not inner & objects:
            made.deep.add(obj)
            continue
        for part in inner - objects:  # what holds one of them is read itself, and the rest of what it holds as a whole
            made.reads.add(Place(part, ANY))
            if not objects & set(reachable([part])):
                made.deep.add(part)
    return made
