"""Chunks and results to and from worker processes: the function once per worker, large buffers beside the messages.

    items ─┬─ lie in a list, and workers may read this process's memory ──> where they lie (`lent_memory`)
           └─ come from an iterator, or workers may not ──> a copy in shared memory
    results ──> a copy in shared memory ──> a copy here

The shared memory is a few files in the pool's folder, made, recycled and removed by this process. A worker reads
arguments where they lie there and tells whether the user's code has kept a reference to them: then the place is not
used again. Results are copied out, so that nothing of the user's lies in memory that is used again.
"""

from __future__ import annotations

import contextlib
import os
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concompare.engine.lookahead import is_steady
from concompare.engine.outcome import PassOptions
from concompare.engine.pools.pool import Pool
from concompare.engine.transport.functions import LARGE_BLOB, Shipment, refusal, ship
from concompare.engine.transport.lent_memory import is_large, offer, offering, worth_offering
from concompare.errors import CannotShip
from concompare.worker import log_records
from concompare.worker.chunk import Answer, Request
from concompare.worker.transfer.object_refs import Restorer, parts_sent
from concompare.worker.transfer.pickling import SEGMENTS, Parcel, can_pack, pack, put, segment, text_of

if TYPE_CHECKING:
    from concompare.engine.chunking import Chunk

SMALLEST_SLOT = 2**18
"""Bytes of the smallest slot; slots are powers of two."""

SHARE_OF_FREE = 0.5
"""Share of what is free in the folder's file system that slots may take together."""

MOST = 4 * 2**30
"""Bytes that slots may take together at the very most."""

WITNESSED = 8
"""Items, the first of a pass, of which a witness may want to know whether they reached beyond their worker."""

Slot = tuple[str, int, int]


class Arena:
    """Slots of shared memory in a pool's folder; a slot is free, or belongs to one chunk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.free: dict[int, list[Slot]] = {}
        self.total = 0
        self.made = 0
        system = os.statvfs(folder) if hasattr(os, "statvfs") else None
        free = system.f_bavail * system.f_frsize if system is not None else MOST
        self.limit = min(MOST, int(free * SHARE_OF_FREE))

    def take(self, size: int) -> Slot | None:
        """Return a slot of at least that size, or None where there is no room for one."""
        capacity = max(SMALLEST_SLOT, 1 << (size - 1).bit_length())
        for larger in (capacity, capacity * 2, capacity * 4):
            if self.free.get(larger):
                return self.free[larger].pop()
        if self.total + capacity > self.limit:
            return None
        path = self.folder / f"room-{self.made}-{capacity}"
        if not reserve(path, capacity):
            self.limit = self.total
            return None
        self.made += 1
        self.total += capacity
        return str(path), 0, capacity

    def give(self, slot: Slot) -> None:
        """Take a slot back."""
        self.free.setdefault(slot[2], []).append(slot)

    def lose(self, slot: Slot) -> None:
        """Never use a slot again: somebody still reads it. Its file goes; the memory goes with its last reader."""
        self.total -= slot[2]
        mapped = SEGMENTS.pop(slot[0], None)
        if mapped is not None:
            with contextlib.suppress(BufferError):
                mapped.close()
        with contextlib.suppress(OSError):
            os.unlink(slot[0])


def reserve(path: Path, size: int) -> bool:
    """Make a file whose bytes are really there; False where the file system has no room for them."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.truncate(descriptor, size)
    except OSError:
        os.unlink(path)
        return False
    finally:
        os.close(descriptor)
    return True


def laid_down(blob: bytes, path: Path) -> str | None:
    """Write a function's bytes into a file; None where there is no room for them, and they go with messages."""
    try:
        path.write_bytes(blob)
    except OSError:
        path.unlink(missing_ok=True)
        return None
    return str(path)


class Transport:
    """State that one pass needs to talk to its pool's worker processes."""

    def __init__(
        self,
        pool: Pool,
        function: Callable[[Any], Any],
        items: Iterable[Any] = (),
        shipment: Shipment | None = None,
    ) -> None:
        self.pool = pool
        self.apart = False
        self.steady = is_steady(items)
        self.function = function
        self.shipment = ship(function) if shipment is None else shipment
        self.known = pool.knows.setdefault(self.shipment.key, set())
        self.turn = os.urandom(16).hex()
        self.always = False
        self.levels = log_records.levels()
        self.slots: dict[int, list[Slot]] = {}
        self.offered: dict[int, list[memoryview]] = {}
        self.path: str | None = None
        if pool.folder is not None:
            if pool.arena is None:
                pool.arena = Arena(pool.folder)
            if len(self.shipment.blob) > LARGE_BLOB:
                self.path = laid_down(self.shipment.blob, pool.folder / f"function-{self.shipment.key}")

    def anew(self) -> Transport:
        """Return the same for new workers in the pool."""
        new = Transport(self.pool, self.function)
        new.steady, new.apart = self.steady, self.apart
        return new

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

    def request(self, chunk: Chunk, options: PassOptions) -> Request:
        """Return the message for a chunk, its large buffers laid into shared memory.

        Raises:
            CannotShip: An item cannot be pickled.
        """
        parcel = self.pack_items(chunk)
        chunk.bytes_in = len(parcel.data or b"")
        if not chunk.apart:  # else the worker tells what it has fetched
            chunk.bytes_in += sum(place[2] for place in parcel.places)
        room = self.room(chunk)
        return Request(
            self.shipment.key,
            self.blob(),
            chunk.first,
            parcel,
            chunk.each,
            options.on_error == "keep",
            options.temporaries,
            room,
            self.turn,
            options.seed,
            tuple(options.positions(chunk.first, len(chunk.items))) if options.places is not None else None,
            chunk.limit,
            tuple(place for place, things in self.sent(chunk).items() if things),
            len(chunk.items) if chunk.apart else 0,
            self.levels,
            chunk.made,
            options.witness is not None and chunk.first < options.first + WITNESSED,
        )

    def pack_items(self, chunk: Chunk) -> Parcel:
        """Pack a chunk's items: large buffers are offered where they lie, or laid into shared memory."""
        how_far = offering() if self.pool.near else 0
        self.apart = self.apart or (how_far > 0 and self.steady and any(map(is_large, chunk.items[:1])))
        chunk.apart = self.apart and how_far > 0
        buffers: list[pickle.PickleBuffer] = []
        picklers: list[Any] = []
        try:
            data = pack(chunk.items, buffers if self.pool.arena is not None else None, picklers, apart=chunk.apart)
        except Exception as error:
            raise CannotShip(self.refusal(chunk, error)) from None
        fitting = bool(buffers) if chunk.apart else worth_offering(buffers)
        if how_far and self.steady and chunk.apart != fitting:  # a guess, from the items before
            self.apart = fitting
            return self.pack_items(chunk)
        chunk.objects, chunk.made = {}, ()
        if not buffers and not chunk.apart:
            chunk.objects, chunk.made = parts_sent(chunk.items, data, picklers[-1])
        offered = offer(data, buffers) if how_far and (chunk.apart or not buffers) else None
        if offered is None:
            return self.lay(chunk, data, buffers)
        parcel, self.offered[chunk.first] = offered
        chunk.offered = how_far
        return parcel

    def lay(self, chunk: Chunk, data: bytes, buffers: list[pickle.PickleBuffer]) -> Parcel:
        """Lay a chunk's large buffers, and its pickle if it is large, into shared memory where there is room."""
        arena: Arena | None = self.pool.arena
        parcel, wanted = put(data, buffers, ("", 0, 0)) if arena is not None else (Parcel(data), 0)
        if parcel is not None:
            return parcel
        assert arena is not None
        slot = arena.take(wanted)
        if slot is None:
            return Parcel(pack(chunk.items) if buffers else data)
        self.slots.setdefault(chunk.first, []).append(slot)
        parcel, _ = put(data, buffers, slot)
        assert parcel is not None
        return parcel

    def sent(self, chunk: Chunk) -> dict[str, dict[int, Any]]:
        """Return the notebook's objects that results of a chunk may refer to, by where they were sent and number."""
        return {"items": chunk.objects, "function": self.shipment.objects}

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
        what = "the function"
        if kind == "items":
            broken = ((at, item) for at, item in enumerate(chunk.items, chunk.first) if not can_pack(item))
            what = next((f"item {self.place(at)} ({type(item).__name__})" for at, item in broken), "the items")
        return f"{what} cannot be loaded in a worker: {detail}. Send something plainer, or use -b threads."

    @property
    def wanted(self) -> float:
        """Return the bytes of shared memory that a result has needed so far."""
        return self.pool.wanted.get(self.shipment.key, 0.0)

    def room(self, chunk: Chunk) -> Slot | None:
        """Return a place for a chunk's results, as large as results have been so far."""
        arena: Arena | None = self.pool.arena
        if arena is None:
            return None
        wanted = int(self.wanted * len(chunk.items))
        slot = arena.take(wanted) if wanted else None
        chunk.room = slot
        return slot or ("", 0, 0)

    def open(self, chunk: Chunk, answer: Answer) -> tuple[list[Any], dict[str, Any]]:
        """Return an answer's values and names, and take its slots back."""
        self.known.add(answer.ident)
        if answer.wanted:
            each = answer.wanted * 1.05 / len(chunk.items)
            self.pool.wanted[self.shipment.key] = max(self.wanted * 0.9, each)
        sent = self.sent(chunk) if answer.refers else None
        try:
            values = open_parcel(answer.values, sent)
        except Exception as error:
            values, chunk.lost = [None] * len(chunk.items), error
        names = open_parcel(answer.names, sent) if answer.names is not None else {}
        chunk.objects = {}
        if answer.held and self.pool.arena is not None:
            for slot in self.slots.pop(chunk.first, ()):
                self.pool.arena.lose(slot)
        self.forget(chunk)
        return values, names

    def forget(self, chunk: Chunk) -> None:
        """Take a chunk's slots back, and let go of what was offered for it."""
        self.offered.pop(chunk.first, None)
        arena: Arena | None = self.pool.arena
        if arena is None:
            return
        for slot in self.slots.pop(chunk.first, ()):
            arena.give(slot)
        if chunk.room is not None:
            arena.give(chunk.room)
            chunk.room = None

    def bytes_out(self, answer: Answer) -> int:
        """Return the bytes of an answer's values."""
        parcel: Parcel = answer.values
        return len(parcel.data or b"") + sum(place[2] for place in parcel.places)

    def close(self) -> None:
        """Leave the slots of unfinished chunks alone for good: a worker may still use them.

        What was offered for them is let go: a buffer that is held cannot be resized by the user.
        """
        self.offered.clear()
        if self.pool.arena is not None:
            for slots in self.slots.values():
                for slot in slots:
                    self.pool.arena.lose(slot)
        self.slots.clear()


def not_rebuilt(chunk: Chunk) -> CannotShip:
    """Return the error of the items of a chunk whose results have come back and cannot be rebuilt."""
    last = chunk.first + len(chunk.items) - 1
    which = f"the result of item {last}" if last == chunk.first else f"a result of items {chunk.first} to {last}"
    why = f"{type(chunk.lost).__name__}: {text_of(chunk.lost)}"
    return CannotShip(
        f"{which} cannot be rebuilt from its pickle ({why}): give its class a `__reduce__`, return something plainer, "
        "or use -b threads"
    )


def open_parcel(parcel: Parcel, sent: dict[str, dict[int, Any]] | None = None) -> Any:
    """Rebuild a result from a worker on memory of its own, with the notebook's own objects where it refers to them."""
    copies = [bytearray(memoryview(segment(path))[at : at + length]) for path, at, length in parcel.places]
    data = parcel.data if parcel.data is not None else copies.pop(0)
    if sent is not None:
        return Restorer(data, copies, sent).load()
    return pickle.loads(data, buffers=copies)
