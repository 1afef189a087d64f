"""Items of one function on their way through a session: not sent, under way, waiting for their turn, handed on."""

from __future__ import annotations

import contextlib
import contextvars
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from concompare.engine import show
from concompare.engine.chunking import Chunk, Chunker
from concompare.engine.ordering import Settled

if TYPE_CHECKING:
    from concompare.engine.channel import Channel
    from concompare.engine.transport.functions import Shipment
    from concompare.executors.kept_results import Kept


class Receiver(Protocol):
    """Takes the outcome of a batch, in the session's own thread."""

    def begins(self) -> bool:
        """Return whether the first item may be sent; False where it is not wanted any more."""

    def take(self, index: int, values: list[Any], errors: dict[int, BaseException]) -> None:
        """Take results from the item at this index on; the errors by offset, None among the values in their places."""

    def end(self, error: BaseException | None) -> None:
        """Take note that nothing more comes: all has been taken, or this error has ended the batch."""


class Batch:
    """Items for one function, handed over in one or several goes.

    Attributes:
        function: Takes one item; `shipment`: the same as it was when the batch was made, for other processes.
        fixed: Items per message, or None: from the measured time of an item.
        keep_going: Whether the items after a failed one are computed all the same.
        kept: The file that results go to; `restored`: what it had of them, by the place of their first item.
        ordered: Whether results are handed on in the order of the items.
        context: The context variables of who made the batch; what items print is shown there.
        number: Position of the first item among the session's, for messages about it.
        complete: No further items will come.
        ended: Its receiver has been told the end.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        receiver: Receiver,
        *,
        fixed: int | None = None,
        keep_going: bool = False,
        ordered: bool = True,
        kept: Kept | None = None,
    ) -> None:
        self.function, self.receiver = function, receiver
        self.kept, self.restored = kept, dict[int, Settled]()
        self.fixed, self.keep_going, self.ordered = fixed, keep_going, ordered
        self.context = contextvars.copy_context()
        self.chunker: Chunker | None = None
        self.shipment: Shipment | None = None
        self.channel: Channel | None = None
        self.pieces: deque[tuple[int, Sequence[Any]]] = deque()
        self.fed = self.answered = self.turn = self.number = 0
        self.flying = 0
        self.held: dict[int, Settled] = {}
        self.begun = self.complete = self.ended = False
        self.last: BaseException | None = None

    def feed(self, items: Sequence[Any], restored: Settled | None = None) -> None:
        """Add items, to be sent after those that are there, or their results where these are there already."""
        if restored is not None:
            self.restored[self.fed] = restored
        if len(items):
            self.pieces.append((self.fed, items))
            self.fed += len(items)

    def next(self, workers: int, cost: float) -> tuple[int, Sequence[Any]] | None:
        """Return index and items of the next message, or None where there are none now."""
        while self.pieces and (restored := self.restored.pop(self.pieces[0][0], None)) is not None:
            self.settle(self.pieces.popleft()[0], restored)
        if not self.pieces:
            return None
        index, items = self.pieces.popleft()
        if self.fixed == 1 and len(items) == 1:
            return index, items
        if self.chunker is None:
            self.chunker = Chunker(workers, self.fed if self.complete else None, self.fixed, cost)
        if self.complete:
            self.chunker.count = self.fed
        before, size = self.chunker.largest, self.chunker.next()
        while len(items) < size and self.goes_on_at(index + len(items)):
            items = [*items, *self.pieces.popleft()[1]]
        if len(items) > size:
            self.pieces.appendleft((index + size, items[size:]))
            items = items[:size]
        if len(items) < size:  # there were no more
            self.chunker.taken -= size - len(items)
            self.chunker.largest = max(before, len(items))
        return index, items

    def goes_on_at(self, index: int) -> bool:
        """Tell whether the next items are those from a place on, and are to be computed."""
        return bool(self.pieces) and self.pieces[0][0] == index and index not in self.restored

    def give_back(self, index: int, items: Sequence[Any]) -> None:
        """Take back what a worker has not begun."""
        self.pieces.appendleft((index, items))
        if self.chunker is not None:
            self.chunker.taken -= len(items)

    def learn(self, chunk: Chunk, seconds: float, moved: int) -> None:
        """Take in what a message cost."""
        if self.chunker is not None:
            self.chunker.learn(len(chunk.items), seconds, moved)

    def settle(self, index: int, settled: Settled) -> None:
        """Take in the outcome of a message, and hand on what is next."""
        if self.ended:
            return
        if not self.ordered:
            self.hand_on(index, settled)
            return
        self.held[index] = settled
        while not self.ended and (ready := self.held.pop(self.turn, None)) is not None:
            at = self.turn
            self.turn += computed_in(ready)
            self.hand_on(at, ready)

    def hand_on(self, index: int, settled: Settled) -> None:
        """Show what items printed, then give their values to the receiver."""
        for _, stream, text in settled.output:
            with contextlib.suppress(Exception):  # a stream that is closed by now
                self.context.run(show, stream, text)
        self.answered += computed_in(settled)
        self.receiver.take(index, settled.values, settled.errors)
        if settled.errors and not self.keep_going:
            self.end(None)
        else:
            self.end_if_done()

    def end_if_done(self) -> None:
        """Tell the receiver where nothing more comes."""
        if self.complete and self.answered == self.fed:
            self.end(self.last)

    def cut_short(self, error: BaseException) -> None:
        """Drop what has not been sent; the error comes after the results of what has been."""
        if self.pieces:
            self.fed = self.pieces[0][0]
            self.pieces.clear()
            self.last, self.complete = error, True
            self.end_if_done()

    def end(self, error: BaseException | None) -> None:
        """Drop what has not been sent, and tell the receiver that nothing more comes."""
        if not self.ended:
            self.ended = True
            self.pieces.clear()
            self.held.clear()
            self.restored.clear()
            self.receiver.end(error)


def computed_in(settled: Settled) -> int:
    """Return of how many items an outcome is."""
    return max(len(settled.values), max(settled.errors, default=-1) + 1)
