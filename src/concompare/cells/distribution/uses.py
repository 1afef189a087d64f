"""Reaching definitions of one iteration: which assignments a name may get its value from where it is read."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from concompare.cells.ir import Budget, Loop
from concompare.cells.syntax import names

START = ast.Pass()
"""Stands for the value that a name has as the iteration begins."""
Definitions = frozenset[ast.AST]
NOTHING: Definitions = frozenset()
State = dict[str, Definitions]
"""What each name may come from; empty where the code cannot be reached."""


@dataclass
class Uses:
    """What is read where.

    Attributes:
        reads: For each name that is read, the assignments it may come from; START: from before the iteration.
        defs: For each name, the nodes that give it a value.
        ends: For each name, the assignments that may give it its value at the end of the iteration.
        sure: The names that every iteration gives a value.
        deleted: The names that are deleted.
        taken: The names that a function made in the iteration may take from before it.
    """

    reads: dict[ast.AST, Definitions] = field(default_factory=dict)
    defs: dict[str, set[ast.AST]] = field(default_factory=dict)
    ends: dict[str, Definitions] = field(default_factory=dict)
    sure: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)

    def exposed(self, name: str) -> bool:
        """Tell whether a name that the body assigns may be read before."""
        return name in self.taken or name in self.read_before

    @functools.cached_property
    def read_before(self) -> set[str]:
        """The names of which some read may find the value from before the iteration."""
        return {node.id for node, found in self.reads.items() if isinstance(node, ast.Name) and START in found}


class Reaching:
    """One walk over a body in the order of execution.

    Args:
        assigned: The names that the body assigns; others are the notebook's.
        in_texts: The names that calls read since they stand in a text.
    """

    def __init__(
        self, assigned: Iterable[str], budget: Budget, in_texts: Mapping[ast.AST, frozenset[str]] | None = None
    ) -> None:
        self.in_texts = in_texts or {}
        self.uses = Uses()
        self.assigned = frozenset(assigned)
        self.budget = budget
        self.now: State = dict.fromkeys(self.assigned, frozenset({START}))
        self.hidden: list[set[str]] = []
        self.watched: list[State] = []
        self.jumped: list[list[State]] = []
        self.functions: list[tuple[ast.AST, str]] = []

    def nodes(self, nodes: Iterable[ast.AST | None]) -> None:
        """Walk nodes one after the other."""
        for node in nodes:
            if node is not None:
                self.node(node)

    def node(self, node: ast.AST) -> None:
        """Walk a node."""
        self.budget.step()
        method = getattr(self, names.METHODS[type(node)], None)
        if method is not None:
            method(node)
        else:
            self.nodes(names.children_of(node))

    def read(self, name: str, node: ast.AST) -> None:
        """Note that a name is read."""
        if name in self.assigned and not (self.hidden and any(name in bound for bound in self.hidden)):
            known = self.now.get(name, NOTHING)
            held = self.uses.reads.get(node)
            self.uses.reads[node] = known if held is None else held | known

    def write(self, name: str, node: ast.AST) -> None:
        """Note that a name is given a value."""
        if not (self.hidden and any(name in bound for bound in self.hidden)):
            self.uses.defs.setdefault(name, set()).add(node)
            self.now[name] = frozenset({node})
            for state in self.watched:
                state[name] = state.get(name, frozenset()) | {node}

    def _on_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read(node.id, node)
        elif isinstance(node.ctx, ast.Store):
            self.write(node.id, node)
        else:
            self.read(node.id, node)
            self.write(node.id, node)
            self.uses.deleted.add(node.id)

    def _on_Call(self, node: ast.Call) -> None:
        self.nodes(names.children_of(node))
        for name in self.in_texts.get(node, ()):
            self.read(name, node)

    def _on_Assign(self, node: ast.Assign) -> None:
        self.node(node.value)
        self.nodes(node.targets)

    def _on_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.read(node.target.id, node)
        else:
            self.nodes(names.children_of(node.target))
        self.node(node.value)
        if isinstance(node.target, ast.Name):
            self.write(node.target.id, node.target)

    def _on_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.node(node.value)
            self.node(node.target)

    def _on_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.node(node.value)
        hidden, self.hidden = self.hidden, []
        self.node(node.target)
        self.hidden = hidden

    def _on_Lambda(self, node: ast.Lambda) -> None:
        self.nodes([*node.args.defaults, *node.args.kw_defaults])
        self.free(node)

    def free(self, node: ast.AST) -> None:
        """Note what a function takes from outside as read where it is made."""
        for name in names.free_names(node):
            if name in self.assigned:
                known = self.now.get(name, frozenset())
                self.uses.reads[node] = self.uses.reads.get(node, frozenset()) | known
                if START in known:
                    self.uses.taken.add(name)
                self.functions.append((node, name))

    def _on_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.nodes([*node.decorator_list, *node.args.defaults, *node.args.kw_defaults])
        self.free(node)
        self.write(node.name, node)

    _on_AsyncFunctionDef = _on_FunctionDef

    def _on_ClassDef(self, node: ast.ClassDef) -> None:
        self.nodes([*node.decorator_list, *node.bases, *[keyword.value for keyword in node.keywords]])
        self.write(node.name, node)

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        """Walk a comprehension, whose targets are its own."""
        self.node(node.generators[0].iter)
        self.hidden.append({name for part in node.generators for name in names.stored(part.target)})
        for position, part in enumerate(node.generators):
            if position:
                self.node(part.iter)
            self.nodes(part.ifs)
        self.nodes([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self.hidden.pop()

    _on_ListComp = _on_SetComp = _on_DictComp = _on_GeneratorExp = comprehension

    def branch(self, *blocks: Sequence[ast.AST]) -> list[State]:
        """Walk alternatives from the same start; returns what each leaves."""
        before, ends = dict(self.now), []
        for block in blocks:
            self.now = dict(before)
            self.nodes(block)
            ends.append(self.now)
        self.now = before
        return ends

    def join(self, ends: Iterable[State]) -> None:
        """Go on from whichever alternative was taken."""
        self.now = joined(ends)

    def _on_If(self, node: ast.If) -> None:
        self.node(node.test)
        self.join(self.branch(node.body, node.orelse))

    def _on_IfExp(self, node: ast.IfExp) -> None:
        self.node(node.test)
        self.join(self.branch([node.body], [node.orelse]))

    def _on_BoolOp(self, node: ast.BoolOp) -> None:
        self.node(node.values[0])
        for part in node.values[1:]:
            self.join([self.now, *self.branch([part])])

    def turns(self, start: Callable[[], None], body: Sequence[ast.stmt], orelse: Sequence[ast.stmt]) -> None:
        """Walk the turns of an inner loop until nothing new reaches their begin."""
        jumped: list[State] = []
        self.jumped.append(jumped)
        while True:
            before = dict(self.now)
            start()
            ended = dict(self.now)
            self.nodes(body)
            self.join([before, self.now, *jumped])
            if self.now == before:
                break
        self.jumped.pop()
        self.now = joined([before, ended])
        self.nodes(orelse)
        self.join([self.now, *jumped])

    def _on_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.node(node.iter)
        self.turns(lambda: self.node(node.target), node.body, node.orelse)

    _on_AsyncFor = _on_For

    def _on_While(self, node: ast.While) -> None:
        self.turns(lambda: self.node(node.test), node.body, node.orelse)

    def _on_Break(self, node: ast.Break | ast.Continue) -> None:
        self.jumped[-1].append(self.now)
        self.now = {}

    _on_Continue = _on_Break

    def _on_Raise(self, node: ast.Raise) -> None:
        self.nodes([node.exc, node.cause])
        self.now = {}

    def _on_Assert(self, node: ast.Assert) -> None:
        self.node(node.test)
        if node.msg is not None:
            self.branch([node.msg])  # it is only evaluated where the assertion fails

    def within(self, body: Sequence[ast.stmt]) -> State:
        """Walk a block that may be left anywhere; returns what reaches where it is left."""
        seen = dict(self.now)
        self.watched.append(seen)
        self.nodes(body)
        self.watched.pop()
        return seen

    def _on_With(self, node: ast.With | ast.AsyncWith) -> None:
        self.nodes(node.items)
        seen = self.within(node.body)
        if may_swallow(node):
            self.join([seen, self.now])

    _on_AsyncWith = _on_With

    def _on_Try(self, node: ast.Try) -> None:
        jumps = len(self.jumped[-1])
        everywhere = dict(self.now)
        self.watched.append(everywhere)
        middle = self.within(node.body)
        self.nodes(node.orelse)
        ends = [self.now]
        for handler in node.handlers:
            self.now = dict(middle)
            self.node(handler)
            ends.append(self.now)
        self.watched.pop()
        left, self.jumped[-1][jumps:] = self.jumped[-1][jumps:], []
        if left and node.finalbody:
            self.join(left)
            self.nodes(node.finalbody)
            left = [self.now]
        self.jumped[-1] += left
        self.ending(node.finalbody, ends, everywhere)

    def ending(self, block: Sequence[ast.stmt], ends: list[State], everywhere: State) -> None:
        """Walk a `finally`: it reads from anywhere, what follows it reads from where the block came to its end."""
        self.join([*ends, everywhere] if block else ends)
        self.nodes(block)
        if block:
            self.join(ends)
            self.nodes(block)

    _on_TryStar = _on_Try

    def _on_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.node(node.type)
        if node.name:
            self.write(node.name, node)
        self.nodes(node.body)
        if node.name:
            self.uses.deleted.add(node.name)

    def _on_Match(self, node: ast.Match) -> None:
        self.node(node.subject)
        ends, failed = [], self.now
        for case in node.cases:  # a pattern that fails may have bound names
            self.now = dict(failed)
            self.nodes([case.pattern, case.guard])
            failed = joined([failed, self.now])
            self.nodes(case.body)
            ends.append(self.now)
        self.join([*ends, failed])

    def _on_MatchAs(self, node: ast.MatchAs) -> None:
        if node.pattern is not None:
            self.node(node.pattern)
        if node.name:
            self.write(node.name, node)

    def _on_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.write(node.name, node)

    def _on_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.nodes([*node.keys, *node.patterns])
        if node.rest:
            self.write(node.rest, node)

    def _on_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self.write(alias.asname or alias.name.split(".")[0], node)

    _on_ImportFrom = _on_Import


def joined(states: Iterable[State]) -> State:
    """Return what reaches a place that any of several ways lead to."""
    first, *others = states
    found = dict(first)
    for state in others:
        for name, value in state.items():
            held = found.get(name)
            if held is None:
                found[name] = value
            elif held is not value:
                found[name] = held | value
    return found


def may_swallow(node: ast.With | ast.AsyncWith) -> bool:
    """Tell whether a context may swallow what its block raises: all that are not known to let it through."""
    return not all(is_let_through(item.context_expr) for item in node.items)


LET_THROUGH = frozenset(
    ["open", "urlopen", "Lock", "RLock", "errstate", "localcontext", "redirect_stdout", "redirect_stderr", "closing"]
)
"""Contexts that let errors through."""


def is_let_through(node: ast.expr) -> bool:
    """Tell whether a context is known to let errors through."""
    func = node.func if isinstance(node, ast.Call) else node
    name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    return name in LET_THROUGH


def uses_of(
    loop: Loop,
    assigned: Iterable[str],
    budget: Budget | None = None,
    in_texts: Mapping[ast.AST, frozenset[str]] | None = None,
) -> Uses:
    """Return which assignments reach which reads in one iteration, those of names that stand in texts among them."""
    walk = Reaching(assigned, budget or Budget(), in_texts)
    walk.jumped.append([])
    if loop.test is not None:
        walk.node(loop.test)
    if loop.target is not None:
        walk.node(loop.target)
    walk.nodes(loop.body)
    walk.join([walk.now, *walk.jumped.pop()])
    walk.uses.ends = walk.now
    for node, name in walk.functions:  # a function reads its names when it is called
        walk.uses.reads[node] |= walk.uses.defs.get(name, set())
    walk.uses.sure = {name for name, found in walk.uses.ends.items() if START not in found}
    return walk.uses


def turn_of(loop: ast.For | ast.AsyncFor | ast.While, assigned: Iterable[str], budget: Budget | None = None) -> Uses:
    """Return which assignments reach which reads in one turn of an inner loop; START: from before the turn."""
    walk = Reaching(assigned, budget or Budget())
    walk.jumped.append([])
    walk.nodes([loop.test if isinstance(loop, ast.While) else loop.target, *loop.body])
    for node, name in walk.functions:
        walk.uses.reads[node] |= walk.uses.defs.get(name, set())
    return walk.uses
