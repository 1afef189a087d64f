"""ipyparallel: calls sent straight to engines, on the user's cluster or a local one."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import threading
import time
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
)
from concompare.backends.clusters.cluster_backend import ClusterBackend
from concompare.backends.clusters.executor import Call, Lane, Settle
from concompare.errors import BackendUnavailable
from concompare.worker.remote import call_as_bytes

LOOK = 0.25
"""Seconds between two looks at which engines there are."""

COMING = 15.0
"""Seconds for which an engine that was asked for is waited for before another is."""


class IpyparallelCluster(Cluster):
    """A controller and its engines, through the notebook's client or one of our own."""

    kind = "ipyparallel"
    interruptible = True

    def __init__(self, connection: str, keeper: Keeper | None = None, engines: int = 0, client: Any = None) -> None:
        import ipyparallel

        super().__init__(connection, keeper)
        self.theirs = client
        try:
            self.client = client or ipyparallel.Client(connection, timeout=10)
        except Exception as error:
            raise BackendUnavailable(f"there is no ipyparallel cluster at {connection}: {error}") from error
        self.asked_for, self.came_ever, self.asked = engines, 0, time.monotonic()
        self.watcher: threading.Thread | None = None

    def members(self) -> dict[Any, int]:
        """Return the engines by number; each runs one call at a time."""
        there = self.client.ids
        self.came_ever = max([self.came_ever, *(number + 1 for number in there)])  # numbers are never given twice
        return dict.fromkeys(there, 1)

    def ask(self, names: list[Any], function: Callable[..., Any], *arguments: Any) -> dict[Any, Any]:
        """Call a function on engines; it waits behind what they compute."""
        asked = {name: self.client[name].apply_async(function, *arguments) for name in names}
        answers = {}
        for name, result in asked.items():
            with contextlib.suppress(Exception):  # gone meanwhile
                answers[name] = result.get(ASKING)
        return answers

    def scale(self, workers: int) -> None:
        """Let the keeper start as many engines as are missing, without those on their way."""
        assert self.keeper is not None
        there = self.members()
        if time.monotonic() - self.asked > COMING:
            self.asked_for = self.came_ever  # what has not come by now is not coming, or came and went unseen
        missing = workers - len(there) - max(0, self.asked_for - self.came_ever)
        if missing > 0:
            self.asked_for = max(self.asked_for, self.came_ever) + missing
            self.asked = time.monotonic()
            self.keeper.tell(str(missing))

    def watch(self, name: int) -> None:
        """Look at the engines now and then; those that compute say themselves when they end."""
        if self.watcher is None:
            self.watcher = threading.Thread(target=self.look_at_engines, name="concompare-engines", daemon=True)
            self.watcher.start()

    def look_at_engines(self) -> None:
        """Notice engines that are gone."""
        while not self.closed:
            with contextlib.suppress(Exception):
                there = self.members()
                for name in [name for name in self.greetings if name not in there]:
                    self.gone(name)
            time.sleep(LOOK)

    def start(self, lane: Lane, call: Call, arguments: tuple[Any, ...], settle: Settle) -> None:
        """Send a call to an engine."""
        message, beside = call_as_bytes(call.function, arguments)
        call.held = self.client[lane.name].apply_async(pickle.loads, message, buffers=beside)
        call.held.add_done_callback(lambda result: self.finish(lane, result, settle))

    def finish(self, lane: Lane, result: Any, settle: Settle) -> None:
        """Take what became of a call; called in the client's thread."""
        try:
            value = result.get(0)
        except Exception as error:
            if is_end_of_engine(error):
                self.gone(lane.name)
            settle(None, error)
        else:
            settle(value, None)

    def drop(self, call: Call) -> None:
        """Forget a call; an engine cannot be kept from one that waits there."""

    def halt(self, lanes: list[Lane], turns: set[str]) -> None:
        """Interrupt what engines compute, through their nannies."""
        self.client.send_signal(signal.SIGINT, targets=[lane.name for lane in lanes], block=False)

    def kill(self, lanes: list[Lane]) -> None:
        """Kill engines, but not what they started: one of that is the nanny, which tells the controller."""
        for lane in lanes:
            with contextlib.suppress(OSError):
                os.kill(lane.greeting.pid, signal.SIGKILL)

    def usable(self) -> bool:
        """Return whether the client is connected."""
        return not self.client._closed

    def disconnect(self) -> None:
        """Close the client, unless it is the notebook's."""
        if self.theirs is None:
            self.client.close()


def is_end_of_engine(error: Exception) -> bool:
    """Return whether an error says that the engine of a call has gone: the client makes it, or the controller."""
    from ipyparallel.error import EngineError, RemoteError

    told = isinstance(error, RemoteError) and error.ename == EngineError.__name__
    return told or isinstance(error, EngineError)


@dataclass(frozen=True, slots=True)
class Ipyparallel(ClusterBackend):
    """An ipyparallel cluster: by connection file, by a client that the notebook has, or a local one."""

    package: ClassVar[str] = "ipyparallel"
    worker: ClassVar[str] = "ipyparallel engine"
    cost: ClassVar[int] = 130
    name: str = "ipyparallel"
    label: str = "ipyparallel"

    def cluster(self, workers: int, state: str, variables: dict[str, str]) -> Cluster:
        """Return the cluster, connected now or before."""
        key = ("ipyparallel", self.address, self.client)
        return cluster_on(key, state, lambda: self.connect(workers, variables))

    def connect(self, workers: int, variables: dict[str, str]) -> IpyparallelCluster:
        """Return the cluster, started here where there is no other."""
        if self.client is not None:
            return IpyparallelCluster("the notebook's client", client=self.client)
        if self.address is not None:
            return IpyparallelCluster(self.address)
        keeper = Keeper("concompare.backends.clusters.ipyparallel_local", workers, variables)
        try:
            keeper.wait(PATIENCE + PATIENCE_EACH * workers)
            return IpyparallelCluster(keeper.told[0], keeper, workers)
        except BaseException:
            keeper.close()
            raise


BACKENDS = (Ipyparallel(),)
