"""The plain loop as a pass."""

from __future__ import annotations

from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.outcome import PassOptions
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
