"""mpire's own tests of its pool, run on `concompare.Pool`: those of what both have, which are calls and maps.

They are in mpire's repository alone: `MPIRE=folder` names a checkout of it; mpire has to be installed too.
"""

from __future__ import annotations

import importlib
import os
import sys
import unittest
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from concompare import Pool
from concompare.executors.async_pool import AsyncResult

pytest.importorskip("mpire", reason="mpire is not installed")
FILE = Path(os.environ.get("MPIRE", "."), "tests", "test_pool.py")
if not FILE.is_file():
    pytest.skip("MPIRE names no checkout of mpire", allow_module_level=True)
sys.path.insert(0, str(FILE.parent))  # workers search there too
suite: Any = importlib.import_module(FILE.stem)

RUN = {
    "MapTest": ("test_start_methods",),
    "PoolInThreadTest": ("test_start_methods",),
    "ApplyTest": ("test_result",),
    "ApplyAsyncTest": ("test_result", "test_args_kwargs", "test_callback", "test_callback_error"),
}
"""The tests that are run.

All others are about what only mpire has: options of single maps (chunks, splits, lifespans, limits of time), ids and
states of workers, shared objects, functions at a worker's end, pinning, progress bars, insights.
"""


class WorkerPool(Pool):
    """A pool of ours with the names that mpire's has; tuples among the items are several arguments."""

    def __init__(self, n_jobs: int | None = None, start_method: str = "processes") -> None:
        super().__init__(n_jobs, backend={"threading": "threads"}.get(start_method, start_method))

    def map(self, func: Any, iterable: Iterable[Any], chunksize: int | None = None) -> list[Any]:
        items = list(iterable)
        return (super().starmap if isinstance(items[0], tuple) else super().map)(func, items, chunksize)

    map_unordered = map

    def imap(self, func: Any, iterable: Iterable[Any], chunksize: int | None = None) -> Any:
        def results() -> Iterator[Any]:
            yield from self.starmap(func, iterable, chunksize)

        return results()

    imap_unordered = imap


suite.WorkerPool, suite.AsyncResult = WorkerPool, AsyncResult


def adapted(name: str) -> type:
    """Return a test case of mpire's with the tests that are run."""
    case = getattr(suite, name)
    others = {test for test in dir(case) if test.startswith("test_") and callable(getattr(case, test))} - {*RUN[name]}
    return type(f"Test{name}", (case,), {"__module__": __name__, **dict.fromkeys(others)})


for name in RUN:
    globals()[f"Test{name}"] = adapted(name)
del name


def test_the_tests_that_are_run_are_there() -> None:
    assert all(callable(getattr(getattr(suite, name), test)) for name, tests in RUN.items() for test in tests)
    assert issubclass(suite.MapTest, unittest.TestCase)
