"""The parts of a pass, each by itself; whole passes are in the contract of the backends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from concompare import backends, engine
from concompare.computing import TINY, Computed, compute
from concompare.engine.chunks import (
    FIRST_BULK,
    GROWTH,
    LARGEST_MESSAGE,
    MOST_AT_FIRST,
    MOST_UNCOUNTED,
    TARGET,
    Chunk,
    Chunker,
)
from concompare.engine.deaths import Inquest
from concompare.engine.failures import death, rebuild, short_repr
from concompare.engine.interrupt import guarded
from concompare.engine.order import Order, Settled
from concompare.engine.outcome import Outcome, PassOptions
from concompare.engine.passes import WINDOW_ITEMS
from concompare.engine.pooling import end
from concompare.engine.sampling import can_sample, slices_of, within
from concompare.errors import Interrupted, ItemTimeout, RemoteError, WorkerDied
from concompare.parcels import Parcel, given_back, lend, pack, pack_error, put, unpack
from concompare.records import Slice
from concompare.streams import recording

# -------------------------------------------------------------------------------------------------------- chunk sizes


def test_few_items_start_one_by_one_and_many_in_small_bulk() -> None:
    assert Chunker(2, 100).next() == 1
    assert Chunker(2, 2000).next() == FIRST_BULK
    assert Chunker(2, 51_200).next() == 100  # one in 256 of a worker's share
    assert Chunker(2, 10**7).next() == MOST_AT_FIRST
    assert Chunker(2, None).next() == FIRST_BULK


def test_long_items_are_never_more_than_one_a_message() -> None:
    chunker = Chunker(2, 1000)
    chunker.next()
    chunker.learn(1, 0.05, 100)
    assert {chunker.next() for _ in range(50)} == {1}


def test_chunks_of_short_items_fill_the_target_and_shrink_to_the_end() -> None:
    chunker = Chunker(2, 4000)
    sizes = []
    while chunker.taken < 4000:
        sizes.append(chunker.next())
        chunker.learn(sizes[-1], sizes[-1] * 100e-6, sizes[-1] * 10)
    assert sum(sizes) == 4000
    assert max(sizes) == int(TARGET / 100e-6)
    assert sizes[-1] == 1
    largest = sizes.index(max(sizes))
    tail = sizes[len(sizes) - 20 :]
    assert tail == sorted(tail, reverse=True)
    assert largest < len(sizes) - 20


def test_tiny_items_are_timed_by_the_chunk() -> None:
    chunker = Chunker(2, 100_000)
    assert chunker.each
    chunker.next()
    chunker.learn(FIRST_BULK, FIRST_BULK * TINY / 100, 50)
    assert not chunker.each


def test_one_fast_item_does_not_decide() -> None:
    chunker = Chunker(2, None)
    chunker.next()
    chunker.learn(FIRST_BULK, 1e-9, 50)
    assert chunker.next() == FIRST_BULK * GROWTH


def test_large_items_bound_a_message() -> None:
    chunker = Chunker(2, 10_000)
    chunker.next()
    chunker.largest = 10_000
    chunker.learn(1, 50e-6, 2**20)
    assert chunker.next() == LARGEST_MESSAGE // 2**20


def test_a_fixed_size_is_kept_but_for_the_rest() -> None:
    chunker = Chunker(2, 10, fixed=4)
    assert [chunker.next(), chunker.next(), chunker.next()] == [4, 4, 2]


# ------------------------------------------------------------------------------------------------------ item order


def guard() -> Any:
    with guarded() as found:
        return found


def test_values_wait_for_those_before_them() -> None:
    outcome, seen = Outcome(), []
    order = Order(outcome, PassOptions(), lambda position, value: seen.append((position, value)))
    order.settled[2] = Settled(["c", "d"], names={"t": "d"})
    order.release(guard())
    assert seen == []
    order.settled[0] = Settled(["a", "b"], names={"t": "b"})
    order.release(guard())
    assert seen == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]
    assert outcome.names == {"t": "d"}


def test_a_receiver_of_many_gets_runs() -> None:
    class Receiver:
        def __init__(self) -> None:
            self.runs: list[tuple[int, list[str]]] = []

        def __call__(self, position: int, value: str) -> bool:
            raise AssertionError("one by one is the slow way")

        def many(self, first: int, values: list[str]) -> None:
            self.runs.append((first, values))

    receiver = Receiver()
    order = Order(Outcome(), PassOptions(), receiver)
    order.settled[0] = Settled(["a", "b"])
    order.release(guard())
    assert receiver.runs == [(0, ["a", "b"])]


def test_a_pass_that_lost_an_item_says_so_and_gives_no_result() -> None:
    order = Order(Outcome(), PassOptions(), None)
    order.settled[0] = Settled(["a"])
    order.release(guard())
    order.must_be_complete(1)
    with pytest.raises(RuntimeError, match="a pass of 2 items ended after 1"):
        order.must_be_complete(2)


# ------------------------------------------------------------------------------------------------------- exceptions


def raised(source: str, **names: Any) -> BaseException:
    try:
        exec(compile(source, "<cell 3>", "exec"), names)
    except BaseException as error:
        # The worker's own frame is the first; the user's begin below it.
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
        return error
    raise AssertionError("it did not raise")


def test_a_rebuilt_exception_walks_through_the_users_lines_without_marks() -> None:
    error = rebuild(pack_error(raised("def f(x):\n    return 1 / x\n\n\nf(0)")))
    assert [(frame.filename, frame.lineno, frame.name) for frame in traceback.extract_tb(error.__traceback__)] == [
        ("<cell 3>", 5, "<module>"),
        ("<cell 3>", 2, "f"),
    ]
    assert "^" not in "".join(traceback.format_exception(error))


def test_an_exception_that_cannot_cross_keeps_its_name_and_text() -> None:
    source = "class Odd(Exception):\n    def __reduce__(self): raise RuntimeError('no')\nraise Odd('text', open)"
    packed = pack_error(raised(source, __name__="elsewhere"))
    packed.pop("parts", None)
    error = rebuild(packed)
    assert isinstance(error, RemoteError)
    assert type(error).__name__ == "Odd"
    assert "text" in str(error)


def test_an_exception_whose_text_fails_still_crosses() -> None:
    packed = pack_error(raised("class Bad(Exception):\n    def __str__(self): return 1 / 0\nraise Bad"))
    assert packed["text"] == "(its text could not be made)"


def test_a_repr_is_short_and_on_one_line_whatever_the_item_does() -> None:
    class Bad:
        def __repr__(self) -> str:
            raise ValueError

    assert short_repr(Bad()).startswith("<Bad instance at 0x")
    assert "\n" not in short_repr("a\nb")
    assert len(short_repr(list(range(1000)))) <= 80


def test_a_death_names_the_signal_the_item_and_the_memory() -> None:
    error = death(4, "'big.csv'", -signal.SIGKILL, 3 * 10**9)
    assert str(error).startswith(
        "a worker was killed by SIGKILL (often the system, for lack of memory) while computing item 4 ('big.csv'); "
        "it had used 3.00 GB of memory."
    )
    assert (error.index, error.signal) == (4, "SIGKILL")
    assert "ended with exit code 7" in str(death(0, "0", 7, None))


# ---------------------------------------------------------------------------------------------------------- deaths


def inquest(board: list[tuple[int, int, float]], codes: dict[int, int | None], **options: Any) -> Inquest:
    processes = [SimpleNamespace(pid=pid, exitcode=code, join=lambda _: None) for pid, code in codes.items()]
    lines = [(*line, 0) for line in board]
    backend = backends.find("processes")
    pool = SimpleNamespace(backend=backend, board=lambda: lines, processes=processes, executor=None, lasting=False)
    return Inquest(pool, PassOptions(**options), clock=lambda: 100.0)  # type: ignore[arg-type]


def test_only_the_item_of_the_dead_worker_is_suspect() -> None:
    found = inquest([(11, 5, 0.0), (12, 9, 0.0)], {11: -signal.SIGSEGV, 12: -signal.SIGTERM})
    lost = [Chunk(4, ["a", "b"], True), Chunk(8, ["c", "d"], True)]
    verdicts, again = found.judge(lost, BrokenExecutor())
    assert verdicts == []
    assert [(chunk.first, len(chunk.items), chunk.alone) for chunk in again] == [
        (4, 1, False),
        (5, 1, True),
        (8, 2, False),
    ]


def test_an_item_that_kills_its_worker_alone_is_guilty() -> None:
    found = inquest([(11, 5, 0.0)], {11: -signal.SIGSEGV})
    verdicts, again = found.judge([Chunk(5, ["b"], True, alone=True)], BrokenExecutor())
    assert again == []
    ((_, index, error),) = verdicts
    assert index == 5
    assert isinstance(error, WorkerDied)
    assert error.signal == "SIGSEGV"


def test_an_item_whose_time_was_up_is_not_tried_again() -> None:
    found = inquest([(11, 5, 0.0)], {11: -signal.SIGKILL}, timeout=2.0)
    found.timed_out[5] = 2.1
    ((_, index, error),), again = found.judge([Chunk(5, ["b"], True), Chunk(6, ["c"], True)], BrokenExecutor())
    assert (index, type(error)) == (5, ItemTimeout)
    assert str(error) == "item 5 ('b') took longer than its 2 s; its worker was ended"
    assert [chunk.first for chunk in again] == [6]


# ---------------------------------------------------------------------------------------------- time limits and caps


def test_an_item_over_its_time_limit_is_ended_and_the_rest_goes_on() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(x):\n    while x == 1: pass\n    return x", namespace)
    with engine.lease(backends.find("processes"), 2) as pool:
        outcome = engine.run_pass(namespace["f"], range(6), pool, PassOptions(on_error="keep", timeout=0.3))
    assert [failure.index for failure in outcome.failures] == [1]
    assert isinstance(outcome.failures[0].error, ItemTimeout)
    assert [outcome.values[0], *outcome.values[2:]] == [0, 2, 3, 4, 5]
    engine.close_pools()


def test_a_capped_pass_stops_and_says_so() -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(x):\n    while True: pass", namespace)
    with engine.lease(backends.find("processes"), 1, fresh=True) as pool:
        outcome = engine.run_pass(namespace["f"], range(6), pool, PassOptions(cap=0.2))
    assert outcome.stopped
    assert outcome.record is not None
    assert outcome.record.stopped == "stopped after 0.2 s"


def test_a_pass_looks_up_when_its_cap_is_reached_and_not_a_quarter_of_a_second_later() -> None:
    assert PassOptions(cap=0.3).pause(0.25, longest=0.25) == pytest.approx(0.05)
    assert PassOptions(cap=9.0).pause(0.25, longest=0.25) == 0.25
    assert PassOptions().pause(0.25, longest=0.25) == 0.25
    assert 0 < PassOptions(cap=0.3).pause(0.4, longest=0.25) < 0.01


# ---------------------------------------------------------------------------------------------------- shared memory


def test_large_buffers_lie_beside_the_pickle(tmp_path: Any) -> None:
    import numpy as np

    file = tmp_path / "room"
    file.write_bytes(bytes(2**21))
    buffers: list[Any] = []
    data = pack([np.arange(100_000)], buffers)
    assert len(data) < 1000
    parcel, wanted = put(data, buffers, (str(file), 0, 2**21))
    assert parcel is not None
    assert wanted == 800_000
    lent: list[Any] = []
    (array,) = unpack(parcel, lent)
    assert array.tolist() == list(range(100_000))
    kept = array[3:5]
    del array
    assert not given_back(lent)
    assert kept.tolist() == [3, 4]


def test_what_is_lent_and_dropped_is_given_back(tmp_path: Any) -> None:
    file = tmp_path / "room"
    file.write_bytes(bytes(100_000))
    lent = [lend(str(file), 0, 50_000)]
    assert given_back(lent)


def test_too_small_a_room_is_refused_with_the_size_wanted() -> None:
    parcel, wanted = put(b"x" * 200_000, [], ("", 0, 0))
    assert (parcel, wanted) == (None, 200_000)
    assert put(b"x", [], ("", 0, 0)) == (Parcel(b"x"), 0)


@pytest.mark.skipif(sys.platform != "linux", reason="file sizes are limited by a Linux resource limit here")
def test_without_room_in_shared_memory_results_still_come(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from concompare.engine import transport

    monkeypatch.setattr(transport, "reserve", lambda path, size: False)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(a): return a + 1", namespace)
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        values = engine.run_pass(namespace["f"], [np.zeros(200_000) + x for x in range(6)], pool).values
    assert [float(value[0]) for value in values] == [1, 2, 3, 4, 5, 6]


# ---------------------------------------------------------------------------------------------------------- timelines


def test_counts_that_come_late_are_laid_into_the_time_before() -> None:
    ms = 1_000_000
    samples = [(0.0, 0, 0), (0.002, 0, 0), (0.004, 0, 0), (0.006, 3 * ms, 2 * ms), (0.008, 3 * ms, 2 * ms)]
    found = slices_of(samples)
    assert [(round(s.start, 4), round(s.end, 4), round(s.computing, 2), round(s.waiting, 2)) for s in found] == [
        (0.0, 0.002, 0.0, 0.5),
        (0.002, 0.004, 0.5, 0.5),
        (0.004, 0.006, 1.0, 0.0),
        (0.006, 0.008, 0.0, 0.0),
    ]


def test_a_track_ends_where_its_worker_has_nothing_to_do() -> None:
    slices = (Slice(0.0, 1.0, 1.0, 0.0), Slice(1.0, 4.0, 0.0, 0.0))
    assert within(slices, [(0.5, 1.5), (2.0, 2.5), (3.5, 9.0)]) == (
        Slice(0.5, 1.0, 1.0, 0.0),
        Slice(1.0, 1.5, 0.0, 0.0),
        Slice(2.0, 2.5, 0.0, 0.0),
        Slice(3.5, 4.0, 0.0, 0.0),
    )
    assert within(slices, []) == ()


@pytest.mark.skipif(not can_sample(), reason="this system does not count what the sampler reads")
@pytest.mark.parametrize("name", ["threads", "processes"])
def test_a_timeline_has_a_track_for_every_worker_that_adds_up_to_its_cpu_time(name: str) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def f(x):\n    s = 0\n    for i in range(500_000): s += i\n    return s", namespace)
    with engine.lease(backends.find(name), 2) as pool:
        record = engine.run_pass(namespace["f"], range(8), pool, PassOptions(timeline=True)).record
    assert record is not None
    assert len(record.tracks) == 2
    seen = sum((piece.end - piece.start) * piece.computing for track in record.tracks for piece in track.slices)
    assert seen == pytest.approx(record.cpu, rel=0.25)
    engine.close_pools()


def test_a_worker_killed_in_the_middle_of_its_answer_leaves_no_thread_waiting() -> None:
    reader, writer = multiprocessing.Pipe(duplex=False)
    os.write(writer.fileno(), struct.pack("!i", 1000) + b"half of it")

    def wait_for_the_rest() -> None:
        with contextlib.suppress(EOFError, OSError):
            reader.recv_bytes()

    manager = threading.Thread(target=wait_for_the_rest, daemon=True)
    manager.start()
    executor: Any = SimpleNamespace(_executor_manager_thread=manager, _result_queue=SimpleNamespace(_writer=writer))
    backend: Any = SimpleNamespace(kill=lambda executor: None)
    end(backend, executor, [])
    assert not manager.is_alive()
    reader.close()


@pytest.mark.parametrize("name", ["serial", "threads"])
def test_of_an_endless_iterator_little_is_in_memory(name: str) -> None:
    given, ahead = [0], [0]

    def items() -> Iterator[int]:
        for item in range(600_000):
            given[0] += 1
            yield item

    def take(position: int, value: int) -> bool:
        ahead[0] = max(ahead[0], given[0] - position)
        return False

    with engine.lease(backends.find(name), 2) as pool:
        outcome = engine.run_pass(abs, items(), pool, PassOptions(keep_values=False), on_value=take)
    assert given == [600_000]
    assert ahead[0] <= WINDOW_ITEMS + 5 * MOST_UNCOUNTED  # two messages for each of two workers, and one to come
    assert outcome.values == []
    assert outcome.record is not None
    assert sum(len(message.seconds) for message in outcome.record.messages) < 60_000  # tiny items are not timed singly


@pytest.mark.parametrize("stopped", [None, lambda: False])
def test_in_bulk_too_prints_and_errors_find_their_item(stopped: Any) -> None:
    done = Computed()

    def work(x: int) -> int:
        if x % 50 == 0:
            print(f"at {x}")
        return 100 // (x - 130)

    with recording(done):
        compute(work, range(200), done, each=False, keep_going=True, stopped=stopped)
    assert done.output == [(x, "stdout", f"at {x}\n") for x in (0, 50, 100, 150)]
    assert [offset for offset, _ in done.errors] == [130]
    assert len(done.values) == 200
    assert done.values[129:132] == [-100, None, 100]


def test_a_step_bounds_what_the_plain_loop_takes_between_two_looks_at_the_clock() -> None:
    from concompare.probes import spin

    counts = {}
    for step in (None, 0.002):
        with engine.lease(backends.find("serial"), 1) as pool:
            record = engine.run_pass(spin, [0.0005] * 64, pool, PassOptions(cap=60, step=step)).record
        assert record is not None
        assert record.items == 64
        counts[step] = max(message.count for message in record.messages)
    assert counts[None] > counts[0.002]  # half a millisecond each, or more: 10 ms are aimed at otherwise
    assert 1 <= counts[0.002] <= 4


@pytest.mark.parametrize("on_error", ["stop", "keep"])
@pytest.mark.parametrize("expected", [0.0, 1e-6])
def test_an_interrupt_in_the_middle_of_a_bulk_keeps_what_finished(on_error: Any, expected: float) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 7:
            raise KeyboardInterrupt
        if item == 3 and on_error == "keep":
            raise ValueError
        return item * item

    options = PassOptions(on_error=on_error, expected=expected)
    with (
        engine.lease(backends.find("serial"), 1) as pool,
        pytest.raises(Interrupted, match="interrupted after 7 items"),
    ):
        engine.run_pass(work, list(range(50)), pool, options)
    assert begun == list(range(8))
    values = engine.last().values
    assert [value for place, value in enumerate(values) if place != 3] == [0, 1, 4, 16, 25, 36]
    assert values[3] == 9 or [failure.index for failure in engine.last().failures] == [3]
