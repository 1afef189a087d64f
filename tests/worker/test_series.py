"""Messages of one item each: what a worker answers to a row of them."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import pytest

from concompare.worker import bootstrap, chunk, series
from concompare.worker.chunk import Answer, Request
from concompare.worker.frames import BRIEF, HEAD, PLAIN
from concompare.worker.transfer.object_refs import load_with
from concompare.worker.transfer.pickling import LARGE_PICKLE, Parcel

SERIES = 7


class Worker:
    """A worker that has had a whole request of a series, with the messages that wait for it."""

    def __init__(self, function: Callable[[Any], Any], **options: Any) -> None:
        self.here, self.there = socket.socketpair()
        self.number = 0
        blob = cloudpickle.dumps(function)
        request = Request("key", blob, 0, Parcel(pickle.dumps([], 5)), True, turn="turn", series=SERIES, **options)
        for _ in range(4):  # the first ones are looked at
            assert chunk.run(request).problem is None
        known = chunk.FUNCTIONS["key"].watch
        assert known is not None
        known.took = 0.0
        known.looked = 1e18

    def message(self, position: int, item: Any, number: int = SERIES, *, timed: bool = True) -> Any:
        self.number += 1
        body = series.ASKED.pack(number, position, timed) + pickle.dumps([item], 5)
        return self.number, BRIEF, bytearray(body)

    def answers(self, *messages: Any) -> tuple[list[tuple[int, int, Answer]], Any]:
        """Return the answers to messages that all wait, and the first message that was left."""
        waiting, data = list(messages), bytearray()

        def read() -> None:
            while piece := self.here.recv(2**20):
                data.extend(piece)

        with self.here:
            reading = threading.Thread(target=read)
            reading.start()
            with self.there:
                left = series.answer_series(self.there, waiting.pop(0), lambda: waiting.pop(0) if waiting else None)
            reading.join()
        return list(read_answers(bytes(data))), left


def read_answers(data: bytes) -> Iterator[tuple[int, int, Answer]]:
    at = 0
    while at < len(data):
        number, size, kind = HEAD.unpack_from(data, at)
        body = data[at + HEAD.size : at + HEAD.size + size]
        at += HEAD.size + size
        yield number, kind, series.told_in(body) if kind == BRIEF else pickle.loads(body)


def value_of(answer: Answer) -> Any:
    return pickle.loads(answer.values.data)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    chunk.FUNCTIONS.clear()  # tests of other files may have left some
    yield
    chunk.FUNCTIONS.clear()
    chunk.SERIES.clear()


def test_a_row_of_messages_is_answered_one_by_one_and_briefly() -> None:
    worker = Worker(lambda x: x * x)
    found, left = worker.answers(*(worker.message(position, position + 1) for position in range(5)))
    assert left is None
    assert [(number, kind) for number, kind, _ in found] == [(number, BRIEF) for number in range(1, 6)]
    assert [value_of(answer) for _, _, answer in found] == [[1], [4], [9], [16], [25]]
    for _, _, answer in found:
        assert answer.received <= answer.start <= answer.end <= answer.returned
        assert answer.seconds == (answer.end - answer.start,)
        assert (answer.problem, answer.errors, answer.output) == (None, (), ())


def test_an_item_that_is_not_timed_has_no_seconds_of_its_own() -> None:
    worker = Worker(lambda x: -x)
    ((_, _, answer),), _ = worker.answers(worker.message(0, 3, timed=False))
    assert (value_of(answer), answer.seconds) == ([-3], ())
    assert answer.end >= answer.start


def test_what_an_item_prints_and_raises_is_its_own_and_the_others_go_on() -> None:
    def odd(x: int) -> int:
        if x == 2:
            print("two")
        if x == 3:
            raise ValueError("three")
        return x

    worker = Worker(odd)
    found, _ = worker.answers(*(worker.message(position, position) for position in range(5)))
    assert [kind for _, kind, _ in found] == [BRIEF, BRIEF, PLAIN, PLAIN, BRIEF]
    assert [answer.output for _, _, answer in found] == [(), (), ((0, "stdout", "two\n"),), (), ()]
    ((offset, error),) = found[3][2].errors
    assert (offset, error["type"], error["text"]) == (0, "ValueError", "three")
    assert [value_of(answer) for _, _, answer in found] == [[0], [1], [2], [], [4]]


def test_a_stream_that_an_item_leaves_in_the_place_of_stdout_is_its_own() -> None:
    def replace(x: int) -> int:
        import io
        import sys

        print("shown", x)
        sys.stdout = io.StringIO()
        print("hidden", x)
        return x

    worker = Worker(replace)
    found, _ = worker.answers(worker.message(0, 0), worker.message(1, 1))
    assert [answer.output for _, _, answer in found] == [((0, "stdout", "shown 0\n"),), ((0, "stdout", "shown 1\n"),)]


def test_a_message_of_another_kind_or_series_is_left() -> None:
    worker = Worker(abs)
    other = worker.message(0, 1, SERIES + 1)
    found, left = worker.answers(worker.message(0, -1), worker.message(1, -2), other)
    assert len(found) == 2
    assert left is other
    worker = Worker(abs)
    call = (9, PLAIN, bytearray(b"a call"))
    assert worker.answers(worker.message(0, -1), call)[1] is call


def test_a_worker_that_does_not_know_the_series_says_so() -> None:
    worker = Worker(abs)
    ((number, kind, answer),), left = worker.answers(worker.message(0, 1, SERIES + 1))
    assert (number, kind, answer.problem, left) == (1, PLAIN, ("need-function", None), None)


def test_large_results_come_as_those_of_other_messages() -> None:
    worker = Worker(bytes)
    found, _ = worker.answers(worker.message(0, 10), worker.message(1, 2 * LARGE_PICKLE))
    assert [kind for _, kind, _ in found] == [BRIEF, PLAIN]
    assert found[1][2].wanted > LARGE_PICKLE
    assert value_of(found[1][2]) == [bytes(2 * LARGE_PICKLE)]


def test_rows_as_results_come_in_brief_and_objects_with_parts_whole() -> None:
    worker = Worker(lambda x: {"x": x} if x < 2 else {"x": [x]})
    found, _ = worker.answers(worker.message(0, 1), worker.message(1, 2))
    assert (found[0][1], value_of(found[0][2])) == (BRIEF, [{"x": 1}])
    assert (found[1][1], value_of(found[1][2])) == (PLAIN, [{"x": [2]}])


def test_a_row_that_is_its_own_result_is_said_in_a_few_bytes() -> None:
    worker = Worker(lambda row: row)
    number, kind, body = worker.message(0, ["a", 1])
    of, position, _ = series.ASKED.unpack_from(body)
    body[: series.ASKED.size] = series.ASKED.pack(of, position, series.REFERRED)
    ((_, kind, answer),), _ = worker.answers((number, kind, body))
    assert (kind, answer.with_items, answer.values.data) == (BRIEF, True, series.SAME)
    row = ["a", 1]
    assert load_with([row], series.SAME)[0] is row


def test_nothing_that_was_said_of_other_items_is_taken_for_these() -> None:
    """The message before may have had its items in pieces, or results may have referred to them."""
    worker = Worker(lambda item: (type(item).__name__, item), refer=("items",), apart=0, made=(1,), limit=1e-9)
    common = chunk.SERIES[SERIES]
    assert (common.refer, common.made, common.limit) == ((), (), None)
    whole = Request("key", None, 0, Parcel(pickle.dumps(b"x", 5)), True, turn="turn", apart=1, series=SERIES)
    assert value_of(chunk.run(whole)) == [("bytes", b"x")]
    watch = chunk.FUNCTIONS["key"].watch
    assert watch is not None
    watch.took, watch.looked = 1.0, 0.0  # so that it is looked at, as a request of its own
    found, _ = worker.answers(worker.message(1, b""))
    assert (found[0][1], value_of(found[0][2])) == (PLAIN, [("bytes", b"")])


def test_with_a_seed_each_item_has_its_numbers() -> None:
    def draw(x: int) -> float:
        import random

        return random.random()

    worker = Worker(draw, seed=5)
    first, left = worker.answers(worker.message(3, 0), worker.message(4, 0))
    assert left is None
    assert [kind for _, kind, _ in first] == [PLAIN], "it is computed by itself, and the next one is taken later"
    again = chunk.run(Request("key", None, 3, Parcel(pickle.dumps([0], 5)), True, turn="turn", seed=5))
    assert value_of(first[0][2]) == value_of(again)


def test_the_board_names_the_item_while_it_runs_and_none_between(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "board").write_bytes(bytes(bootstrap.BOARD.size))
    place = bootstrap.Place(str(tmp_path), 0)
    monkeypatch.setattr(bootstrap, "PLACE", [place])
    monkeypatch.setattr(series, "PLACE", [place])
    monkeypatch.setattr(chunk, "PLACE", [place])

    def item_on_board(_: int) -> int:
        found: int = bootstrap.BOARD.unpack_from((tmp_path / "board").read_bytes())[1]
        return found

    worker = Worker(item_on_board)
    found, _ = worker.answers(worker.message(41, 0), worker.message(43, 0))
    assert [value_of(answer) for _, _, answer in found] == [[41], [43]]
    assert item_on_board(0) == -1


def test_what_a_turn_has_waited_and_other_threads_have_taken_comes_with_its_last_answer() -> None:
    worker = Worker(abs)
    found, _ = worker.answers(*(worker.message(position, -1) for position in range(3)))
    assert [answer.waited for _, _, answer in found[:2]] == [0.0, 0.0]
    assert [answer.native_cpu for _, _, answer in found[:2]] == [0.0, 0.0]
    assert found[2][2].native_cpu >= 0.0
