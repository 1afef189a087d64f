"""A function as bytes: by value, once per worker, and named by its path where it cannot be sent."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType
from typing import Any

from concompare.errors import CannotShip
from concompare.parcels import function_parts, pack, way_to_unpicklable
from concompare.references import written

LARGE_BLOB = 256 * 2**10
"""Bytes from which a function travels as a file instead of inside every message, and its captured values are named."""

REMEDIES = {
    "Connection": "open it inside the function",
    "Cursor": "open it inside the function",
    "socket": "open it inside the function",
    "TextIOWrapper": "open the file inside the function",
    "BufferedReader": "open the file inside the function",
    "BufferedWriter": "open the file inside the function",
    "lock": "make it inside the function, or use -b threads, whose workers share it",
    "RLock": "make it inside the function, or use -b threads, whose workers share it",
    "Condition": "use -b threads, whose workers share it",
    "generator": "make it inside the function, or turn it into a list first",
    "thread": "use -b threads",
    "frame": "do not keep frames",
}


@dataclass(frozen=True, slots=True)
class Shipment:
    """A function ready to be sent.

    Attributes:
        key: What workers remember it by.
        blob: The pickled function with its captured values.
        captured: Name and bytes of the captured values when the blob is large, largest first.
        objects: Those of the notebook's that went along, by their numbers in the pickle.
    """

    key: str
    blob: bytes
    captured: tuple[tuple[str, int], ...] = ()
    objects: dict[int, Any] = field(default_factory=dict, compare=False, repr=False)


def ship(function: Callable[[Any], Any]) -> Shipment:
    """Pickle a function by value with what it captures.

    Raises:
        CannotShip: Something in it cannot be pickled; named by its path, with the remedy.
    """
    name = getattr(function, "__name__", type(function).__name__)
    picklers: list[Any] = []
    try:
        blob = pack(function, None, picklers)
    except Exception as error:
        raise CannotShip(refusal(function, name, error)) from None
    captured = captured_sizes(function) if len(blob) > LARGE_BLOB else ()
    return Shipment(hashlib.blake2b(blob, digest_size=16).hexdigest(), blob, captured, written(picklers[-1]))


def refusal(value: Any, name: str, error: Exception) -> str:
    """Return one line on what cannot be sent and what to do instead."""
    way = way_to_unpicklable(value, name)
    kind = way.rpartition("→")[2].strip().rpartition(".")[2]
    remedy = REMEDIES.get(kind, "make it inside the function, or use -b threads, whose workers share it")
    return f"{way} cannot be sent to another process: {remedy}. ({type(error).__name__}: {error})"


def captured_sizes(function: Callable[[Any], Any]) -> tuple[tuple[str, int], ...]:
    """Return name and pickled bytes of what a function captures, largest first."""
    inner = getattr(function, "__func__", getattr(function, "func", function))
    if not isinstance(inner, FunctionType):
        return ()
    sizes = [(name.partition(" ")[2], len(pack(part))) for name, part in function_parts(inner)]
    return tuple(sorted(sizes, key=lambda entry: -entry[1])[:5])


LIBRARIES = tuple({sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")})


def surroundings() -> str:
    """Return a digest of what a warm worker took over when it started and would not notice changing.

    The working directory, the module search path, the environment, and the source files of the user's own imported
    modules (an edited and reloaded module means other code here than in the workers).
    """
    environment = getattr(os.environ, "_data", os.environ)  # not decoded, which takes ten times as long
    seen = (os.getcwd(), list(sys.path), dict(environment), [version_of(file) for file in own_files()])
    if SEEN and SEEN[0] == seen:
        return str(SEEN[1])
    folder, path, _, files = seen
    told = repr((folder, path, sorted(os.environ.items()), files))
    SEEN[:] = seen, hashlib.blake2b(told.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()
    return str(SEEN[1])


SEEN: list[Any] = []
"""The surroundings seen last, and their digest."""


def version_of(file: str) -> tuple[str, int, int]:
    """Return what tells one state of a file from another."""
    try:
        stat = os.stat(file)
    except OSError:
        return file, 0, 0
    return file, stat.st_mtime_ns, stat.st_size


HERE = str(Path(__file__).parents[1])

OWN: dict[tuple[int, str], list[str]] = {}
"""What `own_files` found last, by the number of imported modules and the name of the youngest."""


def own_files() -> list[str]:
    """Return the source files of imported modules that are neither Python's nor installed, nor concompare's."""
    sight = len(sys.modules), next(reversed(sys.modules))
    if sight in OWN:
        return OWN[sight]
    files = []
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not file.startswith(LIBRARIES) and not file.startswith(HERE) and "<" not in file:
            files.append(file)
    OWN.clear()
    OWN[sight] = sorted(files)
    return OWN[sight]
