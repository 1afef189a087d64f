"""The state that worker processes inherit when they start: a warm pool is used again while it is the same.

The environment and the current folder are no part of it: each pass takes them along. Workers of a cluster, which other
programs may have started, have what they started with.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from concompare.backends.start_environment import folder_searched, settings_now
from concompare.cells.syntax.own_code import is_installed_file
from concompare.libraries import here
from concompare.worker.surroundings import decoded, read_at_start, undecoded


class State(NamedTuple):
    """Digests of the notebook's state.

    Attributes:
        start: Of what only new workers have: the module search path, the variables that are read once, decimal's
            context and how deep calls may go, and the source files of the user's own imported modules (an edited and
            reloaded module means other code here than in the workers).
        rest: Of the current folder and the other variables.
    """

    start: str
    rest: str


def state_now() -> State:
    """Return the notebook's state."""
    files = [version_of(file) for file in own_files()]
    seen = (here(), list(sys.path), dict(undecoded()), files, settings_now())
    if not SEEN or SEEN[0] != seen:
        variables = decoded(seen[2]).items()
        once = sorted(variable for variable in variables if read_at_start(variable[0]))
        start = digest(seen[1], once, files, seen[4], folder_searched())
        SEEN[:] = seen, State(start, digest(seen[0], sorted(variables)))
    found: State = SEEN[1]
    return found


SEEN: list[Any] = []
"""The state seen last, and its digests."""


def digest(*parts: object) -> str:
    """Return what tells some values from others."""
    return hashlib.blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


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
