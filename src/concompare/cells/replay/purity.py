"""Loops whose values may be taken in another order than they are computed in, or not all: that nothing shows it."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

from concompare.cells.counting import is_shared_by_others, number_of
from concompare.cells.distribution.stages import stages_of
from concompare.cells.distribution.staging import Staged
from concompare.cells.effects.interpreter import Interpreter
from concompare.cells.effects.kinds import inert
from concompare.cells.effects.live import World
from concompare.cells.ir import OURS, RESULT, VALUE, Budget, Loop, Stage
from concompare.cells.objects import Origin, all_atoms
from concompare.cells.replay import checks
from concompare.cells.replay.plain_values import PLAIN
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.errors import CellRefused

REMEDY = "Make a list of the values first"


def alone(staged: Staged, items: Any, world: World, *, seeded: bool) -> None:
    """Refuse a loop whose values depend on when they are asked for, where that may be at another time.

    Raises:
        CellRefused: They may.
    """
    loop = staged.analysed.loop
    if loop.pure:
        unseen(staged, items)
    elif loop.brittle:
        loop.watched = is_shown(staged, items)
        if loop.watched and not (loop.brittle in PLAIN and is_kept(items)):
            unseen(staged, items)
    if loop.between:
        apart(loop, world, items, seeded=seeded)


def is_kept(items: Any) -> bool:
    """Tell whether nobody can see how far items have been walked: they are there, or paired for this walk only."""
    return type(items) in (list, tuple, range) or (type(items) is zip and not is_shared_by_others(items))


def unseen(staged: Staged, items: Any) -> None:
    """Refuse a loop that does anything but give values.

    Raises:
        CellRefused: It does, or it cannot be told how many items there are.
    """
    loop = staged.analysed.loop
    if loop.stops == "some" and number_of(items) is None:
        text = "it cannot be told how many values the plain code would take"
        raise CellRefused(f"{text}. {REMEDY}.", loop.line)
    for node, effects in staged.analysed.effects.items():
        if node is loop.filled and not loop.pure:
            continue  # it is the consumer that fills it, up to where it fails
        changed = [place for place in effects.writes if place.obj is not None and place.obj.outer]
        changed = [place for place in changed if place.obj is not None and place.obj is not staged.analysed.result]
        named = [place for place in effects.writes if place.obj is None and not place.field.startswith(OURS)]
        if effects.order or changed or (named and not isinstance(node, ast.NamedExpr)):
            line = getattr(node, "lineno", loop.line)
            what = f"changes {changed[0].obj.shown}" if changed and changed[0].obj else "does more than give a value"
            text = f"{what}, and the plain code may call it in another order, or fewer times"
            raise CellRefused(f"{text}. {REMEDY}.", line)


def is_shown(staged: Staged, items: Any) -> bool:
    """Tell whether a loop does anything but give values."""
    try:
        unseen(staged, items)
    except CellRefused:
        return True
    return False


def apart(loop: Loop, world: World, items: Any, *, seeded: bool) -> None:
    """Refuse a loop whose values depend on what the consumer does between them.

    Raises:
        CellRefused: They may.
    """
    values: list[ast.AST] = []
    body = [part for statement in loop.body for part in with_consumer(statement, loop, values)]
    analysed = Interpreter(world, Budget()).analyse(replace(loop, body=body), items)
    staged = stages_of(analysed, seeded=seeded)
    checks.walked(staged, loop, items)
    for value in values:
        for node in names.nodes_in(value):
            if node in analysed.order and staged.of(node) is Stage.TAIL:
                text = "uses what is changed with each value before the next is computed"
                raise CellRefused(f"{text}. {REMEDY}.", getattr(node, "lineno", loop.line))


def with_consumer(statement: ast.stmt, loop: Loop, values: list[ast.AST]) -> list[ast.stmt]:
    """Return a statement of the body with what the consumer does with a value after it."""
    if isinstance(statement, ast.If):
        inner = [part for held in statement.body for part in with_consumer(held, loop, values)]
        return [located(ast.If(statement.test, inner, []), statement)]
    call = statement.value if isinstance(statement, ast.Expr) else None
    func = call.func if isinstance(call, ast.Call) else None
    holder = func.value if isinstance(func, ast.Attribute) else None
    if not isinstance(holder, ast.Name) or holder.id != RESULT:
        return [statement]
    assert isinstance(call, ast.Call)
    assert isinstance(func, ast.Attribute)
    value = call.args[0]
    values.append(value)
    target = located(ast.Name(VALUE, ast.Store()), value)
    if func.attr == "append":
        return [located(ast.Assign([target], value), statement), *loop.between]
    return [located(ast.For(target, value, loop.between, []), statement)]


def timeless(staged: Staged, items: Any, tree: ast.Module) -> None:
    """Refuse a loop whose values may depend on when they are computed.

    Raises:
        CellRefused: They may.
    """
    loop, result = staged.analysed.loop, staged.analysed.result
    given = names.writes(*tree.body)
    if not all_atoms(items):
        raise CellRefused(f"the items may change while the values are asked for. {REMEDY}.", loop.line)
    for node, effects in staged.analysed.effects.items():
        read = {place.obj for place in effects.reads if place.obj is not None} | effects.deep
        changing = [obj for obj in read if obj.origin is Origin.OUTER and not inert(obj) and obj is not result]
        if changing or effects.globals & given or effects.sees:
            what = f"reads {changing[0].shown}" if changing else "may give another value at another time"
            text = f"{what}, and other code runs between the calls"
            raise CellRefused(f"{text}. {REMEDY}.", getattr(node, "lineno", loop.line))
