"""Dependences through the tree: what a value or a condition of the tail decides about is in the tail too."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from concompare.cells.distribution.nodes import BLOCKS, CONDITIONAL, blocks_of, first_of, own_jumps
from concompare.cells.distribution.staging import Rules
from concompare.cells.ir import Doubt, Stage, Why
from concompare.cells.syntax import names

PLACES = (ast.Attribute, ast.Subscript)
"""Targets that store into an object."""


class Control(Rules):
    """Follows the tree of the body."""

    def through_tree(self, node: ast.AST) -> None:
        """A value that comes from the tail is used in the tail; so is what it decides about."""
        holding = self.body.holding_tail
        inner = names.children_of(node)
        for part in inner:
            if part in holding:  # else nothing inside it decides about anything
                self.through_tree(part)
        stage = self.body.stage
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            self.assignment(node)
        elif isinstance(node, BLOCKS):
            self.block(node)
        elif isinstance(node, (ast.ExceptHandler, ast.match_case, ast.withitem)):
            pass
        elif stage.get(node) is not Stage.TAIL and any(stage.get(part) is Stage.TAIL for part in inner):
            self.body.to_tail(node)
        if stage.get(node) is not Stage.TAIL:
            return
        if isinstance(node, (ast.NamedExpr, ast.AugAssign)):
            self.body.to_tail(node.target)
        if isinstance(node, (*CONDITIONAL, ast.Assert)):
            self.conditional(node)

    def assignment(self, node: ast.Assign | ast.AnnAssign) -> None:
        """A value from the tail goes to its targets there."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        parts = [part for target in targets for part in names.nodes_in(target)]
        if any(self.staged.of(part) is Stage.TAIL for part in [node, node.value, *parts] if part is not None):
            self.body.to_tail(node)
            for part in parts:
                if isinstance(getattr(part, "ctx", None), ast.Store):
                    self.body.to_tail(part)

    def conditional(self, node: ast.AST) -> None:
        """What runs in a part of an expression only under a condition cannot be computed ahead of it."""
        if isinstance(node, ast.Lambda):
            return
        first = first_of(node)
        for part in names.nodes_in(node)[1:]:
            if first is not None and (part is first or self.body.is_inside(part, first)):
                continue
            if self.is_plain_name(part):
                continue
            self.body.to_tail(part)

    def is_plain_name(self, node: ast.AST) -> bool:
        """Tell whether a node is a name that the head may hand over, or no expression."""
        return isinstance(node, (ast.Name, ast.Constant))

    def block(self, node: ast.AST) -> None:
        """What a condition in the tail decides about is in the tail as a whole."""
        heads: list[ast.AST] = []
        if isinstance(node, (ast.If, ast.While)):
            heads = [node.test]
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            heads = [node.iter]
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            heads = [item.context_expr for item in node.items]
        elif isinstance(node, ast.Match):
            heads = [node.subject]
        decided = any(self.staged.of(part) is Stage.TAIL for part in heads) or self.asks_in_tail(node)
        if decided or self.stores_in_tail(node) or self.staged.stage.get(node) is Stage.TAIL:
            self.whole(node, heads)

    def asks_in_tail(self, node: ast.AST) -> bool:
        """Tell whether a guard, or what a pattern compares with, has parts in the tail."""
        cases = node.cases if isinstance(node, ast.Match) else []
        asked = [part for case in cases for part in (case.pattern, case.guard) if part is not None]
        return any(part in self.body.holding_tail for part in asked)

    def stores_in_tail(self, node: ast.AST) -> bool:
        """Tell whether `for box.value in …` or `with … as row[0]` stores what the notebook has to store."""
        found: list[ast.expr | None] = []
        if isinstance(node, (ast.For, ast.AsyncFor)):
            found = [node.target]
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            found = [item.optional_vars for item in node.items]
        parts = [part for target in found if target is not None for part in names.nodes_in(target)]
        return any(isinstance(part, PLACES) and part in self.body.holding_tail for part in parts)

    def whole(self, node: ast.AST, heads: Iterable[ast.AST] = (), why: Doubt | None = None) -> None:
        """Put a block into the tail with all that is in it, except parts of its head that may be computed ahead."""
        self.body.to_tail(node, why)
        if why is not None:  # it may be there for another reason, of which nothing was noted
            self.staged.because.setdefault(node, why)
        kept = {part for head in heads for part in names.nodes_in(head)}
        if isinstance(node, ast.While):
            kept = set()
        for part in names.nodes_in(node):
            if (part is not node and part not in kept and not isinstance(part, (ast.Name, ast.Constant))) or (
                isinstance(part, ast.Name) and isinstance(part.ctx, (ast.Store, ast.Del))
            ):
                self.body.to_tail(part)
        if self.leaves(node):
            self.rest_of(node)
            around = self.body.loops.get(node, ())
            if around and any(isinstance(part, ast.Break) for part in own_jumps(node)):
                self.whole(around[-1])

    def leaves(self, node: ast.AST) -> bool:
        """Tell whether a block of the tail may end the iteration."""
        return any(isinstance(part, (ast.Break, ast.Continue)) for part in own_jumps(node))

    def rest_of(self, node: ast.AST) -> None:
        """Whatever follows a block that may end the iteration is decided by it."""
        inner: ast.AST = node
        above = self.body.parent.get(node)
        text = f"comes after line {self.body.line(node)}, which may end the loop or the item"
        while True:
            for block in blocks_of(above) if above is not None else [self.loop.body]:
                if inner in block:
                    for later in block[block.index(inner) + 1 :]:
                        why = Doubt(
                            Why.CONTROL, self.body.line(later), text, "Call before that line, and test after it"
                        )
                        self.whole(later, why=why)
            if above is None or isinstance(above, (ast.For, ast.AsyncFor, ast.While)):
                return
            if isinstance(above, (ast.Try, ast.TryStar)) and above.finalbody and inner not in above.finalbody:
                self.whole(above)  # it comes to its `finally` there, too
            inner, above = above, self.body.parent.get(above)
            while above is not None and not isinstance(above, (*BLOCKS, ast.ExceptHandler, ast.match_case)):
                above = self.body.parent.get(above)
