"""The kinds of workers: looked up by name, imported on use."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from concompare.backends.base import Addressed, Backend, Start
from concompare.errors import BackendNotInstalled, UnknownBackend

__all__ = ["Addressed", "Backend", "Start", "all_names", "cluster_words", "find", "hazards", "names"]

FAMILIES = {
    "serial": "threads",
    "threads": "threads",
    "processes": "processes",
    "fork": "processes",
    "forkserver": "processes",
    "spawn": "processes",
    "loky": "loky",
    "interpreters": "interpreters",
    "asyncio": "loop",
    "thread-per-item": "classic",
    "process-per-item": "classic",
    "mp-threads": "classic",
    "mp-pool": "classic",
}
"""The backends' names and the module of this package that has each; to add one is one line here."""

CLUSTERS = {
    "dask": "dask",
    "ipyparallel": "ipyparallel",
    "ray": "ray",
}
"""The same for those whose workers may be on other machines; each needs a package, and takes an address."""

GROUP = "concompare.backends"
"""The entry points by which other packages add backends: each names a Backend, or what makes one."""


def names() -> tuple[str, ...]:
    """Return the names of the backends of ours whose workers are on this machine."""
    return tuple(FAMILIES)


def all_names() -> tuple[str, ...]:
    """Return the names of all backends there are."""
    return (*FAMILIES, *CLUSTERS, *sorted(entry.name for entry in entry_points(group=GROUP)))


def cluster_words() -> tuple[str, ...]:
    """Return what there is to say of each cluster that is connected now."""
    connected = sys.modules.get("concompare.backends.clusters")
    return tuple(cluster.words() for cluster in connected.clusters()) if connected is not None else ()


def hazards(chosen: Iterable[Backend]) -> tuple[str, ...]:
    """Return what should be known of backends before they are used, one sentence each."""
    if not any(backend.name == "fork" for backend in chosen):
        return ()
    from concompare.backends.forking import hazard

    return hazard()


def find(name: str, namespace: Mapping[str, Any] | None = None, address: str | None = None) -> Backend:
    """Return the backend of that name.

    Args:
        name: One of `all_names()`, or a notebook name that holds an Executor or a cluster's client.
        namespace: The notebook's names.
        address: Of an existing cluster, for backends that can use one.

    Raises:
        UnknownBackend: There is no such backend and no such Executor.
        BackendNotInstalled: There is, but a package is missing.
    """
    family = FAMILIES.get(name) or CLUSTERS.get(name)
    found = borrowed(name, namespace or {}) if family is None else ours(name, family)
    return found.at(address) if address is not None and isinstance(found, Addressed) else found


def ours(name: str, family: str) -> Backend:
    """Return a backend of this package, where what it needs is installed."""
    name_of_module = f"concompare.backends.{family}"
    module = sys.modules.get(name_of_module) or importlib.import_module(name_of_module)
    for backend in module.BACKENDS:
        if backend.name == name:
            missing = backend.unavailable()
            if missing is not None and "not installed" in missing:
                raise BackendNotInstalled(missing)
            return cast(Backend, backend)
    raise UnknownBackend(f"the module of backend {name!r} does not define it")


def borrowed(name: str, namespace: Mapping[str, Any]) -> Backend:
    """Return the backend for an executor or client held by a notebook name, or the one that another package adds."""
    from concompare.backends.foreign import Foreign, is_executor, kind_of_client

    added = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name in added:
        return from_package(added[name])
    if name in namespace:
        value = namespace[name]
        kind = kind_of_client(value)
        if kind is not None:
            return cast(Addressed, ours(kind, CLUSTERS[kind])).at(None, value)
        if is_executor(value):
            return Foreign(name, value)
        raise UnknownBackend(
            f"{name!r} is not a backend, and the notebook's {name} is a {type(value).__name__}, not an Executor; "
            f"backends: {', '.join(all_names())}"
        )
    close = difflib.get_close_matches(name, all_names(), 1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise UnknownBackend(f"there is no backend {name!r}{hint}; backends: {', '.join(all_names())}")


def from_package(entry: EntryPoint) -> Backend:
    """Return the backend that another package adds.

    Raises:
        UnknownBackend: It cannot be loaded, or is no backend.
        BackendNotInstalled: A package that it needs is missing.
    """
    whose = f"backend {entry.name!r} of {entry.dist.name if entry.dist is not None else entry.value}"
    try:
        loaded = entry.load()
        backend: Backend = loaded() if callable(loaded) else loaded
    except Exception as error:
        raise UnknownBackend(f"{whose} cannot be loaded: {type(error).__name__}: {error}") from error
    missing = [part for part in PARTS if not hasattr(backend, part)]
    if missing:
        raise UnknownBackend(f"{whose} is a {type(backend).__name__} and no backend: it has no {', '.join(missing)}")
    reason = backend.unavailable()
    if reason is not None and "not installed" in reason:
        raise BackendNotInstalled(reason)
    return backend


PARTS = ("name", "label", "isolation", "chunk", "ephemeral", "unavailable", "open", "processes", "kill")
"""What a backend has."""
