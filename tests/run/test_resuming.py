"""Runs that go on from a file of results, by `map`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import concompare
from concompare import engine
from concompare.errors import BadOption, LostChanges, NotResumed

BACKENDS = ("serial", "threads", "processes", "auto")
CODE = """
def f(x):
    with open(log, "a") as file:
        file.write(f"{x} ")
    if x == 3 and os.path.exists(log + "-fails"):
        raise ValueError(x)
    return x * K, {x}
"""


@pytest.fixture(autouse=True, scope="module")
def no_pools_left() -> Iterator[None]:
    yield
    engine.close_pools()


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Callable[[int], Any]]:
    """Return what makes a function that notes its calls, as a notebook's cell does each time it runs."""

    def make(k: int = 10, code: str = CODE) -> Callable[[int], Any]:
        names: dict[str, Any] = {"log": str(tmp_path / "log"), "os": os, "K": k, "__name__": "__main__"}
        exec(code, names)
        function: Callable[[int], Any] = names["f"]
        return function

    return make


def called(folder: Path) -> list[int]:
    """Return the items that were computed since it was asked last."""
    log = folder / "log"
    found = sorted(map(int, log.read_text().split())) if log.exists() else []
    log.unlink(missing_ok=True)
    return found


@pytest.mark.parametrize("backend", BACKENDS)
def test_after_a_failure_the_same_call_computes_only_what_is_missing(
    backend: str, made: Callable[..., Any], tmp_path: Path
) -> None:
    path, fails = tmp_path / "results", tmp_path / "log-fails"
    fails.touch()
    with pytest.raises(ValueError, match="3"):
        concompare.map(made(), range(8), backend=backend, workers=2, chunk=1, resume=path)
    first = called(tmp_path)
    assert first[:4] == [0, 1, 2, 3]
    fails.unlink()
    expected = [(x * 10, {x}) for x in range(8)]
    assert concompare.map(made(), range(8), backend=backend, workers=2, chunk=1, resume=path) == expected
    again = called(tmp_path)
    assert 3 in again
    assert not {0, 1, 2} & {*again}
    assert concompare.map(made(), iter(range(8)), backend=backend, workers=2, resume=path) == expected
    assert called(tmp_path) == []


@pytest.mark.parametrize("backend", ["serial", "processes"])
def test_failures_that_are_kept_are_not_recorded(backend: str, made: Callable[..., Any], tmp_path: Path) -> None:
    path, fails = tmp_path / "results", tmp_path / "log-fails"
    fails.touch()
    options: dict[str, Any] = {"backend": backend, "workers": 2, "on_error": "keep", "chunk": 4, "resume": path}
    values = concompare.map(made(), range(6), **options)
    assert [type(value) for value in values] == [tuple] * 3 + [concompare.Failure] + [tuple] * 2
    called(tmp_path)
    fails.unlink()
    assert concompare.map(made(), range(6), **options) == [(x * 10, {x}) for x in range(6)]
    assert called(tmp_path) == [3]


def test_another_function_is_said_and_its_results_are_there_when_it_comes_back(
    made: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "results"
    concompare.map(made(), range(4), backend="serial", resume=path)
    called(tmp_path)
    with pytest.warns(
        NotResumed,
        match="keeps 4 results of another version of f, which this run does not use, since `K` changed. Delete",
    ):
        assert concompare.map(made(11), range(4), backend="serial", resume=path)[3] == (33, {3})
    assert called(tmp_path) == [0, 1, 2, 3]
    with pytest.warns(NotResumed, match="keeps 8 results of another .* since `f` changed"):
        concompare.map(made(code=CODE.replace("x * K", "K * x")), range(4), backend="serial", resume=path)
    called(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert concompare.map(made(), range(4), backend="serial", resume=path)[3] == (30, {3})
        assert called(tmp_path) == []
    with pytest.warns(NotResumed, match="since the seed changed"):
        concompare.map(made(), range(4), backend="serial", seed=1, resume=path)


def test_other_items_are_said_and_the_same_ones_are_used(made: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "results"
    concompare.map(made(), range(4), backend="serial", chunk=1, resume=path)
    called(tmp_path)
    with pytest.warns(NotResumed, match="keeps 1 result of other items, which this run does not use"):
        values = concompare.map(made(), [0, 1, 7, 3, 4], backend="serial", chunk=1, resume=path)
    assert values == [(x * 10, {x}) for x in [0, 1, 7, 3, 4]]
    assert called(tmp_path) == [4, 7]


@pytest.mark.parametrize("backend", BACKENDS)
def test_random_numbers_with_a_seed_are_those_of_one_run(backend: str, tmp_path: Path) -> None:
    code = "import random\ndef f(x): return random.random() if x != stop else 1 / 0"
    names: dict[str, Any] = {"stop": 5}
    exec(code, names)
    whole = concompare.map(lambda x: __import__("random").random(), range(8), backend="serial", seed=3)
    path = tmp_path / "results"
    for count in (4, 8):
        function = names["f"]
        names["stop"] = -1
        values = concompare.map(function, range(count), backend=backend, workers=2, seed=3, resume=path)
    assert values == whole


def test_changes_that_the_file_cannot_give_back_are_told_again(tmp_path: Path) -> None:
    names: dict[str, Any] = {"seen": []}
    exec("def f(x):\n    seen.append(x)\n    return x", names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        concompare.map(names["f"], range(3), backend="threads", workers=2, resume=tmp_path / "results")
    names["seen"].clear()  # as after a restart
    with pytest.raises(LostChanges, match="seen"):
        concompare.map(names["f"], range(3), backend="threads", resume=tmp_path / "results", on_lost_changes="raise")


def test_two_runs_of_the_same_loop_have_results_of_their_own(tmp_path: Path) -> None:
    import random

    from concompare.cells.task import task_of
    from concompare.run import dispatch
    from concompare.run.request import request_of

    def draw(x: int) -> float:
        return random.random()

    def cell() -> list[list[float]]:
        request = request_of(["serial"], None, resume=tmp_path / "results")
        assert request.resume is not None
        try:
            return [dispatch.run(task_of(draw, range(3)), request).value for _ in range(2)]
        finally:
            request.resume.close()

    first, second = cell()
    assert first != second
    assert cell() == [first, second]


def test_what_cannot_be_is_one_line_before_anything_runs(made: Callable[..., Any], tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "none" / "results", "there is no folder .*none: give a file"),
        (tmp_path, "that is a folder: give a file"),
        (3, "resume is 3: give the path of a file"),
    ):
        with pytest.raises(BadOption, match=words):
            concompare.map(made(), range(4), resume=path)  # type: ignore[arg-type]
    with pytest.raises(BadOption, match="resume belongs to one backend and one number of workers"):
        concompare.map(made(), range(4), backend="threads", workers="1,2", resume=tmp_path / "results")
    assert called(tmp_path) == []
