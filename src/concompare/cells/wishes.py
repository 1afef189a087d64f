"""Options of a cell, the runner of its loops, and notes on those that did not run in parallel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from concompare.cells.ir import Loop
    from concompare.cells.replay.binding import Lifted
    from concompare.cells.task import Task
    from concompare.errors import CellRefused


class Runner(Protocol):
    """Runs what a cell's loops become."""

    def run(self, task: Task, lifted: Lifted) -> float | None:
        """Run a loop in parallel, or compare the ways to; raises CellRefused before anything of it ran.

        Returns:
            The seconds that its items took, without waiting for a CPU, where that is known.
        """

    def plainly(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any]) -> Any:
        """Run a loop as the plain loop, by calling `play`; returns what it returns."""


def not_known(begins: tuple[int, int]) -> float | None:
    """Return that nothing is known of how long a loop took."""
    return None


@dataclass(frozen=True)
class Wishes:
    """What the user asked for.

    Attributes:
        filename: The name under which the notebook knows the cell; `first_line`: the number of its first line.
        over: The source of the items, where the cell only defines a function; `function`: which.
        line: Which loop, by its line.
        inside: The function whose loops run in parallel, where the code calls it; the code's own loops do not.
        assume_pure: Take calls that cannot be seen as changing nothing.
        seeded: Each item draws from a random stream of its own, so shared random numbers may be used.
        strict: A loop that cannot run in parallel is an error.
        measured: Loops are measured, so workers do nothing that the plain loop may not do.
        few: Up to so many items of a loop, the loops directly in it are shared out together with it.
        lasted: Returns the seconds that the items of the loop at a line and column took the last time, where that was
            very little.
    """

    filename: str
    first_line: int = 1
    over: str | None = None
    function: str | None = None
    line: int | None = None
    inside: str | None = None
    assume_pure: bool = False
    seeded: bool = False
    strict: bool = False
    measured: bool = False
    few: int = 64
    lasted: Callable[[tuple[int, int]], float | None] = not_known

    @property
    def points(self) -> bool:
        """Tell whether they point to one loop or function of the cell."""
        return any(wish is not None for wish in (self.over, self.function, self.line, self.inside))


@dataclass
class Refused:
    """A loop that ran as the plain loop, and why; `count` is the number of its items, 0 where it was not known."""

    loop: Loop
    refusal: CellRefused
    count: int = 0
