"""Chunks on their way to threads, and what an executor's own errors come to."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.channel import ThreadChannel
from concompare.engine.chunking import Chunk
from concompare.errors import BackendUnavailable


def channel(function: Any, unwanted: Any = lambda chunk: False) -> ThreadChannel:
    pool = engine.Pool(backends.find("threads"), 1)
    return ThreadChannel(pool, engine.PassOptions(on_error="keep"), lambda: 5.0, function, unwanted)


def answer_to(sender: ThreadChannel, chunk: Chunk) -> Any:
    with ThreadPoolExecutor(1) as executor:
        sender.pool.executor = executor
        sender.send(chunk)
    arrival = sender.arrivals.next()
    assert arrival is not None
    assert arrival[1] is chunk
    return arrival[0].result()


def test_a_chunk_is_under_way_until_somebody_takes_its_answer() -> None:
    sender, chunk = channel(abs), Chunk(0, [-1, "x"], each=True)
    answer = answer_to(sender, chunk)
    values, errors, names = sender.open(chunk, answer)
    assert (values, list(errors), names) == ([1, None], [1], {})
    assert isinstance(errors[1], TypeError)
    assert (chunk.attempts, chunk.sent) == (1, 5.0)
    assert sender.lose_all() == [chunk]
    assert sender.flying == {}


def test_what_is_not_wanted_any_more_is_not_computed() -> None:
    ran: list[Any] = []
    answer = answer_to(channel(ran.append, lambda chunk: True), Chunk(0, [1, 2, 3], each=False))
    assert (ran, answer.values) == ([], [])


def test_a_pool_that_breaks_while_a_chunk_is_sent_has_lost_it() -> None:
    class Broken(ThreadPoolExecutor):
        def submit(self, *_: Any, **__: Any) -> Any:
            raise BrokenExecutor("a worker has ended")

    sender, chunk = channel(abs), Chunk(0, [1], each=True)
    sender.pool.executor = Broken(1)
    sender.send(chunk)
    arrival = sender.arrivals.next()
    assert arrival is not None
    assert isinstance(arrival[0].exception(), BrokenExecutor)
    assert list(sender.flying.values()) == [chunk]


def test_an_executors_own_error_is_said_as_the_backends() -> None:
    sender = channel(abs)
    said = sender.in_words(ValueError("no"))
    assert isinstance(said, BackendUnavailable)
    assert str(said) == "threads: ValueError: no"
    assert sender.in_words(said) is said


def test_a_seed_gives_each_item_of_a_chunk_its_own_function(no_leaks: None) -> None:
    pool = engine.Pool(backends.find("threads"), 1)
    seeded = ThreadChannel(pool, engine.PassOptions(seed=1), lambda: 0.0, abs, lambda chunk: False)
    assert seeded.function_for(Chunk(0, [1], each=True)) is not abs
    assert channel(abs).function_for(Chunk(0, [1], each=True)) is abs


@pytest.mark.parametrize("name", ["threads", "interpreters"])
def test_only_threads_of_this_process_are_sure_to_read_its_clock(name: str) -> None:
    from concompare.engine.transport.message_channel import MessageChannel

    assert ThreadChannel.own_clock
    assert not MessageChannel.own_clock
