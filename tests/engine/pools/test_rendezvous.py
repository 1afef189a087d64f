"""The first calls of workers that have just started."""

from __future__ import annotations

import contextlib
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from concompare import backends
from concompare.engine.pools.rendezvous import ASKED, Present, Rendezvous
from concompare.errors import BackendUnavailable


def rendezvous(executor: Any, name: str = "threads", check: Any = lambda: None) -> Rendezvous:
    return Rendezvous(backends.find(name), executor, check)


def test_all_workers_answer_and_nothing_of_it_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Path, "mkdir", lambda *_: pytest.fail("a killed process would leave it"))
    with ThreadPoolExecutor(3) as executor:
        present = rendezvous(executor).meet(3, None, contextlib.nullcontext())
    assert present.got == len(present.idents) == 3
    assert present.pids == (present.idents[0][0],), "threads are of one process"
    assert list(tmp_path.iterdir()) == []


def test_fewer_workers_than_asked_for_are_counted_as_they_are() -> None:
    """Who shares no folder cannot wait for the others: whoever answers twice is one worker all the same."""
    with ThreadPoolExecutor(1) as executor:
        present = rendezvous(executor, "processes").meet(2, None, contextlib.nullcontext())
    assert present.got == 1


def test_an_executor_that_takes_no_calls_is_not_available() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(BackendUnavailable, match="threads: cannot schedule new futures after shutdown"):
        rendezvous(executor).meet(1, None, contextlib.nullcontext())


def test_an_interrupt_ends_the_wait() -> None:
    class Silent:
        def submit(self, *_: Any) -> Future[Any]:
            return Future()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rendezvous(Silent(), check=interrupt).meet(1, None, contextlib.nullcontext())


def test_what_a_message_costs_is_asked_a_few_times() -> None:
    class Counting(ThreadPoolExecutor):
        calls = 0

        def submit(self, *call: Any, **options: Any) -> Any:
            self.calls += 1
            return super().submit(*call, **options)

    with Counting(1) as executor:
        assert rendezvous(executor).cost_of_a_message() > 0
    assert 1 <= executor.calls <= ASKED


def test_nobody_is_present_before() -> None:
    assert Present() == Present(None, (), ())
