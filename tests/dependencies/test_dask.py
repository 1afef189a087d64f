"""What we rely on of dask.distributed that it does not document, on a cluster in this process."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from concompare.backends.user_executor import kind_of_client

distributed: Any = pytest.importorskip("distributed", reason="pip install 'concompare[dask]'")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(100)]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of a scheduler and a worker that are threads here."""
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_a_client_is_told_by_its_name_and_module(client: Any) -> None:
    """`user_executor.kind_of_client`: `-b client` would take it for an executor, and lose its workers' names."""
    assert kind_of_client(client) == "dask"
    assert client.scheduler.address
    assert client.security is not None


def test_workers_are_listed_by_address_with_their_threads(client: Any) -> None:
    """`DaskCluster.members`: of more than five workers the others would not be used."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    assert [worker["nthreads"] for worker in workers.values()] == [2]


def test_a_coroutine_can_be_run_in_the_clients_own_loop(client: Any) -> None:
    """`DaskCluster.on_loop`: every call to a worker goes this way."""

    async def name() -> str:
        return threading.current_thread().name

    there = asyncio.run_coroutine_threadsafe(name(), client.loop.asyncio_loop).result(30)
    assert there != threading.current_thread().name
    asked = client.run(len, "abc", asynchronous=True, on_error="ignore")
    answers = asyncio.run_coroutine_threadsafe(asked, client.loop.asyncio_loop).result(30)
    assert list(answers.values()) == [3]


def test_futures_in_a_list_of_arguments_arrive_as_what_they_stand_for(client: Any) -> None:
    """`DaskCluster.run`: large functions and items travel beside a call so."""
    part = client.scatter(b"large", hash=False)
    message = pickle.dumps([pickle.PickleBuffer(b"large")], 5, buffer_callback=lambda _: False)
    assert client.submit(pickle.loads, message, buffers=[part]).result(30) == [b"large"]


def test_what_is_sent_is_collected_for_a_time_that_can_be_set(client: Any) -> None:
    """`DaskCluster.__init__`: messages of tiny items would wait for 10 ms each."""
    assert isinstance(client.scheduler_comm.interval, float)


def test_a_worker_that_leaves_is_told_under_its_own_address() -> None:
    """`DaskCluster.hear`: a cell would wait for ever for the items of a lost worker."""
    listening, heard = threading.Event(), threading.Event()
    with (
        distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        (name,) = client.scheduler_info(n_workers=-1)["workers"]

        def hear(event: Any) -> None:
            listening.set()
            if event[1].get("action") == "remove-worker":
                heard.set()

        client.subscribe_topic(name, hear)
        while not listening.wait(0.05):  # the subscription is on its way
            client.log_event(name, {"action": "tried"})
        client.retire_workers([name], close_workers=True)
        assert heard.wait(30)


def test_a_local_cluster_says_where_it_is_and_which_workers_it_should_have(client: Any) -> None:
    """`dask_local`: no local cluster would start, or grow."""
    assert len(client.cluster.worker_spec) == 1
    assert client.cluster.scheduler_address == client.scheduler.address
    assert isinstance(client.cluster.dashboard_link, str)
