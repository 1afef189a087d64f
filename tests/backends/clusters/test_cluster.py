"""What clusters are told and asked, seen without one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from concompare.errors import BackendUnavailable

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"python": "3.9.1"}, r"the worker has Python 3.9.1 and this notebook has \S+: functions cannot cross"),
        ({"implementation": "pypy"}, "the worker has Python pypy and this notebook has"),
        ({"cloudpickle": "99.0"}, "the worker has cloudpickle 99.0 and this notebook has"),
        ({"cloudpickle": None}, "the worker has no cloudpickle: pip install cloudpickle=="),
    ],
)
def test_another_python_or_cloudpickle_is_said_before_the_first_item(answer: dict[str, Any], message: str) -> None:
    from concompare.backends.clusters.cluster import must_match
    from concompare.worker.remote import WHO, expression

    mine = eval(expression(WHO, "who"))
    must_match(mine, "the worker")
    with pytest.raises(BackendUnavailable, match=message):
        must_match({**mine, **answer}, "the worker")


def test_engines_that_came_and_went_are_not_waited_for() -> None:
    from types import SimpleNamespace

    from concompare.backends.clusters import ipyparallel

    told: list[str] = []
    cluster = object.__new__(ipyparallel.IpyparallelCluster)
    cluster.keeper = SimpleNamespace(tell=told.append)  # type: ignore[assignment]
    cluster.asked_for, cluster.came_ever, cluster.asked = 2, 0, time.monotonic()
    for ids, wanted in (
        ([], []),  # both are on their way
        ([0, 1], []),
        ([], ["2"]),  # they are gone, so two more
        ([], ["2"]),  # which are on their way
    ):
        cluster.client = SimpleNamespace(ids=ids)
        cluster.members()
        cluster.scale(2)
        assert told == wanted
    cluster.asked -= ipyparallel.COMING + 1
    cluster.scale(2)
    assert told == ["2", "2"], "they have not come in time"
