"""The parts of a pass, each by itself; whole passes are in the contract of the backends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.chunking import MOST_UNCOUNTED
from concompare.engine.dispatcher import WINDOW_ITEMS
from concompare.engine.outcome import PassOptions
from concompare.errors import Interrupted


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


@pytest.mark.parametrize("kind", ["list", "iterator"])
@pytest.mark.parametrize("name", ["serial", "threads", "processes"])
def test_a_pass_that_is_enough_ends_with_the_items_it_has_begun(name: str, kind: str) -> None:
    """Those that it has taken besides are given back, so that another pass goes on with the very next."""
    items = list(range(400))
    iterator = iter(items)
    handed: list[tuple[int, int]] = []

    def take(position: int, value: int) -> bool:
        handed.append((position, value))
        return False

    with engine.lease(backends.find(name), 2) as pool:
        options = PassOptions(chunk=3, enough=lambda messages, passed: len(messages) >= 4)
        first = engine.run_pass(abs, items if kind == "list" else iterator, pool, options, count=400, on_value=take)
        assert first.paused
        assert not first.stopped
        assert first.record is not None
        ran = first.record.items
        assert 12 <= ran < 50
        assert first.record.stopped is None
        rest = items[ran:] if kind == "list" else [*first.left, *iterator]
        options = PassOptions(chunk=3, first=ran)
        assert not engine.run_pass(abs, rest, pool, options, on_value=take).paused
    assert handed == [(item, item) for item in items]


@pytest.mark.parametrize("name", ["serial", "threads"])
def test_a_pass_whose_items_have_ended_with_an_error_is_not_ended_before_it(name: str) -> None:
    def items() -> Iterator[int]:
        yield from range(20)
        raise LookupError("no more")

    with engine.lease(backends.find(name), 2) as pool, pytest.raises(LookupError, match="no more"):
        engine.run_pass(abs, items(), pool, PassOptions(chunk=50, enough=lambda messages, passed: True))
    assert engine.last().values == list(range(20))


@pytest.mark.parametrize("name", ["serial", "threads"])
def test_an_interrupt_counts_the_items_before_a_pass_that_begins_later(name: str) -> None:
    def work(item: int) -> int:
        return item

    def take(position: int, value: int) -> bool:
        if position == 24:
            raise KeyboardInterrupt
        return False

    with engine.lease(backends.find(name), 1) as pool, pytest.raises(Interrupted, match=r"after 2\d items of 30"):
        engine.run_pass(work, range(20, 30), pool, PassOptions(first=20, chunk=1), on_value=take)
