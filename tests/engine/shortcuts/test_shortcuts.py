"""The shortcuts of a pool: opened when a pass asks, gone with its workers, and none on the plain way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.shortcuts import direct_channel, large_buffers, lent_memory
from concompare.engine.shortcuts.arena import Arena
from concompare.engine.shortcuts.shortcuts import Shortcuts
from concompare.worker import direct_server

np = pytest.importorskip("numpy")


def test_the_plain_way_uses_none_of_them(monkeypatch: pytest.MonkeyPatch, no_leaks: None) -> None:
    """Neither is called, and the pool's folder holds no file but what every pool has."""

    def used(*_: Any, **__: Any) -> Any:
        raise AssertionError("a shortcut was taken")

    for place, name in (
        (direct_channel, "open_lines"),
        (lent_memory, "offer"),
        (large_buffers, "put"),
        (Arena, "__init__"),
        (Shortcuts, "rehearse"),
    ):
        monkeypatch.setattr(place, name, used)
    table = np.arange(100_000.0)
    with engine.plain_way():
        for _ in range(2):
            with engine.lease(backends.find("processes"), 2) as pool:
                assert pool.folder is not None
                before = {path.name for path in pool.folder.iterdir()}
                outcome = engine.run_pass(lambda array: array + table, [table + number for number in range(5)], pool)
                assert [float(value[0]) for value in outcome.values] == [0.0, 1.0, 2.0, 3.0, 4.0]
                assert {path.name for path in pool.folder.iterdir()} == before
    with engine.lease(backends.find("processes"), 2) as pool, pytest.raises(AssertionError, match="was taken"):
        engine.run_pass(abs, [1], pool)


def test_a_pool_of_one_way_is_not_taken_for_the_other(no_leaks: None) -> None:
    backend = backends.find("processes")
    with engine.lease(backend, 1) as quick:
        engine.run_pass(abs, [-1], quick)
    with engine.plain_way():
        with engine.lease(backend, 1) as plain:
            assert plain is not quick
            assert plain.shortcuts is None
        with engine.lease(backend, 1) as again:
            assert again is plain
    with engine.lease(backend, 1) as after:
        assert after is quick


def test_threads_and_workers_that_are_far_away_have_none() -> None:
    for name in ("threads", "interpreters"):
        assert engine.Pool(backends.find(name), 2).shortcuts is None
    assert engine.Pool(backends.find("processes"), 2).shortcuts is not None


@pytest.mark.skipif(not direct_server.possible(), reason="this system has no Unix sockets")
def test_what_was_opened_goes_with_the_workers_and_new_ones_may_have_it_again(no_leaks: None) -> None:
    with engine.lease(backends.find("processes"), 1, fresh=True) as pool:
        engine.run_pass(abs, [-1], pool)
        assert pool.shortcuts is not None
        first, memory = pool.shortcuts.lines, pool.shortcuts.memory
        assert first is not None
        pool.reopen()
        assert (pool.shortcuts.lines, pool.shortcuts.memory, first.requests) == (None, None, -1)
        engine.run_pass(abs, [-1], pool)
        assert pool.shortcuts.lines not in (None, first)
        assert pool.shortcuts.memory not in (None, memory)


def test_shared_memory_is_made_once(tmp_path: Path) -> None:
    shortcuts = Shortcuts(direct=False)
    assert shortcuts.arena(tmp_path) is shortcuts.arena(tmp_path)
