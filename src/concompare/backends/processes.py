"""Pools of processes from the standard library, one backend for each start method.

The notebook's (or script's) `__main__` is never imported by a worker: functions go by value, so workers need nothing
from it, and importing it would run the user's script again in every worker.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import context, resource_tracker, spawn, util
from types import ModuleType
from typing import Any

from concompare.backends.base import Start, kill_processes
from concompare.backends.fork_safety import hazard, reason_not_to_fork, reason_to_wait
from concompare.backends.start_environment import (
    grown_up,
    prepared,
    renew_folder,
    short_addresses,
    somewhere,
    with_streams,
)
from concompare.backends.traits import Handling, Isolation, Traits
from concompare.errors import BackendUnavailable
from concompare.interrupts import shielded
from concompare.machine import safe_start_method, start_methods
from concompare.records import PROCESSES

OPENING = threading.local()
"""`.yes` is true in a thread that starts one of our workers just now."""

METHODS = ("fork", "spawn", "forkserver")
"""The start methods that every Python knows, where the system has them."""

get_preparation_data = spawn.get_preparation_data


def without_main(name: str) -> dict[str, Any]:
    """Return what a new process is told about this one; our workers are not told about `__main__`."""
    main = sys.modules.setdefault("__main__", ModuleType("__main__"))
    vars(main).setdefault("__spec__", None)  # %reset takes it away, and multiprocessing looks for it
    told: dict[str, Any] = get_preparation_data(name)
    if getattr(OPENING, "yes", False):
        told.pop("init_main_from_path", None)
        told.pop("init_main_from_name", None)
        if told.get("start_method") not in METHODS:  # inside a worker of loky's, which adds its own
            told.pop("start_method", None)
        return prepared(told)
    return told


spawnv_passfds: Any = util.spawnv_passfds
try:
    import _posixsubprocess  # noqa: F401 - what this needs, and with it the tracker
except ImportError:  # Windows
    spawnv_passfds = None


class Aside(subprocess.Popen[bytes]):
    """A process of multiprocessing's own, which ends it: nothing is amiss if it outlives this object."""

    def __del__(self, *_: object) -> None:
        return


def spawn_aside(path: Any, arguments: list[Any], descriptors: Any) -> int:
    """Start multiprocessing's own processes in a process group of their own.

    A notebook server signals the kernel's whole group: an interrupt would hit them, a restart would end workers before
    they can tidy up, and a shutdown waits 2.6 s for multiprocessing's resource tracker, which ignores the signal.
    """
    if not getattr(OPENING, "yes", False):
        return int(spawnv_passfds(path, arguments, descriptors))
    # The tracker tidies up after a kernel that was killed, and would say so on the server's terminal.
    errors = subprocess.DEVNULL if any("resource_tracker" in str(word) for word in arguments) else None
    safe = [arguments[0], "-P", *arguments[1:]]  # the folder that it starts in is not searched for modules
    return Aside(safe, executable=path, pass_fds=descriptors, process_group=0, stderr=errors).pid


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Start processes that ignore our `__main__` and cannot be hit by Ctrl-C before they ignore it themselves."""
    spawn.get_preparation_data = without_main
    if spawnv_passfds is not None:
        vars(util)["spawnv_passfds"] = spawn_aside
    OPENING.yes = True
    renew_folder()
    forget_lost_server()
    try:
        with shielded(), somewhere(), short_addresses(), grown_up(), with_streams():
            yield
    finally:
        OPENING.yes = False


def start_tracker() -> None:
    """Start multiprocessing's tracker where it has one: its start lifts the block of SIGINT that workers begin with."""
    if spawnv_passfds is not None:
        resource_tracker.ensure_running()


class WorkerMixin:
    """A process whose start is shielded; `multiprocessing` starts it as it starts its own."""

    def start(self) -> None:
        """Start the process; multiprocessing's tracker first.

        Raises:
            BackendUnavailable: It would be a copy of this one, which cannot be made just now.
        """
        if self._start_method == "fork":  # type: ignore[attr-defined]
            reason = reason_to_wait()
            if reason is not None:
                raise BackendUnavailable(f"fork: {reason}")
        else:
            with starting():
                start_tracker()
        with starting():
            super().start()  # type: ignore[misc]

    def __reduce__(self) -> Any:
        """Cross to the new process as the stock process class, which needs nothing of ours to load."""
        return object.__new__, (type(self).__mro__[2],), self.__dict__


def context_for(method: str) -> context.BaseContext:
    """Return a multiprocessing context of that start method whose processes are workers of ours."""
    stock: Any = multiprocessing.get_context(method)
    process = type("WorkerProcess", (WorkerMixin, stock.Process), {})
    if method == "forkserver":
        preload()
    ours: context.BaseContext = type("WorkerContext", (type(stock),), {"Process": process})()
    return ours


def preload() -> None:
    """Let the fork server import the workers' code once, unless the user has chosen what it imports."""
    from multiprocessing import forkserver

    server: Any = forkserver._forkserver
    if server._forkserver_pid is None and server._preload_modules == ["__main__"]:
        multiprocessing.set_forkserver_preload(["concompare.worker.chunk", "concompare.worker.warm_up", "cloudpickle"])


def forget_lost_server() -> None:
    """Let a fork server be started anew where the address of the one that runs has been tidied away."""
    module: Any = sys.modules.get("multiprocessing.forkserver")
    address = module._forkserver._forkserver_address if module is not None else None
    if isinstance(address, str) and not address.startswith("\0") and not os.path.exists(address):
        forget_server()


def forget_server() -> None:
    """Let this process start a fork server of its own where it needs one: the one that it knows is not its child."""
    module: Any = sys.modules.get("multiprocessing.forkserver")
    server: Any = getattr(module, "_forkserver", None)
    if server is None or server._forkserver_pid is None:
        return
    with contextlib.suppress(OSError, TypeError):
        os.close(server._forkserver_alive_fd)  # else the server would wait for this process too
    server._forkserver_pid = server._forkserver_address = server._forkserver_alive_fd = None
    server._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_server)


def open_pool(method: str, workers: int, start: Start) -> ProcessPoolExecutor:
    """Return the standard library's process pool with our start."""
    return ProcessPoolExecutor(
        workers, mp_context=context_for(method), initializer=start.initializer, initargs=start.initargs
    )


def worker_processes(executor: Any) -> list[Any]:
    """Return the processes of the standard library's pool or of loky's."""
    return list((executor._processes or {}).values())


@dataclass(frozen=True, slots=True)
class Processes:
    """`concurrent.futures.ProcessPoolExecutor`; `method` None is this platform's safe start method."""

    name: str = PROCESSES
    label: str = "processes"
    method: str | None = None
    worker: str = "process"
    cost: int = 60
    isolation: Isolation = "process"
    chunk: int | None = None
    ephemeral: bool = False

    @property
    def traits(self) -> Traits:
        """Return what the workers are like."""
        return Traits(self.worker, cost=self.cost, script="ProcessPoolExecutor", method=self.method or "")

    @property
    def handling(self) -> Handling:
        """Return how the pool is dealt with; forked workers have the native pools that this process has loaded."""
        return Handling(direct=True, native="" if self.method == "fork" else "start")

    def unavailable(self) -> str | None:
        """Return None, or that this platform does not have the start method."""
        if sys.platform in ("emscripten", "wasi"):
            return "processes cannot be started in a browser; use -b serial"
        if self.method is not None and self.method not in start_methods():
            return f"this platform cannot start processes by {self.method}; use -b processes"
        return reason_not_to_fork() if self.method == "fork" else None

    def hazards(self) -> tuple[str, ...]:
        """Return what a copy of this process may run into."""
        return hazard() if self.method == "fork" else ()

    def open(self, workers: int, start: Start) -> Executor:
        """Return a process pool."""
        return open_pool(self.method or safe_start_method(), workers, start)

    def processes(self, executor: Executor) -> list[Any]:
        """Return the worker processes."""
        return worker_processes(executor)

    def kill(self, executor: Executor) -> None:
        """Kill the worker processes and let the pool find out."""
        kill_processes(worker_processes(executor))
        executor.shutdown(wait=False, cancel_futures=True)


BACKENDS = (
    Processes(),
    Processes("fork", "fork", "fork", "forked process", 110),
    Processes("forkserver", "forkserver", "forkserver", "process (forkserver)", 70),
    Processes("spawn", "spawn", "spawn", "spawned process", 80),
)
