from __future__ import annotations

import multiprocessing
import time
from typing import Any

import pytest

from concompare import backends
from concompare.engine.outcome import PassOptions
from concompare.errors import BackendUnavailable
from concompare.executors.call_transport import forgotten
from concompare.executors.leased_workers import Places, Workers, can_be_sent
from concompare.worker.calls import Inherited, Setup


def workers(kind: str, setup: Setup | None = None) -> Workers:
    return Workers(backends.find(kind), 1, setup, "token")


def test_only_what_no_message_can_carry_is_given_with_the_start() -> None:
    lock = multiprocessing.get_context("spawn").Lock()
    setup = Setup("token", print, (1, lock, "a"))
    made = workers("processes", setup)
    made.set_apart()
    made.set_apart()
    assert made.inherited == {"token-1": lock}
    assert (setup.arguments[0], setup.arguments[2]) == (1, "a")
    assert isinstance(setup.arguments[1], Inherited)
    here = Setup("token", print, (lock,))
    workers("threads", here).set_apart()
    assert here.arguments == (lock,)


def test_a_time_limit_that_cannot_be_kept_is_refused_and_the_pool_given_back(no_leaks: None) -> None:
    made = workers("threads")
    with pytest.raises(BackendUnavailable, match="cannot be kept"):
        made.open(PassOptions(timeout=1.0), time.perf_counter)
    assert made.pool is None


def test_busy_workers_are_ended_and_idle_ones_kept_warm(no_leaks: None) -> None:
    made, pids = workers("processes"), []
    for busy in (False, True, False):
        made.open(PassOptions(), time.perf_counter)
        assert made.pool is not None
        pids.append(made.pool.pids)
        made.leave(busy=busy)
        assert made.pool is None
    assert pids[0] == pids[1] != pids[2]


def test_places_are_those_in_the_batch() -> None:
    class Numbered:
        number = 10

    owners: dict[int, Any] = {100: (Numbered(), 3)}
    assert Places(owners)[100] == 13
    assert len(Places(owners)) == 1


def test_what_has_been_sent_is_not_called_here() -> None:
    assert can_be_sent(1)
    with pytest.raises(AssertionError):
        forgotten(1)
