"""Results that hold the notebook's own objects: sent as pickle memo ids instead of copies.

Who writes a pickle numbers the objects in it as it goes, and who reads it numbers them alike. So a worker can say
"number 7 of the items you sent" where a result holds a part of an item, and the notebook puts its own object there, as
the plain loop would have. An object that the worker has changed comes back as it is, by value.

Not everything in a pickle is an object of the notebook: the states that are asked of objects, and the parts that
functions and classes are taken apart into, were made for the pickle and are nobody's. They are never referred to.
"""

from __future__ import annotations

import functools
import gc
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from concompare.worker.transfer import nans, strided
from concompare.worker.transfer.code_objects import HOME

ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Types whose objects hold no others and cannot be told from their copies."""

NEVER = (
    *(str, bytes, int, float, type, property, staticmethod, classmethod),
    *(FunctionType, BuiltinFunctionType, CodeType, CellType, ModuleType),
)
"""Types of objects that are never referred to: a copy does as well, or they cross by name or in parts of their own.

Functions of the notebook are, all the same."""

WRITTEN_AS_THEY_ARE = frozenset({list, tuple, dict, set, frozenset, bytearray})
"""Types whose objects pickles hold themselves; for all others parts may be made that are asked of them."""

Reference = tuple[Any, ...]
"""Where an object was sent ("items" or "function"), and its number there; or what `nans` says of a number."""


def only_atoms(values: Iterable[Any]) -> bool:
    """Return whether values, or the parts of tuples among them, are all atoms: quickly, and rather no than yes."""
    if isinstance(values, range):
        return True
    types = set(map(type, values))
    if types == {tuple}:
        types = set(map(type, chain.from_iterable(values)))
    return types <= ATOMS


def holds_nothing(values: Iterable[Any]) -> bool:
    """Return whether values are all atoms, and no tuples of them, which have an identity."""
    return isinstance(values, range) or set(map(type, values)) <= ATOMS


def written(pickler: Any, roots: Iterable[Any]) -> tuple[dict[int, Any], tuple[int, ...]]:
    """Return the objects that a pickler has numbered and that may be referred to, and the numbers of the others.

    Args:
        pickler: What has written a pickle.
        roots: What it was asked to write.
    """
    memo = pickler.memo.copy()
    numbered = {number: thing for number, thing in memo.values() if may_be_referred_to(thing)}
    if set(map(type, numbered.values())) <= WRITTEN_AS_THEY_ARE | {FunctionType}:
        return numbered, ()
    own = living(roots, memo)
    made = tuple(
        number for number, thing in numbered.items() if id(thing) not in own and type(thing) is not FunctionType
    )
    for number in made:
        del numbered[number]
    return numbered, made


def living(roots: Iterable[Any], memo: dict[int, Any]) -> set[int]:
    """Return which objects of a pickle were there before it was made: those that can be reached from its roots."""
    found: set[int] = set()
    level = list(roots)
    while level:
        level = list({id(thing): thing for thing in level if id(thing) in memo and id(thing) not in found}.values())
        found.update(map(id, level))
        level = parts_held(level)
    return found


def parts_held(things: list[Any]) -> list[Any]:
    """Return what objects hold: functions what they capture, classes their attributes, others what they refer to."""
    kinds = set(map(type, things))
    odd = {kind for kind in kinds if kind.__dictoffset__ or issubclass(kind, (type, FunctionType)) or has_flat(kind)}
    if not odd:
        return gc.get_referents(*things)
    held = gc.get_referents(*(thing for thing in things if type(thing) not in odd))
    for thing in things:
        if type(thing) in odd:
            held.extend(parts_of_odd(thing))
    return held


def has_flat(kind: type) -> bool:
    """Return whether a type is that of numpy arrays, which do not tell what they refer to."""
    return any(base.__name__ == "ndarray" for base in kind.__mro__)


def parts_of_odd(thing: Any) -> Iterator[Any]:
    """Yield what one object holds that the garbage collector is not told of, or that is not its own."""
    if isinstance(thing, FunctionType):
        for cell in thing.__closure__ or ():
            yield from gc.get_referents(cell)
        yield from thing.__globals__.values()
        yield from thing.__code__.co_consts
        yield from (*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values())
    elif isinstance(thing, type):
        yield from thing.__mro__
        for part in vars(thing).values():
            yield part
            if isinstance(part, (property, staticmethod, classmethod)):
                yield from gc.get_referents(part)
        return
    elif has_flat(type(thing)):
        yield from thing.flat if thing.dtype.hasobject else ()
    else:
        yield from gc.get_referents(thing)
    state = getattr(thing, "__dict__", None)
    if isinstance(state, dict):
        yield state
        yield from state.values()


MEMOIZE = b"\x94"
"""What a pickle says after every object that it numbers, and by chance elsewhere."""


def parts_sent(items: Any, data: bytes, pickler: Any) -> tuple[dict[int, Any], tuple[int, ...]]:
    """Return what `written` does of a chunk of items, at the least cost.

    Numbers are not numbered, strings are: to copy the memo of very many costs more than to look at their types.
    """
    if data.count(MEMOIZE) > len(items) // 4 + 8 and holds_nothing(items):
        return {}, ()
    return written(pickler, items)


def read(reader: Any) -> dict[int, Any]:
    """Return the objects that an unpickler has numbered and that may be referred to, by number."""
    return {number: thing for number, thing in reader.memo.copy().items() if may_be_referred_to(thing)}


def may_be_referred_to(thing: Any) -> bool:
    """Return whether an object has an identity that results keep: the cells of a function are its own."""
    kind = type(thing)
    if kind is FunctionType:
        return bool(thing.__module__ == "__main__")
    return not issubclass(kind, NEVER) and not (kind is tuple and CellType in map(type, thing))


def counts(reader: Any) -> dict[int, int]:
    """Return how many references there are to each object that an unpickler has numbered."""
    return {number: references_to(thing) for number, thing in read(reader).items()}


def references_to(thing: Any) -> int:
    """Return how many references there are to an object, and to the memory of an array, which its parts hold."""
    base = strided.base_of(thing)
    return sys.getrefcount(thing) + (sys.getrefcount(base) if base is not None else 0)


class Whole(NamedTuple):
    """What stands for the memory of an array: the reference to the array, and the array."""

    reference: Reference
    array: Any


class Sources:
    """Objects that a worker was sent for a chunk, to be recognised in its results.

    Attributes:
        readers: What read the items' pickle and the function's, by "items" and "function".
        again: Reads each of them afresh.
        before: How many references there were to their objects before anything was computed, where that was counted.
        made: The numbers of those that are not the notebook's.
        chunk: The list that holds the items, which is nobody's either.
        names: Those that the function sees, which stand for the notebook's.
        used: The references that results hold.
    """

    def __init__(self) -> None:
        self.readers: dict[str, Any] = {}
        self.again: dict[str, Callable[[], tuple[Any, Any]]] = {}
        self.before: dict[str, dict[int, int] | None] = {}
        self.made: dict[str, frozenset[int]] = {}
        self.chunk: Any = None
        self.names: dict[str, Any] | None = None
        self.used: set[Reference] = set()

    def add(
        self,
        place: str,
        reader: Any,
        again: Callable[[], tuple[Any, Any]],
        made: Iterable[int],
        before: dict[int, int] | None = None,
    ) -> None:
        """Take what read a pickle, what can read it again, the numbers of what was made for it, and the `counts`."""
        self.made[place] = frozenset(made)
        self.readers[place] = reader
        self.again[place] = again
        self.before[place] = before

    def held(self) -> list[str]:
        """Return from which places results may hold objects: to those of the others no reference has been added."""
        return [place for place, reader in self.readers.items() if self.before[place] != counts(reader)]

    def by_identity(self) -> dict[int, Reference]:
        """Return what results may hold, by its identity here, and the memory of arrays of which they may hold parts."""
        found: dict[int, Any] = {}
        for place in self.held():
            for number, thing in read(self.readers[place]).items():
                if number in self.made[place] or thing is self.chunk:
                    continue
                found[id(thing)] = place, number
                base = strided.base_of(thing)
                if base is not None:
                    found.setdefault(id(base), Whole((place, number), thing))
        return found

    def unchanged(
        self, used: set[Reference], pack: Callable[[Any], bytes], forget: Callable[[Iterable[Any]], None]
    ) -> bool:
        """Return whether these objects are still as they arrived, but for what `forget` lets objects forget."""
        for place in {place for place, number, *_ in used if number != HOME} - {nans.WORD}:
            reader, _ = self.again[place]()
            now, then = read(self.readers[place]), read(reader)
            whole = (n for where, n, *_ in used if where == place and n != HOME)
            numbers = sorted(n for n in whole if type(now[n]) is not FunctionType and not only_atoms((now[n],)))
            before = pack([then[number] for number in numbers])
            if pack([now[number] for number in numbers]) == before:
                continue
            forget(now.values())
            if pack([now[number] for number in numbers]) != before:
                return False
        return True


def may_hold(memo: dict[int, Any], known: dict[int, Reference], *, arrays: bool) -> bool:
    """Return whether what a pickler has written holds known objects, or parts of arrays that are.

    Args:
        memo: The pickler's.
        known: The objects, by identity.
        arrays: There are arrays in it.
    """
    if not known.keys().isdisjoint(memo):
        return True
    return arrays and any(id(strided.base_of(thing)) in known for _, thing in memo.values())


@functools.cache
def referring(pickler: Any) -> Any:
    """Return a pickler that writes references for known objects, by their identity, and collects those it used."""

    class Referring(pickler):  # type: ignore[misc]
        def __init__(self, known: dict[int, Reference], used: set[Reference], *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.known, self.used = known, used

        def persistent_id(self, thing: Any) -> Reference | None:
            found = self.known.get(id(thing))
            if found is not None and type(found) is not Whole:
                self.used.add(found)
                return found
            base = strided.base_of(thing)
            whole = self.known.get(id(base)) if base is not None else None
            if whole is None:
                return None
            found, array = whole if type(whole) is Whole else (whole, base)
            self.used.add((found[0], HOME))  # whether the part is unchanged is seen where it arrives
            return *found, *strided.place_in(array, thing)

    return Referring


class Restorer(nans.Reading):
    """Reads what a referring pickler wrote, with the objects themselves in the places of references."""

    def __init__(self, data: Any, buffers: Iterable[Any], sent: dict[str, dict[int, Any]]) -> None:
        super().__init__(io.BytesIO(data), buffers=buffers)
        self.sent = sent

    def persistent_load(self, reference: Any) -> Any:
        """Return the object that a reference stands for."""
        if reference[0] == nans.WORD:
            return super().persistent_load(reference)
        place, number, *part = reference
        return strided.part_of(self.sent[place][number], *part) if part else self.sent[place][number]
