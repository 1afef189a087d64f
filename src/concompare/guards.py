"""What a worker notices about the user's code: captured objects that it changes, random numbers that it draws.

A change made in a worker process never comes back, and a random state that was copied to two workers gives both the
same numbers. Neither raises anything, so each chunk looks at cheap digests before and after.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import sys
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from concompare.parcels import function_parts

LARGEST = 100_000
"""Bytes of a captured object's pickle up to which it is watched."""

FIRST_LOOKS, LATER_LOOKS = 3, 16
"""Chunks of a pass that are looked at, the first ones and then one in so many: looking takes some 0.1 ms."""

SOURCES = ("Random", "RandomState", "Generator")
"""Names of the classes whose objects give random numbers."""


def digest(value: Any) -> bytes | None:
    """Return a short digest of a value's pickle; None where it has none or is large."""
    try:
        data = pickle.dumps(value, 5)
    except Exception:
        return None
    return hashlib.blake2b(data, digest_size=12).digest() if len(data) <= LARGEST else None


def captured(function: Callable[[Any], Any], depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield name and value of what a function and those it calls carry along, without functions, classes, modules."""
    inner = getattr(function, "__func__", getattr(function, "func", function))
    if not isinstance(inner, FunctionType) or depth > 3:
        return
    for label, part in function_parts(inner):
        name = label.partition(" ")[2]
        if isinstance(part, FunctionType):
            if part is not function:
                yield from captured(part, depth + 1)
        elif not isinstance(part, (type, ModuleType, BuiltinFunctionType, int, float, str, bytes, bool, type(None))):
            yield (name if not label.startswith("default") else f"a default of {inner.__name__}"), part


def random_states(watched: dict[str, Any]) -> dict[str, bytes]:
    """Return digests of the states of the random sources that code may draw from, by name."""
    states: dict[str, bytes] = {}
    for name, module, read in (("random", "random", "getstate"), ("numpy.random", "numpy.random", "get_state")):
        found = sys.modules.get(module)
        if found is not None:
            with contextlib.suppress(Exception):
                states[name] = hashlib.blake2b(repr_of(getattr(found, read)()), digest_size=12).digest()
    for name, value in watched.items():
        if type(value).__name__ in SOURCES:
            found_digest = digest(value)
            if found_digest is not None:
                states[name] = found_digest
    return states


def repr_of(state: Any) -> bytes:
    """Return a random state as bytes."""
    return pickle.dumps(state, 5)


class Watch:
    """Digests of what one function captures, taken when a worker gets it and compared after its chunks."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.objects = dict(captured(function))
        self.before = {name: digest(value) for name, value in self.objects.items() if not is_random(value)}
        self.looks = 0

    def due(self) -> bool:
        """Return whether to look at the coming chunk: the first few, then one in sixteen."""
        self.looks += 1
        return self.looks <= FIRST_LOOKS or self.looks % LATER_LOOKS == 0

    def changed(self) -> tuple[str, ...]:
        """Return the names of captured objects that differ from when they arrived."""
        return tuple(
            name for name, before in self.before.items() if before is not None and digest(self.objects[name]) != before
        )

    def states(self) -> dict[str, bytes]:
        """Return the states of the random sources now."""
        return random_states(self.objects)


def is_random(value: Any) -> bool:
    """Return whether a value is a source of random numbers."""
    return type(value).__name__ in SOURCES


def drawn(before: dict[str, bytes], after: dict[str, bytes]) -> tuple[tuple[str, bytes], ...]:
    """Return name and state before of the sources that have been drawn from in between."""
    return tuple((name, state) for name, state in before.items() if after.get(name, state) != state)


# ------------------------------------------------------------------------------------- one random stream for every item


class Seeded:
    """Calls a function with the random sources set anew for each item, from the seed and the item's position alone."""

    def __init__(self, function: Callable[[Any], Any], seed: int, positions: Iterator[int]) -> None:
        self.function = function
        self.seed = seed
        self.positions = positions

    def __call__(self, item: Any) -> Any:
        """Call the function for the next item."""
        sow(self.seed, next(self.positions))
        return self.function(item)


def word_of(seed: int, position: int) -> bytes:
    """Return the 32 bytes that seed the item at a position."""
    return hashlib.blake2b(f"{seed}:{position}".encode(), digest_size=32).digest()


def sow(seed: int, position: int) -> None:
    """Seed `random`, numpy and torch, where they are loaded, for the item at a position."""
    word = word_of(seed, position)
    if "random" in sys.modules:
        sys.modules["random"].seed(word)
    if "numpy" in sys.modules:  # which loads numpy.random when it is first used
        import numpy

        numpy.random.seed(list(memoryview(word).cast("I")))
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(int.from_bytes(word[:8], "little") >> 1)
