"""`joblib.Parallel`, and `thread_map` and `process_map` of tqdm, whose calls run as one loop."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from concompare.cells.pools import executors
from concompare.cells.pools.batches import Call, Waiting

if TYPE_CHECKING:
    from concompare.cells.pools.session import Session

LARGE = 1_000_000
"""Bytes of an array from which on joblib's processes get it as one that cannot be changed."""


def tqdm_maker(session: Session, node: ast.expr, thing: types.FunctionType) -> Callable[..., Any]:
    """Return tqdm's own function, with an executor of the cell's in the place of the one that it makes."""
    plainly = thing.__globals__.get("_executor_map")
    if plainly is None:
        session.as_written(node, thing, "this version of tqdm is not known")
        return thing

    def executor_map(kind: Any, fn: Any, *iterables: Any, **options: Any) -> Any:
        def make(*args: Any, **named: Any) -> Any:
            made = kind(*args, **named)
            if kind is ProcessPoolExecutor and session.late(node, thing, made._mp_context.get_start_method()):
                return made
            return executors.stand_in(session, node, made)

        return plainly(make, fn, *iterables, **options)

    namespace = {**thing.__globals__, "_executor_map": executor_map}
    made = types.FunctionType(thing.__code__, namespace, thing.__name__, thing.__defaults__, thing.__closure__)
    made.__kwdefaults__ = thing.__kwdefaults__
    return made


def joblib_maker(session: Session, node: ast.expr, thing: type) -> Callable[..., Any]:
    """Return what makes a `Parallel` whose calls run as one loop."""

    def make(*args: Any, **named: Any) -> Any:
        made: Any = thing(*args, **named)
        why, processes = what_of(made)
        if why is not None:
            session.as_written(node, thing, why)
            return made
        waiting = session.waiting_of(node, thing.__name__, copies=processes, cloud=processes)
        waiting.as_written = partial(as_written, partial(thing, *args, **named))
        waiting.workers = made._effective_n_jobs()
        made.__class__ = type(thing.__name__, (thing,), {"__call__": partial_method(waiting, made, thing)})

        def give_back() -> None:
            made.__class__ = thing

        session.borrow(give_back)
        return made

    return make


def is_large(part: Any) -> bool:
    """Tell whether an argument is an array that joblib would lend its processes."""
    return hasattr(type(part), "nbytes") and part.nbytes >= LARGE


def partial_method(waiting: Waiting, made: Any, thing: Any) -> Callable[..., Any]:
    """Return what a `Parallel` does when it is called."""

    def call(self: Any, iterable: Iterable[Any]) -> Any:
        given = list(iterable)
        calls = [Call(function, tuple(args), dict(named)) for function, args, named in given]
        large = waiting.copies and any(is_large(part) for one in calls for part in one.args)
        found: dict[int, tuple[Any, BaseException | None]] = {}
        for number, one in enumerate(calls):
            one.end = partial(told, found, number)
        if large or not waiting.take(calls):
            return thing.__call__(made, iter(given))
        waiting.settle()
        if waiting.plain:
            return thing.__call__(made, iter(given))
        for _, error in found.values():
            if error is not None:
                raise error
        return [found[number][0] for number in range(len(calls))]

    return call


def told(
    found: dict[int, tuple[Any, BaseException | None]], number: int, value: Any, error: BaseException | None
) -> None:
    """Keep what one call gave."""
    found[number] = value, error


def what_of(made: Any) -> tuple[str | None, bool]:
    """Return why a `Parallel` runs as it is written, or None; and whether it has processes."""
    backend = type(getattr(made, "_backend", None)).__name__
    if getattr(made, "return_as", "list") != "list" or getattr(made, "return_generator", False):
        return "its results are handed out while it works", False
    if getattr(made, "verbose", 0) or getattr(made, "timeout", None) is not None:
        return "it says how far it is", False
    if made._effective_n_jobs() == 1 or backend in ("ThreadingBackend", "SequentialBackend"):
        return None, False
    if backend in ("LokyBackend", "MultiprocessingBackend"):
        return None, True
    return f"its backend `{backend}` is not known", False


def as_written(make: Callable[[], Any], calls: list[Call]) -> None:
    """Run calls as the user's `Parallel` does, to see how long that takes."""
    make()((call.function, call.args, call.named) for call in calls)
