"""What the magics do with the loops of a cell: what is said of them, and which of them is shown."""

from __future__ import annotations

from typing import Any

from concompare.cells.program import Cell, Wishes
from concompare.errors import CellRefused
from concompare.run.cell_runners import Comparing, Running, Telling
from concompare.run.request import request_of
from tests.cells import plainly

SETUP = "def work(n):\n    return n * n\nxs = [1, 2, 3]\n"


def running(source: str) -> tuple[Running, list[str], dict[str, Any]]:
    """Run a cell on threads; returns the runner, what was said and the names."""
    names = plainly.fresh(SETUP)
    said: list[str] = []
    runner = Running(request_of(["threads"], 2, namespace=names, plainly=True), Telling(said.append))
    Cell(source, Wishes("<cell>")).run(names, runner)
    return runner, said, names


def test_each_loop_is_told_of_once_however_often_it_runs() -> None:
    runner, said, names = running("k = 2\nfor turn in range(3):\n    k = sum([work(n + k) for n in xs])\nk")
    assert names["k"] == sum((n + sum((n + 50) ** 2 for n in (1, 2, 3))) ** 2 for n in (1, 2, 3))
    assert len({(ran.task.line, ran.task.name) for ran, _, _ in runner.by_loop()}) == len(runner.by_loop())
    assert sum(times for _, times, _ in runner.by_loop()) == len(runner.ran)
    assert [seconds for *_, seconds in runner.by_loop()] == sorted((s for *_, s in runner.by_loop()), reverse=True)
    assert len(said) == len(set(said))


def test_a_reason_is_said_once_and_that_nothing_runs_only_at_the_end() -> None:
    said: list[str] = []
    tell = Telling(said.append)
    idle, carried = CellRefused("nothing.", 2), CellRefused("needs 'a'.", 3)
    idle.idle = True
    for refusal in (idle, carried, carried):
        tell.plainly(refusal)
    assert said == ["ran as the plain loop: line 3: needs 'a'."]
    assert tell.waiting == ["ran as the plain loop: line 2: nothing."]


def test_a_comparison_shares_its_budget_and_reports_on_every_loop() -> None:
    names = plainly.fresh(SETUP)
    cell = Cell(
        "a = [work(n) for n in xs]\nfor n in a:\n    c = work(n)\nfor n in a:\n    c = work(c)", Wishes("<cell>")
    )
    request = request_of(["serial", "threads"], 2, namespace=names, budget=3.0)
    runner = Comparing(cell, request, Telling(lambda sentence: None), share=cell.share)
    cell.run(names, runner)
    assert cell.share == 1 / 3
    assert [report.comparison.subject.items for report in runner.reports] == [3, 3]
    assert runner.reports[0].comparison.subject.head == "def head(n):\n    return work(n)"
    (plain,) = runner.plain
    serial, threads = plain.comparison.trials
    assert (serial.backend, serial.passes[0].items) == ("serial", 3)
    assert "needs 'c' from the item before" in (threads.problem or "")
    assert names["c"] == 81**8
    assert runner.longest in runner.reports


def test_the_row_of_a_plain_loop_has_its_own_items_and_no_time_of_comparisons_inside() -> None:
    names = plainly.fresh(SETUP)
    plain = "k = 1\nfor turn in range(2):\n    for n in xs:\n        k = work(k) % 7 + n"
    inner = "k = 1\nfor turn in range(2):\n    k = sum([work(n + k) for n in xs])"
    for source, items, reports in ((plain, [2, 3], 0), (inner, [], 1)):
        cell = Cell(source, Wishes("<cell>"))
        request = request_of(["threads"], 2, namespace=names, budget=2.0)
        runner = Comparing(cell, request, Telling(lambda sentence: None))
        cell.run(names, runner)
        assert sorted(report.comparison.subject.items for report in runner.plain) == items
        assert len(runner.reports) == reports


def test_a_comparison_has_a_row_for_the_pool_that_the_cell_has_itself() -> None:
    names = plainly.fresh(SETUP + "from concurrent.futures import ThreadPoolExecutor\n")
    cell = Cell("with ThreadPoolExecutor(3) as pool:\n    made = list(pool.map(work, xs))", Wishes("<cell>"))
    runner = Comparing(cell, request_of(["threads"], 2, namespace=names, budget=3.0), Telling(lambda sentence: None))
    cell.run(names, runner)
    (report,) = runner.reports
    written = report.comparison.trials[-1]
    assert (written.backend, written.workers, written.label) == ("as-written", 3, "as written: ThreadPoolExecutor")
    assert [record.items for record in written.passes] == [3]
    assert report.best is not written
    assert names["made"] == [1, 4, 9]
    assert written.label in str(report)


def test_a_comparison_has_a_row_for_the_threads_that_the_cell_starts_itself() -> None:
    names = plainly.fresh(SETUP)
    source = """
import threading
found = {}
def run(n):
    found[n] = work(n)
started = [threading.Thread(target=run, args=(n,)) for n in xs]
for thread in started:
    thread.start()
for thread in started:
    thread.join()
"""
    request = request_of(["serial", "threads"], 2, namespace=names, plainly=True, budget=5.0)
    cell = Cell(source, Wishes("<cell>"))
    comparing = Comparing(cell, request, Telling(lambda sentence: None))
    cell.run(names, comparing)
    assert names["found"] == {1: 1, 2: 4, 3: 9}
    (report,) = comparing.reports
    written = report.comparison.trials[-1]
    assert (written.backend, written.workers, written.label) == ("as-written", 3, "as written: Thread")
    assert written.passes[0].items == 3
    assert {trial.backend for trial in report.comparison.trials} == {"serial", "threads", "as-written"}
