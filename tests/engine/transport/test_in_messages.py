"""The plain way of items: a pickle with everything in it."""

from __future__ import annotations

import pytest

from concompare.engine.chunking import Chunk
from concompare.engine.transport.in_messages import Buffers, InMessages
from concompare.worker.transfer.pickling import unpack


def test_items_of_any_size_are_inside_the_message() -> None:
    np = pytest.importorskip("numpy")
    chunk = Chunk(0, [np.arange(400_000.0), b"x" * 500_000], each=True)
    parcel = InMessages().pack(chunk)
    assert parcel.places == ()
    array, data = unpack(parcel)
    assert (array[-1], data) == (399_999.0, b"x" * 500_000)


def test_results_may_refer_to_the_items() -> None:
    inner = ["inner"]
    chunk = Chunk(0, [[inner]], each=True)
    InMessages().pack(chunk)
    assert isinstance(chunk.objects, dict)
    assert any(thing is inner for thing in chunk.objects.values())
    row = Chunk(0, [inner], each=True)
    InMessages().pack(row)
    assert (row.objects, row.made) == ([inner], None)


def test_results_get_no_room_beside_the_message() -> None:
    """A worker that is given a room, be it of no size, tells how much it would have wanted."""
    buffers: Buffers = InMessages()
    assert buffers.room(Chunk(0, [1], each=True)) is None
