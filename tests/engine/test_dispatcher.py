"""What goes next: lost chunks first, suspects alone, items of a fitting size and never too far ahead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from concompare.engine.chunking import Chunk, Chunker
from concompare.engine.dispatcher import WINDOW, Dispatcher
from concompare.engine.outcome import PassOptions
from concompare.interrupts import Guard
from concompare.worker.chunk import Answer


def dispatcher(items: Iterable[Any], size: int | None = 2, count: int | None = None, cost: float = 0.0) -> Dispatcher:
    return Dispatcher(items, PassOptions(chunk=size), Chunker(2, count, size, cost))


def taken(source: Dispatcher, flying: list[Chunk] | None = None, released: int = 0) -> tuple[int, list[Any]] | None:
    chunk = source.next_chunk(Guard(), flying or [], released)
    return None if chunk is None else (chunk.first, list(chunk.items))


def test_items_go_in_order_until_there_are_none() -> None:
    source = dispatcher(iter("abcde"))
    assert [taken(source) for _ in range(4)] == [(0, ["a", "b"]), (2, ["c", "d"]), (4, ["e"]), None]
    assert source.exhausted
    assert source.next_item == 5


def test_what_was_lost_goes_first_and_suspects_go_alone_and_last() -> None:
    source = dispatcher(list(range(10, 20)), count=10)
    suspect = Chunk(4, [14], each=True, attempts=1, alone=True)
    lost = Chunk(2, [12], each=True, attempts=1)
    source.send_again([suspect, lost])
    assert taken(source) == (2, [12])
    assert taken(source, [lost]) is None, "a suspect waits until nothing else is under way"
    assert taken(source) == (4, [14])
    assert taken(source, [suspect]) is None, "nothing joins a suspect"
    assert taken(source) == (0, [10, 11])


def test_what_a_worker_gave_back_is_shared_out_again() -> None:
    source = dispatcher(list(range(6)), size=3, count=6)
    chunk = source.next_chunk(Guard(), [], 0)
    assert chunk is not None
    source.chunker.fixed = None
    source.chunker.learn(1, 10.0, 0)
    source.take_back(chunk, 1)
    assert chunk.items == [0]
    assert source.chunker.taken == 1
    assert taken(source) == (1, [1]), "no more than fits now that items take long"
    assert taken(source) == (2, [2])
    assert taken(source) == (3, [3])


def test_what_is_not_wanted_any_more_is_not_sent_again() -> None:
    source = dispatcher([])
    source.send_again([Chunk(first, [0], each=True, attempts=1) for first in (1, 5, 9)])
    source.drop(lambda chunk: chunk.first > 4)
    assert [chunk.first for chunk in source.again] == [1]


def test_of_items_without_a_number_few_are_taken_ahead_of_the_oldest_unfinished_one() -> None:
    source = dispatcher(iter(range(1000)), size=1)
    flying = [Chunk(0, [0], each=True)]
    while taken(source, flying):
        pass
    assert source.next_item == 2 * WINDOW + 1
    assert taken(source, flying, released=1) is not None
    assert taken(source, [], released=0) is not None, "with nothing under way there is nothing to wait for"


@pytest.mark.parametrize(("items", "kind"), [([1, 2, 3], list), (range(3), range), ((1, 2, 3), list)])
def test_lists_and_ranges_are_cut(items: Any, kind: type) -> None:
    chunk = dispatcher(items, count=3).next_chunk(Guard(), [], 0)
    assert chunk is not None
    assert type(chunk.items) is kind


def test_only_one_chunk_for_each_worker_goes_while_nothing_is_known() -> None:
    source = dispatcher(range(10**6), size=None, count=10**6)
    taken(source)
    assert source.most() == 2
    source.chunker.learn(100, 0.001, 0)
    assert source.most() == 4


def test_where_messages_are_dear_the_first_items_are_weighed_and_not_lost() -> None:
    items = [bytes([number]) * 1000 for number in range(3)]
    source = dispatcher(iter(items), cost=0.01)
    source.weigh(Guard())
    assert 1000 < source.chunker.item_bytes < 1100
    assert taken(source) == (0, items[:2])
    near = dispatcher(iter("abc"))
    near.weigh(Guard())
    assert near.chunker.item_bytes == 0.0


def test_loading_items_one_by_one_is_work_and_their_bytes_did_not_go_with_the_message() -> None:
    answer = Answer((1, 1), received=1.0, start=3.0, end=4.0)
    for apart, seconds, size in ((False, 1.0, 600.0), (True, 3.0, 100.0)):
        source = dispatcher(range(4), size=None, count=4)
        source.learn(Chunk(0, [0], each=True, bytes_in=500, apart=apart), answer, 100)
        assert (source.chunker.item_seconds, source.chunker.item_bytes) == (seconds, size)


def test_tiny_items_are_known_by_their_own_seconds_and_not_by_those_of_their_message() -> None:
    """Else a message's own cost makes them look long enough to go one by one."""
    source = dispatcher(list(range(10)), size=None, count=10)
    chunk = Chunk(0, [0], each=True)
    source.learn(chunk, Answer((1, 1), 0.0, start=1.0, end=1.5, returned=2.0, values=["0"], seconds=(1e-6,)), 0)
    assert source.chunker.item_seconds == 1e-6
    source.learn(chunk, Answer((1, 1), 0.0, start=1.0, end=1.5, returned=2.0, values=["0"]), 0)
    assert source.chunker.item_seconds == pytest.approx((1e-6 + 0.5) / 2)
