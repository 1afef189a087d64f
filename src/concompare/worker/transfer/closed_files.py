"""Names bound to files that a worker opened: the notebook gets the same files, closed, or open at the same place.

What was written to a file is on the disk when it is closed. So a closed file says all there is to say by its name and
its mode; one that is open for reading says it by its position as well. A file left open for writing cannot cross.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import io
import os
from collections.abc import Callable, Mapping
from typing import Any

FILES = (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO)
CONNECTION = ("sqlite3", "Connection")
TEMPORARY = ("tempfile", "_TemporaryFileWrapper")
COMPRESSED = (("gzip", "GzipFile"), ("bz2", "BZ2File"), ("lzma", "LZMAFile"))
WRITER = ("_csv", "writer")
DIALECT = (
    "delimiter", "quotechar", "escapechar", "doublequote", "skipinitialspace", "lineterminator", "quoting", "strict",
)  # fmt: skip

Reduced = tuple[Callable[..., Any], tuple[Any, ...]]


@functools.cache
def with_files(kind: Any) -> Any:
    """Return a pickler that also sends the files that can be sent, made from this class."""

    class WithFiles(kind):  # type: ignore[misc]
        def reducer_override(self, thing: Any) -> Any:
            found = reduced(thing)
            if found is not None:
                return found
            further = getattr(super(), "reducer_override", None)
            return NotImplemented if further is None else further(thing)

    return WithFiles


def any_file(names: Mapping[str, Any]) -> bool:
    """Say whether a file is among the values: cloudpickle would send the text of an open one instead."""
    return any(type(value) in FILES or kind_of(value) in (TEMPORARY, *COMPRESSED) for value in names.values())


def kind_of(thing: Any) -> tuple[str, str]:
    """Return the module and the name of the class of a thing."""
    return type(thing).__module__, type(thing).__qualname__


def reduced(thing: Any) -> Reduced | None:
    """Return what makes a file, or a `csv.writer` of a closed one, in another process; None where nothing does.

    So it is with a closed connection of `sqlite3`, and with a closed file that `tempfile` gave a name.
    """
    if kind_of(thing) == CONNECTION:
        return (closed_connection, ()) if is_closed(thing) else None
    if kind_of(thing) == TEMPORARY:
        return temporary(thing)
    if kind_of(thing) == WRITER:
        file = next((file for file in map(file_of, gc.get_referents(thing)) if file is not None), None)
        return None if file is None or not file.closed else (writer_of, (file, settings_of(thing.dialect)))
    binary = thing.buffer if type(thing) is io.TextIOWrapper else thing
    if kind_of(binary) in COMPRESSED:
        return compressed(thing, binary)
    if type(thing) not in FILES or not isinstance(thing.name, (str, bytes, os.PathLike, int)):
        return None
    text = (thing.encoding, thing.errors) if isinstance(thing, io.TextIOWrapper) else None
    buffering = 0 if isinstance(thing, io.FileIO) else -1
    if thing.closed:
        return closed_file, (thing.name, thing.mode, text, buffering)
    with contextlib.suppress(OSError):  # a text file that is being iterated does not say where it is
        if not isinstance(thing.name, int) and not thing.writable() and thing.seekable() and os.path.isfile(thing.name):
            return file_at, (thing.name, thing.mode, text, buffering, thing.tell())
    return None


def temporary(thing: Any) -> Reduced | None:
    """Return what makes a file of `tempfile.NamedTemporaryFile` that is closed, None for an open one."""
    if not thing.file.closed:
        return None
    return closed_temporary, (thing.file, thing.name, *states_of(thing, thing._closer))


def states_of(*parts: Any) -> list[dict[str, Any]]:
    """Return the attributes of objects that are numbers, texts or None."""
    kinds = (bool, str, bytes, int, float, type(None))
    return [{name: value for name, value in vars(part).items() if type(value) in kinds} for part in parts]


def compressed(thing: Any, binary: Any) -> Reduced | None:
    """Return what makes a closed file of `gzip`, `bz2` or `lzma`, or one of text over it; None for an open one."""
    if not binary.closed:
        return None
    text = (thing.encoding, thing.errors) if thing is not binary else None
    writes = "_compressor" in vars(binary) if kind_of(binary)[0] != "gzip" else binary.writable()
    return closed_compressed, (*kind_of(binary), writes, text, *states_of(binary))


def closed_compressed(module: str, kind: str, writes: bool, text: tuple[str, str] | None, state: dict[str, Any]) -> Any:
    """Return a closed file of `gzip`, `bz2` or `lzma`, or one of text over it."""
    made = getattr(importlib.import_module(module), kind)
    mode = "wb" if writes else "rb"
    binary = made(fileobj=io.BytesIO(), mode=mode) if module == "gzip" else made(io.BytesIO(), mode)
    file = binary if text is None else io.TextIOWrapper(binary, *text)
    file.close()
    vars(binary).update(state)
    return file


def closed_temporary(file: Any, name: str, state: dict[str, Any], closer: dict[str, Any]) -> Any:
    """Return a closed file of `tempfile.NamedTemporaryFile`; nothing is deleted for it, now or later."""
    import tempfile

    made: Any = tempfile._TemporaryFileWrapper(file, name, delete=False)
    vars(made).update(state)
    vars(made._closer).update(closer)
    return made


def is_closed(connection: Any) -> bool:
    """Say whether a connection of `sqlite3` is closed, which it only tells by an error."""
    try:
        return connection.total_changes < 0  # type: ignore[no-any-return]
    except Exception:
        return True


def closed_connection() -> Any:
    """Return a closed connection."""
    import sqlite3

    made = sqlite3.connect(":memory:")
    made.close()
    return made


def file_of(method: Any) -> Any:
    """Return the file that a method belongs to, None where it belongs to none."""
    owner = getattr(method, "__self__", None)
    return owner if type(owner) in FILES else None


def opened(name: Any, mode: str, text: tuple[str, str] | None, buffering: int, opener: Any = None) -> Any:
    """Open a file as it was opened elsewhere."""
    encoding, errors = text or (None, None)
    return open(name, mode, buffering, encoding, errors, opener=opener)


def closed_file(name: Any, mode: str, text: tuple[str, str] | None, buffering: int) -> Any:
    """Return a closed file of that name; the file itself is not touched, and need not be there any more.

    One that was opened by its number has that as its name.
    """
    numbered = isinstance(name, int)
    file = opened(os.devnull if numbered else name, mode, text, buffering, lambda *_: os.open(os.devnull, os.O_RDWR))
    if numbered:
        binary: Any = file.buffer if isinstance(file, io.TextIOWrapper) else file
        getattr(binary, "raw", binary).name = name
    file.close()
    return file


def file_at(name: Any, mode: str, text: tuple[str, str] | None, buffering: int, position: int) -> Any:
    """Return a file that is open for reading at that position."""
    file = opened(name, mode, text, buffering)
    file.seek(position)
    return file


def settings_of(dialect: Any) -> dict[str, Any]:
    """Return what a dialect, which cannot be sent, is made of."""
    return {name: getattr(dialect, name) for name in DIALECT}


def writer_of(file: Any, settings: dict[str, Any]) -> Any:
    """Return a `csv.writer` of a file, closed as it is."""
    import _csv  # whatever the user's `csv` is

    return _csv.writer(file, **settings)
