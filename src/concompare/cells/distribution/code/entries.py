"""The actions of the tail, and the entries of the head that ask for them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from concompare.cells.distribution.code.generated import HELD, Action
from concompare.cells.distribution.code.holding import Holding
from concompare.cells.distribution.code.lifter import Lifter
from concompare.cells.distribution.code.presence import Presence
from concompare.cells.distribution.code.record import present, record
from concompare.cells.distribution.nodes import BLOCKS, CONDITIONAL, is_slice
from concompare.cells.ir import OURS, Stage
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located

RISKY = (ast.Call, ast.BinOp, ast.Subscript, ast.Attribute, *names.COMPREHENSIONS)
"""What may raise."""


class Entries:
    """Writes the actions of one loop, with a number for each.

    Attributes:
        nested: How many inner loops are around what is being written.
        held: Expressions that are actions of their own already.
    """

    def __init__(self, holding: Holding) -> None:
        self.holding = holding
        self.staged = holding.staged
        self.actions: list[Action] = []
        self.count = 0
        self.nested = 0
        self.held: set[ast.AST] = set()
        self.presence = Presence(holding)

    def fresh(self, begin: str = OURS) -> str:
        """Return a name that nothing has yet."""
        self.count += 1
        return f"{begin}{self.count}"

    def entry(self, statements: list[ast.stmt], *, jumps: bool = False, ends: bool = False) -> list[ast.stmt]:
        """Write an action of the tail, and the entry of the head that asks for it."""
        first, statements = self.spilled(statements)
        action = Action(len(self.actions), [], jumps=jumps, ends=ends, inner=self.nested > 0)
        lifter = Lifter(self.holding, self.fresh, action)
        action.code = [lifter.statement(part) for part in statements]
        return [*first, self.recorded(action, statements[0])]

    def bound_if_there(self, nodes: list[ast.AST], place: ast.AST) -> list[ast.stmt]:
        """Write an entry that gives names their values in the notebook too, as far as they have any."""
        words = dict.fromkeys(
            next((word for kind in ("id", "name", "rest") if (word := getattr(node, kind, None))), "") for node in nodes
        )
        found = [word for word in words if word]
        if not found:
            return []
        nothing = located(ast.Pass(), place)
        return [self.recorded(Action(len(self.actions), [nothing], unsure=found), place)]

    def bound_by_name(self, name: str, place: ast.AST) -> list[ast.stmt]:
        """Write the entry that gives a name of the head its value in the notebook too."""
        made = self.bound_again(place, [located(ast.Name(name, ast.Store()), place)])
        self.actions[-1].opens = name
        return made

    def deleted(self, name: str, place: ast.AST) -> list[ast.stmt]:
        """Write the entry that deletes a name in the notebook, as the end of an `except … as` does."""
        code = located(ast.Delete([located(ast.Name(name, ast.Del()), place)]), place)
        return [self.recorded(Action(len(self.actions), [code], closes=name), place)]

    def bound_again(self, place: ast.AST, nodes: Iterable[ast.AST]) -> list[ast.stmt]:
        """Write entries that give names of the head their values in the notebook too."""
        made: list[ast.stmt] = []
        for part in nodes:
            if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Import, ast.ImportFrom)):
                made += self.entry([part])
            elif isinstance(part, ast.Name):
                value = self.fresh()
                target = located(ast.Name(part.id, ast.Store()), part)
                code = located(ast.Assign([target], located(ast.Name(value, ast.Load()), part)), part)
                action = Action(len(self.actions), [code], [value], [located(ast.Name(part.id, ast.Load()), part)])
                made.append(self.recorded(action, part))
        return made

    def done_twice(self, node: ast.stmt) -> list[ast.stmt]:
        """Write a statement that the notebook does too, with what it needs as it is before the head does it."""
        made = self.entry([node])
        first: list[ast.stmt] = []
        entry = made[-1]
        if names.writes(node) & names.reads(node):
            values = entry.value.args[0].elts  # type: ignore[attr-defined]
            for place in range(1, len(values)):
                word = self.fresh()
                first.append(located(ast.Assign([located(ast.Name(word, ast.Store()), node)], values[place]), node))
                values[place] = located(ast.Name(word, ast.Load()), node)
        return [*first, node, *made]

    def recorded(self, action: Action, place: ast.AST) -> ast.stmt:
        """Return the statement of the head that asks for an action."""
        self.actions.append(action)
        order = self.staged.analysed.order
        both = sorted(zip(action.operands, action.values, strict=True), key=lambda pair: order.get(pair[0], 0))
        action.operands, action.values = [node for node, _ in both], [word for _, word in both]
        values: list[ast.expr] = list(action.operands)
        values += [located(ast.Name(name, ast.Load()), place) for name in action.names]
        if action.unsure:
            values.append(present(action.unsure, place))
        made = record(action.number, values, place)
        made.concompare_entry = action  # type: ignore[attr-defined]
        return made

    def spilled(self, statements: list[ast.stmt]) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """Let the notebook do first what the plain loop does before an expression of the head that may raise."""
        (node, *rest) = statements
        if rest or isinstance(node, (*BLOCKS, ast.Delete)):
            return [], statements
        order, staged = self.staged.analysed.order, self.staged
        inner = names.nodes_in(node)
        last = max((order[part] for part in inner if self.is_risky(part)), default=-1)
        early = [part for part in self.first_parts(node, last) if part not in self.held] if last >= 0 else []
        made = self.looked_up_first(node) if last >= 0 else []
        words: dict[ast.AST, ast.expr] = {}
        for part in sorted(early, key=lambda part: order[part]):
            word = self.fresh(HELD)
            text = isinstance(part, ast.FormattedValue)
            value = located(ast.JoinedStr([part]), part) if text else part
            before = located(ast.Assign([located(ast.Name(word, ast.Store()), part)], value), part)
            staged.stage[before] = Stage.TAIL
            self.held.add(part)
            load: ast.expr = located(ast.Name(word, ast.Load()), part)
            staged.stage[load] = Stage.TAIL
            words[part] = located(ast.FormattedValue(load, -1, None), part) if text else load
            staged.stage[words[part]] = Stage.TAIL
            made += self.entry([before])
        if not words:
            return made, statements
        around = {part for part in inner if any(early_part in names.nodes_in(part) for early_part in words)}
        after = names.copied(node, lambda part: words.get(part) or (None if part in around else part))
        staged.stage[after] = Stage.TAIL
        return made, [after]

    def first_parts(self, node: ast.AST, last: int) -> Iterator[ast.expr]:
        """Yield the outermost parts of the tail that are evaluated before `last` and may raise or change something."""
        order, raising = self.staged.analysed.order, self.staged.raising
        for part in names.children_of(node):
            if isinstance(node, ast.Call) and part is node.func and self.staged.of(part) is Stage.HEAD:
                part = getattr(part, "value", part)  # the method itself is looked up by the call
            looked_up = self.staged.of(node) is Stage.TAIL and self.presence.is_in_doubt(part)
            if looked_up and order.get(part, last) < last:
                yield part  # type: ignore[misc]
                continue
            early = isinstance(part, ast.expr) and self.staged.of(part) is Stage.TAIL and order.get(part, last) < last
            bound = isinstance(getattr(part, "ctx", None), ast.Store)
            stays = bound or isinstance(part, (ast.Starred, ast.NamedExpr)) or is_slice(part)
            stays = stays or (isinstance(node, ast.FormattedValue) and part is node.format_spec)
            if isinstance(part, ast.expr) and early and not stays:
                if any(not raising.calm(inner) or self.shows(inner) for inner in names.nodes_in(part)):
                    yield part
            elif not isinstance(part, CONDITIONAL):
                yield from self.first_parts(part, last)

    def looked_up_first(self, node: ast.stmt) -> list[ast.stmt]:
        """Let the notebook look up what `+=` changes before the head computes what is added."""
        if not isinstance(node, ast.AugAssign) or not any(map(self.is_risky, names.nodes_in(node.value))):
            return []
        target = node.target
        if isinstance(target, ast.Name):
            if self.staged.raising.is_bound(node):
                return []
            load: ast.expr = located(ast.Name(target.id, ast.Load()), target)
        else:
            if self.presence.is_there(target) or not self.presence.is_plain(target):
                return []
            # Its parts stay themselves: what is known of them, such as who gives a name its value, is known by node.
            load = names.copied(target, lambda part: None if part is target else as_operand(part))
        self.staged.stage[load] = Stage.TAIL
        before = located(ast.Assign([located(ast.Name(self.fresh(HELD), ast.Store()), target)], load), target)
        self.staged.stage[before] = Stage.TAIL
        return self.entry([before])

    def shows(self, node: ast.AST) -> bool:
        """Tell whether a node changes an object by itself, or reads a name that a call may give another value."""
        found = self.staged.analysed.of(node)
        return any(place.obj is not None for place in found.writes) or self.staged.analysed.reads_given(found)

    def is_risky(self, node: ast.AST) -> bool:
        """Tell whether an expression of the head may raise or show something."""
        if self.staged.of(node) is Stage.TAIL or node not in self.staged.analysed.order:
            return False
        if isinstance(node, ast.Name):
            return bool(self.staged.raising.raises(node))
        return isinstance(node, RISKY) and not isinstance(getattr(node, "ctx", None), ast.Store)


def as_operand(part: ast.AST) -> ast.AST:
    """Return a part of an assignment target for the expression that reads it."""
    return ast.Load() if isinstance(part, ast.Store) else part
