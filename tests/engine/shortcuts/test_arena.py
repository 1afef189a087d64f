"""Slots of shared memory: taken, given back, lost, and none where there is no room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.shortcuts import arena
from concompare.engine.shortcuts.arena import SMALLEST_SLOT, Arena


def test_a_slot_that_is_given_back_is_used_again(tmp_path: Path) -> None:
    memory = Arena(tmp_path)
    first = memory.take(10)
    assert first is not None
    assert first[2] == SMALLEST_SLOT == Path(first[0]).stat().st_size
    assert memory.take(10) != first, "it is somebody's"
    memory.give(first)
    assert memory.take(SMALLEST_SLOT) == first
    assert memory.made == 2


def test_a_slot_that_is_lost_is_never_used_again_and_its_file_goes(tmp_path: Path) -> None:
    memory = Arena(tmp_path)
    slot = memory.take(10)
    assert slot is not None
    memory.lose(slot)
    assert memory.total == 0
    assert not Path(slot[0]).exists()
    assert memory.take(10) != slot


def test_no_more_is_taken_than_there_may_be(tmp_path: Path) -> None:
    memory = Arena(tmp_path)
    memory.limit = 3 * SMALLEST_SLOT
    assert memory.take(2 * SMALLEST_SLOT) is not None
    assert memory.take(2 * SMALLEST_SLOT) is None
    assert memory.take(SMALLEST_SLOT) is not None


def test_without_room_in_shared_memory_results_still_come(monkeypatch: pytest.MonkeyPatch) -> None:
    np = pytest.importorskip("numpy")
    monkeypatch.setattr(arena, "reserve", lambda path, size: False)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(a): return a + 1", namespace)
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        values = engine.run_pass(namespace["f"], [np.zeros(200_000) + x for x in range(6)], pool).values
    assert [float(value[0]) for value in values] == [1, 2, 3, 4, 5, 6]
