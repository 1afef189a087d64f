"""The loops of a cell in one shape: what is walked, what is bound, what is done for each item."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TypeVar

from concompare.cells import known, names

Node = TypeVar("Node", bound=ast.AST)


@dataclass
class Loop:
    """A loop, comprehension, map or call of the cell, ready to be split.

    Attributes:
        kind: "loop", "comprehension", "map", "call" or "function".
        line: Its line.
        target: What each item is bound to.
        items: The expressions that are walked: one, or several in step (as `map` and `zip` do); none for a call.
        body: What is done for each item.
        orelse: What is done after the last item, unless the loop was left by `break`.
        position: Which statement of the cell it is in.
        node: The node of the cell that it replaces: the statement, or an expression inside it.
        collects: The values become a list, which then stands in the node's place; the target is not visible outside.
        lazy: The values are handed to a consumer that takes them one by one.
        stops: The consumer may stop early: "any", "all" or "next".
        shape: What the values become: "list", "set", "dict", or "one" for the value of a call itself.
        bound: The names of the target.
        key: A function that the consumer calls between the values.
        filled: What the consumer puts the values into, one by one.
        apart: Containers that are walked and changed at once, each iteration at its own element.
    """

    kind: str
    line: int
    target: ast.expr
    items: list[ast.expr]
    body: list[ast.stmt]
    orelse: list[ast.stmt]
    position: int
    node: ast.AST
    collects: bool = False
    lazy: bool = False
    stops: str | None = None
    shape: str = "list"
    bound: set[str] = field(default_factory=set)
    filled: ast.expr | None = None
    key: ast.expr | None = None
    apart: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.bound = names.stored(self.target)


HIDDEN = "_concompare_"
"""How the names begin that are ours and not the notebook's."""
RESULT = "_concompare_result"
"""Stands for the collected values in the tail of a comprehension."""
CONSUMERS = frozenset(
    known.words("""
    list tuple set frozenset sum max min sorted any all dict next
    """)
)
CONSUMING_METHODS = frozenset(
    known.words("""
    join extend update union
    """)
)
CONSUMING_FUNCTIONS = frozenset(
    known.words("""
    Counter deque OrderedDict fsum prod mean fmean median stdev pstdev variance chain fromiter
    """)
)
STOPPING = frozenset({"any", "all", "next"})
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


PLACE_OF = ("lineno", "col_offset", "end_lineno", "end_col_offset")


def loops_of(tree: ast.Module, shadowed: set[str]) -> list[Loop]:
    """Return the loops of a cell that could be split, in the order of the cell.

    Args:
        tree: The cell.
        shadowed: Names that do not mean the builtin here.
    """
    found: list[Loop] = []
    for position, statement in enumerate(tree.body):
        if isinstance(statement, ast.For):
            found.append(for_loop(statement, position, shadowed))
        elif isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.If, ast.Assert)):
            found += Search(statement, position, shadowed).found
    return found


def for_loop(node: ast.For, position: int, shadowed: set[str]) -> Loop:
    """Return a `for` statement; a `map` that it walks becomes the first step of its body."""
    if (mapped := mapped_call(node.iter, shadowed, HIDDEN)) is not None:
        target, items, call = mapped
        first = located(ast.Assign([node.target], call), node.iter)
        body = [first, *node.body]
        made = Loop("loop", node.lineno, target, items, body, node.orelse, position, node)
        made.bound = names.stored(target)
        return made
    return Loop("loop", node.lineno, node.target, [node.iter], node.body, node.orelse, position, node)


def located(node: Node, place: ast.AST) -> Node:
    """Give a made node the place of one that the user wrote."""
    known = place.__dict__
    for name in PLACE_OF:
        if name in known and name in node._attributes:
            setattr(node, name, known[name])
    return node


def method(holder: ast.expr, name: str, place: ast.AST) -> ast.Attribute:
    """Return a method of ours, on the first line of its place: Python shows a call at the last line of its method."""
    made = located(ast.Attribute(holder, name, ast.Load()), place)
    made.end_lineno, made.end_col_offset = made.lineno, made.col_offset
    return made


class Search:
    """Looks through a statement for a comprehension or map whose value it uses first of all."""

    def __init__(self, statement: ast.stmt, position: int, shadowed: set[str]) -> None:
        self.position = position
        self.shadowed = shadowed
        self.found: list[Loop] = []
        self.calm = True
        if isinstance(statement, (ast.If, ast.Assert)):
            self.expression(statement.test, [])
        elif isinstance(statement, ast.AugAssign):
            self.calm = isinstance(statement.target, ast.Name)
            self.expression(statement.value, [])
        elif isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Expr)) and statement.value is not None:
            self.expression(statement.value, [])

    def expression(self, node: ast.expr, holders: list[ast.AST]) -> None:
        """Search an expression in the order of evaluation; `holders` are the expressions around it."""
        if not self.calm:
            return
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp)):
            self.add(comprehension(node, self.position))
            return
        if (gathered := gathered_of(node)) is not None:
            loop = comprehension(gathered, self.position)
            loop.node = node
            self.add(loop)
            return
        consumer = consumer_of(node, holders, self.shadowed)
        if isinstance(node, ast.GeneratorExp):
            if consumer is not None:
                loop = comprehension(node, self.position)
                self.add(consumed(loop, consumer, holders[-1]))
            self.calm = False
            return
        if (mapped := mapped_call(node, self.shadowed)) is not None:
            if consumer is not None:
                target, items, call = mapped
                loop = collecting("map", node, target, items, call, [], self.position)
                self.add(consumed(loop, consumer, holders[-1]))
            self.calm = False
            return
        self.children(node, holders)

    def add(self, loop: Loop) -> None:
        """Note a loop that was found."""
        self.found.append(loop)

    def children(self, node: ast.expr, holders: list[ast.AST]) -> None:
        """Search the parts of an expression; what follows a part with effects of its own is left alone."""
        parts: list[ast.expr] = []
        if isinstance(node, ast.Call):
            parts = [node.func, *node.args, *[keyword.value for keyword in node.keywords]]
        elif isinstance(node, ast.BoolOp):
            parts = node.values[:1]
        elif isinstance(node, ast.IfExp):
            parts = [node.test]
        elif isinstance(node, ast.Compare):
            parts = [node.left, node.comparators[0]]
        elif isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Attribute, ast.Starred, ast.FormattedValue)):
            parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
        elif isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.JoinedStr)):
            parts = list(node.values if isinstance(node, ast.JoinedStr) else node.elts)
        elif isinstance(node, ast.Dict):
            parts = [part for pair in zip(node.keys, node.values, strict=True) for part in pair if part is not None]
        elif isinstance(node, ast.NamedExpr):
            parts = [node.value]
        for part in parts:
            self.expression(part, [*holders, node])
            self.calm = self.calm and is_calm(part)


def is_calm(node: ast.expr) -> bool:
    """Tell whether evaluating an expression does nothing but look up names."""
    if isinstance(node, (ast.Name, ast.Constant)):
        return True
    if isinstance(node, ast.Attribute):
        return is_calm(node.value)
    return isinstance(node, (ast.Tuple, ast.List)) and all(is_calm(part) for part in node.elts)


def consumer_of(node: ast.expr, holders: list[ast.AST], shadowed: set[str]) -> str | None:
    """Return the name of the function that takes the items of a lazy expression one by one, or None."""
    if not holders:
        return None
    holder = holders[-1]
    if isinstance(holder, ast.Starred) and len(holders) > 1:
        return "list"
    if not isinstance(holder, ast.Call) or node not in holder.args:
        return None
    func = holder.func
    if isinstance(func, ast.Name) and func.id not in shadowed:
        if func.id in CONSUMERS and holder.args[0] is node:
            return func.id
        if func.id in CONSUMING_FUNCTIONS:
            return func.id
    if isinstance(func, ast.Attribute) and (func.attr in CONSUMING_METHODS or func.attr in CONSUMING_FUNCTIONS):
        return func.attr
    return None


def gathered_of(node: ast.AST) -> ast.ListComp | None:
    """Return `await asyncio.gather(*[f(x) for x in xs])` as `[await f(x) for x in xs]`; None: it is something else."""
    call = node.value if isinstance(node, ast.Await) else None
    if not isinstance(call, ast.Call) or call.keywords or len(call.args) != 1:
        return None
    if ast.unparse(call.func) not in ("asyncio.gather", "gather") or not isinstance(call.args[0], ast.Starred):
        return None
    made = call.args[0].value
    if not isinstance(made, (ast.ListComp, ast.GeneratorExp)) or isinstance(made.elt, ast.Await):
        return None
    return located(ast.ListComp(located(ast.Await(made.elt), made.elt), made.generators), made)


def awaits_items(statement: ast.stmt) -> bool:
    """Tell whether all that a statement awaits is one coroutine for each item of a comprehension or of `gather`."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Expr)):
        return False
    made = gathered_of(statement.value) if statement.value is not None else None
    comp = made or statement.value
    if not isinstance(comp, ast.ListComp) or not isinstance(comp.elt, ast.Await) or len(comp.generators) != 1:
        return False
    waits = {ast.Await, ast.AsyncFor, ast.AsyncWith}
    others: list[ast.AST] = [comp.elt.value, comp.generators[0]]
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        others += statement.targets if isinstance(statement, ast.Assign) else [statement.target, statement.annotation]
    return not comp.generators[0].is_async and not any(names.kinds_in(part) & waits for part in others)


def consumed(loop: Loop, consumer: str, holder: ast.AST) -> Loop:
    """Mark a loop as one whose values a consumer takes one by one."""
    loop.lazy = True
    if isinstance(holder, ast.Call) and isinstance(holder.func, ast.Attribute) and consumer in ("extend", "update"):
        loop.filled = holder.func.value
    if isinstance(holder, ast.Call):
        loop.key = next((part.value for part in holder.keywords if part.arg == "key"), None)
    loop.stops = consumer if consumer in STOPPING else None
    return loop


def mapped_call(
    node: ast.AST, shadowed: set[str], prefix: str = ""
) -> tuple[ast.expr, list[ast.expr], ast.expr] | None:
    """Return (target, items, call) of a `map` or `starmap`, or None."""
    if not isinstance(node, ast.Call) or node.keywords or len(node.args) < 2:
        return None
    func = node.func
    name = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
    plain = isinstance(func, ast.Name) and name == "map" and "map" not in shadowed
    star = name == "starmap" and len(node.args) == 2
    if not (plain or star) or any(isinstance(part, ast.Starred) for part in node.args) or not is_fixed(node.args[0]):
        return None
    function, items = node.args[0], node.args[1:]
    taken = names.reads(function)
    words = [f"{prefix}item{number or ''}" for number in range(50) if f"item{number or ''}" not in taken][: len(items)]
    stores: list[ast.expr] = [located(ast.Name(word, ast.Store()), node) for word in words]
    loads: list[ast.expr] = [located(ast.Name(word, ast.Load()), node) for word in words]
    if star:
        loads = [located(ast.Starred(loads[0], ast.Load()), node)]
    target = stores[0] if len(stores) == 1 else located(ast.Tuple(stores, ast.Store()), node)
    return target, items, located(ast.Call(function, loads, []), node)


def is_fixed(node: ast.expr) -> bool:
    """Tell whether a function expression may be evaluated for every item as well as once."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        parts = [*node.args, *[keyword.value for keyword in node.keywords]]
        return name in ("partial", "itemgetter", "attrgetter", "methodcaller") and all(map(is_fixed, parts))
    return isinstance(node, ast.Lambda) or is_calm(node)


def comprehension(node: Comprehension, position: int) -> Loop:
    """Return a comprehension as a loop over its outermost iterable."""
    first = node.generators[0]
    if isinstance(node, ast.DictComp):
        value: ast.expr = located(ast.Tuple([node.key, node.value], ast.Load()), node.value)
    else:
        value = node.elt
    inner = node.generators[1:]
    loop = collecting("comprehension", node, first.target, [first.iter], value, first.ifs, position, inner)
    loop.shape = {ast.SetComp: "set", ast.DictComp: "dict"}.get(type(node), "list")
    return loop


def collecting(
    kind: str,
    node: ast.expr,
    target: ast.expr,
    items: list[ast.expr],
    value: ast.expr,
    tests: list[ast.expr],
    position: int,
    inner: list[ast.comprehension] | None = None,
) -> Loop:
    """Return a loop that collects the value of each item."""
    if inner:
        value = located(ast.ListComp(value, inner), node)
    result = method(located(ast.Name(RESULT, ast.Load()), node), "extend" if inner else "append", node)
    step: ast.stmt = located(ast.Expr(located(ast.Call(result, [value], []), value)), value)
    for test in reversed(tests):
        step = located(ast.If(test, [step], []), test)
    return Loop(kind, node.lineno, target, items, [step], [], position, node, collects=True)
