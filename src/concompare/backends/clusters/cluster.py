"""The clusters that are connected now: found by address or started here, kept for the next cell, closed when idle.

A local cluster runs under a keeper: a process of its own that ends the cluster when this process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from importlib import metadata
from pathlib import Path
from typing import Any

from concompare.backends.base import kill_processes
from concompare.backends.clusters.executor import Call, Greeting, Lane, LaneExecutor, Settle
from concompare.errors import BackendUnavailable
from concompare.formats import count
from concompare.worker.bootstrap import stop
from concompare.worker.chunk import Request
from concompare.worker.remote import TAKE, WHO, arrive, call_as_bytes, expression, fingerprint, sources

PATIENCE, PATIENCE_EACH = 60.0, 3.0
"""Seconds that the workers of a cluster may take to come, and for each of them besides."""

IDLE = 300.0
"""Seconds after which a cluster that nobody uses is closed."""

ASKING = 30.0
"""Seconds that workers get to answer what is asked beside the items."""

LOOKING = 20.0
"""Seconds for which workers are looked for in the place of lost ones."""

GRACE = 0.5
"""Seconds that items get to end before the process of a worker of ours is killed."""

ENDING = 2.0
"""Seconds that stopping items may take before others are sent."""

LOOPBACK = "127.0.0.1"
"""Where everything of a local cluster listens: no other machine can reach it."""


class Keeper:
    """A process that starts a local cluster, and ends it when this one ends.

    Attributes:
        folder: Its files, removed at the end.
        told: What it said when the cluster was there, word by word.
    """

    def __init__(self, module: str, workers: int, variables: dict[str, str]) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"concompare-{os.getpid()}-cluster-"))
        self.log = self.folder / "log"
        command = [sys.executable, "-m", module, str(self.folder), str(workers)]
        paths = [path for path in (str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")) if path]
        environment = {**variables, **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                start_new_session=True,  # an interrupt of the notebook's process group is not for it
                text=True,
            )
        self.told: list[str] = []

    def wait(self, patience: float = PATIENCE) -> None:
        """Wait until the cluster is there.

        Raises:
            BackendUnavailable: It does not start; with the last line that it said.
        """
        assert self.process.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.append(self.process.stdout.readline()), daemon=True)  # type: ignore[union-attr]
        reader.start()
        end = time.monotonic() + patience
        while reader.is_alive() and time.monotonic() < end:
            reader.join(0.1)  # short, so that an interrupt is noticed
        self.told = lines[0].split() if lines else []
        if not self.told:
            said = self.log.read_text("utf-8", "replace").strip().splitlines()
            raise BackendUnavailable(f"a local cluster does not start: {said[-1] if said else 'it says nothing'}")

    def tell(self, line: str) -> None:
        """Tell the keeper something."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def close(self) -> None:
        """End the cluster at once."""
        kill_processes([self.process])
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def unmask() -> None:
    """Let interrupts through: they are blocked where a pool starts processes, and what is started takes that over."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def keep(folder: str, obey: Callable[[str], object]) -> None:
    """Obey the notebook line by line until it closes the pipe or is gone, then end everything started here."""
    import psutil

    with contextlib.suppress(KeyboardInterrupt):
        for line in sys.stdin:
            obey(line.strip())
    for member in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            member.kill()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


class Cluster:
    """A cluster that is connected: what all kinds have in common; a kind fills in the rest.

    Attributes:
        kind: Name of its backend.
        interruptible: Whether SIGINT ends what a worker computes.
        place: Its address, for messages.
        keeper: What keeps it alive, where that is a process of its own.
        ours: Whether it was started here; `growing`: whether it can be asked for more workers.
        greetings: What its workers said of themselves, by name; only these are used.
    """

    kind = ""
    interruptible = False

    def __init__(self, place: str, keeper: Keeper | None, state: str = "") -> None:
        self.place, self.keeper, self.state = place, keeper, state
        self.ours = self.growing = keeper is not None
        self.greetings: dict[Any, Greeting] = {}
        self.executors: list[LaneExecutor] = []
        self.lock = threading.RLock()
        self.came = threading.Condition(self.lock)
        self.timer: threading.Timer | None = None
        self.stopping: list[threading.Thread] = []
        self.dying: set[Any] = set()
        self.most = 0
        self.closed = False

    # ---- what a kind fills in

    def members(self) -> dict[Any, int]:
        """Return the workers that the cluster has now and how many calls each may run at a time."""
        raise NotImplementedError

    def ask(self, names: list[Any], function: Callable[..., Any], *arguments: Any) -> dict[Any, Any]:
        """Call a function of Python's own once in each of these workers, beside what they compute."""
        raise NotImplementedError

    def scale(self, workers: int) -> None:
        """Start workers of a local cluster until there are so many."""
        raise NotImplementedError

    def start(self, lane: Lane, call: Call, arguments: tuple[Any, ...], settle: Settle) -> None:
        """Send a call to a worker with these arguments; `settle` gets its result or error, in any thread."""
        raise NotImplementedError

    def drop(self, call: Call) -> None:
        """Give a call up: nobody waits for it any more."""
        raise NotImplementedError

    def watch(self, name: Any) -> None:
        """See to it that `gone` is called when a worker is gone."""
        raise NotImplementedError

    def usable(self) -> bool:
        """Return whether the cluster still answers."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """Let go of the cluster."""
        raise NotImplementedError

    # ---- opening

    @property
    def capacity(self) -> int:
        """Return how many calls the workers that have been greeted can run at a time."""
        return sum(greeting.threads for greeting in self.greetings.values())

    def open(self, workers: int) -> LaneExecutor:
        """Return an executor of so many workers.

        Raises:
            BackendUnavailable: There are not so many, or they cannot run what this Python sends.
        """
        if self.timer is not None:
            self.timer.cancel()
        for thread in self.stopping:
            thread.join(ENDING)
        self.greet(self.members())
        if self.capacity < workers:
            self.wait_for(workers)
        if self.capacity < workers:
            raise BackendUnavailable(
                f"the {self.kind} cluster at {self.place} has {count(self.capacity, 'worker')}, not {workers}: "
                f"use -w {max(self.capacity, 1)}"
            )
        executor = LaneExecutor(self, workers)
        with self.lock:
            self.executors.append(executor)
            self.fill(executor)
        return executor

    def wait_for(self, workers: int) -> None:
        """Wait for workers that may be expected: those of a local cluster, and those that were there a moment ago."""
        if self.growing:
            self.scale(workers)
        elif workers > self.most:
            return
        end = time.monotonic() + (PATIENCE + PATIENCE_EACH * workers if self.growing else LOOKING)
        while self.capacity < workers and time.monotonic() < end:
            with self.came:
                self.came.wait(0.1)
            self.greet(self.members())

    def fill(self, executor: LaneExecutor) -> None:
        """Give an executor workers, a call at a time in each before a second one in any."""
        threads = max((greeting.threads for greeting in self.greetings.values()), default=0)
        for _ in range(threads):
            for name, greeting in self.greetings.items():
                executor.add(name, greeting)

    def greet(self, members: dict[Any, int]) -> None:
        """Greet the workers that are new, and forget those that are gone.

        Raises:
            BackendUnavailable: One of them has another Python, cloudpickle or concompare.
        """
        with self.lock:
            self.dying &= members.keys()
            new = [name for name in members if name not in self.greetings and name not in self.dying]
            away = [name for name in self.greetings if name not in members]
        for name in away:
            self.gone(name)
        if not new:
            return
        for name in new:
            self.watch(name)
        answers = self.ask(new, eval, expression(WHO, "who"))
        for name, answer in answers.items():
            must_match(answer, f"the {self.kind} worker {name}")
        bare = [name for name, answer in answers.items() if not answer["concompare"]]
        if bare:
            self.ask(bare, eval, expression(TAKE, "take", sources()))
        path = list(sys.path) if self.ours else None
        call, _ = call_as_bytes(arrive, (path, self.interruptible))
        for name, code in self.ask(list(answers), pickle.loads, call).items():
            if code not in ("", fingerprint()):
                raise BackendUnavailable(
                    f"the {self.kind} worker {name} has another concompare: install version "
                    f"{version('concompare')} there, or none"
                )
        with self.lock:
            for name, answer in answers.items():
                self.greetings[name] = Greeting(answer["host"], answer["pid"], members[name])
        there = self.members()
        for name in [name for name in answers if name not in there]:
            self.gone(name)  # meanwhile, and perhaps unheard
        with self.lock:
            self.most = max(self.most, self.capacity)
            self.came.notify_all()

    # ---- workers that come and go

    def gone(self, name: Any) -> None:
        """Take notice that a worker is gone, and look for others in its place."""
        with self.lock:
            self.greetings.pop(name, None)
            executors = [executor for executor in self.executors if name in executor.lanes]
        for executor in executors:
            executor.lose(name)
        if executors:
            threading.Thread(target=self.look, name="concompare-cluster", daemon=True).start()

    def look(self) -> None:
        """Greet workers that come, and give them to the executors that lack some; give up after a while."""
        end = time.monotonic() + LOOKING
        while True:
            with self.lock:
                short = [executor for executor in self.executors if not executor.whole]
            if not short or self.closed:
                return
            if self.growing:
                self.scale(max(executor.wanted for executor in short))
            with contextlib.suppress(Exception):  # gone again, or not usable: nobody waits for just this one
                self.greet(self.members())
            for executor in short:
                self.fill(executor)
            if time.monotonic() > end:
                for executor in short:
                    executor.forsake(f"the workers of the {self.kind} cluster at {self.place} are gone")
                return
            time.sleep(0.1)

    # ---- stopping and closing

    def stop(self, lanes: list[Lane]) -> None:
        """End what these workers compute, without waiting for it."""
        thread = threading.Thread(target=self.stop_items, args=(lanes,), daemon=True)
        self.stopping = [*(other for other in self.stopping if other.is_alive()), thread]
        thread.start()

    def stop_items(self, lanes: list[Lane]) -> None:
        """End items at their next line of Python, and the processes of workers of ours that still compute then."""
        turns = {call.arguments[0].turn for lane in lanes for call in lane.calls if is_chunk(call.arguments)}
        with contextlib.suppress(Exception):
            self.halt(lanes, turns)
        for lane in lanes:
            for call in lane.calls[lane.slots :]:
                self.drop(call)
            del lane.calls[lane.slots :]
        end = time.monotonic() + GRACE
        while any(lane.calls for lane in lanes) and time.monotonic() < end:
            time.sleep(0.01)
        busy = [lane for lane in lanes if lane.calls]
        for call in [call for lane in busy for call in lane.calls]:
            self.drop(call)
        if self.keeper is not None and not self.closed:
            with self.lock:
                for lane in busy:
                    self.dying.add(lane.name)
                    self.greetings.pop(lane.name, None)
            self.kill(busy)

    def halt(self, lanes: list[Lane], turns: set[str]) -> None:
        """Let workers end their items of these passes at the next line of Python."""
        for turn in turns:
            message, _ = call_as_bytes(stop, (turn,))
            self.ask([lane.name for lane in lanes], pickle.loads, message)

    def kill(self, lanes: list[Lane]) -> None:
        """Kill the processes of workers that were started here, and what they started."""
        kill_processes([ProcessAt(lane.greeting.pid) for lane in lanes])

    def leave(self, executor: LaneExecutor) -> None:
        """Take notice that an executor has been shut down; close the cluster when nobody has used it for long."""
        with self.lock:
            if executor in self.executors:
                self.executors.remove(executor)
            if not self.executors and not self.closed:
                self.timer = threading.Timer(IDLE, self.close)
                self.timer.daemon = True
                self.timer.start()

    def close(self) -> None:
        """Disconnect, and end the cluster if it was started here."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
        if self.timer is not None:
            self.timer.cancel()
        for key in [key for key, cluster in OPEN.items() if cluster is self]:
            del OPEN[key]
        with contextlib.suppress(Exception):
            self.disconnect()
        if self.keeper is not None:
            self.keeper.close()

    def words(self) -> str:
        """Return the cluster in words, for `--info`."""
        whose = "not ours"
        if self.ours:
            whose = ", ".join(["started here", *(self.keeper.told[1:2] if self.keeper is not None else ())])
        return f"{self.kind} at {self.place}: {count(self.capacity, 'worker')}, {whose}"


class ProcessAt:
    """A process of this machine by its id."""

    def __init__(self, pid: int) -> None:
        self.pid = pid


def is_chunk(arguments: tuple[Any, ...]) -> bool:
    """Return whether a call computes items."""
    return bool(arguments) and isinstance(arguments[0], Request)


# -------------------------------------------------------------------------------------------------------- matching


def must_match(answer: dict[str, Any], who: str) -> None:
    """Make sure that a worker can load what this Python sends: code is compiled for one minor version.

    Raises:
        BackendUnavailable: It cannot.
    """
    mine = {
        "implementation": sys.implementation.name,
        "python": platform.python_version(),
        "cloudpickle": version("cloudpickle"),
    }
    if answer["cloudpickle"] is None:
        raise BackendUnavailable(f"{who} has no cloudpickle: pip install cloudpickle=={mine['cloudpickle']} there")
    for key, name, parts in (
        ("implementation", "Python", 1),
        ("python", "Python", 2),
        ("cloudpickle", "cloudpickle", 1),
    ):
        if answer[key].split(".")[:parts] != mine[key].split(".")[:parts]:
            raise BackendUnavailable(
                f"{who} has {name} {answer[key]} and this notebook has {mine[key]}: "
                f"functions cannot cross; use the same {name} on both sides"
            )


def version(package: str) -> str:
    """Return the version of an installed package, or "0"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "0"


# -------------------------------------------------------------------------------------------------------- registry

OPEN: dict[tuple[Any, ...], Cluster] = {}
"""The clusters that are connected now."""

LOCK = threading.RLock()


def cluster_on(key: tuple[Any, ...], state: str, connect: Callable[[], Cluster]) -> Cluster:
    """Return the cluster of that key, connected now or before.

    Args:
        key: What tells it from others: its backend, and its address or client; None stands for a local one.
        state: Of the notebook's surroundings: where they have changed, a local cluster is started anew.
        connect: Finds or starts the cluster.
    """
    with LOCK:
        cluster = OPEN.get(key)
        if cluster is not None and (not cluster.usable() or (cluster.ours and cluster.state != state)):
            cluster.close()
            cluster = None
        if cluster is None:
            cluster = OPEN[key] = connect()
            cluster.state = state
        return cluster


def executor_on(cluster: Cluster, workers: int) -> Executor:
    """Return an executor of so many workers on a cluster, which is closed if it turns out to be of no use."""
    try:
        return cluster.open(workers)
    except BaseException:
        if not cluster.executors and not cluster.greetings:
            cluster.close()
        raise


def close_clusters() -> None:
    """Disconnect all clusters; end those that were started here."""
    for cluster in list(OPEN.values()):
        cluster.close()


def clusters() -> Iterable[Cluster]:
    """Return the clusters that are connected."""
    return tuple(OPEN.values())
