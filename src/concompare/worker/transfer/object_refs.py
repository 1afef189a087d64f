"""Results that hold the notebook's own objects: sent as pickle memo ids instead of copies.

Who writes a pickle numbers the objects in it as it goes, and who reads it numbers them alike. So a worker can say
"number 7 of the items you sent" where a result holds a part of an item, and the notebook puts its own object there, as
the plain loop would have. An object that the worker has changed comes back as it is, by value.

Most items have no parts that could be told from copies: rows of numbers and texts, arrays. Then the objects that
results may hold are the items themselves, and their numbers are their places. Pickler and unpickler begin with the
items as what they have numbered already: an item in a result is a few bytes, and nobody looks at each object in turn.

Not everything in a pickle is an object of the notebook: the states that are asked of objects, and the parts that
functions and classes are taken apart into, were made for the pickle and are nobody's. They are never referred to.
"""

from __future__ import annotations

import functools
import gc
import io
import pickle
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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

Objects = dict[int, Any] | list[Any]
"""Objects by their numbers."""

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


def have_no_parts(things: Sequence[Any], size: int = 0) -> bool:
    """Return whether things are atoms, plain containers of atoms, arrays of numbers: of their parts copies do as well.

    Args:
        things: They.
        size: About how many bytes they take; of many the parts are not listed to be looked at.
    """
    kinds = set(map(type, things)) - ATOMS
    if (array := kind_of_arrays()) in kinds:
        if any(thing.dtype.hasobject for thing in things if type(thing) is array):
            return False
        kinds.discard(array)
    if not kinds <= WRITTEN_AS_THEY_ARE:
        return False
    if size <= MUCH:
        return set(map(type, gc.get_referents(*things))) <= ATOMS
    return all(set(map(type, part)) <= ATOMS for thing in things for part in contents(thing))


MUCH = 2**20
"""Bytes of things up to which all their parts may be listed."""


def kind_of_arrays() -> Any:
    """Return the type of numpy's arrays, None where there are none."""
    return getattr(sys.modules.get("numpy"), "ndarray", None)


def contents(thing: Any) -> tuple[Iterable[Any], ...]:
    """Return what there is to walk in a plain container; of others nothing."""
    if type(thing) is dict:
        return thing, thing.values()
    return (thing,) if type(thing) in WRITTEN_AS_THEY_ARE else ()


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


def parts_sent(items: Any, data: bytes, pickler: Any) -> tuple[Objects, tuple[int, ...] | None]:
    """Return what `written` does of a chunk of items, at the least cost.

    Where they have no parts it is the items, whose numbers are their places, and None. Of very many numbers not even
    the types are looked at: they are not numbered.
    """
    if data.count(MEMOIZE) > len(items) // 32 + 1:
        if holds_nothing(items):
            return {}, ()
        if have_no_parts(items, len(data)):
            return items, None
    return written(pickler, items)


def read(reader: Any, chunk: Any = None) -> dict[int, Any]:
    """Return the objects that an unpickler has numbered and that may be referred to, by number.

    Args:
        reader: What has read a pickle.
        chunk: The list that holds the items, which is nobody's.
    """
    numbered = reader.memo.copy().items()
    return {number: thing for number, thing in numbered if thing is not chunk and may_be_referred_to(thing)}


def may_be_referred_to(thing: Any) -> bool:
    """Return whether an object has an identity that results keep: the cells of a function are its own."""
    kind = type(thing)
    if kind is FunctionType:
        return bool(thing.__module__ == "__main__")
    return not issubclass(kind, NEVER) and not (kind is tuple and CellType in map(type, thing))


def counts(things: Collection[Any]) -> list[int]:
    """Return how many references there are to each object, and to the memory of arrays, which their parts hold."""
    kind = kind_of_arrays()
    bases = [base for base in [thing.base for thing in things if type(thing) is kind] if type(base) is kind]
    return [*map(sys.getrefcount, things), *map(sys.getrefcount, bases)]


class Whole(NamedTuple):
    """What stands for the memory of an array: the reference to the array, and the array."""

    reference: Reference
    array: Any


def place_of(found: Reference | Whole) -> str:
    """Return where an object was sent, by what stands for it."""
    place: str = found.reference[0] if isinstance(found, Whole) else found[0]
    return place


class Source:
    """Objects that a worker was sent in one pickle.

    Args:
        find: Returns them by number.
        again: Reads them afresh, and returns the same.
        made: The numbers of those that are not the notebook's.

    Attributes:
        before: How many references there were to them before anything was computed, where that was counted.
    """

    def __init__(
        self, find: Callable[[], dict[int, Any]], again: Callable[[], dict[int, Any]], made: Iterable[int] = ()
    ) -> None:
        self.find, self.again, self.made = find, again, frozenset(made)
        self.before: list[int] | None = None

    @functools.cached_property
    def things(self) -> dict[int, Any]:
        """The objects, by number."""
        return self.find()

    def count(self) -> None:
        """Note how many references there are to each: where none has been added later, no result holds any."""
        self.before = counts(self.things.values())

    def is_held(self) -> bool:
        """Tell whether results may hold any of them."""
        return self.before is None or counts(self.things.values()) != self.before


class Rows(Source):
    """Items without parts that could be told from copies: their numbers are their places.

    Args:
        items: They, in the only list that refers to them.
        data: The pickle that they came in.
        again: Reads it again.

    Attributes:
        arrays: Whether there are arrays among them, whose parts have an identity after all.
    """

    def __init__(self, items: list[Any], data: Any, again: Callable[[], list[Any]]) -> None:
        super().__init__(lambda: self.by_place(items), lambda: self.by_place(again()))
        self.items, self.data, self.read_again = items, data, again
        self.arrays = kind_of_arrays() in map(type, items)
        self.before = self.counted()

    def counted(self) -> list[int]:
        """Return how many references there are to each."""
        return counts(self.items) if self.arrays else list(map(sys.getrefcount, self.items))

    @staticmethod
    def by_place(items: list[Any]) -> dict[int, Any]:
        """Return those of the items that may be referred to, by their places."""
        return {place: item for place, item in enumerate(items) if type(item) not in ATOMS}

    def is_held(self) -> bool:
        """Tell whether results may hold any of them."""
        return self.counted() != self.before

    def changed(self, pack: Callable[[Any], bytes]) -> list[int]:
        """Return the places of those that are not as they arrived."""
        if set(map(type, self.items)) <= FIXED or pack(self.items) == self.data:
            return []
        pairs = enumerate(zip(self.items, self.read_again(), strict=True))
        return [place for place, (now, then) in pairs if pack([now]) != pack([then])]

    def memo(self, pack: Callable[[Any], bytes]) -> dict[int, tuple[int, Any]]:
        """Return what a pickler begins with that refers to the items, but not to those that have been changed."""
        items = self.items
        memo = dict(zip(map(id, items), enumerate(items), strict=True))
        for place in self.changed(pack):
            memo.pop(id(items[place]), None)
        while len(memo) < len(items):  # as many as the notebook begins with: what comes next is numbered after them
            nothing = object()
            memo[id(nothing)] = (0, nothing)
        return memo


FIXED = ATOMS | {tuple, frozenset}
"""Types of items that cannot be changed."""


class Sources:
    """Objects that a worker was sent for a chunk, to be recognised in its results.

    Attributes:
        places: Where they came from: "items" and "function".
        names: The identity of the names that the function sees, which stand for the notebook's.
        used: The references that results hold.
        with_items: Whether the values were packed by a pickler that begins with the items.
    """

    def __init__(self) -> None:
        self.places: dict[str, Source] = {}
        self.names: int | None = None
        self.used: set[Reference] = set()
        self.with_items = False

    def add(self, place: str, source: Source) -> None:
        """Take what came from one place."""
        self.places[place] = source

    def held(self) -> list[str]:
        """Return from which places results may hold objects: to those of the others no reference has been added."""
        return [place for place, source in self.places.items() if source.is_held()]

    def by_identity(self) -> dict[int, Reference]:
        """Return what results may hold, by its identity here, and the memory of arrays of which they may hold parts."""
        found: dict[int, Any] = {}
        for place in self.held():
            source = self.places[place]
            for number, thing in source.things.items():
                if number in source.made:
                    continue
                found[id(thing)] = place, number
                base = strided.base_of(thing)
                if base is not None:
                    found.setdefault(id(base), Whole((place, number), thing))
        return found

    def stale(
        self, used: set[Reference], pack: Callable[..., bytes], forget: Callable[[Iterable[Any]], None]
    ) -> set[str]:
        """Return from which places objects are not as they arrived any more, but for what `forget` lets them forget."""
        found = set()
        for place in {place for place, number, *_ in used if number != HOME} - {nans.WORD}:
            now, then = self.places[place].things, self.places[place].again()
            whole = (n for where, n, *_ in used if where == place and n != HOME)
            numbers = sorted(n for n in whole if not (is_code(now[n]) or only_atoms((now[n],))))
            ours, theirs = [now[number] for number in numbers], [then[number] for number in numbers]
            written = plainly(ours)
            if not numbers or (written is not None and written == plainly(theirs)):
                continue
            before = pack(theirs, dress=texts_apart)
            if pack(ours, dress=texts_apart) == before:
                continue
            forget(now.values())
            if pack(ours, dress=texts_apart) != before:
                found.add(place)
        return found


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


def plainly(things: list[Any]) -> bytes | None:
    """Return the pickle of objects; None where it names something of the notebook, or cannot be made plainly."""
    try:
        data = pickle.dumps(things, 5)
    except Exception:
        return None
    return None if b"__main__" in data else data


def is_code(thing: Any) -> bool:
    """Tell whether an object is a function or a class, or the bases of one: instances refer to them, and no more."""
    kinds = (FunctionType, type)
    return isinstance(thing, kinds) or (type(thing) is tuple and all(isinstance(part, kinds) for part in thing))


@functools.cache
def texts_apart(pickler: Any) -> Any:
    """Return a pickler, from its class, that writes every text in full: which texts are one object tells nothing.

    What it writes is to be compared, not to be read. Of functions it writes the name and the code, of classes the name.
    """

    class Apart(pickler):  # type: ignore[misc]
        def persistent_id(self, thing: Any) -> bytes | tuple[str | bytes, ...] | None:
            if type(thing) is str:
                return thing.encode("utf-8", "surrogatepass")
            if isinstance(thing, FunctionType):
                return thing.__module__ or "", thing.__qualname__, *parts_of_code(thing.__code__)
            return (thing.__module__, thing.__qualname__) if isinstance(thing, type) else None

    return Apart


def parts_of_code(code: CodeType) -> tuple[Any, ...]:
    """Return what tells code from other code: its steps, their places, and its constants, with code inside it."""
    constants = [parts_of_code(part) if isinstance(part, CodeType) else part for part in code.co_consts]
    plain = repr([part for part in constants if not isinstance(part, frozenset)])  # whose order says nothing
    return code.co_code, code.co_linetable, plain


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

    def __init__(self, data: Any, buffers: Iterable[Any], sent: Mapping[str, Objects]) -> None:
        super().__init__(io.BytesIO(data), buffers=buffers)
        self.sent = sent

    def persistent_load(self, reference: Any) -> Any:
        """Return the object that a reference stands for."""
        if reference[0] == nans.WORD:
            return super().persistent_load(reference)
        place, number, *part = reference
        return strided.part_of(self.sent[place][number], *part) if part else self.sent[place][number]


NEXT = b"\x97\x94\x30"
"""In a pickle: take the next buffer, number it, and leave it."""


def load_with(items: Sequence[Any], data: Any, buffers: Iterable[Any] = ()) -> Any:
    """Read what a pickler wrote that began with these items: they are what the reader has numbered first, too.

    A buffer may be any object, for who reads a pickle.
    """
    return pickle.loads(b"".join((b"\x80\x05", NEXT * len(items), data)), buffers=[*items, *buffers])


def beginning_with(memo: dict[int, tuple[int, Any]]) -> Callable[[Any], Callable[..., Any]]:
    """Return what makes a pickler, from its class, that has numbered these already."""

    def dress(kind: Any) -> Callable[..., Any]:
        def made(*arguments: Any, **options: Any) -> Any:
            pickler = kind(*arguments, **options)
            pickler.memo = memo
            return pickler

        return made

    return dress
