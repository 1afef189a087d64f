"""A thread or process for every item, and multiprocessing's pools by apply_async, as people write them first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from multiprocessing import pool as pools
from typing import Any

from concompare.backends.base import Start, kill_processes
from concompare.backends.processes import context_for, starting
from concompare.backends.threads import in_context
from concompare.backends.traits import Handling, Isolation, Traits
from concompare.machine import safe_start_method


class PerItemExecutor(Executor):
    """An executor that starts a thread or a process for every call, at most `workers` alive at a time."""

    def __init__(self, workers: int, start: Start, process_context: Any = None) -> None:
        self.start = start
        self.context = process_context
        self.free = threading.Semaphore(workers)
        self.alive: dict[int, Any] = {}
        self.lock = threading.Lock()
        self.queue: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.closed = False
        self.wake = threading.Condition()
        self.starter = threading.Thread(target=self.serve, name="concompare-starter", daemon=True)
        self.starter.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call until one of the workers may be started."""
        future: Future[Any] = Future()
        with self.wake:
            if self.closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self.queue.append((future, fn if self.context is not None else in_context(fn), args))
            self.wake.notify()
        return future

    def serve(self) -> None:
        """Start a worker for each queued call as soon as fewer than the limit are alive."""
        while True:
            with self.wake:
                self.wake.wait_for(lambda: bool(self.queue) or self.closed)
                if not self.queue:
                    return
            self.free.acquire()
            with self.wake:
                entry = self.queue.pop(0) if self.queue else None
            if entry is None or not entry[0].set_running_or_notify_cancel():
                self.free.release()
                continue
            target = self.in_process if self.context is not None else self.in_thread
            threading.Thread(target=target, args=entry, daemon=True).start()
            del entry  # the wait for the next may be long, and holds its items alive

    def in_thread(self, future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Call the function in this thread, which was started for it."""
        try:
            future.set_result(fn(*args))
        except BaseException as error:
            future.set_exception(error)
        finally:
            self.free.release()

    def in_process(self, future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Start a process for the call and wait for what it sends."""
        receiver, sender = self.context.Pipe(duplex=False)
        process = self.context.Process(target=call_once, args=(sender, self.start, fn, args), daemon=False)
        try:
            with self.lock:
                process.start()
                self.alive[process.pid] = process
            sender.close()
            try:
                answer = receiver.recv()
            except EOFError:
                process.join()
                answer = None
            if answer is None:
                future.set_exception(ProcessEnded(process.pid, process.exitcode))
            else:
                future.set_result(answer)
            process.join()
        except BaseException as error:
            future.set_exception(error)
        finally:
            receiver.close()
            with self.lock:
                self.alive.pop(process.pid, None)
            self.free.release()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing new; drop what is queued if asked; wait for the rest if asked."""
        with self.wake:
            self.closed = True
            if cancel_futures:
                for future, _, _ in self.queue:
                    future.cancel()
                self.queue.clear()
            self.wake.notify()
        if wait:
            self.starter.join()


class ProcessEnded(Exception):
    """Raised when the process of a call ended without an answer."""

    def __init__(self, pid: int, exitcode: int | None) -> None:
        super().__init__(f"process {pid} ended with exit code {exitcode}")
        self.pid = pid
        self.exitcode = exitcode


def call_once(sender: Any, start: Start, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Run the start and one call, in a process of its own."""
    start.initializer(*start.initargs)
    sender.send(fn(*args))
    sender.close()


class PoolExecutor(Executor):
    """`multiprocessing.Pool` or `ThreadPool` behind the executor interface, by `apply_async`."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand the call to the pool."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        call = in_context(fn) if isinstance(self.pool, pools.ThreadPool) else fn
        self.pool.apply_async(call, args, kwargs, future.set_result, future.set_exception)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Close the pool."""
        if cancel_futures:
            ending = threading.Thread(target=self.pool.terminate, daemon=True)
            ending.start()
            ending.join(0.4)  # it would never end if somebody had killed a worker that waits with the queue's lock
        else:
            self.pool.close()
            if wait:
                self.pool.join()


@dataclass(frozen=True, slots=True)
class PerItem:
    """A bare `threading.Thread` or `multiprocessing.Process` for every item."""

    name: str
    label: str
    isolation: Isolation
    traits: Traits
    handling: Handling
    chunk: int | None = 1
    ephemeral: bool = True

    def unavailable(self) -> str | None:
        """Return None: it always can."""
        return None

    def open(self, workers: int, start: Start) -> Executor:
        """Return an executor that starts a worker for every call."""
        context = context_for(safe_start_method()) if self.isolation == "process" else None
        return PerItemExecutor(workers, start, context)

    def processes(self, executor: Any) -> list[Any]:
        """Return the processes alive now."""
        with executor.lock:
            return list(executor.alive.values())

    def kill(self, executor: Any) -> None:
        """Drop what is queued and kill the processes."""
        executor.shutdown(wait=False, cancel_futures=True)
        kill_processes(self.processes(executor))


@dataclass(frozen=True, slots=True)
class MultiprocessingPool:
    """`multiprocessing.Pool` and `multiprocessing.pool.ThreadPool`, an item a message as people call them."""

    name: str
    label: str
    isolation: Isolation
    traits: Traits
    handling: Handling
    chunk: int | None = 1
    ephemeral: bool = False

    def unavailable(self) -> str | None:
        """Return None: it always can."""
        return None

    def open(self, workers: int, start: Start) -> Executor:
        """Return the pool behind the executor interface."""
        if self.isolation == "thread":
            return PoolExecutor(pools.ThreadPool(workers))
        with starting():
            return PoolExecutor(context_for(safe_start_method()).Pool(workers, start.initializer, start.initargs))

    def processes(self, executor: Any) -> list[Any]:
        """Return the pool's processes."""
        return list(executor.pool._pool) if self.isolation == "process" else []

    def kill(self, executor: Any) -> None:
        """End the pool; terminate() goes first, it must not find a lock held by a dead worker."""
        executor.shutdown(wait=False, cancel_futures=True)
        kill_processes(self.processes(executor))


THREAD_POOL, PROCESS_POOL = "ThreadPoolExecutor", "ProcessPoolExecutor"
"""What does the same in a script, with less to start."""

BACKENDS = (
    PerItem("thread-per-item", "thread per item", "thread", Traits(cost=40, script=THREAD_POOL), Handling()),
    PerItem(
        "process-per-item",
        "process per item",
        "process",
        Traits(cost=120, script=PROCESS_POOL),
        Handling(native="start"),
    ),
    MultiprocessingPool(
        "mp-threads", "mp threads", "thread", Traits("mp-pool thread", cost=30, script=THREAD_POOL), Handling()
    ),
    MultiprocessingPool(
        "mp-pool",
        "mp.Pool",
        "process",
        Traits("mp-pool worker", cost=90, script=PROCESS_POOL),
        Handling(refills=True, native="start"),
    ),
)
"""In the order of the documentation; `multiprocessing.dummy` is the same thread pool as `mp-threads`."""
