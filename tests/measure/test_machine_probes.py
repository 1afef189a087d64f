from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from concompare.measure import machine_probes

IDLE = [0.0006] * 200
SPINNING = [0.0051] * 30


def test_the_share_weighs_late_wakes_by_their_time() -> None:
    half = [0.005] * 20 + [0.0006] * 166
    assert machine_probes.judge(IDLE, SPINNING, half).value == 0.5
    assert machine_probes.judge(IDLE, SPINNING, SPINNING) == machine_probes.Share(1.0, "nearly always held")
    assert machine_probes.judge(IDLE, SPINNING, IDLE) == machine_probes.Share(0.0, "nearly always free")


def test_a_busy_machine_is_told_and_no_share_given() -> None:
    restless = [0.0006] * 190 + [0.004] * 10
    assert machine_probes.judge(restless, SPINNING, SPINNING) == machine_probes.Share(None, "machine too busy to tell")
    assert machine_probes.judge(IDLE, IDLE, SPINNING) == machine_probes.Share(None, "machine too busy to tell")


def test_too_little_is_no_evidence() -> None:
    assert machine_probes.judge(IDLE[:5], SPINNING, SPINNING).value is None


def test_words_of_shares() -> None:
    words = [machine_probes.word_of(share) for share in (0.0, 0.2, 0.5, 0.75, 1.0)]
    assert len(set(words)) == 5


def duty(share: float) -> Callable[[], None]:
    """Hold the GIL for so much of each 20 ms."""

    def run() -> None:
        end = time.perf_counter() + 0.3
        while time.perf_counter() < end:
            if share:
                machine_probes.spin(0.02 * share)
            if share < 1:
                time.sleep(0.02 * (1 - share))

    return run


@pytest.mark.alone
def test_the_heartbeat_tells_holding_from_waiting() -> None:
    shares = [machine_probes.gil_share(duty(share)) for share in (0.0, 0.5, 1.0)]
    if any(share.value is None for share in shares):
        assert {share.word for share in shares if share.value is None} <= {"machine too busy to tell", "no GIL"}
        pytest.skip("the machine is too busy to tell, and the probe says so")
    free, half, held = (share.value or 0.0 for share in shares)
    assert free < half < held


def test_capacity_is_at_most_the_number_of_processes_and_remembered() -> None:
    found = machine_probes.capacity((2,), seconds=0.02, again=True)
    assert [n for n, _ in found] == [1, 2]
    assert 0 < found[1][1] <= 2
    assert machine_probes.known((2, 1))
    assert machine_probes.capacity((2,)) is machine_probes.capacity([1, 2])
    assert machine_probes.capacity((1,)) == ((1, 1.0),)
