"""Going on with the plain loop where workers turn out not to do: from the first item that was not handed on."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from concompare import engine
from concompare.backends.traits import traits_of
from concompare.records import Message, Pass, Trial
from concompare.run.preflight import codes_of
from concompare.run.witness import Again, Differs, Given, Seen, Witness

if TYPE_CHECKING:
    from concompare.cells.task import Task
    from concompare.engine import Outcome, Pool
    from concompare.run.request import Request


def join(first: Outcome, rest: Outcome) -> None:
    """Put what the first items gave before what the others gave, so that `last()` tells of all of them."""
    if rest is not first:
        rest.values[:0] = first.values
        rest.failures = (*first.failures, *rest.failures)
        rest.failed_items = {**first.failed_items, **rest.failed_items}
        rest.hidden_state = tuple(dict.fromkeys((*first.hidden_state, *rest.hidden_state)))
        rest.remade = tuple(dict.fromkeys((*first.remade, *rest.remade)))
        rest.shared_random = rest.shared_random or first.shared_random
        if rest.record is not None and first.record is not None:
            rest.record = joined(first.record, rest.record)


def joined(first: Pass, rest: Pass) -> Pass:
    """Return two passes, one after the other, as one."""
    later = (shifted(message, first.wall) for message in rest.messages)
    return replace(
        rest,
        items=first.items + rest.items,
        wall=first.wall + rest.wall,
        cpu=first.cpu + rest.cpu,
        failures=first.failures + rest.failures,
        messages=(*first.messages, *later),
    )


def shifted(message: Message, by: float) -> Message:
    """Return a message as many seconds later. Tiny items come in many, so not by `dataclasses.replace`."""
    return Message(
        message.first,
        message.count,
        message.worker,
        message.sent + by,
        message.received + by,
        message.start + by,
        message.end + by,
        message.returned + by,
        message.done + by,
        message.cpu,
        message.native_cpu,
        message.waited,
        message.packing,
        message.bytes_in,
        message.bytes_out,
        message.seconds,
    )


def cut(outcome: Outcome, first: int, position: int) -> None:
    """Take from what a pass gave everything from a position on: it is computed again."""
    del outcome.values[position - first :]
    outcome.finished.clear()
    if outcome.record is not None:
        messages = tuple(message for message in outcome.record.messages if message.first < position)
        outcome.record = replace(outcome.record, items=position - first, messages=messages, stopped=None)


def go_on(
    task: Task,
    differs: Differs,
    first: int,
    kept: Again,
    plainly: Callable[[Task, int], tuple[Trial, Outcome]],
) -> tuple[Trial, Outcome]:
    """Run the items that workers were not trusted with in the plain loop, and return the trial of all of them.

    Args:
        task: Whose pass has ended early.
        differs: Why, and where.
        first: Position of the pass's first item.
        kept: Its items.
        plainly: Runs a task whose first item is at a position in the plain loop.
    """
    position, before = differs.position, engine.last() if differs.begun else None
    if differs.states is not None:
        differs.states.restore()
    if before is not None:
        cut(before, first, position)
    function = Given(task.function, differs.own, task.temporaries) if differs.own is not None else task.function
    count = None if task.count is None else task.count - (position - first)
    try:
        rest = replace(task, function=function, items=kept.from_position(position), count=count)
        trial, outcome = plainly(rest, position)
    finally:
        if before is not None and engine.last() is not before:
            join(before, engine.last())
            engine.last().names = {**before.names, **engine.last().names}
    return replace(trial, passes=(outcome.record,) if outcome.record is not None else trial.passes), outcome


# ------------------------------------------------------------------------------------------------- seen, and remembered


def key_of(task: Task) -> Any:
    """Return what a witness depends on: the cell, the functions, the kind of items."""
    items = task.items
    kind = type(items[0]).__qualname__ if isinstance(items, (list, tuple)) and items else type(items).__qualname__
    return task.source, tuple(codes_of(task.function)), kind


HARMLESS = ("list", "dict", "set", "tuple", "len", "range", "sorted", "print", "sum", "min", "max", "zip", "enumerate")
"""Calls beside a loop that change nothing that its items see without being given it."""


@functools.lru_cache(maxsize=64)
def is_bare(source: str, statement: int | None) -> bool:
    """Return whether nothing in a cell but its loop can change what items see: a second run of it is like the first."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return False
    beside = [node for place, part in enumerate(body) if place != statement for node in ast.walk(part)]
    calls = [node.func for node in beside if isinstance(node, ast.Call)]
    stores = [node for node in beside if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del))]
    plain = all(isinstance(call, ast.Name) and call.id in HARMLESS for call in calls)
    imports = any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in beside)
    return plain and not imports and all(isinstance(node, (ast.Name, ast.Tuple, ast.List)) for node in stores)


def witness_of(task: Task, request: Request, pool: Pool, first: int, kept: Again) -> Witness | None:
    """Return what looks at the first items of a pass; None where they need not, or cannot, be computed twice.

    Raises:
        Differs: They differed before, and nothing has run in the notebook since.
    """
    backend = pool.backend
    if not request.witnessed or request.timeout is not None or not traits_of(backend).together:
        return None
    if request.caches and pool.shares_objects:
        return None
    seen = pool.learned.witnessed.get(key_of(task), Seen())
    at_once = seen.moment is not None and seen.moment <= request.moment <= seen.moment + 1
    if not at_once or not is_bare(task.source, task.statement):
        return Witness(task, request, pool, kept, seen.seconds)
    pool.learned.witnessed[key_of(task)] = replace(seen, moment=request.moment)
    if seen.words:
        raise Differs(seen.words, first, begun=False)
    return None


def remember(task: Task, request: Request, pool: Pool, witness: Witness | None, words: str = "") -> None:
    """Keep what a witness has seen, for the same cell run again."""
    seconds = witness.seconds if witness is not None and not words else 0.0
    pool.learned.witnessed[key_of(task)] = Seen(request.moment, words, seconds)
