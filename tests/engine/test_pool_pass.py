"""The parts of a pass, each by itself; whole passes are in the contract of the backends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.chunking import MOST_UNCOUNTED
from concompare.engine.dispatcher import WINDOW_ITEMS
from concompare.engine.outcome import PassOptions


def test_a_capped_pass_stops_and_says_so() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(x):\n    while True: pass", namespace)
    with engine.lease(backends.find("processes"), 1, fresh=True) as pool:
        outcome = engine.run_pass(namespace["f"], range(6), pool, PassOptions(cap=0.2))
    assert outcome.stopped
    assert outcome.record is not None
    assert outcome.record.stopped == "stopped after 0.2 s"


def test_a_pass_looks_up_when_its_cap_is_reached_and_not_a_quarter_of_a_second_later() -> None:
    assert PassOptions(cap=0.3).pause(0.25, longest=0.25) == pytest.approx(0.05)
    assert PassOptions(cap=9.0).pause(0.25, longest=0.25) == 0.25
    assert PassOptions().pause(0.25, longest=0.25) == 0.25
    assert 0 < PassOptions(cap=0.3).pause(0.4, longest=0.25) < 0.01


@pytest.mark.parametrize("name", ["serial", "threads"])
def test_of_an_endless_iterator_little_is_in_memory(name: str) -> None:
    given, ahead = [0], [0]

    def items() -> Iterator[int]:
        for item in range(600_000):
            given[0] += 1
            yield item

    def take(position: int, value: int) -> bool:
        ahead[0] = max(ahead[0], given[0] - position)
        return False

    with engine.lease(backends.find(name), 2) as pool:
        outcome = engine.run_pass(abs, items(), pool, PassOptions(keep_values=False), on_value=take)
    assert given == [600_000]
    assert ahead[0] <= WINDOW_ITEMS + 5 * MOST_UNCOUNTED  # two messages for each of two workers, and one to come
    assert outcome.values == []
    assert outcome.record is not None
    assert sum(len(message.seconds) for message in outcome.record.messages) < 60_000  # tiny items are not timed singly
