"""Which loops inside others are worth what it takes to prepare them: their own figures tell, turn by turn."""

from __future__ import annotations

import time
from collections import Counter

WORTH = 0.02
"""Seconds from which on the run of a loop inside another is worth what it takes to prepare."""
GAIN = 0.9
"""Part of its items' own time that a run with all its preparation may take, or the loop has gained nothing."""
TWICE = 2
"""Runs without a gain after which a loop runs as it is: the first of all has to start workers too.

Where to prepare it has taken longer than its items, one is enough: no number of workers could make up for that.
"""


class Small(set[int]):
    """Loops inside one that runs as it is, not worth another look, by their identity.

    Attributes:
        reached: When the loop that runs was reached.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reached = 0.0
        self.vain: Counter[int] = Counter()

    def note(self, loop: object, began: float, reached: float, worked: float | None) -> None:
        """Take note of a run of a loop inside another.

        Args:
            loop: The loop.
            began: When its items began, by `time.perf_counter`.
            reached: When the loop was reached.
            worked: Seconds that its items took themselves, where that is known.
        """
        now = time.perf_counter()
        if now - began < WORTH or (worked is not None and began - reached > worked):
            self.add(id(loop))
        elif worked is not None and now - reached > worked * GAIN:
            self.vain[id(loop)] += 1
            if self.vain[id(loop)] >= TWICE:
                self.add(id(loop))
