"""The state that worker processes inherit when they start: a warm pool is used again while it is the same."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from concompare.backends.start_environment import here, settings_now
from concompare.cells.syntax.own_code import is_installed_file


def surroundings() -> str:
    """Return a digest of what a warm worker took over when it started and would not notice changing.

    The working directory, the module search path, the environment, decimal's context and how deep calls may go, and the
    source files of the user's own imported modules (an edited and reloaded module means other code here than in the
    workers).
    """
    environment = getattr(os.environ, "_data", os.environ)  # not decoded, which takes ten times as long
    files = [version_of(file) for file in own_files()]
    seen = (here(), list(sys.path), dict(environment), files, settings_now())
    if SEEN and SEEN[0] == seen:
        return str(SEEN[1])
    told = repr((seen[0], seen[1], sorted(os.environ.items()), files, seen[4]))
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


HERE = str(Path(__file__).parents[2])

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
        if isinstance(file, str) and not is_installed_file(file) and not file.startswith(HERE) and "<" not in file:
            files.append(file)
    OWN.clear()
    OWN[sight] = sorted(files)
    return OWN[sight]
