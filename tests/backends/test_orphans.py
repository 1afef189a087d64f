"""A worker that starts while its kernel ends must find that out, whatever is still there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
