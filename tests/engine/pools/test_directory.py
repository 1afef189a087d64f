"""Workers and files whose kernel was killed: whatever is still there, nothing stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from concompare.engine.pools import directory
from concompare.engine.pools.directory import (
    KEEPERS,
    LEFT,
    SETTLED,
    make_folder,
    release_alive,
    remove,
    remove_left,
    short_lived_folder,
    sweep,
)

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

locks = pytest.mark.skipif(fcntl is None, reason="the kernel is known to live by a lock of its file")

START = """
import os, sys, time
from concompare.worker.bootstrap import BOARD, begin
folder = sys.argv[1]
open(folder + "/board", "wb").write(bytes(8 * BOARD.size))
begin(folder, os.getppid(), dict(os.environ), {})
time.sleep(3600)
"""


@locks
def test_a_worker_ends_where_another_one_has_removed_the_folder_already(tmp_path: Path) -> None:
    """The kernel's lock is held by nobody, and its file gone: two workers may notice the end at the same time."""
    ended = subprocess.run([sys.executable, "-c", START, str(tmp_path)], timeout=500, capture_output=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == b""
    assert not tmp_path.exists()


LATE = """
import os, sys
from concompare.worker.bootstrap import begin
begin(sys.argv[1], os.getppid(), dict(os.environ), {})
"""


def test_a_worker_that_starts_while_its_folder_is_removed_leaves_nothing(tmp_path: Path) -> None:
    """It can still make the file of its slot, but the board has gone; who removes the folder finds it not empty."""
    ended = subprocess.run([sys.executable, "-c", LATE, str(tmp_path)], timeout=500, capture_output=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == b""
    assert not tmp_path.exists()


KILLED = """
import os, signal
from concompare.engine.pools.directory import make_folder
print(make_folder(2), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@locks
def test_files_are_removed_where_there_was_no_worker_yet_when_the_kernel_was_killed() -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], timeout=500, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    folder = Path(killed.stdout.strip())
    assert folder.name.startswith("concompare-")
    end = time.monotonic() + 500
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not folder.exists()


@pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="no process removes folders")
def test_who_removes_a_folder_is_there_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[bool] = []
    monkeypatch.setattr(directory, "MEMORY", str(tmp_path))
    monkeypatch.setattr(directory, "keep", lambda folder: there.append(folder.exists()))
    folder = make_folder(2)
    release_alive(folder)
    remove(folder)
    assert folder.parent == tmp_path
    assert there == [False]


@pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="no process removes folders")
def test_who_removes_a_folder_looks_again_where_it_could_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that starts late may have put a file into it; here the first try does nothing at all."""
    tries, programs, folder = tmp_path / "tries", tmp_path / "programs", tmp_path / "folder"
    programs.mkdir()
    folder.mkdir()
    (programs / "rm").write_text(f'#!/bin/sh\n[ -e {tries} ] && exec /bin/rm "$@"\n: > {tries}\n')
    (programs / "rm").chmod(0o755)
    monkeypatch.setattr(os, "defpath", f"{programs}:{os.defpath}")
    directory.keep(folder)
    keeper, writing = KEEPERS.pop(folder)
    os.close(writing)
    os.waitpid(keeper, 0)
    assert tries.exists()
    assert not folder.exists()


def test_a_short_lived_folder_goes_with_its_context_and_with_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Path] = []
    before = dict(KEEPERS)
    monkeypatch.setattr(directory, "keep", kept.append)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with short_lived_folder() as folder:
        assert kept == [folder]
        assert list(tmp_path.iterdir()) == [folder]
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []
    assert before == KEEPERS


@locks
def test_who_would_remove_a_folder_goes_when_it_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before: this process may be killed in between."""
    folder = make_folder(2)
    keeper, writing = KEEPERS[folder]
    removed: list[Path] = []

    def removing(path: Path, *, ignore_errors: bool) -> None:
        os.kill(keeper, 0)
        removed.append(path)
        shutil.rmtree(path, ignore_errors=ignore_errors)

    release_alive(folder)
    with monkeypatch.context() as watched:
        watched.setattr(directory, "shutil", SimpleNamespace(rmtree=removing))
        remove(folder)
    assert removed == [folder]
    with pytest.raises(ProcessLookupError):
        os.kill(keeper, 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writing)
    assert not folder.exists()


def test_a_folder_into_which_a_late_worker_puts_a_file_is_removed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    late = iter([True])

    def removing(path: Path, *, ignore_errors: bool) -> None:
        shutil.rmtree(path, ignore_errors=ignore_errors)
        if next(late, False):
            path.mkdir()
            (path / "slot-0").touch()

    monkeypatch.setattr(directory, "shutil", SimpleNamespace(rmtree=removing))
    remove(folder)
    assert not folder.exists()
    assert folder not in LEFT


def test_folders_of_kernels_killed_while_they_made_them_are_swept_once_they_have_settled(tmp_path: Path) -> None:
    old, new, others = (tmp_path / name for name in ("concompare-1-a", "concompare-2-b", "someone-1-a"))
    for folder in (old, new, others):
        folder.mkdir()
    long_ago = time.time() - 2 * SETTLED
    os.utime(old, (long_ago, long_ago))
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == [new, others]


def gone() -> int:
    """Return the id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_without_locks_the_folders_of_processes_that_are_gone_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    names = (f"concompare-{gone()}-a", f"concompare-{os.getpid()}-b", "concompare-x-c")
    dead, living, others = (tmp_path / name for name in names)
    long_ago = time.time() - 2 * SETTLED
    for folder in (dead, living, others):
        folder.mkdir()
        (folder / "alive").touch()
        os.utime(folder, (long_ago, long_ago))
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([living, others])


def test_a_folder_that_is_still_in_use_is_removed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "concompare-1-a"
    folder.mkdir()
    with monkeypatch.context() as busy:
        busy.setattr(shutil, "rmtree", lambda *_, **__: None)  # as where a worker has a file of it open
        remove(folder)
    assert folder.exists()
    assert folder in LEFT
    remove_left()
    assert not folder.exists()
    assert folder not in LEFT
