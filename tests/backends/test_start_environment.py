from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from concompare.backends import start_environment


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
