"""The plain way of items and results: inside the messages, in pickles and nothing beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from concompare.worker.transfer.object_refs import parts_sent
from concompare.worker.transfer.pickling import Parcel, pack_sent

if TYPE_CHECKING:
    from concompare.engine.chunking import Chunk


class Buffers(Protocol):
    """Where the large parts of one pass's function, items and results lie."""

    def file_for(self, blob: bytes) -> str | None:
        """Return the path of a file that has the function's bytes, or None where they go with messages."""

    def pack(self, chunk: Chunk) -> Parcel:
        """Pack a chunk's items, and note which of the notebook's objects its results may refer to.

        Raises:
            Exception: Whatever an item's own code raises where it cannot be pickled.
        """

    def room(self, chunk: Chunk) -> tuple[str, int, int] | None:
        """Return a place for a chunk's results; None where they go with messages whatever their size."""

    def has_room_wanted(self) -> bool:
        """Tell whether results are so large that a place for them is wanted."""

    def learn(self, chunk: Chunk, wanted: int) -> None:
        """Take in how many bytes a chunk's results would have needed, where their room was too small."""

    def copies(self, parcel: Parcel) -> list[Any]:
        """Return the bytes that lie beside a result's message, in memory of their own where something stays in it."""

    def forget(self, chunk: Chunk, *, held: bool = False) -> None:
        """Let go of what a chunk has used, which is answered or lost; `held`: not of what its arguments lie in."""

    def take_refusal(self, chunk: Chunk, number: int) -> None:
        """Take note that a worker could not read what was offered for a chunk, with the number of its error."""

    def close(self) -> None:
        """Let go of everything at the end of the pass."""


class InMessages:
    """Nothing lies beside the messages."""

    def file_for(self, blob: bytes) -> None:
        """Return None: the function goes with messages."""

    def pack(self, chunk: Chunk) -> Parcel:
        """Pack a chunk's items."""
        picklers: list[Any] = []
        data = pack_sent(chunk.items, None, picklers)
        chunk.objects, chunk.made = parts_sent(chunk.items, data, picklers[-1])
        return Parcel(data)

    def room(self, chunk: Chunk) -> None:
        """Return None: results go with messages."""

    def has_room_wanted(self) -> bool:
        """Return False: results go with messages."""
        return False

    def learn(self, chunk: Chunk, wanted: int) -> None:
        """Nothing was wanted."""

    def copies(self, parcel: Parcel) -> list[Any]:
        """Return nothing."""
        return []

    def forget(self, chunk: Chunk, *, held: bool = False) -> None:
        """Nothing was used."""

    def take_refusal(self, chunk: Chunk, number: int) -> None:
        """Nothing was offered."""

    def close(self) -> None:
        """Nothing is left."""
