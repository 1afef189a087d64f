"""What a worker does with one chunk of items that came without anyone knowing how long they take."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from typing import Any

import pytest

from concompare import worker
from concompare.parcels import Parcel, pack


class Clock:
    """A clock that only the items move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def computed(clock: Clock, takes: Callable[[int], float], count: int, limit: float, **how: Any) -> worker.Computed:
    """Compute items 0, 1, … that take so long each."""

    def call(item: int) -> int:
        clock.now += takes(item)
        if item in how.get("fail", ()):
            raise ValueError(item)
        return item + 1

    done = worker.Computed()
    worker.compute(call, range(count), done, stopped=lambda: clock.now > limit, keep_going="fail" in how)
    return done


def test_tiny_items_are_timed_by_the_block(clock: Clock) -> None:
    done = computed(clock, lambda item: 1e-6 if item else 9e-6, 200, limit=1.0)
    assert done.values == list(range(1, 201))
    assert done.seconds == pytest.approx([9e-6] + [1e-6] * 199)
    assert worker.worth_sending(done.seconds) == tuple(done.seconds), "they are few"
    assert worker.worth_sending(done.seconds * 2) == ()


def test_a_heavy_item_among_tiny_ones_is_noticed_and_the_rest_is_given_back(clock: Clock) -> None:
    # 16 items timed and tiny; a block of 64 whose last takes a second; from there on one by one, until the limit.
    done = computed(clock, lambda item: 1e-6 if item < 79 else 1.0, 200, limit=2.5)
    assert len(done.values) == 82
    assert done.seconds[:16] == pytest.approx([1e-6] * 16)
    assert done.seconds[16:80] == pytest.approx([(63e-6 + 1.0) / 64] * 64)
    assert done.seconds[80:] == [1.0, 1.0]
    assert worker.worth_sending(done.seconds * 4) == tuple(done.seconds * 4)


def test_errors_in_blocks_keep_their_places(clock: Clock) -> None:
    done = computed(clock, lambda _: 1e-6, 200, limit=1.0, fail=(0, 100, 199))
    assert [(offset, str(error)) for offset, error in done.errors] == [(0, "0"), (100, "100"), (199, "199")]
    assert [value for value in done.values if value is not None] == [
        n + 1 for n in range(200) if n not in (0, 100, 199)
    ]
    assert len(done.seconds) == 200
    assert sum(done.seconds) == pytest.approx(200e-6)


def test_a_large_first_message_of_tiny_items_brings_no_times_back() -> None:
    request = worker.Request("blocks", pickle.dumps(abs), 0, Parcel(pack(list(range(-50_000, 0)))), True, limit=60.0)
    answer = worker.run(request)
    assert pickle.loads(answer.values.data) == list(range(50_000, 0, -1))
    assert answer.seconds == ()
