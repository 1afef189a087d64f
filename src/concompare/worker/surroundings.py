"""The notebook's environment variables and folder in a worker: as they are when a pass begins, not when it started.

Each pass says how they differ from what the worker started with. What items of an earlier pass changed is put back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

STARTING_NAMES = frozenset({"LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "GLIBC_TUNABLES"})
STARTING_PREFIXES = (
    *("PYTHON", "LD_", "DYLD_", "LC_", "MALLOC_"),
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "VECLIB_", "NUMBA_", "NUMEXPR_"),
    *("CUDA_", "HIP_", "ROCR_", "XLA_", "JAX_", "TF_", "TORCH_", "PYTORCH_"),
)
STARTING_SUFFIX = "_THREADS"
"""Names of the variables that Python, C libraries and native libraries read once, when a process starts or they are
loaded. Other modules read theirs once too, when they are imported: in the notebook as in a worker that goes on."""


def read_at_start(name: str) -> bool:
    """Return whether a variable is read once only, so that a change of it needs new workers."""
    return name in STARTING_NAMES or name.startswith(STARTING_PREFIXES) or name.endswith(STARTING_SUFFIX)


class Surroundings(NamedTuple):
    """How the notebook's surroundings are now.

    Attributes:
        folder: The current folder; empty where the workers are part of the notebook's process.
        changes: Names of variables and their values (None: there is none) that differ from when the workers started.
    """

    folder: str
    changes: tuple[tuple[str, str | None], ...] = ()


def undecoded() -> Mapping[Any, Any]:
    """Return the environment as it is kept, not decoded, which takes ten times as long."""
    found: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)
    return found


def decoded(environment: Mapping[Any, Any]) -> dict[str, str]:
    """Return an environment as text."""
    return {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()}


def changes(before: Mapping[Any, Any], now: Mapping[Any, Any]) -> tuple[tuple[str, str | None], ...]:
    """Return the variables that differ between two environments, with what they are now, without those of a start."""
    if before == now:
        return ()
    differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    told = ((os.fsdecode(name), None if name not in now else os.fsdecode(now[name])) for name in differing)
    return tuple((name, value) for name, value in told if not read_at_start(name))


class Started:
    """What a worker started with, the pass whose surroundings it has taken, and what it has had since then.

    Attributes:
        variables: Its environment at the start.
        turn: The pass.
        taken: The changes of that pass; `left`: the environment with them, not decoded.
    """

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.turn: str | None = None
        self.taken: tuple[tuple[str, str | None], ...] | None = None
        self.left: dict[Any, Any] = {}

    def note(self) -> None:
        """Note the environment that this worker has started with."""
        self.__init__()  # type: ignore[misc]
        self.variables = dict(os.environ)

    def take(self, surroundings: Surroundings, turn: str) -> None:
        """Have the notebook's surroundings for a pass, whatever items of another one have left.

        Raises:
            OSError: The folder cannot be entered.
        """
        if turn == self.turn:
            return
        if surroundings.folder and surroundings.folder != folder():
            os.chdir(surroundings.folder)
        if self.taken != surroundings.changes or self.left != undecoded():
            wanted: dict[str, str | None] = {**self.variables, **dict(surroundings.changes)}
            become(wanted.items(), os.environ.keys() - wanted.keys())
            self.taken, self.left = surroundings.changes, dict(undecoded())
        self.turn = turn


def become(wanted: Iterable[tuple[str, str | None]], unwanted: Iterable[str]) -> None:
    """Set and delete variables, but those that are read once: a library may have set them for itself."""
    for name, value in (*wanted, *((name, None) for name in unwanted)):
        if os.environ.get(name) == value or read_at_start(name):
            continue
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def folder() -> str | None:
    """Return the current folder, or None where it is gone."""
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


STARTED = Started()
"""Of this worker."""
