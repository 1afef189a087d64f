"""Workers inside this process: the plain loop, and threads."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from concompare.backends.base import Isolation, Start


@dataclass(frozen=True, slots=True)
class Serial:
    """The plain loop, in the notebook's own thread."""

    name: str = "serial"
    label: str = "plain loop"
    isolation: Isolation = "none"
    chunk: int | None = None
    ephemeral: bool = False

    def unavailable(self) -> str | None:
        """Return None: it always can."""
        return None

    def open(self, workers: int, start: Start) -> Executor:
        """Return one thread, for whoever asks for an executor; the engine runs the plain loop itself."""
        return ThreadPoolExecutor(1)

    def processes(self, executor: Executor) -> list[Any]:
        """Return none."""
        return []

    def kill(self, executor: Executor) -> None:
        """Leave the executor."""
        executor.shutdown(wait=False, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Threads:
    """`concurrent.futures.ThreadPoolExecutor`."""

    name: str = "threads"
    label: str = "threads"
    isolation: Isolation = "thread"
    chunk: int | None = None
    ephemeral: bool = False

    def unavailable(self) -> str | None:
        """Return None: it always can."""
        return None

    def open(self, workers: int, start: Start) -> Executor:
        """Return a thread pool; OpenMP keeps the number of its threads by the thread that calls it."""
        limit = start.native_threads
        if limit is None:
            return ThreadPoolExecutor(workers, "concompare")
        import threadpoolctl

        return ThreadPoolExecutor(workers, "concompare", threadpoolctl.threadpool_limits, (limit,))

    def processes(self, executor: Executor) -> list[Any]:
        """Return none."""
        return []

    def kill(self, executor: Executor) -> None:
        """Drop what is queued; Python cannot end a thread."""
        executor.shutdown(wait=False, cancel_futures=True)


BACKENDS = (Serial(), Threads())
