"""What happens to results, workers and memory when something goes wrong, on a real kernel."""

from __future__ import annotations

import ast
import glob
import re
import signal
from pathlib import Path

import psutil
import pytest

from tests.system.kernel.notebook import LONG, Notebook

APART = ["processes", "fork", "spawn", "loky"]
EVERY = ["threads", *APART]
USED = """
import psutil, glob, gc
def used():
    gc.collect()
    me = psutil.Process()
    family = [p for p in me.children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    shared = glob.glob(f"/dev/shm/*{me.pid}*")
    memory = sum(p.memory_full_info().uss for p in [me, *family])
    return len(family), me.num_threads(), me.num_fds(), len(shared), memory
"""


@pytest.mark.parametrize("backend", APART)
def test_a_worker_that_dies_costs_its_item_alone(backend: str, notebook: Notebook) -> None:
    # Seen to send a signal it would run as the plain loop, and end the kernel as the plain cell does.
    killing = "getattr(os, 'ki' + 'll')(os.getpid(), 9)"
    notebook.run(f"import os\ndef work(n):\n    if n == 3: {killing}\n    return n * 2")
    cell = "results = [work(n) for n in range(8)]"
    notebook.run(f"%%parallel -b {backend} -w 2 --on-error keep --quiet --assume-pure\n{cell}")
    assert notebook.value("[r for n, r in enumerate(results) if n != 3]") == [0, 2, 4, 8, 10, 12, 14]
    told = notebook.value("str(results[3].error)")
    assert re.search(r"SIGKILL .* item 3 \(3\); it had used [\d.]+ MB of memory", told), told
    stopped = notebook.run(f"%%parallel -b {backend} -w 2 --assume-pure\n{cell}", check=False)
    assert stopped.error.startswith("WorkerDied: ")
    assert "item 3" in stopped.error
    assert notebook.value("concompare.last().values") == [0, 2, 4]


EXCEPTIONS = """
import threading
class Odd(Exception):
    def __init__(self, a, b):
        super().__init__(a)
        self.b = b
class Holding(Exception):
    def __init__(self): super().__init__("holds a lock"); self.lock = threading.Lock()
def nested():
    try:
        {}["key"]
    except KeyError as error:
        raise ValueError("second") from error
def deep(n): return deep(n + 1)
def many(): raise ExceptionGroup("group", [ValueError(1), OSError(2)])
def odd(): raise Odd("first", "second")
def hold(): raise Holding()
def leave(): raise SystemExit(3)
def stop(): raise GeneratorExit()
def full(): raise MemoryError("no room")
def endless(): return deep(0)
kinds = [nested, endless, many, odd, hold, leave, stop, full]
def fail(n): return kinds[n]() if n < 8 else n
"""
EXPECTED = [
    "ValueError",
    "RecursionError",
    "ExceptionGroup",
    "Odd",
    "Holding",
    "SystemExit",
    "GeneratorExit",
    "MemoryError",
]


@pytest.mark.parametrize("backend", EVERY)
def test_any_exception_arrives_by_its_name_and_nothing_hangs(backend: str, notebook: Notebook) -> None:
    notebook.run(EXCEPTIONS)
    notebook.run(
        f"%%parallel -b {backend} -w 2 --on-error keep --quiet --assume-pure\nr = [fail(n) for n in range(10)]"
    )
    found = notebook.value("[(type(x.error).__name__, str(x.error)[:300]) for x in r[:8]]")
    for (kind, text), expected in zip(found, EXPECTED, strict=True):
        assert expected == kind or expected in text
    assert notebook.value("r[8:]") == [8, 9]
    assert notebook.value("[x.index for x in r[:8]]") == list(range(8))


@pytest.mark.parametrize("backend", EVERY)
def test_a_keyboard_interrupt_of_the_users_own_code_ends_the_cell(backend: str, notebook: Notebook) -> None:
    notebook.run("def fail(n):\n    if n == 2: raise KeyboardInterrupt('mine')\n    return n")
    cell = notebook.run(f"%%parallel -b {backend} -w 2\nr = [fail(n) for n in range(6)]", check=False)
    assert cell.status == "error"
    assert "Interrupt" in cell.error
    assert notebook.run("1 + 1").text == "2"


def test_five_hundred_runs_leave_nothing_behind(own_notebook: Notebook) -> None:
    own_notebook.run(USED)
    own_notebook.run("import numpy as np\nruns = get_ipython().run_cell_magic\ndef work(n): return np.full(5000, n)")
    rounds = "\n".join(
        f"    runs('parallel', '-b {backend} -w 2 --quiet', 'r = [work(n) for n in range(12)]')"
        for backend in ("threads", "processes")
    )
    own_notebook.run(f"for i in range(50):\n{rounds}\nbefore = used()")
    own_notebook.run(f"for i in range(250):\n{rounds}\nafter = used()")
    processes, threads, descriptors, shared, memory = ast.literal_eval(
        own_notebook.run("[b - a for a, b in zip(before, after)]").text
    )
    assert (processes, shared) == (0, 0)
    assert threads <= 0
    assert descriptors <= 2
    assert memory < 20_000_000


def test_two_kernels_do_not_disturb_each_other(own_notebook: Notebook) -> None:
    with Notebook() as other:
        other.run("%load_ext concompare\nimport os")
        for one in (own_notebook, other):
            one.run("def work(n): return n * n")
        cell = "%%parallel -b processes -w 2 --quiet\nr = [work(n) for n in range(2000)]"
        requests = [(one, one.start(cell)) for one in (own_notebook, other)]
        assert [one.finish(request).status for one, request in requests] == ["ok", "ok"]
        psutil.Process(other.value("os.getpid()")).send_signal(signal.SIGKILL)
        own_notebook.run(cell)
        assert own_notebook.value("r == [n * n for n in range(2000)]") is True


def test_what_is_made_in_a_worker_is_of_the_notebooks_class_of_today(notebook: Notebook) -> None:
    for more in (1, 2):
        notebook.run(f"class Point:\n    def __init__(self, x): self.x = x\n    def far(self): return self.x + {more}")
        notebook.run("%%parallel -b processes -w 2 --quiet\npoints = [Point(n) for n in range(4)]")
        assert notebook.value("[type(p) is Point for p in points]") == [True] * 4
        assert notebook.value("[p.far() for p in points]") == [n + more for n in range(4)]


def test_a_kernel_that_is_shut_down_says_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    said = tmp_path / "stderr.txt"
    with Notebook() as notebook:
        notebook.run("%load_ext concompare\nimport os, psutil")
        notebook.run(f"_ = os.dup2(os.open({str(said)!r}, os.O_CREAT | os.O_WRONLY), 2)")
        for backend in APART:
            notebook.run(f"%%parallel -b {backend} -w 2 --quiet\nr = [str(n) for n in range(9)]")
        pid = notebook.value("os.getpid()")
        children = psutil.Process(pid).children(recursive=True)
        notebook.manager.shutdown_kernel()
        _, alive = psutil.wait_procs(children, timeout=LONG)
        assert alive == []
        assert glob.glob(f"/dev/shm/*-{pid}-*") == []
    # ipykernel itself is sometimes told to stop while it waits for the next request.
    assert [
        line
        for line in said.read_text().splitlines()
        if "Task was destroyed" not in line and "kernelbase.py" not in line
    ] == []
