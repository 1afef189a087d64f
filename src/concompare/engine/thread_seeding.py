"""One random stream per item for workers that share this process: `random` and `numpy.random` made thread by thread.

A worker process seeds its own modules before each item (`state_watch.sow`). Threads share the modules, so while a
seeded pass runs, the modules' functions are replaced by ones that draw from sources of the calling thread. The numbers
are the same.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import BuiltinMethodType, MethodType, ModuleType
from typing import Any

from concompare.errors import BadOption
from concompare.worker.coroutines import is_coroutine_function
from concompare.worker.state_watch import captured, word_of
from concompare.worker.transfer.pickling import function_parts, inner_function

OWN: ContextVar[Sources | None] = ContextVar("sources", default=None)
"""The sources of the item that the calling thread, or task, computes."""

FREE: list[Sources] = []
"""Sources that no item uses now: to make one takes ten times as long as to seed it."""


class Sources(dict[str, Callable[..., Any]]):
    """The random sources of one item: drawing functions by their full names, each source seeded once it is used."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, Any] = {}
        self.fresh: set[str] = set()
        self.seed = self.position = 0

    def begin(self, seed: int, position: int) -> Sources:
        """Make ready for the item at a position."""
        self.clear()
        self.fresh.clear()
        self.seed, self.position = seed, position
        return self

    def __missing__(self, full_name: str) -> Callable[..., Any]:
        module, _, name = full_name.rpartition(".")
        if module not in self.fresh:
            self.sow(module)
            self.fresh.add(module)
        draw: Callable[..., Any] = getattr(self.made[module], name)
        self[full_name] = draw
        return draw

    def sow(self, module: str) -> None:
        """Seed the source for a module as `state_watch.sow` seeds the module itself."""
        word = word_of(self.seed, self.position)
        if module == "random":
            source = self.made[module] = self.made.get(module) or random.Random(word)
            source.seed(word)
            return
        source = self.made[module] = self.made.get(module) or sys.modules["numpy"].random.RandomState(0)
        source.seed(list(memoryview(word).cast("I")))


class SeededHere:
    """Calls a function with the calling thread's own sources seeded for each item."""

    def __init__(self, function: Callable[[Any], Any], seed: int) -> None:
        self.function = function
        self.seed = seed

    def at(self, positions: Iterator[int]) -> Callable[[Any], Any]:
        """Return the function for the items at these positions, in order."""

        def call(item: Any) -> Any:
            with sown(self.seed, next(positions)):
                return self.function(item)

        async def awaited(item: Any) -> Any:
            with sown(self.seed, next(positions)):
                return await self.function(item)

        return awaited if is_coroutine_function(self.function) else call


@contextlib.contextmanager
def sown(seed: int, position: int) -> Iterator[None]:
    """Give the calling thread, or task, the sources of the item at a position."""
    try:
        sources = FREE.pop()
    except IndexError:
        sources = Sources()
    before = OWN.get()
    OWN.set(sources.begin(seed, position))
    try:
        yield
    finally:
        OWN.set(before)
        FREE.append(sources)


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


def routed_to_own(full_name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that draws from the calling thread's own source while that computes an item."""
    own = OWN.get

    def draw(*arguments: Any, **options: Any) -> Any:
        sources = own()
        called = original if sources is None else sources[full_name]
        return called(*arguments, **options) if options else called(*arguments)

    def draw_plainly() -> Any:
        sources = own()
        return original() if sources is None else sources[full_name]()

    return draw_plainly if full_name == "random.random" else draw


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
            setattr(module, name, routed_to_own(f"{module.__name__}.{name}", value))
        yield
    finally:
        for module, name, value in replaced:
            setattr(module, name, value)


def refuse_what_cannot_be_seeded(function: Callable[[Any], Any]) -> None:
    """Raise BadOption for a captured function of a random module, or torch, whose one state all threads share."""
    if "torch" in sys.modules:
        raise BadOption("--seed cannot give threads their own torch stream: use -b processes")
    sources = [shared_source(module) for module in seeded()]
    inner = inner_function(function)
    parts = list(function_parts(inner)) if inner is not None else []
    for name, value in [*parts, *captured(function)]:
        if any(getattr(value, "__self__", None) is source for source in sources):
            short = name.partition(" ")[2] or name
            raise BadOption(
                f"--seed cannot give threads their own stream for {short!r}, imported by name: "
                f"use `import random` and `random.{short}`, or -b processes"
            )
