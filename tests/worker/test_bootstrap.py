"""Workers that the user's code leaves without memory or open files for messages: they end, and others take over."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import pytest

from concompare import backends, engine
from concompare.errors import WorkerDied
from concompare.testing import define
from concompare.worker import bootstrap
from concompare.worker.chunk import Request, run
from concompare.worker.transfer.pickling import Parcel, pack

try:
    import resource
except ImportError:
    pytest.skip("this system limits no process", allow_module_level=True)

np = pytest.importorskip("numpy")

FILES = """
import resource
def f(a):
    if a[0] == 3:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    return a + 1
"""
"""The worker has as many files open as it may: the memory that its results lie in cannot be opened."""

MEMORY = """
import resource
def f(a):
    if a[0] == 3:
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken, resource.RLIM_INFINITY))
    return float(a[0])
"""
"""The worker takes all the memory that it may: no larger item can be loaded."""

ITEMS = 12


def arrays(size: int = 250_000) -> list[Any]:
    return [np.full(size, float(number)) for number in range(ITEMS)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "listed"), [("processes", True), ("processes", False), ("loky", True)])
def test_a_worker_without_files_for_what_it_computes_costs_at_most_the_item_that_took_them(
    name: str, listed: bool, no_leaks: None
) -> None:
    items = arrays() if listed else iter(arrays())
    with engine.lease(backends.find(name), 2) as pool:
        outcome = engine.run_pass(define(FILES), items, pool, engine.PassOptions(on_error="keep", chunk=1))
    # Its own result gets through where the worker has opened the place for it before.
    assert [failure.index for failure in outcome.failures] in ([], [3])
    assert all(isinstance(failure.error, WorkerDied) for failure in outcome.failures)
    assert [value[0] for index, value in enumerate(outcome.values) if index != 3] == [1, 2, 3, *range(5, ITEMS + 1)]


EACH = """
import resource
def f(a):
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
    return float(a[0])
"""


@pytest.mark.parametrize("chunk", [1, 3])
def test_no_item_is_blamed_for_what_one_before_it_has_done(chunk: int, no_leaks: None) -> None:
    """Every item spends its worker: none after it can be opened there."""
    with engine.lease(backends.find("processes"), 2) as pool:
        options = engine.PassOptions(on_error="keep", chunk=chunk)
        outcome = engine.run_pass(define(EACH), iter(arrays()[:6]), pool, options)
    assert outcome.values == list(range(6))


@pytest.mark.slow
def test_the_next_pass_has_workers_that_can_load_its_items(no_leaks: None) -> None:
    backend, limiting, plain = backends.find("processes"), define(MEMORY), define("def f(a): return float(a[0])")
    for function, size in ((limiting, 250_000), (plain, 2_500_000), (plain, 2_500_000)):
        with engine.lease(backend, 2) as pool:
            outcome = engine.run_pass(function, arrays(size), pool, engine.PassOptions(chunk=1))
        assert outcome.values == list(range(ITEMS))


def test_a_pool_whose_workers_are_limited_by_an_item_is_not_used_again(no_leaks: None) -> None:
    """What an item allows its own process is nothing to the next cell."""
    backend, told = backends.find("processes"), []
    asking = define("import resource\ndef f(x): return resource.getrlimit(resource.RLIMIT_NOFILE)[0]")
    limiting = define("import resource\ndef f(x): resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))")
    for function in (asking, limiting, asking, asking):
        with (lease := engine.lease(backend, 2)) as pool:
            told.append((engine.run_pass(function, range(4), pool, engine.PassOptions()).values, lease.fresh))
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert [told[0][0], told[2], told[3]] == [[allowed] * 4, ([allowed] * 4, True), ([allowed] * 4, False)]


class Leaver:
    def __reduce__(self) -> Any:
        return sys.exit, ("left",)


class Board:
    """A worker's place on the board that remembers."""

    def __init__(self) -> None:
        self.marked, self.used = -1, 0

    def mark(self, item: int) -> None:
        self.marked = item


class Loaded:
    """Knows what the board said while it was loaded."""

    board = -1

    def __reduce__(self) -> Any:
        return Loaded.load, ()

    @staticmethod
    def load() -> Loaded:
        made = Loaded()
        made.board = bootstrap.PLACE[0].marked  # type: ignore[attr-defined]
        return made


@pytest.mark.parametrize("apart", [0, 3])
def test_the_board_names_the_item_that_is_loaded(apart: int) -> None:
    """A worker may die of it; else an item before is blamed, or nobody, and all that runs starts again for ever."""
    board = Board()
    bootstrap.PLACE[:] = [board]  # type: ignore[list-item]
    try:
        parcel = Parcel(pack([Loaded() for _ in range(3)], apart=bool(apart)))
        blob = pack(lambda item: (item.board, bootstrap.PLACE[0].marked))  # type: ignore[attr-defined]
        answer = run(Request("key of a test", blob, 20, parcel, each=True, apart=apart))
        assert board.marked == -1
    finally:
        bootstrap.PLACE.clear()
    loaded = [20, 21, 22] if apart else [20, 20, 20]
    assert pickle.loads(answer.values.data) == list(zip(loaded, [20, 21, 22], strict=True))


@pytest.mark.parametrize("apart", [0, 2])
def test_the_board_names_nothing_after_an_item_that_cannot_be_loaded(apart: int) -> None:
    board = Board()
    bootstrap.PLACE[:] = [board]  # type: ignore[list-item]
    try:
        answer = run(Request("key", pack(abs), 5, Parcel(pack([1, Leaver()], apart=bool(apart))), True, apart=apart))
    finally:
        bootstrap.PLACE.clear()
    assert answer.problem is not None
    assert (answer.problem[0], answer.problem[1]["text"]) == ("items", "left")
    assert board.marked == -1
