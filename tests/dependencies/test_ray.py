"""What we rely on of ray that it does not document; `tests/backends/test_clusters.py` starts one."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import pytest

from concompare.backends.clusters.ray import on_loopback

ray: Any = pytest.importorskip("ray", reason="pip install 'concompare[ray]'")

pytestmark = pytest.mark.filterwarnings("ignore")


def test_what_makes_it_listen_on_loopback_is_where_we_set_it() -> None:
    """`ray.on_loopback`: a local ray would listen on every network interface of the machine."""
    from ray._private import ray_constants, services

    assert isinstance(ray_constants.ENABLE_RAY_CLUSTER, bool)
    with on_loopback():
        assert ray_constants.ENABLE_RAY_CLUSTER is False
        assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert "ENABLE_RAY_CLUSTER" in Path(inspect.getfile(services)).read_text("utf-8")


def test_a_local_one_can_be_told_its_address() -> None:
    """`RayCluster`: what starts would listen where other machines can reach it."""
    source = inspect.getsource(inspect.unwrap(ray.init))
    assert "_node_ip_address" in source
    assert {"address", "num_cpus", "include_dashboard", "log_to_driver", "logging_level", "runtime_env"} <= {
        name.strip("'\"") for name in inspect.signature(inspect.unwrap(ray.init)).parameters
    }


def test_the_address_of_a_node_is_told_where_we_ask_for_it() -> None:
    """`ray.hides`: a cluster that listens on loopback only would be looked for elsewhere."""
    from ray.util import get_node_ip_address

    assert get_node_ip_address().count(".") == 3


def test_its_processes_have_the_names_that_we_look_for() -> None:
    """`ray.SWEEPER`: what a local ray started would stay behind for 40 s when the kernel is killed."""
    source = Path(ray.__file__).parent / "core" / "src" / "ray"
    assert (source / "raylet" / "raylet").exists()
    assert (source / "gcs" / "gcs_server").exists()
