"""The list of open pools, and their end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from concompare.engine.pools import directory, open_pools


class Fake:
    """A pool that only takes itself off the lists."""

    def close(self) -> None:
        open_pools.forget(self)


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WARM", "OUT", "STARTING", "BEFORE_EXIT"):
        monkeypatch.setattr(open_pools, name, [])


def test_all_are_closed_those_in_use_too() -> None:
    open_pools.WARM.append(Fake())
    open_pools.OUT.append(Fake())
    open_pools.close_pools()
    assert open_pools.WARM == open_pools.OUT == []


def test_only_those_that_nobody_uses_are_closed_to_make_room() -> None:
    used = Fake()
    open_pools.WARM.extend([Fake(), Fake()])
    open_pools.OUT.append(used)
    open_pools.close_warm()
    assert open_pools.WARM == []
    assert [used] == open_pools.OUT


def test_those_that_start_are_waited_for() -> None:
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(True))
    open_pools.STARTING.append(thread)
    thread.start()
    open_pools.close_pools()
    assert ended == [True]


def test_what_was_asked_for_comes_to_its_end_before_the_pools_do() -> None:
    seen: list[int] = []
    open_pools.OUT.append(Fake())
    open_pools.BEFORE_EXIT.append(lambda: seen.append(len(open_pools.OUT)))
    open_pools.close_at_exit()
    assert seen == [1]
    assert open_pools.OUT == []


def test_a_forked_child_has_none() -> None:
    open_pools.WARM.append(Fake())
    open_pools.OUT.append(Fake())
    alive, keepers = dict(directory.ALIVE), dict(directory.KEEPERS)
    directory.ALIVE.clear()  # this process is no child: it goes on with its own files
    try:
        open_pools.forget_all()
    finally:
        directory.ALIVE.update(alive)
        directory.KEEPERS.update(keepers)
    assert open_pools.WARM == open_pools.OUT == []
