from __future__ import annotations

import pytest

from concompare import backends, engine
from concompare.engine.answers import can_be_sent_again, in_words, not_loaded, opened
from concompare.engine.chunking import Chunk
from concompare.engine.outcome import PassOptions
from concompare.engine.transport.transport import Transport
from concompare.errors import BackendUnavailable
from concompare.worker.chunk import Answer
from concompare.worker.transfer.pickling import pack_error


@pytest.fixture
def transport(no_leaks: None) -> object:
    with engine.lease(backends.find("processes"), 1) as pool:
        made = Transport(pool, abs)
        yield made
        made.buffers.close()


def answer(problem: object = None, **fields: object) -> Answer:
    return Answer((1, 1), 0.0, problem=problem, **fields)  # type: ignore[arg-type]


def test_errors_of_threads_are_themselves_with_their_item() -> None:
    error = ValueError("no")
    settled = opened(None, Chunk(4, ["a", "b"], True), answer(values=[1, None], errors=((1, error),)), PassOptions())
    assert settled.values == [1, None]
    assert settled.errors == {1: error}
    assert error.__notes__ == ["concompare: raised by item 5: 'b'"]
    other = ValueError("no")
    opened(None, Chunk(4, ["a"], True), answer(values=[None], errors=((0, other),)), PassOptions(named=False))
    assert not hasattr(other, "__notes__")


def test_a_function_that_a_worker_lacks_is_sent_with_every_message_a_few_times(transport: Transport) -> None:
    chunk = Chunk(0, [1], True, attempts=1)
    assert can_be_sent_again(transport, chunk, answer(("need-function", None)))
    assert transport.always
    chunk.attempts = 4
    assert not can_be_sent_again(transport, chunk, answer(("need-function", None)))


def test_what_cannot_be_loaded_is_said_with_its_cause(transport: Transport) -> None:
    problem = answer(("items", pack_error(ValueError("no"))))
    chunk = Chunk(0, [1], True)
    assert not can_be_sent_again(transport, chunk, problem)
    error = not_loaded(transport, chunk, problem)
    assert "cannot be loaded in a worker: ValueError: no" in str(error)
    assert isinstance(error.__cause__, ValueError)


def test_an_error_of_the_executor_is_one_of_the_backend() -> None:
    assert str(in_words("threads", OSError("no room"))) == "threads: OSError: no room"
    ours = BackendUnavailable("gone")
    assert in_words("threads", ours) is ours
