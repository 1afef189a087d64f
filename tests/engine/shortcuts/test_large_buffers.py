"""What a pass borrows of shared memory and lends of its own, chunk by chunk."""

from __future__ import annotations

from pathlib import Path

import pytest

from concompare.engine.chunking import Chunk
from concompare.engine.shortcuts import lent_memory
from concompare.engine.shortcuts.arena import Arena
from concompare.engine.shortcuts.large_buffers import LargeBuffers
from concompare.worker.transfer.pickling import let_go, unpack
from concompare.worker.transfer.process_memory import is_memory, system_call

np = pytest.importorskip("numpy")


@pytest.fixture
def buffers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LargeBuffers:
    monkeypatch.setattr(lent_memory, "STATE", [lent_memory.REFUSED])
    return LargeBuffers(Arena(tmp_path), {}, "function", steady=True)


def arrays(count: int) -> Chunk:
    return Chunk(0, [np.arange(100_000.0) + number for number in range(count)], each=True)


def test_what_is_copied_is_read_from_there_and_its_place_given_back(buffers: LargeBuffers, tmp_path: Path) -> None:
    chunk = arrays(2)
    parcel = buffers.pack(chunk)
    assert {Path(path).parent for path, _, _ in parcel.places} == {tmp_path}
    assert [array[-1] for array in unpack(parcel)] == [99_999.0, 100_000.0]
    assert buffers.arena.free == {}
    buffers.forget(chunk)
    assert sum(map(len, buffers.arena.free.values())) == 1
    let_go(str(tmp_path))


def test_what_the_users_code_holds_is_not_given_back(buffers: LargeBuffers) -> None:
    chunk = arrays(1)
    buffers.pack(chunk)
    assert buffers.arena.total > 0
    buffers.forget(chunk, held=True)
    assert (buffers.arena.total, buffers.arena.free) == (0, {})


@pytest.mark.skipif(system_call() is None, reason="process_vm_readv needs Linux")
def test_what_is_offered_stays_until_it_is_forgotten(buffers: LargeBuffers) -> None:
    lent_memory.STATE[0] = lent_memory.BEFORE
    chunk = arrays(2)
    parcel = buffers.pack(chunk)
    assert all(is_memory(path) for path, _, _ in parcel.places)
    assert buffers.arena.made == 0
    assert len(buffers.offered[0]) == 2
    buffers.forget(chunk)
    assert buffers.offered == {}


def test_room_for_results_is_as_large_as_they_have_been(buffers: LargeBuffers) -> None:
    chunk = arrays(2)
    assert buffers.room(chunk) == ("", 0, 0), "nothing is known yet"
    buffers.learn(chunk, 1_900_000)  # with 5 % more it fits into 2 MiB
    path, offset, size = buffers.room(chunk)
    assert (path != "", offset, size) == (True, 0, 2**21)
    buffers.forget(chunk)
    assert buffers.arena.free == {2**21: [(path, 0, size)]}


def test_what_is_under_way_at_the_end_is_left_alone(buffers: LargeBuffers) -> None:
    buffers.pack(arrays(1))
    buffers.close()
    assert (buffers.arena.total, buffers.arena.free, buffers.offered) == (0, {}, {})
