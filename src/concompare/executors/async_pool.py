"""`concompare.Pool`: a pool of `multiprocessing`'s kind on our workers."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import threading
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from concompare.executors.batches import Batch
from concompare.executors.opening import session_for
from concompare.executors.result_iterator import Results, checked_size
from concompare.executors.session import Session
from concompare.worker.calls import ARGUMENTS, ITEM, ITEMS, Arguments, CallOf

Callback = Callable[[Any], object] | None


class ResultLate(multiprocessing.TimeoutError, TimeoutError):
    """Raised when a result has not come in time."""


class AsyncResult:
    """Result of a call or of many, to come; also what the session gives it to."""

    def __init__(self, session: Session, callback: Callback, error_callback: Callback, *, single: bool) -> None:
        self.session, self.callback, self.error_callback, self.single = session, callback, error_callback, single
        self.values: list[Any] = []
        self.error: BaseException | None = None
        self.over = threading.Event()

    def get(self, timeout: float | None = None) -> Any:
        """Return the result, or raise what the call raised.

        Raises:
            ResultLate: It has not come in so many seconds.
        """
        self.wait(timeout)
        if not self.ready():
            raise ResultLate
        if self.error is not None:
            raise self.error
        return self.values[0] if self.single else self.values

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the result has come, for at most so many seconds."""
        try:
            self.over.wait(timeout)
        except KeyboardInterrupt:
            self.session.give_up()
            raise

    def ready(self) -> bool:
        """Return whether the result has come."""
        return self.over.is_set()

    def successful(self) -> bool:
        """Return whether nothing was raised.

        Raises:
            ValueError: The result has not come.
        """
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self.error is None

    def begins(self) -> bool:
        """Return True: there is no way to cancel a call."""
        return True

    def take(self, index: int, values: list[Any], errors: dict[int, BaseException]) -> None:
        """Take values, or the first error."""
        if errors and self.error is None:
            self.error = errors[min(errors)]
        self.values += values
        values.clear()

    def end(self, error: BaseException | None) -> None:
        """Call back, and wake those who wait."""
        self.error = self.error or error
        callback = self.callback if self.error is None else self.error_callback
        self.callback = self.error_callback = None
        try:
            if callback is not None:
                result = self.values[0] if self.single and self.error is None else self.values
                callback(result if self.error is None else self.error)
        finally:
            self.over.set()


class Iteration(Results):
    """Iterator over the results of many calls; what a call raises is raised in its turn, and the next one follows."""

    def next(self, timeout: float | None = None) -> Any:
        """Return the next result.

        Raises:
            ResultLate: It has not come in so many seconds.
        """
        try:
            return super().next(timeout)
        except TimeoutError:
            if timeout is None:
                raise
            raise ResultLate from None


class Pool:
    """A pool as `multiprocessing.Pool`, with workers of any backend, for functions from anywhere.

    Args:
        processes: How many workers; as many as there are usable CPUs by default.
        initializer: Called once in each worker, before its first call, with `initargs`.
        initargs: Its arguments.
        backend: The name of a backend, such as "processes" or "threads".
        context: Of `multiprocessing`, whose start method is taken: the same as a `backend` of that name.
        seed: Gives every call a random stream of its own (`random`, numpy, torch), the same on every backend: by its
            place among the items, or among the calls that were submitted.

    Raises:
        ConcompareError: An option or the backend cannot be used.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        *,
        backend: str | concurrent.futures.Executor = "processes",
        context: Any = None,
        seed: int | None = None,
    ) -> None:
        name = f"concompare.{type(self).__name__}"
        self.session = session_for(
            backend, processes, initializer, initargs, name=name, option="processes", context=context, seed=seed
        )
        self.open: weakref.WeakSet[Iteration] = weakref.WeakSet()
        self.finalizer = weakref.finalize(self, self.session.shutdown, False)
        self.finalizer.atexit = False

    # ---------------------------------------------------------------------------------------------------- single calls

    def apply(self, func: Callable[..., Any], args: Iterable[Any] = (), kwds: dict[str, Any] | None = None) -> Any:
        """Return `func(*args, **kwds)`, computed in a worker."""
        return self.apply_async(func, args, kwds).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] = (),
        kwds: dict[str, Any] | None = None,
        callback: Callback = None,
        error_callback: Callback = None,
    ) -> AsyncResult:
        """Return the result to come of `func(*args, **kwds)`; it is given to `callback`, an exception to the other."""
        self.must_run()
        result = AsyncResult(self.session, callback, error_callback, single=True)
        call = CallOf(func, ARGUMENTS, self.session.setup)
        batch = Batch(call, result, fixed=1, keep_going=True)
        self.session.submit_one(batch, Arguments(tuple(args), dict(kwds or {}), call.__name__))
        return result

    # ------------------------------------------------------------------------------------------------------ many calls

    def map(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None) -> list[Any]:
        """Return `[func(item) for item in iterable]`; the first item's error is raised once all are computed."""
        found: list[Any] = self.map_async(func, iterable, chunksize).get()
        return found

    def map_async(
        self,
        func: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callback = None,
        error_callback: Callback = None,
    ) -> AsyncResult:
        """Return the list to come of `map`."""
        return self.all_of(self.of_item(func), iterable, chunksize, callback, error_callback)

    def starmap(
        self, func: Callable[..., Any], iterable: Iterable[Iterable[Any]], chunksize: int | None = None
    ) -> list[Any]:
        """Return `[func(*items) for items in iterable]`."""
        found: list[Any] = self.starmap_async(func, iterable, chunksize).get()
        return found

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
        callback: Callback = None,
        error_callback: Callback = None,
    ) -> AsyncResult:
        """Return the list to come of `starmap`."""
        return self.all_of(CallOf(func, ITEMS, self.session.setup), iterable, chunksize, callback, error_callback)

    def all_of(
        self,
        function: Callable[[Any], Any],
        iterable: Iterable[Any],
        chunksize: int | None,
        callback: Callback,
        error_callback: Callback,
    ) -> AsyncResult:
        """Return the list to come of a function's results for all items: one's error keeps none from being computed."""
        self.must_run()
        checked_size("chunksize", chunksize)
        items = iterable if type(iterable) in (list, range) else list(iterable)
        result = AsyncResult(self.session, callback, error_callback, single=False)
        batch = Batch(function, result, fixed=chunksize, keep_going=True)
        self.session.add(batch, items)  # type: ignore[arg-type]
        return result

    def imap(self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None) -> Iteration:
        """Return an iterator over the results in the order of the items, which are taken as results are fetched."""
        return self.iteration(func, iterable, chunksize, ordered=True)

    def imap_unordered(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None = None
    ) -> Iteration:
        """Return an iterator over the results as they come."""
        return self.iteration(func, iterable, chunksize, ordered=False)

    def iteration(
        self, func: Callable[[Any], Any], iterable: Iterable[Any], chunksize: int | None, *, ordered: bool
    ) -> Iteration:
        """Return an iterator over the results."""
        self.must_run()
        checked_size("chunksize", chunksize)
        function = self.of_item(func)
        found = Iteration(self.session, function, iterable, chunk=chunksize, keep_going=True, ordered=ordered)
        self.open.add(found)
        return found

    def of_item(self, func: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return a function of one item, with the initializer where there is one."""
        return func if self.session.setup is None else CallOf(func, ITEM, self.session.setup)

    # ------------------------------------------------------------------------------------------------------- the end

    def must_run(self) -> None:
        """Raise where no calls are taken any more.

        Raises:
            ValueError: The pool was closed.
        """
        if self.session.closing:
            raise ValueError("Pool not running")

    def close(self) -> None:
        """Take no more calls; what was asked for is computed."""
        for iteration in tuple(self.open):
            iteration.finish()
        self.session.shutdown(wait=False)

    def terminate(self) -> None:
        """End what runs and drop what waits."""
        self.session.give_up()
        self.session.shutdown()

    def join(self) -> None:
        """Wait until all that was asked for is computed.

        Raises:
            ValueError: The pool has not been closed.
        """
        if not self.session.closing:
            raise ValueError("Pool is still running")
        try:
            self.session.shutdown()
        except KeyboardInterrupt:
            self.session.give_up()
            raise

    def __enter__(self) -> Pool:
        """Return the pool."""
        self.must_run()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what runs, as `multiprocessing.Pool` does."""
        self.terminate()

    def __reduce__(self) -> Any:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")
