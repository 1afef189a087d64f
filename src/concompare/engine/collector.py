"""What comes of the answers: values in item order, the first failure, what workers noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from concompare.engine.channel import Opened
from concompare.engine.chunking import Chunk
from concompare.engine.item_errors import short_repr, with_item
from concompare.engine.ordering import Order, Settled, settled_of
from concompare.engine.outcome import Outcome, PassOptions
from concompare.worker.chunk import Answer

if TYPE_CHECKING:
    from concompare.engine.resume.recorder import Restored


class Collector:
    """Take in answers, and hand them on in item order.

    Attributes:
        outcome: What the pass has come to so far.
        order: Hands the values on.
        finished: Items that have been computed, or have failed.
        first_error: Position of the first failed item so far, where the pass ends with it.
        abandoned: Whether nothing of what is under way is wanted any more.
        drawn: Who drew random numbers from which source in which state.
    """

    def __init__(self, options: PassOptions, on_value: Callable[[int, Any], Any] | None) -> None:
        self.options = options
        self.outcome = Outcome()
        self.order = Order(self.outcome, options, on_value)
        self.finished = 0
        self.first_error: int | None = None
        self.abandoned = False
        self.drawn: dict[tuple[str, bytes], tuple[int, int]] = {}

    def settled(self, chunk: Chunk, answer: Answer, opened: Opened) -> Settled:
        """Return an answer for its turn, with the item noted on each exception."""
        errors = opened[1]
        if not errors:
            return settled_of(answer, opened, {})
        items = {offset: chunk.items[offset] for offset in errors}
        for offset, error in errors.items() if self.options.named else ():
            with_item(error, self.options.place(chunk.first + offset), short_repr(items[offset]))
        return settled_of(answer, opened, items)

    def begun(self, chunk: Chunk, settled: Settled) -> int:
        """Return how many of a chunk's items its worker has begun: the others are to be sent again."""
        ended = bool(settled.errors) and self.options.on_error == "stop"
        if chunk.limit is None or ended:
            return len(chunk.items)
        return max(len(settled.values), max(settled.errors, default=-1) + 1)

    def take(self, chunk: Chunk, settled: Settled) -> None:
        """Take in the answer to a chunk."""
        self.order.settled[chunk.first] = settled
        self.finished += len(chunk.items)
        if settled.errors and self.options.on_error == "stop":
            self.fail(chunk.first + min(settled.errors))

    def take_restored(self, first: int, found: Restored) -> None:
        """Take in results of an earlier run, as if they had arrived now."""
        values, names, output, changed, seconds, firm = found
        self.order.settled[first] = Settled(values, {}, names, output, seconds=seconds, firm=firm)
        self.finished += len(values)
        self.outcome.restored += len(values)
        self.lose(changed)

    def take_death(self, chunk: Chunk, index: int, death: BaseException) -> None:
        """Count a single item as failed because its worker died or its time was up."""
        item = chunk.items[0]
        self.order.settled[index] = Settled([None], {0: with_item(death, index, short_repr(item))}, items={0: item})
        self.finished += 1
        if self.options.on_error == "stop":
            self.fail(index)

    def fail(self, index: int) -> None:
        """Take note that an item has failed with which the pass ends, unless an earlier one fails too."""
        self.first_error = index if self.first_error is None else min(self.first_error, index)

    def notice(self, answer: Answer) -> None:
        """Take in what the worker noticed: captured objects it changed, random numbers another one drew too."""
        self.lose(answer.changed)
        for place, counts in answer.lines:
            known = self.outcome.lines.get(place)
            self.outcome.lines[place] = counts if known is None else known.plus(counts)
        for source in answer.drawn:
            if self.drawn.setdefault(source, answer.ident) != answer.ident:
                self.outcome.shared_random = source[0]

    def lose(self, changed: tuple[str, ...]) -> None:
        """Take note of what items have changed elsewhere and not here."""
        if changed:
            self.outcome.hidden_state = tuple(dict.fromkeys((*self.outcome.hidden_state, *changed)))
            if self.options.on_lost is not None:
                self.options.on_lost(changed)

    def is_beyond_error(self, chunk: Chunk) -> bool:
        """Return whether a chunk's results are of no use any more, because an earlier item has failed."""
        return self.first_error is not None and chunk.first > self.first_error

    def is_unwanted(self, chunk: Chunk) -> bool:
        """Return whether a chunk's results are of no use any more."""
        return self.abandoned or self.is_beyond_error(chunk)

    def has_failed(self) -> bool:
        """Return whether nothing that runs still could fail earlier than the first failure."""
        return self.first_error is not None and self.order.released >= self.first_error
