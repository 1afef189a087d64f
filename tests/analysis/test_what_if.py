"""What a change would bring, worked out by hand: four items of a second each, on two workers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from concompare.analysis.what_if import Change, Outlook, outlooks, usual_changes
from concompare.errors import BadOption
from concompare.records import Comparison, Ledger, Message, Pass, Probe, Trial
from tests.records import bare, comparison, serial

OFF = math.sqrt(2) * 0.05
"""What two measurements are off by that do not scatter."""


def worked(
    backend: str = "processes",
    *,
    seconds: float = 1.0,
    sending: float = 0.5,
    inside: float = 0.25,
    cpu: float = 1.0,
    size: int = 1_000_000,
    packing: float = 0.0,
    waited: float = 0.0,
) -> Trial:
    """Build a trial of two workers: four messages of an item, each with so many seconds of sending."""
    each = seconds + sending
    messages = tuple(
        Message(
            n, 1, n % 2, 0.0, (n // 2) * each + sending - inside, (n // 2) * each + sending,
            (n // 2 + 1) * each, (n // 2 + 1) * each, (n // 2 + 1) * each, cpu, 0.0, waited, seconds=(seconds,),
        )
        for n in range(4)
    )  # fmt: skip
    ledger = Ledger(4 * each, 4 * cpu, 4 * waited, 4 * (seconds - cpu - waited), 0.0, 4 * sending, 0.0)
    passes = tuple(
        Pass(4, 2 * each, 4 * cpu, block=block, bytes_in=4 * size, packing=packing, messages=messages, ledger=ledger)
        for block in range(5)
    )
    return bare(backend, 2, backend, passes=passes, same=True, got=2)


def world(trial: Trial, gil: float | None = 1.0, **more: Any) -> Comparison:
    """Build a comparison with a plain loop of four seconds."""
    probe = Probe((1.0,) * 4, (1.0,) * 4, gil_share=gil)
    return comparison(serial((4.0,) * 5, items=4), trial, items=4, probe=probe, **more)


def only(found: tuple[Outlook, ...]) -> Outlook:
    (one,) = found
    return one


def test_half_the_bytes_take_between_the_part_that_is_packed_and_all_of_the_sending() -> None:
    one = only(outlooks(world(worked()), Change(bytes=0.5)))
    assert (one.trial, one.before, one.plain) == (("processes", 2), 3.0, 4.0)
    # A message takes 1.5 s; half of a second's quarter less, or half of its half.
    assert one.after.low == pytest.approx(2 * 1.25 * (1 - OFF), rel=1e-3)
    assert one.after.high == pytest.approx(2 * 1.375 * (1 + OFF), rel=1e-3)
    assert one.after.mid == pytest.approx(2 * 1.3125, rel=1e-3)
    assert one.speed_up.mid == pytest.approx(4 / 2.625, rel=1e-3)
    assert one.matters


def test_the_number_of_small_messages_costs_and_not_their_bytes() -> None:
    one = only(outlooks(world(worked(size=100)), Change(bytes=0.5)))
    assert one.after.mid == pytest.approx(3.0)
    assert not one.matters


def test_twice_the_work_is_sent_as_quickly() -> None:
    one = only(outlooks(world(worked()), Change(work=2)))
    assert one.after.mid == pytest.approx(2 * 2.5)
    assert one.plain == 8.0
    assert one.speed_up.mid == pytest.approx(1.6)


def test_the_notebook_s_part_of_the_loop_stays_as_it_is() -> None:
    trial = worked()
    trial = replace(trial, passes=tuple(replace(p, beside=1.0) for p in trial.passes))
    plain = serial((4.0,) * 5, items=4)
    plain = replace(plain, passes=tuple(replace(p, beside=1.0) for p in plain.passes))
    made = comparison(plain, trial, items=4, probe=Probe((1.0,) * 4, (1.0,) * 4))
    one = only(outlooks(made, Change(work=2)))
    assert one.before == 4.0
    assert one.after.mid == pytest.approx(6.0)
    assert one.plain == pytest.approx(9.0)


def test_four_workers_take_a_message_each() -> None:
    one = only(outlooks(world(worked()), Change(workers=4)))
    assert one.name == "processes × 4"
    assert one.after.mid == pytest.approx(1.5)
    assert one.after.high == pytest.approx(1.5 * (1 + OFF))


def test_the_last_round_of_a_sample_is_not_that_of_all_items() -> None:
    """Four items on three workers take two rounds; 120 of them take 40, two thirds of the 60 on two workers."""
    sample = worked(sending=0.0, inside=0.0)
    whole = replace(world(sample), subject=replace(world(sample).subject, items=120))
    assert only(outlooks(world(sample), Change(workers=3))).after.mid == pytest.approx(2.0)
    one = only(outlooks(whole, Change(workers=3)))
    assert one.before == pytest.approx(60.0)
    assert one.after.mid == pytest.approx(40.0)


def test_items_that_hold_each_other_up_may_go_on_doing_so() -> None:
    one = only(outlooks(world(worked(seconds=2.0, sending=0.0, inside=0.0)), Change(workers=4)))
    assert one.after.low == pytest.approx(2.0 * (1 - OFF))
    assert one.after.high == pytest.approx(4.0 * (1 + OFF))  # twice as long each on two, so twice that on four


def test_nothing_is_quicker_than_the_notebook_packs() -> None:
    one = only(outlooks(world(worked(packing=3.0)), Change(workers=8)))
    assert one.after.mid == pytest.approx(3.0)


def test_threads_with_the_gil_gain_nothing_by_more_of_them() -> None:
    turns = worked("threads", seconds=2.0, sending=0.0, inside=0.0)
    one = only(outlooks(world(turns), Change(workers=4)))
    assert one.after.low == pytest.approx(4.0 * (1 - OFF))
    free = only(outlooks(world(turns, gil=0.0), Change(workers=4)))
    assert free.after.low == pytest.approx(2.0 * (1 - OFF))
    unknown = only(outlooks(world(turns, gil=None), Change(workers=4)))
    assert unknown.after.low < 2.1 < 4.0 < unknown.after.high


def test_chunks_that_leave_a_worker_without_one_take_longer() -> None:
    one = only(outlooks(world(worked(size=100)), Change(chunk=4)))
    assert one.after.mid == pytest.approx(4 * 1.0 + 0.5)
    two = only(outlooks(world(worked(size=100)), Change(chunk=2)))
    assert two.after.mid == pytest.approx(2 * 1.0 + 0.5)


def test_passes_that_scatter_make_the_interval_wide() -> None:
    trial = worked()
    moody = tuple(replace(p, wall=wall) for p, wall in zip(trial.passes, (3.0, 2.4, 3.6, 2.4, 3.0), strict=True))
    calm = only(outlooks(world(trial), Change(work=2))).after
    wide = only(outlooks(world(replace(trial, passes=moody)), Change(work=2))).after
    assert wide.high - wide.low > 2 * (calm.high - calm.low)


def test_workers_that_get_more_to_do_are_no_quicker_than_the_cpus_allow() -> None:
    """Half of each second is sending; without it two workers want both CPUs, of which they get 1.6."""
    busy = world(worked(sending=1.0, inside=0.0, size=100))
    busy = replace(busy, probe=replace(busy.probe, capacity=((1, 1.0), (2, 1.6))))
    one = only(outlooks(busy, Change(chunk=2)))
    assert one.after.low == pytest.approx((2 * 1.0 + 1.0) * (1 - OFF))
    assert one.after.high == pytest.approx((2 * 1.25 + 1.0) * (1 + OFF))


def test_what_is_too_vague_is_asked_for_but_not_shown() -> None:
    one = only(outlooks(world(worked("threads", seconds=2.0, sending=0.0, inside=0.0), gil=None), Change(workers=64)))
    assert one.after.high > 3 * one.after.low
    assert not one.matters


def test_a_machine_that_others_use_makes_the_interval_wide() -> None:
    shares: dict[str, float | None] = {"waiting": 0.4}
    made = world(worked())
    busy = replace(made, trials=(serial((4.0,) * 5, items=4, shares=shares), made.trials[1]))
    calm, wide = (only(outlooks(one, Change(work=2))).after for one in (made, busy))
    assert calm.low == pytest.approx(5.0 * (1 - OFF))
    assert wide.low == pytest.approx(5.0 * (1 - math.sqrt(2) * 0.2))


def test_what_cannot_be_told_is_left_out() -> None:
    assert outlooks(world(worked("threads")), Change(bytes=0.5)) == ()
    assert outlooks(world(worked(), scaling="weak"), Change(work=2)) == ()
    bare_passes = replace(worked(), passes=tuple(replace(p, messages=()) for p in worked().passes))
    assert outlooks(world(bare_passes), Change(work=2)) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change(), r"what_if\(\) needs a change: bytes=0.5, work=2, workers=8 or chunk=50"),
        (Change(bytes=0), "bytes=0: how many times as much, such as 0.5 or 2"),
        (Change(work=-1.0), "work=-1.0: how many times as much"),
        (Change(workers=0), "workers=0: a whole number from 1 to 1024"),
        (Change(chunk=0), "chunk=0: a whole number from 1 to"),
    ],
)
def test_a_change_that_cannot_be_is_said(change: Change, said: str) -> None:
    with pytest.raises(BadOption, match=said):
        outlooks(world(worked()), change)


def test_a_report_asks_for_the_usual_changes() -> None:
    asked = usual_changes(world(worked()), 2)
    assert [str(change) for change in asked] == [
        "half the bytes",
        "items that take twice as long",
        "8 workers, with a CPU each",
    ]
    many = comparison(serial(), items=1000)
    assert [str(change) for change in usual_changes(many, 10)][2:] == ["20 workers, with a CPU each", "chunks of 50"]
