"""Results as bytes in a file, and back in another process.

The notebook's own objects in them are written as their places, in the items or in what the function carries along: so
they are the same objects again, as in the plain loop. Its classes and functions are written as their names, since the
notebook that reads them has its own. All else goes by value.
"""

from __future__ import annotations

import functools
import io
import pickle
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from types import FunctionType
from typing import Any

from concompare.worker.state_watch import captured
from concompare.worker.transfer.item_state import parts_of
from concompare.worker.transfer.object_refs import ATOMS, referring
from concompare.worker.transfer.pickling import by_value, inner_function


class Places:
    """The changeable objects that results may hold: those in items, and in what a function carries along.

    Args:
        function: What computes items; what it carries along are owners −1, −2 and so on.
        items: The items, owners 0, 1 and so on.
        first: Position of the first item.
    """

    def __init__(self, function: Callable[..., Any], items: Sequence[Any], first: int) -> None:
        self.function, self.items, self.first = function, items, first
        self.carried = list(captured(function))
        self.parts: dict[int, list[Any]] = {}

    def of(self, owner: int) -> list[Any]:
        """Return the objects in an owner, in a lasting order."""
        if owner not in self.parts:
            thing = self.items[owner] if owner >= 0 else self.carried[-1 - owner][1]
            self.parts[owner] = parts_of(thing) if type(thing) not in ATOMS else []
        return self.parts[owner]

    def by_identity(self, changed: Collection[str]) -> dict[int, tuple[int, int]]:
        """Return the owner of each object and its number there, by its identity; not of owners that have changed."""
        owners = {place: f"item {self.first + place}" for place in range(len(self.items))}
        owners |= {-1 - place: name for place, (name, _) in enumerate(self.carried)}
        return {
            id(part): (owner, number)
            for owner, name in owners.items()
            if name not in changed
            for number, part in enumerate(self.of(owner))
        }


def pickled(value: Any, function: Callable[..., Any], known: Mapping[int, tuple[int, int]]) -> bytes:
    """Return a value that a function has computed as bytes, with known objects written as their places."""
    with io.BytesIO() as file:
        kind = by_name()
        pickler = referring(kind)(known, set(), file, 5) if known else kind(file, 5)
        pickler.namespaces = namespaces_of(function)
        pickler.dump(value)
        return file.getvalue()


def restored(data: bytes, places: Places) -> Any:
    """Return the value of which these are the bytes."""
    return Restoring(data, places).load()


class Restoring(pickle.Unpickler):
    """Reads a value, with the notebook's own objects in their places."""

    def __init__(self, data: bytes, places: Places) -> None:
        super().__init__(io.BytesIO(data))
        self.places = places

    def persistent_load(self, place: tuple[int, int]) -> Any:
        """Return the object at a place."""
        owner, number = place
        return self.places.of(owner)[number]

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name in the pickle stands for."""
        if (module, name) == (__name__, named.__name__):
            return functools.partial(named, namespaces=namespaces_of(self.places.function))
        return super().find_class(module, name)


def namespaces_of(function: Callable[..., Any]) -> tuple[Mapping[str, Any], ...]:
    """Return where the names of the notebook, or the script, are found."""
    inner = inner_function(function)
    own = inner.__globals__ if inner is not None else {}
    main = vars(sys.modules["__main__"])
    return (own, main) if own.get("__name__") == "__main__" else (main,)


def named(path: str, namespaces: tuple[Mapping[str, Any], ...]) -> Any:
    """Return what goes by a name in the notebook.

    Raises:
        LookupError: Nothing does.
    """
    first, *rest = path.split(".")
    for namespace in namespaces:
        found = namespace.get(first)
        for part in rest:
            found = getattr(found, part, None)
        if found is not None:
            return found
    raise LookupError(f"{path} is not defined")


@functools.cache
def by_name() -> Any:
    """Return a pickler that writes what the notebook has under a name as that name, and all else of it by value."""
    import cloudpickle

    class ByName(by_value(cloudpickle.Pickler)):  # type: ignore[misc]
        namespaces: tuple[Mapping[str, Any], ...] = ()

        def reducer_override(self, thing: Any) -> Any:
            if has_name(thing, self.namespaces):
                return named, (thing.__qualname__,)
            return super().reducer_override(thing)

    return ByName


def has_name(thing: Any, namespaces: tuple[Mapping[str, Any], ...]) -> bool:
    """Tell whether the notebook, or the script, has a class or function under its own name."""
    if not isinstance(thing, (type, FunctionType)) or thing.__module__ != "__main__":
        return False
    try:
        return named(thing.__qualname__, namespaces) is thing
    except LookupError:
        return False
