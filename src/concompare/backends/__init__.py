"""The kinds of workers: looked up by name, imported on use."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any, cast

from concompare.backends.base import Backend, Start
from concompare.errors import BackendNotInstalled, UnknownBackend

__all__ = ["Backend", "Start", "find", "names"]

FAMILIES = {
    "serial": "threads",
    "threads": "threads",
    "processes": "processes",
    "fork": "processes",
    "forkserver": "processes",
    "spawn": "processes",
    "loky": "loky",
    "thread-per-item": "classic",
    "process-per-item": "classic",
    "mp-threads": "classic",
    "mp-pool": "classic",
    "dask": "dask",
}
"""The backends' names and the module of this package that has each; to add one is one line here."""


def names() -> tuple[str, ...]:
    """Return the names of all backends of ours."""
    return tuple(FAMILIES)


def find(name: str, namespace: Mapping[str, Any] | None = None) -> Backend:
    """Return the backend of that name.

    Args:
        name: One of `names()`, or a notebook name that holds an Executor.
        namespace: The notebook's names.

    Raises:
        UnknownBackend: There is no such backend and no such Executor.
        BackendNotInstalled: There is, but a package is missing.
    """
    family = FAMILIES.get(name)
    if family is None:
        return borrowed(name, namespace or {})
    module = importlib.import_module(f"concompare.backends.{family}")
    for backend in module.BACKENDS:
        if backend.name == name:
            missing = backend.unavailable()
            if missing is not None and "not installed" in missing:
                raise BackendNotInstalled(missing)
            return cast(Backend, backend)
    raise UnknownBackend(f"the module of backend {name!r} does not define it")


def borrowed(name: str, namespace: Mapping[str, Any]) -> Backend:
    """Return the backend for an executor held by a notebook name."""
    from concompare.backends.foreign import Foreign, is_executor

    if name in namespace:
        value = namespace[name]
        if is_executor(value):
            return Foreign(name, value)
        raise UnknownBackend(
            f"{name!r} is not a backend, and the notebook's {name} is a {type(value).__name__}, not an Executor; "
            f"backends: {', '.join(FAMILIES)}"
        )
    close = difflib.get_close_matches(name, FAMILIES, 1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise UnknownBackend(f"there is no backend {name!r}{hint}; backends: {', '.join(FAMILIES)}")
