"""The plain loop as a pass."""

from __future__ import annotations

from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.outcome import PassOptions
from concompare.engine.serial_pass import COPIED, Rest, Taker
from concompare.errors import Interrupted


def test_a_step_bounds_what_the_plain_loop_takes_between_two_looks_at_the_clock() -> None:
    from concompare.measure.machine_probes import spin

    counts = {}
    for step in (None, 0.002):
        with engine.lease(backends.find("serial"), 1) as pool:
            record = engine.run_pass(spin, [0.0005] * 64, pool, PassOptions(cap=60, step=step)).record
        assert record is not None
        assert record.items == 64
        counts[step] = max(message.count for message in record.messages)
    assert counts[None] > counts[0.002]  # half a millisecond each, or more: 10 ms are aimed at otherwise
    assert 1 <= counts[0.002] <= 4


@pytest.mark.parametrize("on_error", ["stop", "keep"])
@pytest.mark.parametrize("expected", [0.0, 1e-6])
def test_an_interrupt_in_the_middle_of_a_bulk_keeps_what_finished(on_error: Any, expected: float) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 7:
            raise KeyboardInterrupt
        if item == 3 and on_error == "keep":
            raise ValueError
        return item * item

    options = PassOptions(on_error=on_error, expected=expected)
    with (
        engine.lease(backends.find("serial"), 1) as pool,
        pytest.raises(Interrupted, match="interrupted after 7 items"),
    ):
        engine.run_pass(work, list(range(50)), pool, options)
    assert begun == list(range(8))
    values = engine.last().values
    assert [value for place, value in enumerate(values) if place != 3] == [0, 1, 4, 16, 25, 36]
    assert values[3] == 9 or [failure.index for failure in engine.last().failures] == [3]


@pytest.mark.parametrize("items", [list(range(5000)), range(5000), tuple(range(5000))], ids=["list", "range", "tuple"])
def test_the_rest_of_some_items_is_walked_where_they_are(items: Any) -> None:
    rest = Rest(items, 1200)
    assert len(rest) == 3800
    assert rest[3] == 1203
    assert list(rest) == list(range(1200, 5000))
    taker = Taker(rest)
    taken: list[int] = []
    for size in (1, COPIED, COPIED + 1, 10 * COPIED):
        chunk = taker.take(size)
        taken += chunk
    assert taken == list(range(1200, 5000))
    assert not taker.take(1)


def test_what_is_appended_meanwhile_is_not_of_the_rest() -> None:
    items = list(range(10))
    taker = Taker(Rest(items, 4))
    items.append(99)
    assert list(taker.take(100)) == [4, 5, 6, 7, 8, 9]


def test_a_failing_item_of_many_is_told_by_its_place() -> None:
    with engine.lease(backends.find("serial"), 1) as pool:
        outcome = engine.run_pass(
            lambda item: 1 / (item - 4000), list(range(5000)), pool, PassOptions(on_error="keep", expected=1e-7)
        )
    [failure] = outcome.failures
    assert (failure.index, failure.item) == (4000, "4000")
    assert len(outcome.values) == 5000
