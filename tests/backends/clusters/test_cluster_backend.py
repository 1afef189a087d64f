"""What the backends of clusters have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from concompare.backends.base import NotInstalled
from concompare.backends.clusters.cluster_backend import ClusterBackend
from concompare.machine import usable_cpus


class Two:
    def members(self) -> dict[str, int]:
        return {"first": 2, "second": 1}


@dataclass(frozen=True, slots=True)
class Here(ClusterBackend):
    package: ClassVar[str] = "json"
    worker: ClassVar[str] = "worker"
    cost: ClassVar[int] = 1
    name: str = "here"

    def cluster(self, workers: int, state: str, variables: dict[str, str]) -> Any:
        return Two()


@dataclass(frozen=True, slots=True)
class Absent(Here):
    package: ClassVar[str] = "concompare_tests_not_installed"


def test_a_cluster_that_is_there_needs_no_start_and_says_how_many_it_has() -> None:
    local = Here()
    assert (local.there, local.traits.starts, local.capacity()) == (False, True, usable_cpus())
    for found in (local.at("tcp://there"), local.at(None, object())):
        assert (found.there, found.traits.starts, found.capacity()) == (True, False, 3)
    assert local.at("tcp://there").address == "tcp://there"


def test_what_is_not_installed_is_said_with_what_installs_it() -> None:
    assert Here().unavailable() is None
    missing = Absent().unavailable()
    assert isinstance(missing, NotInstalled)
    assert missing == "here is not installed: pip install 'concompare[here]'"


def test_each_kind_says_what_its_cluster_is() -> None:
    with pytest.raises(NotImplementedError):
        ClusterBackend().cluster(1, "", {})
