"""CPython's own tests of executors, run on `concompare.Executor` with threads and with every start method.

They come with the interpreter as `test.test_concurrent_futures`, a package from Python 3.12 on, where it is installed.
"""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from typing import Any

import pytest

from concompare import Executor

pytest.importorskip("test.test_concurrent_futures.util", reason="CPython's tests are not installed as a package")

import test.test_concurrent_futures.executor as calls
from test.test_concurrent_futures import (
    test_as_completed,
    test_deadlock,
    test_init,
    test_process_pool,
    test_shutdown,
    test_thread_pool,
    test_wait,
    util,
)

WHOLE = "all workers start at once, so that the first calls are spread over all of them"
LASTS = "an executor outlives a lost worker, and what was lost with it is computed again"
LINES = "an error's own traceback has the lines of the worker, so there is no text of them beside it"
LIMITED = "there is no limit of calls for a worker"
INSIDE = "it changes the inside of the standard library's executor"
WARM = "workers, threads too, stay warm for the next executor; a call is what ends"
CAUSE = "the error that an argument or result raised is the cause of one that names it"
SCRIPT = "its script lacks an import that it needs for processes"
NAMED = "threads have names of ours"
SAID = "the exception says why the initializer failed, so nothing is logged beside it"

DIFFERENCES = {
    "test_idle_process_reuse_one": WHOLE,
    "test_idle_process_reuse_multiple": WHOLE,
    "test_idle_thread_reuse": WHOLE,
    "test_processes_terminate": WHOLE,
    "test_killed_child": LASTS,
    "test_traceback": LINES,
    "test_max_tasks_per_child": LIMITED,
    "test_max_tasks_per_child_defaults_to_spawn_context": LIMITED,
    "test_max_tasks_early_shutdown": LIMITED,
    "test_python_finalization_error": INSIDE,
    "test_gh105829_should_not_deadlock_if_wakeup_pipe_full": INSIDE,
    "test_del_shutdown": INSIDE,
    "test_shutdown_no_wait": INSIDE,
    "test_context_manager_shutdown": INSIDE,
    "test_threads_terminate": WARM,
    "test_cancel_futures_wait_false": INSIDE,
    "test_thread_names_assigned": NAMED,
    "test_thread_names_default": NAMED,
    "test_default_workers": "by default there is a worker for each usable CPU",
    "test_error_at_task_unpickle": CAUSE,
    "test_exit_at_task_unpickle": CAUSE,
    "test_error_during_result_pickle_on_worker": CAUSE,
    "test_exit_during_result_pickle_on_worker": CAUSE,
    "test_error_during_result_unpickle_in_result_handler": CAUSE,
    "test_exit_during_result_unpickle_in_result_handler": CAUSE,
}
"""Tests of what is meant to be otherwise, and why."""

ON_PROCESSES = {"test_hang_gh83386": SCRIPT}
"""The same on processes only."""


class Ours(Executor):
    """An executor of ours that takes the options of the standard library's, and shows what the tests look at."""

    def __init__(self, max_workers: int | None = None, *, mp_context: Any = None, **options: Any) -> None:
        backend = "threads" if mp_context is None else mp_context.get_start_method()
        super().__init__(max_workers, backend=backend, **options)

    @property
    def _broken(self) -> BaseException | None:
        return self.session.broken

    @property
    def _max_workers(self) -> int:
        return self.session.count

    @property
    def _processes(self) -> dict[int, Any]:
        pool = self.session.workers.pool
        return {} if pool is None else {process.pid: process for process in pool.processes}

    @property
    def _threads(self) -> set[Any]:
        pool = self.session.workers.pool
        return set() if pool is None else pool.executor._threads  # type: ignore[union-attr]

    @property
    def _executor_manager_thread(self) -> Any:
        return self.session.thread


class OnThreads(util.ExecutorMixin):  # type: ignore[misc]
    executor_type = Ours


class OnFork(OnThreads):
    ctx = "fork"


class OnForkserver(OnThreads):
    ctx = "forkserver"


class OnSpawn(OnThreads):
    ctx = "spawn"


def in_a_script(run: Any) -> Any:
    """Return what runs a script of the tests, in which the executor is ours."""
    folders = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "src"), *sys.path]
    ours = "from tests.suites.test_cpython_executors import Ours"

    def run_with_ours(*words: str, **options: Any) -> Any:
        script = words[-1].replace("from concurrent.futures import Ours", ours)
        setting = f"if 1:\n            import sys; sys.path[:] = {folders!r}\n"
        return run(*words[:-1], setting + script.partition("\n")[2], **options)

    return run_with_ours


test_shutdown.assert_python_ok = in_a_script(test_shutdown.assert_python_ok)


class SaidInTheException(test_init.FailingInitializerMixin):  # type: ignore[misc]
    def _assert_logged(self, message: str) -> Any:
        return self.subTest(SAID)


PROCESSES = (OnFork, OnForkserver, OnSpawn)
SUITES = (
    (calls.ExecutorTest, (OnThreads,)),
    (test_thread_pool.ThreadPoolExecutorTest, (OnThreads,)),
    (test_process_pool.ProcessPoolExecutorTest, PROCESSES),
    (test_wait.WaitTests, PROCESSES),
    (test_wait.ThreadPoolWaitTests, (OnThreads,)),
    (test_as_completed.AsCompletedTests, (OnThreads, *PROCESSES)),
    (test_init.InitializerMixin, (OnThreads, *PROCESSES)),
    (SaidInTheException, (OnThreads, *PROCESSES)),
    (test_shutdown.ThreadPoolShutdownTest, (OnThreads,)),
    (test_shutdown.ProcessPoolShutdownTest, PROCESSES),
    (test_deadlock.ExecutorDeadlockTest, PROCESSES),
)


def adapted(suite: type, kind: type) -> type:
    """Return a test case of CPython's with executors of ours; what is meant to be otherwise is skipped."""
    body: dict[str, Any] = {"__module__": __name__, "executor_type": Ours}
    for name, reason in {**DIFFERENCES, **(ON_PROCESSES if kind is not OnThreads else {})}.items():
        if hasattr(suite, name):
            body[name] = unittest.skip(reason)(getattr(suite, name))
    bases = (suite,) if issubclass(suite, unittest.TestCase) else (suite, kind, util.BaseTestCase)
    return type(f"Test{kind.__name__}{suite.__name__}", bases, body)


for suite, kinds in SUITES:
    for kind in kinds:
        case = adapted(suite, kind)
        globals()[case.__name__] = case
del case, suite, kind, kinds


def test_every_difference_is_one_of_a_test_that_is_there() -> None:
    there = {name for suite, _ in SUITES for name in dir(suite)}
    assert set(DIFFERENCES) <= there
