"""Ray: calls sent to actors of our own, one for each worker, on the user's cluster or a local one."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from concompare.backends.clusters.cluster import ASKING, LOOPBACK, Cluster, cluster_on, is_chunk
from concompare.backends.clusters.cluster_backend import ClusterBackend
from concompare.backends.clusters.executor import Call, Lane, Settle
from concompare.errors import BackendUnavailable
from concompare.machine import usable_cpus
from concompare.worker.remote import call_as_bytes

KEPT = 4
"""Large functions whose bytes are kept in the object store."""

ACTOR = """
class Worker:
    def call(self, message, *beside):
        import pickle
        return pickle.loads(message, buffers=list(beside))
"""
"""What a worker is, as source: it crosses by value, so that it needs nothing of ours where it arrives."""


SWEEPER = """
import sys, threading, psutil
over, found = threading.Event(), set()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
for _ in range(30):
    try:
        for process in psutil.Process(int(sys.argv[1])).children():
            if process.name().startswith(("raylet", "gcs_server")):
                found |= {process, *process.children(recursive=True)}
    except psutil.Error:
        pass
    if over.wait(1):
        break
over.wait()
for process in found:
    try:
        process.kill()
    except psutil.Error:
        pass
"""
"""Ends what is left of a local ray when this process has ended it, or is gone: ray's agents notice after 40 s."""


class RayCluster(Cluster):
    """A ray cluster, this process being a driver of it."""

    kind = "ray"

    def __init__(self, address: str | None, variables: dict[str, str]) -> None:
        import ray

        self.ray: Any = ray
        self.sweeper: subprocess.Popen[bytes] | None = None
        self.started = not ray.is_initialized()
        if self.started:
            local: dict[str, Any] = {
                "address": "local",  # never one that happens to run on this machine
                "num_cpus": usable_cpus(),
                "_node_ip_address": LOOPBACK,
                "include_dashboard": False,
            }
            options = {"address": address} if address is not None else local
            try:
                with on_loopback() if address is None or hides(address) else contextlib.nullcontext():
                    ray.init(**options, log_to_driver=False, logging_level="error", runtime_env={"env_vars": variables})
            except Exception as error:
                where = f"at {address}" if address is not None else "here"
                if "AuthToken" in f"{error} {error.__cause__}":
                    raise BackendUnavailable(
                        f"the ray cluster {where} wants its token: start the notebook with RAY_AUTH_MODE=token "
                        "and RAY_AUTH_TOKEN_PATH=FILE"
                    ) from error
                raise BackendUnavailable(f"there is no ray cluster {where}: {error}") from error
            if address is None:
                self.sweeper = subprocess.Popen(
                    [sys.executable, "-c", SWEEPER, str(os.getpid())], stdin=subprocess.PIPE, start_new_session=True
                )
        super().__init__(address or ray.get_runtime_context().gcs_address, None)
        self.ours = self.started and address is None
        self.growing = True
        namespace: dict[str, Any] = {"__name__": "__main__"}
        exec(ACTOR, namespace)
        share = 0 if self.ours else 1
        self.actor = ray.remote(num_cpus=share, max_restarts=0)(namespace["Worker"])
        self.actors: dict[Any, Any] = {}
        self.numbers = itertools.count()
        self.stored: OrderedDict[str, Any] = OrderedDict()

    def members(self) -> dict[Any, int]:
        """Return our actors by number; each runs one call at a time."""
        return dict.fromkeys(self.actors, 1)

    def scale(self, workers: int) -> None:
        """Make actors until there are so many, as far as the cluster has CPUs for them."""
        while len(self.actors) < self.at_most(workers):
            self.actors[next(self.numbers)] = self.actor.remote()

    def at_most(self, workers: int) -> int:
        """Return how many workers there can be, of so many that are wanted."""
        return workers if self.ours else min(workers, int(self.ray.cluster_resources().get("CPU", 0)))

    def wait_for(self, workers: int) -> None:
        """Wait for as many workers as there can be."""
        super().wait_for(self.at_most(workers))

    def ask(self, names: list[Any], function: Callable[..., Any], *arguments: Any) -> dict[Any, Any]:
        """Call a function in actors; it waits behind what they compute."""
        message, _ = call_as_bytes(function, arguments)
        asked = {name: self.actors[name].call.remote(message) for name in names}
        answers = {}
        for name, reference in asked.items():
            try:
                answers[name] = self.ray.get(reference, timeout=ASKING)
            except Exception:
                self.actors.pop(name, None)
        return answers

    def watch(self, name: Any) -> None:
        """Do nothing: a call to an actor that is gone fails by itself."""

    def start(self, lane: Lane, call: Call, arguments: tuple[Any, ...], settle: Settle) -> None:
        """Send a call to an actor; what is large lies in the object store, a function once for all."""
        actor = self.actors.get(lane.name)
        if actor is None:  # ended after it was greeted, and nobody has noticed
            self.gone(lane.name)
            return
        message, beside = call_as_bytes(call.function, arguments)
        request = arguments[0] if is_chunk(arguments) else None
        parts = [
            self.stored_once(request.key, part) if request is not None and part is request.blob else self.ray.put(part)
            for part in beside
        ]
        call.held = actor.call.remote(message, *parts), parts
        call.held[0].future().add_done_callback(lambda done: self.finish(lane, done, settle))

    def stored_once(self, key: str, blob: bytes) -> Any:
        """Return the reference of a large function, stored the first time."""
        if key not in self.stored:
            self.stored[key] = self.ray.put(blob)
        while len(self.stored) > KEPT:
            self.stored.popitem(last=False)
        return self.stored[key]

    def finish(self, lane: Lane, done: Any, settle: Settle) -> None:
        """Take what became of a call; called in a thread of ray's."""
        error = done.exception()
        if isinstance(error, self.ray.exceptions.RayActorError):
            self.actors.pop(lane.name, None)
            self.gone(lane.name)
        if error is not None:
            settle(None, error if isinstance(error, Exception) else RuntimeError(str(error)))
        else:
            settle(done.result(), None)

    def drop(self, call: Call) -> None:
        """Forget a call; its actor ends with the pass."""

    def halt(self, lanes: list[Lane], turns: set[str]) -> None:
        """End the actors that compute: they are ours wherever they are."""
        for lane in lanes:
            actor = self.actors.pop(lane.name, None)
            if actor is not None:
                self.ray.kill(actor)
            with self.lock:
                self.greetings.pop(lane.name, None)
            lane.calls.clear()

    def usable(self) -> bool:
        """Return whether this process is connected."""
        return bool(self.ray.is_initialized())

    def words(self) -> str:
        """Return the cluster in words; a ray that does not know `on_loopback` listens on every interface."""
        exposed = self.ours and self.ray.util.get_node_ip_address() != LOOPBACK
        return super().words() + ", listening on every network interface of this machine" * exposed

    def disconnect(self) -> None:
        """End our actors, and ray where it was started here."""
        for actor in self.actors.values():
            with contextlib.suppress(Exception):
                self.ray.kill(actor)
        if self.started:
            self.ray.shutdown()
        if self.sweeper is not None:
            self.sweeper.communicate()


@contextlib.contextmanager
def on_loopback() -> Iterator[None]:
    """Let the ray that is started meanwhile listen on loopback only, as it does by itself on Windows and macOS.

    On Linux it takes 127.0.0.1 for a mistake, and listens on every interface.
    """
    from ray._private import ray_constants

    constant, variable = "ENABLE_RAY_CLUSTER", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
    before, said = getattr(ray_constants, constant, None), os.environ.get(variable)
    setattr(ray_constants, constant, False)
    os.environ[variable] = "0"  # for the processes that it starts
    try:
        yield
    finally:
        setattr(ray_constants, constant, before)
        if said is None:
            del os.environ[variable]
        else:
            os.environ[variable] = said


def hides(address: str) -> bool:
    """Return whether what listens at an address does so on loopback only: ray would look for it elsewhere."""
    from ray.util import get_node_ip_address

    host, _, port = address.rpartition(":")
    local = host in (LOOPBACK, "localhost") and port.isdecimal()
    return local and answers(LOOPBACK, int(port)) and not answers(get_node_ip_address(), int(port))


def answers(host: str, port: int) -> bool:
    """Return whether something listens there."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Ray(ClusterBackend):
    """A ray cluster: by address, the one that the notebook has initialised, or a local one."""

    package: ClassVar[str] = "ray"
    worker: ClassVar[str] = "ray worker"
    cost: ClassVar[int] = 150
    name: str = "ray"
    label: str = "ray"

    def at(self, address: str | None, client: Any = None) -> Ray:
        """Return the backend for the cluster at an address; a client of ray is the process itself."""
        return replace(self, address=address)

    def capacity(self) -> int:
        """Return the CPUs of an existing cluster, else those that there are for a local one."""
        if not self.there:
            return usable_cpus()
        return max(1, int(self.cluster(0, "", {}).ray.cluster_resources().get("CPU", 1)))

    def cluster(self, workers: int, state: str, variables: dict[str, str]) -> RayCluster:
        """Return the cluster, connected now or before."""
        found = cluster_on(("ray", self.address), state, lambda: RayCluster(self.address, variables))
        assert isinstance(found, RayCluster)
        return found


BACKENDS = (Ray(),)
