"""`%concompare --watch on`: after a slow plain cell, one line: could it run in parallel, and what would that save?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concompare import formats, machine
from concompare.worker.clocks import run_queue

if TYPE_CHECKING:
    from concompare.cells.explaining import Part

SLOW = 2.0
"""Seconds from which on a cell is looked at."""
NATIVE = 1.3
"""CPU seconds per second from which on a cell keeps several CPUs busy already."""
WAITS, COMPUTES = 0.5, 0.8
"""The same below which its items wait, so that many threads help, and from which on they compute."""
THREADS = 16
"""Threads that items which wait are promised."""
OPENING = 0.4
"""Seconds that the start of processes is taken for."""
LEAST = 0.8
"""Share of its time up to which running a cell in parallel is worth a line."""


@dataclass(frozen=True)
class Timed:
    """A cell that has run.

    Attributes:
        wall: Its seconds; `cpu`: the CPU seconds of this process.
        waited: Seconds that it was ready without a CPU, which other programs had, where the system tells.
    """

    source: str
    wall: float
    cpu: float
    waited: float = 0.0

    @property
    def own(self) -> float:
        """Return the seconds that are its own."""
        return max(self.wall - self.waited, 1e-9)


class Watch:
    """Looks at plain cells after they have run; between them it does nothing.

    Args:
        shell: Whose cells.
        say: Shows one line.
        clock: Seconds.
        cpu: CPU seconds of this process.
        waited: Seconds of this thread without a CPU, or None.
    """

    def __init__(
        self,
        shell: Any,
        say: Callable[[str], object] = print,
        clock: Callable[[], float] = time.perf_counter,
        cpu: Callable[[], float] = time.process_time,
        waited: Callable[[], float | None] = run_queue,
    ) -> None:
        self.shell, self.say, self.clock, self.cpu, self.waited = shell, say, clock, cpu, waited
        self.began: tuple[float, float, float] | None = None

    def on(self) -> None:
        """Begin to look."""
        self.shell.events.register("pre_run_cell", self.before)
        self.shell.events.register("post_run_cell", self.after)

    def off(self) -> None:
        """Look no more."""
        self.shell.events.unregister("pre_run_cell", self.before)
        self.shell.events.unregister("post_run_cell", self.after)

    def before(self, info: Any = None) -> None:
        """Note when a cell begins."""
        self.began = self.clock(), self.cpu(), self.waited() or 0.0

    def after(self, result: Any) -> None:
        """Say what a cell that has ended could save, if it was slow."""
        began, self.began = self.began, None
        if began is None or (wall := self.clock() - began[0]) < SLOW or not result.success:
            return
        source = str(getattr(result.info, "raw_cell", "") or "")
        if source.lstrip().startswith("%%"):
            return
        waited = max(0.0, (self.waited() or 0.0) - began[2])
        timed = Timed(self.shell.transform_cell(source), wall, self.cpu() - began[1], waited)
        line = hint(timed, self.shell.user_ns, machine.usable_cpus())
        if line:
            self.say(line)


def hint(timed: Timed, namespace: dict[str, Any], cpus: int) -> str:
    """Return one line on what a cell could save in parallel; empty where it is not likely to."""
    promise = promised(timed, cpus)
    if promise is None:
        return ""
    seconds, where = promise
    part = work_in(timed.source, namespace)
    if part is None or part.loop is None:
        return ""
    loop = f"{part.loop.caption}{f' in `{part.function}`' if part.function else ''}"
    return (
        f"took {formats.round_seconds(timed.wall)}; {loop} could run in parallel: "
        f"about {formats.round_seconds(seconds)} in {where}. Put %%parallel above the cell"
    )


def promised(timed: Timed, cpus: int) -> tuple[float, str] | None:
    """Return the seconds that a cell's work would take in the workers that suit it; None where that saves little.

    On a busy machine they are as many times those on a free one as the cell's own were.
    """
    busy = timed.cpu / timed.own
    if busy >= NATIVE:
        return None
    if busy < WAITS:
        found = max(timed.cpu, timed.own / THREADS), f"{THREADS} threads"
    elif busy >= COMPUTES and cpus > 1:
        found = timed.own / cpus + OPENING, f"{cpus} processes"
    else:
        return None
    seconds, where = found
    return (seconds * timed.wall / timed.own, where) if seconds <= LEAST * timed.own else None


def work_in(source: str, namespace: dict[str, Any]) -> Part | None:
    """Return the part of a cell that does its work and can run in parallel; None where any of its work cannot."""
    from concompare.cells.explaining import parts_of
    from concompare.cells.program import Cell
    from concompare.cells.replay.binding import Lifted, is_light
    from concompare.cells.syntax import names
    from concompare.cells.wishes import Wishes
    from concompare.errors import CellRefused, ConcompareError

    try:
        cell = Cell(source, Wishes("<watched>"))
        parts = [part for part in parts_of(cell, namespace) if part.loop is not None]
    except (ConcompareError, SyntaxError, RecursionError):
        return None
    if cell.makers or cell.windows or "concompare" in names.reads(cell.tree):  # it runs in parallel already
        return None
    refusals = [part.found for part in parts if isinstance(part.found, CellRefused)]
    able = [part for part in parts if isinstance(part.found, Lifted) and not is_light(part.found.staged)]
    stays = any(isinstance(part.found, Lifted) and part.found.staying for part in able)
    whole = [part for part in able if part.loop is not None and part.loop.kind != "call"]
    return whole[0] if whole and not stays and all(refusal.idle for refusal in refusals) else None
