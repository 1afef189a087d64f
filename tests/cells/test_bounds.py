"""The analysis of any cell ends within a number of steps, and the cell ends as the plain cell all the same."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from concompare.cells import ir
from concompare.cells.forms import finding
from concompare.cells.ir import Allowance, Budget, Loop, TooLong
from concompare.cells.program import Cell, Wishes
from concompare.cells.replay import binding, checks
from concompare.cells.replay.binding import Lifted
from concompare.cells.task import Task
from concompare.errors import CellRefused
from tests.cells import compiled, long_cells, plainly

STEPS = 4_000
CALLS_OF_A_STEP = 150
CALLS_OF_A_LINE = 1_500
CALLS_OF_AN_OBJECT = 12


class TooManyCalls(BaseException):
    """Raised where an analysis does not end."""


@dataclass
class Counter:
    """Counts the calls that Python makes, the one measure of work that no machine changes; it runs the loops too."""

    namespace: dict[str, Any]
    most: int
    calls: int = 0
    profile: Callable[..., None] = field(init=False)

    def __post_init__(self) -> None:
        def profile(frame: types.FrameType, event: str, arg: object) -> None:
            self.calls += event in ("call", "c_call")
            if self.calls > self.most:
                sys.setprofile(None)
                raise TooManyCalls(f"after {self.calls} calls in {frame.f_code.co_qualname}")

        self.profile = profile

    def run(self, task: Task, lifted: Lifted) -> None:
        """Run a loop that was lifted."""
        sys.setprofile(None)
        plainly.run_task(task, self.namespace, "threads")
        sys.setprofile(self.profile)

    def plainly(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any]) -> Any:
        """Run a loop that was refused."""
        sys.setprofile(None)
        value = play()
        sys.setprofile(self.profile)
        return value


@pytest.fixture
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps alone end an analysis."""
    monkeypatch.setattr(ir, "SECONDS", math.inf)
    monkeypatch.setattr(checks, "LOOKING", math.inf)


@pytest.mark.slow
@pytest.mark.usefixtures("no_clock")
@pytest.mark.parametrize("name", long_cells.SLOW)
def test_the_analysis_of_a_slow_cell_ends_and_the_cell_ends_as_plainly(name: str) -> None:
    long = long_cells.SLOW[name]
    plain = plainly.run_plain(long.cell, long.setup)
    left = plainly.Left(plainly.fresh(long.setup))
    lines = len((long.cell + long.setup).splitlines())
    objects = 200_000 if name == "5000 names" else 0
    most = STEPS * CALLS_OF_A_STEP + lines * CALLS_OF_A_LINE + objects * CALLS_OF_AN_OBJECT
    counter = Counter(left.names, most)
    cell = Cell(long.cell, Wishes("<cell>"), allowance=Allowance(STEPS, math.inf))

    with plainly.printed_by(left):
        sys.setprofile(counter.profile)
        try:
            left.value = cell.run(left.names, counter)
        finally:
            sys.setprofile(None)

    assert plainly.difference(plain, left) is None
    assert cell.allowance.steps > -STEPS
    why = [str(found.refusal) for found in cell.refused]
    assert name in REFUSED or all("takes too long" in text or "ends with its first item" in text for text in why)


REFUSED = {"chain of functions", "2000 lines: loops"}
"""Slow cells that are refused for what they do."""


@pytest.mark.usefixtures("no_clock")
def test_an_analysis_that_uses_up_its_budget_is_refused_with_that_reason() -> None:
    namespace = plainly.fresh(long_cells.SETUP)
    cell = Cell(long_cells.REALISTIC["models"].cell, Wishes("<cell>"))

    with pytest.raises(CellRefused, match="line 1: it takes too long to see what the loop does"):
        binding.lift(
            cell.loops[0], namespace, namespace["xs"], filename="<cell>", source=cell.source, budget=Budget(100)
        )


def test_the_loops_of_a_cell_share_what_may_be_done() -> None:
    left = Allowance(steps=500, seconds=math.inf)

    with left.one() as budget:
        budget.step(200)
    with pytest.raises(TooLong), left.one() as budget:
        budget.step(301)
    with pytest.raises(TooLong), left.one():
        pass


def test_loops_after_the_allowance_is_used_up_run_as_they_are() -> None:
    cell = "a = [f(x) for x in xs]\nb = [f(x) for x in a]\nc = [f(x) for x in b]"
    namespace = plainly.fresh("def f(x): return x + 1\nxs = [1, 2]")
    found = Cell(cell, Wishes("<cell>"), allowance=Allowance(steps=8, seconds=math.inf))

    found.run(namespace, compiled.Running(namespace, "threads"))

    assert (namespace["a"], namespace["b"], namespace["c"]) == ([2, 3], [3, 4], [4, 5])
    assert found.refused
    assert found.refused[-1].loop.line == 3
    assert "takes too long" in str(found.refused[-1].refusal)


def test_what_is_read_is_walked_once_however_much_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = "class N: pass\nnodes = [N() for _ in range({count})]\nfor n in nodes: n.near = nodes\n"
    setup += "xs, out = [1, 2], []\ndef f(x, nodes): return len(nodes)\n"
    setup += "\n".join(f"kept{n} = [nodes[0], [{n}]]" for n in range(20))
    cell = "for x in xs:\n    out.append(f(x, nodes))\n" + "\n".join(f"    kept{n}[1].append(x)" for n in range(20))

    def steps(count: int) -> int:
        budget = Budget(10**9, math.inf)
        namespace = plainly.fresh(setup.format(count=count))
        loop = finding.loops_in(Cell(cell, Wishes("<cell>")).tree.body)[0]
        binding.lift(loop, namespace, namespace["xs"], filename="<cell>", source=cell, budget=budget)
        return 10**9 - budget.left

    assert steps(20_000) - steps(10) < 4 * 2 * 20_000 // 8


def test_what_prepares_a_cell_counts_among_what_its_analyses_may_do() -> None:
    namespace = plainly.fresh("def f(x): return x + 1\nxs = [1, 2]")
    left = Allowance(seconds=1e9)
    seconds = [left.seconds]

    found = Cell("a = [f(x) for x in xs]", Wishes("<cell>"), allowance=left)
    seconds.append(left.seconds)
    found.run(namespace, compiled.Running(namespace, "threads"))
    seconds.append(left.seconds)

    assert seconds[0] > seconds[1] > seconds[2]
