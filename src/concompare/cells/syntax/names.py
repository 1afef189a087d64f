"""Definitions and uses: the names that a piece of code reads and writes in one iteration, in order."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Node = TypeVar("Node", bound=ast.AST)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Flow:
    """What a sequence of statements does with names.

    Attributes:
        exposed: Names that may be read before this code writes them, with the line of the first such read.
        written: Names that may be written, with the line of the first write.
        sure: Names that are written on every path to the end.
        deleted: Names that may be deleted; `again`: those of them that may be written after that.
        ended: No path reaches the end.
    """

    exposed: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    sure: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    ended: bool = False


class Methods(dict[type[ast.AST], str]):
    """The names of the methods for the kinds of nodes, each made once."""

    def __missing__(self, kind: type[ast.AST]) -> str:
        """Make one."""
        self[kind] = f"_on_{kind.__name__}"
        return self[kind]


class Fields(dict[type[ast.AST], tuple[str, ...]]):
    """The fields of the kinds of nodes that may hold other nodes of interest, found once."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        """Find those of one kind."""
        self[kind] = () if kind is ast.Constant else tuple(name for name in kind._fields if name not in PLAIN_FIELDS)
        return self[kind]


METHODS, FIELDS = Methods(), Fields()
PLAIN_FIELDS = frozenset({"id", "attr", "arg", "ctx", "op", "ops", "kind", "module", "level", "type_comment"})


class Walk:
    """One walk over code in the order of execution."""

    def __init__(self, sure: Iterable[str] = ()) -> None:
        self.flow = Flow(sure=set(sure))

    def read(self, name: str, line: int) -> None:
        """Note that a name is read."""
        if name not in self.flow.sure:
            self.flow.exposed.setdefault(name, line)

    def write(self, name: str, line: int) -> None:
        """Note that a name is written."""
        self.flow.written.setdefault(name, line)
        self.flow.sure.add(name)
        if name in self.flow.deleted:
            self.flow.again.add(name)

    def branch(self, *parts: Sequence[ast.AST]) -> list[set[str]]:
        """Walk alternatives from the same start; returns what each surely wrote, leaving out those that end."""
        before = set(self.flow.sure)
        ends = []
        for part in parts:
            self.flow.sure, self.flow.ended = set(before), False
            self.nodes(part)
            if not self.flow.ended:
                ends.append(self.flow.sure)
        self.flow.sure, self.flow.ended = before, False
        return ends

    def join(self, ends: list[set[str]]) -> None:
        """Go on from whichever alternative was taken."""
        if ends:
            self.flow.sure = set.intersection(*ends)
        else:
            self.flow.ended = True

    def nodes(self, nodes: Iterable[ast.AST | None]) -> None:
        """Walk nodes one after the other."""
        for node in nodes:
            if node is not None:
                self.node(node)

    def node(self, node: ast.AST) -> None:
        """Walk a node."""
        method = getattr(self, METHODS[type(node)], None)
        if method is not None:
            method(node)
        else:
            for part in children_of(node):
                self.node(part)

    def _on_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.read(node.id, node.lineno)
        elif isinstance(node.ctx, ast.Store):
            self.write(node.id, node.lineno)
        else:
            self.read(node.id, node.lineno)
            self.flow.written.setdefault(node.id, node.lineno)
            self.flow.deleted.add(node.id)
            self.flow.sure.discard(node.id)

    def _on_Assign(self, node: ast.Assign) -> None:
        self.node(node.value)
        self.nodes(node.targets)

    def _on_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.read(node.target.id, node.lineno)
        else:
            self.nodes(children_of(node.target))
        self.node(node.value)
        if isinstance(node.target, ast.Name):
            self.write(node.target.id, node.lineno)

    def _on_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.node(node.value)
            self.node(node.target)
        self.node(node.annotation)

    def _on_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.node(node.value)
        self.node(node.target)

    def _on_BoolOp(self, node: ast.BoolOp) -> None:
        self.node(node.values[0])
        self.branch(node.values[1:])

    def _on_IfExp(self, node: ast.IfExp) -> None:
        self.node(node.test)
        self.join(self.branch([node.body], [node.orelse]))

    def _on_Compare(self, node: ast.Compare) -> None:
        self.nodes([node.left, node.comparators[0]])
        self.branch(node.comparators[1:])

    def _on_If(self, node: ast.If) -> None:
        self.node(node.test)
        self.join(self.branch(node.body, node.orelse))

    def _on_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.node(node.iter)
        self.branch([node.target, *node.body], node.orelse)

    _on_AsyncFor = _on_For

    def _on_While(self, node: ast.While) -> None:
        self.node(node.test)
        self.branch(node.body, node.orelse)

    def _on_Try(self, node: ast.Try) -> None:
        before = set(self.flow.sure)
        body = self.branch([*node.body, *node.orelse])
        handlers = []
        for handler in node.handlers:
            self.flow.sure = set(before)
            handlers += self.branch([handler])
        self.flow.sure = set(before)
        self.nodes(node.finalbody)
        added = self.flow.sure - before
        if not self.flow.ended:
            self.join([end | added for end in [*body, *handlers]])

    _on_TryStar = _on_Try

    def _on_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.node(node.type)
        if node.name:
            self.write(node.name, node.lineno)
        self.nodes(node.body)
        if node.name:
            self.flow.deleted.add(node.name)
            self.flow.sure.discard(node.name)

    def _on_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.node(item)
        if all(is_open(item.context_expr) for item in node.items):
            self.nodes(node.body)
            return
        before = set(self.flow.sure)
        self.nodes(node.body)  # the context may swallow an exception: nothing of the body is sure but plain first steps
        if any(may_swallow(item.context_expr) for item in node.items):
            self.flow.sure, self.flow.ended = before, False

    _on_AsyncWith = _on_With

    def _on_Match(self, node: ast.Match) -> None:
        self.node(node.subject)
        parts: list[Sequence[ast.AST]] = []
        complete = False
        for case in node.cases:
            parts.append([case.pattern, *([case.guard] if case.guard else []), *case.body])
            whole = isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
            complete = complete or (whole and case.guard is None)
        if not complete:
            parts.append([])
        self.join(self.branch(*parts))

    def _on_MatchAs(self, node: ast.MatchAs) -> None:
        if node.pattern is not None:
            self.node(node.pattern)
        if node.name:
            self.write(node.name, node.lineno)

    def _on_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.write(node.name, node.lineno)

    def _on_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.nodes(node.keys)
        self.nodes(node.patterns)
        if node.rest:
            self.write(node.rest, node.lineno)

    def _on_MatchOr(self, node: ast.MatchOr) -> None:
        self.join(self.branch(*[[pattern] for pattern in node.patterns]))

    def _on_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self.write(alias.asname or alias.name.split(".")[0], node.lineno)

    _on_ImportFrom = _on_Import

    def _on_Break(self, node: ast.AST) -> None:
        self.flow.ended = True

    _on_Continue = _on_Break

    def _on_Return(self, node: ast.Return) -> None:
        self.nodes([node.value])
        self.flow.ended = True

    def _on_Raise(self, node: ast.Raise) -> None:
        self.nodes([node.exc, node.cause])
        self.flow.ended = True

    def _on_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.nodes(node.decorator_list)
        self.nodes([*node.args.defaults, *node.args.kw_defaults])
        self.free(node)
        self.write(node.name, node.lineno)

    _on_AsyncFunctionDef = _on_FunctionDef

    def _on_Lambda(self, node: ast.Lambda) -> None:
        self.nodes([*node.args.defaults, *node.args.kw_defaults])
        self.free(node)

    def free(self, node: ast.AST) -> None:
        """Note what a function takes from outside as read where it is defined."""
        for name, line in free_names(node).items():
            self.read(name, line)

    def _on_ClassDef(self, node: ast.ClassDef) -> None:
        self.nodes(node.decorator_list)
        self.nodes(node.bases)
        self.nodes([keyword.value for keyword in node.keywords])
        inner = Walk()
        inner.nodes(node.body)
        for name, line in inner.flow.exposed.items():
            self.read(name, line)
        self.write(node.name, node.lineno)

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        """Walk a comprehension, whose targets are its own."""
        self.node(node.generators[0].iter)
        bound = {name for part in node.generators for name in stored(part.target)}
        inner = Walk(bound)
        for position, part in enumerate(node.generators):
            if position:
                inner.node(part.iter)
            inner.nodes(part.ifs)
        inner.nodes([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        for name, line in inner.flow.exposed.items():
            self.read(name, line)
        for name, line in inner.flow.written.items():
            self.flow.written.setdefault(name, line)

    _on_ListComp = _on_SetComp = _on_DictComp = _on_GeneratorExp = comprehension


def flow_of(nodes: Iterable[ast.AST], sure: Iterable[str] = ()) -> Flow:
    """Return what the nodes do with names when executed one after the other."""
    walk = Walk(sure)
    for node in nodes:
        walk.node(node)
        if walk.flow.ended:
            ended = walk.flow.sure
            walk.flow.ended = False
            walk.flow.sure = ended
    return walk.flow


def read_first(node: ast.For | ast.AsyncFor | ast.While) -> frozenset[str]:
    """Return the names that a turn of a loop may read before it has written them, found once."""
    found: frozenset[str] | None = node.__dict__.get("concompare_read_first")
    if found is None:
        start = node.test if isinstance(node, ast.While) else node.target
        found = node.__dict__["concompare_read_first"] = frozenset(flow_of([start, *node.body]).exposed)
    return found


def reads(*nodes: ast.AST) -> set[str]:
    """Return every name that the nodes may read from outside their own scopes."""
    return set[str]().union(*[facts_of(node).reads for node in nodes])


def writes(*nodes: ast.AST) -> set[str]:
    """Return every name that the nodes may write or delete in the scope they run in."""
    return set[str]().union(*[facts_of(node).writes for node in nodes])


class Facts(NamedTuple):
    """What is asked about one piece of code many times.

    Attributes:
        reads: The names that it may read from outside its own scopes; `writes`: those that it may write or delete.
        deletes: The names that it may delete.
    """

    reads: frozenset[str]
    writes: frozenset[str]
    deletes: frozenset[str]


FACTS = "concompare_facts"
"""Where the facts of a node are remembered."""
NOTHING: frozenset[str] = frozenset()
NO_FACTS = Facts(NOTHING, NOTHING, NOTHING)
SUMMED = frozenset({
    ast.Assign, ast.Attribute, ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.Constant, ast.Dict, ast.Expr,
    ast.FormattedValue, ast.If, ast.JoinedStr, ast.keyword, ast.List, ast.Set, ast.Slice, ast.Starred, ast.Subscript,
    ast.Tuple, ast.UnaryOp, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.withitem, ast.Try,
    ast.TryStar, ast.Return, ast.Raise, ast.Assert, ast.Delete, ast.IfExp, ast.NamedExpr, ast.Await, ast.Pass,
    ast.Break, ast.Continue,
})  # fmt: skip
"""Kinds of nodes that do no more with names than their parts."""
PLAIN = SUMMED - {ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar} | {ast.Name}
"""Those of them that are no blocks, and names."""


def facts_of(node: ast.AST) -> Facts:
    """Return the facts of a node, found once: a tree never changes, and may be deeper than calls can be."""
    found: Facts | None = node.__dict__.get(FACTS)
    if found is not None:
        return found
    stack = [] if found_plainly(node) else [node]
    while stack:
        part = stack[-1]
        inner = children_of(part) if type(part) in SUMMED else []
        missing = [one for one in inner if FACTS not in one.__dict__ and not found_plainly(one)]
        if missing:
            stack += missing
            continue
        stack.pop()
        if FACTS not in part.__dict__:
            known = [one.__dict__[FACTS] for one in inner]
            part.__dict__[FACTS] = summed(known) if type(part) in SUMMED else walked(part)
    made: Facts = node.__dict__[FACTS]
    return made


def found_plainly(node: ast.AST) -> bool:
    """Find the facts of code of one line, as it were, in one pass, where its names alone tell them."""
    if not PLAIN.issuperset(kinds_in(node)):
        return False
    named = [(part.id, type(part.ctx)) for part in nodes_in(node) if type(part) is ast.Name]
    reads = frozenset([name for name, way in named if way is not ast.Store])
    writes = frozenset([name for name, way in named if way is not ast.Load])
    deletes = frozenset([name for name, way in named if way is ast.Del])
    node.__dict__[FACTS] = Facts(reads, writes, deletes) if named else NO_FACTS
    return True


def summed(parts: list[Facts]) -> Facts:
    """Return the facts of code that does no more with names than its parts."""
    parts = [part for part in parts if part is not NO_FACTS]
    if len(parts) < 2:
        return parts[0] if parts else NO_FACTS
    return Facts(
        NOTHING.union(*[part.reads for part in parts]),
        NOTHING.union(*[part.writes for part in parts]),
        NOTHING.union(*[part.deletes for part in parts]),
    )


def walked(node: ast.AST) -> Facts:
    """Return the facts of a node by a walk."""
    walk = Every()
    walk.node(node)
    return Facts(frozenset(walk.found), frozenset(walk.flow.written), frozenset(walk.flow.deleted))


class Every(Walk):
    """A walk that notes every name that is read, also where it was written before."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def read(self, name: str, line: int) -> None:
        """Note that a name is read."""
        self.found.add(name)


def nodes_in(node: ast.AST) -> tuple[ast.AST, ...]:
    """Return a node and every node inside it but operators and contexts, outer ones first, found once."""
    inside: tuple[ast.AST, ...] | None = node.__dict__.get("concompare_inside")
    if inside is None:
        found = [node]
        for part in found:
            found += children_of(part)
        inside = node.__dict__["concompare_inside"] = tuple(found[1:])
    return (node, *inside)


def kinds_in(node: ast.AST) -> frozenset[type[ast.AST]]:
    """Return the kinds of a node and the nodes inside it, found once."""
    found: frozenset[type[ast.AST]] | None = node.__dict__.get("concompare_kinds")
    if found is None:
        found = node.__dict__["concompare_kinds"] = frozenset(map(type, nodes_in(node)))
    return found


def children_of(node: ast.AST) -> list[ast.AST]:
    """Return the nodes that a node holds itself, in their order, but for operators and contexts, found once."""
    known = node.__dict__
    found: list[ast.AST] | None = known.get("concompare_children")
    if found is not None:
        return found
    found = []
    for name in FIELDS[type(node)]:
        value = known.get(name)
        if type(value) is list:
            found += [part for part in value if isinstance(part, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    known["concompare_children"] = found
    return found


def stored(target: ast.AST) -> set[str]:
    """Return the names that an assignment target binds."""
    return {node.id for node in nodes_in(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[str]:
    """Return the parameter names: positional, `*args`, keyword-only, `**kwargs`."""
    args = node.args
    extra = [arg.arg for arg in (args.vararg, args.kwarg) if arg is not None]
    return [arg.arg for arg in [*args.posonlyargs, *args.args, *args.kwonlyargs]] + extra


@dataclass(frozen=True)
class Signature:
    """The names of a function's own.

    Attributes:
        positional: The parameters that have places; `by_keyword`: those after them; `parameters`: all, those of `*args`
            and `**kwargs` last.
        written: The names that its body may give values.
        local: Those that are its own: not declared as global or nonlocal.
    """

    positional: list[str]
    by_keyword: list[str]
    parameters: list[str]
    written: frozenset[str]
    local: frozenset[str]


def signature_of(node: FunctionNode) -> Signature:
    """Return the names of a function's own, found once."""
    found: Signature | None = node.__dict__.get("concompare_signature")
    if found is None:
        args = node.args
        body: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else list(node.body)
        declared = declared_in(body, ast.Global, ast.Nonlocal)
        every, written = parameters(node), frozenset(writes(*body))
        found = node.__dict__["concompare_signature"] = Signature(
            [arg.arg for arg in [*args.posonlyargs, *args.args]],
            [arg.arg for arg in args.kwonlyargs],
            every,
            written,
            (written | set(every)) - declared.keys(),
        )
    return found


def free_names(node: ast.AST) -> dict[str, int]:
    """Return the names that a function takes from outside, with the line of the first use, or of a `nonlocal`."""
    assert isinstance(node, FUNCTIONS)
    body: list[ast.AST] = [node.body] if isinstance(node, ast.Lambda) else list(node.body)
    walk = Walk()
    walk.nodes(body)
    local = (set(walk.flow.written) - declared_in(body, ast.Global, ast.Nonlocal).keys()) | set(parameters(node))
    collected = Walk()
    collected.flow.exposed.update(declared_in(body, ast.Nonlocal))
    collected.write = lambda name, line: None  # type: ignore[method-assign]
    collected.nodes(body)
    return {name: line for name, line in collected.flow.exposed.items() if name not in local}


def declared_in(body: Iterable[ast.AST], *kinds: type[ast.AST]) -> dict[str, int]:
    """Return the names of a function's own `global` and `nonlocal` statements of some kinds, with their lines."""
    found: dict[str, int] = {}
    for part in body:
        if isinstance(part, (ast.Global, ast.Nonlocal)) and isinstance(part, kinds):
            found.update(dict.fromkeys(part.names, part.lineno))
        elif not (kinds_in(part).isdisjoint(kinds) or isinstance(part, (*FUNCTIONS, ast.ClassDef))):
            found.update(declared_in(children_of(part), *kinds))
    return found


def is_open(node: ast.AST) -> bool:
    """Tell whether this is a call of the builtin `open`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"


def may_swallow(node: ast.AST) -> bool:
    """Tell whether a context may swallow an exception raised inside it, as far as its name shows."""
    words = {part.id for part in nodes_in(node) if isinstance(part, ast.Name)}
    words |= {part.attr for part in nodes_in(node) if isinstance(part, ast.Attribute)}
    return bool(words & {"suppress", "raises", "ExitStack"})


def copied(node: Node, instead: Callable[[ast.AST], ast.AST | None] = lambda node: None) -> Node:
    """Return a copy of a tree, without what was remembered for its nodes.

    Args:
        node: The tree.
        instead: What stands in a node's place, or None for a copy of the node.
    """
    whole: list[Any] = [node]
    stack: list[tuple[Any, Any]] = [(whole, 0)]
    while stack:  # no calls inside each other: a tree may be deeper than these can be
        holder, key = stack.pop()
        part: ast.AST = holder[key]
        found = instead(part)
        if found is not None:
            holder[key] = found
        elif part._attributes or part._fields:
            holder[key], inner = copied_alone(part)
            stack += reversed(inner)
    return whole[0]  # type: ignore[no-any-return]


def copied_alone(node: ast.AST) -> tuple[ast.AST, list[tuple[Any, Any]]]:
    """Return a copy of a node that holds the nodes of the original, and the places of those, in their order.

    Contexts and operators are no copies: Python shares them among all trees, and others hang things on them.
    """
    made = type(node).__new__(type(node))
    known, new = node.__dict__, made.__dict__
    for name in node._attributes:
        if name in known:
            new[name] = known[name]
    if "concompare_test" in known:
        new["concompare_test"] = True  # it stays the end of a `while`
    inner: list[tuple[Any, Any]] = []
    for name in node._fields:
        if name not in known:
            continue
        value = new[name] = known[name]
        if isinstance(value, list):
            parts = new[name] = list(value)
            inner += [(parts, place) for place, part in enumerate(parts) if isinstance(part, ast.AST)]
        elif isinstance(value, ast.AST):
            inner.append((new, name))
    return made, inner


def as_read(target: ast.expr) -> ast.expr:
    """Return an assignment target as the expression that reads it."""
    return copied(target, lambda node: ast.Load() if isinstance(node, (ast.Store, ast.Del)) else None)
