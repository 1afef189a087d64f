"""Fingerprints of functions and items that are the same in every process, whatever ran before.

A pickle will not do: it depends on which equal strings are one object, on the order of sets, on file names and lines.
So an object is taken apart as a pickler would, down to its atoms, and each part is hashed by its content. Of the
user's functions the code counts, and everything that they refer to; of installed ones the name and the version.
"""

from __future__ import annotations

import array
import collections
import copyreg
import functools
import hashlib
import marshal
import sys
from collections.abc import Callable, Iterable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from concompare.worker.changes import names_of
from concompare.worker.owners import is_own
from concompare.worker.transfer.object_refs import ATOMS, only_atoms

SIZE = 16
"""Bytes of a fingerprint."""

PLAINLY = 2
"""Version of `marshal` that writes equal atoms alike: later ones mark objects that are referred to more than once."""

CODE = (
    *("co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_flags", "co_name", "co_names", "co_varnames"),
    *("co_freevars", "co_cellvars", "co_code", "co_exceptiontable", "co_consts"),
)
"""What a code object does; not where it stands."""

NOT_COUNTED = frozenset(
    (
        *("__dict__", "__weakref__", "__module__", "__qualname__", "__firstlineno__", "__static_attributes__"),
        *("__annotations_cache__", "__annotate_func__", "_abc_impl", "__abstractmethods__", "__slotnames__"),
    )
)
"""Attributes of classes that say nothing of what they do, or follow from the others."""

WRAPPERS = {
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    functools.cached_property: ("func",),
    MethodType: ("__func__", "__self__"),
    type(functools.lru_cache(len)): ("__wrapped__",),
}
"""Objects that stand for others, and the attributes that hold those."""


class Untold(Exception):
    """Raised where nothing tells an object from another of its type, as of a generator or an open connection."""


def hashed(parts: Iterable[bytes]) -> bytes:
    """Return the hash of some parts in a row."""
    told = hashlib.blake2b(digest_size=SIZE)
    for part in parts:
        told.update(len(part).to_bytes(8, "little"))
        told.update(part)
    return told.digest()


class Walker:
    """Takes objects apart and hashes them; each object once.

    Args:
        strict: Whether an object that cannot be told from others of its type is an error, but for what functions and
            classes hold; else its type counts.

    Attributes:
        known: The fingerprints of objects, by identity; `lasting`: those of functions and classes.
        within: The objects that are being taken apart.
    """

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.known: dict[int, tuple[Any, bytes]] = {}
        self.lasting: dict[int, tuple[Any, bytes]] = {}
        self.within: set[int] = set()

    def of(self, thing: Any) -> bytes:
        """Return the fingerprint of an object.

        Raises:
            Untold: Nothing tells it, or a part of it, from others.
        """
        if type(thing) in ATOMS:
            return hashed((b"atom", marshal.dumps(thing, PLAINLY)))
        lasts = isinstance(thing, (type, FunctionType))
        known = self.lasting if lasts else self.known
        found = known.get(id(thing))
        if found is not None:
            return found[1]
        if id(thing) in self.within:  # it holds itself
            return b"again"
        self.within.add(id(thing))
        strict = self.strict
        self.strict = strict and not lasts
        try:
            told = hashed(self.parts(thing))
        finally:
            self.within.discard(id(thing))
            self.strict = strict
        known[id(thing)] = thing, told  # kept alive: another object must not get its place in memory
        return told

    def item(self, item: Any) -> bytes:
        """Return the fingerprint of an item; of an atom itself, as bytes.

        Raises:
            Untold: Nothing tells it from others.
        """
        if type(item) in ATOMS or (type(item) is tuple and set(map(type, item)) <= ATOMS):
            return marshal.dumps(item, PLAINLY)
        self.known.clear()
        try:
            return self.of(item)
        except RecursionError:
            raise Untold("an object that is nested too deeply") from None

    def items(self, items: Any) -> bytes | list[bytes]:
        """Return the fingerprints of items; where all are atoms in one piece, which takes next to no time.

        Raises:
            Untold: Nothing tells one of them from others.
        """
        if only_atoms(items):
            return marshal.dumps(list(items), PLAINLY)[HEADER:]
        return [self.item(item) for item in items]

    def all(self, things: Iterable[Any]) -> Iterator[bytes]:
        """Yield the fingerprints of objects."""
        return map(self.of, things)

    def parts(self, thing: Any) -> Iterator[bytes]:
        """Yield what an object consists of: its kind, then the fingerprints of its parts."""
        kind = type(thing)
        yield kind.__qualname__.encode()
        if kind in (list, tuple, collections.deque):
            if kind is not collections.deque and set(map(type, thing)) <= ATOMS:
                yield marshal.dumps(thing, PLAINLY)
            else:
                yield from self.all(thing)
        elif kind in (set, frozenset):
            yield from sorted(self.all(thing))
        elif kind in (dict, MappingProxyType):
            yield from self.all(thing)
            yield from self.all(thing.values())
        elif kind in (bytearray, memoryview, array.array):
            yield bytes(thing)
        elif kind.__name__ == "ndarray" and kind.__module__ == "numpy":
            yield from self.array(thing)
        elif isinstance(thing, FunctionType):
            yield from self.function(thing)
        elif kind is CodeType:
            yield from self.all(getattr(thing, name) for name in CODE)
        elif isinstance(thing, (type, ModuleType, BuiltinFunctionType)):
            yield from self.named(thing)
        elif kind in WRAPPERS:
            yield from self.all(getattr(thing, name, None) for name in WRAPPERS[kind])
        else:
            yield from self.reduced(thing)

    def array(self, thing: Any) -> Iterator[bytes]:
        """Yield what an array of numpy consists of."""
        yield repr((thing.dtype.descr, thing.shape)).encode()
        if thing.dtype.hasobject:
            yield from self.all(thing.flat)
        else:
            yield thing.tobytes()

    def function(self, function: FunctionType) -> Iterator[bytes]:
        """Yield what a function consists of: an installed one goes by its name."""
        if not is_own(function):
            yield by_name(function)
            return
        for label, part in parts_of_function(function):
            yield label.encode()
            yield self.of(part)

    def named(self, thing: Any) -> Iterator[bytes]:
        """Yield what a class, module or built-in function consists of: those of the user's classes by what they do."""
        if isinstance(thing, ModuleType):
            yield thing.__name__.encode() + version_of(thing.__name__)
        elif isinstance(thing, BuiltinFunctionType):
            yield by_name(thing)
            if not isinstance(thing.__self__, (ModuleType, type(None))):
                yield self.of(thing.__self__)
        elif not is_own(thing):
            yield by_name(thing)
        else:
            yield from self.all((thing.__name__, thing.__bases__, type(thing)))
            for name in sorted(vars(thing).keys() - NOT_COUNTED):
                value = vars(thing)[name]
                yield name.encode()
                yield b"slot" if type(value).__name__.endswith("_descriptor") else self.of(value)

    def reduced(self, thing: Any) -> Iterator[bytes]:
        """Yield what an object consists of as its own `__reduce__` tells."""
        try:
            table = copyreg.dispatch_table.get(type(thing))
            parts = table(thing) if table is not None else thing.__reduce_ex__(4)
        except RecursionError:
            raise
        except Exception:
            parts = None
        if isinstance(parts, str):
            yield by_name(thing) + parts.encode()
            inner = getattr(thing, "__wrapped__", None)
            if isinstance(inner, FunctionType):
                yield self.of(inner)
        elif isinstance(parts, tuple):
            make, arguments, *more = parts
            yield from self.all((make, arguments))
            for part in more:
                yield self.of(list(part) if hasattr(part, "__next__") else part)
        elif self.strict:
            raise Untold(f"{type(thing).__module__}.{type(thing).__qualname__}")
        else:
            yield self.of(type(thing))
            yield from self.all((getattr(thing, "__dict__", None),))


def parts_of_function(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield what one of the user's functions consists of: its code, what it was given, the names that it reads."""
    yield "", function.__code__
    yield "defaults", [function.__defaults__, function.__kwdefaults__]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield name, cell.cell_contents
        except ValueError:
            yield name, None
    used = names_of(function.__code__)
    for name in sorted(used.read & function.__globals__.keys()):
        value = function.__globals__[name]
        yield name, value
        if isinstance(value, ModuleType) and is_own(value):
            for attribute in sorted(used.attributes & vars(value).keys()):
                yield f"{name}.{attribute}", vars(value)[attribute]
    yield "attributes", {name: value for name, value in vars(function).items() if name != "__wrapped__"}


def by_name(thing: Any) -> bytes:
    """Return the name of something installed, with the version of its package."""
    module = getattr(thing, "__module__", None) or type(thing).__module__
    name = getattr(thing, "__qualname__", type(thing).__qualname__)
    return f"{module}.{name}".encode() + version_of(str(module))


def version_of(module: str) -> bytes:
    """Return the version of the package that a module belongs to, or nothing."""
    version = getattr(sys.modules.get(module.partition(".")[0]), "__version__", "")
    return version.encode() if isinstance(version, str) else b""


OF_ITSELF = ("", "defaults", "attributes")
"""What `parts_of_function` calls the parts that have no name of their own."""


def of_function(function: Callable[..., Any], label: str | None = None) -> dict[str, str]:
    """Return the fingerprints of what a function consists of, by name: itself, and all that it and others refer to.

    Args:
        function: Anything that can be called.
        label: What it is called; None: its name.

    Raises:
        RecursionError: It refers to something that is nested too deeply.
    """
    walker = Walker(strict=False)
    label = label or str(getattr(function, "__name__", type(function).__name__))
    found = {"Python": ".".join(map(str, sys.version_info[:2]))}
    if not isinstance(function, FunctionType) or not is_own(function):
        return found | {label: walker.of(function).hex()}
    waiting, seen = [(label, function)], {id(function)}
    for name, one in waiting:  # which grows
        own: list[bytes] = []
        for part_name, part in parts_of_function(one):
            if part_name in OF_ITSELF:
                own.append(walker.of(part))
            elif isinstance(part, FunctionType) and is_own(part):
                waiting += [(part_name, part)] if id(part) not in seen else []
                seen.add(id(part))
            else:
                add(found, part_name, name, walker.of(part))
        add(found, name, "", hashed(own))
    return found


def add(found: dict[str, str], name: str, owner: str, told: bytes) -> None:
    """Add the fingerprint of what a function refers to, under its name; one of another object beside it."""
    free = name if found.get(name, told.hex()) == told.hex() else f"{name} of {owner}"
    while found.get(free, told.hex()) != told.hex():
        free += "+"
    found[free] = told.hex()


HEADER = len(marshal.dumps([], PLAINLY))
"""Bytes that `marshal` writes before the parts of a list."""


def joined(told: bytes | list[bytes]) -> str:
    """Return the fingerprints of some items as one, whether they came in one piece or not."""
    return hashlib.blake2b(told if isinstance(told, bytes) else b"".join(told), digest_size=SIZE).hexdigest()
