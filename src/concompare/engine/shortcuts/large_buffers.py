"""Large buffers of a pass beside its messages: offered where they lie, or laid into shared memory.

    items ─┬─ lie in a list, and workers may read this process's memory ──> where they lie (`lent_memory`)
           └─ come from an iterator, or workers may not ──> a copy in shared memory (`arena`)
    results ──> a copy in shared memory ──> a copy here

A worker reads arguments where they lie in shared memory and tells whether the user's code has kept a reference to them:
then the place is not used again. Results are copied out, so that nothing of the user's lies in memory that is used
again.
"""

from __future__ import annotations

import contextlib
import io
import mmap
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concompare.engine.shortcuts.arena import Arena, Slot
from concompare.engine.shortcuts.lent_memory import is_large, offer, offering, take_refusal, worth_offering
from concompare.worker.transfer import nans
from concompare.worker.transfer.object_refs import only_atoms, parts_sent
from concompare.worker.transfer.pickling import LARGE_PICKLE, Parcel, pack_sent, put, segment
from concompare.worker.transfer.process_memory import HUGE

if TYPE_CHECKING:
    from concompare.engine.chunking import Chunk


FEW = 16
"""Items of a message up to which it pays to see first whether they are plain numbers and texts."""


def copied(view: memoryview) -> Any:
    """Return a copy of bytes, on large pages where they are many: to get small ones takes longer than to copy."""
    if view.nbytes < HUGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return bytearray(view)
    block = mmap.mmap(-1, view.nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a system without large pages
        block.madvise(mmap.MADV_HUGEPAGE)
    memoryview(block)[:] = view
    return block


class LargeBuffers:
    """What one pass borrows of its pool's shared memory, and lends of the notebook's own.

    Args:
        arena: The pool's shared memory.
        wanted: The bytes of it that a result has needed so far, by function; for all passes on the pool.
        function: The key of the function.
        steady: Whether the items are there already, rather than made when they are taken.
    """

    def __init__(self, arena: Arena, wanted: dict[str, float], function: str, steady: bool) -> None:
        self.arena, self.wanted, self.function, self.steady = arena, wanted, function, steady
        self.apart = False
        self.slots: dict[int, list[Slot]] = {}
        self.offered: dict[int, list[memoryview]] = {}

    def anew(self, arena: Arena) -> LargeBuffers:
        """Return the same for new workers, with shared memory of their own."""
        new = LargeBuffers(arena, self.wanted, self.function, self.steady)
        new.apart = self.apart
        return new

    def file_for(self, blob: bytes) -> str | None:
        """Write the function's bytes into a file; None where there is no room for them, and they go with messages."""
        path = Path(self.arena.folder, f"function-{self.function}")
        try:
            path.write_bytes(blob)
        except OSError:
            path.unlink(missing_ok=True)
            return None
        return str(path)

    def pack(self, chunk: Chunk) -> Parcel:
        """Pack a chunk's items: large buffers are offered where they lie, or laid into shared memory."""
        if not self.apart and len(chunk.items) <= FEW and only_atoms(chunk.items):
            written = io.BytesIO()
            pickler = pickle.Pickler(written, 5)
            pickler.dump(chunk.items)
            data = written.getvalue()
            if len(data) < LARGE_PICKLE and not nans.has_nan(data):
                chunk.objects, chunk.made = parts_sent(chunk.items, data, pickler)
                chunk.apart = False
                return Parcel(data)
        how_far = offering()
        self.apart = self.apart or (how_far > 0 and self.steady and any(map(is_large, chunk.items[:1])))
        chunk.apart = self.apart and how_far > 0
        buffers: list[pickle.PickleBuffer] = []
        picklers: list[Any] = []
        data = pack_sent(chunk.items, buffers, picklers, apart=chunk.apart)
        fitting = bool(buffers) if chunk.apart else worth_offering(buffers)
        if how_far and self.steady and chunk.apart != fitting:  # a guess, from the items before
            self.apart = fitting
            return self.pack(chunk)
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
        parcel, wanted = put(data, buffers, ("", 0, 0))
        if parcel is not None:
            return parcel
        slot = self.arena.take(wanted)
        if slot is None:
            return Parcel(pack_sent(chunk.items) if buffers else data)
        self.slots.setdefault(chunk.first, []).append(slot)
        parcel, _ = put(data, buffers, slot)
        assert parcel is not None
        return parcel

    def room(self, chunk: Chunk) -> Slot:
        """Return a place for a chunk's results, as large as results have been so far."""
        wanted = int(self.wanted.get(self.function, 0.0) * len(chunk.items))
        chunk.room = self.arena.take(wanted) if wanted else None
        return chunk.room or ("", 0, 0)

    def has_room_wanted(self) -> bool:
        """Tell whether results are so large that a place for them is wanted."""
        return bool(self.wanted.get(self.function))

    def learn(self, chunk: Chunk, wanted: int) -> None:
        """Take in how many bytes a chunk's results would have needed, where their room was too small."""
        each = wanted * 1.05 / len(chunk.items)
        self.wanted[self.function] = max(self.wanted.get(self.function, 0.0) * 0.9, each)

    def copies(self, parcel: Parcel) -> list[Any]:
        """Return the bytes that lie beside a result's message, in memory of their own where something stays in it."""
        views = [memoryview(segment(path))[at : at + length] for path, at, length in parcel.places]
        if parcel.passing:
            return views
        pickled = views[:1] if parcel.data is None else []
        return [*pickled, *map(copied, views[len(pickled) :])]

    def forget(self, chunk: Chunk, *, held: bool = False) -> None:
        """Take a chunk's slots back, unless its arguments are held by the user's code; let go of what was offered."""
        self.offered.pop(chunk.first, None)
        for slot in self.slots.pop(chunk.first, ()):
            (self.arena.lose if held else self.arena.give)(slot)
        if chunk.room is not None:
            self.arena.give(chunk.room)
            chunk.room = None

    def take_refusal(self, chunk: Chunk, number: int) -> None:
        """Take note that a worker could not read what it was offered, with the number of its error."""
        take_refusal(chunk.offered, number)

    def close(self) -> None:
        """Leave the slots of unfinished chunks alone for good: a worker may still use them.

        What was offered for them is let go: a buffer that is held cannot be resized by the user.
        """
        self.offered.clear()
        for slots in self.slots.values():
            for slot in slots:
                self.arena.lose(slot)
        self.slots.clear()
