"""loky's workers are started shielded, as ours are."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("loky.backend.fork_exec")

BLOCKED = """
import signal
import loky.backend.fork_exec as starts
from concompare import backends, engine

blocked, start = [], starts.fork_exec
def noted(*arguments, **options):
    blocked.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
    return start(*arguments, **options)
starts.fork_exec = noted
with engine.lease(backends.find("loky"), 2, fresh=True):
    print(blocked)
"""


def test_an_interrupt_does_not_hit_workers_before_they_ignore_it() -> None:
    """In a fresh process, where nothing of multiprocessing runs yet whose start would lift the block."""
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=500, check=True)
    assert done.stdout in ("[True, True]\n", "[True, True, True]\n")  # older ones start their tracker so too
