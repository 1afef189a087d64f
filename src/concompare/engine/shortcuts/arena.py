"""Shared memory of a pool: files in its folder, made, given out, recycled and removed by this process."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from concompare.worker.transfer.pickling import SEGMENTS

SMALLEST_SLOT = 2**18
"""Bytes of the smallest slot; slots are powers of two."""

SHARE_OF_FREE = 0.5
"""Share of what is free in the folder's file system that slots may take together."""

MOST = 4 * 2**30
"""Bytes that slots may take together at the very most."""

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
