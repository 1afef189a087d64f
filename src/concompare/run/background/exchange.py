"""Names that go to the process of a background run, what became of them there, and the frames that carry all of it.

The process works on copies. What comes back refers to the notebook's own objects where they are unchanged, and to
elements of them. So a list, dict or set that was filled there is filled here, and a new list of the notebook's objects
holds these themselves. What else was changed in place comes back as a changed copy, which is kept and not bound.
"""

from __future__ import annotations

import ast
import hashlib
import io
import pickle
import struct
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from concompare.errors import CannotShip
from concompare.formats import one_line
from concompare.worker.transfer.object_refs import ATOMS
from concompare.worker.transfer.pickling import by_value, pack

SIZE = struct.Struct(">Q")
FIXED: tuple[Any, ...] = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type, *ATOMS)
"""Kinds of objects that are not looked at for changes: nobody changes them, or only by setting their attributes."""
FILLED = (list, dict, set)
"""Containers whose own objects in the notebook are filled as the copies were."""
MISSING: Any = object()


def send(file: BinaryIO, thing: Any) -> None:
    """Write one frame."""
    data = pickle.dumps(thing, 5)
    file.write(SIZE.pack(len(data)) + data)
    file.flush()


def receive(file: BinaryIO) -> Any:
    """Read one frame.

    Raises:
        EOFError: There is no whole one any more.
    """
    head = file.read(SIZE.size)
    if len(head) < SIZE.size:
        raise EOFError
    (size,) = SIZE.unpack(head)
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return pickle.loads(data)


# --------------------------------------------------------------------------------------------------- in the notebook


def names_in(tree: ast.AST, namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notebook's names that code mentions."""
    mentioned = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return {name: namespace[name] for name in sorted(mentioned) if name in namespace and name != "__builtins__"}


def packed_names(names: dict[str, Any], namespace: dict[str, Any]) -> bytes:
    """Return names as bytes, with a function by which the other side knows where the notebook's functions look.

    Raises:
        CannotShip: One of them cannot be sent.
    """
    probe = types.FunctionType((lambda: None).__code__, namespace, "probe")
    probe.__module__ = "__main__"
    try:
        return pack((probe, names))
    except Exception as error:
        for name, value in names.items():
            try:
                pack(value)
            except Exception as problem:
                raise CannotShip(f"`{name}` cannot be sent to a process of its own: {one_line(str(problem))}") from None
        raise CannotShip(f"the names cannot be sent to a process of their own: {one_line(str(error))}") from None


@dataclass
class Seen:
    """The notebook when a background run began, to see what has been given another value since.

    Attributes:
        values: Of all names; `contents`: what was in the containers among them that a run may fill.
    """

    values: dict[str, Any]
    contents: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.contents = {name: contents_of(value) for name, value in self.values.items() if type(value) in FILLED}

    def changed(self, returned: Returned, namespace: Mapping[str, Any]) -> list[str]:
        """Return the names which the run gives or fills, and which are not what they were."""
        others = {*returned.given, *returned.deleted, *returned.filled}
        found = [name for name in others if namespace.get(name, MISSING) is not self.values.get(name, MISSING)]
        kept = [name for name in returned.filled if name not in found]
        found += [name for name in kept if not same_contents(self.contents[name], contents_of(namespace[name]))]
        return sorted(found)

    def load(self, returned: Returned) -> dict[str, Any]:
        """Return the values of a run, which hold the notebook's own objects where these are the same."""
        found: dict[str, Any] = Loader(returned.blob, self).load()
        return found


class Loader(pickle.Unpickler):
    """Reads values; what they refer to of the notebook is what it was when the run began."""

    def __init__(self, blob: bytes, seen: Seen) -> None:
        super().__init__(io.BytesIO(blob))
        self.seen = seen
        self.parts: dict[str, Any] = {}

    def persistent_load(self, place: Any) -> Any:
        """Return an object of the notebook."""
        name, *inside = place
        if not inside:
            return self.seen.values[name]
        if name not in self.parts:
            held = self.seen.contents.get(name, self.seen.values[name])
            self.parts[name] = list(held.values()) if type(held) is dict else held
        return self.parts[name][inside[0]]


def bind(returned: Returned, values: dict[str, Any], namespace: dict[str, Any]) -> None:
    """Give the notebook what a run left, in one step."""
    for name in returned.filled:
        fill(namespace[name], values.pop(name))
    for name in returned.deleted:
        namespace.pop(name, None)
    namespace.update(values)


def fill(container: Any, contents: Any) -> None:
    """Let a container hold what another of its kind holds."""
    if type(container) is list:
        container[:] = contents
    else:
        container.clear()
        container.update(contents)


def contents_of(container: Any) -> Any:
    """Return what a container holds now, with the order that it has."""
    if type(container) is set:
        return frozenset(container)
    return list(container) if type(container) is list else dict(container)


def same_contents(one: Any, other: Any) -> bool:
    """Tell whether two containers hold the very same objects, in the same order where there is one."""
    if type(one) is frozenset:
        return {id(part) for part in one} == {id(part) for part in other}
    if type(one) is dict and list(map(id, one)) != list(map(id, other)):
        return False
    values = (one.values(), other.values()) if type(one) is dict else (one, other)
    return list(map(id, values[0])) == list(map(id, values[1]))


# ------------------------------------------------------------------------------------------------ in the run's process


@dataclass
class Returned:
    """What a run left.

    Attributes:
        blob: The values of `given` and `filled`, and of `kept` where they can be sent.
        given: Names with new values; `deleted`: those without any.
        filled: Names of lists, dicts and sets that hold something else.
        kept: Names whose objects were changed in place and cannot be filled, or that cannot be sent, with the reason.
    """

    blob: bytes
    given: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    kept: dict[str, str] = field(default_factory=dict)


class Names:
    """The names of a run's process, watched for what becomes of them."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.before = {name: value for name, value in namespace.items() if not name.startswith("__")}
        self.watched = {name: value for name, value in self.before.items() if not isinstance(value, FIXED)}
        self.contents = {name: contents_of(value) for name, value in self.watched.items() if type(value) in FILLED}
        self.digests = {name: digest(self.parts(name)) for name in self.watched}

    def parts(self, name: str) -> Any:
        """Return what of an object must not have changed: of a container what was in it."""
        held = self.contents.get(name, MISSING)
        if held is MISSING:
            return self.watched[name]
        return tuple(held.items()) if type(held) is dict else tuple(held) if type(held) is list else held

    def returned(self) -> Returned:
        """Return what the run has left."""
        now = {name: value for name, value in self.namespace.items() if not name.startswith("__")}
        given = {name: value for name, value in now.items() if self.before.get(name, MISSING) is not value}
        deep = {name for name in self.watched if digest(self.parts(name)) != self.digests[name]}
        held = {name: contents_of(self.watched[name]) for name in self.contents if name not in given}
        filled = {name: one for name, one in held.items() if not same_contents(self.contents[name], one)}
        kept = {name: CHANGED for name in deep if name not in given}
        kept |= {name: FUNCTION for name, value in given.items() if self.is_of_run(value)}
        values = {**given, **filled, **{name: self.namespace[name] for name in deep if name in self.namespace}}
        places = self.places(deep)
        blob = self.packed(values, places, kept)
        deleted = tuple(name for name in self.before if name not in now)
        given_names, filled_names = (tuple(name for name in some if name not in kept) for some in (given, filled))
        return Returned(blob, given_names, deleted, filled_names, kept)

    def is_of_run(self, value: Any) -> bool:
        """Tell whether something is a function that sees the names of this process."""
        return isinstance(value, types.FunctionType) and value.__globals__ is self.namespace

    def places(self, deep: set[str]) -> dict[int, tuple[Any, ...]]:
        """Return by what the notebook finds the objects that are as they were: a name, or a place in what one holds."""
        found: dict[int, tuple[Any, ...]] = {}
        for name, value in self.watched.items():
            if name in deep:
                continue
            found[id(value)] = (name,)  # one that is filled will hold there what it holds here
            held = self.contents.get(name, value if type(value) is tuple else ())
            parts = held.values() if isinstance(held, dict) else held if type(held) in (list, tuple) else ()
            found |= {id(part): (name, place) for place, part in enumerate(parts) if not isinstance(part, FIXED)}
        return found

    def packed(self, values: dict[str, Any], places: dict[int, tuple[Any, ...]], kept: dict[str, str]) -> bytes:
        """Return values as bytes; those that cannot be sent are added to `kept`."""
        try:
            return dump(values, places)
        except Exception:
            for name, value in list(values.items()):
                try:
                    dump(value, places)
                except Exception as error:
                    del values[name]
                    kept[name] = f"cannot be sent back: {one_line(str(error), 120)}"
            return dump(values, places)


CHANGED = "was changed in place, and a background run works on a copy"
FUNCTION = "is a function of the run: define it in a cell of its own"


def digest(value: Any) -> bytes:
    """Return a digest of all that an object holds; of what cannot be sent, nothing."""
    buffers: list[pickle.PickleBuffer] = []
    try:
        made = hashlib.blake2b(pack(value, buffers))
    except Exception:
        return b""
    for buffer in buffers:
        made.update(buffer.raw())
    return made.digest()


def dump(value: Any, places: dict[int, tuple[Any, ...]]) -> bytes:
    """Return a value as bytes that refer to the notebook's own objects."""
    import cloudpickle

    class Dumper(by_value(cloudpickle.Pickler)):  # type: ignore[misc]
        def persistent_id(self, thing: Any) -> Any:
            return places.get(id(thing))

    with io.BytesIO() as file:
        Dumper(file, 5).dump(value)
        return file.getvalue()
