"""Base of backends: a name, a reason where it cannot run, and a way to open a stock Executor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from concompare.backends.traits import Isolation


@dataclass(frozen=True, slots=True)
class Start:
    """Initializer of every worker process, run before its first item.

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


class NotInstalled(str):
    """Why a backend cannot run, where that is a package which is missing."""

    __slots__ = ()


class Backend(Protocol):
    """A kind of worker.

    It may also have `traits` (a `Traits`) and `handling` (a `Handling`), where its workers are not like most.

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
        """Return None, or in one sentence why it cannot run here and what to do: a `NotInstalled` for a package."""

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


@runtime_checkable
class Hazardous(Protocol):
    """A backend of which something should be known before it is used."""

    def hazards(self) -> tuple[str, ...]:
        """Return that, one sentence each."""


@runtime_checkable
class Counting(Protocol):
    """A backend that knows by itself how many workers it has."""

    def capacity(self) -> int:
        """Return the number of workers to use where none is asked for."""


@runtime_checkable
class Suiting(Protocol):
    """A backend that suits some functions only."""

    def can_run(self, function: Callable[[Any], Any]) -> bool:
        """Return whether it can run a function."""


def kill_processes(processes: list[Any]) -> None:
    """End processes and everything they started, at once."""
    import psutil

    for process in processes:
        if process.pid is None:  # not started; psutil would take it for this process
            continue
        try:
            family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        except (psutil.Error, ValueError):
            continue
        for member in family:
            try:
                member.kill()
            except psutil.Error:
                continue
