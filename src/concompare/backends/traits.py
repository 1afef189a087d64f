"""What a backend declares of its workers and pools, and what holds for one that declares nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from concompare.records import Isolation, Traits

__all__ = ["Handling", "Isolation", "Traits"]


@dataclass(frozen=True, slots=True)
class Handling:
    """How the engine has to deal with a backend's pools, where it is not as with most.

    Attributes:
        borrowed: The workers are the user's: they are not ended, and not replaced when they are gone.
        lasting: The others go on when a worker is lost; the executor says which are there (`slots`, `pids`, `whole`).
        direct: The executor's workers take messages on a channel of their own beside its queues.
        refills: Dead workers are replaced in silence, with what they held lost: only their exit codes tell.
        kills: The executor ends the others by SIGKILL when a worker dies, rather than by SIGTERM.
        native: Where threads of native pools (BLAS, OpenMP) can be limited: in this process while a pass runs, in
            workers when they start, or nowhere.
    """

    borrowed: bool = False
    lasting: bool = False
    direct: bool = False
    refills: bool = False
    kills: bool = False
    native: Literal["pass", "start", ""] = ""


class Kind(TypedDict):
    """What the record of a trial has of its backend."""

    isolation: Isolation
    traits: Traits


def traits_of(backend: Any) -> Traits:
    """Return what a backend's workers are like; as usual where it does not say."""
    found = getattr(backend, "traits", None)
    return found if isinstance(found, Traits) else Traits()


def handling_of(backend: Any) -> Handling:
    """Return how a backend's pools are to be dealt with; as usual where it does not say."""
    found = getattr(backend, "handling", None)
    if isinstance(found, Handling):
        return found
    return Handling(native="start" if backend.isolation == "process" else "")


def kind_of(backend: Any) -> Kind:
    """Return what the record of a trial has of its backend."""
    return {"isolation": backend.isolation, "traits": traits_of(backend)}


def shares_objects(backend: Any) -> bool:
    """Return whether the workers see the notebook's own objects."""
    return backend.isolation in ("none", "thread")


def is_plain(backend: Any) -> bool:
    """Return whether a backend is the notebook's plain loop."""
    return backend.isolation == "none" and not traits_of(backend).python
