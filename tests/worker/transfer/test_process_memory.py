"""A worker takes buffers from another process's memory, and uses its own again only when nothing refers to it."""

from __future__ import annotations

import errno
import mmap
import os
import pickle
from typing import Any

import numpy as np
import pytest

from concompare.engine.shortcuts import lent_memory
from concompare.worker.transfer import process_memory
from concompare.worker.transfer.items import Apart, take_back
from concompare.worker.transfer.pickling import Parcel, pack
from concompare.worker.transfer.process_memory import CannotFetch, Loan, block_of, fetch, memory_of, system_call

LINUX = pytest.mark.skipif(system_call() is None, reason="process_vm_readv needs Linux")
LARGE = 40_000  # numbers, 8 bytes each: more than what is worth offering


def arrays(count: int) -> list[Any]:
    return [np.arange(LARGE, dtype=float) + number for number in range(count)]


def places_of(*pieces: Any) -> list[tuple[str, int, int]]:
    return [(memory_of(os.getpid()), lent_memory.address_of(memoryview(piece)), len(piece)) for piece in pieces]


@LINUX
@pytest.mark.parametrize(("most_pieces", "most_bytes"), [(512, 2**30), (2, 2**30), (512, 7)])
def test_pieces_of_memory_arrive_whole(monkeypatch: pytest.MonkeyPatch, most_pieces: int, most_bytes: int) -> None:
    monkeypatch.setattr(process_memory, "MOST_PIECES", most_pieces)
    monkeypatch.setattr(process_memory, "MOST_BYTES", most_bytes)
    pieces = [bytes([65 + number]) * (3 * number + 1) for number in range(9)]
    assert [bytes(piece) for piece in fetch(places_of(*pieces))] == pieces


@LINUX
def test_what_cannot_be_read_is_said() -> None:
    with pytest.raises(CannotFetch) as caught:
        fetch([(memory_of(os.getpid()), 8, 100)])  # nothing is mapped there
    assert caught.value.errno == errno.EFAULT


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch) -> process_memory.Stock:
    monkeypatch.setattr(process_memory, "STOCK", process_memory.Stock())
    return process_memory.STOCK


@LINUX
def test_memory_is_used_again_when_nothing_refers_to_it(stock: process_memory.Stock) -> None:
    loan = Loan()
    loan += fetch(places_of(b"a" * 1000), loan)
    (block,) = loan.blocks
    assert take_back(loan)
    assert block_of(1000) is block
    loan = Loan()
    loan += fetch(places_of(b"b" * 1000), loan)
    kept = np.frombuffer(loan[0], np.uint8)[10:20]
    assert not take_back(loan)
    assert stock.total == 0
    assert kept.tolist() == [98] * 10


@LINUX
def test_no_more_memory_is_kept_than_was_said(monkeypatch: pytest.MonkeyPatch, stock: process_memory.Stock) -> None:
    size = process_memory.SMALLEST_BLOCK
    monkeypatch.setattr(process_memory, "KEPT", 4 * size)
    loan = Loan()
    for _ in range(5):
        loan += fetch(places_of(b"c" * 100), loan)
    assert take_back(loan)
    assert (len(stock.blocks[size]), stock.total) == (4, 4 * size)
    larger = block_of(2 * size)
    stock.keep(larger)
    assert (len(stock.blocks[size]), stock.total) == (2, 4 * size), "items have become larger"
    assert block_of(2 * size) is larger
    assert block_of(2 * size) is not larger
    stock.keep(block_of(8 * size))
    assert stock.total == 2 * size
    assert len(block_of(size)) == size


@LINUX
def test_a_system_without_large_pages_gives_blocks_too(
    monkeypatch: pytest.MonkeyPatch, stock: process_memory.Stock
) -> None:
    class Without(mmap.mmap):
        def madvise(self, *arguments: int) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(mmap, "mmap", Without)
    block = block_of(process_memory.HUGE)
    assert type(block) is Without
    assert len(block) == process_memory.HUGE


@LINUX
def test_items_apart_are_loaded_one_by_one_into_the_same_memory(stock: process_memory.Stock) -> None:
    buffers: list[pickle.PickleBuffer] = []
    given = arrays(4)
    data = pack(given, buffers, apart=True)
    parcel = Parcel(data, tuple(place for buffer in buffers for place in places_of(buffer.raw())))
    items = Apart(parcel, 4, 0)
    addresses = set()
    for array in given:
        item = next(items)
        np.testing.assert_array_equal(item, array)
        addresses.add(item.__array_interface__["data"])
        del item
    assert next(items, None) is None
    assert len(addresses) == 1
    assert items.problem is None
    start, cpu = items.without_loading(1.0, 1.0 + 2 * items.seconds, 1.0)
    assert (start, cpu) == pytest.approx((1.0 + items.seconds, 1.0 - items.cpu))
    assert items.seconds > 0
