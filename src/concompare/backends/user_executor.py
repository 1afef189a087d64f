"""Any Executor of the user's, by the name that holds it in the notebook."""

from __future__ import annotations

from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

from concompare.backends.base import Start
from concompare.backends.traits import Handling, Isolation, Traits


class Borrowed(Executor):
    """The user's executor behind a door that does not close it."""

    def __init__(self, executor: Any) -> None:
        self.executor = executor

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Submit to the user's executor."""
        return self.executor.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the executor open: it is the user's."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """An executor that the user made and keeps."""

    name: str
    executor: Any
    chunk: int | None = None
    ephemeral: bool = False
    traits: ClassVar[Traits] = Traits(starts=False)
    handling: ClassVar[Handling] = Handling(borrowed=True)

    @property
    def label(self) -> str:
        """Return the notebook's name for it."""
        return self.name

    @property
    def isolation(self) -> Isolation:
        """Return what is known of its workers: functions go by value wherever they may be far away."""
        if isinstance(self.executor, ThreadPoolExecutor) and type(self.executor).__name__ != "InterpreterPoolExecutor":
            return "thread"
        return "process" if isinstance(self.executor, ProcessPoolExecutor) else "unknown"

    def unavailable(self) -> str | None:
        """Return None: whether it works shows at the first call."""
        return None

    def open(self, workers: int, start: Start) -> Executor:
        """Return the executor as it is; its workers cannot be given a start any more."""
        return Borrowed(self.executor)

    def processes(self, executor: Executor) -> list[Any]:
        """Return none: they are the user's."""
        return []

    def kill(self, executor: Executor) -> None:
        """Leave the workers alone: they are the user's."""


CLIENTS = {"distributed.client": "dask", "ipyparallel.client.client": "ipyparallel"}
"""The modules of clusters' clients, which only look like executors, and the backends for them."""


def kind_of_client(value: object) -> str | None:
    """Return the backend for the cluster that a value is a client of, or None."""
    kinds = (CLIENTS.get(kind.__module__) for kind in type(value).__mro__ if kind.__name__ == "Client")
    return next(filter(None, kinds), None)


def is_executor(value: object) -> bool:
    """Return whether a value can be used as an executor."""
    return isinstance(value, Executor) or (callable(getattr(value, "submit", None)) and hasattr(value, "shutdown"))
