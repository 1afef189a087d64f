from __future__ import annotations

import pytest

from concompare.analysis import ledger
from concompare.records import Message, Pass


def message(first: int, worker: int, start: float, end: float, **more: float) -> Message:
    return Message(first, 1, worker, start, start, start, end, end, end, **{"cpu": end - start, "waited": 0.0, **more})  # type: ignore[arg-type]


def passed(wall: float, *messages: Message) -> Pass:
    return Pass(len(messages), wall, 0.0, messages=messages)


def test_the_parts_sum_to_workers_times_wall() -> None:
    run = passed(
        2.0,
        message(0, 0, 0.1, 0.9, cpu=0.5, waited=0.2),
        message(1, 0, 1.0, 1.8, cpu=0.3),
        message(2, 1, 0.2, 1.0, cpu=0.8),
    )
    found = ledger.ledger_of(run, 3, {0: 0.1, 1: 0.1, 2: 0.0})
    assert found.total == 6.0
    assert found.computing == pytest.approx(1.6)
    assert found.waiting == pytest.approx(0.2)
    assert found.io == pytest.approx(0.2)
    assert found.lock == pytest.approx(0.1 - 0.1 + 0.5 - 0.1)
    assert found.sending == pytest.approx(0.1 + 0.1 + 0.2)
    assert found.idle == pytest.approx(0.2 + 1.0 + 2.0)
    assert found.unexplained == pytest.approx(0.0)


def test_what_the_plain_loop_is_blocked_for_is_io_and_the_rest_is_lock() -> None:
    run = passed(1.0, message(0, 0, 0.0, 1.0, cpu=0.0))
    assert ledger.ledger_of(run, 1, {0: 1.0}).io == 1.0
    half = ledger.ledger_of(run, 1, {0: 0.4})
    assert (half.io, half.lock) == (0.4, 0.6)


def test_a_busy_machine_is_waiting_and_not_lock() -> None:
    run = passed(1.0, message(0, 0, 0.0, 1.0, cpu=0.5, waited=0.5))
    found = ledger.ledger_of(run, 1, {0: 0.0})
    assert (found.waiting, found.lock) == (0.5, 0.0)


def test_where_the_system_does_not_tell_there_is_no_waiting() -> None:
    run = passed(1.0, message(0, 0, 0.0, 1.0, cpu=0.5, waited=None))  # type: ignore[arg-type]
    found = ledger.ledger_of(run, 1, {0: 0.0})
    assert found.waiting is None
    assert found.lock == 0.5


def test_native_threads_that_compute_for_an_item_are_computing() -> None:
    run = passed(1.0, message(0, 0, 0.0, 1.0, cpu=0.2, native_cpu=3.0))
    assert ledger.ledger_of(run, 1, {0: 0.0}).computing == 1.0


def test_gaps_between_threads_are_shared_out_like_their_waits() -> None:
    run = passed(2.0, message(0, 0, 0.0, 0.8, cpu=0.4), message(1, 0, 1.2, 2.0, cpu=0.4))
    by_threads = ledger.ledger_of(run, 1, {}, "thread")
    assert by_threads.sending == pytest.approx(2 * ledger.HAND_OVER)
    assert by_threads.lock == pytest.approx(0.8 + 0.4 - 2 * ledger.HAND_OVER)
    assert ledger.ledger_of(run, 1, {}, "process").sending == pytest.approx(0.4)


def test_gaps_in_the_plain_loop_are_waits_for_a_cpu_where_its_items_waited_for_one() -> None:
    run = passed(2.0, message(0, 0, 0.0, 0.8, cpu=0.4, waited=0.4), message(1, 0, 1.2, 2.0, cpu=0.4, waited=0.4))
    plain = ledger.ledger_of(run, 1, {}, "none")
    assert plain.sending == pytest.approx(2 * ledger.HAND_OVER)
    assert plain.waiting == pytest.approx(0.8 + 0.4 - 2 * ledger.HAND_OVER)
    quiet = passed(2.0, message(0, 0, 0.0, 0.8, cpu=0.8, waited=0.0), message(1, 0, 1.2, 2.0, cpu=0.8, waited=0.0))
    assert ledger.ledger_of(quiet, 1, {}, "none").sending == pytest.approx(0.4)


def test_clocks_that_tick_on_their_own_do_not_overfill_an_item() -> None:
    assert ledger.split(message(0, 0, 0.0, 1.0, cpu=1.2, waited=0.5)) == (1.0, 0.0, 0.0)
    assert ledger.split(message(0, 0, 0.0, 1.0, cpu=0.8, waited=0.5)) == pytest.approx((0.8, 0.2, 0.0))


def test_item_times_come_one_by_one_or_shared_by_a_bulk() -> None:
    bulk = Message(0, 4, 0, 0, 0, 0.0, 1.0, 1, 1, cpu=0.8, native_cpu=0.4, waited=0.0)
    timed = Message(4, 2, 0, 1, 1, 1.0, 2.0, 2, 2, cpu=1.0, waited=0.0, seconds=(0.25, 0.75))
    run = Pass(6, 2.0, 1.8, messages=(timed, bulk))
    assert ledger.item_seconds(run) == (0.25, 0.25, 0.25, 0.25, 0.25, 0.75)
    assert ledger.item_cpu(run) == pytest.approx((0.3, 0.3, 0.3, 0.3, 0.5, 0.5))
    assert ledger.blocked_per_item(run) == pytest.approx({0: 0.05, 1: 0.05, 2: 0.05, 3: 0.05, 4: 0.0, 5: 0.0})
