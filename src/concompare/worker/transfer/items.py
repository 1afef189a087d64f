"""A chunk's items in a worker: rebuilt all at once, or each when its turn comes."""

from __future__ import annotations

import io
import time
from typing import Any

from concompare.worker.bootstrap import NO_ITEM, PLACE, end_if_spent
from concompare.worker.transfer import nans
from concompare.worker.transfer.class_objects import Arriving
from concompare.worker.transfer.object_refs import Rows, Source, Sources, read
from concompare.worker.transfer.pickling import Parcel, data_of, given_back, pack_error, plain, unpack
from concompare.worker.transfer.process_memory import CannotFetch, Loan, fetch

Made = tuple[int, ...] | None


def read_items(
    parcel: Parcel, apart: int, first: int, lent: Loan, sources: Sources | None, made: Made = ()
) -> list[Any] | Apart | tuple[str, Any]:
    """Rebuild a chunk's items, for results to refer to where there are sources to add them to.

    Args:
        parcel: The items.
        apart: How many they are where each is a pickle of its own, else 0.
        first: The position of the first, for the board: a worker may die of an item before it is there.
        lent: Gets the memory that they lie in.
        sources: Gets what read them.
        made: The numbers of what was made for their pickle only; None: results may refer to the items alone.

    Returns:
        The items, or the problem with them.
    """
    try:
        if apart:
            return Apart(parcel, apart, first)
        mark(first)
        items: list[Any] = unpack(parcel, lent) if sources is None else read_into(sources, parcel, made)
    except BaseException as error:
        problem = problem_of(error)
        mark(-1)
        return problem
    return items


def mark(item: int) -> None:
    """Say on the board which item is being loaded now (−1: none)."""
    if PLACE:
        PLACE[0].mark(item)


def read_into(sources: Sources, parcel: Parcel, made: Made) -> list[Any]:
    """Rebuild items that results may refer to."""
    data = data_of(parcel)
    if made is None:
        rows: list[Any] = loaded(data)
        sources.add("items", Rows(rows, data, lambda: loaded(data)))
        return rows

    def again() -> dict[int, Any]:
        reader = nans.Reading(io.BytesIO(data))  # the classes stay as they are: what is there may go by their methods
        return read(reader, reader.load())

    reader = Arriving(io.BytesIO(data))
    items: list[Any] = reader.load()
    sources.add("items", Source(lambda: read(reader, items), again, made))
    return items


def loaded(data: Any) -> list[Any]:
    """Return the items of a pickle; nothing else refers to them."""
    items: list[Any] = Arriving(io.BytesIO(data)).load()
    return items


def problem_of(error: BaseException, before: int = NO_ITEM) -> tuple[str, Any]:
    """Return why an item cannot be loaded: the notebook's memory cannot be read, or it cannot be rebuilt.

    A worker that is spent ends here; `before` is the item of the same chunk that was computed before.
    """
    if isinstance(error, CannotFetch):
        return "memory", error.errno or 0
    end_if_spent(error, before)
    return "items", pack_error(error)


def take_back(lent: Loan) -> bool:
    """Keep lent memory for later, unless something refers to it; return whether nothing does."""
    free = given_back(lent)
    if free:
        lent.recycle()
    return free


class Apart:
    """Items that are loaded one by one, each into the memory of the one before where nothing holds that any more.

    Attributes:
        seconds: What loading took so far, and `cpu` of it on a CPU.
        problem: Why an item could not be loaded.
        fetched: Bytes that came from the notebook's memory so far.
    """

    def __init__(self, parcel: Parcel, count: int, first: int) -> None:
        self.first, self.ahead = first, range(first, first + count)
        self.seconds, self.cpu, self.fetched = 0.0, 0.0, 0
        self.problem: tuple[str, Any] | None = None
        self.loan = Loan()
        places = list(parcel.places)
        data = parcel.data if parcel.data is not None else bytes(self.piece(places.pop(0)))
        self.pickles, self.pieces = io.BytesIO(data), map(self.piece, places)

    def piece(self, place: tuple[str, int, int]) -> Any:
        """Return a piece of the notebook's memory."""
        self.loan += fetch([place], self.loan)
        self.fetched += place[2]
        return plain(self.loan[-1])

    def let_go(self) -> None:
        """Keep the memory of the item before for the next one, if nothing refers to it."""
        take_back(self.loan)
        self.loan = Loan()

    def without_loading(self, start: float, end: float, cpu: float) -> tuple[float, float]:
        """Return when the calls would have begun had all items been loaded before, and their own CPU seconds.

        Args:
            start: When the first item began to be loaded.
            end: When the last call had ended.
            cpu: CPU seconds in between.
        """
        self.let_go()
        return min(end, start + self.seconds), max(0.0, cpu - self.cpu)

    def __iter__(self) -> Apart:
        return self

    def __next__(self) -> Any:
        """Return the next item.

        Raises:
            StopIteration: There is none.
            BaseException: It cannot be loaded; `problem` tells.
        """
        if not self.ahead or self.problem is not None:
            raise StopIteration
        item = self.ahead[0]
        mark(item)
        self.ahead = self.ahead[1:]
        clock, on_cpu = time.perf_counter(), time.thread_time()
        self.let_go()
        try:
            return Arriving(self.pickles, buffers=self.pieces).load()  # each numbers its objects anew
        except BaseException as error:  # where the next pickle begins is not known any more
            self.problem = problem_of(error, item - 1 if item > self.first else NO_ITEM)
            raise
        finally:
            self.seconds += time.perf_counter() - clock
            self.cpu += time.thread_time() - on_cpu
