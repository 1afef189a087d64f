"""Results that hold the notebook's own objects: told by their numbers, so that no copies of them come back.

Who writes a pickle numbers the objects in it as it goes, and who reads it numbers them alike. So a worker can say
"number 7 of the items you sent" where a result holds a part of an item, and the notebook puts its own object there, as
the plain loop would have. An object that the worker has changed comes back as it is, by value.
"""

from __future__ import annotations

import functools
import io
import pickle
import sys
from collections.abc import Callable, Iterable
from itertools import chain
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Types whose objects hold no others and cannot be told from their copies."""

NEVER = (str, bytes, int, float, tuple, frozenset, type, FunctionType, BuiltinFunctionType, CodeType, ModuleType)
"""Types of objects that are never referred to: a copy does as well, or they cross by name."""

Reference = tuple[str, int]
"""Where an object was sent ("items" or "function"), and its number there."""


def only_atoms(values: Iterable[Any]) -> bool:
    """Return whether values, or the parts of tuples among them, are all atoms: quickly, and rather no than yes."""
    if isinstance(values, range):
        return True
    types = set(map(type, values))
    if types == {tuple}:
        types = set(map(type, chain.from_iterable(values)))
    return types <= ATOMS


def written(pickler: Any) -> dict[int, Any]:
    """Return the objects that a pickler has numbered and that may be referred to, by number."""
    return {number: thing for number, thing in pickler.memo.copy().values() if not issubclass(type(thing), NEVER)}


MEMOIZE = b"\x94"
"""What a pickle says after every object that it numbers, and by chance elsewhere."""


def parts_sent(items: Any, data: bytes, pickler: Any) -> dict[int, Any]:
    """Return the objects in a chunk of items that may be referred to, by number, at the least cost.

    Numbers are not numbered, strings are: to copy the memo of very many costs more than to look at their types.
    """
    if data.count(MEMOIZE) > len(items) // 4 + 8 and only_atoms(items):
        return {}
    return {number: thing for number, thing in written(pickler).items() if thing is not items}


def read(reader: Any) -> dict[int, Any]:
    """Return the objects that an unpickler has numbered and that may be referred to, by number."""
    return {number: thing for number, thing in reader.memo.copy().items() if not issubclass(type(thing), NEVER)}


def counts(reader: Any) -> dict[int, int]:
    """Return how many references there are to each object that an unpickler has numbered."""
    return {number: sys.getrefcount(thing) for number, thing in read(reader).items()}


class Sources:
    """What a worker was sent for a chunk, to be found again in its results.

    Attributes:
        readers: What read the items' pickle and the function's, by "items" and "function".
        again: Reads each of them afresh.
        before: How many references there were to their objects before anything was computed, where that was counted.
        used: The references that results hold.
    """

    def __init__(self) -> None:
        self.readers: dict[str, Any] = {}
        self.again: dict[str, Callable[[], tuple[Any, Any]]] = {}
        self.before: dict[str, dict[int, int] | None] = {}
        self.used: set[Reference] = set()

    def add(
        self, place: str, reader: Any, again: Callable[[], tuple[Any, Any]], before: dict[int, int] | None = None
    ) -> None:
        """Take what read a pickle, what can read it again, and the `counts` of before."""
        self.readers[place] = reader
        self.again[place] = again
        self.before[place] = before

    def held(self) -> list[str]:
        """Return from which places results may hold objects: to those of the others no reference has been added."""
        return [place for place, reader in self.readers.items() if self.before[place] != counts(reader)]

    def by_identity(self) -> dict[int, Reference]:
        """Return what results may hold, by its identity here."""
        return {
            id(thing): (place, number) for place in self.held() for number, thing in read(self.readers[place]).items()
        }

    def unchanged(self, used: set[Reference], pack: Callable[[Any], bytes]) -> bool:
        """Return whether these objects are still as they arrived."""
        for place in {place for place, _ in used}:
            reader, _ = self.again[place]()
            now, then = read(self.readers[place]), read(reader)
            numbers = sorted(number for where, number in used if where == place)
            if pack([now[number] for number in numbers]) != pack([then[number] for number in numbers]):
                return False
        return True


@functools.cache
def referring(pickler: Any) -> Any:
    """Return a pickler that writes references for known objects, by their identity, and collects those it used."""

    class Referring(pickler):  # type: ignore[misc]
        def __init__(self, known: dict[int, Reference], used: set[Reference], *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.known, self.used = known, used

        def persistent_id(self, thing: Any) -> Reference | None:
            found = self.known.get(id(thing))
            if found is not None:
                self.used.add(found)
            return found

    return Referring


class Restorer(pickle.Unpickler):
    """Reads what a referring pickler wrote, with the objects themselves in the places of references."""

    def __init__(self, data: Any, buffers: Iterable[Any], sent: dict[str, dict[int, Any]]) -> None:
        super().__init__(io.BytesIO(data), buffers=buffers)
        self.sent = sent

    def persistent_load(self, reference: Reference) -> Any:
        """Return the object that a reference stands for."""
        place, number = reference
        return self.sent[place][number]
