"""What comes of answers: their turn, the first failure, what workers noticed."""

from __future__ import annotations

from typing import Any

import pytest

from concompare.engine.chunking import Chunk
from concompare.engine.collector import Collector
from concompare.engine.ordering import Settled
from concompare.engine.outcome import Failure, PassOptions
from concompare.interrupts import Guard
from concompare.worker.chunk import Answer


def chunk(first: int, count: int, limit: float | None = None) -> Chunk:
    return Chunk(first, list(range(first, first + count)), each=True, limit=limit)


def take(collector: Collector, sent: Chunk, values: list[Any], errors: dict[int, BaseException] | None = None) -> None:
    collector.take(sent, collector.settled(sent, Answer((1, 1), 0.0), (values, errors or {}, {})))


def test_values_are_handed_on_in_item_order() -> None:
    seen: list[Any] = []
    collector = Collector(PassOptions(), lambda position, value: seen.append((position, value)))
    take(collector, chunk(2, 1), ["c"])
    collector.order.release(Guard())
    assert (seen, collector.finished) == ([], 1)
    take(collector, chunk(0, 2), ["a", "b"])
    collector.order.release(Guard())
    assert seen == [(0, "a"), (1, "b"), (2, "c")]


def test_the_first_failure_ends_the_pass_once_nothing_earlier_is_left() -> None:
    collector = Collector(PassOptions(), None)
    take(collector, chunk(4, 2), [0], {1: ValueError("five")})
    assert collector.first_error == 5
    assert not collector.has_failed(), "an earlier item may fail yet"
    assert collector.is_beyond_error(chunk(6, 1))
    assert not collector.is_beyond_error(chunk(5, 1))
    take(collector, chunk(0, 4), [0], {1: ValueError("one")})
    assert collector.first_error == 1
    with pytest.raises(ValueError, match="one") as caught:
        collector.order.release(Guard())
    assert caught.value.__notes__ == ["concompare: raised by item 1: 1"]
    assert collector.outcome.values == [0]


def test_with_keep_nothing_ends_it() -> None:
    collector = Collector(PassOptions(on_error="keep"), None)
    take(collector, chunk(0, 2), [None, 1], {0: ValueError("zero")})
    collector.take_death(chunk(2, 1), 2, ValueError("dead"))
    collector.order.release(Guard())
    assert collector.first_error is None
    assert [type(value) for value in collector.outcome.values] == [Failure, int, Failure]
    assert collector.finished == 3


def test_a_dead_worker_is_the_failure_of_its_item() -> None:
    collector = Collector(PassOptions(), None)
    collector.take_death(chunk(0, 1), 0, ValueError("dead"))
    assert collector.first_error == 0
    with pytest.raises(ValueError, match="dead"):
        collector.order.release(Guard())


@pytest.mark.parametrize(
    ("limit", "errors", "on_error", "begun"),
    [
        (None, {}, "stop", 4),  # nothing is given back without a limit
        (1.0, {}, "stop", 2),
        (1.0, {2: ValueError()}, "stop", 4),  # the rest is not wanted
        (1.0, {2: ValueError()}, "keep", 3),
    ],
)
def test_what_was_not_begun_in_time_is_known(limit: float | None, errors: Any, on_error: Any, begun: int) -> None:
    collector = Collector(PassOptions(on_error=on_error), None)
    assert collector.begun(chunk(0, 4, limit), Settled([0, 1], errors)) == begun


def test_what_workers_notice_is_said_once() -> None:
    collector = Collector(PassOptions(), None)
    source = ("rng", b"state")
    collector.notice(Answer((1, 1), 0.0, changed=("seen",), drawn=(source,)))
    collector.notice(Answer((1, 1), 0.0, changed=("seen", "other"), drawn=(source,)))
    assert collector.outcome.hidden_state == ("seen", "other")
    assert collector.outcome.shared_random is None, "the same worker drew them"
    collector.notice(Answer((1, 2), 0.0, drawn=(source,)))
    assert collector.outcome.shared_random == "rng"
