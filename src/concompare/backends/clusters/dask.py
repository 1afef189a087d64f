"""dask.distributed: calls as tasks that are pinned to workers, on the user's cluster or a local one."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import pickle
import uuid
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from concompare.backends.base import NotInstalled, Start
from concompare.backends.clusters.cluster import (
    ASKING,
    PATIENCE,
    PATIENCE_EACH,
    Cluster,
    Keeper,
    cluster_on,
    executor_on,
    is_chunk,
)
from concompare.backends.clusters.executor import Call, Lane, LaneExecutor, Settle
from concompare.backends.traits import Handling, Isolation, Traits
from concompare.errors import BackendUnavailable
from concompare.machine import usable_cpus
from concompare.worker.chunk import Request
from concompare.worker.remote import LARGE, call_as_bytes

KEPT = 4
"""Large functions whose bytes are kept on the cluster."""

COLLECTING = 0.001
"""Seconds for which the client collects messages before it sends them."""


@dataclass(slots=True)
class Sent:
    """A call as bytes (the message, and what is large beside it), its request where it computes items, and its task."""

    message: bytes
    beside: list[bytes]
    request: Request | None
    future: Any = None
    dropped: bool = False


class DaskCluster(Cluster):
    """A scheduler and its workers, through a client of our own."""

    kind = "dask"

    def __init__(self, address: Any, keeper: Keeper | None = None, security: Any = None) -> None:
        from distributed import Client

        super().__init__(str(address), keeper)
        try:
            self.client = Client(address, set_as_default=False, name="concompare", timeout=10, security=security)
        except (OSError, ValueError, TypeError) as error:
            raise BackendUnavailable(f"there is no dask scheduler at {address}: {error}") from error
        with contextlib.suppress(AttributeError):  # it collects what is sent for 10 ms, which tiny items feel
            self.client.scheduler_comm.interval = COLLECTING
        self.scattered: OrderedDict[str, Any] = OrderedDict()

    def members(self) -> dict[Any, int]:
        """Return the workers by address, and their threads."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        return {address: worker["nthreads"] for address, worker in workers.items()}

    def ask(self, names: list[Any], function: Callable[..., Any], *arguments: Any) -> dict[Any, Any]:
        """Call a function on the workers' event loops."""
        asked = self.client.run(function, *arguments, workers=names, asynchronous=True, on_error="ignore")
        answers: dict[Any, Any] = self.on_loop(asked).result(ASKING)
        return answers

    def scale(self, workers: int) -> None:
        """Let the keeper start workers."""
        assert self.keeper is not None
        self.keeper.tell(str(workers))

    def on_loop(self, coroutine: Any) -> Any:
        """Run a coroutine in the client's thread and return its future."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.client.loop.asyncio_loop)

    def watch(self, name: str) -> None:
        """Listen to what the scheduler says of a worker.

        Not to what it says of all: some of that cannot be sent, and its attempt ends the connection of who listens.
        """
        self.client.subscribe_topic(name, lambda event: self.hear(name, event[1]))

    def hear(self, worker: str, said: Any) -> None:
        """Take notice of a worker that is gone; called in the client's thread, which must not wait."""
        if isinstance(said, dict) and said.get("action") == "remove-worker":
            self.scattered.clear()  # it may have had the only copy
            self.client.unsubscribe_topic(worker)
            self.gone(worker)

    def start(self, lane: Lane, call: Call, arguments: tuple[Any, ...], settle: Settle) -> None:
        """Submit a call as a task for one worker."""
        message, beside = call_as_bytes(call.function, arguments)
        function = arguments[0] if is_chunk(arguments) else None
        call.held = Sent(message, beside, function)
        self.on_loop(self.run(lane.name, call.held, settle))

    def drop(self, call: Call) -> None:
        """Cancel a call's task: what has not begun never does."""
        sent: Sent | None = call.held
        if sent is not None:
            sent.dropped = True
            if sent.future is not None:
                self.on_loop(self.client.cancel([sent.future], asynchronous=True))

    async def run(self, worker: str, sent: Sent, settle: Settle) -> None:
        """Run a call as a task, its large parts scattered before: items to its worker, a function to all once."""
        try:
            buffers = []
            for part in sent.beside:
                if sent.request is not None and part is sent.request.blob:
                    buffers.append(await self.function(sent.request.key, part))
                else:
                    buffers.append(await self.scatter(part, [worker]))
            message = await self.scatter(sent.message, [worker]) if len(sent.message) >= LARGE else sent.message
            if sent.dropped:
                return
            key = f"concompare-{uuid.uuid4().hex}"
            there: dict[str, Any] = {"workers": [worker], "allow_other_workers": False, "retries": 0}
            sent.future = self.client.submit(pickle.loads, message, buffers=buffers, key=key, **there)
            direct = True if self.keeper is not None else None
            (result,) = await self.client.gather([sent.future], direct=direct, asynchronous=True)
        except BaseException as error:
            settle(None, error if isinstance(error, Exception) else RuntimeError(f"{type(error).__name__}: {error}"))
            if isinstance(error, GeneratorExit | asyncio.CancelledError):
                raise
        else:
            settle(result, None)

    async def scatter(self, data: bytes, workers: list[str] | None) -> Any:
        """Return a future of bytes that lie on these workers, or on all."""
        return await self.client.scatter(
            data, workers=workers, broadcast=workers is None, hash=False, asynchronous=True
        )

    async def function(self, key: str, blob: bytes) -> Any:
        """Return the future of a large function, sent to all workers the first time."""
        found = self.scattered.get(key)
        if found is None:
            found = self.scattered[key] = asyncio.ensure_future(self.scatter(blob, None))
        while len(self.scattered) > KEPT:
            self.scattered.popitem(last=False)
        return await found

    def usable(self) -> bool:
        """Return whether the client is connected."""
        return bool(self.client.status == "running")

    def disconnect(self) -> None:
        """Close the client."""
        self.client.close(timeout=2)


@dataclass(frozen=True, slots=True)
class Dask:
    """A dask cluster: by address, by a client that the notebook has, or a local one."""

    name: str = "dask"
    label: str = "dask"
    isolation: Isolation = "cluster"
    chunk: int | None = None
    ephemeral: bool = False
    handling: ClassVar[Handling] = Handling(lasting=True)
    address: str | None = None
    client: Any = None

    @property
    def traits(self) -> Traits:
        """Return what the workers are like; those of a cluster that is there need no start."""
        return Traits("dask worker", cost=140, starts=not self.there)

    @property
    def there(self) -> bool:
        """Return whether it is an existing cluster."""
        return self.address is not None or self.client is not None

    def unavailable(self) -> str | None:
        """Return None, or that dask.distributed is not installed."""
        if importlib.util.find_spec("distributed") is None:
            return NotInstalled("dask is not installed: pip install 'concompare[dask]'")
        return None

    def at(self, address: str | None, client: Any = None) -> Dask:
        """Return the backend for the cluster at an address, or for that of a client."""
        return replace(self, address=address, client=client)

    def open(self, workers: int, start: Start) -> Executor:
        """Return an executor on the cluster."""
        return executor_on(self.cluster(workers, start.state, start.variables), workers)

    def capacity(self) -> int:
        """Return the workers that an existing cluster has, else how many CPUs there are for a local one."""
        if not self.there:
            return usable_cpus()
        cluster = self.cluster(0, "", {})
        return max(1, sum(cluster.members().values()))

    def cluster(self, workers: int, state: str, variables: dict[str, str]) -> Cluster:
        """Return the cluster, connected now or before."""
        return cluster_on(("dask", self.address, self.client), state, lambda: self.connect(workers, variables))

    def connect(self, workers: int, variables: dict[str, str]) -> DaskCluster:
        """Return the cluster, started here where there is no other."""
        if self.client is not None:
            return DaskCluster(self.client.scheduler.address, security=self.client.security)
        if self.address is not None:
            return DaskCluster(self.address)
        keeper = Keeper("concompare.backends.clusters.dask_local", workers, variables)
        try:
            keeper.wait(PATIENCE + PATIENCE_EACH * workers)
            return DaskCluster(keeper.told[0], keeper)
        except BaseException:
            keeper.close()
            raise

    def processes(self, executor: Executor) -> list[Any]:
        """Return none: they are the cluster's."""
        return []

    def kill(self, executor: LaneExecutor) -> None:
        """Drop what is queued and end what is computed, as far as the cluster is ours."""
        executor.stop()


BACKENDS = (Dask(),)
