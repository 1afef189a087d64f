"""Items that start workers of their own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine
from concompare.testing import define

SOURCE = """
import concompare
def f(x):
    return concompare.map(abs, [-x, -2], backend="processes", workers=1)
"""


def test_an_item_on_fork_may_use_processes_though_the_notebook_has_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("concompare.backends.processes.reason_not_to_fork", lambda *_: None)
    with engine.lease(backends.find("processes"), 1) as pool:
        assert engine.run_pass(abs, [-1], pool).values == [1]
    with engine.lease(backends.find("fork"), 1, fresh=True) as pool:
        assert engine.run_pass(define(SOURCE), [3], pool).values == [[3, 2]]


@pytest.mark.skipif(backends.find("forkserver").unavailable() is not None, reason="this system has no fork server")
def test_a_fork_server_whose_address_has_been_tidied_away_is_started_anew(no_leaks: None) -> None:
    server: Any = importlib.import_module("multiprocessing.forkserver")
    backend = backends.find("forkserver")
    for _ in range(2):
        with engine.lease(backend, 1, fresh=True) as pool:
            assert engine.run_pass(abs, [-1], pool).values == [1]
        os.unlink(server._forkserver._forkserver_address)


SCRIPT = """
import multiprocessing, sys
import concompare

class Point:
    def __init__(self, x): self.x = x

def twice(point):
    return Point(point.x * 2)

def work():
    found = concompare.map(twice, map(Point, range(4)), backend="processes", workers=1)
    print([type(point) is Point and point.x for point in found], flush=True)

if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=work, daemon=True)
    child.start()
    child.join()
    print(child.exitcode)
"""


def test_a_process_of_the_users_script_has_workers_and_ends_with_them(tmp_path: Path) -> None:
    """Though it is daemonic, calls no `atexit`, waits for its children, and knows the script by another name."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.stderr) == ("[0, 2, 4, 6]\n0\n", "")
