"""Items one by one and in bulk, in whatever worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from concompare.worker import compute
from concompare.worker.capture import recording


@pytest.mark.parametrize("stopped", [None, lambda: False])
def test_in_bulk_too_prints_and_errors_find_their_item(stopped: Any) -> None:
    done = compute.Computed()

    def work(x: int) -> int:
        if x % 50 == 0:
            print(f"at {x}")
        return 100 // (x - 130)

    with recording(done):
        compute.compute(work, range(200), done, each=False, keep_going=True, stopped=stopped)
    assert done.output == [(x, "stdout", f"at {x}\n") for x in (0, 50, 100, 150)]
    assert [offset for offset, _ in done.errors] == [130]
    assert len(done.values) == 200
    assert done.values[129:132] == [-100, None, 100]


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


def computed(clock: Clock, takes: Callable[[int], float], count: int, limit: float, **how: Any) -> compute.Computed:
    """Compute items 0, 1, … that take so long each."""

    def call(item: int) -> int:
        clock.now += takes(item)
        if item in how.get("fail", ()):
            raise ValueError(item)
        return item + 1

    done = compute.Computed()
    compute.compute(call, range(count), done, stopped=lambda: clock.now > limit, keep_going="fail" in how)
    return done


def test_tiny_items_are_timed_by_the_block(clock: Clock) -> None:
    done = computed(clock, lambda item: 1e-6 if item else 9e-6, 200, limit=1.0)
    assert done.values == list(range(1, 201))
    assert done.worth_telling() == pytest.approx([9e-6] + [1e-6] * 199), "they are few"
    assert computed(clock, lambda item: 1e-6, 257, limit=1.0).worth_telling() == ()
    assert len(computed(clock, lambda item: 1e-6, 256, limit=1.0).worth_telling()) == 256


def test_a_heavy_item_among_tiny_ones_is_noticed_and_the_rest_is_given_back(clock: Clock) -> None:
    # 16 items timed and tiny; a block of 64 whose last takes a second; from there on one by one, until the limit.
    done = computed(clock, lambda item: 1e-6 if item < 79 else 1.0, 200, limit=2.5)
    assert len(done.values) == 82
    told = done.worth_telling()
    assert told[:16] == pytest.approx([1e-6] * 16)
    assert told[16:80] == pytest.approx([(63e-6 + 1.0) / 64] * 64)
    assert told[80:] == (1.0, 1.0)
    late = computed(clock, lambda item: 1e-6 if item < 300 else 1.0, 400, limit=clock.now + 1.5)
    assert len(late.worth_telling()) == len(late.values), "many, and not tiny together"


def test_errors_in_blocks_keep_their_places(clock: Clock) -> None:
    done = computed(clock, lambda _: 1e-6, 200, limit=1.0, fail=(0, 100, 199))
    assert [(offset, str(error)) for offset, error in done.errors] == [(0, "0"), (100, "100"), (199, "199")]
    assert [value for value in done.values if value is not None] == [
        n + 1 for n in range(200) if n not in (0, 100, 199)
    ]
    told = done.worth_telling()
    assert len(told) == 200
    assert sum(told) == pytest.approx(200e-6)


def test_items_are_left_when_the_time_is_up_but_never_the_first_one() -> None:
    now = [5.0]
    stop = compute.Stop(2.0, lambda: now[0])
    assert not stop(), "the time begins when it is first asked"
    now[0] = 7.0
    assert not stop()
    now[0] = 7.1
    assert stop()
    assert not compute.Stop(0.0, lambda: now[0])()
    assert not any(compute.Stop(None, lambda: now[0])() for _ in range(3))


def test_items_that_nobody_wants_are_left_at_once() -> None:
    wanted = [True]
    stop = compute.Stop(None, lambda: 0.0, lambda: not wanted[0])
    assert not stop()
    wanted[0] = False
    assert stop()
