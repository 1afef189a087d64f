"""CPython's own tests of `multiprocessing.Pool`, run on `concompare.Pool` with processes and with threads.

They come with the interpreter as `test._test_multiprocessing`, where it is installed.
"""

from __future__ import annotations

import unittest
from typing import Any

import pytest

from concompare import Pool

suite = pytest.importorskip("test._test_multiprocessing", reason="CPython's tests are not installed")

LINES = "an error's own traceback has the lines of the worker, so there is no text of them beside it"
CAUSE = "what cannot be sent is named in one line, by the item and its part"
NONE = "the items before an iterator's error are computed, those of an unfinished chunk too"
QUIET = "a pool that nobody holds computes what it was asked for, and gives its workers back"
INSIDE = "it looks at the inside of the standard library's pool"

DIFFERENCES = {
    "test_traceback": LINES,
    "test_map_unplicklable": CAUSE,
    "test_imap_handle_iterable_exception": NONE,
    "test_resource_warning": QUIET,
    "test_make_pool": INSIDE,
}
"""Tests of what is meant to be otherwise, and why."""


def adapted(kind: str, backend: str) -> type:
    """Return the test case of CPython's with pools of ours; what is meant to be otherwise is skipped."""

    def pool(*arguments: Any) -> Pool:
        return Pool(*arguments, backend=backend)

    body: dict[str, Any] = {"__module__": __name__, "TYPE": kind, "Pool": staticmethod(pool)}
    for name, reason in DIFFERENCES.items():
        body[name] = unittest.skip(reason)(getattr(suite._TestPool, name))
    return type(f"Test{backend.title()}", (suite._TestPool, unittest.TestCase), body)


TestProcesses = adapted("processes", "processes")
TestFork = adapted("processes", "fork")
TestSpawn = adapted("processes", "spawn")
TestThreads = adapted("threads", "threads")
