"""Every backend declares what its workers are like, and one of another package need not."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from typing import get_args

import pytest

from concompare import backends
from concompare.backends import kind_of_ours
from concompare.backends.traits import Handling, Isolation, Traits, handling_of, is_plain, kind_of, traits_of
from concompare.backends.user_executor import Foreign
from concompare.engine.pools.limits import refuse_limit
from concompare.errors import BackendUnavailable
from concompare.records import Trial
from tests.plugin.concompare_beside import Apart, Beside

OURS = (*backends.FAMILIES, *backends.CLUSTERS)


@pytest.mark.parametrize("name", OURS)
def test_a_backend_declares_itself(name: str) -> None:
    family = backends.FAMILIES.get(name) or backends.CLUSTERS[name]
    backend = backends.named(name, family)
    assert backend.isolation in get_args(Isolation)
    assert isinstance(getattr(backend, "traits", None), Traits)
    assert traits_of(backend).cost is not None
    assert kind_of_ours(name) == {"isolation": backend.isolation, "traits": traits_of(backend)}
    assert is_plain(backend) == (name == "serial")
    trial = Trial(name, 2, **kind_of(backend))
    assert trial.sends == (backend.isolation in ("interpreter", "process", "cluster"))
    assert trial.threads == (name in ("threads", "mp-threads", "thread-per-item"))


def test_no_two_backends_cost_the_same_to_have() -> None:
    costs = [traits_of(backends.named(name, {**backends.FAMILIES, **backends.CLUSTERS}[name])).cost for name in OURS]
    assert len(set(costs)) == len(costs)


def test_a_cluster_that_is_there_needs_no_start() -> None:
    local = backends.named("dask", backends.CLUSTERS["dask"])
    assert traits_of(local).starts
    assert not traits_of(replace(local, address="tcp://127.0.0.1:1")).starts  # type: ignore[type-var]


def test_an_executor_of_the_user_is_left_alone_and_not_started() -> None:
    with ThreadPoolExecutor(1) as threads, ProcessPoolExecutor(1) as processes:
        for executor, isolation in ((threads, "thread"), (processes, "process"), (object(), "unknown")):
            backend = Foreign("mine", executor)
            assert (backend.isolation, traits_of(backend).starts) == (isolation, False)
            assert handling_of(backend).borrowed
            with pytest.raises(BackendUnavailable, match="native threads cannot be limited to 1 in mine"):
                refuse_limit(backend, 1)


def test_a_backend_that_declares_nothing_is_as_most_are() -> None:
    assert traits_of(Beside()) == Traits()
    assert handling_of(Beside()) == Handling()
    with pytest.raises(BackendUnavailable, match="native threads cannot be limited to 1 in beside"):
        refuse_limit(Beside(), 1)


def test_processes_that_are_ours_to_start_can_be_limited_from_the_start() -> None:
    assert handling_of(Apart()).native == "start"
    refuse_limit(Apart(), 1)


def test_what_a_backend_of_another_package_declares_is_taken() -> None:
    assert kind_of(Apart()) == {"isolation": "process", "traits": Traits("worker apart")}
