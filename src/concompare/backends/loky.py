"""loky's process pool: fresh processes, robust against everything, used by joblib."""

from __future__ import annotations

import importlib.util
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from concompare.backends.base import Isolation, Start
from concompare.backends.processes import worker_processes


@dataclass(frozen=True, slots=True)
class Loky:
    """`loky.ProcessPoolExecutor` (not the reusable one, which belongs to joblib)."""

    name: str = "loky"
    label: str = "loky"
    isolation: Isolation = "process"
    chunk: int | None = None
    ephemeral: bool = False
    direct: bool = True

    def unavailable(self) -> str | None:
        """Return None, or that loky is not installed."""
        if importlib.util.find_spec("loky") is None:
            return "loky is not installed: pip install loky"
        return None

    def open(self, workers: int, start: Start) -> Executor:
        """Return loky's pool; its workers do not leave by themselves."""
        from multiprocessing import resource_tracker

        from loky.backend import resource_tracker as own_tracker
        from loky.process_executor import ProcessPoolExecutor

        # Their start lifts the block of SIGINT that workers are to begin with: not in the middle of starting them.
        resource_tracker.ensure_running()
        own_tracker.ensure_running()
        executor: Executor = ProcessPoolExecutor(
            workers, initializer=start.initializer, initargs=start.initargs, timeout=None, env=start.variables
        )
        return executor

    def processes(self, executor: Executor) -> list[Any]:
        """Return the worker processes."""
        return worker_processes(executor)

    def kill(self, executor: Any) -> None:
        """Kill the worker processes."""
        executor.shutdown(wait=False, kill_workers=True)


BACKENDS = (Loky(),)
