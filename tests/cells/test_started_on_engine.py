"""Threads and processes that cells start one by one, on real workers: the well-known experiment among them."""

from __future__ import annotations

import threading

import pytest

from concompare import engine
from tests.cells import compiled, plainly, programs, test_started
from tests.cells.thread_cells import LIFTED

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
DO_WORK = """
import multiprocessing, os, tempfile, threading, time

def fileio(size):
    with tempfile.TemporaryDirectory() as folder:
        for number in range(size):
            path = os.path.join(folder, f"{number}.txt")
            with open(path, "w") as file:
                file.write("x" * number)
            with open(path) as file:
                assert len(file.read()) == number

def cpu(size):
    total = 0
    for number in range(size * 10):
        total += number * number
    return total

class ThreadWorker(threading.Thread):
    def __init__(self, job, size):
        super().__init__()
        self.job, self.size, self.total = job, size, None
    def run(self):
        self.total = self.job(self.size)

class ProcessWorker(multiprocessing.Process):
    def __init__(self, job, size):
        super().__init__()
        self.job, self.size, self.total = job, size, None
    def run(self):
        self.job(self.size)

def do_work(n_workers, size, kind, work):
    job = {"fileio": fileio, "cpu": cpu}[work]
    worker_class = ThreadWorker if kind == "thread" else ProcessWorker
    began = time.perf_counter()
    workers = []
    for number in range(n_workers):
        worker = worker_class(job, size + number)
        worker.start()
        workers.append(worker)
    for worker in workers:
        worker.join()
    took = time.perf_counter() - began
    return took > 0, [worker.total for worker in workers], [worker.is_alive() for worker in workers]
"""


@pytest.fixture(autouse=True)
def python_says_what_threads_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python itself say it, not pytest."""
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)


@pytest.mark.parametrize("name", LIFTED)
def test_threads_leave_the_same_on_real_workers(name: str, pool: engine.Pool) -> None:
    plain = plainly.run_plain(LIFTED[name], test_started.SETUP)
    assert plainly.difference(plain, compiled.run_on_engine(LIFTED[name], test_started.SETUP, pool)) is None


@pytest.mark.parametrize("kind", ["thread", "process"])
@pytest.mark.parametrize("work", ["fileio", "cpu"])
def test_the_well_known_experiment_runs_on_real_workers(kind: str, work: str, pool: engine.Pool) -> None:
    source = f"found = do_work(8, 30, {kind!r}, {work!r})"
    left = compiled.run_on_engine(source, DO_WORK, pool)
    assert left.error is None
    assert plainly.difference(plainly.run_plain(source, DO_WORK), left) is None
    (lifted,) = programs.run(source, DO_WORK, "threads").cell.lifted
    assert lifted.loop.own == f"{kind.title()}Worker"


@pytest.mark.parametrize("kind", ["Thread", "Process"])
def test_one_that_raises_does_not_stop_the_others(kind: str, pool: engine.Pool) -> None:
    cell = test_started.FAILING.format(kind=kind).replace("out.append(bad(i))", "bad(i)")
    left = compiled.run_on_engine(cell, test_started.SETUP, pool)
    assert left.error is None
    assert left.printed.count("ValueError: bad 3") == 1
