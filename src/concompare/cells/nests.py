"""Fission inside other blocks: inner loops, `try` and `with open(...)`, each split by splitting its own body."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from concompare.cells import calls, known, names, walking
from concompare.cells.loops import located, method
from concompare.cells.parts import MADE, Alias, Check, Pull, Statements, assigned, escapes, is_still, loaded, works
from concompare.cells.values import NOTHING, WALKED_ONCE
from concompare.cells.world import MISSING
from concompare.errors import CellRefused

if TYPE_CHECKING:
    from concompare.cells.split import Splitter

Split = tuple[Statements, Statements]


def split_for(splitter: Splitter, node: ast.For) -> Split | None:
    """Split an inner loop: the head collects what each turn needs, the tail takes it turn by turn; None: it cannot."""
    if node.orelse or any(escapes(part) for part in node.body) or splitter.reason(node.iter) is not None:
        return None
    inner_names = names.stored(node.target)
    if not can_split(splitter, node, inner_names):
        return None
    kept = splitter.save()
    turn = splitter.placeholder(node)
    steps = splitter.steps
    outer, splitter.started = splitter.started, []
    splitter.loose, splitter.turn = False, True
    effects = [effect for part in node.body for effect in splitter.look(part).effects]
    splitter.touched |= {root for effect in effects if effect.kind in ("change", "opaque") for root in effect.roots}
    head, tail = splitter.emit(node.body)
    splitter.started, splitter.turn = outer, kept.turn
    written = names.writes(*head)
    needed = splitter.names_for(tail) & written
    if not all(cannot_raise(splitter, part) for part in tail):  # then the names are those of the turn that failed
        needed |= {name for name in written & names.flow_of(head).sure if not name.startswith(MADE)}
    unsure = {name for name in needed if name not in names.flow_of(head).sure}
    ours = {name for name in unsure if name.startswith(MADE)}
    if (
        not head
        or not tail
        or splitter.steps != steps
        or unsure - ours
        or written & splitter.loop.bound
        or (written | inner_names) & kept.given
        or has_alias(tail)
        or prints(splitter, head)
    ):
        splitter.restore(kept)
        return None
    splitter.take(splitter.look(node.iter))
    splitter.did_work = splitter.did_work or works(node.iter)
    lazy = is_lazy(splitter, node.iter)
    first, items, walked, note = items_of_turns(splitter, node, lazy)
    carried = sorted(needed)
    start: Statements = [assigned(name, located(ast.Constant(None), node)) for name in sorted(ours)]
    values = located(ast.Tuple([loaded(name, node) for name in carried], ast.Load()), node)
    collect = located(ast.Expr(located(ast.Call(method(loaded(turn, node), "append", node), [values], []), node)), node)
    first.append(assigned(turn, located(ast.List([], ast.Load()), node)))
    first.append(located(ast.For(node.target, items, [*note, *start, *head, collect], []), node))
    splitter.stepped = True
    splitter.replayed |= inner_names | {name for name in written if not name.startswith(MADE)}
    flip = method(loaded(turn, node), "reverse", node)
    second: Statements = [
        located(ast.Expr(located(ast.Call(flip, [], []), node)), node),
        located(ast.For(node.target, walked, [Pull(turn, carried, node), *tail], []), node),
    ]
    if lazy or splitter.started:
        first.append(splitter.step(node))
        left = {name for name in written if not name.startswith(MADE)} - names.writes(*tail) - set(carried)
        splitter.step_of |= dict.fromkeys(left - set(splitter.step_of), splitter.steps)
        if lazy or left:  # what is walked may have raised after a turn that was whole
            second.append(Check(splitter.steps))
    return first, second


def items_of_turns(splitter: Splitter, node: ast.For, lazy: bool) -> tuple[Statements, ast.expr, ast.expr, Statements]:
    """Return what an inner loop needs first, what head and tail walk, and what each turn of the head notes."""
    if not lazy and can_walk_again(splitter, node.iter):
        return [], node.iter, node.iter, []
    name = splitter.placeholder(node)
    again = loaded(name, node.iter)
    if not lazy:
        spread = located(ast.Starred(node.iter, ast.Load()), node.iter)
        return [assigned(name, located(ast.List([spread], ast.Load()), node.iter))], again, again, []
    call = located(ast.Call(method(again, "append", node), [names.as_read(node.target)], []), node)
    start = assigned(name, located(ast.List([], ast.Load()), node.iter))
    return [start], node.iter, again, [located(ast.Expr(call), node)]


def can_split(splitter: Splitter, node: ast.For, inner_names: set[str]) -> bool:
    """Tell whether an inner loop's own names and items are such that its turns can be computed beforehand."""
    if inner_names & (splitter.loop.bound | set(splitter.carried)) or inner_names & names.writes(*node.body):
        return False
    if any(splitter.an.local.get(name, NOTHING).own & splitter.changed for name in inner_names):
        return False
    return not prints(splitter, [node.iter]) and not reused(splitter, node.iter)


def is_lazy(splitter: Splitter, node: ast.expr) -> bool:
    """Tell whether what an inner loop walks is made turn by turn, so that it may raise between two turns."""
    with splitter.an.fresh():
        lazy = bool(WALKED_ONCE & splitter.an.value(node).own)
    return lazy or (bool(splitter.world.methods("__iter__")) and may_be_users(splitter, node))


def may_be_users(splitter: Splitter, node: ast.expr) -> bool:
    """Tell whether what is walked may be an object of one of the user's own classes."""
    if isinstance(node, ast.Call):
        thing = calls.resolve(splitter.an, node.func)
        return thing is MISSING or splitter.world.is_user(thing)
    if isinstance(node, (ast.List, ast.Tuple, ast.Set, ast.Dict, *names.COMPREHENSIONS)):
        return False
    kind = calls.kind_of(splitter.an, node)
    return kind is MISSING or splitter.world.is_user(kind)


def split_walk(splitter: Splitter, node: ast.For) -> Split | None:
    """Let the head compute what an inner loop walks, where the loop itself has to stay in the tail."""
    if splitter.reason(node.iter) is not None or not works(node.iter) or node.orelse or any(map(works, node.body)):
        return None
    if prints(splitter, [node.iter]) or reused(splitter, node.iter):
        return None
    lazy = is_lazy(splitter, node.iter)
    if any(splitter.an.local.get(name, NOTHING).own & splitter.changed for name in names.stored(node.target)):
        return None
    if any(escapes(part) for part in node.body):
        return None
    splitter.take(splitter.look(node.iter))
    splitter.did_work = True
    name = splitter.placeholder(node)
    whole = located(ast.Starred(node.iter, ast.Load()), node.iter)
    first: Statements = [assigned(name, located(ast.List([] if lazy else [whole], ast.Load()), node.iter))]
    if lazy:
        extend = method(loaded(name, node.iter), "extend", node.iter)
        first.append(located(ast.Expr(located(ast.Call(extend, [node.iter], []), node.iter)), node.iter))
    if lazy or splitter.started:
        first.append(splitter.step(node))
    second: Statements = [located(ast.For(node.target, loaded(name, node.iter), node.body, []), node)]
    return first, [*second, Check(splitter.steps)] if lazy else second


def reused(splitter: Splitter, node: ast.expr) -> bool:
    """Tell whether what is walked gives one object several times, changed in between."""
    try:
        walking.refuse_reuse(splitter.world, splitter.loop, [node])
    except CellRefused:
        return True
    return False


def prints(splitter: Splitter, head: Sequence[ast.AST]) -> bool:
    """Tell whether the head of an inner loop prints, which the plain loop would do between the turns of the tail."""
    return any(effect.kind == "print" for part in head for effect in splitter.look(part).effects)


def has_alias(tail: Sequence[ast.stmt]) -> bool:
    """Tell whether the tail repeats or checks something, which an inner loop does not do."""
    return any(isinstance(part, (Alias, Check)) for statement in tail for part in names.nodes_in(statement))


def can_walk_again(splitter: Splitter, node: ast.expr) -> bool:
    """Tell whether the notebook can walk the same things again: plain parts of its own objects, or a range."""
    local = names.writes(*splitter.loop.body)
    if names.reads(node) & local:
        return False
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            return node.func.attr in ("items", "keys", "values") and not node.args and is_part(node.func.value)
        thing = calls.resolve(splitter.an, node.func)
        return any(thing is kind for kind in (range, enumerate, zip, reversed)) and all(
            is_part(part) or is_count(splitter, part) for part in node.args
        )
    return is_part(node) or (isinstance(node, (ast.Tuple, ast.List)) and all(map(is_part, node.elts)))


def is_part(node: ast.expr) -> bool:
    """Tell whether an expression is a name or a part of what a name stands for."""
    if isinstance(node, ast.Subscript):
        return is_part(node.value) and is_part(node.slice)
    if isinstance(node, ast.Attribute):
        return is_part(node.value)
    return isinstance(node, (ast.Name, ast.Constant))


def is_count(splitter: Splitter, node: ast.expr) -> bool:
    """Tell whether an expression is simple arithmetic of counts, as in `range(len(x) - 1)`."""
    if isinstance(node, ast.BinOp):
        return is_count(splitter, node.left) and is_count(splitter, node.right)
    if isinstance(node, ast.Call):
        thing = calls.resolve(splitter.an, node.func)
        return any(thing is kind for kind in (len, range, enumerate, zip)) and all(
            is_part(part) or is_count(splitter, part) for part in node.args
        )
    return is_part(node)


def split_try(splitter: Splitter, node: ast.Try) -> Split | None:
    """Split a `try`: the head finds out which way it goes, the tail goes that way; None: it cannot."""
    if node.finalbody or any(handler.type is not None and splitter.reason(handler.type) for handler in node.handlers):
        return None
    kept = splitter.save()
    way = splitter.placeholder(node)
    steps, blocked = splitter.steps, splitter.blocked
    splitter.turn = True
    body_head, body_tail = splitter.emit(node.body)
    calm = splitter.steps == steps and all(cannot_raise(splitter, part) for part in body_tail)
    del splitter.started[kept.started :]
    else_head, else_tail = splitter.emit(node.orelse)
    del splitter.started[kept.started :]
    handlers = [split_handler(splitter, handler, way, number, node) for number, handler in enumerate(node.handlers, 1)]
    splitter.blocked, splitter.turn = splitter.blocked or blocked, kept.turn
    if not calm or not body_head or has_alias([*body_tail, *else_tail]) or None in handlers or splitter.steps != steps:
        splitter.restore(kept)
        return None
    del splitter.started[kept.started :]
    pairs = [pair for pair in handlers if pair is not None]
    ends = [assigned(way, located(ast.Constant(0), node)), *else_head]
    start = assigned(way, located(ast.Constant(0), node))
    first: Statements = [start, located(ast.Try(body_head, [pair[0] for pair in pairs], ends, []), node)]
    if splitter.started:
        first.append(splitter.step(node))
    second: Statements = [*body_tail, *else_tail]
    for number, pair in reversed(list(enumerate(pairs, 1))):
        second = [chosen(way, number, pair[1], second, node)]
    return first, second


def split_handler(
    splitter: Splitter, handler: ast.ExceptHandler, way: str, number: int, node: ast.Try
) -> tuple[ast.ExceptHandler, Statements] | None:
    """Split what an `except` does."""
    before = len(splitter.started)
    head, tail = splitter.emit(handler.body)
    del splitter.started[before:]
    if has_alias(tail):
        return None
    mark = assigned(way, located(ast.Constant(number), handler))
    first: Statements = [mark]
    if handler.name and handler.name in names.reads(*tail):
        name = splitter.placeholder(handler)
        first.append(assigned(name, loaded(handler.name, handler)))
        gone = located(ast.Delete([located(ast.Name(handler.name, ast.Del()), handler)]), handler)
        end = tail[-1:] if isinstance(tail[-1], (ast.Continue, ast.Break)) else []
        tail = tail[: len(tail) - len(end)]
        if any(escapes(part) for part in tail):
            return None
        tail = [assigned(handler.name, loaded(name, handler)), *tail, gone, *end]
        splitter.replayed.add(handler.name)
    made = located(ast.ExceptHandler(handler.type, handler.name, [*first, *head]), handler)
    return made, tail


def chosen(way: str, number: int, then: Statements, other: Statements, node: ast.AST) -> ast.stmt:
    """Return `if way == number: then else: other`."""
    test = located(ast.Compare(loaded(way, node), [ast.Eq()], [located(ast.Constant(number), node)]), node)
    return located(ast.If(test, then or [located(ast.Pass(), node)], other), node)


def cannot_raise(splitter: Splitter, node: ast.stmt) -> bool:
    """Tell whether a tail statement of a `try` cannot raise anything that the `try` would catch."""
    if isinstance(node, (ast.Pass, ast.Continue, ast.Break)):
        return True
    if isinstance(node, ast.If):
        return is_still(node.test) and all(cannot_raise(splitter, part) for part in [*node.body, *node.orelse])
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and len(node.value.args) == 1:
        func = node.value.func
        appends = (
            isinstance(func, ast.Attribute) and func.attr == "append" and calls.kind_of(splitter.an, func.value) is list
        )
        outer = (
            isinstance(func, ast.Attribute)
            and isinstance(func.value, ast.Name)
            and kind_outside(splitter, func.value) is list
        )
        return (appends or outer) and harmless(node.value.args[0])
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and isinstance(node.value, ast.Constant):
        return kind_outside(splitter, node.target) in (int, float) and isinstance(node.value.value, (int, float))
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Subscript):
        target = node.targets[0]
        store = isinstance(target.value, ast.Name) and kind_outside(splitter, target.value) is dict
        return store and is_hashable(splitter, target.slice) and harmless(node.value)
    return False


def harmless(node: ast.expr) -> bool:
    """Tell whether evaluating cannot raise: names, constants, and displays of them."""
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(harmless(part) for part in node.elts)
    return isinstance(node, (ast.Name, ast.Constant))


def is_hashable(splitter: Splitter, node: ast.expr) -> bool:
    """Tell whether a key is surely hashable: a constant, or an item that nobody can change."""
    if isinstance(node, ast.Name) and node.id in splitter.loop.bound:
        return not splitter.an.local[node.id].all
    return isinstance(node, ast.Constant)


def kind_outside(splitter: Splitter, node: ast.Name) -> type | None:
    """Return the type of what a name of the notebook stands for before the loop, where nothing rebinds it."""
    definition = splitter.world.definitions.get(node.id)
    if isinstance(definition, ast.Constant):
        return type(definition.value)
    if isinstance(definition, ast.List):
        return list
    if isinstance(definition, ast.Dict):
        return dict
    if node.id in splitter.world.definitions:
        return None
    thing = splitter.world.object(node.id)
    return type(thing) if type(thing) in (list, dict, int, float) or known.is_atom(thing) else None


def split_with(splitter: Splitter, node: ast.With) -> Split | None:
    """Split `with open(...)` for reading: what is read in the head needs no open file in the tail; None: it cannot."""
    for item in node.items:
        if not names.is_open(item.context_expr) or splitter.reason(item.context_expr) is not None:
            return None
    bound = {name for item in node.items if item.optional_vars is not None for name in names.stored(item.optional_vars)}
    kept = splitter.save()
    steps = splitter.steps
    splitter.turn = True
    head, tail = splitter.emit(node.body)
    splitter.turn = kept.turn
    if (
        not head
        or splitter.steps != steps
        or has_alias(tail)
        or names.reads(*tail) & bound
        or any(map(escapes, node.body))
    ):
        splitter.restore(kept)
        return None
    del splitter.started[kept.started :]
    first: Statements = [located(ast.With(node.items, head), node)]
    if splitter.started:
        first.append(splitter.step(node))
    return first, tail
