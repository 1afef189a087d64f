"""Both magics on a real kernel, as a front end sees them."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

import psutil
import pytest

from concompare import backends
from tests.system.kernel.notebook import LONG, Notebook

WORK = """
def work(n):
    return sum(i * i for i in range(2000 + n))
"""
PLAIN = [sum(i * i for i in range(2000 + n)) for n in range(40)]
BOTH_KINDS = ("threads", "processes")
FOR_FUNCTIONS = [name for name in backends.names() if name != "asyncio"]
"""All but the one for coroutine functions, which has tests of its own."""


def workers_of(notebook: Notebook) -> list[psutil.Process]:
    """Return the processes below the kernel that use CPU time, as busy workers do."""
    kernel = psutil.Process(notebook.value("os.getpid()"))
    family = kernel.children(recursive=True)
    before = {process.pid: process.cpu_times().user for process in family if process.is_running()}
    time.sleep(0.3)
    alive = [process for process in family if process.is_running()]
    return [process for process in alive if process.cpu_times().user - before[process.pid] > 0.1]


@pytest.mark.parametrize("backend", FOR_FUNCTIONS)
def test_parallel_gives_the_plain_cell_s_results_on(backend: str, notebook: Notebook) -> None:
    if (reason := backends.find(backend).unavailable()) is not None:
        pytest.skip(reason)
    notebook.run(WORK)
    cell = notebook.run(f"%%parallel -b {backend} -w 2\nresults = [work(n) for n in range(40)]\nlen(results)")
    assert cell.text == "40"
    assert notebook.value("results") == PLAIN
    assert "40 items" in cell.shown
    assert "Traceback" not in cell.stderr


def test_concompare_compares_with_every_backend(notebook: Notebook) -> None:
    able = [name for name in FOR_FUNCTIONS if backends.find(name).unavailable() is None]
    assert {"serial", "threads", "processes"} <= set(able)
    notebook.run(WORK)
    cell = notebook.run(f"%%concompare -b {','.join(able)} -w 2 --budget 300\nresults = [work(n) for n in range(40)]")
    notebook.run("trials = _.comparison.trials")
    assert notebook.value("results") == PLAIN
    assert len(cell.results) == 1
    assert {"text/plain", "text/html"} <= set(cell.results[0])
    problems = notebook.value("{t.backend: t.problem for t in trials}")
    same = notebook.value("{t.backend: t.same for t in trials}")
    assert problems.keys() == set(able)
    assert problems["serial"] is None
    for backend in able[1:]:
        if problems[backend] is None:
            assert same[backend] is True, backend
        else:  # as a process for every item is for small ones, and on a busy machine many a backend
            assert problems[backend].startswith("stopped after ")


@pytest.mark.parametrize("backend", BOTH_KINDS)
def test_prints_arrive_whole_in_item_order_in_the_launching_cell(backend: str, notebook: Notebook) -> None:
    notebook.run("def speak(n):\n    print('item', n)\n    print('still', n)\n    return n")
    loop = "for n in range(30):\n    value = speak(n)\n    print('=', value)"
    cell = notebook.run(f"%%parallel -b {backend} -w 2 --quiet\n{loop}")
    assert cell.stdout == "".join(f"item {n}\nstill {n}\n= {n}\n" for n in range(30))
    assert notebook.run("1").stdout == ""


@pytest.mark.parametrize("backend", BOTH_KINDS)
def test_an_error_shows_the_item_and_ends_on_the_user_s_line(backend: str, notebook: Notebook) -> None:
    notebook.run("def divide(n):\n    return 10 // (5 - n)")
    cell = notebook.run(
        f"%%parallel -b {backend} -w 2\nresults = []\nfor n in range(8):\n    results.append(divide(n))", check=False
    )
    assert cell.status == "error"
    assert cell.error.startswith("ZeroDivisionError")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", cell.traceback)
    assert "10 // (5 - n)" in plain
    assert re.search(r"-+> 4 +results\.append\(divide\(n\)\)", plain), plain
    assert "concompare/" not in plain
    assert "item 5" in plain
    assert notebook.value("results, n") == ([2, 2, 3, 5, 10], 5)


def test_run_all_stops_at_a_failed_cell(notebook: Notebook) -> None:
    first = notebook.start("time.sleep(0.5)  # the next cell is queued by then\n%parallel --workers none [1]")
    second = notebook.start("reached = True")
    assert notebook.finish(first).error == (
        "BadOption: 'none' is not a number of workers: write 4, 1,2,4, 1-8, max or 2x"
    )
    assert notebook.reply(second)["content"]["status"] == "aborted"
    assert notebook.value("'reached' in globals()") is False


def test_two_magics_one_after_the_other(notebook: Notebook) -> None:
    notebook.run(WORK)
    first = notebook.start("%%parallel -b processes -w 2\none = [work(n) for n in range(40)]")
    second = notebook.start("%%concompare -b serial,processes -w 2 --budget 3\ntwo = [work(n) for n in range(40)]")
    third = notebook.start("%parallel -b threads three = [work(n) for n in range(40)]")
    assert [notebook.finish(request).status for request in (first, second, third)] == ["ok", "ok", "ok"]
    assert notebook.value("one == two == three") is True
    assert notebook.value("one") == PLAIN


@pytest.mark.parametrize("backend", ["threads", "processes", "loky", "mp-pool"])
def test_a_warm_worker_never_runs_old_code(backend: str, notebook: Notebook) -> None:
    for factor in (2, 3):
        notebook.run(f"def scaled(n):\n    return n * {factor} + extra\nextra = {factor}")
        notebook.run(f"%%parallel -b {backend} -w 2\nresults = [scaled(n) for n in range(10)]")
        assert notebook.value("results") == [n * factor + factor for n in range(10)]
    notebook.run("extra = 100")
    notebook.run(f"%%parallel -b {backend} -w 2\nresults = [scaled(n) for n in range(10)]")
    assert notebook.value("results") == [n * 3 + 100 for n in range(10)]


BEGUN = "import pathlib\nplace = {place!r}\ndef job(n):\n    pathlib.Path(place, str(n)).touch()\n"
BUSY = BEGUN + "    end = time.time() + (600 if n else 0)\n    while time.time() < end: pass"
SLEEPING = BEGUN + "    time.sleep(600 if n else 0)\n    return n"


def alive(pids: set[int]) -> list[int]:
    """Return those processes that have not ended, though nobody may have asked how."""
    return [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def wait_for(path: Path) -> None:
    """Return when an item has made its file, so that it runs."""
    end = time.monotonic() + LONG
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not begin"
        threading.Event().wait(0.02)


@pytest.mark.parametrize("backend", [*BOTH_KINDS, "loky", "mp-pool", "process-per-item"])
@pytest.mark.parametrize("kind", ["busy", "sleeping"])
def test_an_interrupt_frees_the_cell(kind: str, backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    # A thread that sleeps goes on sleeping, in a kernel that no other test has.
    notebook: Notebook = request.getfixturevalue("own_notebook" if backend == "threads" else "notebook")
    notebook.run((BUSY if kind == "busy" else SLEEPING).format(place=str(tmp_path)))
    notebook.run(f"%%parallel -b {backend} -w 2 --quiet\nwarm = [str(n) for n in range(4)]", check=False)
    running = notebook.start(f"%%parallel -b {backend} -w 2\nresults = [job(n) for n in range(50)]")
    wait_for(tmp_path / "1")
    notebook.interrupt()
    cell = notebook.finish(running)  # before an item ends: those that run take ten minutes
    assert cell.status == "error"
    assert cell.error.startswith(("KeyboardInterrupt", "Interrupted"))
    assert notebook.run("1 + 1").text == "2"
    if backend != "threads":
        assert workers_of(notebook) == []
    notebook.run(f"%%parallel -b {backend} -w 2\nresults = [str(n) for n in range(6)]")
    assert notebook.value("results") == [str(n) for n in range(6)]


def test_an_interrupted_comparison_frees_the_cell(own_notebook: Notebook, tmp_path: Path) -> None:
    own_notebook.run(BEGUN.format(place=str(tmp_path)) + "    time.sleep(600)")
    request = own_notebook.start("%%concompare --repeat-ok --budget 60\nresults = [job(n) for n in range(100)]")
    wait_for(tmp_path / "0")
    own_notebook.interrupt()
    cell = own_notebook.finish(request)  # before the item ends, which takes ten minutes
    told = r"Interrupted: the comparison is not finished: interrupted after \d+ of 100 items of the plain loop"
    assert re.fullmatch(told, cell.error)
    assert len(cell.traceback.splitlines()) == 1
    assert own_notebook.run("1 + 1").text == "2"
    assert workers_of(own_notebook) == []


def test_a_comparison_shows_how_far_it_is_in_one_place_and_clears_it(notebook: Notebook) -> None:
    notebook.run(WORK)
    cell = notebook.run("%%concompare -b serial,threads -w 2 --budget 3\nresults = [work(n) for n in range(40)]")
    assert len(cell.displays) == 1
    assert "Comparing" in cell.shown
    assert cell.updates[-1]["text/plain"] == ""
    assert "concompare-gone" in cell.updates[-1]["text/html"]
    assert "Traceback" not in cell.stderr


def test_an_item_that_waits_for_input_fails_instead_of_hanging(notebook: Notebook) -> None:
    cell = notebook.run("%%parallel -b processes -w 2\nresults = [input(str(n)) for n in range(2)]", check=False)
    assert cell.status == "error"
    assert "StdinNotImplementedError" in cell.error  # the plain loop asked, and this notebook has nobody to answer


def test_no_worker_outlives_its_kernel() -> None:
    with Notebook() as notebook:
        notebook.run("%load_ext concompare\nimport os")
        notebook.run("%%parallel -b processes -w 2\npids = [os.getpid() for n in range(50)]")
        pids = set(notebook.value("pids")) - {notebook.value("os.getpid()")}
        assert pids
        psutil.Process(notebook.value("os.getpid()")).kill()
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline and alive(pids):
            time.sleep(0.1)
        assert not alive(pids)


def test_the_info_card_shows_open_pools(notebook: Notebook) -> None:
    notebook.run("%parallel --close")
    notebook.run("%%parallel -b processes -w 2\nresults = [str(n) for n in range(5)]")
    card = notebook.run("%parallel --info").text
    assert re.search(r"open pools +processes × 2", card)
    notebook.run("%parallel --close")
    assert re.search(r"open pools +none", notebook.run("%parallel --info").text)


def test_a_long_run_shows_its_progress_and_takes_it_away(notebook: Notebook) -> None:
    notebook.run("def wait(n):\n    time.sleep(0.25)\n    return n")
    cell = notebook.run("%%parallel -b threads -w 2\nresults = [wait(n) for n in range(12)]")
    assert re.search(r"wait: .* \d+/12 ", cell.displays[0]["text/plain"])
    assert cell.updates[-1]["text/plain"] == ""
    assert "concompare-gone" in cell.updates[-1]["text/html"]
    assert "12 items" in cell.displays[-1]["text/plain"]
    assert cell.stderr == ""
    short = notebook.run("%%parallel -b threads -w 2\nresults = [wait(n) for n in range(2)]")
    assert len(short.displays) == 1
    quiet = notebook.run("%%parallel -b threads -w 2 --quiet\nresults = [wait(n) for n in range(12)]")
    assert quiet.displays == []


@pytest.mark.skipif(not hasattr(os, "getpgid"), reason="this system has no groups of processes")
def test_signals_to_the_kernels_group_do_not_reach_what_multiprocessing_starts(own_notebook: Notebook) -> None:
    # A restart signals the whole group, and a shutdown waits 2.6 s for members of it that ignore the signal.
    own_notebook.run("import os, psutil\ndef f(x): return x\nseen = set()")
    for backend in ("processes", "spawn", "mp-pool"):
        own_notebook.run(f"%%parallel -b {backend} -w 2 --quiet\nvalues = [f(x) for x in range(4)]")
        own_notebook.run("children = [c for c in psutil.Process().children() if c.pid not in seen]")
        assert own_notebook.value("len(children) > 0"), backend
        assert own_notebook.value("[c.pid for c in children if os.getpgid(c.pid) == os.getpgid(0)]") == [], backend
        own_notebook.run("seen |= {c.pid for c in children}")


def test_a_background_run_outlasts_interrupts_and_ends_with_its_kernel(own_notebook: Notebook, tmp_path: Path) -> None:
    own_notebook.run(
        "import pathlib\n"
        "def wait(n):\n"
        f"    while not pathlib.Path({str(tmp_path / 'go')!r}).exists():\n"
        "        time.sleep(0.05)\n"
        "    print('item', n)\n"
        "    return n\n"
    )
    cell = own_notebook.run("%%parallel --background -b processes -w 2\nresults = [wait(n) for n in range(4)]")
    assert cell.shown == "background run 1: running"
    busy = own_notebook.start("print('busy')\nwhile True:\n    time.sleep(0.05)")
    own_notebook.finish(busy, until="busy")
    own_notebook.interrupt()
    assert own_notebook.finish(busy).status == "error"
    (tmp_path / "go").touch()
    ended = own_notebook.run("concompare.background().wait()")
    assert own_notebook.value("results") == [0, 1, 2, 3]
    assert any("item 3\nbackground run 1: bound: bound results" in one["text/plain"] for one in ended.updates)
    (tmp_path / "go").unlink()
    own_notebook.run("%%parallel --background -b processes -w 2\nresults = [wait(n) for n in range(4)]")
    pid = own_notebook.value("concompare.background()[2].process.pid")
    psutil.Process(own_notebook.value("os.getpid()")).kill()
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline and alive({pid}):
        time.sleep(0.1)
    assert not alive({pid})
