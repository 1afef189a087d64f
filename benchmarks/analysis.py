"""How long the compiler takes for a cell: those of about 100 lines, and those made to be slow.

Run: python benchmarks/analysis.py [--repeat 20] [--profile NAME]
The time is all that the compiler computes until the runner has each loop, and none of the loops themselves: parse,
forms, effects, distribution, generate, bind. It is seconds of this thread's computing, as other work on the machine
would count otherwise. Below: what the first cell of a fresh interpreter takes, with the imports.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import io
import pstats
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from concompare.cells.ir import Loop
from concompare.cells.program import Cell, Hook, Wishes
from concompare.cells.replay.binding import Lifted
from concompare.cells.task import Task
from concompare.errors import CellRefused
from tests.cells import long_cells, plainly
from tests.cells.long_cells import Long

FIRST = """
import sys, time
sys.path.insert(0, {root!r})
import IPython.core.interactiveshell, concompare
began = time.process_time()
import concompare.cells.program as program
from concompare.cells.replay import binding
imported = time.process_time()
def f(x): return x * x
xs, out = list(range(10)), []
source = "for x in xs:\\n    out.append(f(x))"
import linecache
cell = program.Cell(source, program.Wishes("<cell>"))
cell.hooked(None)
found = binding.lift(cell.loops[0], globals(), xs, filename="<cell>", source=source, assume_pure=True)
found.bind(globals(), xs)
done = time.process_time()
print((imported - began) * 1000, (done - imported) * 1000)
"""


@dataclass
class Watch:
    """A clock of this thread's computing that stands still while the loops run; it is the runner of the cell."""

    profile: cProfile.Profile | None = None
    spent: float = 0.0
    began: float = 0.0
    stopped: int = 0

    def __enter__(self) -> Watch:
        self.began = time.thread_time()
        if self.profile is not None:
            self.profile.enable()
        return self

    def __exit__(self, *error: object) -> None:
        if self.profile is not None:
            self.profile.disable()
        self.spent += time.thread_time() - self.began

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Do not count what is done inside."""
        with self.pause() if not self.stopped else contextlib.nullcontext():
            self.stopped += 1
            try:
                yield
            finally:
                self.stopped -= 1

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Stop the clock."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Count the analyses of loops inside a loop that runs as it is."""
        before = Hook.lift

        def lift(hook: Hook, *given: Any) -> Lifted:
            if not self.stopped:
                return before(hook, *given)
            with self:
                return before(hook, *given)

        Hook.lift = lift  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Hook.lift = before  # type: ignore[method-assign]

    def run(self, task: Task, lifted: Lifted) -> None:
        """Run a loop that was lifted."""
        with self.still():
            plainly.run_task(task, {}, "threads")

    def plainly(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any]) -> Any:
        """Run a loop that was refused."""
        with self.still():
            return play()


def seconds(long: Long, profile: cProfile.Profile | None = None) -> tuple[float, Cell]:
    """Return how long the compiler took for a cell, and the cell."""
    namespace = plainly.fresh(long.setup)
    watch = Watch(profile)
    with contextlib.redirect_stdout(io.StringIO()), watch.inside(), watch:
        cell = Cell(long.cell, Wishes("<cell>"))
        cell.run(namespace, watch)
    return watch.spent, cell


def print_profile(name: str) -> None:
    """Print where the time goes for a cell."""
    profile = cProfile.Profile()
    for _ in range(5):
        seconds({**long_cells.REALISTIC, **long_cells.SLOW}[name], profile)
    shown = pstats.Stats(profile).sort_stats("tottime").print_stats(40)
    shown.sort_stats("cumtime").print_stats(60)


def print_first() -> None:
    """Print what the compiler takes in an interpreter that has IPython and nothing of the compiler."""
    root = str(Path(__file__).resolve().parent.parent)
    found = []
    for _ in range(7):
        done = subprocess.run([sys.executable, "-c", FIRST.format(root=root)], check=True, capture_output=True)
        found.append(tuple(map(float, done.stdout.split())))
    imports, first = (statistics.median(times) for times in zip(*found, strict=True))
    print(f"first cell of an interpreter: {imports:.0f} ms for imports, {first:.0f} ms for the cell")


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--profile", help="print where the time goes for this cell")
    options = parser.parse_args()
    if options.profile:
        print_profile(options.profile)
        return
    for name, long in long_cells.REALISTIC.items():
        times = [seconds(long)[0] * 1000 for _ in range(options.repeat)]
        lines = len(long.cell.splitlines())
        print(f"{name:28} {lines:4} lines: median {statistics.median(times):6.1f} ms, least {min(times):6.1f} ms")
    for name, long in long_cells.SLOW.items():
        took = [seconds(long) for _ in range(3)]
        times, cell = [found[0] for found in took], took[0][1]
        loops = f"{len(cell.lifted)} lifted, {len(cell.refused)} refused"
        print(f"{name:28} {len(long.cell.splitlines()):4} lines: longest {max(times) * 1000:6.0f} ms, {loops}")
    print_first()


if __name__ == "__main__":
    main()
