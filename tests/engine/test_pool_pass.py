"""The parts of a pass, each by itself; whole passes are in the contract of the backends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.chunking import MOST_UNCOUNTED, Chunk
from concompare.engine.outcome import PassOptions
from concompare.engine.pool_pass import WINDOW_ITEMS, PassRun
from concompare.worker.chunk import Answer


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


def test_tiny_items_are_known_by_their_own_seconds_and_not_by_those_of_their_message() -> None:
    """Else a message's own cost makes them look long enough to go one by one."""
    with engine.lease(backends.find("threads"), 2) as pool:
        running = PassRun(str, list(range(10)), pool, PassOptions(), None, None, time.perf_counter)
        chunk = Chunk(0, [0], each=True)
        running.note(chunk, Answer((1, 1), 0.0, start=1.0, end=1.5, returned=2.0, values=["0"], seconds=(1e-6,)), 0.0)
        assert running.chunker.item_seconds == 1e-6
        running.note(chunk, Answer((1, 1), 0.0, start=1.0, end=1.5, returned=2.0, values=["0"]), 0.0)
        assert running.chunker.item_seconds == pytest.approx((1e-6 + 0.5) / 2)
