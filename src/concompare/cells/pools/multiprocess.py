"""Pools of `multiprocessing` that start no process or thread until one is needed."""

from __future__ import annotations

import ast
import inspect
import os
import types
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing import pool as plain
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any

from concompare.cells.pools.batches import ANY_ORDER, Call, Waiting

if TYPE_CHECKING:
    from concompare.cells.pools.session import Session


class Results:
    """What the results of `apply_async` and `map_async` do before they are there."""

    waiting: Waiting | None

    def ask(self) -> None:
        """Run what waits, once."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.settle()

    def get(self, timeout: float | None = None) -> Any:
        """Return the result."""
        self.ask()
        return plain.ApplyResult.get(self, timeout)  # type: ignore[arg-type]

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the result."""
        self.ask()
        plain.ApplyResult.wait(self, timeout)  # type: ignore[arg-type]

    def ready(self) -> bool:
        """Tell whether the result is there."""
        self.ask()
        return bool(plain.ApplyResult.ready(self))  # type: ignore[arg-type]

    def successful(self) -> bool:
        """Tell whether there was no error."""
        self.ask()
        return bool(plain.ApplyResult.successful(self))  # type: ignore[arg-type]


class ApplyResult(Results, plain.ApplyResult):  # type: ignore[type-arg]
    """The result of one call that waits."""


class MapResult(Results, plain.MapResult):  # type: ignore[type-arg]
    """The results of calls that wait."""


class Iterator(plain.IMapIterator):  # type: ignore[type-arg]
    """The results of `imap`, in order."""

    def __init__(self, found: list[ApplyResult]) -> None:
        self.found = found[::-1]

    def next(self, timeout: float | None = None) -> Any:
        """Return the next result."""
        if not self.found:
            raise StopIteration from None
        return self.found.pop().get(timeout)

    __next__ = next


class Standing:
    """What a pool does while it stands in for itself."""

    waiting: Waiting
    start: Callable[[], None]
    _state: str
    _check_running: Callable[[], None]

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: dict[str, Any] | None = None) -> Any:
        """Return the result of one call."""
        return self.apply_async(func, args, kwds or {}).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: dict[str, Any] | None = None,
        callback: Callable[[Any], Any] | None = None,
        error_callback: Callable[[BaseException], Any] | None = None,
    ) -> Any:
        """Return the result of one call that waits."""
        self._check_running()
        call = Call(func, tuple(args), dict(kwds or {}))
        if not self.take([call]):
            return self.apply_async(func, call.args, call.named, callback, error_callback)
        made = result_of(ApplyResult, self, callback, error_callback)
        call.end = partial(end, made)
        call.again = partial(again, self, self.start, made, call)
        return made

    def take(self, calls: list[Call]) -> bool:
        """Keep calls for later; else the pool is the plain one from now on."""
        start = self.start
        if self.waiting.take(calls):
            return True
        start()
        return False

    def collect(self, calls: list[Call]) -> list[Any] | None:
        """Return the results of calls that wait; None where the pool is the plain one from now on."""
        self._check_running()
        if not self.take(calls):
            return None
        found = []
        for call in calls:
            made = result_of(ApplyResult, self, None, None)
            call.end = partial(end, made)
            call.again = partial(again, self, self.start, made, call)
            found.append(made)
        return found

    def map(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = None) -> list[Any]:
        """Return the results of a function for items."""
        items = list(iterable)
        found = self.collect([Call(func, (item,)) for item in items])
        return self.map(func, items, chunksize) if found is None else [part.get() for part in found]

    def starmap(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = None) -> list[Any]:
        """Return the results of a function for tuples of arguments."""
        items = list(iterable)
        found = self.collect([Call(func, tuple(item)) for item in items])
        return self.starmap(func, items, chunksize) if found is None else [part.get() for part in found]

    def map_async(self, func: Any, iterable: Iterable[Any], *options: Any, **named: Any) -> Any:
        """Return the result that the results of a function for items will be."""
        items = list(iterable)
        found = self.together([Call(func, (item,)) for item in items], options, named)
        return found if found is not None else self.map_async(func, items, *options, **named)

    def starmap_async(self, func: Any, iterable: Iterable[Any], *options: Any, **named: Any) -> Any:
        """Return the result that the results of a function for tuples of arguments will be."""
        items = list(iterable)
        found = self.together([Call(func, tuple(item)) for item in items], options, named)
        return found if found is not None else self.starmap_async(func, items, *options, **named)

    def together(self, calls: list[Call], options: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Return one result for several calls, or None."""

        def options_of(
            chunksize: int | None = None, callback: Any = None, error_callback: Any = None
        ) -> tuple[Any, Any]:
            return callback, error_callback

        told = options_of(*options, **named)
        self._check_running()
        if not self.take(calls):
            return None
        made = result_of(MapResult, self, *told)
        found: dict[int, tuple[Any, BaseException | None]] = {}

        def one(number: int, value: Any, error: BaseException | None) -> None:
            found[number] = value, error
            if len(found) == len(calls):
                given = [found[place] for place in range(len(calls))]
                end(made, [part for part, _ in given], next((part for _, part in given if part is not None), None))

        if not calls:
            end(made, [], None)
        for number, call in enumerate(calls):
            part = result_of(ApplyResult, self, partial(one, number, error=None), partial(one, number, None))
            call.end = partial(end, part)
            call.again = partial(again, self, self.start, part, call)
        return made

    def imap(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int = 1) -> Any:
        """Return an iterator over the results."""
        items = list(iterable)
        found = self.collect([Call(func, (item,)) for item in items])
        return self.imap(func, items, chunksize) if found is None else Iterator(found)

    def imap_unordered(self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int = 1) -> Any:
        """Return an iterator over the results; one of its orders is that of the items."""
        items = list(iterable)
        self.waiting.note(ANY_ORDER)
        found = self.collect([Call(func, (item,)) for item in items])
        return self.imap_unordered(func, items, chunksize) if found is None else Iterator(found)

    def close(self) -> None:
        """Take no more calls."""
        if self._state == plain.RUN:
            self._state = plain.CLOSE

    def terminate(self) -> None:
        """Take no more calls; what waits is nothing that anybody asks for."""
        self._state = plain.TERMINATE

    def join(self) -> None:
        """Run what waits."""
        if self._state == plain.RUN:
            raise ValueError("Pool is still running")
        if self._state == plain.CLOSE:
            self.waiting.settle()
        if not isinstance(self, Standing):  # it had to begin after all
            self.close()
            self.join()

    def __del__(self, *given: Any) -> None:
        """Leave without a word: no process was started."""


class Processes(Standing, plain.Pool):  # type: ignore[misc]
    """A pool of processes whose calls wait."""


class Threads(Standing, plain.ThreadPool):  # type: ignore[misc]
    """A pool of threads whose calls wait."""


for made, known in ((Threads, plain.ThreadPool), (Processes, plain.Pool)):
    made.__name__, made.__qualname__, made.__module__ = known.__name__, known.__qualname__, known.__module__
STANDING: dict[type, type] = {plain.Pool: Processes, plain.ThreadPool: Threads}


def result_of(kind: Any, pool: Any, callback: Any, error_callback: Any) -> Any:
    """Return a result that is not there yet, as one of a pool that has started nothing."""
    made = kind.__new__(kind)
    plain.ApplyResult.__init__(made, types.SimpleNamespace(_cache={}), callback, error_callback)  # type: ignore[arg-type]
    made._pool, made.waiting = pool, pool.waiting
    return made


def end(made: Any, value: Any, error: BaseException | None) -> None:
    """Give a result what it is."""
    plain_again(made)
    plain.ApplyResult._set(made, 0, (error is None, value if error is None else error))  # type: ignore[attr-defined]


def again(pool: Any, start: Callable[[], None], made: Any, call: Call) -> None:
    """Let the pool itself do a call that waited."""
    start()
    made.waiting = None
    pool.apply_async(call.function, call.args, call.named, partial(succeed, made), partial(fail, made))


def succeed(made: Any, value: Any) -> None:
    """Give a result its value."""
    end(made, value, None)


def fail(made: Any, error: BaseException) -> None:
    """Give a result its error."""
    end(made, None, error)


def plain_again(made: Any) -> None:
    """Make a result the plain one that it looks like."""
    made.__dict__.pop("waiting", None)
    made.__class__ = plain.MapResult if isinstance(made, MapResult) else plain.ApplyResult


def maker(session: Session, node: ast.expr, thing: Any) -> Callable[..., Any]:
    """Return what makes a pool that starts nothing until it has to."""

    def make(*args: Any, **named: Any) -> Any:
        kind, context, given = arguments_of(thing, args, named)
        if given is None or not understood(given):
            session.as_written(
                node, thing, "each of its workers is prepared by a function, or works for some calls only"
            )
            return thing(*args, **named)
        processes = kind is plain.Pool
        if session.late(node, kind, context.get_start_method() if processes else ""):
            return thing(*args, **named)
        waiting = session.waiting_of(node, kind.__name__, copies=processes, chunked=True)
        return stand_in(waiting, kind, {**given, "context": context} if processes else given)

    return make


def arguments_of(thing: Any, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any, dict[str, Any] | None]:
    """Return the class of the pool, the context of its processes, and how it is made; None where that is wrong."""
    kind = thing if thing in STANDING else plain.Pool if isinstance(thing, types.MethodType) else plain.ThreadPool
    try:
        found = inspect.signature(thing).bind(*args, **named).arguments
    except TypeError:
        return kind, None, None
    holder = getattr(thing, "__self__", None) or found.get("context")
    import multiprocessing

    context = holder.get_context() if isinstance(holder, BaseContext) else multiprocessing.get_context()
    return kind, context, found


def understood(given: dict[str, Any]) -> bool:
    """Tell whether a pool is made in the usual way."""
    count = given.get("processes")
    several = count is None or (type(count) is int and count > 0)
    return several and given.get("initializer") is None and given.get("maxtasksperchild") is None


def stand_in(waiting: Waiting, kind: Any, given: dict[str, Any]) -> Any:
    """Return a pool that collects its calls until the cell ends, and begins only where it has to."""
    made = kind.__new__(STANDING[kind])
    made._state, made._pool, made._cache, made.waiting = plain.RUN, [], {}, waiting
    before: list[str] = []

    def start() -> None:
        if type(made) is not kind:
            before.append(made._state)
            made.__class__ = kind
            made.__dict__.clear()
            kind.__init__(made, **given)

    def give_back() -> None:
        if type(made) is not kind and made._state == plain.RUN:
            start()
        if type(made) is not kind:
            made.__class__ = kind
            rest(made)
        elif before[0] == plain.CLOSE:
            made.close()
        elif before[0] == plain.TERMINATE:
            made.terminate()

    made.start = start
    waiting.as_written = partial(as_written, kind, given)
    waiting.workers = given.get("processes") or os.cpu_count() or 1
    waiting.session.borrow(give_back)
    return made


def rest(pool: Any) -> None:
    """Leave a pool that has no workers as one whose workers have ended."""
    for name in ("waiting", "start"):
        pool.__dict__.pop(name, None)
    pool._state, pool._pool, pool._cache = plain.TERMINATE, [], {}
    ended = types.SimpleNamespace(join=lambda: None, _state=plain.TERMINATE, is_alive=lambda: False)
    pool._worker_handler = pool._task_handler = pool._result_handler = ended
    pool._terminate = lambda: None


def as_written(kind: Any, given: dict[str, Any], calls: list[Call]) -> None:
    """Run calls on a pool like the user's, to see how long that takes."""
    with kind(**given) as pool:
        for found in [pool.apply_async(call.function, call.args, call.named) for call in calls]:
            found.wait()
        pool.close()
        pool.join()
