"""Large buffers taken straight from the notebook's memory, by workers that the system lets read it (Linux).

    notebook ── address and length of a buffer ──> worker ── process_vm_readv ──> a block of its own memory

One copy, made by each worker for itself while the others compute, instead of one made by the notebook for all of them.
The notebook keeps a buffer until the message that tells of it is answered. Nothing but the standard library may be
imported.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import threading
from collections.abc import Sequence
from typing import Any

SIGN = "@"
"""How the name of a process's memory begins: "@1234"; files have paths from the root."""

SMALLEST_BLOCK = 2**14
"""Bytes of the smallest block; blocks are powers of two."""

HUGE = 2**21
"""Bytes from which a block should lie on large pages."""

KEPT = 2**26
"""Bytes of blocks that a worker keeps for later messages, at the most."""

MOST_PIECES = 512
"""Pieces that are read at a time; Linux takes 1024."""

MOST_BYTES = 2**30
"""Bytes that are read at a time; Linux takes a little less than twice that."""

Place = tuple[str, int, int]
"""Where bytes lie: the name of a process's memory, address, length."""


class CannotFetch(OSError):
    """The system does not let this worker read the notebook's memory."""


def memory_of(pid: int) -> str:
    """Return the name of a process's memory."""
    return f"{SIGN}{pid}"


def is_memory(path: str) -> bool:
    """Return whether this is the name of a process's memory and not of a file."""
    return path.startswith(SIGN)


@functools.cache
def system_call() -> Any:
    """Return the system's `process_vm_readv`; None where it has none."""
    import ctypes

    try:
        call = ctypes.CDLL(None, use_errno=True).process_vm_readv
    except (TypeError, AttributeError, OSError):
        return None
    call.restype = ctypes.c_ssize_t
    vector = ctypes.c_void_p, ctypes.c_ulong
    call.argtypes = (ctypes.c_int, *vector, *vector, ctypes.c_ulong)
    return call


class Stock:
    """Blocks that nobody uses now, by their bytes."""

    def __init__(self) -> None:
        self.blocks: dict[int, list[Any]] = {}
        self.total = 0
        self.lock = threading.Lock()

    def keep(self, block: Any) -> None:
        """Keep a block for later, in the place of others where there are too many: items may have another size now."""
        size = len(block)
        if size > KEPT:
            return
        with self.lock:
            self.blocks.setdefault(size, []).append(block)
            self.total += size
            while self.total > KEPT:
                other = next((other for other in self.blocks if other != size and self.blocks[other]), size)
                self.blocks[other].pop()
                self.total -= other

    def take(self, capacity: int) -> Any:
        """Return a block of at least so many bytes and not many more, or None where there is none."""
        with self.lock:
            for size in (capacity, 2 * capacity, 4 * capacity):
                if self.blocks.get(size):
                    self.total -= size
                    return self.blocks[size].pop()
        return None


STOCK = Stock()
"""What this worker keeps."""


class Loan(list[Any]):
    """Pieces of memory that a chunk's items lie in, and the blocks of this worker that hold them."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[Any] = []

    def recycle(self) -> None:
        """Keep the blocks for later messages: nothing refers to the pieces any more."""
        for block in self.blocks:
            STOCK.keep(block)
        self.blocks.clear()


def fetch(places: Sequence[Place], loan: Loan | None = None) -> list[Any]:
    """Copy pieces of a process's memory here; each is an object of its own, whose references tell who still uses it.

    Args:
        places: Where they lie, all in the same process's memory.
        loan: Gets the block that they are copied into, to be used again when they are not.

    Raises:
        CannotFetch: The system does not allow it, or the process is gone.
    """
    import ctypes

    starts, size = [], 0
    for _, _, length in places:
        starts.append(size)
        size += -(-length // 64) * 64
    block = block_of(size)
    wanted = [(address, length, start) for (_, address, length), start in zip(places, starts, strict=True)]
    pieces = [(ctypes.c_char * length).from_buffer(block, start) for _, length, start in wanted]
    read(int(places[0][0].removeprefix(SIGN)), wanted, block)
    if loan is not None:
        loan.blocks.append(block)
    return pieces


def block_of(size: int) -> Any:
    """Return at least so many bytes of private memory, used before where there are some."""
    capacity = max(SMALLEST_BLOCK, 1 << (size - 1).bit_length())
    block = STOCK.take(capacity)
    if block is not None:
        return block
    block = mmap.mmap(-1, capacity, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if capacity >= HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a system without large pages
            block.madvise(mmap.MADV_HUGEPAGE)
    return block


def read(pid: int, pieces: list[tuple[int, int, int]], block: Any) -> None:
    """Read (address, length) of a process's memory into a block, from that place on, for each piece."""
    import ctypes

    here = ctypes.addressof(ctypes.c_char.from_buffer(block))
    parts = [
        (address + done, min(length - done, MOST_BYTES), here + start + done)
        for address, length, start in pieces
        for done in range(0, length, MOST_BYTES)
    ]
    while parts:
        count, size = 0, 0
        while count < min(len(parts), MOST_PIECES) and (not count or size + parts[count][1] <= MOST_BYTES):
            size += parts[count][1]
            count += 1
        now, parts = parts[:count], parts[count:]
        theirs = vectors([(address, length) for address, length, _ in now])
        ours = vectors([(place, length) for _, length, place in now])
        call = system_call()
        got = call(pid, ours, count, theirs, count, 0) if call is not None else -1
        if got != size:
            number = ctypes.get_errno() if call is not None and got < 0 else 0
            why = os.strerror(number) if number else f"{got} of {size} bytes came"
            raise CannotFetch(number, why)


def vectors(pairs: list[tuple[int, int]]) -> Any:
    """Return addresses and lengths as the system takes them."""
    import ctypes

    return (ctypes.c_size_t * (2 * len(pairs)))(*(number for pair in pairs for number in pair))
