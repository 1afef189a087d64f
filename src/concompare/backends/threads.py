"""Workers inside this process: the plain loop, and threads."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, ClassVar

from concompare.backends.base import Start
from concompare.backends.traits import Handling, Isolation, Traits
from concompare.records import PLAIN, THREADS


def in_context(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call for another thread that sees the calling thread's context variables; what it sets stays there."""
    return functools.partial(copy_context().run, with_own_arithmetic, call)


def with_own_arithmetic(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Make a call with a copy of the settings for decimal numbers, which are one object in all copies of a context."""
    decimal = sys.modules.get("decimal")
    if decimal is not None:
        decimal.setcontext(decimal.getcontext().copy())
    return call(*arguments, **options)


class ContextThreads(ThreadPoolExecutor):
    """Threads whose calls run in a copy of the context of who submits them."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call."""
        return super().submit(in_context(fn), *args, **kwargs)


@dataclass(frozen=True, slots=True)
class Serial:
    """The plain loop, in the notebook's own thread."""

    name: str = PLAIN
    label: str = "plain loop"
    isolation: Isolation = "none"
    chunk: int | None = None
    ephemeral: bool = False
    traits: ClassVar[Traits] = Traits(together=False, starts=False, cost=0)
    handling: ClassVar[Handling] = Handling(native="pass")

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
    """`concurrent.futures.ThreadPoolExecutor`, with the notebook's context variables."""

    name: str = THREADS
    label: str = "threads"
    isolation: Isolation = "thread"
    chunk: int | None = None
    ephemeral: bool = False
    traits: ClassVar[Traits] = Traits("thread", cost=20, script="ThreadPoolExecutor")
    handling: ClassVar[Handling] = Handling(native="pass")

    def unavailable(self) -> str | None:
        """Return None: it always can."""
        return None

    def open(self, workers: int, start: Start) -> Executor:
        """Return a thread pool; OpenMP keeps the number of its threads by the thread that calls it."""
        limit = start.native_threads
        if limit is None:
            return ContextThreads(workers, "concompare")
        from concompare.machine import native_limits

        return ContextThreads(workers, "concompare", native_limits().threadpool_limits, (limit,))

    def processes(self, executor: Executor) -> list[Any]:
        """Return none."""
        return []

    def kill(self, executor: Executor) -> None:
        """Drop what is queued; Python cannot end a thread."""
        executor.shutdown(wait=False, cancel_futures=True)


BACKENDS = (Serial(), Threads())
