"""One pass over one pool: chunks out, answers in, values in item order.

    items ─ Dispatcher ─ Channel ──> worker.run / run_here ──> arrivals ─ Collector ─ release ──> on_value, values
                ↑                                                │    └─ PassLog
                └──────── lost chunks of a dead worker ──────────┘

Everything happens in the calling thread; workers' answers wake it. An interrupt is acted on between steps.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

from concompare.cells.counting import number_of
from concompare.engine import output, process_state
from concompare.engine.channel import Channel, ThreadChannel
from concompare.engine.chunking import Chunk, Chunker
from concompare.engine.collector import Collector
from concompare.engine.dispatcher import Dispatcher
from concompare.engine.forecast import TOLD_AFTER, Standing, seconds_left
from concompare.engine.item_errors import user_part
from concompare.engine.lookahead import is_steady
from concompare.engine.ordering import Settled
from concompare.engine.outcome import LAST, Outcome, PassOptions
from concompare.engine.pass_log import PassLog
from concompare.engine.pools.memory import MemoryGuard
from concompare.engine.pools.pool import Pool
from concompare.engine.stop_threads import stop_threads
from concompare.engine.trying_again import TRIES, seconds_before
from concompare.engine.worker_loss import Inquest, is_death
from concompare.errors import Interrupted
from concompare.formats import count as count_of
from concompare.interrupts import Guard, guarded
from concompare.worker.chunk import Answer, Brief, sampling_lines

PATIENCE = 0.1
"""Seconds that calls get to end after an item has failed, before their workers are ended."""

WRITTEN = 4
"""The share of the messages under way, one in so many, that is sent together where each worker has several."""

PROGRESS = 0.25
"""Seconds between two looks at progress, deadlines and the workers' health."""


class PassRun:
    """One pass; `go()` runs it.

    Attributes:
        dispatcher: What goes next.
        channel: What it goes by, and what is under way.
        collector: What comes of the answers.
        log: What each message took.
        inquest: How workers ended.
        memory: How many of them may run.
        enough: How many chunks under way are enough until there is time to send more.
        looked: When progress and the workers' health were looked at last.
        stopped: Why the pass ended early.
        unstoppable: The calls that cannot be ended.
        before: The outcome of the pass before, until it may go.
    """

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
        self.function, self.pool, self.options = function, pool, options
        self.recorder = options.recorder
        count = number_of(items) if count is None else count
        growth, each = options.growth, 1 if options.back_off else options.chunk or pool.backend.chunk
        chunker = Chunker(growth.now if growth is not None else pool.workers, count, each, pool.cost)
        self.dispatcher = Dispatcher(items, options, chunker)
        self.collector = Collector(options, on_value)
        self.channel = self.channel_for(clock, is_steady(items))
        self.channel.expect(chunker)
        self.log = PassLog(clock, self.channel.own_clock, pool.workers if pool.backend.ephemeral else None)
        self.inquest = Inquest(pool, options, clock)
        self.memory = MemoryGuard(pool.workers, options.say) if options.say is not None else None
        self.looked, self.enough = 0.0, 0
        self.stopped: str | None = None
        self.unstoppable: tuple[str, ...] = ()
        self.before: list[Outcome] = []

    def channel_for(self, clock: Callable[[], float], steady: bool) -> Channel:
        """Return what chunks go by, live or as bytes."""
        if self.pool.shares_objects:
            return ThreadChannel(self.pool, self.options, clock, self.function, self.collector.is_unwanted)
        from concompare.engine.transport.message_channel import MessageChannel

        return MessageChannel(self.pool, self.options, clock, self.function, steady)

    @property
    def outcome(self) -> Outcome:
        """Return what the pass has come to so far."""
        return self.collector.outcome

    @property
    def halt(self) -> bool:
        """Return whether nothing new is to be sent."""
        return self.collector.abandoned or self.collector.first_error is not None

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
            guard.wake = self.channel.wake
            if self.pool.shares_objects:
                self.enter_process(stack)
            self.channel.connect()
            self.dispatcher.chunker.deep = self.channel.deep
            self.log.begin(self.pool.present.idents if self.options.timeline else ())
            self.looked = self.log.began
            try:
                self.loop(guard)
            except KeyboardInterrupt as error:
                if self.outcome.is_of_item(error):
                    self.abandon(PATIENCE)
                    raise
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

    def enter_process(self, stack: ExitStack) -> None:
        """Prepare this process for items of several threads, until the stack is left."""
        stack.enter_context(output.routed())
        kept = process_state.kept(self.pool.backend.name, self.pool.workers)
        self.collector.order.watched = stack.enter_context(kept)
        self.outcome.lines = stack.enter_context(sampling_lines(self.options.lines, alone=self.pool.workers == 1))
        if self.options.seed is not None:
            from concompare.engine.thread_seeding import seeded_modules

            stack.enter_context(seeded_modules(self.function))

    def loop(self, guard: Guard) -> None:
        """Send, receive and release until all is done."""
        order = self.collector.order
        self.dispatcher.weigh(guard)
        meanwhile = self.options.meanwhile
        while True:
            self.fill(guard)
            self.channel.arrivals.flush()
            if meanwhile is not None:
                with guard.user_code():
                    meanwhile()
                meanwhile = None
            self.before.clear()  # many values take long to go: they do so while the workers have begun
            if not (self.channel.flying or self.dispatcher.again or self.dispatcher.later):
                order.release(guard)
                order.must_be_complete(self.dispatcher.next_item)
                self.dispatcher.ahead.end()
                break
            if self.collector.has_failed():
                break
            arrival = self.channel.arrivals.next(self.pause())
            guard.check()
            while arrival is not None:
                self.settle(*arrival)
                self.pause_if_enough()
                if self.is_thirsty():  # no worker waits while others are looked at
                    self.fill(guard)
                arrival = self.channel.arrivals.next()
            self.channel.arrivals.flush()  # to hand results on may take long
            order.release(guard)
            self.look()
            if self.outcome.stopped:
                self.abandon(0.0 if self.stopped else PATIENCE)
                break

    def pause(self) -> float:
        """Return the seconds to wait for an answer, at the most."""
        longest = self.options.pause(self.log.passed(), PROGRESS)
        return min(longest, self.dispatcher.until_later(self.log.clock(), longest))

    def is_thirsty(self) -> bool:
        """Tell whether so much has been answered that more is to be sent before anything else."""
        return len(self.channel.flying) < self.enough and not self.halt and self.dispatcher.count is not None

    def fill(self, guard: Guard) -> None:
        """Send chunks until every worker has enough to do."""
        self.dispatcher.take_up(self.log.clock())
        self.restore(guard)
        flying, most = self.channel.flying, self.dispatcher.most()
        self.enough = most - most // WRITTEN if most > 2 * self.pool.workers else most
        if self.halt:  # only what was lost with a worker and comes before the first failure
            self.dispatcher.drop(self.collector.is_beyond_error)
        if self.channel.deep and not self.halt and (row := self.dispatcher.in_a_row(most - len(flying))):
            each = self.dispatcher.chunker.each or self.options.timeout is not None
            self.dispatcher.take_row(self.channel.send_row(self.dispatcher.next_item, row, each))
            guard.check()
        while len(flying) < most and (not self.halt or self.dispatcher.again):
            chunk = self.dispatcher.next_chunk(guard, flying.values(), self.collector.order.released)
            if chunk is None:
                return
            if self.recorder is not None and chunk.marks is None:
                with guard.user_code():
                    chunk.marks = self.recorder.marks(chunk.items)
            self.channel.send(chunk)
            guard.check()
            self.restore(guard)

    def restore(self, guard: Guard) -> None:
        """Hand on the results of the items that come next, as far as an earlier run has left them."""
        recorder, dispatcher = self.recorder, self.dispatcher
        while recorder is not None and not (self.halt or self.outcome.stopped or dispatcher.again):
            size = 0 if dispatcher.exhausted else recorder.at(dispatcher.next_item)
            if not size:
                return
            chunk = dispatcher.take_recorded(size, guard)
            with guard.user_code():
                chunk.marks = recorder.marks(chunk.items)
                found = recorder.restored(chunk.first, chunk.items, chunk.marks)
            if found is not None:
                self.collector.take_restored(chunk.first, found)
                self.collector.order.release(guard)
            elif chunk.items:
                dispatcher.take_back(chunk, 0)
            guard.check()

    def settle(self, future: Future[Any], chunk: Chunk) -> None:
        """Take in an answer: note what it cost, rebuild its values, or send it again."""
        if self.channel.flying.pop(future, None) is None:
            return  # abandoned, or already counted among the lost
        try:
            answer: Answer = future.result()
        except Exception as error:
            if not is_death(error):
                raise self.channel.in_words(error) from error
            if not self.is_lasting():
                self.channel.flying[future] = chunk  # its answer may be found yet
            self.recover([chunk] if self.is_lasting() else [], error)
            return
        if answer.problem is not None:
            self.channel.ready_again(chunk, answer)
            self.dispatcher.again.append(chunk)
            return
        if type(answer) is Brief and self.recorder is None and self.options.growth is None and not chunk.printed:
            self.settle_brief(chunk, answer)
            return
        before = self.log.clock()
        opened = self.channel.open(chunk, answer)
        if self.is_tried_again(chunk, answer, opened[1]):
            return
        answer = answer._replace(output=(*chunk.printed, *answer.output)) if chunk.printed else answer
        settled = self.collector.settled(chunk, answer, opened)
        begun = self.collector.begun(chunk, settled)
        if begun < len(chunk.items) and not self.halt:
            self.dispatcher.take_back(chunk, begun)
        bytes_out = self.channel.bytes_out(answer)
        self.log.note(chunk, answer, before, bytes_out)
        self.dispatcher.learn(chunk, answer, bytes_out)
        if self.options.growth is not None:
            self.options.growth.note(len(chunk.items), self.log.clock())
            self.dispatcher.chunker.workers = self.options.growth.now
        self.collector.notice(answer)
        if self.recorder is not None:
            self.recorder.record(chunk.first, chunk.items, chunk.marks, settled, answer.changed)
        self.collector.take(chunk, settled)

    def settle_brief(self, chunk: Chunk, answer: Brief) -> None:
        """Take in an answer that is a value and nothing else."""
        before, seconds = self.log.clock(), answer.end - answer.start
        data = answer.values.data
        values = list(chunk.items) if answer.with_items else pickle.loads(data)
        self.collector.order.settled[chunk.first] = Settled(values, {}, {}, (), {}, False, seconds)
        self.collector.finished += 1
        self.log.note(chunk, answer, before, len(data))
        self.dispatcher.chunker.learn(1, seconds, chunk.bytes_in + len(data))

    def is_tried_again(self, chunk: Chunk, answer: Answer, errors: dict[int, BaseException]) -> bool:
        """Return whether a chunk's item is to be tried again later: it has raised what asks for that."""
        if not errors:
            return False
        asks = any(isinstance(error, self.options.back_off) for error in errors.values())
        if not asks or self.collector.is_unwanted(chunk) or chunk.tries >= TRIES:
            return False
        now = self.log.clock()
        if self.options.growth is not None:
            self.options.growth.back_off(chunk.sent, now)
        chunk.ready, chunk.tries = now + seconds_before(chunk.tries), chunk.tries + 1
        chunk.printed = (*chunk.printed, *answer.output)
        self.dispatcher.later.append(chunk)
        return True

    # --------------------------------------------------------------------------------------------- health and progress

    def look(self) -> None:
        """Look at progress, the cap and the workers' health, now and then."""
        now = self.log.clock()
        if self.options.cap is not None and now - self.log.began > self.options.cap:
            self.stopped = f"stopped after {self.options.cap:.3g} s"
            self.outcome.stopped = True
            return
        if now - self.looked < PROGRESS:
            return
        self.looked = now
        if self.options.progress is not None:
            self.options.progress(self.standing())
        if self.inquest.watch():
            self.recover([], None)
        if self.memory is not None:
            self.memory.expect(self.outcome.values, self.dispatcher.left)
            if self.pool.near:
                self.memory.look([process.pid for process in self.inquest.processes()])
                self.dispatcher.allowed = self.memory.allowed if self.memory.allowed < self.pool.workers else None

    def standing(self) -> Standing:
        """Return how far the pass is."""
        growth, left = self.options.growth, self.dispatcher.left
        workers = self.pool.workers if growth is None else growth.now
        under_way = sorted(self.channel.flying.values(), key=lambda chunk: chunk.sent)
        seconds = None
        if left is not None and self.log.passed() >= TOLD_AFTER:
            begun, queued = under_way[:workers], under_way[workers:]
            ages = zip(self.log.ages(begun), [len(chunk.items) for chunk in begun], strict=True)
            left += sum(len(chunk.items) for chunk in (*queued, *self.dispatcher.again, *self.dispatcher.later))
            seconds = seconds_left(self.log.messages, list(ages), left, workers)
        return Standing(self.collector.finished, self.dispatcher.count, seconds, min(workers, len(under_way)), workers)

    def pause_if_enough(self) -> None:
        """Begin no further items where that is enough for now."""
        enough = self.options.enough
        if enough is None or self.dispatcher.exhausted or self.halt or self.outcome.stopped:
            return
        if enough(self.log.messages, self.log.passed()) and self.dispatcher.pause():
            self.outcome.paused, self.outcome.left = True, self.dispatcher.ahead.back

    def is_lasting(self) -> bool:
        """Tell whether the other workers go on when one has ended."""
        return self.pool.handling.lasting or self.pool.backend.ephemeral

    def recover(self, lost: list[Chunk], error: Exception | None) -> None:
        """Open new workers after one died, where the others cannot go on without it, and send what was lost again."""
        lasting = self.is_lasting()
        if not lasting:
            flying = self.channel.flying
            self.inquest.exit_codes(error)  # which waits until the others have been ended: they go on until then
            self.channel.hear_out()
            for future in [entry for entry in flying if entry.done() and entry.exception() is None]:
                self.settle(future, flying[future])  # while the files are there that its results may lie in
            lost = [*lost, *self.channel.lose_all()]
        verdicts, again = self.inquest.judge(lost, error)
        for chunk in lost:
            self.channel.forget(chunk)
        if not lasting:
            self.inquest.reopen()
            self.channel.reconnect()
        for chunk, index, death in verdicts:
            self.collector.take_death(chunk, index, death)
        self.dispatcher.send_again(again)

    # ------------------------------------------------------------------------------------------------------- the end

    def abandon(self, patience: float) -> None:
        """Stop everything that still runs and keep what has finished.

        Futures are not cancelled: what is queued finds out that it is not wanted, and loky's thread would die of a
        cancelled one.

        Args:
            patience: Seconds that running calls get to end by themselves, which saves the pool.
        """
        self.collector.abandoned = True
        flying = self.channel.flying
        self.channel.arrivals.wait_for(flying, patience)
        for future, chunk in list(flying.items()):
            if future.done() and future.exception() is None and future.result().problem is None:
                self.settle(future, chunk)
        self.collector.order.keep_the_rest()
        if flying:
            self.pool.broken = True
            if self.pool.shares_objects or self.pool.backend.isolation == "interpreter":
                self.unstoppable = stop_threads(self.pool)
            else:
                self.pool.kill()
        flying.clear()
        self.conclude()

    def words_of_interrupt(self) -> str:
        """Return the one line that an interrupt shows."""
        kept = len(self.outcome.values) + len(self.outcome.finished)
        first = self.options.first
        total = f" of {first + self.dispatcher.count}" if self.dispatcher.count is not None else ""
        text = f"interrupted after {count_of(first + self.collector.finished, 'item')}{total}"
        if kept:
            text += "; what finished is in concompare.last()"
        if self.unstoppable:
            text += (
                f". Python cannot stop a thread inside {', '.join(self.unstoppable)}: it ends when that call returns"
            )
        return text

    def conclude(self) -> None:
        """Write the record of the pass, and keep what may help the next one."""
        if self.options.progress is not None:
            self.options.progress(Standing(self.collector.finished, self.dispatcher.count, 0.0, 0, self.pool.workers))
        self.outcome.remade = self.channel.remade
        wall = self.log.passed()
        memory = self.pool.worker_memory() if self.options.memory and not self.collector.abandoned else ()
        self.outcome.record = self.log.record(self.outcome, wall, self.stopped, memory)
        self.channel.remember(self.dispatcher.chunker)
        self.channel.close()
