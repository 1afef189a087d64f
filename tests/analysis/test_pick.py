from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from concompare.analysis import findings
from concompare.analysis import pick as advise
from concompare.analysis.pick import Known
from concompare.records import Comparison, NativePool, Probe, Trial
from tests.records import ENVIRONMENT, bare, comparison, serial, trial


def at(backend: str, workers: int, speed: float, **more: Any) -> Trial:
    return trial(backend, workers, [1 / speed] * 5, **more)


def key(of: Comparison) -> tuple[str, int]:
    best = advise.pick(of)
    return best.backend, best.workers


def test_the_fastest_is_picked_with_its_interval_and_line() -> None:
    best = advise.pick(comparison(serial(), at("threads", 2, 1.0), at("processes", 4, 3.5, start_up=1.0)))
    assert (best.backend, best.workers) == ("processes", 4)
    assert best.speed_up is not None
    assert best.speed_up.mid == pytest.approx(3.5)
    assert best.line == "%%parallel -b processes -w 4"
    assert best.reason == "processes × 4 is 3.5× as fast as the plain loop."
    assert best.break_even == 2  # 1.0 s to start, 0.71 s saved per run
    assert best.seconds == pytest.approx(1 / 3.5)


def test_a_tie_goes_to_the_cheaper() -> None:
    assert key(comparison(serial(), at("threads", 4, 3.0), at("processes", 4, 3.1))) == ("threads", 4)
    assert key(comparison(serial(), at("processes", 2, 3.05), at("processes", 4, 3.1))) == ("processes", 2)
    assert key(comparison(serial(), at("processes", 2, 2.6), at("processes", 4, 3.1))) == ("processes", 4)


def test_the_plain_loop_is_a_full_answer() -> None:
    best = advise.pick(comparison(serial(), at("threads", 2, 1.02), at("processes", 2, 0.8)))
    assert (best.backend, best.workers, best.line, best.break_even) == ("serial", 1, "", None)
    assert best.reason == "threads × 2, the best of the others, is 1.02× as fast: no gain, so take the cheaper."
    slower = advise.pick(comparison(serial(), at("processes", 2, 0.8)))
    assert slower.reason == "processes × 2, the best of the others, is 0.80× as fast: slower."
    wild = trial("processes", 4, [0.4, 1.9, 0.7, 1.8, 0.6])
    unsure = advise.pick(comparison(serial(), wild))
    assert unsure.reason == "processes × 4 looks 1.43× as fast, but that is within the noise: so take the cheaper."


def test_a_gain_of_milliseconds_is_not_worth_a_pool() -> None:
    plain = trial("serial", 1, [0.012] * 5)
    fast = trial("processes", 2, [0.006] * 5, start_up=0.3)
    best = advise.pick(comparison(plain, fast))
    assert best.backend == "serial"
    assert best.reason == (
        "processes × 2 would save 6 ms a run (worth it from 10 ms), and its workers take 300 ms to start:"
        " too small to gain."
    )
    assert best.others == (("processes × 2", "saves 6 ms a run, less than it costs"),)


def test_a_pool_that_never_pays_leaves_the_pick_to_one_that_does() -> None:
    plain = trial("serial", 1, [0.1] * 5)
    dear = trial("ray", 2, [0.05] * 5, start_up=10.0)
    cheap = trial("threads", 2, [0.06] * 5, start_up=0.001)
    assert key(comparison(plain, dear, cheap)) == ("threads", 2)


def test_different_results_and_problems_are_never_picked() -> None:
    wrong = replace(at("processes", 4, 3.9), same=False, difference="item 2: 1 instead of 2")
    broken = bare("loky", 4, "loky", problem="a worker was killed")
    unknown = replace(at("threads", 4, 2.0), same=None)
    best = advise.pick(comparison(serial(), wrong, broken, unknown))
    assert (best.backend, best.workers) == ("threads", 4)
    assert dict(best.others) == {
        "the plain loop": "takes 2.00× as long as the pick",
        "processes × 4": "different results: item 2: 1 instead of 2",
        "loky × 4": "a worker was killed",
    }


def test_what_is_faster_in_every_block_is_picked_however_noisy_these_are() -> None:
    noisy = trial("processes", 2, [0.3, 0.75, 0.74, 0.35, 0.7], start_up=0.1)
    best = advise.pick(comparison(serial(), at("threads", 2, 1.0), noisy))
    assert (best.backend, best.workers) == ("processes", 2)


def test_what_is_saved_goes_by_the_blocks_that_both_ran_in() -> None:
    slow_then = trial("serial", 1, [0.2] * 4 + [0.1] * 5)  # others used the machine in the first blocks
    then = trial("threads", 2, [0.12] * 4, start_up=0.01)
    assert key(comparison(slow_then, then)) == ("threads", 2)


def test_a_pick_says_how_sure_it_is_where_it_is_not() -> None:
    close = comparison(serial(), trial("threads", 2, [0.5]), trial("processes", 2, [0.44]))
    best = advise.pick(close)
    assert best.chance is not None
    assert best.loss is not None
    assert 0.5 < best.chance < 0.95
    assert best.loss > advise.SURE
    assert advise.how_sure(best).startswith("It is the fastest with a probability of ")
    cheaper = replace(best, chance=0.1, loss=0.036)
    assert advise.how_sure(cheaper) == (
        "Another is faster by about 4 % with a probability of 90 %, but costs more to have."
    )
    assert advise.how_sure(advise.pick(comparison(serial(), at("processes", 4, 3.5)))) == ""


def test_the_pick_so_far_is_said_from_the_first_small_passes_on() -> None:
    warm = [
        replace(t, passes=(replace(t.passes[0], warm_up=True, block=-1),)) for t in (serial(), at("threads", 2, 2.0))
    ]
    assert advise.so_far(comparison(warm[0])) == ""
    words = advise.so_far(comparison(*warm))
    assert words.startswith("so far threads × 2, 2.00× as fast (")
    assert words.endswith(" % sure)")
    assert advise.pick(comparison(*warm)).backend == "serial"  # at the end warm-ups count for nothing


@pytest.mark.parametrize("waiting", [0.0, 0.5])
def test_on_a_busy_machine_a_pick_says_what_it_is_on_a_quiet_one(waiting: float) -> None:
    slowed = 1 / (1 - waiting)
    busy = trial("processes", 2, [0.6 * slowed] * 5, shares={"waiting": waiting})
    best = advise.pick(comparison(serial([1.6] * 5), busy))
    assert best.quiet == (pytest.approx(1.6 / 0.6) if waiting else None)


def test_a_single_noisy_pass_does_not_beat_the_plain_loop() -> None:
    once = trial("processes", 2, [0.92])
    assert key(comparison(serial([1.0]), once)) == ("serial", 1)
    assert key(comparison(serial([1.0]), trial("processes", 2, [0.5]))) == ("processes", 2)


def test_a_single_worker_is_not_picked_for_little_but_where_there_is_no_plain_loop() -> None:
    assert key(comparison(serial(), at("threads", 1, 1.12), at("threads", 2, 0.9))) == ("serial", 1)
    broken = replace(serial(), same=True, passes=(), problem="stopped")
    assert key(comparison(broken, at("threads", 1, 1.9))) == ("threads", 1)


def test_threads_are_not_believed_to_be_faster_than_the_gil_allows() -> None:
    noisy = (serial(), at("threads", 2, 1.9), at("processes", 2, 1.7))
    held = comparison(*noisy, probe=Probe(gil_share=0.95))
    assert key(held) == ("processes", 2)
    assert key(comparison(*noisy, probe=Probe(gil_share=0.1))) == ("threads", 2)
    assert key(replace(held, environment=replace(ENVIRONMENT, gil="off"))) == ("threads", 2)


def test_threads_that_are_not_believed_are_said_to_be_noise() -> None:
    pick = advise.pick(comparison(serial(), at("threads", 2, 2.3), probe=Probe(gil_share=1.0)))
    assert pick.backend == "serial"
    assert pick.reason == (
        "threads × 2 looks 2.30× as fast, but threads that hold the GIL 100 % of the time cannot be: that is noise."
    )


def test_nothing_measured_is_the_plain_loop() -> None:
    assert advise.pick(comparison()).reason == "Nothing was measured."
    assert advise.pick(comparison(serial())).reason == "Nothing else was tried."
    alone = comparison(serial(), bare("threads", 2, "threads", problem="no threads here"))
    assert advise.pick(alone).reason == "Nothing else ran: no threads here."


def test_single_workers_are_not_called_nothing() -> None:
    found = advise.pick(comparison(serial(), trial("threads", 1, [1.0] * 3))).reason
    assert found == "A single worker does what the plain loop does."


def known(seconds: float, busy: float = 1.0, left: int | None = 1000, **more: Any) -> Known:
    return Known((seconds,) * 5, (seconds * busy,) * 5, left, usable=4, **more)


@pytest.mark.parametrize(
    ("task", "choice"),
    [
        (known(0.05), ("processes", 4)),
        (known(0.05, busy=0.02), ("threads", 32)),
        (known(0.05, busy=0.02, left=6), ("threads", 6)),
        (known(0.00001), ("serial", 1)),  # 10 ms of work left
        (known(0.05, left=3), ("serial", 1)),
        (known(0.05, gil=False), ("threads", 4)),
        (known(0.05, two_threads=1.9), ("threads", 4)),
        (known(0.05, two_threads=1.0), ("processes", 4)),
        (known(0.05, busy=3.5), ("serial", 1)),  # native threads use the CPUs already
        (known(0.001, moving=0.02), ("serial", 1)),  # to pickle takes longer than to compute
        (known(0.05, ratios={"processes": 1.5}), ("serial", 1)),  # tried, and slower
        (known(0.05, ratios={"processes": 0.9, "threads": 0.5}), ("threads", 4)),
        (known(0.05, can=("threads",)), ("serial", 1)),
        (known(0.05, left=None), ("processes", 4)),
        (known(0.002, left=100), ("serial", 1)),  # 0.2 s of work, 0.26 s to start workers
        (known(0.002, left=250, start_up={"processes": 0.0}), ("processes", 4)),  # a warm pool
        (Known((0.05, 0.05), (0.05, 0.05), 1000, 4, count=10_000), ("serial", 1)),  # 10 µs each, 10 ms of work left
        (Known((0.05, 0.05), (0.05, 0.05), 10_000_000, 4, count=10_000), ("processes", 4)),
        (Known((), (), 10, 4), ("serial", 1)),
    ],
)
def test_auto_chooses_by_what_the_first_items_tell(task: Known, choice: tuple[str, int]) -> None:
    found = advise.choose(task)
    assert (found.backend, found.workers) == choice
    assert found.reason


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (Known((0.001,), (0.002,), 0, 2), advise.DONE),  # as a clock has it that counts another thread's time
        (Known((1.0,), (3.0,), 9, 4), "the plain loop: items use several CPUs already"),
        (Known((1.0,), (1.0,), 9, 4, can=()), "the plain loop: nothing else can run this"),
    ],
)
def test_auto_says_why_it_keeps_the_plain_loop(task: Known, reason: str) -> None:
    assert advise.choose(task).reason == reason


def test_items_that_were_timed_together_count_one_by_one() -> None:
    first, many = 2e-6, 1e-3
    found = advise.choose(Known((first, many), (first, many), 10_000, usable=4, count=10_001))
    assert found.reason == "the plain loop: 0.001 s of work left is too small to gain"


def test_auto_takes_what_the_last_comparison_of_the_cell_picked() -> None:
    last = comparison(serial(), at("threads", 2, 1.0), at("processes", 4, 3.5))
    found = advise.choose(known(0.05, busy=0.02), last)
    assert (found.backend, found.workers) == ("processes", 4)
    assert "last comparison" in found.reason


def test_a_trial_with_native_threads_capped_is_picked_and_its_line_says_so() -> None:
    probe = Probe(item_seconds=(0.01,) * 10, item_cpu=(0.035,) * 10, native_pools=(NativePool("blas", "openblas", 4),))
    crowded = trial("threads", 4, [1.2] * 5)
    capped = trial("threads", 4, [0.5] * 5, native_threads=1)
    known = comparison(serial(), crowded, capped, probe=probe)
    best = advise.pick(known)
    assert best.line == "%%parallel -b threads -w 4 --native-threads 1"
    assert best.reason == "threads × 4 (1 BLAS thread each) is 2× as fast as the plain loop."
    assert dict(best.others)["threads × 4"] == "takes 2.40× as long as the pick"
    chosen = advise.choose(Known((), (), 10, 4), known)
    assert (chosen.backend, chosen.workers, chosen.native_threads) == ("threads", 4, 1)
    (finding,) = [f for f in findings.find(known) if f.code == "oversubscribed"]
    assert "with 1 native thread each they were 2.40× as fast" in finding.summary
    assert finding.advice == "Use -b threads -w 4 --native-threads 1: 2.00× as fast as the plain loop."


def test_a_capped_trial_with_other_last_digits_is_told_of_and_not_picked() -> None:
    probe = Probe(native_share=0.75, native_pools=(NativePool("blas", "openblas", 4),))
    capped = trial("threads", 4, [0.5] * 5, native_threads=1, same=False, difference="item 3: rounding")
    known = comparison(serial(), trial("threads", 4, [1.2] * 5), capped, probe=probe)
    assert advise.pick(known).line == ""
    (finding,) = [f for f in findings.find(known) if f.code == "oversubscribed"]
    assert finding.advice.endswith("2.00× as fast as the plain loop, where the last digits do not matter.")


@pytest.mark.parametrize(("uncapped", "native"), [(0.5, 1), (0.4, None)])
def test_threads_that_crowd_the_cpus_are_picked_only_where_they_beat_those_that_do_not(
    uncapped: float, native: int | None
) -> None:
    capped = trial("threads", 4, [0.5] * 5, native_threads=1)
    pick = advise.pick(comparison(serial(), capped, trial("threads", 4, [uncapped] * 5)))
    assert (pick.workers, pick.native_threads) == (4, native)


def test_what_crowds_the_cpus_is_not_picked_for_want_of_the_other() -> None:
    capped = trial("threads", 4, [0.3] * 5, native_threads=1, same=False, difference="item 3: rounding")
    pick = advise.pick(comparison(serial(), capped, trial("threads", 4, [0.7] * 5)))
    assert pick.backend == "serial"
    assert "so its time is unpredictable" in dict(pick.others)["threads × 4"]


@pytest.mark.parametrize(
    ("walls", "picked"),
    [
        ([0.7, 0.71, 0.7, 0.69, 0.7], ("threads", 1)),
        ([0.7, 0.71, 0.7, 0.69], ("serial", 1)),  # too few blocks
        ([0.9, 0.91, 0.9, 0.89, 0.9], ("serial", 1)),  # 11 %
        ([0.4, 1.1, 0.7, 1.3, 0.6], ("serial", 1)),  # noise
    ],
)
def test_a_single_worker_is_picked_only_where_noise_does_not_explain_it(
    walls: list[float], picked: tuple[str, int]
) -> None:
    pick = advise.pick(comparison(serial(), trial("threads", 1, walls)))
    assert (pick.backend, pick.workers) == picked
