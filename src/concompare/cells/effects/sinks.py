"""Where output and log records of items end up: streams in the place of `sys.stdout`, handlers and filters of loggers.

What workers print and log is brought back in item order, before the rest of each item runs in the notebook. So it is
no change that anybody could miss, unless the body looks at what takes it in: a buffer that the output is redirected
to, the list that a handler fills. Then prints and log calls are what they are in the plain loop: changes of these.
"""

from __future__ import annotations

import io
import logging
import sys
import types
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.arguments import Arguments
from concompare.cells.effects.following import follow
from concompare.cells.effects.inherited import called_methods, with_receiver
from concompare.cells.ir import Effects, Order
from concompare.cells.objects import ANY, ATOM, STREAM, Obj, all_atoms

if TYPE_CHECKING:
    import ast

    from concompare.cells.effects.interpreter import Interpreter

TAKEN_IN = frozenset({Order.OUTPUT, Order.LOG})
"""The orders of what ends up somewhere in the notebook."""
TAKING = frozenset({"write", "writelines", "flush"})
HANDLING = frozenset([
    *("__call__", "emit", "handle", "filter", "flush", "shouldFlush", "acquire", "release", "handleError"),
    *("prepare", "enqueue"),
    *("format", "formatTime", "formatMessage", "formatException", "formatStack", "usesTime"),
])  # fmt: skip
"""The methods that `print` calls of a stream, and `logging` of handlers, filters and formatters."""
CONTAINERS = (list, tuple, set, frozenset)
NOT_ENTERED = (types.FunctionType, types.ModuleType, type, logging.Logger)
MOST = 10_000
"""Objects that are looked at in those that are read with all they hold."""


def look_for_sinks(an: Interpreter) -> bool:
    """Tell whether the body looks at what its output or log records end up in; they are changes of that from now on."""
    done = frozenset[Order]().union(*[found.order for found in an.nodes.values()])
    done |= {Order.OUTPUT} if an.world.streams else frozenset()
    wanted = [order for order in (Order.OUTPUT, Order.LOG) if order in done and order not in an.taken_in]
    for order in wanted:
        with an.recording(Effects()) as found:
            take_in(an, next(iter(an.nodes)), order)
        if (order is Order.LOG and changes_when_made(an)) or (is_any(found) and meets(an, found)):
            an.taken_in |= {order}
    return not an.taken_in.isdisjoint(wanted)


def is_any(found: Effects) -> bool:
    """Tell whether taking something in does anything that a body could see."""
    return bool(found.reads or found.deep or found.writes or found.globals)


def take_in(an: Interpreter, node: ast.AST, order: str) -> None:
    """Follow what takes in the output or the log records of a call."""
    if an.takes:
        return  # a handler that logs or prints
    an.takes = True
    for thing in streams(an) if order == Order.OUTPUT else handlers():
        take_by(an, node, thing, TAKING if order == Order.OUTPUT else HANDLING)
    for function in (*filters(), *factories()) if order == Order.LOG else ():
        take_by(an, node, function, HANDLING)
    an.takes = False


def take_by(an: Interpreter, node: ast.AST, thing: Any, names: frozenset[str]) -> None:
    """Follow what one object takes in: by its own methods where it is of a class of the user's, and what it holds."""
    if isinstance(thing, types.FunctionType):
        if an.world.is_user(thing):
            follow(an, thing, node, Arguments([ATOM] * thing.__code__.co_argcount))
        return
    kind, value = type(thing), an.world.outer(thing, f"the {type(thing).__name__}")
    own = an.world.is_user(kind)
    for name, function in called_methods(an, kind).items() if own and value else ():
        if name in names:
            follow(an, function, node, with_receiver(an, kind, function, value, ATOM))
    if names is TAKING and not own:
        an.write(value, ANY)
    for inner in held_by(thing) if names is HANDLING else ():
        take_by(an, node, inner, HANDLING if isinstance(inner, logging.Handler) else TAKING)


def held_by(handler: Any) -> Iterator[Any]:
    """Yield what an installed handler fills: its stream, its buffer or queue, the handler that it hands records to."""
    held = getattr(handler, "__dict__", {})
    yield from (held[name] for name in ("stream", "buffer", "queue", "target") if held.get(name) is not None)


def streams(an: Interpreter) -> Iterator[Any]:
    """Yield what somebody has put in the place of `sys.stdout` and `sys.stderr`, and can be looked at."""
    for thing in (sys.stdout, sys.stderr):
        if thing is None or thing is sys.__stdout__ or thing is sys.__stderr__:
            continue
        if isinstance(thing, (io.StringIO, io.TextIOWrapper)) or an.world.is_user(type(thing)):
            yield thing


def loggers() -> Iterator[logging.Logger]:
    """Yield all loggers there are."""
    yield logging.root
    for thing in list(logging.root.manager.loggerDict.values()):
        if isinstance(thing, logging.Logger):
            yield thing


def handlers() -> Iterator[Any]:
    """Yield the handlers of all loggers, with what formats and filters records for them."""
    seen: dict[int, Any] = {}
    for logger in loggers():
        for handler in logger.handlers:
            for thing in (handler, handler.formatter, *handler.filters):
                if thing is not None and id(thing) not in seen:
                    seen[id(thing)] = thing
    yield from seen.values()


def filters() -> Iterator[Any]:
    """Yield the filters of all loggers."""
    for logger in loggers():
        yield from logger.filters


def factories() -> Iterator[Any]:
    """Yield what makes records."""
    yield logging.getLogRecordFactory()


def changes_when_made(an: Interpreter) -> bool:
    """Tell whether filters of loggers and makers of records change anything: workers call them themselves."""
    node = next(iter(an.nodes))
    with an.recording(Effects()) as found:
        for thing in (*filters(), *factories()):
            take_by(an, node, thing, HANDLING)
    return bool(found.writes)


def meets(an: Interpreter, found: Effects) -> bool:
    """Tell whether a body touches what takes its output in, or the other way round."""
    written, looked_at = places_of(found.writes), places_of(found.reads)
    looked_at |= {id(thing) for obj in found.deep for thing in obj.live}
    given = {place.field for place in found.writes if place.obj is None}
    if found.globals & an.visible:
        return True
    for effects in an.nodes.values():
        names = effects.globals | {place.field for place in effects.reads | effects.writes if place.obj is None}
        if not given.isdisjoint(names):
            return True
        changed, touched = places_of(effects.writes), places_of(effects.reads | effects.writes)
        if not looked_at.isdisjoint(changed) or not written.isdisjoint(touched):
            return True
        if written and not written.isdisjoint(inside(effects.deep)):
            return True
    return False


def places_of(places: Iterable[Any]) -> set[int]:
    """Return the identities of the live objects that places are of, but for what `sys` has for output."""
    return {id(thing) for obj, _ in places if obj is not None and obj.method != STREAM for thing in obj.live}


def inside(objects: Iterable[Obj]) -> set[int]:
    """Return the identities of what objects are and hold."""
    waiting = [thing for obj in objects if obj.method != STREAM for thing in obj.live]
    seen: set[int] = set()
    while waiting and len(seen) < MOST:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, NOT_ENTERED):
            continue
        seen.add(id(thing))
        if isinstance(thing, dict):
            waiting += thing.values()
        elif isinstance(thing, CONTAINERS):
            waiting += [] if all_atoms(thing) else thing
        else:
            waiting += getattr(thing, "__dict__", {}).values()
    return seen
