"""Results of a batch as an iterator: in the order of the items or as they come, with items taken as there is room."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from numbers import Integral
from typing import TYPE_CHECKING, Any

from concompare.backends.traits import shares_objects
from concompare.engine.lookahead import Ahead
from concompare.errors import BadOption
from concompare.executors.batches import Batch
from concompare.executors.opening import session_for
from concompare.formats import one_line

if TYPE_CHECKING:
    from concompare.executors.kept_results import Kept
    from concompare.executors.session import Session

WINDOW = 64
"""Items per worker, at least, that may be taken ahead of the results that have been fetched."""

AHEAD = 4
"""Messages per worker, of the size that they have now, for which items are taken ahead."""

MOST = 50_000
"""Items, at the most, that may be taken ahead."""


LOOK = 16
"""Results that are fetched before it is looked again whether there is room for further items."""


class Raised:
    """An exception in the place of a result."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Inbox:
    """Results that have come and wait to be fetched; the receiver of a batch.

    Attributes:
        begun: Whether somebody has asked for a result.
    """

    def __init__(self) -> None:
        self.come: deque[Any] = deque()
        self.news = threading.Condition()
        self.over = self.begun = False
        self.error: BaseException | None = None

    def begins(self) -> bool:
        """Return True: iterators are cancelled by closing them."""
        return True

    def take(self, index: int, values: list[Any], errors: dict[int, BaseException]) -> None:
        """Take results, with errors in the places of those that failed."""
        for offset, error in errors.items():
            values[offset : offset + 1] = [Raised(error)]
        with self.news:
            self.come.extend(values)
            values.clear()  # who fetches one is the only one to hold it
            self.news.notify_all()

    def end(self, error: BaseException | None) -> None:
        """Take note that nothing more comes."""
        with self.news:
            self.over, self.error = True, error
            self.news.notify_all()


def imap(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    /,
    *,
    backend: str | Executor = "processes",
    workers: int | None = None,
    ordered: bool = True,
    buffersize: int | None = None,
    chunk: int | None = None,
    timeout: float | None = None,
    seed: int | None = None,
    keeping: Callable[[bool], Kept] | None = None,
) -> Results:
    """Return an iterator over the results of a function for all items, computed by several workers.

    All but the last argument are those of `concompare.imap`; `keeping` gives the file that results go to, and is told
    whether workers are given the notebook's own objects.

    Raises:
        ConcompareError: An option, a backend or the function cannot be used.
    """
    if not callable(function):
        raise BadOption(f"the function is {one_line(repr(function), 60)}: give something that can be called first")
    checked_size("buffersize", buffersize)
    checked_size("chunk", chunk)
    session = session_for(backend, workers, timeout=timeout, name="concompare.imap", option="workers", seed=seed)
    try:
        kept = None if keeping is None else keeping(shares_objects(session.backend))
        how: dict[str, Any] = {"chunk": chunk, "buffer": buffersize, "ordered": ordered, "kept": kept}
        return Results(session, function, items, **how, owned=True)
    except BaseException:
        session.shutdown(wait=False)
        raise


class Results:
    """Iterator over the results of a function for many items.

    Args:
        session: Computes them.
        function: Takes one item.
        items: Taken as there is room; all at once where `buffer` is None and `eager` is set.
        chunk: Items per message, or None: from the measured time of an item.
        buffer: Items, at the most, that are taken ahead of the results that have been fetched.
        timeout: Seconds from now within which the results have to come.
        keep_going: Whether an item's error is only its own, and what comes after can be fetched.
        ordered: Whether results come in the order of the items.
        owned: Whether the session is there for these results only, and is shut down with them.
        kept: The file that results go to, and that has some of an earlier run.

    Attributes:
        taken: Items taken so far; `fetched`: results; `due`: how many are to be fetched before there may be room.
    """

    def __init__(
        self,
        session: Session,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        chunk: int | None = None,
        buffer: int | None = None,
        eager: bool = False,
        timeout: float | None = None,
        keep_going: bool = False,
        ordered: bool = True,
        owned: bool = False,
        kept: Kept | None = None,
    ) -> None:
        self.session, self.buffer, self.keep_going = session, buffer, keep_going
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self.inbox = Inbox()
        self.ahead: Ahead | None = Ahead(items)
        self.taken = self.fetched = self.due = 0
        self.batch = Batch(function, self.inbox, fixed=chunk, keep_going=keep_going, ordered=ordered, kept=kept)
        first = [] if kept else self.some(sys.maxsize if eager and buffer is None else self.room())
        self.session.add(self.batch, first, complete=self.ahead is None)
        self.finalizer = weakref.finalize(self, dropped, session, self.batch, self.inbox, owned)
        self.finalizer.atexit = False
        if kept is not None:
            self.refill()

    def window(self) -> int:
        """Return how many items may be taken ahead of the results that have been fetched."""
        if self.buffer is not None:
            return self.buffer
        chunker = self.batch.chunker
        largest = chunker.largest if chunker is not None else 1
        return min(MOST, self.session.count * max(WINDOW, AHEAD * largest))

    def room(self) -> int:
        """Return how many items may be taken now: none until it is worth it."""
        window = self.window()
        room = window - (self.taken - self.fetched)
        return room if self.buffer is not None or room > window // AHEAD else 0

    def some(self, size: int) -> list[Any]:
        """Take items; what their iterator raises comes after the results of those before."""
        assert self.ahead is not None
        items = self.ahead.take(size) if size > 0 else []
        self.taken += len(items)
        if size > 0 and len(items) < size:
            self.ended_with = self.ahead.error
            self.ahead = None
        return items

    ended_with: Exception | None = None

    def refill(self) -> None:
        """Hand over as many items as there is room for, when it is worth it."""
        room = self.room()
        if self.ahead is None or room <= 0:
            return
        if self.batch.kept is not None:
            self.refill_around(self.batch.kept, room)
            return
        items = self.some(room)
        self.session.feed(self.batch, items, complete=self.ahead is None)

    def refill_around(self, kept: Kept, room: int) -> None:
        """Hand over items, and those in a row of which the file has the results with these."""
        while self.ahead is not None and room > 0:
            first, size = self.taken, kept.at(self.taken)
            if self.buffer is not None and size > self.buffer:  # written by a run that had more at a time
                kept.forget(first)
                size = 0
            if self.buffer is not None and size > room:
                return
            items = self.some(size or int(min(room, kept.room(first))))
            restored = kept.restored(first, items) if size and items else None
            self.session.feed(self.batch, items, complete=self.ahead is None, restored=restored)
            room -= len(items)

    def finish(self) -> None:
        """Take all items that are left, whatever room there is."""
        while self.ahead is not None:
            items = self.some(MOST)
            self.session.feed(self.batch, items, complete=self.ahead is None)

    def __iter__(self) -> Results:
        return self

    def __next__(self) -> Any:
        """Return the next result.

        Raises:
            StopIteration: There are no more.
            TimeoutError: It has not come in time.
            BaseException: The item's own exception.
        """
        if self.fetched < self.due:  # nothing to hand over yet: what is there is taken at the least cost
            come = self.inbox.come
            try:
                value = come.popleft()
            except IndexError:
                return self.next()
            if type(value) is not Raised:
                self.fetched += 1
                return value
            come.appendleft(value)
        return self.next()

    def next(self, timeout: float | None = None) -> Any:
        """Return the next result, waiting for at most so many seconds."""
        come = self.inbox.come
        if not come:
            self.wait(timeout)
        value = come.popleft()
        self.fetched += 1
        if self.ahead is not None:
            self.refill()
        self.due = self.fetched + (sys.maxsize if self.ahead is None else LOOK if self.buffer is None else 0)
        if type(value) is Raised:
            if not self.keep_going:
                self.close()
            try:
                raise value.error
            finally:
                del value
        return value

    def wait(self, timeout: float | None) -> None:
        """Wait until a result has come.

        Raises:
            StopIteration: None will come.
            TimeoutError: None has come in time.
        """
        self.inbox.begun = True
        if self.ahead is not None:
            self.refill()
        end = self.deadline if timeout is None else time.monotonic() + timeout
        inbox = self.inbox
        try:
            with inbox.news:
                while not inbox.come and not inbox.over:
                    left = None if end is None else end - time.monotonic()
                    if left is not None and left <= 0:
                        raise TimeoutError
                    inbox.news.wait(left)
        except KeyboardInterrupt:
            self.session.give_up()
            raise
        except TimeoutError:
            if timeout is None:
                self.close()
            raise
        if not inbox.come:
            closed = not self.finalizer.alive
            self.close()
            error, self.ended_with = inbox.error or self.ended_with, None
            inbox.error = None
            if error is not None and not closed:
                raise error
            raise StopIteration

    def close(self) -> None:
        """Drop what has not been fetched."""
        self.ahead = None
        self.inbox.come.clear()
        self.finalizer()


def dropped(session: Session, batch: Batch, inbox: Inbox, owned: bool) -> None:
    """Drop what has not been computed for results that nobody fetches any more.

    What nobody has asked a result of was submitted for what the calls do: those are done, as `concurrent.futures` does.
    """
    if inbox.begun or owned:
        session.cancel(batch)
    else:
        session.complete(batch)
    try:
        if batch.kept is not None:
            batch.kept.close()  # which warns, and warnings may be errors
    finally:
        if owned:
            session.shutdown(wait=False)


def checked_size(name: str, size: object) -> None:
    """Refuse a number of items that is none.

    Raises:
        BadOption: It is not.
    """
    if size is not None and (not isinstance(size, Integral) or isinstance(size, bool) or size < 1):
        raise BadOption(f"{name} must be >= 1, and is {size!r}")
