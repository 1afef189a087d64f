"""An example of a package that adds a backend: what a third party would publish."""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from concompare.backends import Start


class Beside:
    """Threads with a name of their own."""

    name = "beside"
    label = "threads beside"
    isolation = "thread"
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
        return "nowhere is not installed: pip install nowhere"


def broken() -> Any:
    """Raise, as a package does that no longer fits."""
    raise ImportError("it is too old")


halfway = object()
