"""Workers of a session: leased from the engine when they are needed, given back, ended, or replaced."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from concompare.backends.traits import shares_objects
from concompare.engine import Pool, lease, output
from concompare.engine.chunking import Chunk
from concompare.engine.completions import Arrivals
from concompare.engine.outcome import PassOptions
from concompare.engine.stop_threads import stop_threads
from concompare.engine.worker_loss import Inquest
from concompare.executors.batches import Batch
from concompare.worker.calls import Inherited, Setup
from concompare.worker.chunk import run, run_here
from concompare.worker.compute import Stop
from concompare.worker.transfer.pickling import pack

if TYPE_CHECKING:
    from concompare.backends import Backend
    from concompare.engine.shortcuts.direct_channel import Lines
    from concompare.executors.call_transport import CallTransport

KEPT = 16
"""Functions for which it is remembered which workers have them."""


class Workers:
    """The pool that a session has leased, and what it takes to send it messages.

    Attributes:
        kind: Of the workers; `count`: how many.
        setup: What runs in each of them before its first call, or None.
        token: Names the session: what a call leaves in its worker, the session's next one finds.
        arrivals: Takes the answers, those that come on direct lines too where there are any.
        pool: None while there is none.
        inquest: Tells what became of lost workers.
    """

    def __init__(
        self,
        kind: Backend,
        count: int,
        setup: Setup | None,
        token: str,
        native_threads: int | None = None,
    ) -> None:
        self.native_threads = native_threads
        self.kind, self.count, self.setup, self.token = kind, count, setup, token
        self.arrivals = self.plain_arrivals = Arrivals()
        self.lines: Lines | None = None
        self.shared = shares_objects(kind)
        self.pool: Pool | None = None
        self.inquest: Inquest | None = None
        self.transports: dict[str, CallTransport] = {}
        self.inherited: dict[str, Any] = {}
        self.routing = ExitStack()
        self.routed = False

    def open(self, options: PassOptions, clock: Callable[[], float]) -> None:
        """Lease a pool: a new one where an initializer is to run in it.

        Raises:
            BackendUnavailable: It cannot be started.
        """
        self.set_apart()
        native, fresh = self.native_threads, self.setup is not None
        pool = lease(self.kind, self.count, fresh=fresh, native_threads=native, inherited=self.inherited)
        try:
            if options.timeout is not None:
                pool.refuse_limit(options.timeout)
            self.connect(pool)
        except BaseException:
            with pool:
                raise
        self.pool, self.inquest = pool, Inquest(pool, options, clock, remedy="")

    def connect(self, pool: Pool) -> None:
        """Take the quickest way there is to the workers of a pool."""
        self.lines, self.arrivals = None if pool.shares_objects else pool.direct_lines(), self.plain_arrivals
        if self.lines is not None:
            from concompare.engine.shortcuts.direct_channel import DirectArrivals

            self.arrivals = DirectArrivals(self.lines, self.plain_arrivals)

    def set_apart(self) -> None:
        """Let the start of the processes carry those arguments of the initializer that no message can."""
        if self.setup is None or self.shared:
            return
        given = list(self.setup.arguments)
        for place, one in enumerate(given):
            if not isinstance(one, Inherited) and not can_be_sent(one):
                key = f"{self.token}-{place}"
                self.inherited[key], given[place] = one, Inherited(key)
        self.setup.arguments = tuple(given)

    def submit(self, chunk: Chunk, batch: Batch, index: int, options: PassOptions, stop: Stop) -> Future[Any]:
        """Hand a message to the workers."""
        executor = self.pool.executor if self.pool is not None else None
        if executor is None:
            from concompare.executors.lost import pool_closed

            raise pool_closed()
        if self.shared:
            if not self.routed:
                self.routed = True
                self.routing.enter_context(output.routed())
            message: tuple[Any, ...] = (
                batch.function,
                chunk.items,
                chunk.first,
                chunk.each,
                batch.keep_going,
                (),
                stop,
            )
            submit: Callable[..., Future[Any]] = executor.submit
            return batch.context.run(submit, run_here, *message)
        transport = self.transport_of(batch)
        transport.shift = index - chunk.first
        request = transport.request(chunk, options)
        return executor.submit(run, request) if self.lines is None else self.lines.submit(run, request)

    def transport_of(self, batch: Batch) -> CallTransport:
        """Return what sends a function's items to the present workers; it is the same for all that is sent alike."""
        assert self.pool is not None
        assert batch.shipment is not None
        if batch.transport is None:
            from concompare.executors.call_transport import CallTransport

            key = batch.shipment.key
            found = self.transports.pop(key, None)
            if found is None:
                found = CallTransport(self.pool, forgotten, True, batch.shipment)
                found.turn = self.token
            self.transports[key] = batch.transport = found
            while len(self.transports) > KEPT:
                del self.transports[next(iter(self.transports))]
        return batch.transport

    def rest(self) -> None:
        """Give the notebook its own streams back while nothing is under way."""
        self.routed = False
        self.routing.close()

    def replace(self) -> None:
        """Open new workers in the place of broken ones.

        Raises:
            WorkerDied: They cannot be started again.
        """
        assert self.pool is not None
        assert self.inquest is not None
        self.transports.clear()
        self.inquest.reopen()
        self.connect(self.pool)

    def leave(self, *, busy: bool) -> tuple[str, ...]:
        """Give the pool back, or end the workers where they are busy.

        Returns:
            The calls that Python cannot stop.
        """
        pool, self.pool, self.lines, self.arrivals = self.pool, None, None, self.plain_arrivals
        unstoppable: tuple[str, ...] = ()
        self.transports.clear()
        if pool is not None:
            pool.broken = pool.broken or busy
            if busy and (pool.shares_objects or pool.backend.isolation == "interpreter"):
                unstoppable = stop_threads(pool)
            with contextlib.suppress(Exception), pool:
                pass
        self.rest()
        return unstoppable


class Places(Sequence[int]):
    """The position of each item in its batch, by its number in the session."""

    def __init__(self, owners: dict[int, tuple[Batch, int]]) -> None:
        self.owners = owners

    def __len__(self) -> int:
        return len(self.owners)

    def __getitem__(self, number: Any) -> Any:
        batch, index = self.owners[number]
        return batch.number + index


def forgotten(item: Any) -> Any:
    """Stand for a function that has been sent, so that nothing holds it."""
    raise AssertionError("this is never called")


def can_be_sent(value: Any) -> bool:
    """Return whether a message can carry a value."""
    try:
        pack(value)
    except Exception:
        return False
    return True
