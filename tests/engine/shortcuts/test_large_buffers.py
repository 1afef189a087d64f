"""What a pass borrows of shared memory and lends of its own, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine import Pool
from concompare.engine.chunking import Chunk
from concompare.engine.shortcuts import large_buffers, lent_memory
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


def test_a_large_copy_is_memory_of_its_own() -> None:
    source = bytearray(b"ab" * 2_000_000)
    block = large_buffers.copied(memoryview(source))
    source[0] = 0
    assert bytes(memoryview(block)[:4]) == b"abab"
    array = np.frombuffer(block, "u1")
    array[0] = 7
    assert (source[0], block[0]) == (0, 7)
    assert bytes(large_buffers.copied(memoryview(b"few"))) == b"few"


@pytest.fixture
def pool() -> Iterator[Pool]:
    with engine.lease(backends.find("processes"), 2, fresh=True) as leased:
        yield leased


@pytest.mark.slow
def test_large_results_of_all_kinds_arrive_whole_and_are_nobody_else_s(pool: Pool) -> None:
    def make(number: int) -> Any:
        text = bytes([number]) * 3_000_000
        array = np.full(400_000, float(number))
        return (text, array, [text, array], {"numbers": list(range(100_000))}, "x" * 500_000)[number % 5]

    for _ in range(2):  # the second time there is room for them
        values = engine.run_pass(make, range(15), pool).values
        for number, value in enumerate(values):
            expected = make(number)
            if number % 5 == 1:
                assert np.array_equal(value, expected)
                value += 1.0  # of the others none is changed with it
            elif number % 5 == 2:
                assert value[0] == expected[0]
                assert np.array_equal(value[1], expected[1])
            else:
                assert type(value) is type(expected)
                assert value == expected


def test_one_large_object_in_several_results_stays_one(pool: Pool) -> None:
    def same(number: int) -> bytes:
        return kept

    kept = b"x" * 1_000_000
    options = engine.PassOptions(chunk=2)
    for _ in range(2):
        values = engine.run_pass(same, range(4), pool, options).values
        assert values == [kept] * 4
        assert values[0] is values[1]


@pytest.mark.slow
def test_the_memory_of_large_results_comes_back(pool: Pool) -> None:
    psutil = pytest.importorskip("psutil")
    size = 2**25

    def make(number: int) -> Any:
        return np.ones(size // 8)

    def used() -> int:
        return int(psutil.Process().memory_info().rss)

    engine.run_pass(make, range(4), pool)
    before = used()
    for _ in range(4):
        values = engine.run_pass(make, range(4), pool).values
        assert used() - before > 2 * size
        del values
        engine.run_pass(abs, range(4), pool)  # what the pass before has left goes with it
    assert used() - before < 2 * size
