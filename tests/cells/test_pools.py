"""Cells that have executors and pools of their own: their calls run as one loop, and end as the plain cell does."""

from __future__ import annotations

import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import pool as plain_pool
from typing import Any

import pytest

from concompare.cells import explaining
from concompare.cells.program import Cell, Wishes
from concompare.errors import CellRefused
from tests.cells import compiled, plainly, programs
from tests.cells.pool_cells import AS_WRITTEN, LIFTED

SETUP = """
import concurrent.futures as cf
import functools
import multiprocessing as mp
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from multiprocessing.pool import ThreadPool
from tests.cells.pool_functions import marked, pair, picky, same, told

class Model:
    def __init__(self, alpha):
        self.alpha, self.parts = alpha, []
    def fit(self):
        self.parts.append(self.alpha * 2)
        return self

def train(alpha):
    return Model(alpha).fit()

def f(x):
    return x * x + 1

def add(a, b=0, *, c=0):
    return a + b + c

def bad(x):
    if x == 3:
        raise ValueError(f"bad {x}")
    return x

def note(x):
    out.append(x)
    return x

def tell(x):
    print("at", x)
    return x

def scaled(x):
    return factor * x

factor = 2
xs = [1, 2, 3, 4, 5]
out = []
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_calls_of_a_pool_run_as_one_loop(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)
    assert different is None
    assert [lifted for lifted in ran.cell.lifted if lifted.loop.own], ran.reasons
    assert not [refused for refused in ran.cell.refused if refused.loop.own]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", AS_WRITTEN)
def test_what_cannot_wait_or_has_effects_runs_as_written(name: str, how: str) -> None:
    different, ran = programs.compared(AS_WRITTEN[name], SETUP, how)
    assert different is None
    assert not [lifted for lifted in ran.cell.lifted if lifted.loop.own]
    assert name == "wrong use" or [refused.loop.own for refused in ran.cell.refused if refused.loop.own]


def test_strictly_a_pool_as_written_is_an_error() -> None:
    namespace = plainly.fresh(SETUP)
    cell = Cell(AS_WRITTEN["effects"], Wishes("<cell>", strict=True))
    with pytest.raises(CellRefused, match="changes `out`"):
        cell.run(namespace, compiled.Running(namespace, "threads"))
    assert namespace["out"] == []


def test_all_calls_that_wait_are_one_task() -> None:
    ran = programs.run(LIFTED["submit of several functions"], SETUP, "threads")
    (lifted,) = ran.cell.lifted
    assert (lifted.loop.own, lifted.line, lifted.kind) == ("ThreadPoolExecutor", 1, "pool")


def test_the_cell_leaves_plain_executors_and_futures() -> None:
    source = "ex = ThreadPoolExecutor(2)\nfs = [ex.submit(f, x) for x in xs]\np = ThreadPool(2)\nr = p.map_async(f, xs)"
    left = programs.run(source, SETUP, "threads").left.names
    assert type(left["ex"]) is ThreadPoolExecutor
    assert [type(future) for future in left["fs"]] == [Future] * 5
    assert [future.result() for future in left["fs"]] == left["r"].get() == [2, 5, 10, 17, 26]
    assert type(left["p"]) is plain_pool.ThreadPool
    assert type(left["r"]) is plain_pool.MapResult
    assert left["ex"].submit(left["f"], 7).result() == left["p"].apply(left["f"], (7,)) == 50
    left["ex"].shutdown()
    left["p"].terminate()


def test_an_executor_of_an_earlier_cell_is_used() -> None:
    ran = programs.run("res = list(workers.map(f, xs))", SETUP + "workers = ThreadPoolExecutor(2)", "threads")
    assert ran.left.names["res"] == [2, 5, 10, 17, 26]
    assert [lifted.loop.own for lifted in ran.cell.lifted] == ["ThreadPoolExecutor"]
    assert type(ran.left.names["workers"]) is ThreadPoolExecutor
    ran.left.names["workers"].shutdown()


@pytest.mark.parametrize("how", programs.WAYS)
def test_an_exception_says_where_it_was_raised(how: str) -> None:
    setup = SETUP + "def inner(x):\n    return bad(x)\n"
    error = programs.run(
        "with ThreadPoolExecutor() as ex:\n    r = ex.submit(inner, 3).result()", setup, how
    ).left.error
    assert error is not None
    names = [entry.name for entry in traceback.extract_tb(error.__traceback__)]
    assert names.count("<module>") == 1
    text = "".join(traceback.format_exception(error))
    assert "in inner" in text
    assert "in bad" in text


def test_the_order_of_completion_is_noted() -> None:
    ran = programs.run(LIFTED["as completed"], SETUP, "threads")
    assert any("in the order of the calls" in note for note in ran.cell.lifted[0].notes)


def test_the_same_calls_can_run_as_the_user_wrote_them() -> None:
    setup = SETUP + "import threading\nnames = []\n"
    for name in ("submit", "processes", "pool", "pool of threads"):
        ran = programs.run(LIFTED[name], setup, "threads")
        for lifted in ran.cell.lifted:
            if lifted.loop.own:
                assert lifted.as_written is not None
                lifted.as_written()


def test_an_exception_that_cannot_be_sent_is_raised_by_the_pool_as_written() -> None:
    setup = SETUP + "def locked(x):\n    raise ValueError(threading.Lock())\n"
    cell = "ex = ThreadPoolExecutor(1)\nfu = ex.submit(locked, 1)\nr = type(fu.exception())\nex.shutdown()\ndel fu"
    for how in programs.WAYS:
        ran = programs.run(cell, setup, how)
        assert ran.left.names["r"] is ValueError


@pytest.mark.parametrize(
    ("name", "words"), [("map", "as one loop"), ("polled", "as they are written: something waits")]
)
def test_the_explanation_tells_of_pools(name: str, words: str) -> None:
    cell = Cell((LIFTED | AS_WRITTEN)[name], Wishes("<cell>"))
    assert words in explaining.explanation(cell, plainly.fresh(SETUP))


class Refusing(compiled.Running):
    """Has no workers."""

    def run(self, task: Any, lifted: Any) -> None:
        raise CellRefused("no workers here.")


@pytest.mark.parametrize("name", LIFTED)
def test_without_workers_every_pool_runs_as_written(name: str) -> None:
    plain = plainly.run_plain(LIFTED[name], SETUP)
    namespace = plainly.fresh(SETUP)
    left = plainly.Left(namespace)
    with plainly.ended(left):
        try:
            left.value = Cell(LIFTED[name], Wishes("<cell>")).run(namespace, Refusing(namespace, "threads"))
        except Exception as error:
            left.error, left.lines = error, plainly.lines_of(error)
    assert plainly.difference(plain, left) is None
