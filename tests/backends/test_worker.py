"""What a worker does with one chunk of items that came without anyone knowing how long they take."""

from __future__ import annotations

import io
import pickle
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

from concompare import computing, rehearsing, worker, workplace
from concompare.parcels import Parcel, pack


class Clock:
    """A clock that only the items move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def computed(clock: Clock, takes: Callable[[int], float], count: int, limit: float, **how: Any) -> computing.Computed:
    """Compute items 0, 1, … that take so long each."""

    def call(item: int) -> int:
        clock.now += takes(item)
        if item in how.get("fail", ()):
            raise ValueError(item)
        return item + 1

    done = computing.Computed()
    computing.compute(call, range(count), done, stopped=lambda: clock.now > limit, keep_going="fail" in how)
    return done


def test_tiny_items_are_timed_by_the_block(clock: Clock) -> None:
    done = computed(clock, lambda item: 1e-6 if item else 9e-6, 200, limit=1.0)
    assert done.values == list(range(1, 201))
    assert done.worth_telling() == pytest.approx([9e-6] + [1e-6] * 199), "they are few"
    assert computed(clock, lambda item: 1e-6, 257, limit=1.0).worth_telling() == ()
    assert len(computed(clock, lambda item: 1e-6, 256, limit=1.0).worth_telling()) == 256


def test_a_heavy_item_among_tiny_ones_is_noticed_and_the_rest_is_given_back(clock: Clock) -> None:
    # 16 items timed and tiny; a block of 64 whose last takes a second; from there on one by one, until the limit.
    done = computed(clock, lambda item: 1e-6 if item < 79 else 1.0, 200, limit=2.5)
    assert len(done.values) == 82
    told = done.worth_telling()
    assert told[:16] == pytest.approx([1e-6] * 16)
    assert told[16:80] == pytest.approx([(63e-6 + 1.0) / 64] * 64)
    assert told[80:] == (1.0, 1.0)
    late = computed(clock, lambda item: 1e-6 if item < 300 else 1.0, 400, limit=clock.now + 1.5)
    assert len(late.worth_telling()) == len(late.values), "many, and not tiny together"


def test_errors_in_blocks_keep_their_places(clock: Clock) -> None:
    done = computed(clock, lambda _: 1e-6, 200, limit=1.0, fail=(0, 100, 199))
    assert [(offset, str(error)) for offset, error in done.errors] == [(0, "0"), (100, "100"), (199, "199")]
    assert [value for value in done.values if value is not None] == [
        n + 1 for n in range(200) if n not in (0, 100, 199)
    ]
    told = done.worth_telling()
    assert len(told) == 200
    assert sum(told) == pytest.approx(200e-6)


def test_a_large_first_message_of_tiny_items_brings_no_times_back() -> None:
    request = worker.Request("blocks", pickle.dumps(abs), 0, Parcel(pack(list(range(-50_000, 0)))), True, limit=60.0)
    answer = worker.run(request)
    assert pickle.loads(answer.values.data) == list(range(50_000, 0, -1))
    assert answer.seconds == ()


def test_nothing_remains_of_a_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Place:
        used = 5
        item = None

        def mark(self, item: int) -> None:
            self.item = item

    place, went = Place(), []
    monkeypatch.setattr(workplace, "PLACE", [place])
    for module in (rehearsing, computing):
        monkeypatch.setattr(module, "PLACE", workplace.PLACE)
    monkeypatch.setattr(worker, "compute", lambda *arguments, **how: went.append((list(arguments[1]), how["each"])))
    kept = OrderedDict((str(number), worker.Known(pickle.dumps(abs))) for number in range(worker.FUNCTIONS_KEPT))
    monkeypatch.setattr(worker, "FUNCTIONS", kept.copy())
    states = random.getstate()
    rehearsing.rehearse()
    assert went == [([], True)], "it goes as far as to the items"
    assert kept == worker.FUNCTIONS, "the user's functions are still known"
    assert place.used == 5
    assert random.getstate() == states


def test_a_rehearsal_takes_the_way_of_a_functions_first_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    known = rehearsing.part()

    def spy() -> tuple[pickle.Unpickler, object]:
        read.append(1)
        return pickle.Unpickler(io.BytesIO(b"")), abs

    monkeypatch.setattr(known, "read", spy)
    rehearsing.rehearse()
    rehearsing.rehearse()
    assert read == [1, 1]
    monkeypatch.setattr(worker, "answer_to", lambda request: 1 / 0)
    rehearsing.rehearse()  # nobody is told
    assert rehearsing.KEY not in worker.FUNCTIONS
