"""Bytes to workers that share nothing with the notebook, by the pool's executor or its direct lines."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concompare.engine.channel import Channel, Opened
from concompare.engine.chunking import Chunk, Chunker
from concompare.engine.item_errors import rebuild
from concompare.engine.outcome import PassOptions
from concompare.engine.pools.pool import Pool
from concompare.engine.transport.transport import Transport, not_rebuilt
from concompare.errors import CannotShip
from concompare.worker.chunk import Answer, let_go, run
from concompare.worker.frames import BRIEF

if TYPE_CHECKING:
    from concompare.engine.shortcuts.direct_channel import Lines

LETTING_GO = 1.0
"""Seconds that workers get, at the end of a pass, to close what they have made again."""

TRIES = 4
"""How often a chunk is sent at the most to workers that turn out to lack the function."""


class MessageChannel(Channel):
    """Worker processes, sub-interpreters and clusters: requests and answers as bytes.

    Args:
        pool: The workers.
        options: Of the pass.
        clock: Seconds.
        function: Computes an item.
        steady: Whether the items are there already, rather than made when they are taken.
    """

    own_clock = False

    def __init__(
        self,
        pool: Pool,
        options: PassOptions,
        clock: Callable[[], float],
        function: Callable[[Any], Any],
        steady: bool,
    ) -> None:
        super().__init__(pool, options, clock)
        self.transport = Transport(pool, function, steady)
        self.remade = self.transport.shipment.remade
        self.lines: Lines | None = None

    def connect(self) -> None:
        """Take the direct lines to the workers where there are any."""
        self.lines = self.pool.direct_lines()
        self.deep = self.lines is not None
        if self.lines is not None:
            from concompare.engine.shortcuts.direct_channel import DirectArrivals

            self.arrivals = DirectArrivals(self.lines, self.arrivals)

    def hear_out(self) -> None:
        """Take in what workers have answered that have been ended since."""
        if self.lines is not None:
            self.lines.hear_out()

    def reconnect(self) -> None:
        """Begin anew with new workers in the pool, which know nothing yet."""
        self.transport = self.transport.anew()
        self.connect()

    def submit(self, chunk: Chunk) -> Future[Any]:
        """Pack a chunk and send it."""
        if self.lines is not None and (brief := self.transport.brief(chunk, self.options)) is not None:
            chunk.packing = self.clock() - chunk.sent
            return self.lines.post(BRIEF, brief)
        request = self.transport.request(chunk, self.options)
        chunk.packing = self.clock() - chunk.sent
        if self.lines is not None:
            return self.lines.submit(run, request)
        assert self.pool.executor is not None
        return self.pool.executor.submit(run, request)

    def send_row(self, first: int, items: Sequence[Any], each: bool) -> int:
        """Send items each in a message of its own, as far as these need not be told what workers know already."""
        if self.lines is None or not self.transport.is_told(first, self.options):
            return 0
        post, body_of, clock, put = self.lines.post, self.transport.brief_of, self.clock, self.arrivals.queue.put
        series, done, now = self.transport.series, 0, self.clock()
        for position, item in enumerate(items, first):
            if (body := body_of(position, item, each)) is None:
                break
            one = [item]
            chunk = Chunk(position, one, each, now, attempts=1, bytes_in=len(body), series=series, objects=one)
            try:
                future = post(BRIEF, body)
            except BrokenExecutor:  # which is seen to where the next chunk is sent
                break
            future.add_done_callback(partial(hand_over, put, chunk))
            self.flying[future] = chunk
            done, before, now = done + 1, now, clock()
            chunk.packing = now - before
        return done

    def open(self, chunk: Chunk, answer: Answer) -> Opened:
        """Rebuild what an answer holds."""
        sent = self.transport.sent(chunk)
        values, names = self.transport.open(chunk, answer)
        errors = {offset: rebuild(packed, sent) for offset, packed in answer.errors} if answer.errors else {}
        if chunk.lost is not None:
            errors = {offset: not_rebuilt(chunk) for offset in range(len(values))} | errors
        return values, errors, names

    def ready_again(self, chunk: Chunk, answer: Answer) -> None:
        """Do what is needed before a chunk is sent again: with the function that its worker lacked, or in another way.

        Raises:
            CannotShip: It cannot be loaded there.
        """
        assert answer.problem is not None
        kind, packed = answer.problem
        self.forget(chunk)
        if kind == "memory":
            self.transport.buffers.take_refusal(chunk, packed)
            return
        if kind == "need-function" and chunk.attempts < TRIES:
            self.transport.must_send()
            return
        if kind == "written":
            raise CannotShip(
                f"{packed}, and workers have a connection of their own that only reads: return what is to be written, "
                "and write it in the loop"
            )
        cause = rebuild(packed) if packed else None
        detail = f"{packed['type']}: {packed['text']}" if packed else "it does not arrive"
        raise CannotShip(self.transport.not_loaded(kind, chunk, detail)) from cause

    def bytes_out(self, answer: Answer) -> int:
        """Return the bytes of an answer's values."""
        return self.transport.bytes_out(answer)

    def forget(self, chunk: Chunk) -> None:
        """Let go of what a chunk was sent with."""
        self.transport.buffers.forget(chunk)

    def expect(self, chunker: Chunker) -> None:
        """Say what items are expected to take, where an earlier pass of the function on this pool tells."""
        if self.pool.near:
            chunker.expected, chunker.item_bytes = self.pool.learned.expected(self.transport.shipment.key)

    def remember(self, chunker: Chunker) -> None:
        """Keep what items took for the next pass."""
        if chunker.measured:
            self.pool.learned.remember(self.transport.shipment.key, chunker.item_seconds, chunker.item_bytes)

    def close(self) -> None:
        """Let go of everything at the end of the pass."""
        if self.remade and not (self.pool.broken or self.pool.backend.ephemeral):
            self.let_go()
        self.transport.buffers.close()

    def let_go(self) -> None:
        """Have every worker close what it has made again: the next pass makes it anew, and nothing stays open."""
        executor, folder = self.pool.executor, self.pool.folder
        if executor is None or folder is None or self.flying:
            return
        room = Path(tempfile.mkdtemp(dir=folder))
        key, workers = self.transport.shipment.key, self.pool.workers
        submit = executor.submit if self.lines is None else self.lines.submit
        with contextlib.suppress(Exception):  # a worker that has ended has nothing open
            asked = [submit(let_go, key, str(room), workers, LETTING_GO) for _ in range(workers)]
            self.arrivals.wait_for(asked, LETTING_GO)
        shutil.rmtree(room, ignore_errors=True)


def hand_over(put: Callable[[Any], object], chunk: Chunk, done: Future[Any]) -> None:
    """Hand an answer to who waits for it."""
    put((done, chunk))
