"""What a function may change outside of itself, and whether it has: digests before and after.

Watched are the names that its code and that of the user's functions behind it refer to: objects, what they are bound to
where the code binds them, attributes of classes, modules and functions, the objects whose methods are called, items.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import hashlib
import pickle
import zlib
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from concompare.worker.caches import without_caches
from concompare.worker.owners import is_own
from concompare.worker.transfer.object_refs import FIXED, WRITTEN_AS_THEY_ARE, have_no_parts, kind_of_arrays
from concompare.worker.transfer.pickling import function_parts

LARGEST = 100_000
"""Bytes of an object's pickle up to which all of it is watched."""

LARGEST_BUFFER = 16_000_000
"""Bytes of an array up to which all of it is watched; of what is larger, and of other large objects, the length is."""

MOST_FOLLOWED = 300
"""Functions and classes that are looked through, at the most."""

SHORT, SHORT_BUFFER = 1000, 2**14
"""Entries of a plain container, and bytes of an array, up to which all of it is pickled at once with others."""

MOST_ITEMS = 64
"""Items of a chunk that are watched, at the most."""

SOURCES = ("Random", "RandomState", "Generator")
"""Names of the classes whose objects give random numbers."""

ATOMS = (int, float, complex, str, bytes, bool, range, type(None))
FOLLOWED = (FunctionType, MethodType, functools.partial, type)
MISSING = ("there is none",)

KINDS = {
    **dict.fromkeys(("LOAD_GLOBAL", "LOAD_NAME"), "read"),
    **dict.fromkeys(("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF"), "bound"),
    **dict.fromkeys(("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"), "attributes"),
    **dict.fromkeys(("STORE_ATTR", "DELETE_ATTR"), "stored"),
}
"""What instructions do with their name."""


def is_random(value: Any) -> bool:
    """Return whether a value is a source of random numbers."""
    return type(value).__name__ in SOURCES


# ------------------------------------------------------------------------------------------------------- where to look


class Place(NamedTuple):
    """Something that may change: what the user calls it, and how to read it."""

    name: str
    read: Callable[[], Any]


def places(function: Any) -> Iterator[Place]:
    """Yield what a function, and those of the user's that it calls, may change."""
    stack: list[Any] = [function]
    seen: dict[int, Any] = {}
    while stack and len(seen) < MOST_FOLLOWED:
        thing = stack.pop()
        if id(thing) in seen or not is_own(thing):
            continue
        seen[id(thing)] = thing
        if isinstance(thing, FunctionType):
            yield from of_function(thing, stack)
        elif isinstance(thing, type):
            yield Place(thing.__name__, functools.partial(attributes_of_class, thing))
            stack += [getattr(part, "__func__", getattr(part, "fget", part)) for part in vars(thing).values()]
        elif isinstance(thing, functools.partial):
            for value in (*thing.args, *thing.keywords.values()):
                yield from of_value(f"an argument of {name_of(thing.func)}", functools.partial(same, value), stack)
            stack.append(thing.func)
        elif isinstance(thing, (MethodType, BuiltinFunctionType)):
            yield from of_value(name_of(thing), functools.partial(same, thing.__self__), stack)
            stack.append(getattr(thing, "__func__", None))
        elif callable(thing) and thing is function:
            yield from of_value(type(thing).__name__, functools.partial(same, thing), stack)


def of_function(function: FunctionType, stack: list[Any]) -> Iterator[Place]:
    """Yield what a function's own code may change, and put on the stack what it may call."""
    used = names_of(function.__code__)
    yield Place(function.__name__, functools.partial(attributes_of_function, function))
    for name in sorted(used.read | used.bound - {*function.__code__.co_freevars}):
        read = functools.partial(function.__globals__.get, name, MISSING)
        if name in used.bound:
            yield Place(name, read)
        value = read()
        if isinstance(value, ModuleType):
            yield from of_module(name, value, used, stack)
        elif name not in used.bound:
            yield from of_value(name, read, stack)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        read = functools.partial(content, cell)
        if name in used.bound:
            yield Place(name, read)
        yield from of_value(name, read, stack)
    for label, value in function_parts(function):
        if label.startswith("default"):
            yield from of_value(f"a default of {function.__name__}", functools.partial(same, value), stack)


def of_module(name: str, module: ModuleType, used: Names, stack: list[Any]) -> Iterator[Place]:
    """Yield what code may change of a module of the user's."""
    if not is_own(module):
        return
    for attribute in sorted(used.attributes | used.stored):
        read = functools.partial(vars(module).get, attribute, MISSING)
        if attribute in used.stored:
            yield Place(f"{name}.{attribute}", read)
        yield from of_value(f"{name}.{attribute}", read, stack)


def of_value(name: str, read: Callable[[], Any], stack: list[Any]) -> Iterator[Place]:
    """Yield a place whose object may change in itself; put what may be called on the stack, and the object's class."""
    value = read()
    if value is MISSING or isinstance(value, (*ATOMS, ModuleType)) or is_random(value):
        return
    if isinstance(value, FOLLOWED):
        stack.append(value)
    elif isinstance(value, BuiltinFunctionType):
        if not isinstance(value.__self__, (ModuleType, type(None))):
            stack.append(value)
    else:
        stack.append(type(value))
        yield Place(name, read)


def name_of(thing: Any) -> str:
    """Return the name of a callable."""
    return str(getattr(thing, "__qualname__", type(thing).__name__))


def same(value: Any) -> Any:
    """Return the value."""
    return value


def content(cell: Any) -> Any:
    """Return what a cell of a closure holds."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def attributes_of_function(function: FunctionType) -> dict[str, Any]:
    """Return the attributes that a function was given."""
    return {name: value for name, value in vars(function).items() if name != "__wrapped__"}


def attributes_of_class(kind: type) -> dict[str, Any]:
    """Return the data among a class's attributes."""
    return {
        name: value
        for name, value in vars(kind).items()
        if not name.startswith("__") and name != "_abc_impl" and not hasattr(value, "__get__")
    }


class Names(NamedTuple):
    """The names beyond a function that its code, and code inside it, uses.

    Attributes:
        read: Of the module; `bound`: those that it binds or deletes, and those of functions around it.
        attributes: Of whatever object; `stored`: those that it binds or deletes.
    """

    read: frozenset[str]
    bound: frozenset[str]
    attributes: frozenset[str]
    stored: frozenset[str]


@functools.lru_cache(maxsize=512)
def names_of(code: CodeType) -> Names:
    """Return the names that code uses; functions arrive anew with every pass, with code that is equal."""
    import dis  # not where a worker starts

    found: dict[str, set[str]] = {"read": set(), "bound": set(), "attributes": set(), "stored": set()}
    for one in dis.get_instructions(code):
        kind = KINDS.get(one.opname)
        if kind is not None and (one.opname != "STORE_DEREF" or one.argval in code.co_freevars):
            found[kind].add(one.argval)
    inner = [names_of(part) for part in code.co_consts if isinstance(part, CodeType)]
    return Names(*(frozenset(names).union(*(getattr(part, kind) for part in inner)) for kind, names in found.items()))


# -------------------------------------------------------------------------------------------------- whether it changed


class TooLarge(Exception):
    """Raised while a value is written that is larger than what is watched."""


class Hashing:
    """A file that keeps a digest only."""

    def __init__(self) -> None:
        self.hash, self.size = hashlib.blake2b(digest_size=12), 0

    def write(self, data: Any) -> None:
        """Take bytes."""
        self.size += memoryview(data).nbytes
        if self.size > LARGEST:
            raise TooLarge
        self.hash.update(data)


def opaque(number: int) -> int:
    """Stand for something that is told by its identity alone."""
    return number


class Digester(pickle.Pickler):
    """Pickle what is never to be read: functions, classes, and what cannot be pickled, are told by their identity."""

    def reducer_override(self, thing: Any) -> Any:
        """Return how an object is written."""
        if thing is opaque or isinstance(thing, BuiltinFunctionType):
            return NotImplemented
        if isinstance(thing, (FunctionType, type, ModuleType)):
            return NotImplemented if getattr(thing, "__module__", "") in ("builtins", "copyreg") else alone(thing)
        if type(thing) in copyreg.dispatch_table:
            return NotImplemented
        try:
            return without_caches(thing, thing.__reduce_ex__(5))
        except Exception:
            return alone(thing)


def alone(thing: Any) -> tuple[Any, ...]:
    """Return how something is written that is told by its identity."""
    return opaque, (id(thing),)


def digest(value: Any) -> bytes | None:
    """Return what tells one state of a value from another; None where nothing does."""
    told = Hashing()
    try:
        Digester(told, 5).dump(value)
    except TooLarge:
        return outline(value)
    except Exception:
        return None
    return told.hash.digest()


def outline(value: Any) -> bytes | None:
    """Return what tells one state of a large value from another: its bytes if it is an array, else its length."""
    with contextlib.suppress(Exception):
        buffer = memoryview(value)
        if buffer.nbytes <= LARGEST_BUFFER:
            return zlib.crc32(buffer.cast("B") if buffer.ndim else buffer).to_bytes(4, "big")
    with contextlib.suppress(Exception):
        return repr(len(value)).encode()
    return None


class Items:
    """Some items of a chunk, with what tells their states from before they were computed.

    Attributes:
        before: Position, item and digest of each; rows have none.
        rows: The pickle of all of them, where they are short and have no parts: one call for all.
    """

    def __init__(self, items: Any, first: int) -> None:
        self.before: list[tuple[int, Any, bytes | None]] = []
        self.rows: bytes | None = None
        if not isinstance(items, list):
            return
        step = max(1, len(items) // MOST_ITEMS)
        places = [place for place in range(0, len(items), step) if not isinstance(items[place], ATOMS)]
        if all(is_short(items[place]) for place in places) and have_no_parts([items[place] for place in places]):
            changing = [place for place in places if type(items[place]) not in FIXED]
            self.before = [(first + place, items[place], None) for place in changing]
            self.rows = self.pickle_of_rows() if changing else None
            return
        for place in places:
            if (known := digest(items[place])) is not None:
                self.before.append((first + place, items[place], known))

    def pickle_of_rows(self) -> bytes:
        """Return the pickle of the items as they are now."""
        return pickle.dumps([item for _, item, _ in self.before], 5)

    def changed(self) -> tuple[str, ...]:
        """Return the first of them that has changed, by its position."""
        if self.rows is None:
            return tuple(f"item {place}" for place, item, before in self.before if digest(item) != before)[:1]
        try:
            if self.pickle_of_rows() == self.rows:
                return ()
        except Exception:  # one holds by now what cannot be pickled
            pass
        pairs = zip(self.before, pickle.loads(self.rows), strict=True)
        return tuple(f"item {place}" for (place, now, _), then in pairs if digest(now) != digest(then))[:1]


def is_short(item: Any) -> bool:
    """Tell whether an item, be it a plain container or an array, is so short that all of it may be pickled."""
    if type(item) in WRITTEN_AS_THEY_ARE and type(item) is not set:  # a set that is made again has another order
        return len(item) <= SHORT
    return type(item) is kind_of_arrays() and bool(item.nbytes <= SHORT_BUFFER)
