"""dask.distributed: calls as tasks that are pinned to workers, on the user's cluster or a local one."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from concompare.backends.clusters.cluster import (
    ASKING,
    PATIENCE,
    PATIENCE_EACH,
    Cluster,
    Keeper,
    cluster_on,
    is_chunk,
)
from concompare.backends.clusters.cluster_backend import ClusterBackend
from concompare.backends.clusters.executor import Call, Lane, Settle
from concompare.errors import BackendUnavailable
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
class Dask(ClusterBackend):
    """A dask cluster: by address, by a client that the notebook has, or a local one."""

    package: ClassVar[str] = "distributed"
    worker: ClassVar[str] = "dask worker"
    cost: ClassVar[int] = 140
    name: str = "dask"
    label: str = "dask"

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


BACKENDS = (Dask(),)
