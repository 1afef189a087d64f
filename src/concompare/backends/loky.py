"""loky's process pool: fresh processes, robust against everything, used by joblib."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, ClassVar

from concompare.backends.base import NotInstalled, Start
from concompare.backends.processes import OPENING, start_tracker, worker_processes
from concompare.backends.start_environment import prepared
from concompare.backends.traits import Handling, Isolation, Traits

SAFE = "PYTHONSAFEPATH"
"""Lets a new Python not look for modules in the folder that it starts in."""


@contextlib.contextmanager
def safe_path() -> Iterator[None]:
    """Let what is started take no module from the current folder."""
    before = os.environ.get(SAFE)
    os.environ[SAFE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE]
        else:
            os.environ[SAFE] = before


def told(name: str, init_main_module: bool = True) -> dict[str, Any]:
    """Return what loky tells a new process; to one of ours, with a search path that it can start with."""
    data: dict[str, Any] = usual_data()(name, init_main_module)
    return prepared(data) if getattr(OPENING, "yes", False) else data


@functools.cache
def usual_data() -> Callable[..., dict[str, Any]]:
    """Return loky's own function for that, before it is replaced."""
    from loky.backend.spawn import get_preparation_data

    found: Callable[..., dict[str, Any]] = get_preparation_data
    return found


@dataclass(frozen=True, slots=True)
class Loky:
    """`loky.ProcessPoolExecutor` (not the reusable one, which belongs to joblib)."""

    name: str = "loky"
    label: str = "loky"
    isolation: Isolation = "process"
    chunk: int | None = None
    ephemeral: bool = False
    traits: ClassVar[Traits] = Traits("loky worker", cost=100, script="get_reusable_executor")
    handling: ClassVar[Handling] = Handling(direct=True, kills=True, native="start")

    def unavailable(self) -> str | None:
        """Return None, or that loky is not installed."""
        if importlib.util.find_spec("loky") is None:
            return NotInstalled("loky is not installed: pip install loky")
        return None

    def open(self, workers: int, start: Start) -> Executor:
        """Return loky's pool; its workers do not leave by themselves."""
        from loky.backend import resource_tracker as own_tracker
        from loky.backend import spawn as own_spawn
        from loky.process_executor import ProcessPoolExecutor

        start_tracker()  # and loky's own: not in the middle of starting workers
        with safe_path():
            own_tracker.ensure_running()
        usual_data()
        own_spawn.get_preparation_data = told
        variables = {**start.variables, SAFE: "1"}  # until it takes the notebook's environment
        executor: Executor = ProcessPoolExecutor(
            workers, initializer=start.initializer, initargs=start.initargs, timeout=None, env=variables
        )
        return executor

    def processes(self, executor: Executor) -> list[Any]:
        """Return the worker processes."""
        return worker_processes(executor)

    def kill(self, executor: Any) -> None:
        """Kill the worker processes."""
        executor.shutdown(wait=False, kill_workers=True)


BACKENDS = (Loky(),)
