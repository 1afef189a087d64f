"""Workers that start while something else runs."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.pools import early_start, leasing, open_pools
from concompare.errors import BackendUnavailable


@pytest.fixture(autouse=True)
def no_pools() -> Iterator[None]:
    engine.close_pools()
    yield
    engine.close_pools()


def test_workers_that_started_aside_are_warm_for_the_next_who_asks() -> None:
    threads = backends.find("threads")
    started = engine.Opening(threads, 2)
    started.wait()
    assert started.over
    assert started.problem is None
    [warm] = engine.pools()
    with (lease := engine.lease(threads, 2)) as leased:
        assert leased is warm
        assert not lease.fresh
    assert not open_pools.STARTING


@pytest.mark.parametrize("error", [BackendUnavailable("none here"), RuntimeError("changed during iteration")])
def test_why_workers_did_not_start_is_kept(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def lease(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(early_start, "lease", lease)
    started = engine.Opening(backends.find("threads"), 2)
    started.wait()
    assert str(error) in str(started.problem)
    assert engine.pools() == ()


@pytest.mark.parametrize("chosen", [None, 0.1])
def test_the_start_takes_turns_with_the_notebook_and_leaves_the_interval_as_it_was_or_as_somebody_has_set_it(
    chosen: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, seen = sys.getswitchinterval(), []

    def lease(*_: Any, **__: Any) -> Any:
        seen.append(sys.getswitchinterval())
        if chosen is not None:
            sys.setswitchinterval(chosen)
        raise BackendUnavailable("none here")

    monkeypatch.setattr(early_start, "lease", lease)
    try:
        engine.Opening(backends.find("threads"), 2).wait()
        assert seen == [pytest.approx(early_start.TURN)]
        assert sys.getswitchinterval() == pytest.approx(before if chosen is None else chosen)
    finally:
        sys.setswitchinterval(before)


def test_to_close_all_pools_waits_for_those_that_start(monkeypatch: pytest.MonkeyPatch) -> None:
    go, began = threading.Event(), threading.Event()
    usual = leasing.lease

    def lease(*asked: Any, **more: Any) -> Any:
        began.set()
        go.wait(60)
        return usual(*asked, **more)

    monkeypatch.setattr(early_start, "lease", lease)
    started = engine.Opening(backends.find("threads"), 2)
    assert began.wait(60)
    assert not started.over
    go.set()
    engine.close_pools()
    assert started.over
    assert engine.pools() == ()


def test_nothing_is_imported_beside_the_notebook() -> None:
    """Two threads that import modules which import each other may get them half made."""
    code = (
        "import sys, concompare\n"
        "from concompare import backends, engine\n"
        "from concompare.engine.pools import early_start\n"
        "processes = backends.find('processes')\n"
        "early_start.load_all()\n"
        "before = set(sys.modules)\n"
        "engine.Opening(processes, 2).wait()\n"
        "assert len(engine.pools()) == 1\n"
        "print(sorted(set(sys.modules) - before))\n"
        "engine.close_pools()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
