"""Workers that have just started: each answers once, all at the same time, so that all of them are really there."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from concompare.backends.base import Backend
from concompare.engine.pools.directory import short_lived_folder
from concompare.engine.pools.start_failures import PATIENCE, answers_of
from concompare.errors import BackendUnavailable
from concompare.worker.bootstrap import linger, meet

LINGERING = 0.1
"""Seconds that workers which share no folder stay in their first call, so that none of them gets two."""

ASKED, ASKED_SECONDS = 5, 0.1
"""Messages, and seconds, after which it is known what a message costs."""


@dataclass(frozen=True, slots=True)
class Present:
    """The workers that have answered.

    Attributes:
        got: How many distinct ones; None where nobody was asked.
        idents: Process and thread of each.
        pids: Their processes.
    """

    got: int | None = None
    idents: tuple[tuple[int, int], ...] = ()
    pids: tuple[int, ...] = ()


class Threads:
    """Threads of this process that wait for each other, which needs no file that a killed process could leave.

    Args:
        count: How many they should be.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.here: set[int] = set()
        self.changed = threading.Condition()

    def meet(self, patience: float) -> tuple[int, int, float, int]:
        """Wait until all are here or so many seconds have passed; returns what `bootstrap.meet` does."""
        with self.changed:
            self.here.add(threading.get_native_id())
            self.changed.notify_all()
            self.changed.wait_for(lambda: len(self.here) >= self.count, patience)
        return os.getpid(), threading.get_native_id(), time.perf_counter(), len(self.here)


class Rendezvous:
    """The first calls of an executor.

    Args:
        backend: The kind of its workers.
        executor: It.
        check: Raises if the user has interrupted.
    """

    def __init__(self, backend: Backend, executor: Executor, check: Callable[[], None]) -> None:
        self.backend, self.executor, self.check = backend, executor, check

    def meet(self, workers: int, folder: Path | None, starting: AbstractContextManager[None]) -> Present:
        """Let every worker answer at the same time.

        Args:
            workers: How many they should be.
            folder: That they share, or None.
            starting: What they start in.

        Raises:
            BackendUnavailable: They did not answer.
        """
        with contextlib.ExitStack() as stack:
            call: tuple[Any, ...] = (linger, LINGERING)
            if self.backend.isolation == "thread":
                call = (Threads(workers).meet, PATIENCE)
            elif self.backend.isolation == "interpreter" and folder is None:
                folder = stack.enter_context(short_lived_folder())
            if folder is not None:
                call = (meet, str(folder), workers, PATIENCE)
            with starting:
                calls = [self.greet(*call) for _ in range(workers)]
            answers = answers_of(calls, self.check)
        idents = {answer[:2] for answer in answers}
        return Present(len(idents), tuple(sorted(idents)), tuple(sorted({answer[0] for answer in answers})))

    def cost_of_a_message(self) -> float:
        """Return the seconds that a call takes which does nothing: the least of a few, or of one that takes long."""
        from concompare.worker.remote import nothing

        costs: list[float] = []
        while len(costs) < ASKED and sum(costs) < ASKED_SECONDS:
            began = time.perf_counter()
            answers_of([self.greet(nothing)], self.check)
            costs.append(time.perf_counter() - began)
        return min(costs)

    def greet(self, call: Callable[..., Any], *arguments: object) -> Future[Any]:
        """Submit a first call; an executor that takes none, such as one shut down, is not available."""
        try:
            return self.executor.submit(call, *arguments)
        except RuntimeError as error:
            raise BackendUnavailable(f"{self.backend.name}: {error}") from error
