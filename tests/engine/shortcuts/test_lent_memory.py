"""Large buffers: taken from the notebook's memory where the system lets workers do that, else by shared memory."""

from __future__ import annotations

import errno
import gc
import os
import pickle
import sys
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from concompare import backends, engine
from concompare.engine.chunking import Chunker
from concompare.engine.pool_pass import PassRun
from concompare.engine.pools import directory
from concompare.engine.shortcuts import lent_memory
from concompare.errors import BackendUnavailable, CannotShip
from concompare.interrupts import guarded
from concompare.worker.transfer import process_memory
from concompare.worker.transfer.process_memory import CannotFetch, memory_of, system_call
from tests.engine.conftest import arena_of

LINUX = pytest.mark.skipif(system_call() is None, reason="process_vm_readv needs Linux")
LARGE = 40_000  # numbers, 8 bytes each: more than what is worth offering


@pytest.fixture(autouse=True)
def fresh_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lent_memory, "STATE", [lent_memory.BEFORE])


@pytest.fixture(params=["offered", "copied"])
def way(request: pytest.FixtureRequest, fresh_state: None) -> str:
    lent_memory.STATE[0] = lent_memory.BEFORE if request.param == "offered" else lent_memory.REFUSED
    return str(request.param)


def arrays(count: int) -> list[Any]:
    return [np.arange(LARGE, dtype=float) + number for number in range(count)]


def places_of(*pieces: Any) -> list[tuple[str, int, int]]:
    return [(memory_of(os.getpid()), lent_memory.address_of(memoryview(piece)), len(piece)) for piece in pieces]


# ---------------------------------------------------------------------------------------------------- in a pass


@pytest.mark.parametrize("name", ["processes", "fork", "spawn", "loky", "process-per-item"])
def test_arrays_of_a_list_arrive_and_come_back(name: str, way: str) -> None:
    def work(array: Any) -> Any:
        array += 1.0
        return array

    given = arrays(7)
    with engine.lease(backends.find(name), 2, fresh=True) as pool:
        outcome = engine.run_pass(work, given, pool)
        values = outcome.values
        assert (arena_of(pool).made > 0) or way == "offered"
    for number in range(7):
        np.testing.assert_array_equal(values[number], given[number] + 1.0)
        assert given[number][0] == number, "the notebook's own did not change"
        values[number][0] = 3.0  # it is the user's


@LINUX
def test_what_lies_in_a_list_is_not_copied_by_the_notebook() -> None:
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        outcome = engine.run_pass(lambda array: float(array[-1]), arrays(9), pool)
        assert outcome.values == [LARGE - 1.0 + number for number in range(9)]
        assert arena_of(pool).made == 0
        assert outcome.record is not None
        assert outcome.record.bytes_in > 9 * LARGE * 8
        rows = engine.run_pass(lambda row: float(row[0]), np.arange(10.0 * LARGE).reshape(10, LARGE), pool)
        assert rows.values == [float(LARGE * number) for number in range(10)]
        assert arena_of(pool).made == 0


def test_an_iterator_may_use_its_buffers_in_turn(way: str) -> None:
    def frames() -> Iterator[Any]:
        both = np.zeros(LARGE), np.zeros(LARGE)
        for number in range(12):
            both[number % 2][:] = number
            yield both[number % 2]

    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        values = engine.run_pass(lambda frame: float(frame.sum()), frames(), pool, engine.PassOptions(chunk=1)).values
    assert values == [float(LARGE * number) for number in range(12)]


def test_what_a_worker_keeps_stays_as_it_was(way: str) -> None:
    namespace: dict[str, Any] = {}
    exec(
        "kept = []\n"
        "def work(array):\n"
        "    kept.append(array)\n"
        "    return [float(one[0]) for one in kept], float(kept[0][1] - kept[0][0])",
        namespace,
    )
    with engine.lease(backends.find("processes"), 1, fresh=True) as pool:
        values = engine.run_pass(namespace["work"], arrays(6), pool, engine.PassOptions(chunk=2)).values
    assert values == [([float(one) for one in range(number + 1)], 1.0) for number in range(6)]


def test_items_of_every_shape_arrive(way: str) -> None:
    read_only = np.arange(LARGE)
    read_only.flags.writeable = False
    items = [
        {"a": np.ones(LARGE), "b": [np.zeros(LARGE, "u1"), "text"]},
        np.arange(2.0 * LARGE).reshape(2, LARGE)[:, ::2],
        None,
        read_only,
        bytearray(b"x" * 300_000),
        np.array([{"an": "object"}] * 3),
        np.zeros((0, 5)),
    ]
    with engine.lease(backends.find("processes"), 2) as pool:
        values = engine.run_pass(lambda item: item, items, pool).values
        writeable = engine.run_pass(lambda array: array.flags.writeable, [read_only] * 3, pool).values
    for value, item in zip(values, items, strict=True):
        assert type(value) is type(item)
    np.testing.assert_array_equal(values[0]["b"][0], items[0]["b"][0])  # type: ignore[index]
    np.testing.assert_array_equal(values[1], items[1])
    np.testing.assert_array_equal(values[3], items[3])
    assert values[4] == items[4]
    assert values[5].tolist() == [{"an": "object"}] * 3
    assert values[6].shape == (0, 5)
    assert writeable == [False] * 3


@LINUX
def test_large_bytes_are_offered_and_arrive_as_bytes() -> None:
    items: list[Any] = [bytes([65 + number]) * 300_000 for number in range(8)]
    items[5:5] = [b"small", None, b"", "text"]
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        assert engine.run_pass(lambda item: (type(item).__name__, item and item[:3]), items, pool).values == [
            (type(item).__name__, item and item[:3]) for item in items
        ]
        assert engine.run_pass(len, items[:5], pool).values == [300_000] * 5
        assert arena_of(pool).made == 0


def test_large_bytes_arrive_either_way(way: str) -> None:
    items = [bytes([65 + number]) * 300_000 for number in range(8)]
    with engine.lease(backends.find("processes"), 2) as pool:
        assert engine.run_pass(bytes.swapcase, items, pool).values == [item.swapcase() for item in items]


def test_a_large_pickle_without_buffers_arrives(way: str) -> None:
    items = [[str(number)] * 50_000 + [str(number + 1)] for number in range(6)]
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        assert engine.run_pass(lambda item: item, items, pool).values == items


def test_failures_in_the_middle_of_a_message_leave_the_others(way: str) -> None:
    def work(array: Any) -> float:
        if array[0] in (2.0, 5.0):
            raise ValueError(array[0])
        print("item", int(array[0]))
        return float(array[0])

    with engine.lease(backends.find("processes"), 2) as pool:
        options = engine.PassOptions(on_error="keep", chunk=4, output="keep")
        outcome = engine.run_pass(work, arrays(8), pool, options)
    assert [failure.index for failure in outcome.failures] == [2, 5]
    assert [value for value in outcome.values if value] == [1.0, 3.0, 4.0, 6.0, 7.0]
    assert [text for _, _, text in outcome.output] == [f"item {number}\n" for number in (0, 1, 3, 4, 6, 7)]


class Stubborn:
    def __init__(self, array: Any) -> None:
        self.array = array

    def __setstate__(self, state: Any) -> None:
        raise LookupError("never")


class Leaver:
    def __reduce__(self) -> Any:
        return sys.exit, ("left",)


def test_an_item_that_cannot_be_rebuilt_is_said(way: str) -> None:
    items = [*arrays(2), Stubborn(np.zeros(LARGE))]
    with (
        engine.lease(backends.find("processes"), 2) as pool,
        pytest.raises(CannotShip, match=r"item 2 \(Stubborn\) cannot be loaded in a worker: LookupError: never"),
    ):
        engine.run_pass(lambda item: 1, items, pool)


def test_a_worker_that_dies_takes_only_its_item_along(way: str) -> None:
    def work(array: Any) -> float:
        if array[0] == 3.0:
            os._exit(7)
        return float(array[0])

    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        outcome = engine.run_pass(work, arrays(8), pool, engine.PassOptions(on_error="keep"))
    assert [failure.index for failure in outcome.failures] == [3]
    assert [value for value in outcome.values if value is not outcome.values[3]] == [0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 7.0]


def test_nothing_is_kept_of_the_items_after_the_pass(way: str) -> None:
    given = arrays(5)
    watched = [weakref.ref(array) for array in given]
    with engine.lease(backends.find("processes"), 2) as pool:
        engine.run_pass(lambda array: 1, given, pool)
    del given
    gc.collect()
    assert [one() for one in watched] == [None] * 5


@LINUX
def test_what_is_offered_is_kept_until_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    lent: list[int] = []
    settle = PassRun.settle

    def settling(self: PassRun, future: Any, chunk: Any) -> None:
        channel: Any = self.channel
        buffers = channel.transport.buffers
        lent.append(len(buffers.offered.get(chunk.first, ())))
        settle(self, future, chunk)
        lent.append(len(buffers.offered.get(chunk.first, ())))

    monkeypatch.setattr(PassRun, "settle", settling)
    with engine.lease(backends.find("processes"), 2) as pool:
        engine.run_pass(lambda array: 1, arrays(6), pool, engine.PassOptions(chunk=3))
    assert lent == [3, 0, 3, 0]


class Growing:
    """Holds an array of bytes that cannot grow while anybody has its buffer."""

    def __init__(self, size: int) -> None:
        self.bytes = bytearray(size)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return first_and_last, (pickle.PickleBuffer(self.bytes),)


def first_and_last(buffer: Any) -> Any:
    view = memoryview(buffer)
    return view[0], view[-1], view.format


def test_values_see_bytes(way: str) -> None:
    items = [Growing(400_000) for _ in range(4)]
    items[2].bytes[-1] = 7
    with engine.lease(backends.find("processes"), 2) as pool:
        values = engine.run_pass(lambda item: item, items, pool).values
    assert values == [(0, 0, "B"), (0, 0, "B"), (0, 7, "B"), (0, 0, "B")]


@pytest.mark.parametrize("ends", ["error", "cap"])
def test_a_pass_that_is_given_up_holds_no_buffer(way: str, ends: str) -> None:
    def work(ends: Any) -> Any:
        if ends[0] == 1:
            raise ValueError("ended")
        while True:
            pass

    items = [Growing(400_000) for _ in range(8)]
    items[0].bytes[0] = ends == "error"
    held: Any = None
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        try:
            held = engine.run_pass(work, items, pool, engine.PassOptions(cap=1.0 if ends == "error" else 0.05))
        except ValueError as error:
            held = error  # as IPython does
    assert held is not None
    for item in items:
        item.bytes.append(1)
        assert len(item.bytes) == 400_001


# --------------------------------------------------------------------------------------------------- refused


def refuse(*_: Any) -> None:
    raise CannotFetch(errno.EPERM, "Operation not permitted")


@LINUX
@pytest.mark.parametrize(("allows", "asked"), [(False, 1), (True, 1)])
def test_where_memory_may_not_be_read_shared_memory_is_used(
    monkeypatch: pytest.MonkeyPatch, allows: bool, asked: int
) -> None:
    asks: list[int] = []

    def allow() -> bool:
        asks.append(lent_memory.STATE[0])
        return allows

    monkeypatch.setattr(process_memory, "read", refuse)  # forked workers have it
    monkeypatch.setattr(lent_memory, "allow_descendants", allow)
    with engine.lease(backends.find("fork"), 2, fresh=True) as pool:
        values = engine.run_pass(lambda array: float(array[0]), arrays(20), pool).values
        assert arena_of(pool).made > 0
    assert values == [float(number) for number in range(20)]
    assert len(asks) == asked
    assert lent_memory.STATE[0] == lent_memory.REFUSED
    assert lent_memory.offering() == 0


@LINUX
def test_descendants_are_allowed_once_where_the_system_wants_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lent_memory, "allow_descendants", lambda: True)
    lent_memory.take_refusal(lent_memory.BEFORE, errno.EPERM)
    assert lent_memory.offering() == lent_memory.ALLOWED
    lent_memory.take_refusal(lent_memory.BEFORE, errno.EPERM)  # a message that was under way
    assert lent_memory.offering() == lent_memory.ALLOWED
    lent_memory.take_refusal(lent_memory.ALLOWED, errno.EPERM)
    assert lent_memory.offering() == 0


@LINUX
def test_other_errors_are_not_met_with_permissions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lent_memory, "allow_descendants", lambda: pytest.fail("it was asked for"))
    lent_memory.take_refusal(lent_memory.BEFORE, errno.ENOSYS)
    assert lent_memory.offering() == 0


def test_without_the_system_call_nothing_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lent_memory, "system_call", lambda: None)
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        assert engine.run_pass(lambda array: float(array[0]), arrays(5), pool).values == [0.0, 1.0, 2.0, 3.0, 4.0]
        assert arena_of(pool).made > 0


# ------------------------------------------------------------------------------------------- no room in shared memory


def full(self: Path, data: bytes) -> int:
    self.touch()
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_large_function_goes_with_messages_where_no_file_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = np.arange(100_000.0)
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        assert pool.folder is not None
        monkeypatch.setattr(Path, "write_bytes", full)
        outcome = engine.run_pass(lambda number: float(captured[number]), range(50), pool)
        assert list(pool.folder.glob("function-*")) == []
    assert outcome.values == [float(number) for number in range(50)]


def test_a_pool_lies_elsewhere_where_memory_is_full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write, memory = Path.write_bytes, tmp_path / "memory"
    memory.mkdir()

    def written(self: Path, data: bytes) -> int:
        return write(self, data) if self.parent.parent != memory else full(self, data)

    monkeypatch.setattr(directory, "MEMORY", str(memory))
    monkeypatch.setattr(Path, "write_bytes", written)
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        assert pool.folder is not None
        assert pool.folder.parent != memory
        assert list(memory.iterdir()) == []
        assert engine.run_pass(lambda array: float(array[0]), arrays(5), pool).values == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_workers_that_have_no_room_are_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    def opening(self: Any, *_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    backend = backends.find("processes")
    monkeypatch.setattr(type(backend), "open", opening)
    said = "processes: the workers cannot be started: .*No space left on device"
    with pytest.raises(BackendUnavailable, match=said) as caught:
        engine.lease(backend, 2, fresh=True)
    assert ("make room there, or use -b threads" in str(caught.value)) == Path("/dev/shm").exists()


def test_what_has_arrived_is_taken_in_before_the_files_go_that_it_lies_in() -> None:
    def work(number: int) -> Any:
        return np.full(LARGE, float(number))

    with engine.lease(backends.find("mp-pool"), 2, fresh=True) as pool:
        engine.run_pass(work, [5, 6], pool)  # now it is known how much room results need
        pass_ = PassRun(work, [1, 2], pool, engine.PassOptions(chunk=1), None, None, time.perf_counter)
        with guarded() as guard:
            pass_.fill(guard)
            flying = pass_.channel.flying
            assert not wait(flying, 30).not_done
            assert any(chunk.room is not None for chunk in flying.values())
            pass_.recover([], None)
    assert not flying
    assert [pass_.collector.order.settled[number].values[0][-1] for number in (0, 1)] == [1.0, 2.0]


@LINUX
def test_new_workers_are_offered_what_the_dead_were(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    note = str(tmp_path / "died")

    def work(array: Any) -> float:
        if array[0] == 3.0 and not os.path.exists(note):
            open(note, "w").close()
            os._exit(7)
        return float(array[0])

    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        assert engine.run_pass(work, arrays(8), pool).values == [float(number) for number in range(8)]
        assert arena_of(pool).made == 0


@LINUX
def test_items_that_are_given_back_are_not_counted_as_sent() -> None:
    def work(array: Any) -> int:
        return sum(range(100_000))

    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        pass_ = PassRun(work, arrays(40), pool, engine.PassOptions(chunk=20), None, None, time.perf_counter)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Chunker, "limit", lambda self, size: 0.005)
            record = pass_.go().record
    assert record is not None
    assert len(record.messages) > 4
    assert all(message.count for message in record.messages)
    assert record.bytes_in == pytest.approx(40 * LARGE * 8, rel=0.02)


@LINUX
def test_small_items_after_large_ones_come_back_as_the_notebook_s_own() -> None:
    items: list[Any] = [*arrays(4), *({"number": number} for number in range(4))]
    with engine.lease(backends.find("processes"), 1, fresh=True) as pool:
        values = engine.run_pass(lambda item: [item], items, pool, engine.PassOptions(chunk=4)).values
    assert all(value[0] is item for value, item in zip(values[4:], items[4:], strict=True))
