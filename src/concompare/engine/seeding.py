"""One random stream per item for workers that share this process: `random` and `numpy.random` made thread by thread.

A worker process seeds its own modules before each item (`guards.sow`). Threads share the modules, so while a seeded
pass runs, the modules' functions are replaced by ones that draw from sources of the calling thread. The numbers are
the same.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any

from concompare.awaiting import is_coroutine_function
from concompare.errors import BadOption
from concompare.guards import captured, word_of
from concompare.parcels import function_parts
from concompare.streams import TaskLocal

OWN = TaskLocal("sources")
"""`.sources`: the calling thread's, or task's, own source for each seeded module, while it computes an item."""


class SeededHere:
    """Calls a function with the calling thread's own sources seeded for each item."""

    def __init__(self, function: Callable[[Any], Any], seed: int) -> None:
        self.function = function
        self.seed = seed

    def at(self, positions: Iterator[int]) -> Callable[[Any], Any]:
        """Return the function for the items at these positions, in order."""

        def call(item: Any) -> Any:
            OWN.sources = sources_for(self.seed, next(positions))
            try:
                return self.function(item)
            finally:
                del OWN.sources

        async def awaited(item: Any) -> Any:
            OWN.sources = sources_for(self.seed, next(positions))
            return await self.function(item)

        return awaited if is_coroutine_function(self.function) else call


def sources_for(seed: int, position: int) -> dict[str, Any]:
    """Return a fresh source for each module that has one, seeded as `guards.sow` seeds the module itself."""
    word = word_of(seed, position)
    sources: dict[str, Any] = {"random": random.Random(word)}
    if "numpy" in sys.modules:
        sources["numpy.random"] = sys.modules["numpy"].random.RandomState(list(memoryview(word).cast("I")))
    return sources


def seeded() -> list[ModuleType]:
    """Return the modules whose functions draw from one shared source; numpy loads its own when it is first used."""
    return [random, sys.modules["numpy"].random] if "numpy" in sys.modules else [random]


def shared_source(module: ModuleType) -> Any:
    """Return the source that a module's functions are methods of."""
    return module._inst if module.__name__ == "random" else module.mtrand._rand


def methods_of(module: ModuleType) -> dict[str, Any]:
    """Return the module's functions that draw from its shared source, by name."""
    source = shared_source(module)
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, (MethodType, BuiltinMethodType)) and getattr(value, "__self__", None) is source
    }


def routed_to_own(module: str, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that draws from the calling thread's own source while that computes an item."""

    def draw(*arguments: Any, **options: Any) -> Any:
        sources = getattr(OWN, "sources", None)
        if sources is None or module not in sources:
            return original(*arguments, **options)
        return getattr(sources[module], name)(*arguments, **options)

    return draw


@contextlib.contextmanager
def seeded_modules(function: Callable[[Any], Any]) -> Iterator[None]:
    """Give each thread its own random sources for the time of a pass.

    Raises:
        BadOption: The function draws in a way that cannot be told apart by thread.
    """
    refuse_what_cannot_be_seeded(function)
    modules = seeded()
    replaced = [(module, name, value) for module in modules for name, value in methods_of(module).items()]
    try:
        for module, name, value in replaced:
            setattr(module, name, routed_to_own(module.__name__, name, value))
        yield
    finally:
        for module, name, value in replaced:
            setattr(module, name, value)


def refuse_what_cannot_be_seeded(function: Callable[[Any], Any]) -> None:
    """Raise BadOption for a captured function of a random module, or torch, whose one state all threads share."""
    if "torch" in sys.modules:
        raise BadOption("--seed cannot give threads their own torch stream: use -b processes")
    sources = [shared_source(module) for module in seeded()]
    inner = getattr(function, "__func__", getattr(function, "func", function))
    parts = list(function_parts(inner)) if isinstance(inner, FunctionType) else []
    for name, value in [*parts, *captured(function)]:
        if any(getattr(value, "__self__", None) is source for source in sources):
            short = name.partition(" ")[2] or name
            raise BadOption(
                f"--seed cannot give threads their own stream for {short!r}, imported by name: "
                f"use `import random` and `random.{short}`, or -b processes"
            )
