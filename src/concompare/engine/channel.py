"""What chunks go by to the workers of a pool and answers come back by: here live objects, to threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from concompare.engine.chunking import Chunk, Chunker
from concompare.engine.completions import Arrivals
from concompare.engine.item_errors import user_part
from concompare.engine.outcome import PassOptions
from concompare.engine.pools.pool import Pool
from concompare.engine.worker_loss import is_death
from concompare.errors import BackendUnavailable
from concompare.worker.chunk import Answer, run_here
from concompare.worker.compute import Stop

Opened = tuple[list[Any], dict[int, BaseException], dict[str, Any]]
"""An answer's values, its exceptions by offset in the chunk, and the names that its items assigned."""


class Channel:
    """Send chunks to a pool's workers, and keep what is under way.

    Attributes:
        own_clock: Whether workers read the notebook's own clock.
        arrivals: The answers that have arrived.
        flying: The chunks under way, by what becomes their answer.
        deep: Whether workers take a message when they begin with it, so that many may wait.
        remade: A sentence on each object that workers make again.
    """

    own_clock = True
    deep = False
    remade: tuple[str, ...] = ()

    def __init__(self, pool: Pool, options: PassOptions, clock: Callable[[], float]) -> None:
        self.pool, self.options, self.clock = pool, options, clock
        self.arrivals = Arrivals()
        self.flying: dict[Future[Any], Chunk] = {}

    def connect(self) -> None:
        """Take the quickest way there is to the workers."""

    def reconnect(self) -> None:
        """Begin anew with new workers in the pool."""

    def wake(self) -> None:
        """End a wait for answers, from a signal handler."""
        self.arrivals.wake()

    def send(self, chunk: Chunk) -> None:
        """Send one chunk to whichever worker is free first; where the pool has broken meanwhile it is lost at once."""
        chunk.attempts += 1
        chunk.sent = self.clock()
        try:
            future = self.submit(chunk)
        except Exception as error:
            if not is_death(error):
                raise
            self.forget(chunk)
            future = Future()
            future.set_exception(error)
        self.flying[future] = chunk
        future.add_done_callback(lambda done: self.arrivals.put(done, chunk))

    def send_row(self, first: int, items: Sequence[Any], each: bool) -> int:
        """Send items each in a message of its own, at the least cost; return how many, none where that is not known."""
        return 0

    def submit(self, chunk: Chunk) -> Future[Any]:
        """Hand a chunk to the workers, and return what becomes its answer."""
        raise NotImplementedError

    def hear_out(self) -> None:
        """Take in what workers have answered that have been ended since."""

    def lose_all(self) -> list[Chunk]:
        """Return the chunks under way, which are waited for no more."""
        lost = list(self.flying.values())
        self.flying.clear()
        return lost

    def open(self, chunk: Chunk, answer: Answer) -> Opened:
        """Return what an answer holds as live objects."""
        raise NotImplementedError

    def ready_again(self, chunk: Chunk, answer: Answer) -> None:
        """Do what is needed before a chunk is sent again that a worker could not take in.

        Raises:
            CannotShip: It would not help.
        """
        raise NotImplementedError

    def bytes_out(self, answer: Answer) -> int:
        """Return the bytes of an answer's values."""
        return 0

    def forget(self, chunk: Chunk) -> None:
        """Let go of what a chunk was sent with: it is lost."""

    def expect(self, chunker: Chunker) -> None:
        """Say what items are expected to take, where an earlier pass of the function on this pool tells."""

    def remember(self, chunker: Chunker) -> None:
        """Keep what items took for the next pass."""

    def close(self) -> None:
        """Let go of everything at the end of the pass."""

    def in_words(self, error: Exception) -> Exception:
        """Return an executor's own error as one of ours where the executor is to blame."""
        if isinstance(error, BackendUnavailable):
            return error
        return BackendUnavailable(f"{self.pool.backend.name}: {type(error).__name__}: {error}")


class ThreadChannel(Channel):
    """Threads of the notebook's process: live objects there and back.

    Args:
        pool: The workers.
        options: Of the pass.
        clock: Seconds.
        function: Computes an item.
        unwanted: Tells whether a chunk's results are of no use any more.
    """

    def __init__(
        self,
        pool: Pool,
        options: PassOptions,
        clock: Callable[[], float],
        function: Callable[[Any], Any],
        unwanted: Callable[[Chunk], bool],
    ) -> None:
        super().__init__(pool, options, clock)
        self.function, self.unwanted = function, unwanted

    def submit(self, chunk: Chunk) -> Future[Any]:
        """Hand a chunk to the executor."""
        assert self.pool.executor is not None
        return self.pool.executor.submit(
            run_here,
            self.function_for(chunk),
            chunk.items,
            chunk.first,
            chunk.each,
            self.options.on_error == "keep",
            self.options.temporaries,
            Stop(chunk.limit, self.clock, lambda: self.unwanted(chunk)),
        )

    def function_for(self, chunk: Chunk) -> Callable[[Any], Any]:
        """Return the function for a chunk, with a random stream for each item where there is a seed."""
        if self.options.seed is None:
            return self.function
        from concompare.engine.thread_seeding import SeededHere

        return SeededHere(self.function, self.options.seed).at(self.options.positions(chunk.first, len(chunk.items)))

    def open(self, chunk: Chunk, answer: Answer) -> Opened:
        """Return what an answer holds."""
        errors = dict(answer.errors)
        for error in errors.values():
            error.with_traceback(user_part(error.__traceback__))
        return answer.values, errors, answer.names
