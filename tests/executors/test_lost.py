from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool

import pytest

from concompare.errors import ItemTimeout, WorkerDied
from concompare.executors.lost import lost_with, pool_closed


def test_a_lost_call_is_a_dead_worker_and_a_broken_pool() -> None:
    found = lost_with(WorkerDied("a worker was killed", 3, "SIGKILL"))
    assert isinstance(found, WorkerDied)
    assert isinstance(found, BrokenProcessPool)
    assert (str(found), found.index, found.signal) == ("a worker was killed", 3, "SIGKILL")


def test_a_call_that_took_too_long_stays_one() -> None:
    late = ItemTimeout("too long")
    assert lost_with(late) is late


def test_closed_workers_are_taken_for_lost_ones() -> None:
    with pytest.raises(BrokenProcessPool, match="closed"):
        raise pool_closed()
