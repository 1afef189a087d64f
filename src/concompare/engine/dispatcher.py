"""What goes to the workers next: lost chunks first and suspects alone, then items in chunks of the fitting size."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

from concompare.engine.chunking import FIRST_BULK, Chunk, Chunker
from concompare.engine.lookahead import Ahead
from concompare.engine.outcome import PassOptions
from concompare.interrupts import Guard
from concompare.worker.chunk import Answer
from concompare.worker.transfer.pickling import pack

WINDOW = 64
"""Chunks per worker that may be finished ahead of the oldest unfinished one, when the items' number is unknown."""

WINDOW_ITEMS = 200_000
"""Items that this may come to, at the most."""


class Dispatcher:
    """Decide which chunk goes next.

    Args:
        items: Any iterable, consumed as needed.
        options: Of the pass.
        chunker: Says how many go at a time.

    Attributes:
        again: Chunks to send once more, in the order of their items, suspects last.
        later: Those to send once more when their time has come.
        next_item: Position of the first item that no chunk has had.
        exhausted: Whether there is no such item.
        suspecting: Whether there are, or were, such that run alone.
        allowed: How many workers may run, where not all of them.
    """

    def __init__(self, items: Iterable[Any], options: PassOptions, chunker: Chunker) -> None:
        self.options, self.chunker = options, chunker
        self.ahead = Ahead(items, far=options.chunk is None)
        self.listed = items if (type(items) is list or type(items) is range) and not chunker.cost else None
        self.again: list[Chunk] = []
        self.later: list[Chunk] = []
        self.next_item = options.first
        self.exhausted = self.suspecting = False
        self.allowed: int | None = None

    @property
    def count(self) -> int | None:
        """Return the number of items, or None when not known."""
        return self.chunker.count

    @property
    def left(self) -> int | None:
        """Return how many items have not been sent yet, or None when that is not known."""
        return None if self.count is None else max(0, self.count - (self.next_item - self.options.first))

    def most(self) -> int:
        """Return how many chunks may be under way."""
        if self.allowed is not None:
            return self.allowed
        if self.options.growth is not None:
            return self.options.growth.now
        return self.chunker.workers * self.chunker.ahead()

    def weigh(self, guard: Guard) -> None:
        """Look at how large the first items are, where messages are dear and the first ones should hold many."""
        if not self.chunker.cost:
            return
        with guard.user_code():
            items = self.ahead.peek(FIRST_BULK)
        with suppress(Exception):  # said where it is sent
            self.chunker.item_bytes = len(pack(items)) / max(len(items), 1)

    def next_chunk(self, guard: Guard, flying: Collection[Chunk], released: int) -> Chunk | None:
        """Return the next chunk to send, lost ones first, suspects alone; None when there is none now.

        Args:
            guard: Of the pass.
            flying: The chunks under way.
            released: Position of the first item whose value has not been handed on.
        """
        if self.suspecting and any(chunk.alone for chunk in flying):
            return None
        if self.again:
            return None if self.again[0].alone and flying else self.first_again()
        if self.exhausted:
            return None
        if self.chunker.count is None:
            ahead = min(WINDOW * self.chunker.workers * max(self.chunker.largest, 1), WINDOW_ITEMS)
            if flying and self.next_item - released > ahead:
                return None
            if not self.chunker.taken and self.chunker.expected:
                self.count_few(guard)
        each, size = self.chunker.each, self.chunker.next()
        if self.options.recorder is not None and size > (room := self.options.recorder.room(self.next_item)):
            self.chunker.taken -= size - int(room)
            size = int(room)
        items = self.take(size, guard)
        self.exhausted = len(items) < size
        if not items:
            return None
        guessed = not self.chunker.measured and bool(self.chunker.expected)
        each = each or guessed or self.options.timeout is not None
        chunk = Chunk(self.next_item, items, each, guessed=guessed, limit=self.chunker.limit(len(items)))
        self.next_item += len(items)
        return chunk

    def in_a_row(self, most: int) -> Sequence[Any]:
        """Return the next items, at the most so many and without taking them, where each goes by itself."""
        ordinary = self.listed is not None and self.chunker.fixed == 1 and self.options.recorder is None
        if not ordinary or self.again or self.exhausted or self.suspecting:
            return ()
        assert self.listed is not None
        at = self.next_item - self.options.first
        return self.listed[at : at + most]

    def take_row(self, count: int) -> None:
        """Take so many of them: they have been sent."""
        self.next_item += count
        self.chunker.taken += count

    def take_recorded(self, size: int, guard: Guard) -> Chunk:
        """Return the next items, whose results are recorded."""
        items = self.take(size, guard)
        self.exhausted = len(items) < size
        chunk = Chunk(self.next_item, items, each=True)
        self.next_item += len(items)
        self.chunker.taken += len(items)
        return chunk

    def count_few(self, guard: Guard) -> None:
        """Count the items if the first messages would take all: each worker is to have its share of a guess."""
        first = self.chunker.measured_size() * self.chunker.workers
        with guard.user_code():
            items = self.ahead.peek(first)
        if len(items) < first:
            self.chunker.count = len(items)

    def take(self, size: int, guard: Guard) -> list[Any] | range:
        """Return the next items; of a list slices, which is quickest."""
        if self.listed is not None:
            at = self.next_item - self.options.first
            return self.listed[at : at + size]
        with guard.user_code():
            return self.ahead.take(size)

    def first_again(self) -> Chunk:
        """Return the first of the chunks to be sent again; of one that was given back not more than fits now."""
        chunk, size = self.again.pop(0), self.chunker.measured_size()
        if chunk.attempts and not self.chunker.cost:  # lost with its worker, and not given back
            return chunk
        self.chunker.taken += 0 if chunk.attempts else min(size, len(chunk.items))
        if len(chunk.items) > size:
            self.again.insert(0, Chunk(chunk.first + size, chunk.items[size:], chunk.each))
            chunk = Chunk(chunk.first, chunk.items[:size], chunk.each)
        chunk.limit = self.chunker.limit(len(chunk.items))
        return chunk

    def take_back(self, chunk: Chunk, begun: int) -> None:
        """Share out again what a worker gave back, because its time was up, after so many items that it had begun."""
        self.again.insert(0, Chunk(chunk.first + begun, chunk.items[begun:], chunk.each))
        self.chunker.taken -= len(chunk.items) - begun
        chunk.items = chunk.items[:begun]

    def send_again(self, lost: list[Chunk]) -> None:
        """Send chunks once more that were lost with a worker."""
        self.suspecting = self.suspecting or any(chunk.alone for chunk in lost)
        self.again = sorted([*lost, *self.again], key=lambda chunk: (chunk.alone, chunk.first))

    def pause(self) -> bool:
        """Begin no further items, unless their iterator has raised and only a few are left; return whether so."""
        if self.exhausted or self.ahead.error is not None:
            return False
        self.exhausted = True
        return True

    def take_up(self, now: float) -> None:
        """Let the chunks be sent again whose time has come."""
        if self.later:
            due = [chunk for chunk in self.later if chunk.ready <= now]
            self.later = [chunk for chunk in self.later if chunk.ready > now]
            self.send_again(due)

    def until_later(self, now: float, longest: float) -> float:
        """Return the seconds until the next chunk's time comes, at the most so many."""
        return max(0.0, min((chunk.ready - now for chunk in self.later), default=longest))

    def drop(self, unwanted: Callable[[Chunk], bool]) -> None:
        """Send no chunk again that is not wanted any more."""
        self.again = [chunk for chunk in self.again if not unwanted(chunk)]
        self.later = [chunk for chunk in self.later if not unwanted(chunk)]

    def learn(self, chunk: Chunk, answer: Answer, bytes_out: int) -> None:
        """Take in what a chunk cost."""
        if chunk.apart:  # no bytes of theirs went with the message, and to load them is the worker's work
            self.chunker.learn(len(chunk.items), answer.end - answer.received, bytes_out)
        else:
            # Where each item was timed, without what a message costs its worker: else tiny items go one by one.
            seconds = answer.seconds
            timed = sum(seconds) if len(seconds) == len(chunk.items) else answer.end - answer.start
            self.chunker.learn(len(chunk.items), timed, chunk.bytes_in + bytes_out)
