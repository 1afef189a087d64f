from __future__ import annotations

import pickle
import threading

import pytest

from concompare import backends, engine
from concompare.engine.chunking import Chunk
from concompare.engine.outcome import PassOptions
from concompare.errors import CannotShip
from concompare.executors.call_transport import LARGEST, CallTransport, Snapshot, taken_now
from concompare.worker.calls import Arguments


@pytest.fixture
def transport(no_leaks: None) -> object:
    with engine.lease(backends.find("processes"), 1) as pool:
        made = CallTransport(pool, abs)
        yield made
        made.buffers.close()


def test_small_arguments_that_may_change_are_taken_at_once() -> None:
    row = [1, 2]
    taken = taken_now(Arguments((row,), {"b": 1}, "f"))
    row.append(3)
    assert isinstance(taken, Snapshot)
    (found,) = pickle.loads(taken.data)
    assert (found.args, found.kwargs) == (([1, 2],), {"b": 1})
    assert repr(taken) == "f([1, 2, 3], b=1)"


@pytest.mark.parametrize("args", [(1, "a"), (["x" * LARGEST],), (threading.Lock(),)])
def test_numbers_large_arguments_and_what_cannot_be_sent_are_left(args: tuple[object, ...]) -> None:
    arguments = Arguments(args, {})
    assert taken_now(arguments) is arguments


def test_results_never_refer_to_arguments(transport: CallTransport) -> None:
    for arguments in (Arguments(([1],), {}), taken_now(Arguments(([1],), {}))):
        chunk = Chunk(0, [arguments], True)
        assert transport.request(chunk, PassOptions()).refer == ()
        transport.buffers.forget(chunk)
    assert transport.request(Chunk(0, [[1]], True), PassOptions()).refer == ("items",)


def test_messages_name_the_item_of_the_batch_or_the_argument(transport: CallTransport) -> None:
    transport.shift = -100
    with pytest.raises(CannotShip, match=r"item 1 → _thread\.lock"):
        transport.request(Chunk(100, [1, threading.Lock()], True), PassOptions())
    with pytest.raises(CannotShip, match=r"f\(\) → argument b → _thread.lock"):
        transport.request(Chunk(7, [Arguments((1,), {"b": threading.Lock()}, "f")], True), PassOptions())
    chunk = Chunk(7, [Arguments((1,), {}, "f")], True)
    text = transport.not_loaded("items", chunk, "ValueError: no")
    assert text.startswith("an argument of f() cannot be loaded in a worker: ValueError: no.")
    assert transport.not_loaded("function", chunk, "no").startswith("the function cannot be loaded")
