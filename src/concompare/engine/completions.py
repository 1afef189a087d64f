"""Wait for answers, and for an interrupt."""

from __future__ import annotations

import queue
from collections.abc import Collection
from concurrent.futures import Future, wait
from typing import Any

from concompare.engine.chunking import Chunk


class Arrivals:
    """Answers that have arrived, in the order of their arrival."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[tuple[Future[Any], Chunk] | None] = queue.SimpleQueue()

    def put(self, done: Future[Any], chunk: Chunk) -> None:
        """Take an answer, in any thread."""
        self.queue.put((done, chunk))

    def wake(self) -> None:
        """End a wait, from a signal handler."""
        self.queue.put(None)

    def flush(self) -> None:
        """Send what waits to be sent together: whoever waits for answers next may be away for longer."""

    def next(self, timeout: float | None = None) -> tuple[Future[Any], Chunk] | None:
        """Return the next answer, waiting for at most that many seconds; None where there is none."""
        try:
            return self.queue.get_nowait() if timeout is None else self.queue.get(timeout=timeout)
        except queue.Empty:
            return None

    def wait_for(self, futures: Collection[Future[Any]], patience: float) -> None:
        """Wait until all of these are done, or that many seconds have passed."""
        wait(futures, patience)
