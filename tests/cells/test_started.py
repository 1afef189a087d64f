"""Cells that start threads or processes one by one: they run as one loop, and end as the plain cell does."""

from __future__ import annotations

import threading
from multiprocessing import Process

import pytest

from concompare.cells import explaining
from concompare.cells.program import Cell, Wishes
from concompare.errors import CellRefused
from tests.cells import plainly, programs
from tests.cells.thread_cells import AS_WRITTEN, LIFTED

SETUP = """
import threading, queue, multiprocessing as mp, time, os, pathlib, tempfile
from threading import Thread
from multiprocessing import Process

def f(x):
    return x * x + 1

def bad(x):
    if x == 3:
        raise ValueError(f"bad {x}")
    return x

xs = [1, 2, 3, 4, 5]
out = []
res = [None] * 5
d = {}
lock = threading.Lock()
total = 0
"""
FAILING = """
def work(i):
    out.append(bad(i))
ts = [{kind}(target=work, args=(x,), name=f"t{{x}}") for x in xs]
for t in ts: t.start()
for t in ts: t.join()
"""


@pytest.fixture(autouse=True)
def python_says_what_threads_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python itself say it, not pytest."""
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_threads_that_are_joined_run_as_one_loop(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)
    assert different is None
    assert [lifted for lifted in ran.cell.lifted if lifted.loop.own], ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", AS_WRITTEN)
def test_threads_that_show_when_they_run_start_as_written(name: str, how: str) -> None:
    different, ran = programs.compared(AS_WRITTEN[name], SETUP, how)
    assert different is None
    assert not [lifted for lifted in ran.cell.lifted if lifted.loop.own]


@pytest.mark.parametrize("name", LIFTED)
def test_without_workers_threads_start_as_written(name: str) -> None:
    assert programs.differs_without_workers(LIFTED[name], SETUP) is None


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_thread_that_raises_says_so_and_the_others_go_on(how: str) -> None:
    ran = programs.run(FAILING.format(kind="Thread"), SETUP, how)
    assert ran.left.error is None
    assert ran.left.names["out"] == [1, 2, 4, 5]
    assert ran.left.printed.startswith("Exception in thread t3:\nTraceback")
    assert ran.left.printed.endswith("ValueError: bad 3\n")
    assert [lifted.loop.own for lifted in ran.cell.lifted] == ["Thread"]


@pytest.mark.parametrize("how", programs.WAYS)
def test_what_was_done_before_and_after_a_failure_in_the_notebooks_part_stays(how: str) -> None:
    cell = """
def work(i):
    out.append(f(i))
    res[i + 1] = f(i)
ts = [Thread(target=work, args=(x,)) for x in (*xs, 0)]
for t in ts: t.start()
for t in ts: t.join()
"""
    ran = programs.run(cell, SETUP, how)
    assert ran.left.names["out"] == [2, 5, 10, 17, 26, 1]
    assert ran.left.names["res"] == [None, 1, 2, 5, 10]
    assert ran.left.printed.count("IndexError") == 2
    assert ran.cell.lifted


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_process_that_raises_has_an_exit_code(how: str) -> None:
    cell = FAILING.format(kind="Process").replace("out.append(bad(i))", "bad(i)")
    ran = programs.run(cell, SETUP, how)
    assert [process.exitcode for process in ran.left.names["ts"]] == [0, 0, 1, 0, 0]
    assert "Process t3:\nTraceback" in ran.left.printed
    assert ran.cell.lifted


def test_what_is_left_are_threads_and_processes_that_have_ended() -> None:
    left = programs.run(LIFTED["append"].replace("del ts, t", ""), SETUP, "threads").left.names
    assert {type(thread) for thread in left["ts"]} == {threading.Thread}
    assert not any(thread.is_alive() for thread in left["ts"])
    assert all(thread.ident for thread in left["ts"])
    with pytest.raises(RuntimeError, match="only be started once"):
        left["ts"][0].start()
    left = programs.run(LIFTED["process files"].replace("del ps, p, folder", ""), SETUP, "threads").left.names
    assert {type(process) for process in left["ps"]} == {Process}
    assert [(process.is_alive(), process.exitcode) for process in left["ps"]] == [(False, 0)] * 5
    left["ps"][0].join()
    left["ps"][0].close()


def test_the_numbers_in_the_names_of_threads_go_on_as_they_would() -> None:
    def number_after(cell: str) -> int:
        before = int(threading.Thread().name.partition("-")[2])
        programs.run(cell, SETUP, "threads")
        return int(threading.Thread().name.partition("-")[2]) - before

    assert number_after(LIFTED["class"]) == 6


def test_strictly_threads_that_start_as_written_are_an_error() -> None:
    ran = programs.run(AS_WRITTEN["event"], SETUP, "threads", strict=True)
    assert isinstance(ran.left.error, CellRefused)
    assert "the code changes `go`" in str(ran.left.error)


def test_the_same_threads_can_run_as_the_user_wrote_them() -> None:
    ran = programs.run(LIFTED["class with method"], SETUP, "threads")
    (lifted,) = [lifted for lifted in ran.cell.lifted if lifted.loop.own]
    assert lifted.as_written is not None
    assert lifted.own_workers == 5
    found = ran.left.names["got"]
    before = [list(part) for part in found]
    assert lifted.prepare is not None
    lifted.prepare()
    lifted.as_written()
    assert found == before


def test_a_head_has_the_users_names() -> None:
    ran = programs.run(LIFTED["comprehension"], SETUP, "threads")
    (lifted,) = [lifted for lifted in ran.cell.lifted if lifted.loop.own]
    head, tail = lifted.sources
    assert "f(i)" in head
    assert "found[i - 1] = value or f(i)" in tail
    assert lifted.name == "f"


def test_the_explanation_tells_of_threads() -> None:
    namespace = plainly.fresh(SETUP)
    told = explaining.explanation(Cell(LIFTED["append"], Wishes("<cell>")), namespace)
    assert told == "the threads or processes that are started at line 6 run in workers as one loop, when one is joined"
    setup = SETUP + LIFTED["in a function"].rpartition("\n")[0]
    told = explaining.explanation(Cell("run_all(5)", Wishes("<cell>")), plainly.fresh(setup))
    assert "inside `run_all`, the threads or processes that are started" in told


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_queue_of_processes_is_filled_in_order(how: str) -> None:
    setup = SETUP + "mq = mp.Queue()"
    ran = programs.run("for x in xs: mq.put(f(x))", setup, how)
    assert ran.left.error is None
    assert [ran.left.names["mq"].get() for _ in range(5)] == [2, 5, 10, 17, 26]
    assert ran.cell.lifted
