"""Files and archives that are read, opened once more: what is read ahead leaves the notebook's own where they are."""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import Any

MEMORY = (io.BytesIO, io.StringIO)
COMPRESSED = {"gzip": "GzipFile", "bz2": "BZ2File"}
"""Files whose content is compressed, by their modules: the place in one is that in what it gives."""
ARCHIVES = frozenset({"tarfile.TarFile"})
ZIPPED = frozenset({"zipfile.ZipFile"})
READING = frozenset({
    *("read", "readline", "read1", "readinto", "seek", "tell", "__next__"),
    *("extractfile", "getmember", "getmembers", "getnames", "next"),
})  # fmt: skip
"""Methods of such files, and of archives and their members, which the notebook calls in order: no worker can."""
MEMBERS = frozenset({"tarfile.ExFileObject"})
"""What reads a member of an archive, and moves on in the file of that."""


class Unmixed(io.FileIO):
    """A file in which all lines end alike, so that it does not matter how their ends are read."""

    def readinto(self, buffer: Any) -> int | None:
        """Read on.

        Raises:
            OSError: Some line may end in another way.
        """
        count = super().readinto(buffer)
        if count and b"\r" in bytes(memoryview(buffer)[:count]):
            raise OSError("some lines end by a carriage return")
        return count


def name_of(kind: type) -> str:
    """Return the dotted name of a type."""
    return f"{kind.__module__}.{kind.__qualname__}"


def is_archive(thing: Any) -> bool:
    """Tell whether a live object is an archive that is read, and can be opened once more."""
    return name_of(type(thing)) in ARCHIVES and thing.mode == "r" and is_file(thing.fileobj)


def is_reader(thing: Any) -> bool:
    """Tell whether a live object is a file or an archive that is read, and can be opened once more."""
    return is_archive(thing) or is_file(thing)


def only_reads(thing: Any) -> bool:
    """Tell whether a live object is a file or an archive that nothing can be written to."""
    kind = type(thing)
    if name_of(kind) in ZIPPED:
        return bool(thing.mode == "r")
    try:
        return is_binary(thing) or (kind is io.TextIOWrapper and thing.mode == "r" and is_binary(thing.buffer))
    except (OSError, ValueError, AttributeError):
        return False


def is_file(thing: Any) -> bool:
    """Tell whether a live object is a file, or stands for one in memory, that is read and can be opened once more."""
    kind = type(thing)
    try:
        if kind in MEMORY:
            return not thing.closed
        if kind is io.TextIOWrapper:
            return type(thing.buffer) is io.BufferedReader and is_file(thing.buffer) and is_plain_text(thing)
        return is_binary(thing) and not thing.closed and is_there(thing)
    except (OSError, ValueError, AttributeError):  # it is closed, or was walked and cannot tell its place
        return False


def is_plain_text(thing: Any) -> bool:
    """Tell whether a file of text can tell its place, and ends its lines as usual, which only its referents tell."""
    return not {"\r", "\r\n"}.intersection(part for part in gc.get_referents(thing) if type(part) is str) and (
        thing.tell() >= 0
    )


def is_binary(thing: Any) -> bool:
    """Tell whether a live object is a file of bytes on the disk that is open for reading only."""
    kind = type(thing)
    if kind is io.FileIO:
        return bool(thing.mode == "rb")
    if kind is io.BufferedReader:
        return type(thing.raw) is io.FileIO and thing.raw.mode == "rb"
    itself = getattr(thing, "myfileobj", None) is not None or bool(getattr(thing, "_closefp", False))
    return is_compressed(kind) and itself and bool(thing.readable())


def is_compressed(kind: type) -> bool:
    """Tell whether a type is that of compressed files."""
    return any(getattr(sys.modules.get(module), name, None) is kind for module, name in COMPRESSED.items())


def is_there(file: Any) -> bool:
    """Tell whether the path of a file still leads to it."""
    path = path_of(file)
    return path is not None and os.path.isfile(path) and os.path.samestat(os.stat(path), os.fstat(file.fileno()))


def path_of(file: Any) -> str | None:
    """Return where a file of bytes was opened, or None."""
    inner = getattr(file, "fileobj", None) or getattr(file, "_fp", None) or file
    name = getattr(inner, "name", None)
    return os.path.abspath(name) if isinstance(name, str) and name else None


def twin_of(thing: Any) -> Any:
    """Return a file or archive like another, at the same place in the same content.

    Raises:
        OSError: It cannot be opened.
        ValueError: It was closed.
    """
    kind = type(thing)
    if is_archive(thing):
        made = object.__new__(kind)
        vars(made).update(vars(thing))
        made.fileobj, made.members = twin_of(thing.fileobj), list(thing.members)
        return made
    if kind in MEMORY:
        made = kind()
        made.__setstate__(thing.__getstate__())
        return made
    if kind is io.TextIOWrapper:
        buffer = io.BufferedReader(Unmixed(path_of(thing.buffer) or "", "rb"))
        made = io.TextIOWrapper(buffer, thing.encoding, thing.errors)
    else:
        path: Any = path_of(thing)
        made = io.BufferedReader(io.FileIO(path, "rb")) if kind is io.BufferedReader else kind(path, "rb")
    made.seek(thing.tell())
    return made


def stamp_of(thing: Any) -> tuple[int, int] | None:
    """Return what changes when somebody writes to the file that is read; None where it is in memory, or was closed."""
    held = thing.fileobj if name_of(type(thing)) in ARCHIVES else thing
    try:
        found = os.fstat(held.fileno())
    except (OSError, ValueError, AttributeError):
        return None
    return found.st_size, found.st_mtime_ns


def let_go(twin: Any) -> None:
    """Close a file that was opened once more."""
    held = twin.fileobj if name_of(type(twin)) in ARCHIVES else twin
    if type(held) not in MEMORY:
        held.close()
