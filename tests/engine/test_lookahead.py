"""Iterators that give the same object again and again, with other contents: what the plain loop sees, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import concompare
from concompare import backends, engine
from concompare.engine.lookahead import Ahead, state_of
from concompare.errors import CellRefused
from concompare.testing import define

FIRST = define("def f(row): return row[0]")
COUNT = 40


def rows() -> Iterator[list[int]]:
    row = [0]
    for row[0] in range(COUNT):
        yield row


def buffers() -> Iterator[Any]:
    buffer = np.zeros(3, int)
    for number in range(COUNT):
        buffer[:] = number
        yield buffer


def views() -> Iterator[Any]:
    buffer = bytearray(8)
    for number in range(COUNT):
        buffer[0] = number
        yield memoryview(buffer)[:4]


def large() -> Iterator[Any]:
    buffer = np.zeros(300_000, int)
    for number in range(COUNT):
        buffer[0] = number
        yield buffer


class Records:
    """Gives a record of which the values change."""

    def __init__(self) -> None:
        self.record = {0: -1}

    def __iter__(self) -> Records:
        return self

    def __next__(self) -> dict[int, int]:
        if self.record[0] == COUNT - 1:
            raise StopIteration
        self.record[0] += 1
        return self.record


def pairs() -> Iterator[tuple[int, list[int]]]:
    return enumerate(rows())


SECOND = define("def f(pair): return pair[1][0]")
SAME: list[tuple[Callable[[], Iterator[Any]], Any]] = [
    (rows, FIRST),
    (buffers, FIRST),
    (views, FIRST),
    (large, FIRST),
    (Records, FIRST),
    (pairs, SECOND),
]


def run(function: Any, items: Any, name: str, **options: Any) -> list[Any]:
    with engine.lease(backends.find(name), 2) as pool:
        return engine.run_pass(function, items, pool, engine.PassOptions(**options)).values


@pytest.mark.parametrize(("items", "function"), SAME)
def test_the_plain_loop_sees_each_state(items: Callable[[], Iterator[Any]], function: Any) -> None:
    assert run(function, items(), "serial") == list(range(COUNT))
    assert run(function, items(), "serial", chunk=7, output="keep") == list(range(COUNT))


@pytest.mark.parametrize("chunk", [None, 1, 7])
@pytest.mark.parametrize(("items", "function"), SAME)
def test_workers_are_not_given_an_item_that_is_already_the_next_one(
    items: Callable[[], Iterator[Any]], function: Any, chunk: int | None
) -> None:
    began: list[Any] = []

    def noted(item: Any) -> Any:
        began.append(item)
        return function(item)

    with pytest.raises(CellRefused, match=r"item 0 \(\w+\) changed when the next items were taken.*Let it give copies"):
        run(noted, items(), "threads", chunk=chunk)
    assert not began


def test_worker_processes_neither() -> None:
    with pytest.raises(CellRefused, match=r"item 0 \(list\)"):
        run(FIRST, rows(), "processes")


@pytest.mark.parametrize(("items", "function"), SAME[:1] + SAME[-1:])
def test_auto_sees_each_state_every_time(items: Callable[[], Iterator[Any]], function: Any) -> None:
    source = "import time\ndef f(item):\n    time.sleep(0.002)\n    return inner(item)"
    slow = define(source)
    slow.__globals__["inner"] = function
    for _ in range(3):
        assert concompare.map(slow, items(), backend="auto", workers=2) == list(range(COUNT))


def test_several_ways_and_comparisons_refuse_it_before_anything_runs() -> None:
    with pytest.raises(CellRefused, match=r"item 0 \(dict\)"):
        concompare.compare(FIRST, Records(), backends=["serial"], budget=1)


def test_objects_that_come_again_unchanged_are_welcome() -> None:
    people = [{"age": 3}, {"age": 4}]
    often = (people[number // 8 % 2] for number in range(COUNT))
    assert run(define("def f(p): return p['age']"), often, "threads") == ([3] * 8 + [4] * 8) * 2 + [3] * 8
    fixed = np.ones(4)
    assert run(define("def f(p): return p[1].sum()"), ((n, fixed) for n in range(9)), "threads") == [4.0] * 9


def test_rings_of_buffers_are_seen_where_items_go_several_at_a_time() -> None:
    def ring() -> Iterator[list[int]]:
        buffers = [[0] for _ in range(4)]
        for number in range(COUNT):
            buffers[number % 4][0] = number
            yield buffers[number % 4]

    with pytest.raises(CellRefused, match=r"item 0 \(list\)"):
        run(FIRST, ring(), "threads")


def test_states_tell_changes_also_of_what_cannot_be_pickled() -> None:
    class Holder:
        def __init__(self) -> None:
            self.wait = (number for number in range(3))
            self.value = [1]

    holder = Holder()
    before = state_of(holder)
    assert state_of(holder) == before
    holder.value[0] = 2
    assert state_of(holder) != before


def test_few_items_are_looked_at() -> None:
    class Counted:
        looked = 0

        def __reduce__(self) -> Any:
            Counted.looked += 1
            return Counted, ()

    ahead = Ahead(Counted() for _ in range(1000))
    assert sum(len(ahead.take(10)) for _ in range(101)) == 1000
    assert Counted.looked <= 2 * 3 * (3 + 100 // 16 + 1)


def test_an_object_that_changes_by_being_looked_at_is_no_reason() -> None:
    class Unsteady:
        looked = 0

        def __reduce__(self) -> Any:
            self.looked += 1
            return Unsteady, (), {"looked": self.looked}

    things = [Unsteady() for _ in range(10)]
    assert Ahead(thing for thing in things).take(10) == things
    pairs = [(number, Unsteady()) for number in range(10)]
    assert Ahead(pair for pair in pairs).take(10) == pairs


def test_the_refusal_says_whether_the_items_can_be_had_once_more() -> None:
    class Again:
        def __iter__(self) -> Iterator[Any]:
            return rows()

    for items, spent in ((rows(), True), (Again(), False)):
        with pytest.raises(CellRefused) as caught:
            Ahead(items).take(10)
        assert caught.value.spent is spent


@pytest.mark.parametrize("name", ["serial", "threads", "processes", "auto"])
@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_items_before_one_that_cannot_be_made_are_computed(name: str, count: int) -> None:
    def broken() -> Iterator[int]:
        yield from range(count)
        raise ValueError("no more")

    seen: list[int] = []
    if name == "auto":
        with pytest.raises(ValueError, match="no more"):
            concompare.map(define("def f(x): return x"), broken())
        assert engine.last().values == list(range(count))
        return
    with engine.lease(backends.find(name), 2) as pool, pytest.raises(ValueError, match="no more"):
        engine.run_pass(define("def f(x): return x"), broken(), pool, on_value=lambda _, value: seen.append(value))
    assert seen == list(range(count))


def test_a_part_of_a_figure_is_not_pickled_for_its_state() -> None:
    """Its pickle is the whole figure; what stands beside it is looked at all the same."""

    def pickled(self: object, protocol: object) -> Any:
        raise AssertionError("it was pickled")

    artist = type("Artist", (), {"__module__": "matplotlib.made_up", "__reduce_ex__": pickled})()
    buffer = [1]
    item = (0, (artist, buffer))
    before = state_of(item)
    assert state_of(item) == before
    buffer[0] = 2
    assert state_of(item) != before
    artists = np.array([[artist, artist]], dtype=object)
    assert state_of(artists) == state_of(artists)
