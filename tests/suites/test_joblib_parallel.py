"""joblib's own tests of `Parallel`, with our backend in the place of "loky", its usual one."""

from __future__ import annotations

import pytest

pytest.importorskip("joblib.test.test_parallel", reason="joblib's tests are not installed")

from joblib import parallel
from joblib.test import test_parallel as suite
from joblib.test.test_parallel import *  # noqa: F403 (its tests are collected here)

from concompare.executors.joblib_backend import JoblibBackend

pytestmark = [pytest.mark.filterwarnings("default")]

COPIES = "arrays go by shared memory, and an item may write into its own: they are no memmaps"
LINE = "what cannot be sent is named in one line, by its path"
APART = "every Parallel has calls of its own: a generator that nobody holds ends only its own"
INSIDE = "it looks at the inside of loky's executor"
TOLD = "the words of the warning are others"

DIFFERENCES = {
    "test_auto_memmap_on_arrays_from_generator[loky]": COPIES,
    "test_memmapping_leaks[loky]": COPIES,
    "test_parallel_pickling": LINE,
    "test_multiple_generator_call_separated_gc": APART,
    "test_error_capture[loky]": INSIDE,
    "test_initializer_reused": "an initializer runs in workers of its own, which end with their Parallel",
    "test_nested_parallel_warnings": TOLD,
}
"""Tests of what is meant to be otherwise, and why."""


class LokyBackend(JoblibBackend):
    """Our backend by the name that the tests look for."""


OTHERS = {"multiprocessing", "threading", "sequential"}
"""Backends of joblib's own: what a test asks of these alone says nothing about ours."""

THEIRS = {"back_compat_backend", "backend8"}
"""Objects of joblib's own backends: their tests reuse an executor that other tests may have left otherwise."""


@pytest.fixture(autouse=True)
def in_the_place_of_loky(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    function, _, given = request.node.name.rstrip("]").partition("[")
    words = set(given.split("-"))
    if words & THEIRS or (words & OTHERS and "loky" not in words):
        pytest.skip("not about our backend")
    reason = DIFFERENCES.get(request.node.name) or DIFFERENCES.get(function)
    if reason is not None:
        pytest.skip(reason)
    monkeypatch.setitem(parallel.BACKENDS, "loky", LokyBackend)
    monkeypatch.setattr(suite, "LokyBackend", LokyBackend)
