"""What needs new workers when it changes, and what does not."""

from __future__ import annotations

import os
import statistics  # noqa: F401 - a module that the notebook has from the standard library
import sys
from pathlib import Path

import pytest

from concompare import backends, engine
from concompare.engine.pools.inherited_state import State, state_now
from concompare.testing import define


@pytest.fixture(autouse=True)
def no_relative_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry and Path(entry).is_absolute()])


def after(change: object) -> tuple[State, State]:
    before = state_now()
    change()  # type: ignore[operator]
    return before, state_now()


def test_nothing_changed_is_the_same_state() -> None:
    before, now = after(lambda: None)
    assert now is before


def test_a_variable_and_the_folder_need_no_new_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before, now = after(lambda: monkeypatch.setenv("CC_TEST", "1"))
    assert now.start == before.start
    assert now.rest != before.rest
    before, now = after(lambda: monkeypatch.chdir(tmp_path))
    assert now.start == before.start
    assert now.rest != before.rest


def test_what_is_read_at_the_start_needs_new_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    limit = sys.getrecursionlimit()
    for change in (
        lambda: monkeypatch.setenv("LD_LIBRARY_PATH", "/there"),
        lambda: monkeypatch.syspath_prepend(tmp_path),
        lambda: sys.setrecursionlimit(limit + 50),
    ):
        before, now = after(change)
        assert now.start != before.start
    sys.setrecursionlimit(limit)


def test_a_folder_that_is_searched_for_modules_needs_new_workers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before, now = after(lambda: monkeypatch.chdir(tmp_path))
    assert now.start == before.start  # absolute entries only
    monkeypatch.chdir(os.sep)
    sys.path.insert(0, "")
    before, now = after(lambda: monkeypatch.chdir(tmp_path))
    assert now.start != before.start


def test_a_function_that_uses_a_module_gets_the_notebooks_after_the_folder_has_changed(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The worker's folder is searched first there too, and it has not loaded the module before."""
    (tmp_path / "statistics.py").write_text("def mean(values): return 'the wrong one'\n")
    sys.path.insert(0, "")
    mean = define("import statistics\ndef f(x): return statistics.mean([x, x])")
    with engine.lease(backends.find("processes"), 1) as pool:
        engine.run_pass(define("def f(x): return x"), range(2), pool)
    monkeypatch.chdir(tmp_path)
    with engine.lease(backends.find("processes"), 1) as pool:
        assert engine.run_pass(mean, [1, 2], pool).values == [1, 2]
