"""One pass over one pool: chunks out, answers in, values in item order.

    items ─ Chunker ─ submit ──> worker.run / run_here ──> arrivals ─ settle ─ release ──> on_value, values
                        ↑                                     │
                        └── lost chunks of a dead worker ─────┘

Everything happens in the calling thread; workers' answers wake it. An interrupt is acted on between steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from concompare.cells.counting import number_of
from concompare.engine import output, process_state
from concompare.engine.answers import can_be_sent_again, in_words, not_loaded, opened
from concompare.engine.chunking import FIRST_BULK, Chunk, Chunker
from concompare.engine.completions import Arrivals
from concompare.engine.item_errors import short_repr, user_part, with_item
from concompare.engine.lookahead import Ahead
from concompare.engine.ordering import Order, Settled
from concompare.engine.outcome import LAST, Outcome, PassOptions
from concompare.engine.pools.pool import Pool
from concompare.engine.stop_threads import Stop, stop_threads
from concompare.engine.worker_loss import Inquest, is_death
from concompare.errors import Interrupted
from concompare.formats import count as count_of
from concompare.interrupts import Guard, guarded
from concompare.records import Message, Pass
from concompare.worker.chunk import Answer, run, run_here
from concompare.worker.transfer.pickling import pack

if TYPE_CHECKING:
    from concompare.engine.cpu_timeline import Sampler
    from concompare.engine.transport.transport import Transport

WINDOW = 64
"""Chunks per worker that may be finished ahead of the oldest unfinished one, when the items' number is unknown."""

WINDOW_ITEMS = 200_000
"""Items that this may come to, at the most."""

PATIENCE = 0.1
"""Seconds that calls get to end after an item has failed, before their workers are ended."""

PROGRESS = 0.25
"""Seconds between two looks at progress, deadlines and the workers' health."""


class PassRun:
    """The state of one pass; `go()` runs it."""

    def __init__(
        self,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        pool: Pool,
        options: PassOptions,
        count: int | None,
        on_value: Callable[[int, Any], Any] | None,
        clock: Callable[[], float],
    ) -> None:
        self.function, self.pool, self.options, self.clock = function, pool, options, clock
        self.ahead = Ahead(items, far=options.chunk is None)
        self.listed = items if (type(items) is list or type(items) is range) and not pool.cost else None
        self.count = count = number_of(items) if count is None else count
        self.chunker = Chunker(pool.workers, count, options.chunk or pool.backend.chunk, pool.cost)
        self.transport: Transport | None = None
        if not pool.shares_objects:
            from concompare.engine.transport.transport import Transport

            self.transport = Transport(pool, function, items)
        if self.transport is not None and pool.near:
            self.chunker.expected, self.chunker.item_bytes = pool.means.get(self.transport.shipment.key, (0.0, 0.0))
        self.inquest = Inquest(pool, options, clock)
        self.arrivals = Arrivals()
        self.flying: dict[Future[Any], Chunk] = {}
        self.again: list[Chunk] = []
        self.outcome = Outcome()
        self.order = Order(self.outcome, options, on_value)
        self.messages: list[Message] = []
        self.idents: dict[tuple[int, int], int] = {}
        self.next_item = options.first
        self.finished = 0
        self.drawn: dict[tuple[str, bytes], tuple[int, int]] = {}
        self.exhausted = False
        self.halt = self.abandoned = False
        self.first_error: int | None = None
        self.looked = self.began = 0.0
        self.stopped: str | None = None
        self.before: list[Outcome] = []

    # ------------------------------------------------------------------------------------------------------ the pass

    def go(self) -> Outcome:
        """Run the pass.

        Raises:
            Interrupted: The user interrupted; finished results are in `last()`.
            BaseException: The first failing item's own exception, with `on_error="stop"`.
        """
        self.before, LAST[:] = LAST[:], [self.outcome]
        if self.options.output != "show" or self.pool.shares_objects:  # no measured pass pays, and memory comes back
            self.before.clear()
        with ExitStack() as stack:
            guard = stack.enter_context(guarded())
            guard.wake = self.arrivals.wake
            if self.pool.shares_objects:
                stack.enter_context(output.routed())
                self.order.watched = stack.enter_context(process_state.kept(self.pool.backend.name, self.pool.workers))
                if self.options.seed is not None:
                    from concompare.engine.thread_seeding import seeded_modules

                    stack.enter_context(seeded_modules(self.function))
            if self.options.timeline and self.pool.idents:
                from concompare.engine.cpu_timeline import Sampler, can_sample

                self.sampler = Sampler(self.pool.idents) if can_sample() else None
            if self.transport is not None:
                self.arrivals.lines = self.pool.direct_lines()
            self.began = self.looked = self.clock()
            try:
                self.loop(guard)
            except KeyboardInterrupt as error:
                guard.wake = lambda: None
                self.abandon(0.0)
                cause = error if user_part(error.__traceback__) is not None else None
                raise Interrupted(self.words_of_interrupt()) from cause
            except BaseException:
                self.abandon(PATIENCE)
                raise
            if self.outcome.record is None:
                self.conclude()
        return self.outcome

    def loop(self, guard: Guard) -> None:
        """Send, receive and release until all is done."""
        if self.pool.cost:
            self.weigh(guard)
        while True:
            self.fill(guard)
            self.before.clear()  # many values take long to go: they do so while the workers have begun
            if not self.flying and not self.again:
                self.order.release(guard)
                self.order.must_be_complete(self.next_item)
                self.ahead.end()
                break
            if self.halt and self.done_before_error():
                break
            arrival = self.arrivals.next(self.options.pause(self.clock() - self.began, PROGRESS))
            guard.check()
            while arrival is not None:
                self.settle(*arrival)
                if not self.halt and self.count is not None:  # no worker waits while other answers are looked at
                    self.fill(guard)
                arrival = self.arrivals.next()
            self.order.release(guard)
            self.look()
            if self.outcome.stopped:
                self.abandon(0.0 if self.stopped else PATIENCE)
                break

    def weigh(self, guard: Guard) -> None:
        """Look at how large the first items are, where messages are dear and the first ones should hold many."""
        with guard.user_code():
            items = self.ahead.peek(FIRST_BULK)
        with suppress(Exception):  # said where it is sent
            self.chunker.item_bytes = len(pack(items)) / max(len(items), 1)

    def is_beyond_error(self, chunk: Chunk) -> bool:
        """Return whether a chunk's results are of no use any more, because an earlier item has failed."""
        return self.first_error is not None and chunk.first > self.first_error

    def done_before_error(self) -> bool:
        """Return whether nothing that runs still could fail earlier than the first failure."""
        return self.first_error is not None and self.order.released >= self.first_error

    # ---------------------------------------------------------------------------------------------------------- sending

    def fill(self, guard: Guard) -> None:
        """Send chunks until every worker has one to do and one to do next, or just one while nothing is known."""
        known = self.chunker.item_seconds is not None or self.chunker.largest == 1
        limit = self.pool.workers * (2 if known else 1)
        if self.halt:  # only what was lost with a worker and comes before the first failure
            self.again = [chunk for chunk in self.again if not self.is_beyond_error(chunk)]
        while len(self.flying) < limit and (not self.halt or self.again):
            chunk = self.next_chunk(guard)
            if chunk is None:
                return
            self.send(chunk)
            guard.check()

    def next_chunk(self, guard: Guard) -> Chunk | None:
        """Return the next chunk to send, lost ones first, suspects alone; None when there is none now."""
        if self.again:
            if any(chunk.alone for chunk in self.flying.values()) or (self.again[0].alone and self.flying):
                return None
            return self.first_again()
        if self.exhausted or any(chunk.alone for chunk in self.flying.values()):
            return None
        ahead = min(WINDOW * self.pool.workers * max(self.chunker.largest, 1), WINDOW_ITEMS)
        if self.count is None and self.flying and self.next_item - self.order.released > ahead:
            return None
        each, size = self.chunker.each, self.chunker.next()
        if self.listed is not None:
            at = self.next_item - self.options.first
            items: list[Any] | range = self.listed[at : at + size]
        else:
            with guard.user_code():
                items = self.ahead.take(size)
        self.exhausted = len(items) < size
        if not items:
            return None
        guessed = not self.chunker.measured and bool(self.chunker.expected)
        each = each or guessed or self.options.timeout is not None
        chunk = Chunk(self.next_item, items, each, guessed=guessed, limit=self.chunker.limit(len(items)))
        self.next_item += len(items)
        return chunk

    def first_again(self) -> Chunk:
        """Return the first of the chunks to be sent again; of one that was given back not more than fits now."""
        chunk, size = self.again.pop(0), self.chunker.measured_size()
        if chunk.attempts and not self.pool.cost:  # lost with its worker, and not given back
            return chunk
        self.chunker.taken += 0 if chunk.attempts else min(size, len(chunk.items))
        if len(chunk.items) > size:
            self.again.insert(0, Chunk(chunk.first + size, chunk.items[size:], chunk.each))
            chunk = Chunk(chunk.first, chunk.items[:size], chunk.each)
        chunk.limit = self.chunker.limit(len(chunk.items))
        return chunk

    def send(self, chunk: Chunk) -> None:
        """Send one chunk to whichever worker is free first."""
        chunk.attempts += 1
        chunk.sent = self.clock()
        future = self.submit(chunk)
        self.flying[future] = chunk
        future.add_done_callback(lambda done: self.arrivals.put(done, chunk))

    def submit(self, chunk: Chunk) -> Future[Any]:
        """Hand a chunk to the executor, in a fresh pool if this one has broken in the meantime."""
        keep_going = self.options.on_error == "keep"
        try:
            executor = self.pool.executor
            assert executor is not None
            if self.transport is None:
                return executor.submit(
                    run_here,
                    self.function_for(chunk),
                    chunk.items,
                    chunk.first,
                    chunk.each,
                    keep_going,
                    self.options.temporaries,
                    Stop(lambda: self.abandoned or self.is_beyond_error(chunk), chunk.limit, self.clock),
                )
            request = self.transport.request(chunk, self.options)
            chunk.packing = self.clock() - chunk.sent
            lines = self.arrivals.lines
            return executor.submit(run, request) if lines is None else lines.submit(run, request)
        except Exception as error:
            if not is_death(error):
                raise
            if self.transport is not None:
                self.transport.forget(chunk)
            failed: Future[Any] = Future()
            failed.set_exception(error)
            return failed

    def function_for(self, chunk: Chunk) -> Callable[[Any], Any]:
        """Return the function for a chunk that is computed in this process."""
        if self.options.seed is None:
            return self.function
        from concompare.engine.thread_seeding import SeededHere

        return SeededHere(self.function, self.options.seed).at(self.options.positions(chunk.first, len(chunk.items)))

    # -------------------------------------------------------------------------------------------------------- receiving

    def settle(self, future: Future[Any], chunk: Chunk) -> None:
        """Take in an answer: note what it cost, rebuild its values, or send it again."""
        if self.flying.pop(future, None) is None:
            return  # abandoned, or already counted among the lost
        try:
            answer: Answer = future.result()
        except Exception as error:
            if not is_death(error):
                raise in_words(self.pool.backend.name, error) from error
            self.recover([chunk], error)
            return
        if answer.problem is not None:
            self.resend(chunk, answer)
            return
        before = self.clock()
        settled = opened(self.transport, chunk, answer, self.options)
        self.take_back(chunk, settled)
        self.note(chunk, answer, before)
        self.notice(answer)
        self.order.settled[chunk.first] = settled
        self.finished += len(chunk.items)
        if settled.errors and self.options.on_error == "stop":
            first = chunk.first + min(settled.errors)
            self.first_error = first if self.first_error is None else min(self.first_error, first)
            self.halt = True

    def take_back(self, chunk: Chunk, settled: Settled) -> None:
        """Send what a worker gave back, because its time was up, to whichever is free."""
        begun = max(len(settled.values), max(settled.errors, default=-1) + 1)
        given_back = begun < len(chunk.items) and (not settled.errors or self.options.on_error == "keep")
        if chunk.limit is not None and given_back and not self.halt:
            self.again.insert(0, Chunk(chunk.first + begun, chunk.items[begun:], chunk.each))
            self.chunker.taken -= len(chunk.items) - begun  # they are shared out again
            chunk.items = chunk.items[:begun]

    def notice(self, answer: Answer) -> None:
        """Take in what the worker noticed: captured objects it changed, random numbers another one drew too."""
        if answer.changed:
            self.outcome.hidden_state = tuple(dict.fromkeys((*self.outcome.hidden_state, *answer.changed)))
        for source in answer.drawn:
            if self.drawn.setdefault(source, answer.ident) != answer.ident:
                self.outcome.shared_random = source[0]

    def resend(self, chunk: Chunk, answer: Answer) -> None:
        """Send a chunk again with the function that its worker lacked, or say why it cannot be loaded there."""
        assert answer.problem is not None
        assert self.transport is not None
        if can_be_sent_again(self.transport, chunk, answer):
            self.again.append(chunk)
            return
        raise not_loaded(self.transport, chunk, answer)

    def note(self, chunk: Chunk, answer: Answer, before: float) -> None:
        """Record what a message took."""
        now = self.clock()
        worker = self.idents.setdefault(answer.ident, len(self.idents))
        if self.pool.backend.ephemeral:
            worker %= self.pool.workers
        shift = 0.0
        if self.transport is not None and not (chunk.sent <= answer.received and answer.returned <= now):
            shift = (chunk.sent + now - answer.received - answer.returned) / 2  # another clock
        began = self.began - shift
        bytes_out = self.transport.bytes_out(answer) if self.transport is not None else 0
        if chunk.apart:  # no bytes of theirs went with the message, and to load them is the worker's work
            self.chunker.learn(len(chunk.items), answer.end - answer.received, bytes_out)
        else:
            self.chunker.learn(len(chunk.items), answer.end - answer.start, chunk.bytes_in + bytes_out)
        self.messages.append(
            Message(
                chunk.first, len(chunk.items), worker, chunk.sent - self.began, answer.received - began,
                answer.start - began, answer.end - began, answer.returned - began, now - self.began,
                answer.cpu, answer.native_cpu, answer.waited, chunk.packing + now - before,
                chunk.bytes_in + answer.fetched, bytes_out, answer.seconds,
            )
        )  # fmt: skip

    # --------------------------------------------------------------------------------------------- health and progress

    def look(self) -> None:
        """Look at progress, the cap and the workers' health, now and then."""
        now = self.clock()
        if self.options.cap is not None and now - self.began > self.options.cap:
            self.stopped = f"stopped after {self.options.cap:.3g} s"
            self.outcome.stopped = True
            return
        if now - self.looked < PROGRESS:
            return
        self.looked = now
        if self.options.progress is not None:
            self.options.progress(self.finished, self.count)
        if self.inquest.watch():
            self.recover([], None)

    def recover(self, lost: list[Chunk], error: Exception | None) -> None:
        """Open new workers after one died, where the others cannot go on without it, and send what was lost again."""
        lasting = self.pool.handling.lasting or self.pool.backend.ephemeral
        if not lasting:
            for future in [entry for entry in self.flying if entry.done() and entry.exception() is None]:
                self.settle(future, self.flying[future])  # while the files are there that its results may lie in
            lost, self.flying = [*lost, *self.flying.values()], {}
        verdicts, again = self.inquest.judge(lost, error)
        if self.transport is not None:
            for chunk in lost:
                self.transport.forget(chunk)
        if not lasting:
            self.inquest.reopen()
        if self.transport is not None and not lasting:
            self.transport = self.transport.anew()
            self.arrivals.lines = self.pool.direct_lines()
        for chunk, index, death in verdicts:
            self.settled_by_death(chunk, index, death)
        self.again = sorted([*again, *self.again], key=lambda chunk: (chunk.alone, chunk.first))

    def settled_by_death(self, chunk: Chunk, index: int, death: BaseException) -> None:
        """Count a single item as failed because its worker died or its time was up."""
        item = chunk.items[0]
        self.order.settled[index] = Settled([None], {0: with_item(death, index, short_repr(item))}, items={0: item})
        self.finished += 1
        if self.options.on_error == "stop":
            self.first_error = index if self.first_error is None else min(self.first_error, index)
            self.halt = True

    # ------------------------------------------------------------------------------------------------------- the end

    def abandon(self, patience: float) -> None:
        """Stop everything that still runs and keep what has finished.

        Futures are not cancelled: what is queued finds out that it is not wanted, and loky's thread would die of a
        cancelled one.

        Args:
            patience: Seconds that running calls get to end by themselves, which saves the pool.
        """
        self.halt = self.abandoned = True
        self.arrivals.wait_for(self.flying, patience)
        for future, chunk in list(self.flying.items()):
            if future.done() and future.exception() is None and future.result().problem is None:
                self.settle(future, chunk)
        self.order.keep_the_rest()
        if self.flying:
            self.pool.broken = True
            if self.pool.shares_objects or self.pool.backend.isolation == "interpreter":
                self.unstoppable = stop_threads(self.pool)
            else:
                self.pool.kill()
        self.flying.clear()
        self.conclude()

    def busy(self) -> dict[tuple[int, int], list[tuple[float, float]]]:
        """Return when each worker had a message."""
        spans: dict[tuple[int, int], list[tuple[float, float]]] = {ident: [] for ident in self.idents}
        by_number = {number: ident for ident, number in self.idents.items()}
        for message in sorted(self.messages, key=lambda message: message.received):
            spans[by_number[message.worker]].append((message.received, message.returned))
        return spans

    unstoppable: tuple[str, ...] = ()
    sampler: Sampler | None = None

    def words_of_interrupt(self) -> str:
        """Return the one line that an interrupt shows."""
        kept = len(self.outcome.values) + len(self.outcome.finished)
        total = f" of {self.count}" if self.count is not None else ""
        text = f"interrupted after {count_of(self.finished, 'item')}{total}"
        if kept:
            text += "; what finished is in concompare.last()"
        if self.unstoppable:
            text += (
                f". Python cannot stop a thread inside {', '.join(self.unstoppable)}: it ends when that call returns"
            )
        return text

    def conclude(self) -> None:
        """Write the record of the pass."""
        if self.options.progress is not None:
            self.options.progress(self.finished, self.count)
        wall = self.clock() - self.began
        memory = self.pool.worker_memory() if self.options.memory and not self.abandoned else ()
        messages = tuple(self.messages)
        self.outcome.record = Pass(
            items=sum(message.count for message in messages),
            wall=wall,
            cpu=sum(message.cpu + message.native_cpu for message in messages),
            failures=len(self.outcome.failures),
            stopped=self.stopped,
            bytes_in=sum(message.bytes_in for message in messages),
            bytes_out=sum(message.bytes_out for message in messages),
            packing=sum(message.packing for message in messages),
            peak_memory=sum(memory) or None,
            worker_memory=memory,
            messages=messages,
            tracks=self.sampler.stop(self.began, self.busy()) if self.sampler is not None else (),
        )
        self.sampler = None
        if self.transport is not None:
            if self.chunker.measured:
                self.pool.remember(self.transport.shipment.key, self.chunker.item_seconds, self.chunker.item_bytes)
            self.transport.close()
