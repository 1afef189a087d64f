"""Runs cells as programs, each of their loops in the manner of workers, and compares them with plain execution."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from concompare.cells.ir import Loop
from concompare.cells.program import Cell, Wishes
from concompare.cells.replay.binding import Lifted
from concompare.cells.task import Task
from concompare.errors import CellRefused
from tests.cells import compiled, plainly

WAYS = ("threads", "processes")


SLOW = """
def slow(x):
    total = 0
    for k in range(5):
        total += k * x
    return total
"""
"""A function that is work, for the setup of cells."""


@dataclass
class Ran:
    """A cell that was run as a program: what it left, and the cell."""

    left: plainly.Left
    cell: Cell

    @property
    def ahead(self) -> bool:
        """Tell whether one of its loops had a front."""
        return any(lifted.ahead is not None for lifted in self.cell.lifted)

    @property
    def reasons(self) -> str:
        """Return why loops ran as the plain loop."""
        return "; ".join(str(part.refusal) for part in self.cell.refused)


def run(source: str, setup: str, how: str, seed: int = 0, **wishes: Any) -> Ran:
    """Run a cell with its loops in the manner of threads or of processes."""
    namespace = plainly.fresh(setup)
    cell = Cell(source, Wishes("<cell>", **wishes))
    left = plainly.Left(namespace)
    with plainly.ended(left, plainly.LONGER):
        try:
            left.value = cell.run(namespace, compiled.Running(namespace, how, seed))
        except BaseException as error:
            left.error = error
            left.lines = plainly.lines_of(error)
    return Ran(left, cell)


def compared(
    source: str, setup: str, how: str, seed: int = 0, plain: plainly.Left | None = None
) -> tuple[str | None, Ran]:
    """Return what differs between a cell run plainly and as a program, or None, and the latter.

    `plain` is what the plain cell has left, where it has run already.
    """
    plain = plain or plainly.run_plain(source, setup)
    if plain.endless:
        return None, Ran(plain, Cell(source, Wishes("<cell>")))
    ran = run(source, setup, how, seed)
    return ("it does not end" if ran.left.endless else plainly.difference(plain, ran.left)), ran


def alike(source: str, setup: str, how: str) -> Ran:
    """Run a cell as a program, and see that it leaves what the plain cell leaves."""
    different, ran = compared(source, setup, how)
    assert different is None
    return ran


def in_workers(source: str, setup: str, how: str) -> Ran:
    """Run a cell as `alike` does, and see that nothing of its first loop stays in the notebook."""
    ran = alike(source, setup, how)
    assert [lifted.staying for lifted in ran.cell.lifted][:1] == [""], ran.reasons
    return ran


@dataclass
class Keeping:
    """Keeps what would run, and runs nothing."""

    kept: list[tuple[Task, Lifted]] = field(default_factory=list)

    def run(self, task: Task, lifted: Lifted) -> None:
        self.kept.append((task, lifted))
        raise NothingRuns

    def plainly(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any]) -> Any:
        raise refusal


class Refusing(compiled.Running):
    """Runs nothing in parallel."""

    def run(self, task: Task, lifted: Lifted) -> None:
        raise CellRefused("no workers here.")


def differs_without_workers(source: str, setup: str) -> str | None:
    """Return what differs between a cell run plainly and as a program none of whose loops finds workers, or None."""
    namespace = plainly.fresh(setup)
    left = plainly.Left(namespace)
    with plainly.ended(left):
        try:
            left.value = Cell(source, Wishes("<cell>")).run(namespace, Refusing(namespace, "threads"))
        except BaseException as error:
            left.error = error
            left.lines = plainly.lines_of(error)
    return plainly.difference(plainly.run_plain(source, setup), left)


class NothingRuns(BaseException):
    """Raised in the place of running a loop."""


def bound(source: str, namespace: dict[str, Any], **wishes: Any) -> tuple[Task, Lifted]:
    """Return the first loop of a cell as it would run; raises CellRefused. The statements before it have run."""
    keeping = Keeping()
    with contextlib.suppress(NothingRuns):
        Cell(source, Wishes("<cell>", **wishes)).run(namespace, keeping)
    (found,) = keeping.kept
    return found


def head_of(lifted: Lifted) -> str:
    """Return the code that workers run for an item."""
    return ast.unparse(lifted.made.head)


def tail_of(lifted: Lifted) -> str:
    """Return the code that the notebook runs for an item."""
    return "\n".join(ast.unparse(part) for action in lifted.made.actions for part in action.code)
