"""When each worker was on a CPU, as sampled from outside."""

from __future__ import annotations

from typing import Any

import pytest

from concompare import backends, engine
from concompare.engine.cpu_timeline import can_sample, slices_of, within
from concompare.engine.outcome import PassOptions
from concompare.records import Slice

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
