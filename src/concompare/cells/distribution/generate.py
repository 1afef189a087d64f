"""The code of the stages: the same control flow in each, with a record of what another stage has to do.

The head is the body, but each part of the tail is replaced by an entry in a record: the number of an action and the
values it needs. The tail plays the record of each item in order. So branches, inner loops, `try`, `with` and `break`
need no code of their own, and the record of an item that failed says exactly how far the plain loop would have come.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from concompare.cells.distribution.code.entries import Entries
from concompare.cells.distribution.code.generated import Generated
from concompare.cells.distribution.code.holding import Holding
from concompare.cells.distribution.code.record import (
    BREAK,
    CHANGED,
    KEPT,
    PARTS,
    RECORD,
    empty_record,
    parts_of_item,
    present,
    record,
)
from concompare.cells.distribution.nodes import BLOCKS, jumps_in, own_jumps
from concompare.cells.distribution.staging import Staged
from concompare.cells.ir import OURS, Stage
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.cells.syntax.placing import placed

ITEM = OURS + "item"


class Generator:
    """Writes the stages of one loop."""

    def __init__(self, staged: Staged) -> None:
        self.staged = staged
        self.loop = staged.analysed.loop
        self.uses = staged.uses
        self.holding = Holding(staged)
        self.entries = Entries(self.holding)
        self.early = False

    def generate(self) -> Generated:
        """Return the code of the stages."""
        body, kept, direct = self.attempt()
        shared = self.holding.shared_names(self.entries.actions, kept, direct=direct)
        if shared:
            self.holding.in_tail |= shared
            self.holding.shared = shared
            self.staged.both |= {
                node for name in shared for node in self.uses.defs[name] if not self.holding.bound_in_tail(node)
            }
            self.entries, self.early = Entries(self.holding), False
            body, kept, direct = self.attempt(direct=False)
        return self.generated(body, kept, direct=direct)

    def attempt(self, *, direct: bool = True) -> tuple[list[ast.stmt], list[str], bool]:
        """Write the body of the head, and the tail, with what is known of the names by now.

        Returns them with the names that are left behind, and whether the tail's one action comes last.
        """
        starred = [node for node in self.holding.starred if node in self.staged.both]
        body = [*self.entries.bound_again(self.loop.body[0], starred), *self.block(self.loop.body, top=True)]
        self.early = self.early or self.staged.items_change
        kept = self.holding.kept_names()
        direct = direct and self.is_direct(body)
        only = self.entries.actions[0] if direct else None
        if only is not None and is_one_step(body[:-1]) and not self.may_raise(only.operands):
            kept = [name for name in kept if name not in only.names]  # nothing can raise after the one assignment
        elif only is not None and set(kept) & set(only.names):
            direct = False
        return body, kept, direct

    def generated(self, body: list[ast.stmt], kept: list[str], *, direct: bool) -> Generated:
        """Return the stages with the head as a function."""
        stops = any(isinstance(part, ast.Break) for action in self.entries.actions for part in jumps_in(action.code))
        head = self.function(body, kept, direct=direct, stops=stops)
        gone = frozenset(self.uses.deleted - set(kept) - self.holding.in_tail)
        return Generated(
            self.loop,
            head,
            self.entries.actions,
            direct,
            kept,
            set(kept) & self.uses.sure,
            self.staged,
            stops,
            gone,
            frozenset(kept).difference(self.holding.crossing(kept)),
            self.staged.runs_once(),
        )

    def may_raise(self, operands: Iterable[ast.AST]) -> bool:
        """Tell whether what the tail is given may not be there after all."""
        return any(self.staged.raising.raises(part) for node in operands for part in names.nodes_in(node))

    def is_direct(self, body: list[ast.stmt]) -> bool:
        """Tell whether the one action comes last in every iteration."""
        if (
            self.staged.items_change
            or len(self.entries.actions) != 1
            or self.early
            or self.entries.actions[0].unsure
            or self.entries.actions[0].jumps
        ):
            return False
        return bool(body) and getattr(body[-1], "concompare_entry", None) is self.entries.actions[0]

    def block(self, statements: Sequence[ast.stmt], *, top: bool = False) -> list[ast.stmt]:
        """Write the head of statements."""
        made: list[ast.stmt] = []
        for position, statement in enumerate(statements):
            whole = isinstance(statement, BLOCKS) and self.staged.of(statement) is Stage.TAIL
            if whole and any(True for _ in own_jumps(statement)):
                rest = list(statements[position:])
                if is_test(statement):
                    made += self.entries.entry([rest.pop(0)], jumps=True, ends=True)
                return made + (self.entries.entry(rest, jumps=True) if rest else [])
            if isinstance(statement, ast.Pass) and len(statements) > 1:
                continue
            made += self.statement(statement)
            if isinstance(statement, (ast.Break, ast.Continue, ast.Return, ast.Raise)):
                break
        return made

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        """Write the head of one statement."""
        if isinstance(node, (ast.Break, ast.Continue)) and not self.entries.nested:
            return self.jump(node)
        if isinstance(node, ast.Global):
            return []
        if isinstance(node, ast.Delete) and any(isinstance(part, ast.Name) for part in node.targets):
            return self.entries.entry([node]) if self.holding.has_tail(node) else [node, *self.entries.entry([node])]
        tail, both = self.holding.has_tail(node), self.holding.has_both(node)
        if isinstance(node, BLOCKS):
            if self.staged.of(node) is Stage.TAIL:
                return self.entries.entry([node])
            if tail or both or jumps_in([node]) or self.holding.is_repeated(node):
                return self.inside(node)
            return [node]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not self.loop.collects:
            return self.annotated(node)
        if tail:
            return [*self.entries.entry([node]), *self.entries.bound_if_there(self.holding.names_given(node), node)]
        if self.holding.makes_function(node):
            return self.entries.done_twice(node)
        if both:
            given = [part for part in self.holding.names_given(node) if part in both]  # maybe under a condition
            sure = [part for part in both if part not in given]
            rest = [*self.entries.bound_again(node, sure), *self.entries.bound_if_there(given, node)]
            return [self.told_on_failing(node, given) if given else node, *rest]
        return [node]

    def told_on_failing(self, node: ast.stmt, given: list[ast.AST]) -> ast.stmt:
        """Write a statement after whose `:=` something else in it may raise: the notebook needs the name all the same.

        There is nothing to tell where the name gets its value last.
        """
        told = self.entries.bound_if_there(given, node)
        handler = located(ast.ExceptHandler(None, None, [*told, located(ast.Raise(None, None), node)]), node)
        return located(ast.Try([node], [handler], [], []), node)

    def annotated(self, node: ast.AnnAssign) -> list[ast.stmt]:
        """Write an annotated assignment: the notebook keeps the annotation."""
        bare = located(ast.AnnAssign(node.target, node.annotation, None, node.simple), node)
        first: list[ast.stmt] = []
        if node.value is not None:
            plain = located(ast.Assign([node.target], node.value), node)
            if self.staged.of(node) is Stage.TAIL:
                self.staged.stage[plain] = Stage.TAIL
            first = self.statement(plain)
        return [*first, *self.entries.entry([bare])]

    def jump(self, node: ast.stmt) -> list[ast.stmt]:
        """Write a `break` or `continue` of the loop."""
        self.early = True
        end: ast.stmt = located(ast.Return(None), node)
        if isinstance(node, ast.Break):
            ended: list[ast.expr] = [located(ast.Constant(True), node)] if is_test(node) else []
            return [record(BREAK, ended, node), end]
        return [end]

    def inside(self, node: ast.stmt) -> list[ast.stmt]:
        """Write the head of a block whose body has parts in the tail."""
        made = names.copied(
            node, lambda part: part if isinstance(part, (ast.stmt, ast.expr)) and part is not node else None
        )
        if isinstance(node, ast.Match):
            assert isinstance(made, ast.Match)
            bound = [part for case in node.cases for part in [case.pattern, case.guard] if part is not None]
            both = [part for inner in [node.subject, *bound] for part in self.holding.has_both(inner)]
            made.cases = [self.case(part, both) for part in node.cases]
            rest = self.entries.bound_if_there(both, node)
            if rest and not any(part.guard is None and is_irrefutable(part.pattern) for part in node.cases):
                made.cases.append(ast.match_case(located(ast.MatchAs(), node), None, rest))
            return [made]
        is_loop = isinstance(node, (ast.For, ast.AsyncFor, ast.While))
        first: list[ast.stmt] = []
        if isinstance(node, (ast.For, ast.AsyncFor)):
            first = self.entries.bound_again(node.target, self.holding.has_both(node.target))
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            both = [part for item in node.items for part in self.holding.has_both(item)]
            first = self.entries.bound_again(node, both)
        after: list[ast.stmt] = []
        if isinstance(node, (ast.If, ast.While)):
            both = self.holding.has_both(node.test)
            first, after = self.entries.bound_if_there(both, node), self.entries.bound_if_there(both, node)
        self.entries.nested += is_loop
        made.body = [*first, *self.block(node.body)] or [located(ast.Pass(), node)]  # type: ignore[attr-defined]
        self.entries.nested -= is_loop
        if isinstance(node, (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar)):
            made.orelse = self.block(node.orelse)  # type: ignore[attr-defined]
            made.orelse = [*after, *made.orelse]  # type: ignore[attr-defined]
        if isinstance(node, (ast.Try, ast.TryStar)):
            made.finalbody = self.block(node.finalbody)  # type: ignore[attr-defined]
            made.handlers = [self.handler(part) for part in node.handlers]  # type: ignore[attr-defined]
        return [made]

    def handler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        """Write the head of an `except`."""
        both = node.name if node in self.staged.both else None
        first = self.entries.bound_by_name(both, node) if both else []
        body = self.block(node.body) or [located(ast.Pass(), node)]
        if both:
            body = [*first, located(ast.Try(body, [], [], self.entries.deleted(both, node)), node.body[0])]
        return located(ast.ExceptHandler(node.type, node.name, body), node)

    def case(self, node: ast.match_case, both: list[ast.AST]) -> ast.match_case:
        """Write the head of a `case`."""
        body = [*self.entries.bound_if_there(both, node.body[0]), *self.block(node.body)]
        return ast.match_case(node.pattern, node.guard, body or [located(ast.Pass(), node.body[0])])

    def function(
        self, body: list[ast.stmt], kept: list[str], *, direct: bool, stops: bool
    ) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """Return the head as a function of an item."""
        loop, place = self.loop, self.loop.body[0]
        body = list(body)
        value = self.value_of_item(body.pop() if direct else None, place)
        left = (
            [record(KEPT, [present(self.holding.crossing(kept), place)], place)]
            if kept and not direct and (stops or (loop.collects and self.staged.items_change))
            else []
        )
        actions = self.entries.actions
        inner = any(action.inner for action in actions)
        several = len(actions) > 1 or inner if loop.collects else bool(actions)
        several = several or self.staged.items_change
        if kept or (several and not direct):
            value = located(ast.Tuple([value, present(kept, place)], ast.Load()), value)
        end = located(ast.Return(value), body[-1] if body else place)
        if self.early:
            body = Ends(value, left).block(body)
        body += [*left, end]
        argument, first = self.first_steps(place, direct=direct)
        args = ast.arguments(
            [],
            [located(ast.arg(argument), place), located(ast.arg(RECORD), place)],
            None,
            [],
            [],
            None,
            [located(ast.Constant(None), place)],
        )
        waits = loop.collects and any(ast.Await in names.kinds_in(part) for part in body)
        made = (ast.AsyncFunctionDef if waits else ast.FunctionDef)("head", args, [*first, *body], [], None)
        return placed(located(made, place))

    def value_of_item(self, entry: ast.stmt | None, place: ast.stmt) -> ast.expr:
        """Return what the head gives back: the values of its only entry, the record, or nothing."""
        if entry is not None:
            values = entry.value.args[0].elts[1:]  # type: ignore[attr-defined]
            if not values:
                return located(ast.Constant(None), entry)
            one: ast.expr = values[0]
            return one if len(values) == 1 else located(ast.Tuple(values, ast.Load()), entry)
        if self.entries.actions or self.early:
            return located(ast.Name(RECORD, ast.Load()), place)
        return located(ast.Constant(None), place)

    def first_steps(self, place: ast.stmt, *, direct: bool) -> tuple[str, list[ast.stmt]]:
        """Return the name of the head's parameter, and what the head does before the body."""
        argument, first = self.argument()
        if self.staged.items_change:
            first.insert(0, parts_of_item(argument, place))
        if not direct and (self.entries.actions or self.early):
            first.append(empty_record(place))
        if self.staged.items_change:
            words = [argument, PARTS]
            first.append(record(CHANGED, [located(ast.Name(word, ast.Load()), place) for word in words], place))
        return argument, first

    def argument(self) -> tuple[str, list[ast.stmt]]:
        """Return the name of the head's parameter, and the statements that bind the loop's target to it."""
        target = self.loop.target
        if target is None:
            return ITEM, []
        if isinstance(target, ast.Name):
            return target.id, []
        taken = names.reads(*self.loop.body) | names.writes(*self.loop.body) | names.stored(target)
        argument = next(word for word in ("item", "items_", "item_", ITEM) if word not in taken)
        load = located(ast.Name(argument, ast.Load()), target)
        return argument, [located(ast.Assign([target], load), target)]


def is_one_step(body: Sequence[ast.stmt]) -> bool:
    """Tell whether nothing can raise in statements once a name has its value."""
    targets = [part for node in body if isinstance(node, ast.Assign) for part in node.targets]
    stores = any(isinstance(part, (ast.Attribute, ast.Subscript)) for node in targets for part in names.nodes_in(node))
    return len(body) < 2 and not stores and not any(ast.NamedExpr in names.kinds_in(node) for node in body)


def is_test(node: ast.stmt) -> bool:
    """Tell whether a statement tests the condition of a `while`."""
    return any(getattr(jump, "concompare_test", False) for jump in own_jumps(node))


def is_irrefutable(node: ast.pattern) -> bool:
    """Tell whether a pattern matches everything."""
    if isinstance(node, ast.MatchAs):
        return node.pattern is None or is_irrefutable(node.pattern)
    return isinstance(node, ast.MatchOr) and any(map(is_irrefutable, node.patterns))


class Ends(ast.NodeTransformer):
    """Give the early ends of the head their value."""

    def __init__(self, value: ast.expr, left: list[ast.stmt]) -> None:
        self.value, self.left = value, left

    def block(self, statements: Iterable[ast.stmt]) -> list[ast.stmt]:
        """Give the ends in statements, and those that are some of them, their value."""
        found = (self.visit(part) for part in statements)
        return [part for made in found for part in (made if isinstance(made, list) else [made])]

    def visit_Return(self, node: ast.Return) -> ast.Return | list[ast.stmt]:
        """Give an early end its value, after what the tail may have to know."""
        return [*self.left, located(ast.Return(self.value), node)] if node.value is None else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Leave inner functions alone."""
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        """Leave inner functions alone."""
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        """Leave inner functions alone."""
        return node
