"""What we rely on of ipyparallel that it does not document; `tests/backends/test_clusters.py` starts one."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

ipyparallel: Any = pytest.importorskip("ipyparallel", reason="pip install 'concompare[ipyparallel]'")

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_client_is_told_by_its_name_and_module_and_knows_whether_it_is_closed() -> None:
    """`user_executor.CLIENTS`, `IpyparallelCluster.usable`: a closed client would be used for the next cell."""
    from concompare.backends.user_executor import CLIENTS

    assert CLIENTS[ipyparallel.Client.__module__] == "ipyparallel"
    assert ipyparallel.Client._closed is False


def test_engines_can_be_sent_a_signal() -> None:
    """`IpyparallelCluster.halt`: an interrupted cell would leave its items running on the engines."""
    assert {"sig", "targets", "block"} <= inspect.signature(ipyparallel.Client.send_signal).parameters.keys()


def test_a_call_of_a_lost_engine_fails_with_an_error_of_that_name() -> None:
    """`IpyparallelCluster.finish`: the cell would take a lost engine for an error in the user's item."""
    from ipyparallel import error

    assert issubclass(error.EngineError, Exception)
    assert "EngineError" in repr(error.EngineError("engine 0 died"))


def test_a_local_cluster_is_set_up_by_these_names() -> None:
    """`ipyparallel_local`: it would listen everywhere, or an engine be lost while its items compute."""
    from ipyparallel.controller.heartmonitor import HeartMonitor

    wanted = {"controller_ip", "controller_args", "profile_dir", "cluster_id", "delay", "log_level", "n"}
    assert wanted <= set(ipyparallel.Cluster.class_trait_names())
    assert {"period", "max_heartmonitor_misses"} <= set(HeartMonitor.class_trait_names(config=True))
