"""Background runs as the notebook has them: states, binding, waiting, cancelling."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import concompare
from concompare.cells.wishes import Wishes
from concompare.errors import BadOption, CellRefused, WorkerDied
from concompare.run.background import background_run, exchange
from concompare.run.background.background_child import Order
from concompare.run.background.background_run import Background, Backgrounds


@pytest.fixture(autouse=True)
def none_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(background_run, "RUNS", [])
    yield
    for run in background_run.RUNS:
        run.cancel()


def started(
    source: str, namespace: dict[str, Any], tell: Callable[[Background], None] = lambda run: None
) -> Background:
    names = exchange.names_in(ast.parse(source), namespace)
    blob = exchange.packed_names(names, namespace)
    return background_run.start(Order(source, Wishes("<cell>"), blob, ("serial",)), namespace, tell)


WAITING = "import threading\nthreading.Event().wait()"


def test_names_are_bound_when_it_is_settled_and_not_before() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__", "xs": [3, 4], "out": []}
    states: list[str] = []
    out = namespace["out"]
    run = started("for x in xs:\n    out.append(str(x))", namespace, lambda run: states.append(run.state))
    run.ended.wait()
    assert out == []
    assert run.state == "finished"
    assert concompare.background()[1] is run
    assert out == ["3", "4"]
    assert (run.state, run.said) == ("bound", "bound x, out")
    assert (states[0], states[-1]) == ("running", "bound")
    assert run.wait() is run


def test_a_name_that_was_given_another_value_keeps_it_and_so_do_the_results() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    run = started("r = [str(n) for n in range(3)]\nother = 1", namespace)
    namespace["r"] = "mine"
    run.wait()
    assert (namespace["r"], "other" in namespace) == ("mine", False)
    assert run.names["r"] == ["0", "1", "2"]
    assert run.said == "not bound, since `r` changed meanwhile; the values are in concompare.background()[1].names"


def test_waiting_raises_what_the_cell_raised_and_keeps_what_it_had() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    run = started("before = 5\nr = [6 // n for n in (2, 0)]", namespace)
    with pytest.raises(ZeroDivisionError):
        run.wait()
    assert run.state == "failed"
    assert run.names["before"] == 5
    assert "before" not in namespace
    assert run.traceback.splitlines()[1] == '  File "<cell>", line 2, in <module>'


def test_waiting_has_an_end_and_cancelling_ends_the_process() -> None:
    run = started(WAITING, {"__name__": "__main__"})
    with pytest.raises(TimeoutError, match=r"background run 1 is still running after 0\.01 s"):
        run.wait(0.01)
    concompare.background().cancel()
    assert run.process.poll() is not None
    assert (run.state, run.said) == ("cancelled", "nothing was bound")
    assert run.wait() is run
    run.cancel()


def test_a_process_that_is_lost_is_an_error() -> None:
    run = started(WAITING, {"__name__": "__main__"})
    run.process.kill()
    with pytest.raises(WorkerDied, match="the process of the background run ended with exit code"):
        concompare.background().wait()
    assert run.state == "failed"


class Ended:
    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"run {self.number}"


def test_runs_are_found_by_their_numbers() -> None:
    runs: Any = [Ended(1), Ended(2), Ended(3)]
    found = Backgrounds(runs)
    assert [found[number].number for number in (1, 3, -1, -3)] == [1, 3, 3, 1]
    assert list(found) == runs
    assert repr(found) == "run 1\nrun 2\nrun 3"
    assert repr(Backgrounds([])) == "no background runs"
    for number in (0, 4, -4):
        with pytest.raises(IndexError, match=f"there is no background run {number}: there are 3 runs"):
            found[number]


def test_cells_that_define_something_and_executors_are_refused() -> None:
    with pytest.raises(CellRefused, match=r"line 2: a cell that defines functions or classes cannot run in the backg"):
        background_run.refuse(ast.parse("x = 1\nclass C:\n    pass"))
    background_run.refuse(ast.parse("x = lambda: 1"))
    with pytest.raises(BadOption, match="an executor of the notebook cannot be used in the background"):
        background_run.check_backends(("pool",), {"pool": object()})


def test_the_lines_of_cells_go_along_without_magics() -> None:
    import linecache

    linecache.cache["<a cell>"] = (20, None, ["%%parallel\n", "def f():\n"], "<a cell>")
    assert background_run.lines_of_cells()["<a cell>"] == ["\n", "def f():\n"]
    del linecache.cache["<a cell>"]
