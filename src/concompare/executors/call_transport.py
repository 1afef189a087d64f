"""Calls with arguments on the way to other processes: as they were when they were submitted, where they are small."""

from __future__ import annotations

import pickle
import time
from typing import TYPE_CHECKING, Any

from concompare.engine.channel import Channel
from concompare.engine.chunking import Chunk
from concompare.engine.outcome import PassOptions
from concompare.engine.pools.pool import Pool
from concompare.engine.transport.functions import Shipment, refusal
from concompare.engine.transport.message_channel import MessageChannel
from concompare.engine.transport.notebook_state import now_in
from concompare.engine.transport.transport import SERIES, Transport
from concompare.worker.calls import Arguments
from concompare.worker.chunk import Request
from concompare.worker.transfer.object_refs import only_atoms
from concompare.worker.transfer.pickling import Parcel, pack, pack_sent

if TYPE_CHECKING:
    from concompare.engine.shortcuts.direct_channel import Lines

LARGEST = 65_536
"""Bytes of a call's pickled arguments up to which they are taken when it is submitted; larger ones when it is sent."""


SHORT = 1000
"""Length of a text up to which it is short."""


class Snapshot(Arguments):
    """Arguments of one call, pickled when it was submitted: what becomes of them afterwards changes nothing."""

    __slots__ = ("data",)

    def __init__(self, data: bytes, arguments: Arguments) -> None:
        super().__init__(arguments.args, arguments.kwargs, arguments.name)
        self.data = data


def taken_now(arguments: Arguments) -> Arguments:
    """Return arguments as they are now, unless they are large or cannot be sent, which is told where they are sent."""
    if only_atoms(arguments.args) and only_atoms(arguments.kwargs.values()):
        return arguments
    buffers: list[pickle.PickleBuffer] = []
    try:
        data = pack_sent([arguments], buffers)
    except Exception:
        return arguments
    return arguments if buffers or len(data) > LARGEST else Snapshot(data, arguments)


def is_small(arguments: Arguments) -> bool:
    """Tell whether arguments are a few numbers and short texts."""
    values = (*arguments.args, *arguments.kwargs.values())
    return only_atoms(values) and not any(isinstance(one, (tuple, str, bytes)) and len(one) > SHORT for one in values)


class CallTransport(Transport):
    """What a session needs to talk to its pool's worker processes about one function.

    Attributes:
        shift: Where an item of the message at hand stands in its batch, less its number in the session.
        said: The options that the messages of the series have.
    """

    shift = 0
    said: PassOptions | None = None

    def place(self, position: int) -> int:
        """Return where an item stands in its batch."""
        return position + self.shift

    def refusal(self, chunk: Chunk, error: Exception) -> str:
        """Return one line on the first item, or the first argument of a single call, that cannot be sent."""
        first = chunk.items[0]
        if not isinstance(first, Arguments):
            return super().refusal(chunk, error)
        for name, value in (*enumerate(first.args), *first.kwargs.items()):
            try:
                pack(value)
            except Exception as reason:
                return refusal(value, f"{first.name}() → argument {name}", reason)
        return f"the arguments of {first.name}() cannot be sent to another process: {type(error).__name__}: {error}"

    def not_loaded(self, kind: str, chunk: Chunk, detail: str) -> str:
        """Return one line on what a worker could not rebuild."""
        first = chunk.items[0]
        if kind != "items" or not isinstance(first, Arguments):
            return super().not_loaded(kind, chunk, detail)
        what = f"an argument of {first.name}()"
        return f"{what} cannot be loaded in a worker: {detail}. Send something plainer, or use threads."

    def brief(self, chunk: Chunk, options: PassOptions) -> bytes | None:
        """Return the message for a chunk of one item or call without what each worker has been told before."""
        self.begin_series(options)
        return super().brief(chunk, options)

    def is_small(self, item: Any) -> bool:
        """Tell whether an item, or the arguments of a call, are a few numbers and short texts."""
        return is_small(item) if type(item) is Arguments else super().is_small(item)

    def begin_series(self, options: PassOptions) -> None:
        """Begin a series of messages that may refer to each other where something that all of them say has changed."""
        surroundings = now_in(self.pool)
        if surroundings != self.surroundings or options is not self.said:
            self.surroundings, self.said = surroundings, options
            self.series = next(SERIES)
            self.having.clear()

    def request(self, chunk: Chunk, options: PassOptions) -> Request:
        """Return the message for a chunk, with the notebook's surroundings as they are now.

        Raises:
            CannotShip: An item or argument cannot be pickled.
        """
        self.begin_series(options)
        return super().request(chunk, options)

    def pack_items(self, chunk: Chunk) -> Parcel:
        """Pack a chunk's items; results never refer to the arguments of single calls, which may change meanwhile."""
        first = chunk.items[0]
        if isinstance(first, Snapshot):
            return Parcel(first.data)
        if isinstance(first, Arguments) and is_small(first):  # nothing of it can lie beside the message
            return Parcel(pack_sent(chunk.items))
        parcel = super().pack_items(chunk)
        if isinstance(first, Arguments):
            chunk.objects, chunk.made = {}, ()
        return parcel


class CallChannel(MessageChannel):
    """Messages to worker processes about one function of a session's."""

    transport: CallTransport

    def __init__(self, pool: Pool, shipment: Shipment, options: PassOptions, lines: Lines | None) -> None:
        Channel.__init__(self, pool, options, time.perf_counter)
        self.transport = CallTransport(pool, forgotten, shipment=shipment)
        self.lines = lines


def forgotten(item: Any) -> Any:
    """Stand for a function that has been sent, so that nothing holds it."""
    raise AssertionError("this is never called")
