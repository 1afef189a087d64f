"""Runs cells through the compiler with a runner of the tests' own: items in any order, tails in item order."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from concompare import engine
from concompare.cells.ir import Loop
from concompare.cells.program import Cell, Hook, Wishes
from concompare.cells.replay.binding import Lifted
from concompare.cells.task import Task
from concompare.errors import CellRefused
from tests.cells import plainly, work_calls
from tests.cells.work_calls import CALLS


@dataclass
class Running:
    """Runs loops one by one, in the manner of threads or of processes."""

    namespace: dict[str, Any]
    how: str
    seed: int = 0
    setup: str = ""

    def run(self, task: Task, lifted: Lifted) -> None:
        """Run a loop that was lifted."""
        with plainly.counting(self.namespace, self.setup), CALLS.kept_by(work_calls.reason_of(lifted)):
            plainly.run_task(task, self.namespace, self.how, self.seed)

    def left(self, play: Callable[[], Any]) -> Any:
        """Run what is left of a loop of which a part has run in workers."""
        with plainly.counting(self.namespace, self.setup), CALLS.kept_by(lambda line: "left"):
            return play()

    def plainly(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any]) -> Any:
        """Run a loop that was refused."""
        with plainly.counting(self.namespace, self.setup), CALLS.kept_by(lambda line: f"plain: {refusal.code}"):
            return play()


@contextlib.contextmanager
def rest_counted(running: Running) -> Iterator[None]:
    """Let the work calls of what is left of a loop count as well."""
    rest = Hook.rest
    Hook.rest = lambda *arguments: running.left(lambda: rest(*arguments))  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hook.rest = rest  # type: ignore[method-assign]


def refused_whole(cell: str) -> CellRefused | None:
    """Return why a cell has to run as it is, if that shows before anything of it runs."""
    try:
        Cell(cell, Wishes("<cell>"))
    except CellRefused as refusal:
        return refusal
    return None


def run_compiled(
    cell: str, setup: str, how: str, *, seed: int = 0, drawn: int | None = None
) -> tuple[plainly.Left, Cell]:
    """Run a cell with its loops lifted, in the manner of threads or of processes.

    Args:
        cell: The cell.
        setup: The notebook before it.
        how: "threads" or "processes".
        seed: Of the order in which items are computed.
        drawn: Seeds the notebook's random numbers first.
    """
    namespace = plainly.fresh(setup)
    left = plainly.Left(namespace)
    program = Cell(cell, Wishes("<cell>"))
    running = Running(namespace, how, seed, setup)
    with plainly.ended(left, plainly.LONGER), rest_counted(running):
        if drawn is not None:
            random.seed(drawn)
        try:
            left.value = program.run(namespace, running)
        except BaseException as error:
            left.error = error
            left.lines = plainly.lines_of(error)
    return left, program


def differs(
    cell: str, setup: str, how: str, plain: plainly.Left | None = None, **options: Any
) -> tuple[str | None, Cell]:
    """Return what differs between the plain cell and the compiled one, and the compiled one.

    `plain` is what the plain cell has left, where it has run already.
    """
    plain = plain or plainly.run_plain(cell, setup)
    left, program = run_compiled(cell, setup, how, **options)
    if plain.endless:
        return None, program
    return ("it does not end" if left.endless else plainly.difference(plain, left)), program


@dataclass
class OnEngine(Running):
    """Runs loops on real workers, as the magics do."""

    pool: engine.Pool | None = None

    def run(self, task: Task, lifted: Lifted) -> None:
        """Run a loop that was lifted."""
        assert self.pool is not None
        options = engine.PassOptions(temporaries=task.temporaries)
        try:
            outcome = engine.run_pass(
                task.function, task.items, self.pool, options, count=task.count, on_value=task.apply
            )
        except BaseException:
            task.fail(engine.last().names)
            raise
        task.finish(outcome.names)


def run_on_engine(cell: str, setup: str, pool: engine.Pool) -> plainly.Left:
    """Run a cell with its loops on real workers."""
    namespace = plainly.fresh(setup)
    left = plainly.Left(namespace)
    with plainly.printed_by(left), plainly.as_it_was():
        try:
            left.value = Cell(cell, Wishes("<cell>")).run(namespace, OnEngine(namespace, "engine", pool=pool))
        except BaseException as error:
            left.error = error
            left.lines = plainly.lines_of(error)
    return left
