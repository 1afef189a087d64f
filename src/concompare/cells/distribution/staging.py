"""A body while its parts get their stages: what all rules look up, and how they put a part into the tail."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable
from dataclasses import dataclass, field

from concompare.cells.distribution.raising import Raising
from concompare.cells.distribution.uses import Uses, uses_of
from concompare.cells.ir import Analysed, Doubt, Order, Stage
from concompare.cells.objects import Obj
from concompare.cells.syntax import names

HEAD = Stage.HEAD
TURNING = frozenset({ast.For, ast.AsyncFor, ast.While, *names.COMPREHENSIONS})
"""Kinds of nodes whose parts may be evaluated several times in an iteration."""


@dataclass
class Early:
    """How a worker makes a call of the tail before it is known whether it is needed.

    Attributes:
        call: The call, as the worker makes it.
        steps: Targets and what they walk, around the call; conditions that hold there, with no target.
        targets: The names of each of these targets.
        instead: What stands in the places of names that get their values in the notebook too.
        sure: It is needed wherever the loop comes to the action, unless that fails before.
        inner: It is in a loop inside the body.
        under: Contexts around it in the notebook that change how a thread computes, outermost first.
    """

    call: ast.Call
    steps: list[tuple[ast.expr | None, ast.expr]] = field(default_factory=list)
    targets: list[frozenset[str]] = field(default_factory=list)
    instead: dict[ast.AST, ast.expr] = field(default_factory=dict)
    sure: bool = True
    inner: bool = False
    under: list[ast.expr] = field(default_factory=list)


@dataclass
class Staged:
    """A body whose parts have stages.

    Attributes:
        raising: What its parts may raise.
        stage: Of every node; HEAD where nothing is said.
        both: Assignments of the head that the notebook needs as well, at their place.
        reasons: Why heavy calls stay in the notebook.
        own_index: Containers used at the index of the item alone, with the name of the index.
        items_change: The head changes the items.
        because: Why parts are in the tail, where a rule has said so.
        stays: Why each heavy call stays in the notebook.
        early: Calls of the tail that workers make before it is known whether they are needed.
        shared: The `id` of each object that items which change share, and only read.
    """

    analysed: Analysed
    uses: Uses
    raising: Raising
    stage: dict[ast.AST, Stage] = field(default_factory=dict)
    both: set[ast.AST] = field(default_factory=set)
    reasons: list[Doubt] = field(default_factory=list)
    own_index: dict[Obj, str] = field(default_factory=dict)
    items_change: bool = False
    because: dict[ast.AST, Doubt] = field(default_factory=dict)
    stays: dict[ast.AST, Doubt] = field(default_factory=dict)
    early: dict[ast.Call, Early] = field(default_factory=dict)
    shared: frozenset[int] = frozenset()

    def surely(self) -> bool:
        """Tell whether all calls that workers make early are needed, unless something fails."""
        return all(found.sure for found in self.early.values())

    def in_workers(self) -> set[ast.AST]:
        """Return the parts of calls that workers make early."""
        return {part for call in self.early for part in names.nodes_in(call)}

    def of(self, node: ast.AST) -> Stage:
        """Return the stage of a node."""
        return self.stage.get(node, HEAD)

    def runs_once(self) -> bool:
        """Tell whether a head leaves traces, so that it must not run again."""
        if self.items_change:
            return True
        return any(self.of(node) is Stage.HEAD for node in self.leaving_traces)

    @functools.cached_property
    def leaving_traces(self) -> list[ast.AST]:
        """The nodes that do more than print, of what needs an order."""
        found = self.analysed.effects.items()
        return [node for node, effects in found if effects.order and effects.order - {Order.OUTPUT}]


class Body:
    """The body of a loop, with what is around each of its nodes and the stages found by now.

    Args:
        analysed: The loop.
        seeded: Each item draws from a random stream of its own.

    `parent` and `loops` say what is around each node, `kinds` which nodes there are of a kind, in the order of `nodes`;
    `holding_tail` are the nodes that are in the tail or hold a part that is.
    """

    def __init__(self, analysed: Analysed, *, seeded: bool = False) -> None:
        self.analysed = analysed
        self.loop = analysed.loop
        assigned = names.writes(*self.loop.body) | (names.stored(self.loop.target) if self.loop.target else set())
        self.assigned = assigned
        self.visible = (names.writes(*self.loop.body) if self.loop.collects else assigned) | analysed.given
        self.uses = uses_of(self.loop, assigned, analysed.budget, analysed.in_texts)
        self.staged = Staged(analysed, self.uses, Raising(analysed, self.uses, assigned))
        self.stage = self.staged.stage
        self.seeded = seeded
        self.parent: dict[ast.AST, ast.AST] = {}
        self.loops: dict[ast.AST, tuple[ast.AST, ...]] = {}
        self.nodes = [node for statement in self.loop.body for node in names.nodes_in(statement)]
        self.kinds: dict[type[ast.AST], list[ast.AST]] = {}
        self.holding_tail: set[ast.AST] = set()
        self.enter()
        self.changed = True

    def enter(self) -> None:
        """Note what is around each node, and which nodes there are of each kind."""
        for node in self.nodes:  # outer ones come first
            kind = type(node)
            self.kinds.setdefault(kind, []).append(node)
            loops = self.loops.setdefault(node, ())
            inner = (*loops, node) if kind in TURNING else loops
            for part in names.children_of(node):
                self.parent[part] = node
                self.loops[part] = inner

    def to_tail(self, node: ast.AST, why: Doubt | None = None) -> None:
        """Put a node into the tail."""
        if self.stage.get(node) is Stage.TAIL:
            return
        self.stage[node] = Stage.TAIL
        self.changed = True
        if why is not None:
            self.staged.because.setdefault(node, why)
        around: ast.AST | None = node
        while around is not None and around not in self.holding_tail:
            self.holding_tail.add(around)
            around = self.parent.get(around)

    def line(self, node: ast.AST) -> int:
        """Return the line of a node."""
        return getattr(node, "lineno", self.loop.line)

    def nodes_of(self, *kinds: type[ast.AST]) -> Iterable[ast.AST]:
        """Return the nodes of some kinds in the body."""
        found = [self.kinds[kind] for kind in kinds if kind in self.kinds]
        if len(found) > 1:
            return [node for node in self.nodes if type(node) in kinds]
        return found[0] if found else ()

    def value_node(self, definition: ast.AST) -> ast.AST | None:
        """Return the expression that an assignment takes its value from."""
        node: ast.AST | None = definition
        while node is not None:
            above = self.parent.get(node)
            if isinstance(above, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
                return above.value
            if isinstance(above, (ast.For, ast.AsyncFor)):
                return above.iter
            if isinstance(above, ast.withitem):
                return above.context_expr
            node = above
        return None

    def is_inside(self, node: ast.AST, around: ast.AST) -> bool:
        """Tell whether a node is a part of another."""
        found: ast.AST | None = node
        while found is not None and found is not around:
            found = self.parent.get(found)
        return found is around


class Rules:
    """Rules of one kind, which put parts of a body into the tail."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.analysed = body.analysed
        self.loop = body.loop
        self.uses = body.uses
        self.staged = body.staged


def heavy_in_tail(staged: Staged) -> list[ast.AST]:
    """Return the heavy parts of the tail."""
    return [node for node, found in staged.analysed.effects.items() if found.heavy and staged.of(node) is Stage.TAIL]


def speculate(staged: Staged) -> None:
    """Note the calls of the tail that workers make early, where any may be worth it."""
    if heavy_in_tail(staged):
        from concompare.cells.distribution import speculation

        speculation.speculate(staged)


def heavy_in_notebook(staged: Staged) -> list[ast.AST]:
    """Return the heavy parts of the tail that no worker makes early."""
    early = staged.in_workers()
    return [node for node in heavy_in_tail(staged) if node not in early]
