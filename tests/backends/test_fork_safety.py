"""A fork while native threads compute would hang with the GIL held: it is refused, however late they began."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from concompare import backends
from concompare.backends import fork_safety
from concompare.backends.processes import context_for
from concompare.errors import BackendUnavailable
from concompare.machine import gil_state

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what threads do")

COMPUTES = "another thread of this process computes in native code"


@pytest.fixture
def product() -> Iterator[None]:
    """Multiply matrices in another thread for the time of a test."""
    matrix, done, begun = np.ones((700, 700)), threading.Event(), threading.Event()

    def multiply() -> None:
        while not done.is_set():
            begun.set()
            matrix @ matrix

    thread = threading.Thread(target=multiply)
    thread.start()
    begun.wait(10)
    yield
    done.set()
    thread.join()


def test_fork_is_refused_while_a_matrix_is_multiplied(product: None) -> None:
    assert COMPUTES in str(backends.find("fork").unavailable())
    assert backends.find("processes").unavailable() is None


def test_the_hazard_is_told_where_fork_is_named_and_there_are_threads(product: None) -> None:
    (sentence,) = backends.hazards([backends.find("threads"), backends.find("fork")])
    assert re.match(r"fork: this process runs \d+ threads; a forked worker gets one of them and every lock", sentence)
    assert backends.hazards([backends.find("processes")]) == ()


def test_each_fork_looks_again(product: None) -> None:
    process = context_for("fork").Process(target=print)  # type: ignore[attr-defined]
    with pytest.raises(BackendUnavailable, match=f"fork: {COMPUTES}"):
        process.start()


@pytest.mark.skipif(gil_state() == "off", reason="without a GIL nothing tells Python code from native code: both count")
def test_a_thread_that_runs_python_does_not_count() -> None:
    done = threading.Event()

    def count() -> None:
        number = 0
        while not done.is_set():
            number += 1

    thread = threading.Thread(target=count)
    thread.start()
    try:
        assert fork_safety.reason_to_wait(5.0) is None
    finally:
        done.set()
        thread.join()


@pytest.mark.slow
def test_a_cell_on_fork_ends_while_another_thread_multiplies() -> None:
    """Without the look at the threads the fork never returns, nor does any other thread get the GIL again."""
    script = """
import threading
import numpy as np
import concompare

a, begun = np.ones((3000, 3000)), threading.Event()
def multiply():
    begun.set()
    a @ a
thread = threading.Thread(target=multiply)
thread.start()
begun.wait()
def refused():
    try:
        return concompare.map(abs, [-1, -2], backend="fork", workers=2)
    except concompare.ConcompareError as error:
        return str(error)
first = refused()
thread.join()
print(first)
print(refused())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=500, check=True)
    first, second = done.stdout.splitlines()
    assert COMPUTES in first or first == "[1, 2]"  # a fast machine may be done before
    assert second == "[1, 2]"
