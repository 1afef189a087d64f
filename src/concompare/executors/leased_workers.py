"""Workers of a session: leased from the engine when they are needed, given back, ended, or replaced."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from concompare.backends.traits import shares_objects
from concompare.engine import Lease, Pool, lease, output
from concompare.engine.channel import Channel, ThreadChannel
from concompare.engine.chunking import Chunk
from concompare.engine.completions import Arrivals
from concompare.engine.outcome import PassOptions
from concompare.engine.stop_threads import stop_threads
from concompare.engine.worker_loss import Inquest
from concompare.executors.batches import Batch
from concompare.worker.calls import Inherited, Setup
from concompare.worker.transfer.pickling import pack

if TYPE_CHECKING:
    from concompare.backends import Backend
    from concompare.engine.shortcuts.direct_channel import Lines
    from concompare.executors.call_transport import CallChannel

KEPT = 16
"""Functions for which it is remembered which workers have them."""


class Workers:
    """The pool that a session has leased, and what it takes to send it messages.

    Attributes:
        kind: Of the workers; `count`: how many.
        setup: What runs in each of them before its first call, or None.
        token: Names the session: what a call leaves in its worker, the session's next one finds.
        pool: None while there is none.
        inquest: Tells what became of lost workers.
    """

    def __init__(
        self, kind: Backend, count: int, setup: Setup | None, token: str, native_threads: int | None = None
    ) -> None:
        self.native_threads = native_threads
        self.kind, self.count, self.setup, self.token = kind, count, setup, token
        self.queue = self.direct = Arrivals()
        self.lines: Lines | None = None
        self.shared = shares_objects(kind)
        self.pool: Pool | None = None
        self.lease: Lease | None = None
        self.inquest: Inquest | None = None
        self.channels: dict[str, CallChannel] = {}
        self.inherited: dict[str, Any] = {}
        self.routing = ExitStack()
        self.routed = False

    @property
    def arrivals(self) -> Arrivals:
        """Return where answers arrive: by the direct lines, while they are open."""
        return self.queue if self.lines is None or self.lines.requests < 0 else self.direct

    def connect(self, pool: Pool) -> None:
        """Open the direct lines to the workers where there are any."""
        self.lines = None if pool.shares_objects else pool.direct_lines()
        if self.lines is not None:
            from concompare.engine.shortcuts.direct_channel import DirectArrivals

            self.direct = DirectArrivals(self.lines, self.queue)

    def open(self, options: PassOptions, clock: Callable[[], float]) -> None:
        """Lease a pool: a new one where an initializer is to run in it.

        Raises:
            BackendUnavailable: It cannot be started.
        """
        self.set_apart()
        native, fresh = self.native_threads, self.setup is not None
        leased = lease(self.kind, self.count, fresh=fresh, native_threads=native, inherited=self.inherited)
        pool = leased.pool
        try:
            if options.timeout is not None:
                pool.refuse_limit(options.timeout)
            self.connect(pool)
        except BaseException:
            with leased:
                raise
        self.lease, self.pool, self.inquest = leased, pool, Inquest(pool, options, clock, remedy="")

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

    def submit(self, chunk: Chunk, batch: Batch, index: int, options: PassOptions) -> Future[Any]:
        """Hand a message to the workers."""
        if self.pool is None or self.pool.executor is None:
            from concompare.executors.lost import pool_closed

            raise pool_closed()
        if self.shared and not self.routed:
            self.routed = True
            self.routing.enter_context(output.routed())
            if options.seed is not None:
                from concompare.engine.thread_seeding import seeded_modules

                self.routing.enter_context(seeded_modules(batch.function))
        if options.seed is not None:
            start = batch.number + index
            options = replace(options, first=chunk.first, places=range(start, start + len(chunk.items)))
        channel = self.channel_of(batch, index - chunk.first)
        channel.options = options
        return batch.context.run(channel.submit, chunk)

    def channel_of(self, batch: Batch, shift: int) -> Channel:
        """Return what sends a batch's items; in processes it is the same for all whose function is sent alike.

        Args:
            batch: Whose items are sent.
            shift: Where they stand in it, less their numbers in the session.
        """
        assert self.pool is not None
        if batch.channel is None and self.shared:
            options = PassOptions()
            batch.channel = ThreadChannel(
                self.pool, options, time.perf_counter, batch.function, lambda chunk: batch.ended
            )
        elif not self.shared:
            batch.channel = self.sending(batch)
            batch.channel.transport.shift = shift
        assert batch.channel is not None
        return batch.channel

    def sending(self, batch: Batch) -> CallChannel:
        """Return what sends a function to other processes, and remember which workers have it."""
        from concompare.executors.call_transport import CallChannel

        assert self.pool is not None
        assert batch.shipment is not None
        key = batch.shipment.key
        found = self.channels.pop(key, None)
        if found is None:
            found = CallChannel(self.pool, batch.shipment, PassOptions(), self.lines)
            found.transport.turn = self.token
        self.channels[key] = found
        while len(self.channels) > KEPT:
            del self.channels[next(iter(self.channels))]
        return found

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
        self.channels.clear()
        self.lines = None
        self.inquest.reopen()
        self.connect(self.pool)

    def leave(self, *, busy: bool) -> tuple[str, ...]:
        """Give the pool back, or end the workers where they are busy.

        Returns:
            The calls that Python cannot stop.
        """
        pool, leased = self.pool, self.lease
        self.pool = self.lines = self.lease = None
        unstoppable: tuple[str, ...] = ()
        self.channels.clear()
        if pool is not None:
            pool.broken = pool.broken or busy
            if busy and (pool.shares_objects or pool.backend.isolation == "interpreter"):
                unstoppable = stop_threads(pool)
        if leased is not None:
            with contextlib.suppress(Exception), leased:
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


def can_be_sent(value: Any) -> bool:
    """Return whether a message can carry a value."""
    try:
        pack(value)
    except Exception:
        return False
    return True
