"""Wait for answers of executors and of the direct channel, and for an interrupt."""

from __future__ import annotations

import queue
import time
from collections.abc import Collection
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from concompare.engine.chunking import Chunk

if TYPE_CHECKING:
    from concompare.engine.pools.direct_channel import Lines


class Arrivals:
    """Answers that have arrived, in the order of their arrival.

    Attributes:
        lines: The direct lines to the workers, where there are any.
    """

    def __init__(self) -> None:
        self.lines: Lines | None = None
        self.queue: queue.SimpleQueue[tuple[Future[Any], Chunk] | None] = queue.SimpleQueue()

    def put(self, done: Future[Any], chunk: Chunk) -> None:
        """Take an answer, in any thread."""
        self.queue.put((done, chunk))

    def wake(self) -> None:
        """End a wait, from a signal handler."""
        self.queue.put(None)
        if self.lines is not None:
            self.lines.wake()

    def next(self, timeout: float | None = None) -> tuple[Future[Any], Chunk] | None:
        """Return the next answer, waiting for at most that many seconds; None where there is none."""
        try:
            if timeout is None:
                return self.queue.get_nowait()
            if self.lines is None:
                return self.queue.get(timeout=timeout)
            self.lines.pump(timeout if self.queue.empty() else 0.0)
            return self.queue.get_nowait()
        except queue.Empty:
            return None

    def wait_for(self, futures: Collection[Future[Any]], patience: float) -> None:
        """Wait until all of these are done, or that many seconds have passed."""
        if self.lines is None:
            wait(futures, patience)
            return
        end = time.monotonic() + patience
        while not all(future.done() for future in futures) and (left := end - time.monotonic()) > 0:
            self.lines.pump(left)
