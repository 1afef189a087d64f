"""Workers and files whose kernel was killed: whatever is still there, nothing stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from concompare.engine.folders import KEEPERS, SETTLED, make_folder, release_alive, sweep

pytest.importorskip("fcntl")

START = """
import os, sys, time
from concompare.workplace import BOARD, begin
folder = sys.argv[1]
open(folder + "/board", "wb").write(bytes(8 * BOARD.size))
begin(folder, os.getppid(), dict(os.environ), {})
time.sleep(60)
"""


def test_a_worker_ends_where_another_one_has_removed_the_folder_already(tmp_path: Path) -> None:
    """The kernel's lock is held by nobody, and its file gone: two workers may notice the end at the same time."""
    ended = subprocess.run([sys.executable, "-c", START, str(tmp_path)], timeout=30, capture_output=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == b""
    assert not tmp_path.exists()


KILLED = """
import os, signal
from concompare.engine.folders import make_folder
print(make_folder(2), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_files_are_removed_where_there_was_no_worker_yet_when_the_kernel_was_killed() -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED], timeout=30, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    folder = Path(killed.stdout.strip())
    assert folder.name.startswith("concompare-")
    end = time.monotonic() + 20
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not folder.exists()


def test_who_would_remove_a_folder_goes_with_it() -> None:
    folder = make_folder(2)
    keeper, writing = KEEPERS[folder]
    os.kill(keeper, 0)
    release_alive(folder)
    with pytest.raises(ProcessLookupError):
        os.kill(keeper, 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writing)
    shutil.rmtree(folder)


def test_folders_of_kernels_killed_while_they_made_them_are_swept_once_they_have_settled(tmp_path: Path) -> None:
    old, new, others = (tmp_path / name for name in ("concompare-1-a", "concompare-2-b", "someone-1-a"))
    for folder in (old, new, others):
        folder.mkdir()
    long_ago = time.time() - 2 * SETTLED
    os.utime(old, (long_ago, long_ago))
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == [new, others]
