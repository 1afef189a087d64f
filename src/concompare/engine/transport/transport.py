"""Chunks and results to and from worker processes: the function once per worker, items and results as pickles.

What lies beside the messages, if anything, is the business of `Buffers`.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from concompare.engine.outcome import PassOptions
from concompare.engine.pools.pool import Pool
from concompare.engine.transport.functions import LARGE_BLOB, Shipment, refusal, ship
from concompare.engine.transport.in_messages import Buffers, InMessages
from concompare.engine.transport.notebook_state import now_in
from concompare.errors import CannotShip
from concompare.worker import log_records
from concompare.worker.chunk import Answer, Request
from concompare.worker.series import ASKED, REFERRED, TIMED
from concompare.worker.transfer import nans
from concompare.worker.transfer.code_objects import HOME
from concompare.worker.transfer.object_refs import (
    ATOMS,
    WRITTEN_AS_THEY_ARE,
    Objects,
    Restorer,
    have_no_parts,
    kind_of_arrays,
    load_with,
)
from concompare.worker.transfer.pickling import Parcel, can_pack, inner_function, pack, text_of

if TYPE_CHECKING:
    from concompare.engine.chunking import Chunk

SERIES = count(1)
"""Numbers for the messages of one pass."""

LARGEST_BRIEF = 2**14
"""Bytes of an item's pickle up to which it may go without what else is said of it."""

SIZED = WRITTEN_AS_THEY_ARE | {str, bytes}
"""Types of objects whose length tells how many bytes they take at the least."""

WITNESSED = 8
"""Items, the first of a pass, of which a witness may want to know whether they reached beyond their worker."""


class Transport:
    """State that one pass needs to talk to its pool's worker processes.

    Args:
        pool: The workers.
        function: Sent once to each of them.
        steady: Whether the items are there already, rather than made when they are taken.
        shipment: The function ready to be sent, where it is.
    """

    def __init__(
        self,
        pool: Pool,
        function: Callable[[Any], Any],
        steady: bool = True,
        shipment: Shipment | None = None,
    ) -> None:
        self.pool, self.function, self.steady = pool, function, steady
        self.shipment = ship(function, here=pool.near) if shipment is None else shipment
        self.known = pool.learned.having(self.shipment.key)
        self.turn = os.urandom(16).hex()
        self.series = next(SERIES)
        own = inner_function(function)
        self.carried = self.shipment.objects if own is None else {**self.shipment.objects, HOME: own.__globals__}
        self.having: set[tuple[int, int]] = set()
        self.always = False
        self.levels = log_records.levels()
        self.surroundings = now_in(pool)
        self.buffers = buffers_for(pool, self.shipment.key, steady)
        large = len(self.shipment.blob) > LARGE_BLOB
        self.path = self.buffers.file_for(self.shipment.blob) if large else None

    def anew(self) -> Transport:
        """Return the same for new workers in the pool."""
        return Transport(self.pool, self.function, self.steady)

    def must_send(self) -> None:
        """Send the function with every message from now on: a worker did not have it."""
        self.always = True

    def blob(self) -> bytes | str | None:
        """Return what a message carries of the function: nothing once every worker is known to have it."""
        if self.path is not None:
            return self.path
        changing = self.pool.backend.ephemeral or self.pool.handling.lasting
        if self.always or changing or len(self.known) < self.pool.workers:
            return self.shipment.blob
        return None

    def brief(self, chunk: Chunk, options: PassOptions) -> bytes | None:
        """Return the message for a chunk of one item without what each worker has been told in this pass.

        None where there is more to say: then it goes whole, which also tells what cannot be sent.
        """
        if len(chunk.items) != 1 or not self.is_told(chunk.first, options):
            return None
        body = self.brief_of(chunk.first, chunk.items[0], chunk.each)
        if body is not None:
            chunk.series, chunk.bytes_in, chunk.objects = self.series, len(body), list(chunk.items)
        return body

    def is_told(self, first: int, options: PassOptions) -> bool:
        """Tell whether each worker knows all that is to be said with an item at this position, and those after it."""
        known = not self.always and len(self.having) >= self.pool.workers and options.places is None
        witnessed = options.witness is not None and first < options.first + WITNESSED
        return known and not witnessed and not self.buffers.has_room_wanted()

    def brief_of(self, position: int, item: Any, each: bool) -> bytes | None:
        """Return the brief message for an item; None where it is no small one."""
        kind, said = type(item), TIMED if each else 0
        if kind in SIZED and len(item) > LARGEST_BRIEF:
            return None
        if kind not in ATOMS and not self.is_small(item):
            if not (kind in SIZED or kind is kind_of_arrays()) or not have_no_parts((item,)):
                return None
            said |= REFERRED
        data = pickle.dumps([item], 5) if kind in SIZED or not said & REFERRED else pack([item])
        fits = len(data) <= LARGEST_BRIEF and not nans.has_nan(data)
        return ASKED.pack(self.series, position, said) + data if fits else None

    def is_small(self, item: Any) -> bool:
        """Tell whether an item is a number or text, so that nothing of it lies beside a message, nor comes back."""
        return type(item) in ATOMS

    def request(self, chunk: Chunk, options: PassOptions) -> Request:
        """Return the message for a chunk, its large buffers laid into shared memory.

        Raises:
            CannotShip: An item cannot be pickled.
        """
        try:
            parcel = self.pack_items(chunk)
        except Exception as error:
            raise CannotShip(self.refusal(chunk, error)) from None
        chunk.series, chunk.bytes_in = self.series, len(parcel.data or b"")
        if not chunk.apart:  # else the worker tells what it has fetched
            chunk.bytes_in += sum(place[2] for place in parcel.places)
        return Request(
            self.shipment.key,
            self.blob(),
            chunk.first,
            parcel,
            chunk.each,
            options.on_error == "keep",
            options.temporaries,
            self.buffers.room(chunk),
            self.turn,
            options.seed,
            tuple(options.positions(chunk.first, len(chunk.items))) if options.places is not None else None,
            chunk.limit,
            tuple(name for name, things in (("items", chunk.objects), ("function", self.shipment.objects)) if things),
            len(chunk.items) if chunk.apart else 0,
            self.levels,
            chunk.made,
            options.witness is not None and chunk.first < options.first + WITNESSED,
            self.surroundings,
            options.on_lost is not None or options.watch_items,
            options.lines,
            self.series,
        )

    def pack_items(self, chunk: Chunk) -> Parcel:
        """Pack a chunk's items."""
        return self.buffers.pack(chunk)

    def sent(self, chunk: Chunk) -> dict[str, Objects]:
        """Return the notebook's objects that results of a chunk may refer to, by where they were sent and number."""
        return {"items": chunk.objects, "function": self.carried}

    def place(self, position: int) -> int:
        """Return the number that messages give an item."""
        return position

    def refusal(self, chunk: Chunk, error: Exception) -> str:
        """Return one line on the first item that cannot be sent."""
        for offset, item in enumerate(chunk.items):
            try:
                pack(item)
            except Exception as reason:
                return refusal(item, f"item {self.place(chunk.first + offset)}", reason)
        return f"the items cannot be sent to another process: {type(error).__name__}: {error}"

    def not_loaded(self, kind: str, chunk: Chunk, detail: str) -> str:
        """Return one line on what a worker could not rebuild: the first such item, all of them, or the function."""
        if kind == "folder" and self.surroundings is not None:
            folder = self.surroundings.folder
            return f"workers cannot enter the current folder, {folder}: {detail}. Change to another (%cd ~)."
        what = "the function"
        if kind == "items":
            broken = ((at, item) for at, item in enumerate(chunk.items, chunk.first) if not can_pack(item))
            what = next((f"item {self.place(at)} ({type(item).__name__})" for at, item in broken), "the items")
        return f"{what} cannot be loaded in a worker: {detail}. Send something plainer, or use -b threads."

    def open(self, chunk: Chunk, answer: Answer) -> tuple[list[Any], dict[str, Any]]:
        """Return an answer's values and names, and let go of what its message used."""
        self.known.add(answer.ident)
        if chunk.series == self.series:
            self.having.add(answer.ident)
        if answer.wanted:
            self.buffers.learn(chunk, answer.wanted)
        sent = self.sent(chunk) if answer.refers else None
        copies = self.buffers.copies(answer.values) if answer.values.places else ()
        try:
            values = open_parcel(answer.values, copies, sent, chunk.objects if answer.with_items else ())
        except Exception as error:
            values, chunk.lost = [None] * len(chunk.items), error
        names = open_parcel(answer.names, self.buffers.copies(answer.names), sent) if answer.names is not None else {}
        chunk.objects = {}
        self.buffers.forget(chunk, held=answer.held)
        return values, names

    def bytes_out(self, answer: Answer) -> int:
        """Return the bytes of an answer's values."""
        parcel: Parcel = answer.values
        beside = sum(place[2] for place in parcel.places) if parcel.places else 0
        return len(parcel.data or b"") + beside


def buffers_for(pool: Pool, function: str, steady: bool) -> Buffers:
    """Return where the large parts of a pass lie: beside its messages where the pool's workers can reach that."""
    if pool.shortcuts is None or pool.folder is None:
        return InMessages()
    from concompare.engine.shortcuts.large_buffers import LargeBuffers

    return LargeBuffers(pool.shortcuts.arena(pool.folder), pool.shortcuts.wanted, function, steady)


def not_rebuilt(chunk: Chunk) -> CannotShip:
    """Return the error of the items of a chunk whose results have come back and cannot be rebuilt."""
    last = chunk.first + len(chunk.items) - 1
    which = f"the result of item {last}" if last == chunk.first else f"a result of items {chunk.first} to {last}"
    why = f"{type(chunk.lost).__name__}: {text_of(chunk.lost)}"
    return CannotShip(
        f"{which} cannot be rebuilt from its pickle ({why}): give its class a `__reduce__`, return something plainer, "
        "or use -b threads"
    )


def open_parcel(
    parcel: Parcel,
    copies: Sequence[Any] = (),
    sent: dict[str, Objects] | None = None,
    items: Objects | tuple[()] = (),
) -> Any:
    """Rebuild a result from a worker, with the notebook's own objects where it refers to them.

    Args:
        parcel: What came.
        copies: The bytes that lay beside it.
        sent: The notebook's objects, by where they were sent and number.
        items: Those that the pickle begins with.
    """
    if parcel.data is not None and not (copies or items) and sent is None:
        return pickle.loads(parcel.data)
    buffers = list(copies)
    data = parcel.data if parcel.data is not None else buffers.pop(0)
    if isinstance(items, list):
        return load_with(items, data, buffers)
    if sent is not None:
        return Restorer(data, buffers, sent).load()
    return pickle.loads(data, buffers=buffers)
