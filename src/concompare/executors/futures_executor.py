"""`concompare.Executor`: an executor of the standard library's kind on our workers."""

from __future__ import annotations

import concurrent.futures
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from types import TracebackType
from typing import Any

from concompare.executors.batches import Batch
from concompare.executors.opening import session_for
from concompare.executors.result_iterator import Results, checked_size
from concompare.executors.session import Session
from concompare.worker.calls import ARGUMENTS, ITEM, ITEMS, Arguments, CallOf


class CallFuture(Future[Any]):
    """A future of a session's; an interrupt of who waits for it ends what the session runs."""

    session: Session

    def result(self, timeout: float | None = None) -> Any:
        """Return the call's result, waiting for at most so many seconds."""
        with self.interruptible():
            return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the call's exception or None, waiting for at most so many seconds."""
        with self.interruptible():
            return super().exception(timeout)

    def interruptible(self) -> Interruptible:
        """Return what ends the session's calls when an interrupt comes while this future is waited for."""
        return Interruptible(self)


class Interruptible:
    """Ends a session's calls when what is inside is interrupted."""

    def __init__(self, future: CallFuture) -> None:
        self.future = future

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt) and not self.future.done():
            self.future.session.give_up()


class ForFuture:
    """Receiver of a single call."""

    def __init__(self, future: Future[Any]) -> None:
        self.future: Future[Any] | None = future

    def begins(self) -> bool:
        """Return whether the call has not been cancelled."""
        assert self.future is not None
        if self.future.set_running_or_notify_cancel():
            return True
        self.future = None
        return False

    def take(self, index: int, values: list[Any], errors: dict[int, BaseException]) -> None:
        """Give the future its result or exception."""
        future, self.future = self.future, None
        if future is None:
            return
        if errors:
            future.set_exception(errors[0])
        else:
            future.set_result(values.pop())  # who asks for it is the only one to hold it

    def end(self, error: BaseException | None) -> None:
        """Let nobody wait for what does not come."""
        future, self.future = self.future, None
        if future is None:
            return
        if future.running():
            future.set_exception(error)
        elif isinstance(error, concurrent.futures.CancelledError):
            future.cancel()
            future.set_running_or_notify_cancel()
        elif future.set_running_or_notify_cancel():
            future.set_exception(error)


class Executor(concurrent.futures.Executor):
    """An executor as those of `concurrent.futures`, with workers of any backend, for functions from anywhere.

    Args:
        max_workers: How many; all usable CPUs by default.
        backend: The name of a backend, such as "processes" or "threads".
        initializer: Called once in each worker, before its first call, with `initargs`.
        timeout: Seconds that a call may take; its worker is ended then, which is why it needs processes.
        mp_context: Of `multiprocessing`, whose start method is taken: the same as a `backend` of that name.
        seed: Gives every call a random stream of its own (`random`, numpy, torch), the same on every backend: by its
            place among the items of `map`, or among the calls that were submitted.

    Raises:
        ConcompareError: An option or the backend cannot be used.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        *,
        backend: str | concurrent.futures.Executor = "processes",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
        timeout: float | None = None,
        mp_context: Any = None,
        seed: int | None = None,
    ) -> None:
        name = f"concompare.{type(self).__name__}"
        self.session = session_for(
            backend, max_workers, initializer, initargs, timeout, name=name, context=mp_context, seed=seed
        )
        self.finalizer = weakref.finalize(self, self.session.shutdown, False)
        self.finalizer.atexit = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the future of a call; the arguments are taken as they are now, unless they are large."""
        return submitted(self.session, fn, args, kwargs)

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int | None = None,
        buffersize: int | None = None,
    ) -> Iterator[Any]:
        """Return an iterator over the results of `map(fn, *iterables)`, in its order.

        Args:
            fn: Takes as many arguments as there are iterables.
            iterables: Read at once, or with a `buffersize` as results are fetched.
            timeout: Seconds from now within which the results have to come.
            chunksize: Items per message to a worker; by default from the measured time of an item.
            buffersize: Items, at the most, that are taken ahead of the results that have been fetched.

        Raises:
            BadOption: A value that cannot be used.
            TimeoutError: By the iterator, where a result does not come in time.
        """
        checked_size("chunksize", chunksize)
        checked_size("buffersize", buffersize)
        function, items = mapped(self.session, fn, iterables)
        return Results(self.session, function, items, chunk=chunksize, buffer=buffersize, eager=True, timeout=timeout)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and wait for those that were submitted unless told otherwise.

        Workers stay warm for the next executor of the same kind, unless they have run an initializer.
        """
        try:
            self.session.shutdown(wait, cancel=cancel_futures)
        except KeyboardInterrupt:
            self.session.give_up()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what was submitted; after an interrupt end it."""
        if isinstance(error, KeyboardInterrupt):
            for call in self.session.give_up():
                error.add_note(f"Python cannot stop a thread inside {call}: it ends when that call returns")
        self.shutdown()


def submitted(
    session: Session, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> CallFuture:
    """Submit one call to a session and return its future; what cannot be sent is its exception."""
    future = CallFuture()
    future.session = session
    call = CallOf(function, ARGUMENTS, session.setup)
    item = Arguments(args, kwargs, call.__name__)
    batch = Batch(call, ForFuture(future), fixed=1, keep_going=True)
    session.submit_one(batch, item)
    return future


def mapped(
    session: Session, function: Callable[..., Any], iterables: tuple[Iterable[Any], ...]
) -> tuple[Callable[[Any], Any], Iterable[Any]]:
    """Return a function of one item and the items, for a function over several iterables."""
    if len(iterables) == 1:
        return (function if session.setup is None else CallOf(function, ITEM, session.setup)), iterables[0]
    return CallOf(function, ITEMS, session.setup), zip(*iterables)  # noqa: B905 - as `map` does
