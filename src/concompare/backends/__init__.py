"""The kinds of workers: looked up by name, imported on use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from concompare.backends.base import Addressed, Backend, Counting, Hazardous, NotInstalled, Start, Suiting
from concompare.backends.traits import Handling, Isolation, Kind, Traits, kind_of
from concompare.errors import BackendNotInstalled, UnknownBackend
from concompare.records import PLAIN, PROCESSES, THREADS

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

__all__ = [
    "Addressed",
    "Backend",
    "Counting",
    "Handling",
    "Isolation",
    "NotInstalled",
    "Start",
    "Traits",
    "all_names",
    "capacity_of",
    "cluster_words",
    "find",
    "hazards",
    "kind_of_ours",
    "names",
    "plain",
    "suiting",
]

FAMILIES = {
    "serial": "threads",
    "threads": "threads",
    "processes": "processes",
    "fork": "processes",
    "forkserver": "processes",
    "spawn": "processes",
    "loky": "loky",
    "interpreters": "interpreters",
    "asyncio": "event_loop",
    "thread-per-item": "per_item",
    "process-per-item": "per_item",
    "mp-threads": "per_item",
    "mp-pool": "per_item",
}
"""The backends' names and the module of this package that has each; to add one is one line here."""

CLUSTERS = {
    "dask": "clusters.dask",
    "ipyparallel": "clusters.ipyparallel",
    "ray": "clusters.ray",
}
"""The same for those whose workers may be on other machines; each needs a package, and takes an address."""

COMPARED = (PLAIN, THREADS, PROCESSES)
"""The backends that are compared when none is named."""

BESIDE = ("asyncio", "interpreters")
"""Those that are compared as well where they can run the function."""

GROUP = "concompare.backends"
"""The entry points by which other packages add backends: each names a Backend, or what makes one."""


def names() -> tuple[str, ...]:
    """Return the names of the backends of ours whose workers are on this machine."""
    return tuple(FAMILIES)


def all_names() -> tuple[str, ...]:
    """Return the names of all backends there are."""
    return (*FAMILIES, *CLUSTERS, *sorted(entry.name for entry in added()))


def added() -> EntryPoints:
    """Return the entry points of the backends that other packages add; to look takes longer than many a pass."""
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def cluster_words() -> tuple[str, ...]:
    """Return what there is to say of each cluster that is connected now."""
    connected = sys.modules.get("concompare.backends.clusters.cluster")
    return tuple(cluster.words() for cluster in connected.clusters()) if connected is not None else ()


def hazards(chosen: Iterable[Backend]) -> tuple[str, ...]:
    """Return what should be known of backends before they are used, one sentence each."""
    # Of a class Python remembers whether it follows a protocol; of an object it looks at every method each time.
    hazardous = [cast(Hazardous, backend) for backend in chosen if issubclass(type(backend), Hazardous)]
    return tuple(words for backend in hazardous for words in backend.hazards())


def capacity_of(backend: Backend) -> int | None:
    """Return the workers of a backend that counts them by itself, else None."""
    return cast(Counting, backend).capacity() if issubclass(type(backend), Counting) else None


def plain() -> Backend:
    """Return the plain loop."""
    return ours(PLAIN, FAMILIES[PLAIN])


def suiting(function: Callable[[Any], Any]) -> Iterator[Backend]:
    """Yield the backends that are compared besides the usual ones since they can run this function."""
    for name in BESIDE:
        backend = ours(name, FAMILIES[name])
        if backend.unavailable() is None and isinstance(backend, Suiting) and backend.can_run(function):
            yield backend


def kind_of_ours(name: str) -> Kind | None:
    """Return what the record of a trial has of a backend of this package, installed or not; None for other names."""
    family = FAMILIES.get(name) or CLUSTERS.get(name)
    return kind_of(named(name, family)) if family is not None else None


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
    backend = named(name, family)
    missing = backend.unavailable()
    if isinstance(missing, NotInstalled):
        raise BackendNotInstalled(missing)
    return backend


def named(name: str, family: str) -> Backend:
    """Return the backend of that name in a module of this package."""
    name_of_module = f"concompare.backends.{family}"
    module = sys.modules.get(name_of_module) or importlib.import_module(name_of_module)
    for backend in module.BACKENDS:
        if backend.name == name:
            return cast(Backend, backend)
    raise UnknownBackend(f"the module of backend {name!r} does not define it")


def borrowed(name: str, namespace: Mapping[str, Any]) -> Backend:
    """Return the backend for an executor or client held by a notebook name, or the one that another package adds."""
    from concompare.backends.user_executor import Foreign, is_executor, kind_of_client

    of_packages = {entry.name: entry for entry in added()}
    if name in of_packages:
        return from_package(of_packages[name])
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
    import difflib

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
    if isinstance(reason, NotInstalled):
        raise BackendNotInstalled(reason)
    return backend


PARTS = ("name", "label", "isolation", "chunk", "ephemeral", "unavailable", "open", "processes", "kill")
"""What a backend has."""
