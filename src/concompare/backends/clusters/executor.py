"""Workers of a cluster behind the executor interface: each call goes to one worker by name.

    submit ─ queue ─ feed ──> Wire.start ──> worker ──> Wire ──> settled ─ future
                      ↑                                   │
                      └─── calls behind a lost worker's ──┘

A lost worker fails only the calls that it had begun; those that waited behind them go to other workers.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from concompare.errors import BackendUnavailable
from concompare.worker.chunk import FUNCTIONS_KEPT, Answer, Request

SHORT_CALL = 0.5
"""Seconds of a call up to which its worker is sent the next one ahead, so that it does not wait for the wire."""


Settle = Callable[[Any, BaseException | None], None]
"""Takes a call's result, or None and its error."""


MOVES = 2
"""How often a call may move from a lost worker to another before it is suspected itself."""


class WorkerLost(BrokenExecutor):
    """Raised for the calls that a worker of a cluster had begun when it was lost."""


@dataclass(slots=True)
class Greeting:
    """What a worker says of itself.

    Attributes:
        host: Name of its machine.
        pid: Its process id there.
        threads: How many calls it runs at a time.
        seconds: How long an empty call took, both ways.
    """

    host: str
    pid: int
    threads: int = 1
    seconds: float = 0.0


@dataclass(slots=True, eq=False)
class Call:
    """A submitted call, what the wire holds of it while it runs, and how often it moved away from a lost worker."""

    future: Future[Any]
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    held: Any = None
    moved: int = 0


@dataclass(slots=True, eq=False)
class Lane:
    """One worker process of a cluster.

    Attributes:
        name: What the cluster calls it.
        greeting: What it said of itself.
        slots: Calls that may run there at a time.
        calls: Those that are there now, in the order in which they were sent.
        knows: Keys of the functions that it has, as the worker itself keeps them.
        mean: Seconds that its chunks have taken of late.
    """

    name: Any
    greeting: Greeting
    slots: int = 1
    calls: list[Call] = field(default_factory=list)
    knows: OrderedDict[str, None] = field(default_factory=OrderedDict)
    mean: float | None = None

    @property
    def depth(self) -> int:
        """Return how many calls may be sent there: as many again ahead where they are short and must queue."""
        ahead = self.mean is not None and self.mean < SHORT_CALL and self.slots == self.greeting.threads
        return 2 * self.slots if ahead else self.slots


class Wire(Protocol):
    """Protocol of one kind of cluster."""

    def start(self, lane: Lane, call: Call, arguments: tuple[Any, ...], settle: Settle) -> None:
        """Send a call to a worker with these arguments; `settle` gets its result or error, in any thread."""

    def drop(self, call: Call) -> None:
        """Give a call up: nobody waits for it any more."""

    def stop(self, lanes: list[Lane]) -> None:
        """End what these workers compute as far as that is possible, and return at once."""

    def usable(self) -> bool:
        """Return whether the cluster still answers."""

    def leave(self, executor: LaneExecutor) -> None:
        """Take notice that an executor has been shut down."""


class LaneExecutor(Executor):
    """An executor of named workers, which goes on without those that are lost.

    Attributes:
        wanted: How many calls may run at a time when all workers are there.
        wire: How the workers are talked to.
        lanes: The workers that are there.
    """

    def __init__(self, wire: Wire, wanted: int) -> None:
        self.wire, self.wanted = wire, wanted
        self.lanes: dict[Any, Lane] = {}
        self.queue: deque[Call] = deque()
        self.lock = threading.RLock()
        self.closed = False
        self.forsaken: str | None = None

    # ------------------------------------------------------------------------------------------------------- workers

    @property
    def slots(self) -> int:
        """Return how many calls may run at a time with the workers that are there."""
        return sum(lane.slots for lane in self.lanes.values())

    def add(self, name: Any, greeting: Greeting) -> None:
        """Take a worker, as far as more calls may run at a time."""
        with self.lock:
            known = self.lanes.get(name)
            room = self.wanted - self.slots
            if self.closed or room <= 0 or (known is not None and known.slots >= greeting.threads):
                return
            if known is None:
                self.lanes[name] = Lane(name, greeting)
            else:
                known.slots += 1
            self.forsaken = None
        self.feed()

    def lose(self, name: Any) -> None:
        """Fail what a worker had begun, and send elsewhere what waited behind it."""
        with self.lock:
            lane = self.lanes.pop(name, None)
            if lane is None:
                return
            calls, lane.calls = lane.calls, []
            begun = [call for place, call in enumerate(calls) if place < lane.slots or call.moved >= MOVES]
            waiting = [call for call in calls if call not in begun]
            for call in waiting:
                call.moved += 1
            self.queue.extendleft(reversed(waiting))
        for call in calls:
            self.wire.drop(call)
        for call in begun:
            call.future.set_exception(WorkerLost(f"worker {name} is gone"))
        self.feed()

    def forsake(self, reason: str) -> None:
        """Fail everything while there is no worker and none will come."""
        with self.lock:
            if self.lanes or self.closed:
                return
            self.forsaken = reason
            calls, self.queue = list(self.queue), deque()
        for call in calls:
            call.future.set_exception(BackendUnavailable(reason))

    @property
    def pids(self) -> tuple[int, ...]:
        """Return the process ids of the workers, each on its own machine."""
        return tuple(sorted(lane.greeting.pid for lane in self.lanes.values()))

    @property
    def whole(self) -> bool:
        """Return whether as many workers are there as were asked for, and the cluster still answers."""
        return self.slots == self.wanted and self.wire.usable()

    # --------------------------------------------------------------------------------------------------------- calls

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call for the worker that is free first."""
        assert not kwargs, "calls of the engine have no keywords"
        call = Call(Future(), fn, args)
        with self.lock:
            if self.closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if self.forsaken is not None:
                raise BackendUnavailable(self.forsaken)
            call.future.set_running_or_notify_cancel()
            self.queue.append(call)
        self.feed()
        return call.future

    def feed(self) -> None:
        """Send queued calls to the workers that have room."""
        while True:
            with self.lock:
                free = [lane for lane in self.lanes.values() if len(lane.calls) < lane.depth]
                if not free or not self.queue:
                    return
                lane = min(free, key=lambda lane: len(lane.calls) / lane.slots)
                call = self.queue.popleft()
                lane.calls.append(call)
                arguments = arguments_for(lane, call.arguments)
            try:
                self.wire.start(lane, call, arguments, self.settler(lane, call))
            except Exception as error:
                self.settle(lane, call, None, error)

    def settler(self, lane: Lane, call: Call) -> Settle:
        """Return what takes the end of a call that a lane has been sent."""
        return lambda result, error: self.settle(lane, call, result, error)

    def settle(self, lane: Lane, call: Call, result: Any, error: BaseException | None) -> None:
        """Take a call's result, unless its worker has been lost in the meantime."""
        with self.lock:
            if call not in lane.calls or self.lanes.get(lane.name) is not lane:
                return
            lane.calls.remove(call)
            if isinstance(result, Answer):
                took = result.end - result.start
                lane.mean = took if lane.mean is None else 0.5 * (lane.mean + took)
                if result.problem is not None:
                    lane.knows.pop(call.arguments[0].key, None)
        if error is not None:
            call.future.set_exception(error)
        else:
            call.future.set_result(result)
        self.feed()

    # ----------------------------------------------------------------------------------------------------------- end

    def stop(self) -> None:
        """End what the workers compute as far as that is possible, and take nothing new."""
        with self.lock:
            busy = [lane for lane in self.lanes.values() if lane.calls]
        self.shutdown(wait=False, cancel_futures=True)
        if busy:
            self.wire.stop(busy)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing new; the workers stay, they are the cluster's."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
            if cancel_futures:
                self.queue.clear()
        self.wire.leave(self)


def arguments_for(lane: Lane, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a call's arguments without the function that the worker has already."""
    if not arguments or not isinstance(arguments[0], Request):
        return arguments
    request = arguments[0]
    has = request.key in lane.knows
    lane.knows[request.key] = None
    lane.knows.move_to_end(request.key)
    while len(lane.knows) > FUNCTIONS_KEPT:
        lane.knows.popitem(last=False)
    return (request._replace(blob=None), *arguments[1:]) if has else arguments
