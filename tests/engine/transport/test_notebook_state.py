"""The notebook's variables and folder on their way to workers that started before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from concompare import backends, engine
from concompare.engine.transport import notebook_state
from concompare.engine.transport.notebook_state import now_in
from concompare.errors import CannotShip
from concompare.testing import define


@pytest.mark.parametrize("name", ["serial", "threads"])
def test_workers_of_this_process_take_nothing(name: str) -> None:
    with engine.lease(backends.find(name), 1) as pool:
        assert now_in(pool) is None


def test_a_folder_that_workers_cannot_enter_is_named(no_leaks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine.lease(backends.find("processes"), 1) as pool:
        monkeypatch.setattr(notebook_state, "here", lambda: "/not/there")
        with pytest.raises(CannotShip, match=r"workers cannot enter the current folder, /not/there: .*%cd ~"):
            engine.run_pass(define("def f(x): return x"), range(3), pool)
        monkeypatch.undo()
        assert engine.run_pass(define("def f(x): return x"), range(3), pool).values == [0, 1, 2]


@pytest.mark.skipif(not Path("/proc/self/cwd").is_dir(), reason="the system gives no way into a deleted folder")
@pytest.mark.parametrize("name", ["processes", "loky", "spawn", "mp-pool"])
def test_a_deleted_folder_is_the_workers_too(
    name: str, no_leaks: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    function = define("""
import os
def f(x):
    try:
        return os.getcwd()
    except FileNotFoundError:
        return os.stat('.').st_ino
""")
    with engine.lease(backends.find(name), 1) as pool:
        engine.run_pass(function, range(2), pool)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with (lease := engine.lease(backends.find(name), 1)) as pool:
        assert not lease.fresh
        assert engine.run_pass(function, range(2), pool).values == [os.stat(".").st_ino] * 2
    monkeypatch.chdir(tmp_path)
    with engine.lease(backends.find(name), 1) as pool:
        assert engine.run_pass(function, range(2), pool).values == [str(tmp_path)] * 2
