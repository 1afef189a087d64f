"""What is seen to be impossible when the cell runs already runs as the plain loop; so do workers that cannot start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.system.kernel.notebook import Notebook

NO_PROCESSES = """
import errno
from concompare.backends import processes
def refuse(*_, **__): raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
opened, processes.open_pool = processes.open_pool, refuse
"""
"""Stands for a machine where no process can be started."""


AS_BEFORE = "import os, sys\nos.environ.pop('X', None)\nsys.path[:] = [p for p in sys.path if len(p) != 2]"
"""Takes back what the loops below change of the process."""


@pytest.fixture
def notebook(shared_notebook: Notebook) -> Iterator[Notebook]:
    shared_notebook.run("%reset -f\nimport os, threading, time, concompare\nran = []")
    yield shared_notebook
    shared_notebook.run(AS_BEFORE)


LATE = {
    "the loop changes what it reads": (
        "rows = [[n] for n in range(6)]\nalias = rows",
        "made = list(rows)\nran.append('before')\nfor n in range(6):\n    alias[n] = max(rows[n - 1]) + n\n'done'",
    ),
    "items that share a list": (
        "row = [0]",
        (
            "rows = [row] * 4\nran.append('before')\nout = []\nfor item in rows:\n    item.append(len(item))\n    "
            "out.append(sum(item))\nout"
        ),
    ),
    "iterators among the items": (
        "def first(it):\n    return next(it)",
        "its = [iter('ab'), iter('cd')]\nran.append('before')\nout = [first(it) for it in its]\nout",
    ),
}


@pytest.mark.parametrize("case", LATE)
@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_refusal_that_comes_late_leaves_nothing_half_done(case: str, backend: str, notebook: Notebook) -> None:
    setup, cell = LATE[case]
    names = "{k: v for k, v in globals().items() if k in ('rows', 'out', 'n', 'alias', 'made', 'item', 'ran')}"
    left = []
    for magic in ("", f"%%parallel -b {backend} -w 2\n"):
        notebook.run(f"ran.clear()\n{setup}")
        ended = notebook.run(magic + cell, check=False)
        left.append((ended.text, ended.error.partition(" line ")[0], notebook.run(f"repr({names})").text))
    if not left[1][1].startswith("CellRefused"):
        assert left[1] == left[0]
    else:  # it was seen before anything ran
        assert notebook.value("ran") == []


CHANGED_STATE = {
    "os.environ": ("", "os.environ['X'] = m", "os.getenv('X')"),
    "environ": ("from os import environ, getenv", "environ['X'] = m", "getenv('X', 'none')"),
    "an update": ("", "os.environ.update(X=m)", "os.getenv('X')"),
    "in a function": ("def choose(m):\n    os.environ['X'] = m", "choose(m)", "os.getenv('X')"),
    "a child program": ("import subprocess", "os.environ['X'] = m", "subprocess.check_output(['sh', '-c', 'echo $X'])"),
    "the search path": ("import sys", "sys.path.append('/' + m)", "__import__('site').__name__ + str(len(sys.path))"),
    "parameters": (
        "import matplotlib, matplotlib.cbook\nrc = matplotlib.rcParams",
        "rc['image.cmap'] = {'a': 'gray', 'b': 'jet', 'c': 'hot'}[m]",
        "matplotlib.cbook.sanitize_sequence([matplotlib.rc_params().__class__.__name__])",
    ),
}
"""What a loop changes for each item and functions of modules read; each with what of it an item returns."""


@pytest.mark.parametrize("case", CHANGED_STATE)
@pytest.mark.parametrize("backend", ["serial", "threads", "processes"])
def test_state_that_the_loop_changes_is_read_as_in_the_plain_loop(case: str, backend: str, notebook: Notebook) -> None:
    setup, change, read = CHANGED_STATE[case]
    loop = f"out = []\nfor m in 'abc':\n    {change}\n    out.append({read})"
    left = []
    for magic in ("", f"%%parallel -b {backend} -w 2\n"):
        notebook.run(AS_BEFORE)
        notebook.run(setup)
        cell = notebook.run(magic + loop, check=False)
        left.append("refused" if cell.error.startswith("CellRefused") else notebook.run("repr((out, m))").text)
    assert left[1] in (left[0], "refused")
    if case in ("os.environ", "an update", "a child program"):
        said = " ".join(cell.stdout.split())
        assert "ran as the plain loop: line 4: the loop changes `os.environ`, which functions that it calls may" in said


def test_the_walked_expression_is_evaluated_once(notebook: Notebook) -> None:
    notebook.run("def rows():\n    ran.append('walked')\n    return [shared] * 3\nshared = []")
    cell = notebook.run(
        "%%parallel -b processes -w 2\nran.append('before')\nout = []\n"
        "for row in rows():\n    row.append(len(row))\n    out.append(len(row))\nout"
    )
    assert cell.text == "[1, 2, 3]"
    assert notebook.value("ran") == ["before", "walked"]
    assert "ran as the plain loop: " in cell.stdout
    assert not [name for name in notebook.value("list(globals())") if name.startswith("_concompare")]


def test_what_cannot_be_sent_runs_as_the_plain_loop(notebook: Notebook) -> None:
    notebook.run("lock = threading.Lock()\ndef locked(n):\n    return n, type(lock).__name__")
    cell = notebook.run("%%parallel -b processes -w 2\nran.append(1)\nout = [locked(n) for n in range(6)]")
    assert notebook.value("out, ran") == ([(n, "lock") for n in range(6)], [1])
    assert "ran as the plain loop: head → global locked → global lock → _thread.lock cannot be sent" in cell.shown


def test_a_result_that_cannot_come_back_goes_on_from_there(notebook: Notebook) -> None:
    notebook.run("def made(n):\n    return threading.Lock() if n >= 3 else n")
    cell = notebook.run(
        "%%parallel -b processes -w 2\nthings = []\nfor n in iter(range(30)):\n    r = made(n)\n    things.append(r)"
    )
    notebook.run("kinds = [type(thing).__name__ for thing in things]")
    assert notebook.value("kinds, n") == (["int"] * 3 + ["lock"] * 27, 29)
    assert "ran as the plain loop: " in cell.stdout


def test_strict_makes_it_an_error(notebook: Notebook) -> None:
    notebook.run("lock = threading.Lock()\ndef locked(n):\n    return n, type(lock).__name__")
    cell = notebook.run("%%parallel -b processes -w 2 --strict\nout = [locked(n) for n in range(6)]", check=False)
    assert cell.error.startswith("CannotShip: head → global locked")
    cell = notebook.run(
        "%%parallel -b threads --strict\nrows = [[]] * 3\nfor row in rows:\n    row.append(len(row))", check=False
    )
    assert cell.error.startswith("CellRefused: ")


def test_where_no_process_can_start_the_default_runs_without(own_notebook: Notebook) -> None:
    notebook = own_notebook
    notebook.run(NO_PROCESSES)
    notebook.run(
        "from concompare.run import auto_history as auto\nfrom concompare.analysis.pick import Choice\nseen = []\n"
        "def choose(task, messages, left, two=None, rising=1.0, shipped=auto.size_as_shipped):\n"
        "    seen.append(shipped(task))\n"
        "    name = 'processes' if seen[-1] is not None else 'threads'\n"
        "    return Choice(name, 2, f'{name}, said the test')\nauto.choose, auto.PROBE = choose, 0.0\n"
        "from concompare.engine.pools.early_start import Opening\n"
        "Opening.over = property(lambda opening: opening.thread.join() is None)"  # else the loop is done before
    )
    notebook.run("def work(n):\n    return n * n")
    cell = notebook.run("%%parallel\nout = [work(n) for n in range(40)]")
    assert notebook.value("out") == [n * n for n in range(40)]
    assert "auto: threads × 2, since processes: the workers cannot be started: [Errno 11]" in cell.shown
    named = notebook.run("%%parallel -b processes -w 2\nother = [work(n) for n in range(40)]", check=False)
    assert named.error == (
        "BackendUnavailable: processes: the workers cannot be started: [Errno 11] Resource temporarily unavailable. "
        "Use -b threads, whose workers are in this process."
    )
    notebook.run("auto.chosen_before = lambda task: Choice('processes', 2, 'compared')")
    cell = notebook.run("%%parallel\nout = [work(n) for n in range(30)]")
    assert notebook.value("out") == [n * n for n in range(30)]
    assert "auto: the plain loop, since processes: the workers cannot be started" in cell.shown
