"""An example of a package that adds a backend: what a third party would publish."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from concompare.backends import Isolation, NotInstalled, Start, Traits


class Beside:
    """Threads with a name of their own."""

    name = "beside"
    label = "threads beside"
    isolation: Isolation = "thread"
    chunk = None
    ephemeral = False

    def unavailable(self) -> str | None:
        return None

    def open(self, workers: int, start: Start) -> Executor:
        return ThreadPoolExecutor(workers, thread_name_prefix="beside")

    def processes(self, executor: Executor) -> list[Any]:
        return []

    def kill(self, executor: Executor) -> None:
        executor.shutdown(wait=False, cancel_futures=True)


class Missing(Beside):
    """A backend whose package is not there."""

    name = "missing"

    def unavailable(self) -> str | None:
        return NotInstalled("nowhere is not installed: pip install nowhere")


class Apart(Beside):
    """Processes with a name of their own, which says what one of them is called."""

    name = "apart"
    label = "processes apart"
    isolation: Isolation = "process"
    traits = Traits("worker apart")

    def open(self, workers: int, start: Start) -> Executor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, context, start.initializer, start.initargs)

    def processes(self, executor: Any) -> list[Any]:
        return list((executor._processes or {}).values())

    def kill(self, executor: Any) -> None:
        for process in self.processes(executor):
            process.kill()
        executor.shutdown(wait=False, cancel_futures=True)


def broken() -> Any:
    """Raise, as a package does that no longer fits."""
    raise ImportError("it is too old")


halfway = object()
