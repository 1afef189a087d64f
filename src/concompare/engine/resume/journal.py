"""A file of records that are written whole or not at all, and checked when they are read.

    file    MAGIC, then records in a row
    record  MARK  sizes of the two parts  checksum of the sizes  checksum of the parts  head (JSON)  body (a pickle)

A process may be killed at any byte: what is cut off, and what is damaged otherwise, is passed over, and what follows it
is found by its mark. Heads are read at once; a body is only unpickled when somebody asks for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from concompare.errors import BadOption
from concompare.formats import one_line

MAGIC = b"concompare results 1\n"
MARK = b"\x93\xf0rec\x00\r\n"
SIZES, CHECKED = struct.Struct("<8sQQ"), struct.Struct("<I16s")
FRAME = SIZES.size + CHECKED.size
"""Bytes of a record before its parts."""

PIECE = 1 << 20
"""Bytes that are searched at once for the next record."""

OPEN: set[str] = set()
"""Files that this process writes."""


class Entry(NamedTuple):
    """A record: its head, and where its body lies in the file."""

    head: dict[str, Any]
    offset: int
    size: int


class Journal:
    """A file that one process at a time writes.

    Attributes:
        entries: The records that were there.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, which is made if it is not there, and read the heads of its records.

        Raises:
            BadOption: It cannot be written, is something else, or another process writes it.
        """
        self.path = path
        self.key = os.path.realpath(path)
        self.entries: list[Entry] = []
        if self.key in OPEN:
            raise BadOption(f"{path}: another run is writing this file: give each run a file of its own")
        try:
            self.file = open(path, "a+b", buffering=0)  # noqa: SIM115 - as long as the run
        except OSError as error:
            raise BadOption(f"{path}: the file cannot be written ({one_line(str(error), 100)}): give another") from None
        OPEN.add(self.key)
        try:
            self.begin()
        except BaseException:
            self.close()
            raise

    def begin(self) -> None:
        """Keep others from writing the file, and read it."""
        lock(self.file, self.path)
        self.file.seek(0)
        start = read(self.file, len(MAGIC))
        if start != MAGIC and not MAGIC.startswith(start):
            raise BadOption(f"{self.path}: the file is there and has no results of a run: give another name")
        if start != MAGIC:  # new, or killed before it was written
            self.file.truncate(0)
            write(self.file, MAGIC)
            return
        self.scan(os.fstat(self.file.fileno()).st_size)

    def scan(self, end: int) -> None:
        """Read the heads of all records whose checksums are right."""
        place = len(MAGIC)
        while place < end:
            found = self.entry_at(place, end)
            if found is not None:
                self.entries.append(found)
                place = found.offset + found.size
                continue
            place = self.next_mark(place + 1, end) or end

    def entry_at(self, place: int, end: int) -> Entry | None:
        """Return the record that begins at a place of the file; None where none does, or it is damaged."""
        self.file.seek(place)
        frame = read(self.file, FRAME)
        if len(frame) < FRAME:
            return None
        mark, head, body = SIZES.unpack_from(frame)
        sizes, told = CHECKED.unpack_from(frame, SIZES.size)
        if mark != MARK or zlib.crc32(frame[: SIZES.size]) != sizes or place + FRAME + head + body > end:
            return None
        parts = read(self.file, head + body)
        if checksum(parts) != told:
            return None
        return Entry(json.loads(parts[:head]), place + FRAME + head, body)

    def next_mark(self, place: int, end: int) -> int | None:
        """Return the next place from which on a record may begin."""
        while place < end:
            self.file.seek(place)
            piece = read(self.file, PIECE + len(MARK))
            found = piece.find(MARK)
            if found >= 0:
                return place + found
            place += PIECE
        return None

    def body(self, entry: Entry) -> bytes:
        """Return the body of a record."""
        self.file.seek(entry.offset)
        return read(self.file, entry.size)

    def append(self, head: dict[str, Any], body: bytes = b"") -> Entry:
        """Write a record at the end of the file.

        Raises:
            OSError: It cannot be written.
        """
        told = json.dumps(head, separators=(",", ":")).encode()
        sizes = SIZES.pack(MARK, len(told), len(body))
        parts = told + body
        place = self.file.seek(0, os.SEEK_END)
        write(self.file, sizes + CHECKED.pack(zlib.crc32(sizes), checksum(parts)) + parts)
        return Entry(head, place + FRAME + len(told), len(body))

    def close(self) -> None:
        """Let others write the file."""
        OPEN.discard(self.key)
        self.file.close()


def checksum(parts: bytes) -> bytes:
    """Return what a record's parts are checked by."""
    return hashlib.blake2b(parts, digest_size=16).digest()


def read(file: Any, size: int) -> bytes:
    """Return so many bytes of an unbuffered file, fewer at its end."""
    pieces = []
    while size > 0 and (piece := file.read(min(size, 1 << 30))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def write(file: Any, data: bytes) -> None:
    """Write bytes to an unbuffered file, all of them."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def lock(file: Any, path: Path) -> None:
    """Keep other processes from writing a file for as long as it is open, where the system can.

    Raises:
        BadOption: Another one writes it.
    """
    try:
        with contextlib.suppress(ImportError):
            import fcntl

            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not `flock`, which forked workers would keep
            return
        with contextlib.suppress(ImportError):
            import msvcrt

            file.seek(1 << 40)  # a byte beyond the end: others may read what is before it
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError as error:
        if isinstance(error, (BlockingIOError, PermissionError)):
            raise BadOption(f"{path}: another process is writing this file: give each run a file of its own") from None
