"""Hoisting: the expressions of a tail statement that workers can compute, replaced by names of what they computed."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from concompare.cells import names
from concompare.cells.loops import located
from concompare.cells.parts import MOVE, WORTH, Reason, assigned, is_still, loaded, shown, works
from concompare.cells.values import FUNCTION, LOCAL, MARKS, WALKED_ONCE

if TYPE_CHECKING:
    from concompare.cells.split import Splitter


MAKES = "keeps a function made in the loop, which sees the loop's own names"


def elements(node: ast.expr) -> list[ast.expr]:
    """Return the parts of a display."""
    if isinstance(node, ast.Dict):
        return [part for part in [*node.keys, *node.values] if part is not None]
    found = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else []
    return [part.value if isinstance(part, ast.Starred) else part for part in found]


def repeated(splitter: Splitter, statement: ast.stmt) -> tuple[list[ast.stmt], ast.stmt] | None:
    """Return `row = (p, f(p))` for head and tail, so that the notebook's `row` holds its own `p`; None: no need."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, (ast.Tuple, ast.List, ast.Dict)):
        return None
    names_given = names.writes(statement)
    once = len(names_given) == 1 and all(splitter.stores.count(name) == 1 for name in names_given)
    changed = {f"{LOCAL}{name}" for name in names_given} & splitter.changed
    hoister = Hoister(splitter)
    if not once or changed or not hoister.shares(statement.value):
        return None
    made = hoister.statement(statement)
    return [*hoister.head, made], made


class Hoister:
    """Replaces expressions of one statement by names that the head computes."""

    def __init__(self, splitter: Splitter) -> None:
        self.splitter = splitter
        self.head: list[ast.stmt] = []
        self.lost: Reason | None = None
        self.before = False
        self.altered = False

    def statement(self, node: ast.stmt) -> ast.stmt:
        """Return the statement as the tail runs it."""
        if isinstance(node, ast.Expr):
            return located(ast.Expr(self.expression(node.value)), node)
        if isinstance(node, ast.Assign):
            self.altered = bool({f"{LOCAL}{name}" for name in names.writes(node)} & self.splitter.changed)
            value = self.expression(node.value)
            self.altered = False
            return located(ast.Assign([self.target(part) for part in node.targets], value), node)
        if isinstance(node, ast.AugAssign):
            target = self.target(node.target)
            assert isinstance(target, (ast.Name, ast.Attribute, ast.Subscript))
            self.unsettle(not isinstance(target, ast.Name))
            return located(ast.AugAssign(target, node.op, self.expression(node.value)), node)
        return node

    def unsettle(self, happened: bool) -> None:
        """Note that something of the statement runs before the next hoisted expression, and could raise."""
        if happened:
            self.before = True

    def target(self, node: ast.expr) -> ast.expr:
        """Return an assignment target as the tail has it."""
        if isinstance(node, ast.Subscript):
            return located(ast.Subscript(self.expression(node.value), self.expression(node.slice), node.ctx), node)
        return node

    def expression(self, node: ast.expr) -> ast.expr:
        """Return the expression as the tail evaluates it."""
        kinds = names.kinds_in(node)
        if not kinds & WORTH:
            self.unsettle(not is_still(node))
            if ast.Lambda in kinds:
                self.lost = Reason(node.lineno, MAKES, "Define it before the loop")
            return node
        reason = self.splitter.reason(node)
        if reason is None:
            reason = self.reason_to_keep(node)
        display = isinstance(
            node,
            (
                ast.Tuple,
                ast.List,
                ast.Dict,
                ast.Set,
                ast.Starred,
                ast.Slice,
                ast.NamedExpr,
                ast.Attribute,
                ast.Subscript,
            ),
        )
        if isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Dict)):
            display = sum(not is_still(part) for part in elements(node)) < 2 or self.shares(node)
        if reason is None and not display and not names.writes(node):
            return self.take(node)
        kept = self.splitter.did_work
        made = self.parts(node)
        if reason is not None and works(node):
            self.lost = self.lost or reason
        if self.splitter.did_work and not kept:
            self.lost = None
        self.unsettle(True)
        return made

    def shares(self, node: ast.expr) -> bool:
        """Tell whether a display holds objects of the notebook itself, of which a process would give back copies."""
        with self.splitter.an.fresh():
            found = [self.splitter.an.value(part).own - MARKS for part in elements(node) if is_still(part)]
        own = set[str]().union(*found)
        return not self.splitter.turn and any(not root.startswith(LOCAL) for root in own)

    def reason_to_keep(self, node: ast.expr) -> Reason | None:
        """Return why a value must not leave the iteration: it holds a function made in the loop, or an iterator."""
        with self.splitter.an.fresh():
            value = self.splitter.an.value(node)
        found = value.all
        held = {root for root in value.own & self.splitter.changed if not root.startswith(LOCAL)}
        if self.altered and held:
            what = " or ".join(f"`{shown(root)}`" for root in sorted(held))
            return Reason(node.lineno, f"gives what may be {what} itself, which the loop then changes", MOVE)
        if FUNCTION in found:
            return Reason(node.lineno, MAKES, "Define it before the loop")
        if WALKED_ONCE & found:
            what = ast.unparse(node)
            what = what if len(what) < 40 else f"{what[:36]} ..."
            text = f"`{what}` gives an iterator or a coroutine, which cannot come back from a worker"
            return Reason(node.lineno, text, "Make a list of it, or give the items of an `async def` with --over")
        return None

    def take(self, node: ast.expr) -> ast.expr:
        """Let the head compute an expression."""
        splitter = self.splitter
        splitter.take(splitter.look(node))
        splitter.did_work = splitter.did_work or works(node)
        name = splitter.placeholder(node)
        self.head.append(assigned(name, node))
        if splitter.started or self.before or len(self.head) > 1:
            self.head.append(splitter.step(located(ast.Expr(node), node)))
        return loaded(name, node)

    def parts(self, node: ast.expr) -> ast.expr:
        """Hoist from the parts of an expression, in the order of evaluation, where they are always evaluated."""
        if isinstance(node, ast.Call):
            func = node.func
            if isinstance(func, ast.Attribute):
                func = located(ast.Attribute(self.expression(func.value), func.attr, func.ctx), func)
            args = [self.expression(part) for part in node.args]
            keywords = [located(ast.keyword(part.arg, self.expression(part.value)), part) for part in node.keywords]
            return located(ast.Call(func, args, keywords), node)
        if isinstance(node, ast.BinOp):
            left = self.expression(node.left)
            return located(ast.BinOp(left, node.op, self.expression(node.right)), node)
        if isinstance(node, ast.UnaryOp):
            return located(ast.UnaryOp(node.op, self.expression(node.operand)), node)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left = self.expression(node.left)
            return located(ast.Compare(left, node.ops, [self.expression(node.comparators[0])]), node)
        if isinstance(node, ast.IfExp):
            return located(ast.IfExp(self.expression(node.test), node.body, node.orelse), node)
        if isinstance(node, ast.BoolOp):
            return located(ast.BoolOp(node.op, [self.expression(node.values[0]), *node.values[1:]]), node)
        if isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Dict)):
            return self.display(node)
        if isinstance(node, (ast.Subscript, ast.Attribute, ast.Starred, ast.JoinedStr, ast.FormattedValue)):
            return self.inside(node)
        return node

    def display(self, node: ast.Tuple | ast.List | ast.Set | ast.Dict) -> ast.expr:
        """Hoist from the elements of a display."""
        if isinstance(node, ast.Dict):
            pairs = [
                (key and self.expression(key), self.expression(value))
                for key, value in zip(node.keys, node.values, strict=True)
            ]
            return located(ast.Dict([key for key, _ in pairs], [value for _, value in pairs]), node)
        elements = [self.expression(part) for part in node.elts]
        if isinstance(node, ast.Set):
            return located(ast.Set(elements), node)
        return located(type(node)(elements, node.ctx), node)

    def inside(
        self, node: ast.Subscript | ast.Attribute | ast.Starred | ast.JoinedStr | ast.FormattedValue
    ) -> ast.expr:
        """Hoist from inside a subscript, attribute, starred expression or f-string."""
        if isinstance(node, ast.JoinedStr):
            return located(ast.JoinedStr([self.expression(part) for part in node.values]), node)
        if isinstance(node, ast.FormattedValue):
            return located(ast.FormattedValue(self.expression(node.value), node.conversion, node.format_spec), node)
        if isinstance(node, ast.Subscript):
            base = self.expression(node.value)
            return located(ast.Subscript(base, self.expression(node.slice), node.ctx), node)
        if isinstance(node, ast.Attribute):
            return located(ast.Attribute(self.expression(node.value), node.attr, node.ctx), node)
        return located(ast.Starred(self.expression(node.value), node.ctx), node)
