"""Executors of `concurrent.futures` whose calls wait until a result is asked for."""

from __future__ import annotations

import ast
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from concompare.cells.pools.batches import ANY_ORDER, Call, Waiting

if TYPE_CHECKING:
    from concompare.cells.pools.session import Session

QUEUE = "_concompare_waiting"


class Asked(threading.Condition):
    """The condition of a future; who takes it wants to know the result, so what waits is run first."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__()
        self.waiting: Waiting | None = waiting
        plainly = self.acquire

        def acquire(*args: Any, **named: Any) -> Any:
            self.ask()
            return plainly(*args, **named)

        self.acquire = acquire  # type: ignore[method-assign]

    def ask(self) -> None:
        """Run what waits, once."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            waiting.settle()

    def __enter__(self) -> bool:
        self.ask()
        return super().__enter__()


class Standing:
    """What an executor does while it stands in for itself."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the future of a call that waits."""
        waiting: Waiting = getattr(self, QUEUE)
        plainly = partial(super().submit, fn, *args, **kwargs)  # type: ignore[misc]
        call = Call(fn, args, kwargs)
        if is_shut(self) or not waiting.take([call]):
            return plainly()  # type: ignore[no-any-return]
        future: Future[Any] = Future()
        condition = future._condition = Asked(waiting)
        future.add_done_callback = future._done_callbacks.append  # type: ignore[method-assign, attr-defined]
        call.end = partial(end, future, condition)
        call.again = partial(again, future, condition, plainly)
        return future

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **options: Any) -> Iterator[Any]:
        """Return the results of calls that wait."""
        waiting: Waiting = getattr(self, QUEUE)
        plainly = partial(super().map, fn, **options)  # type: ignore[misc]
        if options.get("chunksize", 1) < 1 or options.get("timeout") is not None or waiting.plain:
            return plainly(*iterables)  # type: ignore[no-any-return]
        calls = [Call(fn, args) for args in zip(*iterables, strict=False)]
        found = [self.submit(fn, *call.args) for call in calls] if calls else []
        return one_by_one(found)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Run what waits, then shut down."""
        waiting: Waiting = getattr(self, QUEUE)
        if not is_shut(self):
            waiting.settle()
        super().shutdown(wait, cancel_futures=cancel_futures)  # type: ignore[misc]

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        if kind is not None and not issubclass(kind, Exception):
            getattr(self, QUEUE).drop(error)
        return super().__exit__(kind, error, trace)  # type: ignore[misc]


class Threads(Standing, ThreadPoolExecutor):
    """An executor of threads whose calls wait."""


class Processes(Standing, ProcessPoolExecutor):
    """An executor of processes whose calls wait."""


for made, known in ((Threads, ThreadPoolExecutor), (Processes, ProcessPoolExecutor)):
    made.__name__, made.__qualname__, made.__module__ = known.__name__, known.__qualname__, known.__module__
STANDING: dict[type, type] = {ThreadPoolExecutor: Threads, ProcessPoolExecutor: Processes}


def one_by_one(found: list[Future[Any]]) -> Iterator[Any]:
    """Yield results in order."""
    found.reverse()
    while found:
        yield found.pop().result()


def is_shut(executor: Any) -> bool:
    """Tell whether an executor takes no more calls."""
    return bool(getattr(executor, "_shutdown", False) or getattr(executor, "_shutdown_thread", False))


def end(future: Future[Any], condition: Asked, value: Any, error: BaseException | None) -> None:
    """Give a future its result."""
    plain_again(future, condition)
    if not future.set_running_or_notify_cancel():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(value)


def again(future: Future[Any], condition: Asked, plainly: Callable[[], Future[Any]]) -> None:
    """Let the executor itself do a call that waited."""
    plain_again(future, condition)
    future.set_running_or_notify_cancel()

    def done(real: Future[Any]) -> None:
        if (error := real.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(real.result())

    plainly().add_done_callback(done)


def plain_again(future: Future[Any], condition: Asked) -> None:
    """Make a future the plain one that it looks like."""
    condition.waiting = None
    future.__dict__.pop("add_done_callback", None)


def maker(session: Session, node: ast.expr, thing: type) -> Callable[..., Any]:
    """Return what makes an executor that stands in for itself."""

    def make(*args: Any, **named: Any) -> Any:
        made = thing(*args, **named)
        if getattr(made, "_initializer", None) is not None:
            session.as_written(node, thing, "each of its workers is prepared by a function")
            return made
        return stand_in(session, node, made)

    return make


def stand_in(session: Session, node: ast.expr, made: Any) -> Any:
    """Let an executor collect its calls until the cell ends."""
    kind = type(made)
    processes = kind is ProcessPoolExecutor
    if session.late(node, kind, made._mp_context.get_start_method() if processes else ""):
        return made
    waiting = session.waiting_of(node, kind.__name__, copies=processes)
    waiting.as_written, waiting.workers = partial(as_written, made, kind), made._max_workers
    made.__class__ = STANDING[kind]
    setattr(made, QUEUE, waiting)

    def give_back() -> None:
        made.__class__ = kind
        made.__dict__.pop(QUEUE, None)

    session.borrow(give_back)
    return made


def as_written(made: Any, kind: Any, calls: list[Call]) -> None:
    """Run calls on an executor like the user's, to see how long that takes."""
    with kind(made._max_workers) as executor:
        for future in [executor.submit(call.function, *call.args, **call.named) for call in calls]:
            future.exception()


def is_idle(thing: Any) -> bool:
    """Tell whether an object is an executor that does nothing by now."""
    if type(thing) is ThreadPoolExecutor:
        return thing._work_queue.empty() and not thing._shutdown and thing._initializer is None
    if type(thing) is ProcessPoolExecutor:
        return not thing._processes and not thing._shutdown_thread and thing._initializer is None
    return False


def completed_maker(session: Session, node: ast.expr, thing: Any) -> Callable[..., Any]:
    """Return `as_completed`, for futures that are done: one of its orders is that of the items."""

    def as_completed(fs: Iterable[Future[Any]], timeout: float | None = None) -> Iterator[Any]:
        found = list(dict.fromkeys(fs))
        with contextlib.suppress(AttributeError):
            ours = [future for future in found if isinstance(future._condition, Asked)]
            for future in ours:
                if future._condition.waiting is not None:  # type: ignore[attr-defined]
                    future._condition.waiting.note(ANY_ORDER)  # type: ignore[attr-defined]
                future._condition.ask()  # type: ignore[attr-defined]
        if all(future._state == "FINISHED" for future in found):
            return iter(found)
        return futures.as_completed(found, timeout)

    return as_completed
