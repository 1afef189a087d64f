"""What `auto` remembers of comparisons, and when it takes it for another cell."""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from concompare.cells.task import Task, task_of
from concompare.measure import machine_probes
from concompare.records import Message, Pass
from concompare.run import auto_history, dispatch
from concompare.run.auto_history import kept_from_threads
from concompare.run.request import request_of
from tests.records import comparison, serial, trial


@pytest.fixture(autouse=True)
def nothing_compared_yet() -> Iterator[None]:
    before = dict(auto_history.COMPARISONS)
    auto_history.COMPARISONS.clear()
    yield
    auto_history.COMPARISONS.clear()
    auto_history.COMPARISONS.update(before)


def task(items: Any, name: str = "score") -> Task:
    return task_of(math.sqrt, items, name=name)


def remembered(items: Any, **more: Any) -> None:
    fast = trial("processes", 4, [0.3] * 5, start_up=0.2)
    auto_history.remember(task(items), comparison(serial(), fast, items=100, **more))


def test_the_same_task_takes_what_its_last_comparison_picked() -> None:
    remembered(list(range(1, 101)))
    choice = auto_history.chosen_before(task(list(range(1, 101))))
    assert choice is not None
    assert (choice.backend, choice.workers) == ("processes", 4)
    assert auto_history.chosen_before(task(list(range(1, 101)), name="other")) is None


@pytest.mark.parametrize(
    ("before", "now", "taken"),
    [
        ([5] * 100, [5] * 150, True),
        ([5] * 100, [5] * 300, False),  # three times as many
        ([5] * 100, [5] * 30, False),
        ([5] * 100, [50] * 100, False),  # ten times as large
        ([5] * 100, [7] * 100, True),
        ([5] * 100, ["5"] * 100, False),
        (["ab"] * 9, ["ab" * 100] * 9, False),
        ([np.zeros(10)] * 9, [np.zeros(15)] * 9, True),
        ([np.zeros(10)] * 9, [np.zeros(1000)] * 9, False),
        ([object()] * 9, [object()] * 9, True),
        (range(100), range(100), True),
        (range(100), iter(range(100)), True),  # as many, as far as can be seen
        (range(100), iter(range(300)), False),
        (range(100), (item for item in range(100)), False),  # cannot be looked at without using it up
        ((item for item in range(100)), range(100), False),
        ([], [], True),
    ],
)
def test_other_items_are_probed_again(before: Any, now: Any, taken: bool) -> None:
    remembered(before)
    assert (auto_history.chosen_before(task(now)) is not None) is taken


@pytest.mark.parametrize(("count", "taken"), [(120, True), (300, False), (None, False)])
def test_of_an_iterator_only_the_number_is_asked(count: int | None, taken: bool) -> None:
    remembered([(0, "a")] * 100)
    unseen = iter([(0, "a")])
    assert (auto_history.chosen_before(task_of(math.sqrt, unseen, count, name="score")) is not None) is taken
    assert len(list(unseen)) == 1


def test_a_comparison_of_the_same_work_for_every_worker_chooses_nothing() -> None:
    remembered(range(100), scaling="weak")
    assert auto_history.chosen_before(task(range(100))) is None


def test_an_item_that_breaks_when_asked_for_its_length_is_an_item_like_others() -> None:
    class Broken:
        def __len__(self) -> int:
            raise RuntimeError

    assert auto_history.size_of(Broken()) == 1.0
    assert auto_history.size_of(math.inf) == math.inf
    assert auto_history.size_of(None) == 1.0


def test_the_oldest_comparisons_are_given_up() -> None:
    for number in range(auto_history.REMEMBERED + 3):
        auto_history.remember(task([1], name=f"f{number}"), comparison(serial()))
    assert len(auto_history.COMPARISONS) == auto_history.REMEMBERED
    assert auto_history.COMPARISONS.get(auto_history.key_of(task([1], name="f0"))) is None


def test_the_probe_is_a_few_items_where_they_are_long_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def slow(x: int) -> int:
        machine_probes.spin(2 * auto_history.PROBE)
        seen.append(x)
        return x

    def stop(*known: Any) -> Any:
        raise LookupError("chosen")

    monkeypatch.setattr(auto_history, "choose", stop)
    with pytest.raises(LookupError, match="chosen"):
        dispatch.run(task_of(slow, range(1000)), request_of(("auto",), None))
    assert 1 <= len(seen) <= 4


def plain_pass(computing: float, disturbed: float) -> Pass:
    """Return 100 items in the plain loop that compute so many seconds together and wait for a CPU for others."""
    each, waited = computing / 100, disturbed / 100
    moments = [(i * (each + waited), (i + 1) * (each + waited)) for i in range(100)]
    messages = tuple(
        Message(i, 1, 0, start, start, start, end, end, end, cpu=each, waited=waited)
        for i, (start, end) in enumerate(moments)
    )
    return Pass(100, computing + disturbed, computing, messages=messages)


@pytest.mark.parametrize(
    ("computing", "disturbed", "then"),
    [(0.012, 0.5, "serial"), (0.012, 0.0, "threads"), (0.5, 1.0, "threads")],
    ids=["little to gain, and told by a disturbed run", "told by a quiet run", "much to gain"],
)
def test_a_disturbed_run_in_the_plain_loop_is_not_taken_for_a_long_one(
    computing: float, disturbed: float, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_history, "RUNS", {})
    monkeypatch.setattr(auto_history, "untried", lambda *_: None)
    done = task(list(range(100)))
    sizes = auto_history.sizes_of(done)
    for _ in range(2):  # what ran once is tried again
        auto_history.learn(done, sizes, auto_history.PLAIN, plain_pass(computing, disturbed))
    threads = Pass(100, 0.5 * (computing + disturbed), computing)
    auto_history.learn(done, sizes, ("threads", 2), threads)
    choice = auto_history.learned(done, sizes)
    assert choice is not None
    assert choice.backend == then


class Store:
    """An object that holds a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection


def test_connections_are_not_for_other_threads_where_items_hold_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "__module__", "__main__")
    with contextlib.closing(sqlite3.connect(":memory:")) as con, contextlib.closing(free()) as other:
        assert "`an item` can only be used in the thread" in kept_from_threads(task_of(len, [con]))
        assert "`an item.connection` can only be used" in kept_from_threads(task_of(len, [Store(con)]))
        assert kept_from_threads(task_of(len, [other, Store(other), 3])) == ""


def free() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", check_same_thread=False)


class Walked(list[Any]):
    """A list that counts what of it is walked."""

    seen = 0

    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            self.seen += 1
            yield item


def test_of_very_many_items_only_some_are_looked_at() -> None:
    """All of them may take less than looking at each, and they are looked at again and again."""
    few, many = Walked(range(100)), Walked(range(1_000_000))
    with contextlib.closing(sqlite3.connect(":memory:")) as con:
        assert kept_from_threads(task_of(len, few)) == ""
        assert few.seen == 100
        assert "`an item` can only be used" in kept_from_threads(task_of(len, Walked([*few, con])))
        assert kept_from_threads(task_of(len, many)) == ""
        many[:] = [con] * 1_000_000
        assert "`an item` can only be used" in kept_from_threads(task_of(len, many))
        assert many.seen == 0
