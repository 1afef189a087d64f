"""What objects of installed classes have computed of themselves and keep: no change that anybody sees."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, cast

from concompare.worker.owners import is_own


def forget_caches(things: Iterable[Any]) -> None:
    """Have objects of installed classes forget what they have computed of themselves: it goes into their pickles.

    The cached properties of the user's own classes stay: the plain loop leaves them in the notebook's objects. An index
    of pandas keeps what it has: it stays out of its pickle, and takes long to make again.
    """
    for thing in things:
        state, kind = getattr(thing, "__dict__", None), cast(Any, type(thing))
        if type(state) is dict and is_installed(kind) and "_engine" not in (state.get("_cache") or ()):
            for name in [name for name in state if is_cache(kind, name)]:
                if has_to_have(kind, name):
                    state[name] = {}
                else:
                    del state[name]


def has_to_have(kind: Any, name: str) -> bool:
    """Tell whether objects of a class look for a cache without asking whether there is one: an index of pandas."""
    return name == "_cache" and hasattr(kind, "_engine")


def without_caches(thing: Any, reduced: Any) -> Any:
    """Return how an object is pickled, `thing.__reduce_ex__(5)`, without what it has computed of itself."""
    kind: Any = type(thing)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or not is_installed(kind):
        return reduced
    state = reduced[2]
    if isinstance(state, tuple):
        parts = (without(kind, part) if type(part) is dict else part for part in state)
        state = tuple(part for part in parts if type(part) is not dict or part)
    elif type(state) is dict:
        state = without(kind, state)
    return (*reduced[:2], state, *reduced[3:])


def without(kind: type, state: dict[str, Any]) -> dict[str, Any]:
    """Return attributes without those that are caches."""
    return {name: part for name, part in state.items() if not is_cache(kind, name)}


@functools.cache
def is_installed(kind: type) -> bool:
    """Return whether a class is not the user's own."""
    return not is_own(kind)


def is_cache(kind: type, name: str) -> bool:
    """Return whether an attribute is what objects of a class compute: pandas has a dictionary of its own for that."""
    if isinstance(getattr(kind, name, None), functools.cached_property):
        return True
    return name == "_cache" and kind.__module__.partition(".")[0] == "pandas"
