"""What workers need of memory: measured for real, and counted before more of them are started."""

from __future__ import annotations

import os

import pytest

from concompare import backends, engine
from concompare.engine.pools.limits import highest, highest_resident
from concompare.records import Pass
from tests.records import of_the_notebook


@of_the_notebook
def burst(megabytes: int) -> int:
    """Take memory and give it back."""
    return len(b"x" * (megabytes << 20))


@pytest.mark.skipif(not highest_resident(os.getpid()), reason="the system keeps no highest size")
def test_memory_that_was_given_back_counts_for_the_worker_that_took_it() -> None:
    records: list[Pass | None] = []
    with engine.lease(backends.find("processes"), 2, fresh=True) as pool:
        for size in (1, 100, 1):
            options = engine.PassOptions(memory=True, chunk=1)
            records.append(engine.run_pass(burst, [size] * 4, pool, options, count=4).record)
        unwatched = engine.run_pass(burst, [1], pool, engine.PassOptions(), count=1).record
    before, at, after = (record.peak_memory or 0 for record in records if record is not None)
    assert before > 1 << 20
    for record in records:
        assert record is not None
        assert len(record.worker_memory) == 2
        assert sum(record.worker_memory) == record.peak_memory
    took = [record.worker_memory for record in records if record is not None]
    assert took[1][0] - took[0][0] >= 95 << 20, "the worker that took it, and not the mean of both"
    assert at - before >= 95 << 20
    assert after >= at - (5 << 20)
    assert unwatched is not None
    assert unwatched.peak_memory is None


def test_a_process_that_is_gone_took_nothing() -> None:
    assert highest(2**22 + 1) is None
    assert (highest(os.getpid()) or 0) > 1 << 20
