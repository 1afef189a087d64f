"""What the passes on a pool leave for those after them: which worker has which function, and what its items take."""

from __future__ import annotations

from typing import Any

from concompare.worker.chunk import FUNCTIONS_KEPT


class Learned:
    """What is known of functions on one pool.

    Attributes:
        knows: For each function, by its key, the workers that have it.
        means: For each function the mean seconds and bytes of its items, the least recently measured first.
        witnessed: For each cell what comparing its first items with the notebook has said.
    """

    def __init__(self) -> None:
        self.knows: dict[str, set[tuple[int, int]]] = {}
        self.means: dict[str, tuple[float, float]] = {}
        self.witnessed: dict[Any, Any] = {}

    def having(self, key: str) -> set[tuple[int, int]]:
        """Return the workers that have a function, to be added to."""
        return self.knows.setdefault(key, set())

    def forget_workers(self) -> None:
        """Take note that the workers are others now, which have nothing."""
        self.knows.clear()

    def remember(self, key: str, seconds: float | None, item_bytes: float) -> None:
        """Keep the mean seconds and bytes of a function's items for its next pass."""
        while len(self.means) >= FUNCTIONS_KEPT:
            del self.means[next(iter(self.means))]
        self.means[key] = seconds or 0.0, item_bytes

    def expected(self, key: str) -> tuple[float, float]:
        """Return the mean seconds and bytes of a function's items in its last pass; zeros where there was none."""
        return self.means.get(key, (0.0, 0.0))
