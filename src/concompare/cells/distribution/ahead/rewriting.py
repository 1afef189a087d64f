"""The front as code, and the loop without it: a body whose values from the front come with the item.

    for x in xs:                               front, in the notebook:    for item in items:
        s = rng.choice(data, 10)                                              x = item; tape = {}
        out.append(heavy(s))                                                  s = rng.choice(data, 10)
                                                                              tape[0] = s
    becomes                                                                   yield item, tape

    for x, tape in pairs:
        s = rng.choice(data, 10)               stays, for the tail
        front_0 = tape[0]                      the head's
        out.append(heavy(front_0))

The new loop is distributed over head and tail as any other. What turns out to be used by the tail is taken from the
notebook again, so that it is the notebook's own object.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from concompare.cells.distribution.ahead.finding import Cut, Finder, without_copies
from concompare.cells.distribution.ahead.slicing import FRONT, Slicer
from concompare.cells.distribution.code.generated import HELD
from concompare.cells.distribution.nodes import is_slice, jumps_in, own_jumps
from concompare.cells.distribution.stages import Solver
from concompare.cells.distribution.staging import Staged, heavy_in_notebook, heavy_in_tail, speculate
from concompare.cells.distribution.uses import uses_of
from concompare.cells.ir import INLINED, OURS, TAPE, Analysed, Loop, Stage
from concompare.cells.objects import ATTRIBUTES, Obj, Origin, reachable
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located, statements_at

RISKY = (
    *(ast.Call, ast.BinOp, ast.Subscript, ast.Attribute, ast.Await, ast.Compare, ast.UnaryOp),
    *(ast.JoinedStr, ast.Starred),
)


HELD_BACK = (heavy_in_tail, heavy_in_notebook)


@dataclass
class Ahead:
    """A loop whose items go out with what the front has computed for them.

    Attributes:
        loop: The loop that is distributed over head and tail, over pairs of an item and its tape.
        staged: Its stages.
        front: The function that gives the pairs: a generator.
        begins: The names of the notebook that the front starts with.
        changed: The live objects that the front changes.
        ends: The front itself may find that the loop ends.
        test: The number on the tape that tells whether a `while` has come to its end, where testing changes something.
    """

    loop: Loop
    staged: Staged
    front: ast.FunctionDef
    begins: list[str]
    changed: list[Any]
    ends: bool
    rewritten: Rewriter = field(repr=False)
    test: int | None = None

    def settle(self) -> Staged:
        """Return the stages with the tail's own values in the places where it uses them."""
        return self.rewritten.settle(self)


class Rewriter(Slicer):
    """Writes the front and the loop without it.

    Args:
        finder: What the front can do.
        cuts: What the head needs of it.
        ending: Statements that end the loop with an error when there is nothing left, which the front does as well.
    """

    def __init__(self, finder: Finder, cuts: Sequence[Cut], ending: Sequence[ast.stmt] = ()) -> None:
        super().__init__(finder, cuts, ending)
        self.effects = dict(self.analysed.effects)
        self.values = dict(self.analysed.values)
        self.order = dict(self.analysed.order)
        self.originals: dict[str, ast.expr] = {}
        self.sites: dict[ast.AST, str] = {}
        self.spilled = 0
        self.settled: set[Obj] = set()
        self.seeds: set[ast.AST] = set()
        self.moved: dict[ast.AST, ast.AST] = {}

    # -- the loop without it -----------------------------------------------------------------------------------------

    def rewrite(self) -> Analysed:
        """Return the loop over pairs, with what is known of its parts."""
        body: list[ast.stmt] = []
        if any(cut.many for cut in self.cuts):
            several = f"{{name: iter(value) for name, value in {TAPE}.items() if type(value) is list}}"
            body += statements_at(f"{FRONT} = {several}", self.loop.body[0])
        body += self.statements(self.loop.body)
        for cut in self.cuts:
            for part in names.nodes_in(cut.node) if not cut.effectful else ():
                self.effects.pop(part, None)
        loop = replace(self.loop, body=body)
        loop.__dict__["namespace"] = self.finder.namespace
        analysed = replace(self.analysed, loop=loop, effects=self.effects, values=self.values, order=self.order)
        analysed.decided = frozenset(jump for jump in jumps_in(self.loop.body) if is_decided(self.finder, jump))
        self.strip(analysed)
        return analysed

    def statements(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Return statements with the values of the front in their places."""
        made: list[ast.stmt] = []
        for node in statements:
            if node in self.finder.able and not self.is_read_in(node):
                self.keep_calm(node)
                made.append(node)
                if node in self.bound:
                    target = node.targets[0]  # type: ignore[attr-defined]
                    made += statements_at(f"{target.id} = {TAPE}[{self.bound[node]}]", node)
                    self.seeds |= set(names.nodes_in(made[-1]))
                continue
            made += self.statement(node)
        return made

    def is_read_in(self, node: ast.stmt) -> bool:
        """Tell whether a cut belongs to a statement."""
        return any(cut.place is node for cut in self.cuts)

    def keep_calm(self, node: ast.AST) -> None:
        """Note that what the front has done before without an error raises none in the tail."""
        for part in names.nodes_in(node):
            if part in self.finder.needy and part in self.needed:
                self.effects[part] = without_copies(self.analysed.of(part), set())
                self.effects[part].calm, self.effects[part].heavy = True, False

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        """Return a statement with the values of the front in their places, and before it what takes them."""
        before: list[ast.stmt] = []
        instead: dict[ast.AST, ast.expr] = {}
        for item in node.items if isinstance(node, ast.With) else ():
            self.keep_calm(item.context_expr)
        for cut in self.cuts:
            if cut.place is not node:
                continue
            if cut.effectful:
                before += self.spill(node, cut, instead)
                before.append(self.held(cut))
            before += self.read(cut)
        for cut in self.cuts:
            if cut.node not in instead and self.is_in(cut.node, node) and not self.inside_block(cut.node, node):
                instead[cut.node] = self.site(cut)
        return [*before, self.copy(node, instead)]

    def inside_block(self, part: ast.AST, node: ast.stmt) -> bool:
        """Tell whether a part belongs to a statement inside another."""
        return self.finder.statement_of(part) is not node

    def name(self, cut: Cut) -> str:
        """Return the name that the head gives a value of the front."""
        return f"{FRONT}_{self.number[cut.node]}"

    def read(self, cut: Cut) -> list[ast.stmt]:
        """Return the statement that takes a value from the tape."""
        if isinstance(cut.place, ast.While) and cut.node is cut.place.test:
            return []
        number = self.number[cut.node]
        text = f"next({FRONT}[{number}])" if cut.many else f"{TAPE}[{number}]"
        return statements_at(f"{self.name(cut)} = {text}", cut.node)

    def site(self, cut: Cut) -> ast.expr:
        """Return what stands in the place of an expression of the front."""
        word = self.name(cut)
        made: ast.expr
        if isinstance(cut.place, ast.While) and cut.node is cut.place.test:
            statement = statements_at(f"next({FRONT}[{self.number[cut.node]}])", cut.node)[0]
            assert isinstance(statement, ast.Expr)
            return statement.value
        made = located(ast.Name(word, ast.Load()), cut.node)
        self.originals[word] = self.held_name(cut) if cut.effectful else cut.node
        self.sites[made] = word
        self.values[made] = frozenset() if cut.truth else self.analysed.values.get(cut.node, frozenset())
        return made

    def held_name(self, cut: Cut) -> ast.expr:
        """Return the name under which the tail keeps a value that it has computed."""
        made = located(ast.Name(f"{HELD}_front_{self.number[cut.node]}", ast.Load()), cut.node)
        self.values[made] = self.analysed.values.get(cut.node, frozenset())
        return made

    def held(self, cut: Cut) -> ast.stmt:
        """Return the statement with which the tail does what the front has done ahead."""
        self.keep_calm(cut.node)
        target = located(ast.Name(f"{HELD}_front_{self.number[cut.node]}", ast.Store()), cut.node)
        return located(ast.Assign([target], cut.node), cut.node)

    def spill(self, node: ast.stmt, cut: Cut, instead: dict[ast.AST, ast.expr]) -> list[ast.stmt]:
        """Return statements that compute what Python evaluates before a value of the front, in their order."""
        found: list[ast.stmt] = []
        for part in earlier(node, cut.node):
            known = part in instead or part in self.number
            if known or not any(map(self.may_fail, names.nodes_in(part))):
                continue
            inner: dict[ast.AST, ast.expr] = {
                other.node: self.site(other)
                for other in self.cuts
                if other.place is node and self.is_in(other.node, part)
            }
            word = f"{HELD}_front_before_{self.spilled}"
            self.spilled += 1
            target = located(ast.Name(word, ast.Store()), part)
            value = self.copy(part, inner)
            if isinstance(part, ast.Starred):  # its values are taken here
                value = located(ast.Tuple([value], ast.Load()), part)
            found.append(located(ast.Assign([target], value), part))
            load: ast.expr = located(ast.Name(word, ast.Load()), part)
            self.values[load] = self.analysed.values.get(part, frozenset())
            instead[part] = located(ast.Starred(load, ast.Load()), part) if isinstance(part, ast.Starred) else load
        return found

    def may_fail(self, node: ast.AST) -> bool:
        """Tell whether evaluating a node may raise an error or do anything."""
        if isinstance(node, ast.Name):
            if node.id.startswith(OURS):
                return False
            known = node.id in self.finder.namespace or hasattr(builtins, node.id)
            return node.id in self.solver.body.assigned or not known
        return isinstance(node, RISKY)

    def copy(self, node: Any, instead: dict[ast.AST, ast.expr]) -> Any:
        """Return a node with others in the places of some of its parts; what holds none of them stays itself."""
        if node in instead:
            return instead[node]
        made = with_fields(node, lambda value: self.copied_field(value, instead))
        if made is node:
            return node
        if node in self.effects:
            self.effects[made] = self.effects.pop(node)
        if node in self.values:
            self.values[made] = self.values[node]
        if node in self.order:
            self.order[made] = self.order[node]
        return made

    def copied_field(self, value: Any, instead: dict[ast.AST, ast.expr]) -> Any:
        """Return a field of a node with others in the places of some of its parts."""
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            return self.statements(value)
        return with_parts(value, lambda part: self.copy(part, instead))

    def strip(self, analysed: Analysed) -> None:
        """Take from what the parts do that they read objects of which the front hands them copies."""
        copied = {
            obj
            for cut in self.cuts
            if not cut.truth
            for obj in self.analysed.values.get(cut.node, frozenset())
            if obj in self.finder.writers
        }
        truths = {
            obj
            for cut in self.cuts
            if cut.truth
            for obj in self.finder.writers
            if obj in self.analysed.values.get(cut.node, frozenset())
        }
        for node in list(analysed.effects):
            if node in self.finder.able:
                continue
            found = analysed.effects[node]
            if isinstance(node, (ast.If, ast.While)):
                analysed.effects[node] = without_copies(found, truths)
                continue
            hidden = {obj for obj in copied if not self.is_seen_otherwise(node, obj)}
            if hidden:
                analysed.effects[node] = without_copies(found, hidden)

    def is_seen_otherwise(self, node: ast.AST, obj: Obj) -> bool:
        """Tell whether a part may read an object other than by a value that the front hands it."""
        found = self.effects[node]
        namespace = self.finder.namespace
        if any(namespace.get(name) is thing for name in found.globals for thing in obj.live):
            return True
        for part in names.children_of(node):
            if part in self.sites or not isinstance(part, (ast.expr, ast.keyword)):
                continue
            inner = names.nodes_in(part)
            if any(obj in reachable(self.values.get(one, frozenset())) and one not in self.sites for one in inner):
                return True
        return False

    # -- stages ------------------------------------------------------------------------------------------------------

    def solve(self, analysed: Analysed, *, seeded: bool) -> Staged:
        """Return the stages of the loop over pairs; no copy of the front's objects reaches the notebook."""
        handed = {
            obj
            for made in self.sites
            for obj in reachable(self.values.get(made, frozenset()))
            if obj.origin is not Origin.FUNCTION and obj not in self.settled
        }
        seeds = set(self.seeds)
        while True:
            solver = Solver(analysed, seeded=seeded)
            for node in seeds:
                solver.body.to_tail(node)
            staged = solver.solve()
            more = {node for node in self.leaking(solver, handed) if node not in seeds} if handed else set()
            if not more:
                self.parents = solver.body.parent
                return staged
            seeds |= more

    def leaking(self, solver: Solver, handed: set[Obj]) -> Iterable[ast.AST]:
        """Yield the parts of the head that would give the tail, or a name, a copy of an object of the front."""
        staged = solver.body.staged
        for statement in solver.body.loop.body:
            for node in names.nodes_in(statement):
                if not isinstance(node, ast.expr) or node in self.sites or staged.of(node) is Stage.TAIL:
                    continue
                if not handed & set(reachable(self.values.get(node, frozenset()))):
                    continue
                above = solver.body.parent.get(node)
                while isinstance(above, (ast.keyword, ast.Starred)):
                    above = solver.body.parent.get(above)
                if above is not None and staged.of(above) is Stage.TAIL and not isinstance(node, ast.Name):
                    yield node
                if isinstance(above, ast.Assign) and node is above.value and not self.is_ours(above):
                    yield node

    def is_ours(self, node: ast.Assign) -> bool:
        """Tell whether an assignment is one that takes a value of the front."""
        words = [part.id if isinstance(part, ast.Name) else "" for part in node.targets]
        return all(word.startswith(OURS) and not word.startswith(INLINED) for word in words)

    def settle(self, ahead: Ahead) -> Staged:
        """Return the stages with the tail's own values in the places where it uses them."""
        staged, loop = ahead.staged, ahead.loop
        back: dict[ast.AST, ast.expr] = {}
        for made, word in self.sites.items():
            if self.is_used_in_tail(made, staged):
                back[made] = self.originals[word]
                self.back_in_tail(self.originals[word], staged)
        loop.body = [self.plain_copy(part, back) for part in loop.body]
        tape = located(ast.Name(TAPE, ast.Store()), loop.body[0])
        loop.target = tape if loop.target is None else located(ast.Tuple([loop.target, tape], ast.Store()), loop.target)
        staged.uses = uses_of(loop, names.writes(*loop.body) | names.stored(loop.target))
        self.map_sets(staged)
        return staged

    def is_useless(self, cut: Cut, staged: Staged) -> bool:
        """Tell whether only the tail uses a value of the front."""
        word = self.name(cut)
        found = [made for made, name in self.sites.items() if name == word]
        early = staged.in_workers()
        return bool(found) and all(made not in early and self.is_used_in_tail(made, staged) for made in found)

    def is_used_in_tail(self, made: ast.AST, staged: Staged) -> bool:
        """Tell whether what uses a value of the front is done by the tail."""
        above = self.parents.get(made)
        while isinstance(above, (ast.keyword, ast.Starred)):
            above = self.parents.get(above)
        return above is not None and staged.of(above) is Stage.TAIL

    def back_in_tail(self, node: ast.expr, staged: Staged) -> None:
        """Note that an expression which the tail computes itself is there."""
        for part in names.nodes_in(node):
            if isinstance(part, ast.expr) and not isinstance(part, (ast.Name, ast.Constant)):
                staged.stage[part] = Stage.TAIL
            if part in self.analysed.effects:
                staged.analysed.effects.setdefault(part, self.analysed.effects[part])

    def plain_copy(self, node: Any, back: dict[ast.AST, ast.expr]) -> Any:
        """Return a statement with the notebook's own values back in their places."""
        if node in back:
            return back[node]
        made = with_fields(node, lambda value: with_parts(value, lambda part: self.plain_copy(part, back)))
        if made is not node:
            self.moved[node] = made
        return made

    def map_sets(self, staged: Staged) -> None:
        """Give copies what is known of the nodes that they stand for."""
        analysed = staged.analysed
        for node, made in self.moved.items():
            tables: tuple[dict[ast.AST, Any], ...] = (analysed.effects, analysed.values, analysed.order, staged.stage)
            for known in tables:
                if node in known:
                    known[made] = known[node]
            if node in staged.both:
                staged.both.add(made)
            if node in staged.early:
                staged.early[made] = staged.early[node]  # type: ignore[index]


def with_fields(node: Any, field_of: Callable[[Any], Any]) -> Any:
    """Return a node with other fields, made of its own; where all are the same, the node itself."""
    known = {name: getattr(node, name, None) for name in node._fields}
    made = {name: field_of(value) for name, value in known.items()}
    if all(made[name] is value for name, value in known.items()):
        return node
    return located(type(node)(**made), node)


def with_parts(value: Any, part_of: Callable[[Any], Any]) -> Any:
    """Return a field of a node with other nodes in it; where all are the same, the field itself."""
    if isinstance(value, ast.AST):
        return part_of(value)
    if not isinstance(value, list):
        return value
    made = [part_of(part) if isinstance(part, ast.AST) else part for part in value]
    return made if any(one is not other for one, other in zip(made, value, strict=True)) else value


def earlier(node: ast.AST, part: ast.AST) -> list[ast.expr]:
    """Return the expressions of a statement that Python evaluates before one of its parts, in their order."""
    found: list[ast.expr] = []
    while node is not part:
        following = next(inner for inner in evaluated(node) if part in names.nodes_in(inner))
        for inner in evaluated(node):
            if inner is following:
                break
            if isinstance(node, ast.Call) and inner is node.func and isinstance(inner, ast.Attribute):
                inner = inner.value  # the method is looked up where it is called
            found += whole_parts(inner)
        node = following
    return found


def whole_parts(node: ast.AST) -> list[ast.expr]:
    """Return a part of a statement as what can stand by itself: `a:b` is no value, nor is a target."""
    if is_slice(node):
        return [part for inner in names.children_of(node) for part in whole_parts(inner)]
    if isinstance(node, ast.keyword):
        return [node.value]
    plain = isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del))
    return [node] if plain else []  # type: ignore[list-item]


def evaluated(node: ast.AST) -> list[ast.AST]:
    """Return the parts of a node in the order in which Python evaluates them."""
    if isinstance(node, ast.Assign):
        return [node.value, *node.targets]
    if isinstance(node, ast.Dict):
        return [part for pair in zip(node.keys, node.values, strict=True) for part in pair if part is not None]
    if isinstance(node, names.COMPREHENSIONS):
        return [*node.generators, *names.children_of(node)[: -len(node.generators)]]
    return names.children_of(node)


def as_plain_loop(loop: Loop) -> tuple[Loop, ast.stmt | None]:
    """Return a `while` as a loop without a condition of its own, and the statement that tests it."""
    if loop.target is not None or loop.test is None:
        return loop, None
    if isinstance(loop.test, ast.Constant) and loop.test.value:
        return replace(loop, test=None), None
    place = loop.test
    negated = located(ast.UnaryOp(ast.Not(), loop.test), place)
    leave = located(ast.Break(), place)
    leave.concompare_test = True  # type: ignore[attr-defined]
    test = located(ast.If(negated, [leave], []), place)
    return replace(loop, test=None, body=[test, *loop.body]), test


def ahead_of(analysed: Analysed, staged: Staged | None, *, seeded: bool, test: ast.stmt | None = None) -> Ahead | None:
    """Return a loop with a front, where that lets workers do more; else None.

    Args:
        analysed: The loop.
        staged: Its stages without a front; None for a `while`, which has no items without one.
        seeded: Random numbers of the process come from one stream for each item.
        test: The statement that tests the condition of a `while`.
    """
    loop = analysed.loop
    if loop.stops is not None or (staged is not None and not heavy_in_tail(staged)) or has_attributes(analysed):
        return None
    solver = Solver(analysed, seeded=seeded)
    finder = Finder(solver, seeded=seeded)
    cuts = finder.find()
    ending = list(finder.ending()) if loop.target is None else []
    if not (cuts or ending) and loop.target is not None:
        return None
    ends = any(
        isinstance(jump, ast.Break) and is_decided(finder, jump) for part in loop.body for jump in own_jumps(part)
    )
    writer, made, found = written(finder, cuts, ending, seeded, test)
    used = [cut for cut in cuts if cut.effectful or not writer.is_useless(cut, found)]
    if len(used) < len(cuts):
        cuts = used
        if not (cuts or ending) and loop.target is not None:
            return None
        writer, made, found = written(finder, cuts, ending, seeded, test)
    if staged is not None:
        speculate(staged)
        lost, kept = ([node for node in held(staged) if node not in writer.needed] for held in HELD_BACK)
        if len(heavy_in_tail(found)) >= len(lost) and len(heavy_in_notebook(found)) >= len(kept):
            return None
    elif not (ends or ending or is_worth_it(found)):
        return None
    assigned = names.writes(*loop.body) | (names.stored(loop.target) if loop.target is not None else set())
    begins = [name for name in sorted(assigned) if name in finder.namespace and not name.startswith(OURS)]
    front = writer.front(begins, test)
    number = next((writer.number[cut.node] for cut in cuts if cut.effectful and cut.place is test), None)
    return Ahead(made.loop, found, front, begins, writer.changed(), ends, writer, number)


def has_attributes(analysed: Analysed) -> bool:
    """Tell whether the loop has a dictionary of attributes: a copy of it is not that of the object's copy."""
    places = (place for found in analysed.effects.values() for place in found.reads | found.writes)
    return any(place.obj is not None and place.obj.method == ATTRIBUTES for place in places)


def written(
    finder: Finder, cuts: Sequence[Cut], ending: Sequence[ast.stmt], seeded: bool, test: ast.stmt | None
) -> tuple[Rewriter, Analysed, Staged]:
    """Return the loop without what the front does, and its stages."""
    writer = Rewriter(finder, cuts, ending)
    writer.find_needed()
    writer.settled = writer.find_bound()
    writer.test_cut = isinstance(test, ast.If) and any(cut.effectful and cut.place is test for cut in cuts)
    made = writer.rewrite()
    found = writer.solve(made, seeded=seeded)
    speculate(found)
    return writer, made, found


def is_worth_it(staged: Staged) -> bool:
    """Tell whether workers have something to do."""
    found = staged.analysed.effects.items()
    return bool(staged.early) or any(effects.heavy and staged.of(node) is Stage.HEAD for node, effects in found)


def is_decided(finder: Finder, jump: ast.AST) -> bool:
    """Tell whether the front decides about a jump, and not in the same way for every item."""
    guards = finder.own_guards(jump)
    return all(guard in finder.able for guard in guards) and any(guard in finder.needy for guard in guards)
