"""How long a pass will go on: on schedules that are played through, so that the end is known."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence

import pytest

from concompare.engine import forecast
from concompare.engine.forecast import seconds_left
from concompare.records import Message


def played(durations: Sequence[float], workers: int, chunk: int) -> tuple[list[tuple[float, float, int, int]], float]:
    """Return begin, end, worker and first item of each message, and when the last one ends."""
    free = [(0.0, worker) for worker in range(workers)]
    messages = []
    for first in range(0, len(durations), chunk):
        begin, worker = heapq.heappop(free)
        end = begin + sum(durations[first : first + chunk])
        messages.append((begin, end, worker, first))
        heapq.heappush(free, (end, worker))
    return messages, max(free)[0]


def told(durations: Sequence[float], workers: int, chunk: int, share: float) -> tuple[float, float]:
    """Return when the run is expected to end after a share of it, and when it ends."""
    messages, end = played(durations, workers, chunk)
    now = share * end
    done = [
        Message(
            first, len(items), worker, begin, begin, begin, last, last, last, 0.0, seconds=items if chunk == 1 else ()
        )
        for begin, last, worker, first in messages
        for items in [tuple(durations[first : first + chunk])]
        if last <= now
    ]
    running = [(now - begin, chunk) for begin, last, *_ in messages if begin < now < last]
    waiting = len(durations) - sum(chunk for begin, *_ in messages if begin < now)
    left = seconds_left(done, running, waiting, workers)
    assert left is not None
    return now + left, end


DRAW = random.Random(3)
NUMBER = 1200
UNEVEN = {
    "even": [1.0] * NUMBER,
    "exponential": [DRAW.expovariate(1) for _ in range(NUMBER)],
    "lognormal": [DRAW.lognormvariate(0, 1) for _ in range(NUMBER)],
    "one in ten long": [20.0 if DRAW.random() < 0.1 else 1.0 for _ in range(NUMBER)],
    "growing": [0.1 + place / NUMBER for place in range(NUMBER)],
    "growing faster": [0.05 + (place / NUMBER) ** 2 for place in range(NUMBER)],
    "growing, with noise": [(0.1 + place / NUMBER) * DRAW.lognormvariate(0, 0.3) for place in range(NUMBER)],
    "shrinking": [1.1 - place / NUMBER for place in range(NUMBER)],
}


@pytest.mark.parametrize("kind", UNEVEN)
@pytest.mark.parametrize(("workers", "chunk"), [(1, 1), (4, 1), (8, 4)])
def test_from_a_third_of_the_run_on_its_end_is_told_within_a_fifth(kind: str, workers: int, chunk: int) -> None:
    for share in (1 / 3, 0.5, 0.7, 0.9, 0.98):
        expected, end = told(UNEVEN[kind], workers, chunk, share)
        assert abs(expected - end) <= 0.2 * end, share


def test_few_long_items_are_played_to_their_end() -> None:
    expected, end = told([10.0] * 9, 4, 1, 0.5)  # three rounds, the last of one item only
    assert end == 30
    assert expected == pytest.approx(30)


def test_items_that_run_still_count_for_as_long_as_they_have_run() -> None:
    done = [Message(place, 1, 0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, seconds=(1.0,)) for place in range(3)]
    assert seconds_left(done, [], 6, 1) == pytest.approx(6)
    four = seconds_left(done, [(9.0, 1)], 6, 1)
    assert four is not None
    assert four > 6 * 3  # (3 × 1 + 9 or more) / 4 each, and what is left of the fourth


def test_the_time_between_messages_counts() -> None:
    done = [
        Message(place, 1, 0, begun, begun, begun, begun + 1, begun + 2, begun + 2)
        for place, begun in enumerate((0.0, 2.0, 4.0, 6.0))
    ]
    assert seconds_left(done, [], 10, 1) == pytest.approx(20)


def test_a_message_of_many_counts_as_many() -> None:
    """One item of a second when all was cold, and a million of a microsecond."""
    cold = Message(0, 1, 0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0)
    warm = [Message(1 + 10**5 * turn, 10**5, 0, 1.0, 1.0, 1.0, 1.1, 1.1, 1.1) for turn in range(10)]
    left = seconds_left([cold, *warm], [(0.05, 10**5)], 10**6, 1)
    assert left == pytest.approx(1.05, rel=0.01)


def test_nothing_is_told_of_too_few() -> None:
    message = Message(0, 1, 0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, seconds=(1.0,))
    assert seconds_left([message] * (forecast.LEAST - 1), [], 5, 2) is None
    assert seconds_left([message] * forecast.LEAST, [], 0, 2) == 0
