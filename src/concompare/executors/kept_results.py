"""Results of an iterator in a file: what it has of them is handed on in its turn, what comes is added to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from concompare.engine.ordering import Settled

if TYPE_CHECKING:
    from concompare.engine.resume.recorder import Marks, Recorder


class Kept:
    """The part of a file that belongs to one batch, for the thread that takes items and the one that has answers.

    Args:
        recorder: The part.
        over: Called once, when nothing more is read or written.
    """

    def __init__(self, recorder: Recorder, over: Callable[[], object]) -> None:
        self.recorder, self.over = recorder, over
        self.longest = max((entry.head["count"] for entry in recorder.found.values()), default=0)
        self.lock = threading.RLock()
        self.closed = False

    def at(self, position: int) -> int:
        """Return of how many items, from a position on, one record has the results; 0: of none."""
        return 0 if self.closed else self.recorder.at(position)

    def room(self, position: int) -> float:
        """Return how many items there are from a position on before the next whose results are there."""
        return self.recorder.room(position)

    def forget(self, position: int) -> None:
        """Do not use the record that begins at a position."""
        self.recorder.found.pop(position, None)

    def restored(self, first: int, items: Sequence[Any]) -> Settled | None:
        """Return the results of these items; None where those in the file are of others, or cannot be read."""
        with self.lock:
            found = self.recorder.restored(first, items, self.recorder.marks(items))
        if found is None:
            return None
        return Settled(found.values, {}, found.names, found.output, seconds=found.seconds, firm=True)

    def marks(self, items: Sequence[Any]) -> Marks:
        """Return the fingerprints of items that are about to be sent."""
        with self.lock:
            return self.recorder.marks(items)

    def record(self, first: int, items: Sequence[Any], marks: Marks, settled: Settled, changed: Iterable[str]) -> None:
        """Write the results of items that were computed."""
        with self.lock:
            if not self.closed:
                self.recorder.record(first, items, marks, settled, changed)

    def close(self) -> None:
        """Let others have the file."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
            self.over()
