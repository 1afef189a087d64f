from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable
from multiprocessing import process
from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine
from concompare.backends import start_environment
from concompare.testing import define


@pytest.fixture
def deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()


@pytest.mark.skipif(not os.path.isdir("/proc/self/cwd"), reason="this system gives no way into a deleted folder")
@pytest.mark.usefixtures("deleted")
def test_workers_that_start_at_once_are_all_told_the_deleted_folder() -> None:
    first_has_left, second_is_in = threading.Event(), threading.Event()
    told: list[str] = []

    def second() -> None:
        with start_environment.somewhere():
            second_is_in.set()
            first_has_left.wait()
            told.append(os.getcwd())

    thread = threading.Thread(target=second)
    with start_environment.somewhere():
        thread.start()
        second_is_in.wait()
    first_has_left.set()
    thread.join()
    assert told == [f"/proc/{os.getpid()}/cwd"]
    with pytest.raises(FileNotFoundError):
        os.getcwd()


def test_what_is_changed_while_workers_start_is_undone_after_the_last_one() -> None:
    done: list[str] = []

    def begin() -> Callable[[], object]:
        done.append("changed")
        return lambda: done.append("undone")

    change = start_environment.WhileStarting(begin)
    with change():
        with change():
            assert done == ["changed"]
        assert done == ["changed"]
    assert done == ["changed", "undone"]


def test_a_daemonic_process_may_start_workers_while_it_starts_ours() -> None:
    told: dict[str, Any] = process.current_process()._config  # type: ignore[attr-defined]
    told["daemon"] = True
    try:
        with engine.lease(backends.find("spawn"), 1, fresh=True) as pool:
            assert engine.run_pass(abs, [-1], pool).values == [1]
        assert told["daemon"] is True
    finally:
        del told["daemon"]


def test_streams_that_the_terminal_does_not_have_are_there_while_workers_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with start_environment.with_streams():
        sys.stderr.flush()
        assert sys.stdout is not None
    assert sys.stderr is None


def test_a_folder_that_has_been_tidied_away_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, Any] = process.current_process()._config  # type: ignore[attr-defined]
    monkeypatch.setitem(told, "tempdir", str(tmp_path))
    start_environment.renew_folder()
    assert told["tempdir"] == str(tmp_path)
    monkeypatch.setitem(told, "tempdir", str(tmp_path / "gone"))
    start_environment.renew_folder()
    assert told["tempdir"] is None


def test_workers_have_a_package_without_init_that_a_later_entry_of_the_path_would_hide(
    no_leaks: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """IPython 8 adds a folder to the path, with a package `tests` in it: one of the user's may be loaded before."""
    for folder, text in (("mine/cc_hidden", None), ("theirs/cc_hidden", "mine = False")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / ("part.py" if text is None else "__init__.py")).write_text(text or "mine = True")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "mine"), *sys.path])
    importlib.import_module("cc_hidden")
    try:
        sys.path.append(str(tmp_path / "theirs"))
        assert ("cc_hidden", (str(tmp_path / "mine" / "cc_hidden"),)) in start_environment.namespaces_hidden()
        function = define("def f(x):\n    from cc_hidden import part\n    return part.mine")
        with engine.lease(backends.find("processes"), 1, fresh=True) as pool:
            assert engine.run_pass(function, [1], pool).values == [True]
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "cc_hidden"]:
            del sys.modules[name]
