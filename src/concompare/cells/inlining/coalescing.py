"""A loop of few items with the work in one loop inside it, beside other statements, as one loop over all turns.

Loop coalescing of an imperfect nest: what stands before and after the inner loop becomes a part of its first and its
last turn. So `for a in models:` with `for f in folds:` in it has `len(models) * len(folds)` items, while the lists and
sums that go from turn to turn are filled in the notebook, in order.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from concompare.cells.distribution.staging import Staged
from concompare.cells.forms.comprehensions import pair
from concompare.cells.forms.flattening import ITEMS, NONE, PART, is_cheap
from concompare.cells.ir import OURS, Loop, Stage
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import PLACE_OF, located, method
from concompare.cells.syntax.own_code import is_user_module
from concompare.cells.syntax.renaming import swapped

FEW = 4
"""Items of the outer loop up to which its turns are shared out instead."""
FIRST, LAST = OURS + "first", OURS + "last"
PARTS = "__concompare_parts"
"""Holds the values of a comprehension between its first and its last turn, as a name of the user's would."""
GATHERING = frozenset({"sum", "max", "min", "list", "tuple", "sorted", "set", "mean", "fmean", "array"})
"""Calls that take all values of a generator, and do nothing else before they have the last."""
ENDING = frozenset({ast.Break, ast.Continue, ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFor})
TURNING = (ast.For, ast.While, *names.COMPREHENSIONS)


@dataclass(frozen=True)
class Nest:
    """Two loops, with what stands around the inner one.

    Attributes:
        target, items: Of the inner loop; `tests` say which of its items it leaves out.
        before, body, after: The statements before it, of it, and after it.
        gathers: The values are kept under the name `PARTS`.
    """

    target: ast.expr
    items: ast.expr
    before: list[ast.stmt]
    body: list[ast.stmt]
    after: list[ast.stmt]
    tests: tuple[ast.expr, ...] = ()
    gathers: bool = False


@dataclass(frozen=True)
class Coalesced:
    """Two loops as one.

    Attributes:
        loop: The loop over tuples of an outer item, whether its first or last turn is meant, and an inner item.
        walk: What gives each outer item with the list of its inner ones, from those under the name `ITEMS`.
        outer, inner: The targets of both loops.
        gathers: The name `PARTS` is to be given back.
    """

    loop: Loop
    walk: ast.GeneratorExp
    outer: ast.expr
    inner: ast.expr
    gathers: bool

    @property
    def inner_names(self) -> frozenset[str]:
        """The names that the inner loop binds."""
        return frozenset(names.stored(self.inner))

    def is_before_turns(self, error: BaseException, filename: str) -> bool:
        """Tell whether an error of the first turn of an outer item is of what stands before the inner loop."""
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename != filename:
            trace = trace.tb_next
        return trace is not None and trace.tb_lineno < self.inner.lineno

    def rows(self, pairs: Iterable[tuple[Any, list[Any]]]) -> list[tuple[Any, bool, bool, Any]] | None:
        """Return the items of the one loop; None where an outer item has no inner one."""
        found: list[tuple[Any, bool, bool, Any]] = []
        for item, inner in pairs:
            if not inner:
                return None
            last = len(inner) - 1
            found += [(item, place == 0, place == last, part) for place, part in enumerate(inner)]
        return found


def coalesced(
    loop: Loop, shadowed: frozenset[str] = frozenset(), namespace: Mapping[str, Any] = NONE
) -> Coalesced | None:
    """Return a loop and the one inside it as one; None: they are not of that kind.

    Args:
        loop: The outer loop.
        shadowed: Names that do not mean the builtin here.
        namespace: The notebook's names.
    """
    node, target = loop.node, loop.target
    if target is None or loop.stops or loop.means or loop.lazy or loop.orelse:
        return None
    if not isinstance(node, (ast.For, ast.ListComp, ast.SetComp, ast.DictComp)):
        return None
    if not isinstance(node, ast.For) and (len(node.generators) != 1 or node.generators[0].ifs):
        return None
    nest = nest_of(loop.body) or gathering(loop.body, shadowed)
    if nest is None or not may_be_one(loop, nest, shadowed, namespace):
        return None
    return one_of(loop, nest)


def nest_of(body: list[ast.stmt]) -> Nest | None:
    """Return a body with one `for` statement among its statements, apart at it."""
    places = [place for place, part in enumerate(body) if isinstance(part, ast.For)]
    if len(places) != 1:
        return None
    inner = body[places[0]]
    assert isinstance(inner, ast.For)
    before, after = body[: places[0]], body[places[0] + 1 :]
    if inner.orelse or ends(inner.body, continues=bool(after)):
        return None
    return Nest(inner.target, inner.iter, before, inner.body, after)


def ends(body: Iterable[ast.AST], *, continues: bool) -> bool:
    """Tell whether a turn may end before its last statement, which something follows, or be the last one."""
    kinds = frozenset[type[ast.AST]]().union(*[names.kinds_in(part) for part in body])
    return bool(kinds & (ENDING if continues else ENDING - {ast.Continue}))


def gathering(body: list[ast.stmt], shadowed: frozenset[str]) -> Nest | None:
    """Return a body with one comprehension in it, whose values are gathered turn by turn."""
    found = [(place, part) for place, statement in enumerate(body) for part in comprehensions_in(statement)]
    if len(found) != 1:
        return None
    place, node = found[0]
    statement = body[place]
    if not isinstance(statement, (ast.Assign, ast.Expr)) or not is_first_in(statement, node, shadowed):
        return None
    part = node.generators[0]
    words = {name: f"{OURS}turn_{name}" for name in names.stored(part.target)}
    if len(node.generators) > 1 or part.is_async or names.kinds_in(node) & {ast.NamedExpr, ast.Lambda, ast.Await}:
        return None
    kept = located(ast.Name(PARTS, ast.Load()), node)
    rest = names.copied(statement, lambda inner: located(ast.Name(PARTS, ast.Load()), node) if inner is node else None)
    store = stored_in(node, kept, words)
    if store is None:
        return None
    begin = located(ast.Assign([located(ast.Name(PARTS, ast.Store()), node)], empty(node)), node)
    tests = tuple(swapped(test, words) for test in part.ifs)
    target = swapped(part.target, words)
    return Nest(target, part.iter, [*body[:place], begin], [store], [rest, *body[place + 1 :]], tests, gathers=True)


def comprehensions_in(statement: ast.stmt) -> Iterator[ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp]:
    """Yield the outermost comprehensions and generators in a statement, and what else turns as a sign of more."""
    stack: list[ast.AST] = [] if names.kinds_in(statement).isdisjoint(names.COMPREHENSIONS) else [statement]
    while stack:
        node = stack.pop()
        if isinstance(node, names.COMPREHENSIONS):
            yield node
        else:
            stack += names.children_of(node)


def stored_in(node: ast.expr, kept: ast.expr, words: Mapping[str, str]) -> ast.stmt | None:
    """Return the statement that keeps the value of one turn."""
    if isinstance(node, ast.DictComp):
        key, value = (swapped(part, words) for part in (node.key, node.value))
        if names.kinds_in(key) & {ast.Call, ast.Subscript, ast.Attribute, ast.BinOp}:
            return None  # an assignment computes the value first
        place = located(ast.Subscript(kept, key, ast.Store()), node)
        return located(ast.Assign([place], value), pair(node))
    assert isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp))
    value = swapped(node.elt, words)
    put = method(kept, "add" if isinstance(node, ast.SetComp) else "append", value)
    return located(ast.Expr(located(ast.Call(put, [value], []), value)), value)


def empty(node: ast.expr) -> ast.expr:
    """Return what a comprehension begins with."""
    if isinstance(node, ast.DictComp):
        return located(ast.Dict([], []), node)
    if isinstance(node, ast.SetComp):  # `set` may have another meaning
        return located(ast.Set([located(ast.Starred(ast.Tuple([], ast.Load()), ast.Load()), node)]), node)
    return located(ast.List([], ast.Load()), node)


def is_first_in(statement: ast.Assign | ast.Expr, node: ast.expr, shadowed: frozenset[str]) -> bool:
    """Tell whether nothing that a statement does before it comes to a comprehension would show it came later."""
    around = [part for part in names.nodes_in(statement) if part is not node and node in names.nodes_in(part)]
    inside = {*names.nodes_in(node)}
    for part in around:
        if isinstance(part, ast.Call):
            if not all(isinstance(step, (ast.Name, ast.Attribute)) for step in names.nodes_in(part.func)):
                return False
            inside |= {*names.nodes_in(part.func)}
        elif not isinstance(part, (ast.Assign, ast.Expr, ast.Tuple, ast.List, ast.Dict, ast.keyword)):
            return False
    if isinstance(node, ast.GeneratorExp):
        call = next((part for part in reversed(around) if isinstance(part, ast.Call)), None)
        name = getattr(call.func, "id", getattr(call.func, "attr", "")) if call is not None else ""
        if call is None or call.args != [node] or call.keywords or name not in GATHERING or name in shadowed:
            return False
    others = [part for part in names.nodes_in(statement) if part not in inside and part not in around]
    return not any(isinstance(part, (ast.Call, ast.Subscript, ast.Await, ast.NamedExpr)) for part in others) or (
        isinstance(statement, ast.Assign) and all(is_target(part, statement) for part in others)
    )


def is_target(node: ast.AST, statement: ast.Assign) -> bool:
    """Tell whether a node is a part of what a statement assigns to, which comes after its value, or does nothing."""
    calm = not isinstance(node, (ast.Call, ast.Subscript, ast.Await, ast.NamedExpr))
    return calm or any(node in names.nodes_in(target) for target in statement.targets)


def may_be_one(loop: Loop, nest: Nest, shadowed: frozenset[str], namespace: Mapping[str, Any]) -> bool:
    """Tell whether all turns may be known before the first, and the names mean the same in one loop."""
    assert loop.target is not None
    whole = [*nest.before, *nest.body, *nest.after]
    outer, inner = names.stored(loop.target), names.stored(nest.target)
    written = names.writes(*whole)
    if outer & (written | inner) or inner & (names.reads(*nest.before) | written):
        return False
    if any(not is_cheap(part, shadowed, namespace) for part in (nest.items, *nest.tests)):
        return False
    if names.reads(nest.items) & written or ends([*nest.before, *nest.after], continues=True):
        return False
    return not any(isinstance(part, TURNING) for node in (*nest.before, *nest.after) for part in names.nodes_in(node))


def one_of(loop: Loop, nest: Nest) -> Coalesced:
    """Return two loops as one."""
    assert loop.target is not None
    place = nest.items
    outer = located(ast.Name(PART + "0", ast.Load()), place)
    inner: ast.expr = nest.items
    if nest.tests:
        value = names.as_read(nest.target)
        part = ast.comprehension(names.copied(nest.target), inner, list(nest.tests), 0)
        inner = located(ast.ListComp(value, [part]), place)
    walk = walked(loop, located(ast.Tuple([outer, spread(inner, place)], ast.Load()), place), place)
    flags = [located(ast.Name(word, ast.Store()), place) for word in (FIRST, LAST)]
    parts: list[ast.expr] = [names.copied(loop.target), *flags, names.copied(nest.target)]
    target = located(ast.Tuple(parts, ast.Store()), place)
    body = [*under(FIRST, nest.before, place), *nest.body, *under(LAST, nest.after, place)]
    turn = located(ast.Name(PART + "1", ast.Load()), place)
    flag = located(ast.Constant(True), place)
    tuples = walked(loop, located(ast.Tuple([outer, flag, flag, turn], ast.Load()), place), place)
    tuples.generators.append(ast.comprehension(located(ast.Name(PART + "1", ast.Store()), place), inner, [], 0))
    outward = loop.outward | ({PARTS} if nest.gathers and loop.collects else frozenset[str]())
    whole = replace(loop, target=target, items=tuples, body=body, early=True, written=tuples, outward=outward)
    return Coalesced(whole, walk, loop.target, nest.target, nest.gathers)


def walked(loop: Loop, value: ast.expr, place: ast.expr) -> ast.GeneratorExp:
    """Return what walks the outer items with their names bound."""
    assert loop.target is not None
    items = located(ast.Name(ITEMS, ast.Load()), place)
    outer = located(ast.Name(PART + "0", ast.Load()), place)
    first = ast.comprehension(located(ast.Name(PART + "0", ast.Store()), place), items, [], 0)
    one = located(ast.Tuple([outer], ast.Load()), place)
    return located(ast.GeneratorExp(value, [first, ast.comprehension(names.copied(loop.target), one, [], 0)]), place)


def spread(node: ast.expr, place: ast.expr) -> ast.expr:
    """Return what is walked as a list; its `__len__` is not asked, as the plain loop does not ask it."""
    each = ast.comprehension(located(ast.Name(OURS + "each", ast.Store()), place), node, [], 0)
    return located(ast.ListComp(located(ast.Name(OURS + "each", ast.Load()), place), [each]), place)


def under(word: str, body: list[ast.stmt], place: ast.expr) -> list[ast.stmt]:
    """Return statements under a condition."""
    return [located(ast.If(located(ast.Name(word, ast.Load()), place), body, []), body[0])] if body else []


def is_better(before: Staged, after: Staged, found: Coalesced, namespace: Mapping[str, Any]) -> bool:
    """Tell whether workers do for the turns of the inner loop all that they would have done for outer items.

    What installed functions make of the results may go back into the notebook.
    """
    assert isinstance(found.loop.target, ast.Tuple)
    wanted = {place_of(node) for node in heavy_in_head(before) if not is_installed(node, namespace)}
    done = {place_of(node) for node in heavy_in_head(after)}
    after_turn = {place_of(part) for node in found.loop.body if is_flagged(node) for part in names.nodes_in(node)}
    return bool(wanted) and wanted <= done and not wanted & after_turn


def is_flagged(node: ast.stmt) -> bool:
    """Tell whether a statement holds what is done in the first or the last turn alone."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id in (FIRST, LAST)


def heavy_in_head(staged: Staged) -> list[ast.AST]:
    """Return the heavy parts that workers do."""
    found = staged.analysed.effects.items()
    return [node for node, effects in found if effects.heavy and staged.of(node) is Stage.HEAD]


def place_of(node: ast.AST) -> tuple[object, ...]:
    """Return what tells a node of the user's from the others."""
    return (type(node), *[getattr(node, name, None) for name in PLACE_OF])


def is_installed(node: ast.AST, namespace: Mapping[str, Any]) -> bool:
    """Tell whether a node calls a function of an installed module by the module's name, or a builtin."""
    func = node.func if isinstance(node, ast.Call) else None
    while isinstance(func, ast.Attribute):
        func = func.value
    if not isinstance(func, ast.Name):
        return False
    thing = namespace.get(func.id)
    if isinstance(thing, types.ModuleType):
        return not is_user_module(thing.__name__)
    module = getattr(thing, "__module__", None)
    return thing is None or (isinstance(module, str) and callable(thing) and not is_user_module(module))
