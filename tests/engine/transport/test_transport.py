"""How requests and results get across."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.chunking import Chunk
from concompare.engine.transport.in_messages import InMessages
from concompare.engine.transport.transport import Transport, open_parcel
from concompare.errors import CannotShip
from concompare.worker.chunk import Answer
from concompare.worker.transfer.pickling import Parcel


@pytest.fixture
def transport() -> Transport:
    with engine.plain_way():
        return Transport(engine.Pool(backends.find("processes"), 2), abs)


def test_the_function_goes_along_until_every_worker_has_answered(transport: Transport) -> None:
    sent = []
    for worker in range(3):
        chunk = Chunk(worker, [-worker], each=True)
        sent.append(transport.request(chunk, engine.PassOptions()).blob)
        answer = Answer((1, worker), 0.0, values=Parcel(pickle.dumps([worker])))
        assert transport.open(chunk, answer) == ([worker], {})
    assert sent == [transport.shipment.blob, transport.shipment.blob, None]
    transport.must_send()
    assert transport.blob() == transport.shipment.blob


def test_a_pass_on_new_workers_begins_anew(transport: Transport) -> None:
    transport.known |= {(1, 1), (1, 2)}
    transport.pool.learned.forget_workers()
    again = transport.anew()
    assert again.blob() == transport.shipment.blob
    assert again.turn != transport.turn


def test_the_item_that_cannot_be_sent_is_named(transport: Transport) -> None:
    with pytest.raises(CannotShip, match="item 7 → generator cannot be sent"):
        transport.request(Chunk(6, [1, (x for x in "a")], each=True), engine.PassOptions())


def test_without_shortcuts_everything_is_in_messages(transport: Transport) -> None:
    assert isinstance(transport.buffers, InMessages)
    assert transport.path is None


def test_bytes_beside_a_message_are_put_in_their_places() -> None:
    beside: list[Any] = []
    data = pickle.dumps([pickle.PickleBuffer(bytearray(b"abc")), 1], 5, buffer_callback=beside.append)
    copy = bytearray(b"xyz")
    assert open_parcel(Parcel(data), [copy])[0] is copy
    assert open_parcel(Parcel(None), [bytearray(data), copy])[1] == 1
