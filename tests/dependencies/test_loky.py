"""What we rely on of loky that it does not document."""

from __future__ import annotations

import inspect
import os
from typing import Any

import pytest

pytest.importorskip("loky")

from loky.backend import resource_tracker
from loky.process_executor import ProcessPoolExecutor


def test_its_pool_lies_where_it_is_imported_from_and_takes_what_we_give() -> None:
    """`backends.loky`: `-b loky` would not start; `loky` itself names only the pool that joblib shares."""
    taken = inspect.signature(ProcessPoolExecutor).parameters
    assert {"max_workers", "initializer", "initargs", "timeout", "env"} <= taken.keys()
    assert "kill_workers" in inspect.signature(ProcessPoolExecutor.shutdown).parameters


def test_its_pool_holds_its_processes_by_id_and_gives_them_variables() -> None:
    """`processes.worker_processes`: loky's workers could not be ended at once, nor their memory be measured."""
    executor: Any = ProcessPoolExecutor(1, timeout=None, env={"CONCOMPARE_TESTED": "yes"})
    try:
        pid = executor.submit(os.getpid).result()
        assert list(executor._processes) == [pid]
        assert executor._processes[pid].pid == pid
        assert executor.submit(os.getenv, "CONCOMPARE_TESTED").result() == "yes"
    finally:
        executor.shutdown(wait=True, kill_workers=True)
    assert not executor._processes


def test_its_tracker_can_be_started_before_the_workers() -> None:
    """`backends.loky.open`: its start lifts a block of SIGINT, so that Ctrl-C could hit workers that begin."""
    assert resource_tracker.ensure_running() is None
