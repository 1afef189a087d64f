"""Direct lines to worker processes: what is sent arrives whole, whoever dies, and nothing hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from concompare import backends, engine, machine
from concompare.engine.chunking import LARGEST_MESSAGE
from concompare.engine.shortcuts import direct_channel as room
from concompare.engine.shortcuts import lent_memory
from concompare.engine.shortcuts.direct_channel import SMALL, Line, Lines
from concompare.errors import WorkerDied
from concompare.worker import direct_server, warm_up
from concompare.worker.frames import HEAD
from tests.engine.conftest import arena_of, lines_of

pytestmark = pytest.mark.skipif(not direct_server.possible(), reason="this system has no Unix sockets")


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    """A line to a thread that serves as workers do (one only: the turnstile is for processes)."""
    with ThreadPoolExecutor(1) as executor:
        opened = Lines(tmp_path, 1)
        opened.open(executor, lambda: None)
        yield opened
        opened.close()


def wait_for(lines: Lines, *futures: Future[Any]) -> None:
    for _ in range(200):
        if all(future.done() for future in futures):
            return
        lines.pump(0.1)
    raise AssertionError("no answer in 20 s")


def test_calls_and_their_errors_come_back_to_their_futures(lines: Lines) -> None:
    good, bad = lines.submit(pow, 2, 10), lines.submit(int, "x")
    wait_for(lines, good, bad)
    assert good.result() == 1024
    assert isinstance(bad.exception(), ValueError)


def test_closing_ends_a_wait_in_another_thread(lines: Lines) -> None:
    waiting = threading.Thread(target=lines.pump, args=(10_000.0,), daemon=True)
    waiting.start()
    while lines.pumping.acquire(blocking=False):
        lines.pumping.release()
    lines.close()
    waiting.join(60)
    assert not waiting.is_alive()


def test_a_rehearsal_runs_and_wants_no_answer(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[bool] = []
    monkeypatch.setattr(warm_up, "rehearse", lambda: ran.append(True))
    lines.awake = 3
    lines.rehearse()
    future = lines.submit(pow, 2, 10)
    lines.rehearse()  # not while a call is under way
    wait_for(lines, future)
    assert future.result() == 1024
    assert len(ran) == 3
    assert lines.idle(), "no answer of a rehearsal is left to read"


def test_lines_with_something_to_read_are_not_idle(lines: Lines) -> None:
    assert lines.idle()
    lines.wake()
    assert lines.idle(), "a wake-up is no answer"
    lines.pump(20)
    future = lines.submit(pow, 2, 10)
    assert not lines.idle()
    calls, lines.calls = lines.calls, {}
    assert lines.selector.select(20)
    assert not lines.idle(), "something has come that nobody waits for"
    lines.calls = calls
    wait_for(lines, future)
    assert lines.idle()
    lines.left = True
    assert not lines.idle(), "a worker has returned to the executor"


def test_a_warm_pool_is_rehearsed_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    engine.close_pools()  # one that a test of another file left warm would be rehearsed as well
    rehearsed: list[Lines] = []
    monkeypatch.setattr(Lines, "rehearse", lambda lines: rehearsed.append(lines))
    for workers in (1, 2, 1):
        with engine.lease(backends.find("processes"), workers) as pool:
            assert engine.run_pass(abs, range(-4, 0), pool).values == [4, 3, 2, 1]
    assert rehearsed == [lines_of(pool)]
    assert lines_of(pool) is not None
    assert lines_of(pool).awake < max(2, machine.usable_cpus()), "one CPU is left to this process"


def test_few_workers_are_woken_before_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cpus, workers, awake in ((1, 2, 0), (2, 2, 1), (4, 64, 3), (256, 2, 2), (256, 256, room.MOST_AWAKE)):
        monkeypatch.setattr(room, "usable_cpus", lambda cpus=cpus: cpus)
        opened = Lines(tmp_path, workers)
        try:
            assert opened.awake == awake
            opened.rehearse()
            with contextlib.suppress(BlockingIOError):
                os.set_blocking(opened.reader, False)
                assert os.read(opened.reader, 2**16).count(b"rehearse") == awake
        finally:
            opened.close()


def test_large_messages_both_ways_at_once_do_not_wait_for_each_other(lines: Lines) -> None:
    """Each is larger than any pipe or socket holds, and four are under way while nobody reads."""
    sent = [bytes([number]) * (5 * 2**20) for number in range(4)]
    futures = [lines.submit(bytes.upper, data) for data in sent]
    wait_for(lines, *futures)
    assert [future.result() for future in futures] == [data.upper() for data in sent]


def test_an_answer_that_cannot_be_pickled_is_an_error_and_not_a_silence(lines: Lines) -> None:
    future = lines.submit(threading.Lock)
    wait_for(lines, future)
    assert "pickle" in str(future.exception())


def test_waking_ends_a_wait(lines: Lines) -> None:
    threading.Timer(0.05, lines.wake).start()
    began = time.monotonic()
    lines.pump(3600.0)
    assert time.monotonic() - began < 3600


def test_several_calls_go_together_and_several_answers_come_in_one_piece(lines: Lines) -> None:
    lines.flushed = 1e12  # just now
    futures = [lines.submit(pow, 2, number) for number in range(3)]
    assert len(lines.out) == 3, "each was written by itself"
    lines.flushed = 0.0
    futures.append(lines.submit(pow, 2, 3))
    assert not lines.out, "it waits for others that may come much later"
    for future in futures:
        wait_for(lines, future)
    assert [future.result() for future in futures] == [1, 2, 4, 8]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(HEAD.pack(7, 5, False) + b"hello" + HEAD.pack(8, 0, True) + HEAD.pack(9, 3, False))
        line = Line(ours)
        assert [(number, failed) for number, failed, _ in line.receive()] == [(7, False), (8, True)]
        theirs.sendall(b"end")
        assert [bytes(body) for _, _, body in line.receive()] == [b"end"]
        theirs.sendall(HEAD.pack(10, 2 * SMALL, False) + bytes(SMALL))
        assert line.receive() == []
        theirs.sendall(bytes(SMALL))
        assert [len(body) for _, _, body in line.receive()] == [2 * SMALL]


def test_answers_are_put_together_from_pieces() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        line = Line(ours)
        data = HEAD.pack(7, 5, False) + b"hello" + HEAD.pack(8, 0, True) + HEAD.pack(9, 3, False) + b"end"
        got = []
        for at in range(0, len(data), 4):
            theirs.sendall(data[at : at + 4])
            got += [(number, failed, bytes(body)) for number, failed, body in line.receive()]
        assert [entry[:2] for entry in got] == [(7, False), (8, True), (9, False)]
        assert (got[0][2], got[2][2]) == (b"hello", b"end")
        theirs.sendall(HEAD.pack(10, 5, False) + b"he")
        theirs.close()
        with pytest.raises(EOFError):
            line.receive()


def test_whoever_is_under_way_fails_when_a_worker_ends(lines: Lines) -> None:
    done = lines.submit(len, "abc")
    wait_for(lines, done)
    lines.lines[0].end.shutdown(socket.SHUT_RDWR)
    lost = room.Reply()
    lines.calls[99] = lost
    wait_for(lines, lost)
    assert isinstance(lost.exception(), BrokenProcessPool)
    with pytest.raises(BrokenProcessPool):
        lines.submit(len, "abc")


def test_a_pass_goes_by_the_lines_and_the_executor_is_asked_nothing() -> None:
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        engine.run_pass(abs, range(3), pool)
        assert lines_of(pool) is not None
        asked: list[Any] = []
        pool.executor.submit = lambda *call: asked.append(call)  # type: ignore[union-attr, method-assign]
        assert engine.run_pass(abs, range(-500, 0), pool).values == list(range(500, 0, -1))
        assert not asked
        assert lines_of(pool).number > 2


@pytest.mark.parametrize("name", ["processes", "fork", "loky"])
def test_without_unix_sockets_the_executor_does_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "possible", lambda: False)
    with engine.lease(backends.find(name), 2, fresh=True) as pool:
        assert engine.run_pass(abs, range(-500, 0), pool).values == list(range(500, 0, -1))
        assert lines_of(pool) is None


def test_workers_that_do_not_open_their_line_leave_the_pool_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "serve", len)  # returns at once
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        assert engine.run_pass(abs, range(-500, 0), pool).values == list(range(500, 0, -1))
        assert lines_of(pool) is None


def test_without_room_in_shared_memory_large_items_go_down_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lent_memory, "STATE", [lent_memory.REFUSED])
    items = [bytes([number]) * (LARGEST_MESSAGE // 2) for number in range(8)]
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        engine.run_pass(len, items[:1], pool)
        arena_of(pool).limit = arena_of(pool).total
        arena_of(pool).free.clear()
        assert engine.run_pass(bytes.swapcase, items, pool).values == [item.swapcase() for item in items]
        assert arena_of(pool).total == arena_of(pool).limit


def test_a_worker_that_dies_while_it_waits_for_work_is_replaced() -> None:
    with engine.lease(backends.find("processes"), 2) as pool:
        engine.run_pass(abs, range(3), pool)
        os.kill(pool.processes[0].pid, signal.SIGKILL)
        pool.processes[0].join(10)
        assert engine.run_pass(abs, range(-500, 0), pool).values == list(range(500, 0, -1))
    engine.close_pools()


def test_an_executor_that_is_broken_already_has_no_lines(tmp_path: Path) -> None:
    class Broken(ThreadPoolExecutor):
        def submit(self, *call: Any, **options: Any) -> Any:
            raise BrokenProcessPool("a worker has ended")

    with Broken(1) as executor:
        assert room.open_lines(executor, tmp_path, 1, "test", engine.close_pools, lambda: None) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["processes", "fork", "loky"])
def test_a_worker_that_dies_before_the_first_pass_is_replaced(name: str) -> None:
    with engine.lease(backends.find(name), 2, fresh=True) as pool:
        os.kill(pool.processes[0].pid, signal.SIGKILL)
        pool.processes[0].join(100)
        manager = getattr(pool.executor, "_executor_manager_thread", None)
        if manager is not None:
            manager.join(100)  # it knows by then
        assert engine.run_pass(abs, range(-50, 0), pool).values == list(range(50, 0, -1))
    engine.close_pools()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["processes", "fork", "loky"])
def test_a_script_that_leaves_its_pools_open_ends(name: str) -> None:
    script = f"""
import concompare
if __name__ == "__main__":
    print(sum(concompare.map(abs, range(100), backend="processes", workers=2)))
    print(sum(concompare.map(abs, range(100), backend="{name}", workers=2)))
    print(sum(concompare.map(abs, range(100), backend="{name}", workers=1)))
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=500, stdin=subprocess.DEVNULL
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("4950\n" * 3, "", 0)


def test_a_dead_worker_is_noticed_though_a_child_of_its_own_holds_its_line_open(tmp_path: Path) -> None:
    note = tmp_path / "child"

    def die(item: int) -> int:
        child = os.fork()
        if child == 0:
            signal.pause()
        with note.open("a") as file:
            file.write(f"{child} ")
        os._exit(3)

    try:
        with (
            engine.lease(backends.find("processes"), 1, fresh=True) as pool,
            pytest.raises(WorkerDied, match="exit code 3"),
        ):
            engine.run_pass(die, [1], pool)
    finally:
        children = [int(word) for word in note.read_text().split()]
        for child in children:
            os.kill(child, signal.SIGKILL)
    assert len(children) == 2  # a suspect runs once more


def test_an_interrupted_opening_leaves_no_descriptor_open(tmp_path: Path) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    with ThreadPoolExecutor(1) as executor, contextlib.suppress(KeyboardInterrupt):
        room.open_lines(executor, tmp_path, 1, "test", engine.close_pools, interrupt)
    after = set(os.listdir("/proc/self/fd")) if before else set()
    assert len(after) <= len(before)


# ------------------------------------------------------------------------------------------------ what is sent of items


def test_a_range_crosses_as_a_range() -> None:
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        outcome = engine.run_pass(abs, range(-50_000, 0), pool)
    assert outcome.values == list(range(50_000, 0, -1))
    assert outcome.record is not None
    assert outcome.record.bytes_in < 150 * len(outcome.record.messages)  # a list of them is 150,000 bytes and more


def test_a_list_with_an_iteration_of_its_own_is_iterated_by_it() -> None:
    class Twice(list):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[int]:
            for item in super().__iter__():
                yield 2 * item

    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        assert engine.run_pass(abs, Twice([1, 2, 3]), pool).values == [2, 4, 6]


def test_what_takes_longer_than_in_the_pass_before_is_given_back_and_shared() -> None:
    """All items of the second pass go out in two messages, as tiny ones may; the first has all the long ones."""

    def wait(seconds: float) -> int:
        threading.Event().wait(seconds)
        return os.getpid()

    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        engine.run_pass(wait, [0.0] * 40, pool)
        pool.learned.means = dict.fromkeys(pool.learned.means, (1e-7, 10.0))
        pids = engine.run_pass(wait, [0.03] * 20 + [0.0] * 20, pool).values
    assert len(pids) == 40
    assert len(set(pids[:20])) == 2
