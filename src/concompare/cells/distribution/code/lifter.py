"""The code of the tail: the user's statements, with names of ours in the places of what the head computes."""

from __future__ import annotations

import ast
from collections.abc import Callable

from concompare.cells.distribution.code.early import keys_of, speculative
from concompare.cells.distribution.code.generated import Action
from concompare.cells.distribution.code.holding import Holding
from concompare.cells.distribution.handing import is_uncrossable
from concompare.cells.distribution.nodes import BLOCKS, CONDITIONAL, asked_in, first_of, is_cheap, is_slice
from concompare.cells.distribution.uses import START
from concompare.cells.objects import reachable
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located


class Lifter:
    """Writes the code of one action: parts that the head computes become names of ours."""

    def __init__(self, holding: Holding, fresh: Callable[[], str], action: Action) -> None:
        self.holding = holding
        self.staged = holding.staged
        self.loop = holding.loop
        self.uses = holding.uses
        self.fresh = fresh
        self.action = action
        self.asked: set[ast.expr] = set()

    def statement(self, node: ast.stmt) -> ast.stmt:
        """Write a statement of the tail."""
        if isinstance(node, BLOCKS):
            return self.block(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
            self.names_in(node)
            return node
        return names.copied(node, self.instead)

    def block(self, node: ast.stmt) -> ast.stmt:
        """Write a block that is in the tail as a whole: only what is evaluated first may come from the head."""
        heads: list[ast.AST] = []
        if isinstance(node, ast.If):
            heads = [node.test]
            self.asked |= asked_in(node.test)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            heads = [node.iter]
        elif isinstance(node, ast.Match):
            heads = [node.subject]
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            heads = [node.items[0].context_expr]

        def instead(part: ast.AST) -> ast.AST | None:
            if part in self.staged.early:
                return self.early(part)
            if part in heads:
                return self.truth(part) if part in self.asked else names.copied(part, self.instead)
            if isinstance(part, ast.Name):
                self.read(part)
            return None

        made = names.copied(node, instead)
        for part in names.nodes_in(node):
            self.called_names(part)
        return made

    def truth(self, node: ast.expr) -> ast.AST:
        """Return what tells whether a condition holds, as the head finds it where what it asks cannot cross."""
        found = self.staged.analysed.values.get(node, frozenset())
        if self.holding.has_tail(node) or not any(map(is_uncrossable, found)):
            return names.copied(node, self.instead)
        self.called_names(node)
        inner = located(ast.UnaryOp(ast.Not(), node), node)
        told = located(ast.UnaryOp(ast.Not(), inner), node)
        self.staged.analysed.order[told] = self.staged.analysed.order.get(node, 0)
        return self.value(told)

    def names_in(self, node: ast.AST) -> None:
        """Let the head hand over the names that a part of the tail reads."""
        for part in names.nodes_in(node):
            if isinstance(part, ast.Name):
                self.read(part)
            self.called_names(part)

    def called_names(self, node: ast.AST) -> None:
        """Names that functions called by the tail read are given their values in the notebook before."""
        uses = self.uses
        if isinstance(node, names.FUNCTIONS):
            for name in sorted(names.free_names(node)):
                found = uses.reads.get(node, frozenset())
                ours = self.loop.collects or not uses.defs.get(name, set()) <= self.holding.targets
                if name in uses.defs and name not in self.holding.in_tail and ours:
                    self.hand_over(name, sure=START not in found and name in uses.sure)
        effects = self.staged.analysed.effects.get(node)
        for name in sorted(effects.globals) if effects is not None else ():
            if name in self.uses.defs and name not in self.holding.in_tail:
                self.hand_over(name, sure=name in self.uses.sure)

    def read(self, node: ast.Name) -> None:
        """Let the head hand over a name that it has given its value."""
        found = self.uses.reads.get(node)
        if isinstance(node.ctx, ast.Load) and found and node.id not in self.holding.in_tail:
            if found <= self.holding.targets and not self.loop.collects:
                return
            self.hand_over(node.id, sure=START not in found)

    def hand_over(self, name: str, *, sure: bool) -> None:
        """Note that an action needs a name of the head."""
        words = self.action.names if sure else self.action.unsure
        if name not in self.action.names and name not in words:
            words.append(name)

    def instead(self, node: ast.AST) -> ast.AST | None:
        """Return what stands in the place of a part of a statement of the tail, or None for the part itself."""
        return self.early(node) if node in self.staged.early else self.part(node)

    def part(self, node: ast.AST) -> ast.AST | None:
        """Return what stands in the place of a part that no worker computes early, or None for the part itself."""
        self.called_names(node)
        if isinstance(node, ast.Name):
            self.read(node)
            return None
        if not isinstance(node, ast.expr) or isinstance(node, (ast.Constant, ast.Starred)):
            return None
        if isinstance(node, ast.Lambda):
            self.names_in(node)
            return node
        if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            return None
        if isinstance(node, ast.FormattedValue):
            return self.formatted(node)
        if is_slice(node):
            return None
        if self.holding.has_tail(node):
            return self.with_tail(node)
        if self.is_of_notebook(node) or (self.is_lookup(node) and self.holds_outer(node)):
            return None
        if self.holds_outer(node):
            if isinstance(node, (ast.List, ast.Tuple, ast.Dict, ast.Set)):
                return None
            if isinstance(node, (ast.IfExp, ast.BoolOp)) and is_cheap(node, self.staged.analysed):
                return self.conditional(node)
        return self.value(node)

    def with_tail(self, node: ast.expr) -> ast.AST | None:
        """Return what stands in the place of an expression that has parts in the tail, or None for itself."""
        if isinstance(node, CONDITIONAL):
            return self.conditional(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            return self.method_call(node)
        return None

    def formatted(self, node: ast.FormattedValue) -> ast.FormattedValue:
        """Write a part of an f-string: as text where the head can do that, or as the value and how to write it."""
        if not self.holding.has_tail(node):
            text = located(ast.JoinedStr([node]), node)
            self.staged.analysed.order[text] = self.staged.analysed.order.get(node, 0)
            return located(ast.FormattedValue(self.value(text), -1, None), node)
        spec = node.format_spec
        if isinstance(spec, ast.JoinedStr):
            spec = located(ast.JoinedStr([names.copied(part, self.instead) for part in spec.values]), spec)
        return located(ast.FormattedValue(names.copied(node.value, self.instead), node.conversion, spec), node)

    def holds_outer(self, node: ast.expr) -> bool:
        """Tell whether a display may hold objects of the notebook, which are put in there."""
        found = self.staged.analysed.values.get(node, frozenset())
        return any(obj.outer for obj in reachable(found))

    def method_call(self, node: ast.Call) -> ast.AST:
        """Write a call of a method of the tail: the method is looked up there."""
        func = node.func
        assert isinstance(func, ast.Attribute)

        def instead(part: ast.AST) -> ast.AST | None:
            if part is node:
                return None
            if part is func:
                return ast.copy_location(
                    ast.Attribute(names.copied(func.value, self.instead), func.attr, ast.Load()), func
                )
            return self.instead(part)

        return names.copied(node, instead)

    def conditional(self, node: ast.AST) -> ast.AST:
        """Write an expression of the tail that evaluates some of its parts only under a condition."""
        first = first_of(node)

        def instead(part: ast.AST) -> ast.AST | None:
            if part is first:
                return names.copied(part, self.instead) if part not in self.asked else self.truth(part)
            if part in self.staged.early:
                return self.early(part)
            self.called_names(part)
            if isinstance(part, ast.Name):
                self.read(part)
            return None

        return names.copied(node, instead)

    def is_of_notebook(self, node: ast.AST) -> bool:
        """Tell whether an expression only looks something up in the notebook's own objects."""
        if isinstance(node, ast.Name):
            return node.id not in self.uses.defs or node.id in self.holding.in_tail
        if isinstance(node, (ast.Attribute, ast.Subscript)) and (
            self.may_change_before(node) or self.holding.may_change(node.value)
        ):
            return False  # the head may change what is there before the notebook looks
        if isinstance(node, ast.Attribute):
            return self.is_of_notebook(node.value)
        if isinstance(node, ast.Subscript):
            return self.is_of_notebook(node.value) and (
                isinstance(node.slice, ast.Constant) or self.is_of_notebook(node.slice)
            )
        return isinstance(node, ast.Constant)

    def is_lookup(self, node: ast.AST) -> bool:
        """Tell whether an expression looks up a part of the notebook's objects or of the item, at a computed place."""
        if isinstance(node, ast.Name):
            reads = self.uses.reads.get(node, frozenset())
            return self.is_of_notebook(node) or reads <= self.holding.targets
        if not isinstance(node, (ast.Attribute, ast.Subscript)):
            return False
        return self.is_lookup(node.value) and not self.changes_in_head(node.value)

    def may_change_before(self, node: ast.Attribute | ast.Subscript) -> bool:
        """Tell whether the head may change what is there before the notebook looks."""
        return bool(names.reads(node.value) & self.holding.shared) or self.changes_in_head(node.value)

    def changes_in_head(self, node: ast.expr) -> bool:
        """Tell whether an expression may stand for an object that the head makes and changes."""
        found = self.staged.analysed.values.get(node, frozenset())
        return any(not obj.outer and obj in self.holding.changed_in_head() for obj in found)

    def early(self, node: ast.AST) -> ast.IfExp:
        """Let the head make a call early; it is made here where the head has no value for it."""
        assert isinstance(node, ast.Call)
        self.names_in(node)
        found = self.value(speculative(node, self.staged))
        self.action.early.append(found.id)

        def method(name: str, arguments: list[ast.expr]) -> ast.expr:
            return located(ast.Call(located(ast.Attribute(found, name, ast.Load()), node), arguments, []), node)

        keys = [names.copied(part) for part in keys_of(node)] if self.staged.early[node].targets else []
        return located(ast.IfExp(method("holds", keys), method("take", []), node), node)

    def value(self, node: ast.expr) -> ast.Name:
        """Let the head compute an expression."""
        word = self.fresh()
        self.action.values.append(word)
        self.action.operands.append(node)
        return located(ast.Name(word, ast.Load()), node)
