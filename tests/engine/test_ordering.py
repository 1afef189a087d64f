"""Results are handed on in item order."""

from __future__ import annotations

from typing import Any

import pytest

from concompare.engine.ordering import Order, Settled
from concompare.engine.outcome import Outcome, PassOptions
from concompare.interrupts import guarded

# ------------------------------------------------------------------------------------------------------ item order


def guard() -> Any:
    with guarded() as found:
        return found


def test_values_wait_for_those_before_them() -> None:
    outcome, seen = Outcome(), []
    order = Order(outcome, PassOptions(), lambda position, value: seen.append((position, value)))
    order.settled[2] = Settled(["c", "d"], names={"t": "d"})
    order.release(guard())
    assert seen == []
    order.settled[0] = Settled(["a", "b"], names={"t": "b"})
    order.release(guard())
    assert seen == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]
    assert outcome.names == {"t": "d"}


def test_a_receiver_of_many_gets_runs() -> None:
    class Receiver:
        def __init__(self) -> None:
            self.runs: list[tuple[int, list[str]]] = []

        def __call__(self, position: int, value: str) -> bool:
            raise AssertionError("one by one is the slow way")

        def many(self, first: int, values: list[str]) -> None:
            self.runs.append((first, values))

    receiver = Receiver()
    order = Order(Outcome(), PassOptions(), receiver)
    order.settled[0] = Settled(["a", "b"])
    order.release(guard())
    assert receiver.runs == [(0, ["a", "b"])]


def test_a_pass_that_lost_an_item_says_so_and_gives_no_result() -> None:
    order = Order(Outcome(), PassOptions(), None)
    order.settled[0] = Settled(["a"])
    order.release(guard())
    order.must_be_complete(1)
    with pytest.raises(RuntimeError, match="a pass of 2 items ended after 1"):
        order.must_be_complete(2)
