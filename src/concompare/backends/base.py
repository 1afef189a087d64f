"""What a backend is: a name, a way to say why not, and a way to open a stock Executor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

Isolation = Literal["none", "thread", "interpreter", "process", "cluster", "unknown"]
"""What a worker shares with the notebook: everything ("none" runs in its very thread, "thread"), or nothing."""


@dataclass(frozen=True, slots=True)
class Start:
    """What every worker process runs before its first item.

    Attributes:
        initializer: Called with `initargs`.
        initargs: Its arguments.
        variables: The thread-count environment.
        state: A digest of the notebook's surroundings, which workers took over when they started.
        native_threads: Threads per BLAS or OpenMP pool in a worker, where a number was asked for.
    """

    initializer: Callable[..., None]
    initargs: tuple[Any, ...]
    variables: dict[str, str] = field(default_factory=dict)
    state: str = ""
    native_threads: int | None = None


class Backend(Protocol):
    """A kind of worker.

    Attributes:
        name: What `-b` takes.
        label: What tables and plots call it.
        isolation: What its workers share with the notebook.
        chunk: Items per message if the backend has a say in it (1: people's first program), or None: measured.
        ephemeral: True when a worker lives for one message only.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def isolation(self) -> Isolation: ...  # noqa: D102
    @property
    def chunk(self) -> int | None: ...  # noqa: D102
    @property
    def ephemeral(self) -> bool: ...  # noqa: D102

    def unavailable(self) -> str | None:
        """Return None, or in one sentence why it cannot run here and what to do."""

    def open(self, workers: int, start: Start) -> Executor:
        """Return an executor of `workers` workers; process workers run `start` first."""

    def processes(self, executor: Executor) -> list[Any]:
        """Return the worker processes (each with `pid` and `exitcode`); empty for threads."""

    def kill(self, executor: Executor) -> None:
        """End the workers at once, whatever they compute; threads only get nothing new to do."""


@runtime_checkable
class Addressed(Protocol):
    """A backend that can use a cluster that is there already."""

    def at(self, address: str | None, client: Any = None) -> Backend:
        """Return the backend for the cluster at an address, or for that of a client that the notebook has."""


def kill_processes(processes: list[Any]) -> None:
    """End processes and everything they started, at once."""
    import psutil

    for process in processes:
        try:
            family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        except (psutil.Error, TypeError, ValueError):
            continue
        for member in family:
            try:
                member.kill()
            except psutil.Error:
                continue
