"""What the passes on one pool share of all that makes them quicker: its direct lines and its shared memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

from concompare.engine.shortcuts.arena import Arena
from concompare.interrupts import guarded

if TYPE_CHECKING:
    from concompare.engine.shortcuts.direct_channel import Lines


class Shortcuts:
    """The shortcuts of one pool of worker processes; empty until a pass asks for them.

    Attributes:
        direct: Whether the executor's workers can serve lines of their own.
        lines: The direct lines to the workers, None before the first pass and where there are none.
        wanted: The bytes of shared memory that a result has needed so far, by function.
    """

    def __init__(self, direct: bool) -> None:
        self.direct = direct
        self.lines: Lines | None = None
        self.tried = False
        self.memory: Arena | None = None
        self.wanted: dict[str, float] = {}

    def open_lines(
        self, executor: Executor, folder: Path, workers: int, kind: str, closing: Callable[[], None]
    ) -> Lines | None:
        """Return the direct lines to the workers, opened for the first pass that asks; None where there are none."""
        if self.direct and not self.tried:
            self.tried = True
            from concompare.engine.shortcuts.direct_channel import open_lines

            with guarded() as guard:
                self.lines = open_lines(executor, folder, workers, kind, closing, guard.check)
        return self.lines

    def arena(self, folder: Path) -> Arena:
        """Return the shared memory in the pool's folder."""
        if self.memory is None:
            self.memory = Arena(folder)
        return self.memory

    def rehearse(self) -> None:
        """Wake the workers: a pass is about to begin."""
        if self.lines is not None:
            self.lines.rehearse()

    def close(self) -> None:
        """Close what was opened: the workers are gone, or go now. New ones may be offered the same."""
        self.memory, self.tried = None, False
        if self.lines is not None:
            self.lines.close()
            self.lines = None
