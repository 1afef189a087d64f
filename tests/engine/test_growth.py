"""How many messages are under way: the knee of what helps, and less where that is asked for."""

from __future__ import annotations

import heapq

import pytest

from concompare.engine.growth import Growth


def served(growth: Growth, items: int, knee: float, seconds: float = 0.01) -> tuple[float, list[int]]:
    """Let a service answer so many items in `seconds` each, but no more than `knee` of them at a time.

    Returns:
        The seconds for all, and how many were under way when each was sent.
    """
    now, sent, free = 0.0, 0, 0.0
    flying: list[float] = []
    counts: list[int] = []
    while sent < items or flying:
        while sent < items and len(flying) < growth.now:
            free = max(free + seconds / knee, now)  # the service takes one after the other
            heapq.heappush(flying, max(free, now + seconds))
            sent += 1
            counts.append(len(flying))
        now = heapq.heappop(flying)
        growth.note(1, now)
    return now, counts


@pytest.mark.parametrize("knee", [1, 3, 16, 40, 100])
def test_the_knee_is_found_by_doubling_within_fifteen_batches(knee: int) -> None:
    growth = Growth(8, 256)
    seconds, counts = served(growth, 4000, knee)
    assert not growth.grows
    assert max(8, knee) <= growth.now <= max(8, 3 * knee)  # doubled, and a fifth more must be gained
    assert seconds < 1.25 * (4000 * 0.01 / max(knee, 1))
    settled = counts.index(max(counts))
    assert settled <= 15 * growth.now


def test_more_are_not_tried_than_there_may_be() -> None:
    growth = Growth(8, 20)
    served(growth, 2000, 1000)
    assert growth.now == 20
    assert not growth.grows


def test_a_number_that_is_given_stays() -> None:
    growth = Growth(6, 6)
    served(growth, 100, 50)
    assert growth.now == 6


def test_an_exception_that_asks_for_less_halves_it_once_for_all_that_were_under_way() -> None:
    growth = Growth(16, 16)
    growth.back_off(sent=1.0, now=2.0)
    growth.back_off(sent=1.5, now=2.1)  # sent before it was lowered
    assert growth.now == 8
    growth.back_off(sent=2.0, now=3.0)
    assert growth.now == 4
    for _ in range(9):
        growth.back_off(sent=9.0, now=9.0)
    assert growth.now == 1


def test_after_each_round_that_goes_well_one_more_is_tried_up_to_what_was_given() -> None:
    growth = Growth(4, 4)
    growth.back_off(0.0, 1.0)
    assert growth.now == 2
    counts = []
    for place in range(8):
        growth.note(1, 2.0 + place)
        counts.append(growth.now)
    assert counts == [2, 3, 3, 3, 4, 4, 4, 4]


def test_it_grows_no_more_once_less_was_asked_for() -> None:
    growth = Growth(8, 256)
    growth.back_off(0.0, 1.0)
    assert not growth.grows
    assert growth.now == 4
    served(growth, 500, 1000)
    assert growth.now == 8
