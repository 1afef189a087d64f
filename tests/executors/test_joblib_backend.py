"""The joblib backend "concompare", beside joblib's own tests in `tests/suites`."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from types import SimpleNamespace
from typing import Any

import joblib
import pytest

import concompare
from concompare.errors import WorkerDied
from concompare.executors.joblib_backend import JoblibBackend
from concompare.testing import define


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib.parallel, "BACKENDS", dict(joblib.parallel.BACKENDS))
    concompare.register_joblib()


@pytest.mark.parametrize("kind", ["processes", "threads", "spawn"])
def test_functions_of_a_notebook_run_on_our_workers(kind: str, no_leaks: None) -> None:
    function = define("import os\nK = 3\ndef f(n): return n * K, os.getpid()")
    with joblib.parallel_config(backend="concompare", n_jobs=2, kind=kind):
        found = joblib.Parallel()(joblib.delayed(function)(n) for n in range(50))
        assert isinstance(joblib.parallel.get_active_backend()[0], JoblibBackend)
    assert [value for value, _ in found] == [3 * n for n in range(50)]
    assert ({process for _, process in found} == {os.getpid()}) == (kind == "threads")


def test_results_come_as_a_generator(no_leaks: None) -> None:
    run = joblib.Parallel(n_jobs=2, backend="concompare", return_as="generator")
    assert list(run(joblib.delayed(abs)(-n) for n in range(20))) == list(range(20))


def test_an_error_is_raised_as_itself_and_the_next_call_runs(no_leaks: None) -> None:
    with joblib.parallel_config(backend="concompare", n_jobs=2):
        with pytest.raises(ZeroDivisionError):
            joblib.Parallel()(joblib.delayed(divmod)(1, n) for n in (1, 0, 2))
        assert joblib.Parallel()(joblib.delayed(abs)(n) for n in (-1, -2)) == [1, 2]


def test_a_lost_worker_ends_the_call_and_not_the_notebook(no_leaks: None) -> None:
    with joblib.parallel_config(backend="concompare", n_jobs=2):
        with pytest.raises(WorkerDied, match="exit code 3"):
            joblib.Parallel()(joblib.delayed(os._exit)(3) for _ in range(1))
        assert joblib.Parallel()(joblib.delayed(abs)(n) for n in (-1, -2)) == [1, 2]


def test_native_threads_are_limited_as_asked(no_leaks: None) -> None:
    with joblib.parallel_config(backend="concompare", n_jobs=2, inner_max_num_threads=3):
        found = joblib.Parallel()(joblib.delayed(os.getenv)("OMP_NUM_THREADS") for _ in range(2))
    assert found == ["3", "3"]


def test_one_job_is_the_plain_loop_and_none_is_refused(no_leaks: None) -> None:
    backend = JoblibBackend()
    assert backend.effective_n_jobs(None) == 1
    assert backend.effective_n_jobs(1) == 1
    assert backend.effective_n_jobs(3) == 3
    assert backend.effective_n_jobs(-1) == joblib.cpu_count()
    with pytest.raises(ValueError, match="n_jobs == 0"):
        backend.effective_n_jobs(0)
    assert joblib.Parallel(n_jobs=1, backend="concompare")([joblib.delayed(os.getpid)()]) == [os.getpid()]


def test_inside_a_daemonic_process_the_plain_loop_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    import multiprocessing

    monkeypatch.setitem(vars(multiprocessing.current_process())["_config"], "daemon", True)
    with pytest.warns(UserWarning, match="starts no workers inside a daemonic process"):
        assert JoblibBackend().effective_n_jobs(2) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert JoblibBackend().effective_n_jobs(1) == 1


@pytest.mark.parametrize("first", ["joblib, concompare", "concompare, joblib"])
def test_joblib_knows_the_backend_where_it_came_first(first: str) -> None:
    code = f"import {first}\nprint(type(joblib.parallel.BACKENDS.get('concompare')).__name__, 'numpy' in sys.modules)"
    words = [sys.executable, "-c", f"import sys\n{code}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    known, _ = done.stdout.split()
    assert known == ("function" if first.startswith("joblib") else "NoneType")


def test_loading_the_extension_lets_joblib_know(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(joblib, "register_parallel_backend", lambda *given: told.append(given))

    class Shell:
        events = SimpleNamespace(register=lambda name, function: None)

        def register_magics(self, magics: object) -> None:
            return

    concompare.load_ipython_extension(Shell())
    assert [name for name, _ in told] == ["concompare"]
    assert isinstance(told[0][1](kind="threads"), JoblibBackend)
