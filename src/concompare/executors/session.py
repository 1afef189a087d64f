"""A session: one engine pool that takes calls one by one, for as long as its executor lives.

    submit, map, … ─ Batch ─ add ──> [the session's thread]  fill ──> workers ──> settle ──> Receiver
                                            ↑                                        │
                                            └──────── lost with a dead worker ───────┘

What a pass does in the calling thread happens in a thread of the session's own here: callers wait for futures. The
pool, its messages and what becomes of dead workers are the engine's.
"""

from __future__ import annotations

import builtins
import os
import secrets
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from concompare.backends.traits import shares_objects
from concompare.engine.chunking import Chunk
from concompare.engine.item_errors import short_repr, with_item
from concompare.engine.ordering import Settled, seconds_of_first
from concompare.engine.outcome import PassOptions
from concompare.engine.pools.open_pools import BEFORE_EXIT, close_at_exit
from concompare.engine.process_state import refuse_in_threads
from concompare.engine.shortcuts.direct_channel import close_first
from concompare.engine.worker_loss import is_death
from concompare.errors import CannotShip
from concompare.executors.batches import Batch
from concompare.executors.broken import ExecutorBroken
from concompare.executors.leased_workers import Places, Workers
from concompare.executors.notices import Notices
from concompare.executors.shipping import Shipped
from concompare.worker.calls import Arguments, InitializerFailed, Setup
from concompare.worker.chunk import Answer

if TYPE_CHECKING:
    from concompare.backends import Backend

LOOK = 0.25
"""Seconds between two looks at the workers' health while calls are under way."""

REST = 60.0
"""Seconds that the thread waits at a time while there is nothing to do."""

BRIEF = 0.05
"""Seconds of a message up to which each worker gets the next one before it has answered the last."""

PATIENCE = 5.0
"""Seconds that giving up may take, at the most."""

CLOSED = "cannot schedule new futures after shutdown"

SESSIONS: weakref.WeakSet[Session] = weakref.WeakSet()
"""The sessions with a thread of their own."""


class Session:
    """Calls one by one, or many at a time, on one pool of workers.

    Args:
        backend: Kind of the workers.
        workers: How many.
        initializer: Called once in each worker, before its first call, with these arguments.
        timeout: Seconds that a call may take; its worker is ended then.
        name: What executors of this kind are called in messages.
        named: Whether an error has a note that says which call or item raised it.
        native_threads: Threads of BLAS and OpenMP in each worker, or None for the usual ones.
        seed: Gives every call a random stream of its own, by its place among those submitted or among its items.
    """

    def __init__(
        self,
        backend: Backend,
        workers: int,
        initializer: Callable[..., object] | None = None,
        arguments: tuple[Any, ...] = (),
        timeout: float | None = None,
        name: str = "concompare.Executor",
        named: bool = True,
        native_threads: int | None = None,
        seed: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.backend, self.count, self.name, self.clock = backend, workers, name, clock
        self.token, self.process = secrets.token_hex(8), os.getpid()
        self.setup = None if initializer is None else Setup(self.token, initializer, arguments)
        self.options = PassOptions(timeout=timeout, named=named, seed=seed)
        self.going_on = replace(self.options, on_error="keep")
        self.shipped = Shipped()
        self.workers = Workers(backend, workers, self.setup, self.token, native_threads)
        self.notices = Notices(name, initializer)
        self.thread: threading.Thread | None = None
        self.lock = threading.RLock()
        self.ready: deque[Batch] = deque()
        self.batches: set[Batch] = set()
        self.flying: dict[Future[Any], Chunk] = {}
        self.again: list[Chunk] = []
        self.owners: dict[int, tuple[Batch, int]] = {}
        self.numbered = self.submitted = 0
        self.looked = self.mean = 0.0
        self.closing = self.woken = self.giving_up = False
        self.broken: BaseException | None = None
        self.calm, self.over = threading.Event(), threading.Event()
        self.unstoppable: tuple[str, ...] = ()

    # ------------------------------------------------------------------------------------------------- for any thread

    def submit_one(self, batch: Batch, item: Arguments) -> None:
        """Take a batch of one call; where it cannot be sent, that is its error.

        Raises:
            RuntimeError: The session has been shut down, or can compute nothing any more.
            BackendUnavailable: Its workers cannot be started.
        """
        batch.number, self.submitted = self.submitted, self.submitted + 1
        if not shares_objects(self.backend):
            from concompare.executors.call_transport import taken_now

            item = taken_now(item)
        try:
            self.add(batch, [item])
        except CannotShip as error:
            if batch.receiver.begins():
                batch.end(error)

    def add(self, batch: Batch, items: Sequence[Any], *, complete: bool = True) -> None:
        """Take a batch with its first items.

        Raises:
            RuntimeError: The session has been shut down.
            ExecutorBroken: It can compute nothing any more.
            BackendUnavailable: Its workers cannot be started.
            CannotShip: Something in the function cannot be sent.
        """
        if self.backend.isolation == "thread" and self.count > 1:
            refuse_in_threads(batch.function, self.backend.name)
        if self.options.seed is not None and shares_objects(self.backend):
            from concompare.engine.thread_seeding import refuse_what_cannot_be_seeded

            refuse_what_cannot_be_seeded(batch.function)
        with self.lock:
            self.refuse()
            self.open()
            if not self.workers.shared:
                batch.shipment = batch.shipment or self.shipped.of(batch.function)
            self.batches.add(batch)
            self.hand_over(batch, items, complete)
        self.wake()

    def feed(
        self, batch: Batch, items: Sequence[Any], *, complete: bool = False, restored: Settled | None = None
    ) -> None:
        """Take further items of a batch, or what a file has of their results.

        Raises:
            RuntimeError: The session has been shut down.
        """
        with self.lock:
            if not batch.ended:
                self.refuse()
                self.hand_over(batch, items, complete, restored)
        self.wake()

    def hand_over(self, batch: Batch, items: Sequence[Any], complete: bool, restored: Settled | None = None) -> None:
        """Queue items of a batch, and end it where it has none; the lock is held."""
        waiting = bool(batch.pieces)
        batch.feed(items, restored)
        batch.complete = complete
        if batch.pieces and not waiting:
            self.ready.append(batch)
        batch.end_if_done()
        self.forget(batch)

    def complete(self, batch: Batch) -> None:
        """Take note that no further items of a batch come."""
        with self.lock:
            batch.complete = True
            batch.end_if_done()
        self.forget(batch)

    def refuse(self) -> None:
        """Raise where nothing can be submitted any more."""
        if os.getpid() != self.process:
            raise ExecutorBroken(f"this {self.name} belongs to process {self.process}: make a new one in this process")
        if self.broken is not None:
            raise ExecutorBroken(str(self.broken)) from self.broken
        if self.closing:
            raise RuntimeError(CLOSED)

    def open(self) -> None:
        """Get workers and start the thread, with the first batch or the first one after giving up.

        Raises:
            RuntimeError: The interpreter is ending.
        """
        if self.workers.pool is not None and self.thread is not None:
            return
        if vars(threading).get("_SHUTTING_DOWN"):
            raise RuntimeError(f"{CLOSED}: the interpreter is ending")
        if self.workers.pool is None:
            self.workers.open(replace(self.options, places=Places(self.owners)), self.clock)
            if finish_all not in BEFORE_EXIT:
                BEFORE_EXIT.append(finish_all)
            close_first(close_at_exit)
        if self.thread is None:
            self.thread = threading.Thread(target=self.serve, name=f"concompare-session-{self.token}", daemon=True)
            SESSIONS.add(self)
            self.thread.start()

    def wake(self) -> None:
        """Let the thread look for what there is to do."""
        if not self.woken:
            self.woken = True
            self.workers.arrivals.wake()

    def cancel(self, batch: Batch) -> None:
        """Drop what of a batch has not been sent; what is under way is not waited for."""
        with self.lock:
            batch.end(CancelledError())
        self.forget(batch)
        self.wake()

    def forget(self, batch: Batch) -> None:
        """Let go of a batch that has come to its end."""
        if batch.ended and not batch.flying:
            batch.channel = None  # which refers to it
            with self.lock:
                self.batches.discard(batch)

    def shutdown(self, wait: bool = True, *, cancel: bool = False) -> None:
        """Take nothing more; let what was submitted come to its end, or drop what has not begun."""
        with self.lock:
            self.closing = True
            # Those for which a worker is free count as begun: this thread may have been quicker than the session's.
            free = max(0, self.count - len(self.flying))
            waiting = tuple(self.ready)[free:] if cancel else ()
            started = self.thread is not None and os.getpid() == self.process
            for batch in waiting:
                batch.cut_short(CancelledError())
        for batch in waiting:
            self.forget(batch)
        if started:
            self.wake()
            if wait and threading.current_thread() is not self.thread:
                self.over.wait()

    def give_up(self) -> tuple[str, ...]:
        """End what runs and drop what waits; the next call gets new workers.

        Returns:
            The calls that Python cannot stop, as "sleep() (line 3)".
        """
        with self.lock:
            if self.thread is None or os.getpid() != self.process or self.over.is_set():
                return ()
            self.giving_up = True
            self.calm.clear()
        self.woken = False
        self.wake()
        if threading.current_thread() is not self.thread:
            self.calm.wait(PATIENCE)
        return self.unstoppable

    # -------------------------------------------------------------------------------------------- the session's thread

    def serve(self) -> None:
        """Send, receive and hand on until all is done after a shutdown."""
        try:
            while self.step():
                pass
        except BaseException as error:
            self.break_down(error)
        finally:
            self.leave()

    def step(self) -> bool:
        """Do what there is to do, then wait for more; return whether there may be more."""
        self.woken = False
        if self.giving_up:
            self.stop_all()
        self.fill()
        if not self.flying:
            self.workers.rest()
            with self.lock:
                if self.closing and not (self.ready or self.again or self.giving_up):
                    return False
        arrival = self.workers.arrivals.next(LOOK if self.flying else REST)
        while arrival is not None:
            self.settle(*arrival)
            del arrival
            self.fill()
            self.workers.arrivals.flush()
            arrival = self.workers.arrivals.next()
        if self.flying and self.clock() - self.looked > LOOK:
            self.looked = self.clock()
            if self.workers.inquest is not None and self.workers.inquest.watch():
                self.recover([], None)
        return True

    def leave(self) -> None:
        """Give the workers back, and let those who wait know."""
        with self.lock:
            self.closing = True
            left, self.batches = self.batches, set()
        for batch in left:
            batch.end(CancelledError())
        self.workers.leave(busy=False)
        SESSIONS.discard(self)
        self.calm.set()
        self.over.set()

    # ---------------------------------------------------------------------------------------------------------- sending

    def fill(self) -> None:
        """Send what waits, until every worker has something to do, and the next one too where that takes no time."""
        ahead = 2 if 0 < self.mean < BRIEF else 1
        while self.workers.pool is not None and len(self.flying) < self.count * ahead:
            chunk = self.next_chunk()
            if chunk is None:
                return
            self.send(chunk)

    def next_chunk(self) -> Chunk | None:
        """Return what is sent next: what was lost with a worker first, suspects alone."""
        if any(chunk.alone for chunk in self.flying.values()):
            return None
        if self.again and (chunk := self.first_again()) is not None:
            return chunk
        return None if self.again else self.first_ready()

    def first_again(self) -> Chunk | None:
        """Return the first of what is sent again and still wanted; None where it has to wait until it is alone."""
        while self.again:
            if self.again[0].alone and self.flying:
                return None
            chunk = self.again.pop(0)
            batch, _ = self.owners[chunk.first]
            if not batch.ended:
                return chunk
            self.disown(chunk, batch)
        return None

    def first_ready(self) -> Chunk | None:
        """Return the first items that have not been sent, or None where there are none."""
        assert self.workers.pool is not None
        while True:
            with self.lock:
                if not self.ready:
                    return None
                batch = self.ready[0]
                found = None if batch.ended else batch.next(self.count, self.workers.pool.cost)
                if not batch.pieces:
                    self.ready.popleft()
            if found is None:
                self.forget(batch)
                continue
            if not batch.begun:
                batch.begun = True
                if not batch.receiver.begins():
                    self.cancel(batch)
                    continue
            return self.chunk_of(batch, *found)

    def chunk_of(self, batch: Batch, index: int, items: Sequence[Any]) -> Chunk:
        """Return items as the engine sends them, numbered among all of the session's."""
        chunker = batch.chunker
        limit = chunker.limit(len(items)) if chunker is not None else None
        each = chunker is None or chunker.each or self.options.timeout is not None
        chunk = Chunk(self.numbered, items, each, limit=limit)  # type: ignore[arg-type]
        self.numbered += len(items)
        self.owners[chunk.first] = batch, index
        batch.flying += len(items)
        return chunk

    def send(self, chunk: Chunk) -> None:
        """Send a message to whichever worker is free first; what cannot be sent is its batch's error."""
        batch, index = self.owners[chunk.first]
        chunk.attempts += 1
        if batch.kept is not None and chunk.marks is None:
            chunk.marks = batch.kept.marks(chunk.items)
        chunk.sent = self.clock()
        try:
            future = self.workers.submit(chunk, batch, index, self.going_on if batch.keep_going else self.options)
        except Exception as error:
            if not is_death(error):
                self.fail(chunk, error)
                return
            if batch.channel is not None:
                batch.channel.forget(chunk)
            future = Future()
            future.set_exception(error)
        self.flying[future] = chunk
        future.add_done_callback(lambda done: self.workers.queue.put(done, chunk))

    # -------------------------------------------------------------------------------------------------------- receiving

    def settle(self, future: Future[Any], chunk: Chunk) -> None:
        """Take in an answer."""
        if self.flying.pop(future, None) is None:
            return  # given up, or already counted among the lost
        batch, index = self.owners[chunk.first]
        try:
            answer: Answer = future.result()
        except Exception as error:
            if is_death(error):
                self.recover([chunk], error)
            else:
                self.fail(chunk, batch.channel.in_words(error) if batch.channel is not None else error)
            return
        if answer.problem is not None:
            self.resend(chunk, batch, index, answer)
            return
        channel = self.workers.channel_of(batch, index - chunk.first)
        settled = self.settled(chunk, batch, index, answer, *channel.open(chunk, answer))
        seconds = answer.end - answer.start
        self.mean = 0.8 * self.mean + 0.2 * seconds if self.mean else seconds
        batch.learn(chunk, seconds, chunk.bytes_in + channel.bytes_out(answer))
        self.give_back(chunk, batch, index, settled)
        for failure in settled.errors.values():
            if isinstance(failure, InitializerFailed):
                raise failure
        self.notices.take(answer, batch.context)
        if batch.kept is not None:
            batch.kept.record(index, chunk.items, chunk.marks, settled, answer.changed)
        self.hand_on(chunk, batch, index, settled)

    def resend(self, chunk: Chunk, batch: Batch, index: int, answer: Answer) -> None:
        """Send a message again with what its worker lacked, or end its batch with why it cannot be loaded there."""
        try:
            self.workers.channel_of(batch, index - chunk.first).ready_again(chunk, answer)
        except CannotShip as error:
            self.fail(chunk, error)
        else:
            self.again.append(chunk)

    def settled(
        self,
        chunk: Chunk,
        batch: Batch,
        index: int,
        answer: Answer,
        values: list[Any],
        errors: dict[int, BaseException],
        names: dict[str, Any],
    ) -> Settled:
        """Return an answer for its turn, with the item noted on each exception."""
        items = {offset: chunk.items[offset] for offset in errors}
        for offset, error in errors.items() if self.options.named else ():
            with_item(error, batch.number + index + offset, short_repr(items[offset]))
        return Settled(values, errors, names, answer.output, items, answer.reached, seconds_of_first(answer))

    def give_back(self, chunk: Chunk, batch: Batch, index: int, settled: Settled) -> None:
        """Queue anew what a worker gave back, because its time was up."""
        begun = max(len(settled.values), max(settled.errors, default=-1) + 1)
        if chunk.limit is None or begun >= len(chunk.items) or (settled.errors and not batch.keep_going):
            return
        with self.lock:
            if not batch.ended:
                if not batch.pieces:
                    self.ready.appendleft(batch)
                batch.give_back(index + begun, chunk.items[begun:])

    def hand_on(self, chunk: Chunk, batch: Batch, index: int, settled: Settled) -> None:
        """Give a batch the outcome of a message."""
        self.disown(chunk, batch)
        batch.settle(index, settled)
        self.forget(batch)

    def disown(self, chunk: Chunk, batch: Batch) -> None:
        """Forget whose items these were."""
        batch.flying -= len(chunk.items)
        for number in range(chunk.first, chunk.first + (len(chunk.items) if chunk.attempts > 1 else 1)):
            self.owners.pop(number, None)
        self.forget(batch)

    def fail(self, chunk: Chunk, error: BaseException) -> None:
        """End a batch of which a message cannot be computed at all."""
        batch, _ = self.owners[chunk.first]
        with self.lock:
            batch.end(error)
        self.disown(chunk, batch)

    # ------------------------------------------------------------------------------------------------------ what ends

    def recover(self, lost: list[Chunk], error: Exception | None) -> None:
        """Go on after a worker died: who was alone with it is its culprit, what else was lost is sent again."""
        pool, inquest = self.workers.pool, self.workers.inquest
        assert pool is not None
        assert inquest is not None
        lasting = pool.handling.lasting or pool.backend.ephemeral
        if not lasting:
            inquest.exit_codes(error)  # which waits until the others have been ended: they go on until then
            if self.workers.lines is not None:
                self.workers.lines.hear_out()
            for future in [entry for entry in self.flying if entry.done() and entry.exception() is None]:
                self.settle(future, self.flying[future])
            lost, self.flying = [*lost, *self.flying.values()], {}
        for chunk in lost:
            self.own_each(chunk)
        verdicts, again = inquest.judge(lost, error)
        if not lasting and self.goes_on(again):
            self.workers.replace()
            with self.lock:
                for batch in self.batches:
                    batch.channel = None
        elif not lasting:
            pool.broken = True
        from concompare.executors.lost import lost_with

        for chunk, number, death in verdicts:
            batch, index = self.owners[number]
            item, found = chunk.items[0], lost_with(death)
            if self.options.named:
                with_item(found, batch.number + index, short_repr(item))
            self.hand_on(chunk, batch, index, Settled([None], {0: found}, items={0: item}))
        self.again = sorted([*again, *self.again], key=lambda chunk: (chunk.alone, chunk.first))

    def goes_on(self, again: Sequence[Chunk]) -> bool:
        """Say whether there is, or may come, anything for new workers: who has closed everything wants none."""
        with self.lock:
            if not self.closing or any(not batch.ended for batch in self.ready):
                return True
        return any(not self.owners[chunk.first][0].ended for chunk in (*again, *self.again))

    def own_each(self, chunk: Chunk) -> None:
        """Remember whose each item of a lost message is: it may be sent again in pieces."""
        batch, index = self.owners[chunk.first]
        for offset in range(len(chunk.items)):
            self.owners[chunk.first + offset] = batch, index + offset

    def stop_all(self, error: BaseException | None = None) -> None:
        """End what runs, and end all batches with this error, or as cancelled."""
        with self.lock:
            self.giving_up = False
            batches, self.batches = self.batches, set()
            self.ready.clear()
        flying, self.flying, self.again = self.flying, {}, []
        self.owners.clear()
        self.unstoppable = self.workers.leave(busy=bool(flying))
        for batch in batches:
            batch.flying, batch.channel = 0, None
            batch.end(CancelledError("it was ended while it ran or waited") if error is None else error)
        self.calm.set()

    def break_down(self, error: BaseException) -> None:
        """End all batches: this error leaves no way to go on."""
        failed = isinstance(error, InitializerFailed)
        self.broken = broken = ExecutorBroken(
            f"the initializer of this {self.name} failed: {error}" if failed else str(error)
        )
        broken.__cause__ = (error.__cause__ if failed else None) or error
        self.stop_all(broken)


def finish_all() -> None:
    """Bring what was submitted to its end before the interpreter ends; a notebook's calls are ended with it."""
    for session in tuple(SESSIONS):
        if hasattr(builtins, "__IPYTHON__"):
            session.give_up()
        session.shutdown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SESSIONS.clear)
