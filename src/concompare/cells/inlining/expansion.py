"""A loop with the bodies of functions in the places of calls that would stay in the notebook as a whole."""

from __future__ import annotations

import ast
import functools
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from concompare.cells.distribution.ahead.rewriting import earlier
from concompare.cells.distribution.nodes import BLOCKS
from concompare.cells.distribution.staging import Staged, heavy_in_notebook
from concompare.cells.effects.live import definition_of
from concompare.cells.inlining.callee import CannotStand, Writer, callee_of
from concompare.cells.inlining.numbers import NUMBERS
from concompare.cells.ir import Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.cells.syntax.renaming import bound, load

THROUGH = (
    *(ast.Call, ast.keyword, ast.Attribute, ast.Subscript, ast.BinOp, ast.UnaryOp, ast.Tuple, ast.List, ast.Dict),
    *(ast.Set, ast.JoinedStr, ast.FormattedValue, ast.Starred, ast.Assign, ast.AugAssign, ast.Expr, ast.AnnAssign),
)
"""Kinds of nodes whose parts are all evaluated, once."""
WORKING = frozenset({ast.Call, ast.For, ast.While, *names.COMPREHENSIONS})
"""What a function has in it that may take long."""
LARGEST = 1500
"""Nodes of a body up to which more is inlined."""


@dataclass
class Expansion:
    """Writes the body of one loop with other bodies in it.

    Attributes:
        staged: The stages of the loop as it is.
        test: The statement that tests the condition of a `while`, which stays itself.
        given: Gets what stands for free variables and defaults, by names of ours.
        globals: Gets the names of the notebook that the bodies give values.
        first: The name of the first function whose call was replaced.
    """

    staged: Staged
    namespace: dict[str, Any]
    test: ast.stmt | None
    given: dict[str, Any] = field(default_factory=dict)
    globals: set[str] = field(default_factory=set)
    first: str = ""

    def loop(self) -> Loop | None:
        """Return the loop; None where no call can be replaced."""
        staged, analysed = self.staged, self.staged.analysed
        loop = analysed.loop
        if sum(len(names.nodes_in(node)) for node in loop.body) > LARGEST:
            return None
        calls = [node for node in heavy_in_notebook(staged) if isinstance(node, ast.Call)]
        self.wanted = {node for node in calls if node in analysed.followed or isinstance(node.func, ast.Lambda)}
        if not any(map(self.may_do_work, self.wanted)):
            return None
        self.fixed = names.writes(*loop.body) | analysed.given
        if loop.target is not None:
            self.fixed |= names.stored(loop.target)
        body = self.block(loop.body) if self.wanted else []
        if not self.first:
            return None
        return replace(loop, body=body, outward=loop.outward | self.globals, expanded=loop.expanded or self.first)

    def may_do_work(self, call: ast.Call) -> bool:
        """Tell whether a function has calls or loops in it: one that only sets what it is given does no work."""
        functions = self.staged.analysed.followed.get(call, set())
        sources = [definition_of(function.__code__, function.__name__) for function in functions]
        bodies = [source.body if source is not None else [] for source in sources]
        inside: list[ast.AST] = [call.func] if isinstance(call.func, ast.Lambda) else []
        inside += [part for body in bodies for part in (body if isinstance(body, list) else [body])]
        return any(names.kinds_in(part) & WORKING for part in inside)

    def block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Return statements with the bodies of functions in them."""
        made: list[ast.stmt] = []
        for node in statements:
            made += self.statement(node) if node is not self.test else [node]
        return made

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        """Return a statement with the bodies of functions in it or before it."""
        if isinstance(node, BLOCKS):
            head = head_of(node)
            before, instead = self.expanded(head, head) if head is not None else ([], {})
            return [*before, self.with_blocks(node, instead)]
        if not isinstance(node, THROUGH):
            return [names.copied(node)]
        if isinstance(node, ast.AugAssign) and not isinstance(node.target, ast.Name):
            return self.added(node, node.target)
        before, instead = self.expanded(node, node)
        return [*before, names.copied(node, instead.get)]

    def added(self, node: ast.AugAssign, target: ast.Attribute | ast.Subscript) -> list[ast.stmt]:
        """Return `a.b += f(x)` with a body in it: Python looks at `a.b` first, and what it adds to is stored then."""
        begin = NUMBERS.of_body()
        made: list[ast.stmt] = []
        parts: dict[ast.AST, ast.AST] = {}
        used: set[str] = set()
        for number, part in enumerate([target.value, *([target.slice] if isinstance(target, ast.Subscript) else [])]):
            if isinstance(part, (ast.Name, ast.Constant)):
                used |= {part.id} if isinstance(part, ast.Name) else set()
                continue
            parts[part] = load(f"{begin}part_{number}", part)
            made.append(bound(f"{begin}part_{number}", names.copied(part), part))
        sum_of = f"{begin}sum"
        adding = located(ast.AugAssign(located(ast.Name(sum_of, ast.Store()), target), node.op, node.value), node)
        before, instead = self.expanded(adding, adding)
        if not instead or used & self.globals:
            return [names.copied(node)]
        read: Any = names.copied(target, parts.get)
        read.ctx = ast.Load()
        stored: Any = names.copied(target, parts.get)
        after = located(ast.Assign([stored], load(sum_of, node)), node)
        return [*made, bound(sum_of, read, node), *before, names.copied(adding, instead.get), after]

    def with_blocks(self, node: Any, instead: dict[ast.AST, ast.AST]) -> ast.stmt:
        """Return a compound statement with other blocks."""
        holders = [node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())]
        inner = {
            id(part)
            for holder in holders
            for word in ("body", "orelse", "finalbody")
            for part in getattr(holder, word, ())
        }
        made: Any = names.copied(node, lambda part: part if id(part) in inner else instead.get(part))
        others = [made, *getattr(made, "handlers", ()), *getattr(made, "cases", ())]
        for holder in others:
            for word in ("body", "orelse", "finalbody"):
                if getattr(holder, word, None):
                    setattr(holder, word, self.block(getattr(holder, word)))
        return made  # type: ignore[no-any-return]

    def expanded(self, node: ast.AST, root: ast.AST) -> tuple[list[ast.stmt], dict[ast.AST, ast.AST]]:
        """Return what comes before a statement or its head, and what stands in the places of its parts then."""
        before: list[ast.stmt] = []
        instead: dict[ast.AST, ast.AST] = {}
        order = self.staged.analysed.order
        found = [part for part in names.nodes_in(node) if part in self.wanted]
        for call in sorted(found, key=lambda part: order.get(part, 0)):
            if any(part in instead for part in names.nodes_in(call)) or not is_reached(root, call):
                continue
            try:
                before += self.body_of(call, root, instead)
            except CannotStand:
                self.wanted.discard(call)
        return before, instead

    @functools.cached_property
    def changing(self) -> frozenset[int]:
        """The cells of variables of functions that the loop gives values."""
        places = [place for effects in self.staged.analysed.effects.values() for place in effects.writes]
        cells = [place.obj for place in places if place.obj is not None and place.obj.types == (types.CellType,)]
        return frozenset(id(cell) for obj in cells for cell in obj.live)

    def body_of(self, call: Any, root: ast.AST, instead: dict[ast.AST, ast.AST]) -> list[ast.stmt]:
        """Return the statements that do what a call does, and before it what Python evaluates before it."""
        analysed = self.staged.analysed
        callee = callee_of(call, analysed, self.namespace, self.fixed)
        body = callee.definition.body
        given = names.writes(*(body if isinstance(body, list) else [body])) - {*callee.function.__code__.co_varnames}
        given -= {*callee.function.__code__.co_cellvars}
        unstable = given | analysed.given
        if isinstance(root, ast.AugAssign) and not (
            isinstance(root.target, ast.Name) and root.target.id not in unstable
        ):
            raise CannotStand
        begin = NUMBERS.of_body()
        writer = Writer(callee, call, begin, changing=self.changing)
        made: list[ast.stmt] = []
        held: dict[ast.AST, ast.AST] = {}
        for number, part in enumerate(earlier(root, call)):
            plain = isinstance(part, ast.Constant) or (isinstance(part, ast.Name) and part.id not in unstable)
            if part in instead or plain or isinstance(getattr(part, "ctx", None), ast.Store):
                continue
            if isinstance(part, (ast.Starred, ast.FormattedValue)):
                raise CannotStand
            word = f"{begin}before_{number}"
            made.append(bound(word, names.copied(part, instead.get), part))
            held[part] = load(word, part)
        made += writer.statements(unstable)
        instead |= held
        instead[call] = load(writer.result, call)
        self.given |= writer.given
        self.globals |= given
        self.first = self.first or callee.function.__name__
        return made


def head_of(node: ast.AST) -> ast.expr | None:
    """Return what a compound statement evaluates first and once, if it does."""
    if isinstance(node, (ast.If, ast.For)):
        return node.test if isinstance(node, ast.If) else node.iter
    return node.items[0].context_expr if isinstance(node, ast.With) else None


def is_reached(root: ast.AST, call: ast.AST) -> bool:
    """Tell whether a part is evaluated whenever the whole is, and once."""
    node = root
    while node is not call:
        if not isinstance(node, THROUGH) and not is_first(node, call):
            return False
        node = next(part for part in names.children_of(node) if call in names.nodes_in(part))
    return True


def is_first(node: ast.AST, call: ast.AST) -> bool:
    """Tell whether a part belongs to what a node evaluates in any case."""
    if isinstance(node, ast.Compare):
        first: Iterable[ast.AST] = [node.left, node.comparators[0]]
    elif isinstance(node, (ast.BoolOp, ast.IfExp)):
        first = [node.values[0] if isinstance(node, ast.BoolOp) else node.test]
    else:
        return False
    return any(call in names.nodes_in(part) for part in first)
