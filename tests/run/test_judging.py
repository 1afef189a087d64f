"""What is concluded from the items that ran; whole runs are in the tests of `adaptive`."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from concompare.analysis.pick import Choice
from concompare.cells.task import task_of
from concompare.engine.outcome import LAST, Outcome
from concompare.records import Message
from concompare.run import auto_history, judging
from concompare.run.judging import Judge, Paces
from concompare.run.request import request_of

PAIR = Choice("threads", 2, "two")


def message(end: float, start: float = 0.0, count: int = 1, cpu: float | None = None) -> Message:
    cpu = end - start if cpu is None else cpu
    return Message(0, count, 0, sent=start, received=start, start=start, end=end, returned=end, done=end, cpu=cpu)


def judge(count: int | None = 1000, plain: float = 0.0) -> Judge:
    found = Judge(task_of(abs, range(1000)), request_of(("auto",), None), plain)
    found.begin(0, count)
    return found


@pytest.fixture(autouse=True)
def machine_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("concompare.machine.usable_cpus", lambda: 2)
    monkeypatch.setattr(judging.Judge, "open", lambda *_: None)


def test_a_backend_that_was_left_is_judged_by_what_the_plain_loop_takes_afterwards() -> None:
    paces = Paces(0.0)
    assert paces.note("threads", 0.1) is None
    paces.note_plain(0.1)
    assert paces.note("threads", 0.3) == pytest.approx(3.0)
    paces.doubtful = "threads", 0.3
    paces.note_plain(0.4)  # the machine got slower, or the items longer
    assert paces.ratios == {"threads": pytest.approx(0.75)}
    paces.note_plain(0.1)
    assert paces.ratios == {"threads": pytest.approx(0.75)}


@pytest.mark.parametrize(
    ("usual", "cpu", "together", "ratio"),
    [
        (1.0, 2.0, 2.0, 0.5),  # both CPUs
        (1.0, 1.02, 1.02, 1.0),  # one GIL: that they were faster this once was chance
        (0.5, 1.0, 2.0, 0.5),  # another program has the half of either CPU
        (0.5, 0.52, 1.04, 1.0),
    ],
)
def test_threads_run_together_where_they_have_more_than_the_plain_loop_has(
    usual: float, cpu: float, together: float, ratio: float
) -> None:
    found = judge()
    found.recent = (message(1.0, cpu=usual),)
    found.paces.note_plain(0.02)
    found.tasted(cpu, 1.0, 100)
    assert found.two_threads == pytest.approx(together)
    assert found.paces.ratios["threads"] == pytest.approx(ratio)


def test_workers_are_judged_after_their_first_messages_and_by_enough_of_them() -> None:
    found = judge(plain=0.01)
    slow = [message(0.5), message(0.5)]  # loading what they need
    found.recent = (message(0.01),)
    assert not found.enough(PAIR, slow, 0.5)
    found.seen = 0
    fine = [*slow, *(message(0.5 + 0.02 * place, cpu=0.001) for place in range(1, 4))]
    assert not found.enough(PAIR, fine, 0.6)  # three messages
    assert found.enough(PAIR, [*fine, message(0.58, cpu=0.001)], 0.6)
    assert found.next is not None
    assert found.next.plain
    assert found.next.reason == "the plain loop: threads × 2 took 2 times as long"
    assert found.patience == 2 * judging.TRIAL


def test_workers_that_compute_as_much_as_they_should_are_left_only_after_several_looks() -> None:
    """That items take longer may be the items'."""
    found = judge(plain=0.01)
    found.recent = (message(0.01),)
    messages = [message(0.01), message(0.01)]
    left = []
    for _ in range(judging.STRIKES):
        begin = messages[-1].done
        messages += [message(begin + 0.02 * place, start=begin + 0.02 * place - 0.04) for place in range(1, 5)]
        left.append(found.enough(PAIR, messages, begin + 0.1))
    assert left == [False, False, True]
    assert found.paces.doubtful is not None
    assert found.paces.doubtful[1] == pytest.approx(0.02)


def test_a_taste_of_threads_ends_once_it_is_clear_that_they_are_slower() -> None:
    found = judge(plain=0.01)
    found.tasting = 6
    assert not found.enough_of_a_taste([], 0.11)
    assert found.enough_of_a_taste([], 0.13)


def test_items_with_native_threads_of_their_own_are_not_tasted() -> None:
    for native, expected in ((0.0, True), (0.04, False)):
        found = judge()
        seen = Message(0, 20, 0, 0, 0, start=0, end=0.04, returned=0.04, done=0.04, cpu=0.04, native_cpu=native)
        found.enough_plainly([seen], 0.04)
        assert (found.tasting is not None) is expected


def test_workers_that_are_no_slower_are_kept() -> None:
    found = judge(plain=0.01)
    found.recent = (message(0.01),)
    assert not found.enough(PAIR, [message(0.1), *(message(0.1 + 0.006 * place) for place in range(12))], 0.2)
    assert found.paces.ratios == {"threads": pytest.approx(0.6)}


def test_long_items_are_not_tasted_on_threads_where_processes_can_run_them() -> None:
    def looked(function: Any) -> int | None:
        found = Judge(task_of(function, range(1000)), request_of(("auto",), None), 0.0)
        found.begin(0, 1000)
        found.enough_plainly([message(0.3)], 0.3)
        return found.tasting

    lock = threading.Lock()

    def holding(x: int) -> int:
        with lock:  # cannot be sent
            return x

    assert looked(abs) is None
    assert looked(holding) == 2


def test_what_it_takes_to_move_an_item_is_seen_on_the_last_that_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    before, packed = list(LAST), []

    def seconds(thing: Any) -> float:
        packed.append(thing)
        return 0.25

    monkeypatch.setattr(judging, "seconds_to_pickle", seconds)
    LAST[:] = [Outcome(values=["a", "b"])]
    try:
        found = Judge(task_of(abs, [7, 8, 9]), request_of(("auto",), None), 0.0)
        found.begin(1, 2)
        assert found.seconds_to_move() == 0.5
        assert packed == ["b", 9]
        assert found.seconds_to_move() == 0.5
        assert len(packed) == 2
        found.moving.clear()
        found.begin(2, 1)  # the outcome has the values of all stretches by then
        assert found.seconds_to_move() == 0.25
        assert packed[2:] == ["b"]
    finally:
        LAST[:] = before


def test_what_cannot_be_pickled_takes_nothing() -> None:
    assert judging.seconds_to_pickle(threading.Lock()) == 0.0
    assert judging.seconds_to_pickle(list(range(100_000))) > 0.0


def test_a_message_takes_no_less_than_its_cpu_time() -> None:
    waited = Message(0, 1, 0, 0, 0, start=0, end=0.001, returned=0, done=0, cpu=0.001, waited=0.05)
    assert auto_history.taken(waited) == 0.001  # it waited before it was looked at


class Starting:
    """Workers that start, or are there."""

    problem = None

    def __init__(self, over: bool) -> None:
        self.over = over


def test_what_items_take_while_workers_start_beside_them_says_nothing_of_them() -> None:
    found = judge()
    assert not found.enough_plainly([message(0.04, count=20)], 0.04) or found.tasting
    paces, recent = found.paces.plain, found.recent
    found.opening = Starting(over=False)  # type: ignore[assignment]
    waited = [message(0.04, count=20), message(0.5, start=0.04, count=20, cpu=0.01)]  # for the GIL
    assert not found.enough_plainly(waited, 0.5)
    assert (found.paces.plain, found.recent) == (paces, recent)
    found.two_threads = 1.0
    found.opening = Starting(over=True)  # type: ignore[assignment]
    assert found.enough_plainly([*waited, message(0.51, start=0.5, cpu=0.0)], 0.51)
    assert found.next is not None
    assert found.next.backend == "processes"


@pytest.mark.parametrize(("starting", "expected"), [(False, "serial"), (True, "processes")])
def test_workers_that_are_starting_already_are_there_soon(
    starting: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("concompare.engine.pools", lambda: ())
    seen = auto_history.Seen(starting=starting)
    # Two items of 0.2 s: the one saved is worth a start of 0.05 s, and not one of 0.18 s.
    assert auto_history.choose(task_of(abs, range(3)), (message(0.2),), 2, seen).backend == expected


@pytest.mark.parametrize(("each", "tasted"), [(1e-7, False), (1e-4, True)])
def test_tiny_items_are_not_tasted_on_threads(each: float, tasted: bool) -> None:
    found = judge(None)
    found.begin(0, 10**9)
    found.enough_plainly([message(0.04, count=int(0.04 / each))], 0.04)
    assert (found.tasting is not None) is tasted
