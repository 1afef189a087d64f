"""What is recorded of messages: moments since the beginning, whose clock they are by, whose worker it was."""

from __future__ import annotations

import pytest

from concompare.engine.chunking import Chunk
from concompare.engine.outcome import Outcome
from concompare.engine.pass_log import PassLog
from concompare.records import Message
from concompare.worker.chunk import Answer


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def noted(shift: float, own_clock: bool) -> Message:
    """Return what is recorded of a message that a worker's clock is wrong about by so many seconds."""
    clock = Clock()
    log = PassLog(clock, own_clock, None)
    log.begin(())
    chunk = Chunk(3, [0, 1], each=True, sent=101.0, packing=0.25, bytes_in=7)
    answer = Answer((1, 2), 102.0 + shift, 103.0 + shift, 104.0 + shift, 105.0 + shift, cpu=0.5, fetched=3)
    clock.now = 106.0
    log.note(chunk, answer, 105.5, 11)
    return log.messages[0]


def test_moments_are_seconds_since_the_beginning() -> None:
    message = noted(0.0, own_clock=False)
    assert (message.sent, message.received, message.start, message.end, message.returned, message.done) == (
        1.0, 2.0, 3.0, 4.0, 5.0, 6.0,
    )  # fmt: skip
    assert (message.first, message.count, message.bytes_in, message.bytes_out) == (3, 2, 10, 11)
    assert message.packing == 0.75, "packing the items, and taking in the answer"


@pytest.mark.parametrize("shift", [-1000.0, 1000.0])
def test_another_clock_is_moved_between_sending_and_arrival(shift: float) -> None:
    assert noted(shift, own_clock=False) == noted(0.0, own_clock=False)


def test_the_own_clock_is_never_moved() -> None:
    assert noted(1000.0, own_clock=True).received == 1002.0


def test_workers_are_numbered_and_those_of_one_message_by_their_places() -> None:
    for places, numbers in ((None, [0, 1, 2, 0]), (2, [0, 1, 0, 0])):
        log = PassLog(Clock(), True, places)
        for thread in (7, 8, 9, 7):
            log.note(Chunk(0, [0], each=True), Answer((1, thread), 0.0), 0.0, 0)
        assert [message.worker for message in log.messages] == numbers


def test_the_record_adds_up_the_messages() -> None:
    log = PassLog(Clock(), True, None)
    log.begin(())
    for thread in (1, 2):
        chunk = Chunk(0, [0] * thread, each=True, sent=100.0, bytes_in=10)
        log.note(chunk, Answer((1, thread), 101.0, 101.0, 102.0, 103.0, cpu=1.0, native_cpu=0.5), 100.0, 5)
    record = log.record(Outcome(), 4.0, "stopped", (30, 20))
    assert (record.items, record.wall, record.cpu, record.stopped) == (3, 4.0, 3.0, "stopped")
    assert (record.bytes_in, record.bytes_out, record.peak_memory, record.worker_memory) == (20, 10, 50, (30, 20))
    assert log.busy() == {(1, 1): [(1.0, 3.0)], (1, 2): [(1.0, 3.0)]}


def test_a_message_has_run_since_its_worker_was_free() -> None:
    clock = Clock()
    log = PassLog(clock, True, None)
    log.begin(())
    for worker, end in ((1, 104.0), (2, 107.0), (1, 106.0)):
        clock.now = end
        log.note(Chunk(0, [0], True, sent=end - 1), Answer((1, worker), end - 1, end - 1, end, end), end, 0)
    clock.now = 110.0
    queued = [Chunk(1, [0], True, sent=103.0), Chunk(2, [0], True, sent=105.0), Chunk(3, [0], True, sent=109.0)]
    assert log.ages(queued[:2]) == [4.0, 3.0]
    assert log.ages(queued) == [7.0, 4.0, 1.0]
