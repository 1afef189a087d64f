"""Numbers of the names that inlined variables have: a cell that runs again has the same, and so the same code."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from concompare.cells.ir import INLINED

OF_GENERATORS = 1_000_000
"""The number from which on names are those of a generator's variables."""


class Numbers:
    """Numbers the bodies that are inlined, for the whole process: one cell may run inside another."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = self.bodies = self.generators = 0

    def of_body(self) -> str:
        """Return how the names begin of the variables of a function whose body is inlined."""
        with self.lock:
            self.bodies += 1
            return f"{INLINED}{self.bodies - 1}_"

    def of_generator(self) -> str:
        """Return how the names begin of the variables of a generator."""
        with self.lock:
            self.generators += 1
            return f"{INLINED}{OF_GENERATORS + self.generators - 1}_"

    @contextlib.contextmanager
    def of_a_cell(self) -> Iterator[None]:
        """Begin anew, unless other cells run: what is known of code by what it is says nothing of other names."""
        with self.lock:
            if not self.running:
                self.bodies = self.generators = 0
            self.running += 1
        try:
            yield
        finally:
            with self.lock:
                self.running -= 1


NUMBERS = Numbers()
