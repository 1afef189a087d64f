"""The front as code: the slice of a body that the values handed to the head depend on (Weiser, 1981)."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Any

from concompare.cells.distribution.ahead import shadows
from concompare.cells.distribution.ahead.finding import Cut, Finder
from concompare.cells.distribution.uses import START
from concompare.cells.ir import OURS, TAPE, Order
from concompare.cells.objects import Obj, Origin, reachable
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located, statements_at
from concompare.cells.syntax.placing import placed

FRONT = OURS + "front"
ITEMS = OURS + "items"
ITEM = OURS + "item"
PUT = OURS + "put"
KEEP = OURS + "keep"
COPY = OURS + "copy"
TURN = OURS + "turn"
WALKED = OURS + "walked"


class Slicer:
    """Writes the front of one loop.

    Args:
        finder: What the front can do.
        cuts: What the head needs of it.
        ending: Statements that end the loop with an error when there is nothing left, which the front does as well.
    """

    def __init__(self, finder: Finder, cuts: Sequence[Cut], ending: Sequence[ast.stmt] = ()) -> None:
        self.ending = ending
        self.finder, self.solver, self.cuts = finder, finder.solver, list(cuts)
        self.analysed, self.loop = finder.analysed, finder.loop
        self.number: dict[ast.AST, int] = {cut.node: number for number, cut in enumerate(self.cuts)}
        self.needed: set[ast.AST] = set()
        self.bound: dict[ast.stmt, int] = {}
        self.test: ast.AST | None = None
        self.test_cut = False

    # -- what the front needs ----------------------------------------------------------------------------------------

    def find_needed(self) -> None:
        """Find all that the cuts depend on."""
        finder = self.finder
        stack: list[ast.AST] = [*(cut.node for cut in self.cuts), *self.ending]
        stack += [guard for cut in self.cuts for guard in finder.guards_of(cut.place)]
        while stack:
            node = stack.pop()
            if node in self.needed or node not in finder.able:
                continue
            self.needed.add(node)
            stack += names.children_of(node)
            stack += self.needs_of(node)

    def needs_of(self, node: ast.AST) -> Iterable[ast.AST]:
        """Yield what a node of the front depends on itself."""
        finder = self.finder
        yield from finder.guards[node]
        if isinstance(self.solver.body.parent.get(node), ast.withitem):
            yield from names.children_of(self.solver.body.parent[node])
        for obj in finder.touched.get(node, ()):
            yield from finder.writers.get(obj, ())
        for obj in self.analysed.values.get(node, frozenset()):
            yield from finder.writers.get(obj, ())
        if Order.RANDOM in self.analysed.of(node).order:
            yield from finder.random
        for definition in finder.uses.reads.get(node, frozenset()):
            if definition is not START:
                yield definition
                continue
            words = [node.id] if isinstance(node, ast.Name) else self.solver.dependences.free(node)
            for word in words:
                yield from finder.uses.defs.get(word, ())
        for above, _ in finder.around(node):
            if above in finder.able:
                yield above

    def find_bound(self) -> set[Obj]:
        """Find the assignments whose value the tail takes from the front; return what is one object everywhere then."""
        settled: set[Obj] = set()
        for cut in self.cuts:
            for obj in reachable(self.analysed.values.get(cut.node, frozenset())):
                if obj.origin is not Origin.MADE:
                    settled |= {obj} if obj.outer else set()
                    continue
                holders = self.holders(obj, cut.node)
                makers = {part for part in holders if not self.only_names(obj, part, holders)}
                if obj in self.finder.writers or not all(map(self.is_plain_binding, makers)) or len(makers) > 1:
                    continue
                if not all(map(self.is_needed, makers)):
                    continue  # the front does not run them
                settled.add(obj)
                for statement in makers:
                    self.bound.setdefault(statement, len(self.cuts) + len(self.bound))
        return settled - set(self.finder.writers)

    def is_needed(self, node: ast.AST) -> bool:
        """Tell whether the front runs a statement: the cuts depend on it, or on a part of it."""
        return any(part in self.needed for part in names.nodes_in(node))

    def holders(self, obj: Obj, node: ast.expr) -> set[ast.stmt]:
        """Return the statements of the front in which an object turns up, but for where it is handed over."""
        found = set()
        inner = set(names.nodes_in(node)) if any(map(self.finder.is_effectful, names.nodes_in(node))) else set()
        for part in self.finder.needy & self.finder.able - inner:
            if isinstance(part, ast.expr) and obj in reachable(self.analysed.values.get(part, frozenset())):
                statement = self.finder.statement_of(part)
                if statement in self.finder.able:
                    found.add(statement)
        return found

    def only_names(self, obj: Obj, node: ast.stmt, holders: set[ast.stmt]) -> bool:
        """Tell whether a statement has an object only by the name that another statement gave it."""
        for part in names.nodes_in(node):
            if isinstance(part, ast.expr) and obj in self.analysed.values.get(part, frozenset()):
                if not isinstance(part, ast.Name):
                    return False
                found = self.finder.uses.reads.get(part, frozenset())
                if len(found) != 1 or found <= {START} or self.statement_defining(found) not in holders - {node}:
                    return False
        return True

    def statement_defining(self, found: frozenset[ast.AST]) -> ast.AST | None:
        """Return the statement of the one assignment that a read may see."""
        (definition,) = found
        return self.finder.statement_of(definition) if definition in self.solver.body.parent else None

    def is_plain_binding(self, node: ast.stmt) -> bool:
        """Tell whether a statement does no more than give one name a value, once for an item."""
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            return False
        return not self.solver.body.loops.get(node) and self.solver.body.parent.get(node) not in self.finder.able

    def changed(self) -> list[Any]:
        """Return the live objects that the front changes."""
        draws = any(Order.RANDOM in self.analysed.of(node).order for node in self.needed)
        found: dict[int, Any] = {id(thing): thing for thing in (shadows.generators_of_process() if draws else ())}
        for obj, writers in self.finder.writers.items():
            if obj.origin is Origin.OUTER and any(writer in self.needed for writer in writers):
                found |= {id(thing): thing for thing in obj.live}
        return list(found.values())

    # -- the front ---------------------------------------------------------------------------------------------------

    def front(self, begins: list[str], test: ast.AST | None) -> ast.FunctionDef:
        """Return the generator that computes ahead."""
        place = self.loop.body[0]
        self.test = test
        body = statements_at(f"{TAPE} = {{}}", place)
        if self.loop.target is not None:
            load = located(ast.Name(ITEM, ast.Load()), self.loop.target)
            body.append(located(ast.Assign([self.loop.target], load), self.loop.target))
        body += self.slice(self.loop.body, [])
        body += self.hand_out(place)
        head = f"for {ITEM} in {ITEMS}: pass" if self.loop.target is not None else "while True: pass"
        (turn,) = statements_at(head, place)
        assert isinstance(turn, (ast.For, ast.While))
        turn.body = body
        parameters = [located(ast.arg(name), place) for name in [ITEMS, PUT, KEEP, COPY, TURN, *begins]]
        made = ast.FunctionDef("front", ast.arguments([], parameters, None, [], [], None, []), [turn], [], None)
        return placed(located(made, place))

    def hand_out(self, place: ast.AST) -> list[ast.stmt]:
        """Return the statement that hands out an item with its tape."""
        value = f"({ITEM}, {TAPE})" if self.loop.target is not None else TAPE
        return statements_at(f"yield {value}", place)

    def slice(self, statements: Sequence[ast.stmt], found: list[ast.stmt]) -> list[ast.stmt]:
        """Return what the front does of statements."""
        for node in statements:
            if isinstance(node, (ast.Break, ast.Continue)):
                found += self.jump(node)
                continue
            if node in self.finder.able:
                if self.is_needed(node):
                    found.append(node)
                if node in self.bound:
                    target = node.targets[0]  # type: ignore[attr-defined]
                    found += statements_at(f"{PUT}({TAPE}, {self.bound[node]}, {target.id})", node)
                continue
            for cut in self.cuts:
                if cut.place is node and not self.is_head(cut, node):
                    found.append(located(ast.Expr(self.taken(cut)), cut.node))
            found += self.block(node)
        return found

    def jump(self, node: ast.Break | ast.Continue) -> list[ast.stmt]:
        """Return the end of an iteration of the front."""
        if self.solver.body.loops.get(node):
            return [node]
        if isinstance(node, ast.Break) and self.test is not None and self.is_in(node, self.test) and not self.test_cut:
            return [node]
        return [*self.hand_out(node), node]

    def is_in(self, node: ast.AST, around: ast.AST) -> bool:
        """Tell whether a node is a part of another."""
        return node in names.nodes_in(around)

    def is_head(self, cut: Cut, node: ast.stmt) -> bool:
        """Tell whether a cut is what a compound statement begins with, so that it takes the value itself."""
        if isinstance(node, ast.For):
            return cut.node is node.iter and cut.effectful
        return isinstance(node, (ast.If, ast.While)) and cut.node is node.test

    def taken(self, cut: Cut, value: ast.expr | None = None) -> ast.expr:
        """Return the expression that computes a value, where it is not given, and notes it on the tape."""
        number, place = self.number[cut.node], cut.node
        value = value or cut.node
        if cut.truth:
            value = located(ast.UnaryOp(ast.Not(), located(ast.UnaryOp(ast.Not(), value), place)), place)
        elif any(obj in self.finder.writers for obj in self.analysed.values.get(cut.node, frozenset())):
            value = located(ast.Call(located(ast.Name(COPY, ast.Load()), place), [value], []), place)
        function = located(ast.Name(KEEP if cut.many else PUT, ast.Load()), place)
        tape = located(ast.Name(TAPE, ast.Load()), place)
        return located(ast.Call(function, [tape, located(ast.Constant(number), place), value], []), place)

    def condition(self, node: ast.If | ast.While) -> ast.expr:
        """Return the condition of a compound statement in the front."""
        for cut in self.cuts:
            if cut.node is node.test:
                return self.taken(cut)
        return node.test

    def block(self, node: ast.stmt) -> list[ast.stmt]:
        """Return what the front does of a compound statement that is not in it as a whole."""
        if isinstance(node, (ast.If, ast.While)):
            body, orelse = self.slice(node.body, []), self.slice(node.orelse, [])
            if node.test not in self.finder.able or not (body or orelse or self.is_cut(node.test)):
                return []
            kind = type(node)
            turn = (
                statements_at(f"{TURN}({TAPE})", node) if kind is ast.While else []
            )  # what ends it may not be in the front
            return [located(kind(self.condition(node), [*turn, *body] or statements_at("pass", node), orelse), node)]
        if isinstance(node, ast.For):
            return self.slice_for(node)
        if isinstance(node, ast.Try):
            return self.slice_try(node)
        return self.slice_with(node) if isinstance(node, ast.With) else []

    def slice_with(self, node: ast.With) -> list[ast.stmt]:
        """Return what the front does of a `with` that opens members of archives: nobody sees its own open ones."""
        found: list[ast.stmt] = []
        for item in node.items if self.finder.is_reading(node) else ():
            if item.context_expr not in self.needed:
                continue
            value: ast.stmt = ast.Expr(item.context_expr)
            if item.optional_vars is not None:
                value = ast.Assign([item.optional_vars], item.context_expr)
            found.append(located(value, item.context_expr))
        return [*found, *self.slice(node.body, [])]

    def slice_for(self, node: ast.For) -> list[ast.stmt]:
        """Return what the front does of an inner loop: what finds its items does so once, as they are handed over."""
        body, orelse = self.slice(node.body, []), self.slice(node.orelse, [])
        binds = any(part in self.needed for part in names.nodes_in(node.target))
        if node.iter not in self.finder.able:
            return []
        found: list[ast.stmt] = []
        walked = node.iter
        for cut in self.cuts:
            if cut.place is node and self.is_head(cut, node):
                word = f"{WALKED}{self.number[cut.node]}"
                found.append(located(ast.Assign([located(ast.Name(word, ast.Store()), walked)], walked), walked))
                walked = located(ast.Name(word, ast.Load()), walked)
                found.append(located(ast.Expr(self.taken(cut, walked)), walked))
        if body or orelse or binds:
            turn = statements_at(f"{TURN}({TAPE})", node)
            found.append(located(ast.For(node.target, walked, [*turn, *body], orelse), node))
        return found

    def is_cut(self, node: ast.AST) -> bool:
        """Tell whether an expression is a cut."""
        return node in self.number

    def slice_try(self, node: ast.Try) -> list[ast.stmt]:
        """Return what the front does of a `try`: an error that it would catch there ends the front."""
        inner = [part for statement in node.body for part in names.nodes_in(statement)]
        body = self.slice(node.body, [])
        handlers = [self.slice(handler.body, []) for handler in node.handlers]
        orelse, last = self.slice(node.orelse, []), self.slice(node.finalbody, [])
        same = all(part in self.finder.able and part not in self.finder.needy for part in inner)
        if not any(handlers) or not same:
            return [*body, *orelse, *last]
        caught = [
            located(ast.ExceptHandler(handler.type, handler.name, found or statements_at("pass", handler)), handler)
            for handler, found in zip(node.handlers, handlers, strict=True)
        ]
        return [located(ast.Try(list(node.body), caught, orelse, last), node)]
