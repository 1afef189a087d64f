"""Coroutine functions on one event loop in a thread of its own, N chunks of items at once."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from concurrent import futures
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, ClassVar

from concompare.backends.base import Start
from concompare.backends.traits import Isolation, Traits
from concompare.errors import BackendUnavailable
from concompare.worker.capture import LISTENING, Recorder
from concompare.worker.chunk import Answer, run_here
from concompare.worker.clocks import run_queue
from concompare.worker.compute import Computed, names_of_head
from concompare.worker.coroutines import LoopThread, is_coroutine_function


class Share:
    """Clocks of the loop's thread, shared out evenly among the chunks that are at work at each moment."""

    def __init__(self) -> None:
        self.at_work = 0
        self.cpu = self.waited = 0.0
        self.last_cpu = self.last_waited = 0.0

    def enter(self) -> tuple[float, float]:
        """Begin a chunk."""
        self.turn()
        self.at_work += 1
        return self.cpu, self.waited

    def leave(self, entered: tuple[float, float]) -> tuple[float, float | None]:
        """End a chunk; return its share of CPU seconds, and of the seconds without a CPU where the system tells."""
        self.turn()
        self.at_work -= 1
        waited = None if run_queue() is None else self.waited - entered[1]
        return self.cpu - entered[0], waited

    def turn(self) -> None:
        """Share out what has passed since the last turn."""
        cpu, waited = time.thread_time(), run_queue() or 0.0
        if self.at_work:
            self.cpu += (cpu - self.last_cpu) / self.at_work
            self.waited += (waited - self.last_waited) / self.at_work
        self.last_cpu, self.last_waited = cpu, waited


async def run_on_loop(
    lane: int,
    share: Share,
    function: Callable[[Any], Awaitable[Any]],
    items: Iterable[Any],
    first: int,
    each: bool,
    keep_going: bool,
    temporaries: tuple[str, ...],
    stopped: Callable[[], bool],
) -> Answer:
    """Compute one chunk as a task: what `chunk.run_here` does in a thread."""
    received = time.perf_counter()
    done = Computed()
    LISTENING.out = Recorder("stdout", done, sys.stdout), Recorder("stderr", done, sys.stderr)
    entered = share.enter()
    start = time.perf_counter()
    try:
        await compute(function, items, done, keep_going, temporaries, stopped)
    finally:
        cpu, waited = share.leave(entered)
    end = time.perf_counter()
    return Answer(
        (os.getpid(), lane),
        received,
        start,
        end,
        end,
        cpu,
        waited=waited,
        values=done.values,
        errors=tuple(done.errors),
        seconds=tuple(done.seconds),
        names=done.names,
        output=tuple(done.output),
    )


async def compute(
    function: Callable[[Any], Awaitable[Any]],
    items: Iterable[Any],
    done: Computed,
    keep_going: bool,
    temporaries: tuple[str, ...],
    stopped: Callable[[], bool],
) -> None:
    """Await the function on each item, in order, into `done`: what `compute.compute` does in a thread."""
    import asyncio

    task = asyncio.current_task()
    assert task is not None
    clock = time.perf_counter
    for item in items:
        if stopped():
            return
        began = clock()
        try:
            value = await function(item)
            if temporaries:
                value, assigned = value
                done.names.update(assigned)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and task.cancelling():
                raise
            done.errors.append((len(done.values), error))
            done.names.update(names_of_head(error, temporaries))
            if not keep_going:
                return
            value = None
        finally:
            done.seconds.append(clock() - began)
        done.values.append(value)


class LoopExecutor(Executor):
    """An executor of coroutine functions: at most `workers` of them are begun at a time, on one event loop."""

    def __init__(self, workers: int) -> None:
        import asyncio

        self.share = Share()
        self.lanes = list(range(workers))
        self.free = asyncio.Semaphore(workers)
        self.thread = LoopThread("concompare-loop")
        self.alive = {0: self.thread.thread}
        self.pending: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call of a coroutine function, or a chunk of them.

        Raises:
            BackendUnavailable: It is no coroutine function.
            RuntimeError: The executor has been shut down.
        """
        function = args[0] if fn is run_here else fn
        if not is_coroutine_function(function):
            name = getattr(function, "__name__", type(function).__name__)
            raise BackendUnavailable(
                f"asyncio: {name} is an ordinary function, which an event loop cannot overlap: "
                "write it with async def and await, or use -b threads"
            )
        future = self.thread.submit(self.take_turn(fn, args, kwargs))
        self.pending.add(future)
        future.add_done_callback(self.pending.discard)
        return future

    async def take_turn(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Wait for a free lane and run the call in it."""
        async with self.free:
            lane = self.lanes.pop()
            try:
                if fn is run_here:
                    return await run_on_loop(lane, self.share, *args)
                return await fn(*args, **kwargs)
            finally:
                self.lanes.append(lane)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let what has been submitted end if asked, and end the loop."""
        if wait and not cancel_futures:
            futures.wait(set(self.pending))
        self.thread.stop()
        if wait:
            self.thread.thread.join()


@dataclass(frozen=True, slots=True)
class Loop:
    """One event loop in a thread of its own; a notebook's own loop runs already."""

    name: str = "asyncio"
    label: str = "asyncio"
    isolation: Isolation = "thread"
    chunk: int | None = None
    ephemeral: bool = True
    traits: ClassVar[Traits] = Traits(together=False, cost=10)

    def unavailable(self) -> str | None:
        """Return None: it always can, where the function is a coroutine function."""
        return None

    def can_run(self, function: Callable[[Any], Any]) -> bool:
        """Return whether a function is a coroutine function."""
        return is_coroutine_function(function)

    def open(self, workers: int, start: Start) -> Executor:
        """Return an executor that has so many coroutines under way."""
        return LoopExecutor(workers)

    def processes(self, executor: Executor) -> list[Any]:
        """Return none."""
        return []

    def kill(self, executor: Executor) -> None:
        """Cancel what is under way; it ends where it awaits something."""
        executor.shutdown(wait=False, cancel_futures=True)


BACKENDS = (Loop(),)
