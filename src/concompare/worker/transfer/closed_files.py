"""Files that a worker has closed: a closed one of the same name stands for each in the notebook.

Nothing but the standard library may be imported.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any

KINDS = frozenset({io.TextIOWrapper, io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO})
"""Types of files."""


def is_closed_file(thing: Any) -> bool:
    """Tell whether something is a file that nobody can use any more, or a connection to a database."""
    return thing.closed if type(thing) in KINDS else is_connection(thing) and is_closed(thing)


def is_connection(thing: Any) -> bool:
    """Tell whether something is a connection of `sqlite3`."""
    module = sys.modules.get("sqlite3")
    return module is not None and type(thing) is module.Connection


def is_closed(connection: Any) -> bool:
    """Tell whether a connection is closed."""
    try:
        connection.in_transaction  # noqa: B018 - which a closed one does not tell
        connection.total_changes  # noqa: B018
    except Exception:
        return True
    return False


def reduced(thing: Any) -> tuple[Any, ...]:
    """Return what makes a closed file or connection as this one."""
    if type(thing) not in KINDS:
        return connection, ()
    raw = thing.buffer.raw if isinstance(thing, io.TextIOWrapper) else getattr(thing, "raw", thing)
    text = (thing.mode, thing.encoding, thing.errors) if isinstance(thing, io.TextIOWrapper) else None
    return file, (type(thing), raw.name, raw.mode, text)


def connection() -> Any:
    """Return a closed connection."""
    import sqlite3

    made = sqlite3.connect(":memory:")
    made.close()
    return made


def file(kind: type, name: Any, mode: str, text: tuple[str, str, str | None] | None) -> Any:
    """Return a closed file; nothing of the disk is touched."""
    raw = io.FileIO(os.devnull, mode.replace("b", "").replace("x", "w"))
    raw.name = name
    made: Any = raw
    if text is not None:
        mode, encoding, errors = text
        inner: Any = io.BufferedRandom if "+" in mode else io.BufferedReader if raw.readable() else io.BufferedWriter
        made = io.TextIOWrapper(inner(raw), encoding, errors)
        made.mode = mode
    elif kind is not io.FileIO:
        made = kind(raw)
    made.close()
    return made
