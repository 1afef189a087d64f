"""Chunks on their way as bytes: by the executor or the lines, and again where a worker could not take them in."""

from __future__ import annotations

import pickle
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.chunking import Chunk, Chunker
from concompare.engine.transport.message_channel import TRIES, MessageChannel
from concompare.errors import CannotShip
from concompare.worker.chunk import Answer
from concompare.worker.transfer.pickling import Parcel, pack_error


class Taking:
    """Stands for an executor or the lines of a pool."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def submit(self, *call: Any) -> Future[Any]:
        self.calls.append(call)
        return Future()


@pytest.fixture
def channel() -> MessageChannel:
    with engine.plain_way():
        pool = engine.Pool(backends.find("processes"), 2)
    pool.executor = Taking()  # type: ignore[assignment]
    return MessageChannel(pool, engine.PassOptions(), lambda: 5.0, abs, steady=True)


def test_requests_go_to_the_executor_where_there_are_no_lines(channel: MessageChannel) -> None:
    executor: Any = channel.pool.executor
    channel.connect()
    channel.send(Chunk(0, [-1], each=True))
    ((_, request),) = executor.calls
    assert pickle.loads(request.items.data) == [-1]
    lines: Any = Taking()
    channel.lines = lines
    channel.send(Chunk(1, [-2], each=True))
    assert (len(executor.calls), len(lines.calls)) == (1, 1)


def test_a_worker_that_lacks_the_function_gets_it_but_not_for_ever(channel: MessageChannel) -> None:
    channel.transport.known |= {(1, 1), (1, 2)}
    assert channel.transport.blob() is None
    lacking = Answer((1, 1), 0.0, problem=("need-function", None))
    channel.ready_again(Chunk(0, [1], each=True, attempts=TRIES - 1), lacking)
    assert channel.transport.blob() is not None
    with pytest.raises(CannotShip, match="the function cannot be loaded in a worker: it does not arrive"):
        channel.ready_again(Chunk(0, [1], each=True, attempts=TRIES), lacking)


def test_what_cannot_be_loaded_is_said_with_its_cause(channel: MessageChannel) -> None:
    answer = Answer((1, 1), 0.0, problem=("items", pack_error(ValueError("torn"))))
    with pytest.raises(CannotShip, match="the items cannot be loaded in a worker: ValueError: torn") as caught:
        channel.ready_again(Chunk(0, [1], each=True, attempts=1), answer)
    assert isinstance(caught.value.__cause__, ValueError)


def test_results_that_cannot_be_rebuilt_are_errors_of_all_their_items(channel: MessageChannel) -> None:
    chunk = Chunk(4, [1, 2], each=True)
    values, errors, names = channel.open(chunk, Answer((1, 1), 0.0, values=Parcel(b"torn")))
    assert (values, names) == ([None, None], {})
    assert [str(error)[:55] for error in errors.values()] == [
        "a result of items 4 to 5 cannot be rebuilt from its pic"
    ] * 2


def test_a_pass_expects_what_the_one_before_it_took(channel: MessageChannel) -> None:
    chunker = Chunker(2, 10)
    channel.remember(chunker)
    channel.expect(chunker)
    assert chunker.expected == 0.0, "nothing was measured"
    chunker.learn(10, 0.5, 1000)
    channel.remember(chunker)
    later = Chunker(2, 10)
    channel.expect(later)
    assert (later.expected, later.item_bytes) == (0.05, 100.0)
    channel.pool.handling = SimpleNamespace(borrowed=True)  # type: ignore[assignment]
    far = Chunker(2, 10)
    channel.expect(far)
    assert far.expected == 0.0
