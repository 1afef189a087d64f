"""What the clocks of a worker's thread count as the work of an item."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from concompare.worker import clocks
from concompare.worker.clocks import Meter

COMPUTED = 0.05
"""CPU seconds that the other thread computes."""

counted = pytest.mark.skipif(clocks.run_queue() is None, reason="the system does not count the CPU time of threads")


@pytest.fixture(autouse=True)
def fresh_files() -> Iterator[None]:
    clocks.LOCAL.__dict__.pop("apart", None)
    yield
    clocks.LOCAL.__dict__.pop("apart", None)


@contextmanager
def computing() -> Iterator[tuple[threading.Thread, threading.Event, threading.Event]]:
    """A thread that computes once it is told to, says when it has, and stays until the end."""
    begin, done, leave = threading.Event(), threading.Event(), threading.Event()

    def compute() -> None:
        begin.wait()
        end = time.thread_time() + COMPUTED
        while time.thread_time() < end:
            pass
        done.set()
        leave.wait()

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield thread, begin, done
    finally:
        begin.set()
        leave.set()
        thread.join()


def native_beside(begin: threading.Event, done: threading.Event) -> float:
    """Return what a meter counts for other threads while that thread computes."""
    meter = Meter()
    begin.set()
    done.wait()
    return meter.read()[3]


@counted
def test_what_threads_of_the_kernel_compute_is_not_the_items_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with computing() as (thread, begin, done):
        monkeypatch.setattr(clocks, "APART", (thread.native_id,))
        native = native_beside(begin, done)
    assert native < COMPUTED / 2


def test_what_threads_of_the_user_compute_is() -> None:
    with computing() as (thread, begin, done):
        assert thread.native_id not in clocks.APART
        native = native_beside(begin, done)
    assert native >= COMPUTED / 2


def test_threads_that_have_ended_count_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "APART", (2**22 + 1,))  # beyond the numbers that Linux gives to threads
    assert clocks.spent_apart() == 0


def test_the_main_thread_is_not_one_of_the_kernels_own() -> None:
    with computing() as (thread, _, _):
        found = clocks.apart()
    assert thread.native_id in found
    assert threading.main_thread().native_id not in found
