"""Whole passes on a simulated machine: how long the workers take together, against handing items out one by one."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from itertools import chain, islice, starmap
from typing import Any

import numpy as np
import pytest

from concompare import backends, engine
from concompare.analysis import stats
from concompare.cells.counting import counted
from concompare.engine.chunking import TOO_LONG, TOO_LONG_GUESSED, Chunker
from concompare.engine.pool_pass import PassRun
from concompare.engine.pools.pool import Pool
from concompare.engine.shortcuts.direct_channel import DirectArrivals
from concompare.worker.chunk import Answer

BEST = 1.1
"""Times the seconds of handing out items one by one that a pass may take."""


class Machine:
    """Workers on a clock of their own, in the places of a pool's executor and of its lines."""

    def __init__(self, durations: Sequence[float], workers: int) -> None:
        self.durations = durations
        self.now = 0.0
        self.idle = list(range(workers))
        self.queue: deque[tuple[Future[Any], Sequence[int], Callable[[], bool]]] = deque()
        self.busy: list[tuple[float, int, int, Future[Any], Answer]] = []
        self.number = 0
        self.out: list[bytes] = []

    def clock(self) -> float:
        return self.now

    def submit(self, run: Any, function: Any, items: Sequence[int], first: int, each: bool, *rest: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.queue.append((future, items, rest[-1]))
        self.number += 1
        self.begin()
        return future

    def begin(self) -> None:
        """Let idle workers take what waits."""
        while self.queue and self.idle:
            future, items, stopped = self.queue.popleft()
            worker, began, ran = self.idle.pop(), self.now, 0
            at = began
            while ran < len(items) and not stopped():
                at += self.durations[items[ran]]
                self.now, ran = at, ran + 1
            self.now = began
            answer = Answer((0, worker), began, began, at, at, at - began, values=[*items[:ran]], names={})
            heapq.heappush(self.busy, (at, self.number, worker, future, answer))

    def pump(self, timeout: float) -> None:
        """Let the clock run to the next answer."""
        if self.busy and timeout:
            self.now, _, worker, future, answer = heapq.heappop(self.busy)
            self.idle.append(worker)
            self.begin()
            future.set_result(answer)

    def wake(self) -> None: ...


def ran(durations: Sequence[float], workers: int, items: Any, expected: float = 0.0) -> Machine:
    """Run a pass over items, each the place of its seconds, after one whose items took what is expected now."""
    machine = Machine(durations, workers)
    pool = Pool(backends.find("threads"), workers)
    pool.executor = machine  # type: ignore[assignment]
    run = PassRun(abs, items, pool, engine.PassOptions(), None, None, machine.clock)
    run.channel.arrivals = DirectArrivals(machine, run.channel.arrivals)  # type: ignore[arg-type]
    run.dispatcher.chunker.expected = expected
    outcome = run.go()
    assert outcome.values == list(range(len(durations)))
    return machine


def shapes(count: int, seed: int) -> dict[str, list[float]]:
    """Return the seconds of so many items, of several kinds."""
    chance = random.Random(seed)
    lumps = [10.0 if chance.random() < 0.15 else 1.0 for _ in range(count)]
    later = [1.0 if place >= count // 2 else 0.001 for place in range(count)]
    return {
        "even": [1.0] * count,
        "growing": [1.0 + place for place in range(count)],
        "shrinking": [float(count - place) for place in range(count)],
        "lumpy": lumps,
        "doubling": [2.0 ** (8 * place / count) for place in range(count)],
        "scattered": [chance.lognormvariate(0, 1) for _ in range(count)],
        "late": later,
        "early": later[::-1],
        "spiky": [1.0 if place % 8 == 7 else 0.001 for place in range(count)],
    }


SIZED: dict[str, Callable[[int], Any]] = {
    "list": lambda count: list(range(count)),
    "tuple": lambda count: tuple(range(count)),
    "dict": lambda count: dict.fromkeys(range(count)),
    "keys": lambda count: dict.fromkeys(range(count)).keys(),
    "reversed": lambda count: reversed(range(count - 1, -1, -1)),
    "map": lambda count: map(int, range(count)),
    "starmap": lambda count: starmap(int, [(place,) for place in range(count)]),
    "zip": lambda count: (pair[0] for pair in zip(range(count), range(count), strict=True)),
    "enumerate": lambda count: map(max, enumerate([0] * count)),
    "generator": lambda count: (place for place in range(count)),
    "filter": lambda count: filter(lambda place: place >= 0, range(count)),
    "islice": lambda count: islice(range(10**9), count),
    "chain": lambda count: chain(range(count // 2), range(count // 2, count)),
}


JUMPS = ("late", "early", "spiky")
"""Kinds whose items take a thousand times as long as others, which only messages that cost nothing could share out."""


ALL_COUNTS, COUNTS = (2, 3, 5, 8, 12, 16, 23, 32, 48, 64), (3, 8, 23, 64)
"""Numbers of items: those of each kind of iterable, and of what was expected, are only a few."""


def badly_shared(
    kind: str, scale: float, skipped: Sequence[str] = (), expected: float = 0.0, counts: Sequence[int] = COUNTS
) -> list[str]:
    """Return the passes that took too long, of all kinds of items, numbers of items and workers."""
    found: list[str] = []
    for count in counts:
        for workers in (2, 3, 4, 8, 16):
            for name, times in shapes(count, 7 * count + workers).items():
                durations = [scale * seconds for seconds in times]
                took = ran(durations, workers, SIZED[kind](count), expected).now
                best = stats.list_schedule(durations, workers)
                if took > BEST * best and name not in skipped:
                    found.append(f"{name}: {count} items, {workers} workers: {took / best:.2f}")
    return found


@pytest.mark.parametrize("kind", SIZED)
def test_items_of_any_iterable_are_shared_out_nearly_as_well_as_one_by_one(kind: str) -> None:
    assert not badly_shared(kind, 0.3, counts=ALL_COUNTS if kind in ("list", "zip", "generator") else COUNTS)


@pytest.mark.parametrize("scale", [0.01, 0.002])
@pytest.mark.parametrize("kind", ["list", "zip", "generator"])
def test_so_are_short_items(kind: str, scale: float) -> None:
    assert not badly_shared(kind, scale, JUMPS)


@pytest.mark.parametrize("expected", [30e-6, 3e-3, 0.3, 3.0])
@pytest.mark.parametrize("kind", ["list", "zip", "generator"])
def test_so_are_items_that_take_longer_than_those_of_the_pass_before(kind: str, expected: float) -> None:
    """But where the first of two in a message takes longest of all: the other waits for it."""
    assert not badly_shared(kind, 0.3, ("shrinking",), expected)


def test_a_guess_is_given_up_sooner_than_what_was_measured() -> None:
    chunker = Chunker(2, 100, expected=1e-5)
    assert chunker.limit(10) == TOO_LONG_GUESSED
    chunker.learn(10, 1e-4, 0)
    assert chunker.limit(10) == TOO_LONG


@pytest.mark.parametrize("kind", SIZED)
def test_of_few_items_each_worker_gets_one_before_anything_is_known(kind: str) -> None:
    barrier = threading.Barrier(4)
    with engine.lease(backends.find("threads"), 4, fresh=True) as pool:
        values = engine.run_pass(lambda item: item < 4 and barrier.wait(60) >= 0, SIZED[kind](12), pool).values
    assert values == [True] * 4 + [False] * 8


@pytest.mark.parametrize("kind", ["zip", "generator", "filter", "islice"])
def test_the_first_messages_to_processes_hold_one_item_too(kind: str) -> None:
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        record = engine.run_pass(abs, SIZED[kind](300), pool).record
    assert record is not None
    assert [message.count for message in sorted(record.messages, key=lambda m: m.first)[:2]] == [1, 1]
    assert record.items == 300


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_what_is_given_back_runs_once_and_keeps_its_place(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chunker, "limit", lambda self, size: 0.0)
    with engine.lease(backends.find(backend), 2, fresh=True) as pool:
        outcome = engine.run_pass(str, range(40), pool, engine.PassOptions(chunk=10))
    assert outcome.values == [str(place) for place in range(40)]
    assert outcome.record is not None
    assert sorted(m.first for m in outcome.record.messages if m.count) == list(range(40))


def test_a_message_whose_items_were_asked_for_is_not_given_back() -> None:
    assert Chunker(2, 100, fixed=10).limit(10) is None
    assert Chunker(2, 100).limit(1) is None
    assert Chunker(2, 100).limit(10) == TOO_LONG


def endless() -> Iterator[int]:
    yield from range(3)


KNOWN: list[tuple[Any, int | None]] = [
    (zip([1, 2, 3], "ab", strict=False), 2),
    (enumerate([1, 2, 3], 5), 3),
    (reversed([1, 2]), 2),
    (reversed(np.arange(4)), 4),
    (map(str, (1, 2)), 2),
    (zip(itertools.count(), {1: 2}.items(), strict=False), 1),
    (zip(itertools.repeat(0), range(5), strict=False), 5),
    (enumerate(zip(deque([1, 2]), {1, 2, 3}, strict=False)), 2),
    (iter(np.zeros((3, 2))), 3),
    (itertools.repeat(0, 4), 4),
    (itertools.count(), None),
    (itertools.repeat(0), None),
    (zip([1, 2, 3], endless(), strict=False), None),
    (filter(None, [1, 2]), None),
    (itertools.islice([1, 2], 1), None),
    (endless(), None),
]


@pytest.mark.parametrize(("items", "number"), KNOWN, ids=[type(items).__name__ for items, _ in KNOWN])
def test_the_number_of_items_is_known_where_nothing_has_to_be_taken_for_it(items: Any, number: int | None) -> None:
    assert counted(items) == number
    if number is not None:
        assert len(list(items)) == number


def test_what_has_been_taken_before_does_not_count() -> None:
    begun = iter([1, 2, 3])
    next(begun)
    assert counted(zip(begun, range(9), strict=False)) == 2


def test_nobody_s_own_code_is_asked_for_a_number() -> None:
    class Rows(Sequence[int]):
        def __len__(self) -> int:
            raise AssertionError("it was asked")

        def __getitem__(self, place: Any) -> Any:
            raise IndexError

        def __length_hint__(self) -> int:
            raise AssertionError("it was asked")

    rows = Rows()
    assert [counted(items) for items in (iter(rows), zip(rows, strict=False), map(str, rows), rows)] == [None] * 4
