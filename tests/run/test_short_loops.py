"""What takes next to nothing beside other loops runs as it is the next time."""

from __future__ import annotations

import time

import pytest

from concompare.run import short_loops


@pytest.fixture(autouse=True)
def forgotten() -> None:
    short_loops.LASTED.clear()


@pytest.mark.parametrize(
    ("seconds", "wall", "short"),
    [(0.001, 0.02, True), (0.009, 0.02, True), (0.009, 0.004, False), (0.011, 0.02, False), (2.0, 0.6, False)],
)
def test_a_loop_is_short_where_its_items_take_less_than_to_hand_them_out(
    seconds: float, wall: float, short: bool
) -> None:
    lasted = short_loops.lasted_in("cell")
    short_loops.note("cell", (3, 0), seconds, wall)
    assert lasted((3, 0)) == (seconds if short else None)
    assert lasted((3, 9)) is lasted((4, 0)) is short_loops.lasted_in("another cell")((3, 0)) is None


def test_a_short_loop_that_takes_longer_is_handed_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.0, 1.001, 5.0, 5.5])
    monkeypatch.setattr(time, "perf_counter", lambda: next(times))
    lasted = short_loops.lasted_in("cell")
    short_loops.note("cell", (3, 0), 0.001, 0.02)
    assert short_loops.played("cell", (3, 0), lambda: 7) == 7
    assert lasted((3, 0)) == pytest.approx(0.001)
    assert short_loops.played("cell", (3, 0), lambda: 8) == 8
    assert lasted((3, 0)) is None


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(short_loops, "MOST", 2)
    for line in (1, 2, 3):
        short_loops.note("cell", (line, 0), 0.001, 0.02)
    assert [short_loops.seconds_of("cell", (line, 0)) for line in (1, 2, 3)] == [None, 0.001, 0.001]
