"""Objects written as text with types and bits, so that those of two processes can be compared."""

from __future__ import annotations

import array
import collections
import functools
import hashlib
import io
import itertools
import random
import re
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

MOST = 50_000
"""Parts of one name that are looked at."""
DEEPEST = 60
ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented), range, slice)
SCALARS = (int, float, complex, str, bytes)
CONTAINERS = (dict, set, frozenset, list, tuple, collections.deque)
CODE = (types.BuiltinFunctionType, types.ModuleType, types.MethodWrapperType, types.WrapperDescriptorType)
WALKED = ("list_iterator", "tuple_iterator", "range_iterator", "list_reverseiterator", "str_ascii_iterator")
"""Iterators whose `__reduce__` tells where they are, and changes nothing."""
HIDDEN = ("__dict__", "__weakref__", "__doc__", "__module__", "__abstractmethods__", "_abc_impl", "__slotnames__")
"""Attributes of classes that Python keeps for itself, the last one for copying their instances."""
OUTER = ("matplotlib", "sympy", "IPython", "ipywidgets", "traitlets", "logging", "threading", "_thread", "mpmath")
"""Packages whose objects are full of caches and of what belongs to the process: their text has to do."""


def without_addresses(text: str) -> str:
    """Return a text without the addresses of objects."""
    return ADDRESS.sub("0x…", text)


def digest(data: bytes) -> str:
    """Return a short text for bytes."""
    return hashlib.blake2b(data, digest_size=12).hexdigest()


class Forms:
    """Writes the objects of a namespace; one that was written under another name is referred to."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[str, Any]] = {}
        self.parts: list[str] = []
        self.left = 0

    def of(self, value: Any, path: str) -> str:
        """Return the text of an object that is found under that path."""
        self.parts, self.left = [], MOST
        self.write(value, path, 0)
        return "".join(self.parts)

    def write(self, value: Any, path: str, depth: int) -> None:
        """Write an object, at most so much of it."""
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            self.parts.append("…")
            return
        kind = type(value)
        if kind in PLAIN:
            self.parts.append(repr(value))
            return
        if isinstance(value, (type, types.FunctionType, types.MethodType, *CODE)):
            self.write_code(value, path, depth)
            return
        if kind is not tuple and kind is not frozenset:
            if id(value) in self.seen:
                self.parts.append(f"<same as {self.seen[id(value)][0]}>")
                return
            self.seen[id(value)] = path, value
        self.parts.append(f"{kind.__module__}.{kind.__qualname__}")
        try:
            self.write_object(value, path, depth)
        except RecursionError:
            raise
        except Exception as error:  # an object of whatever kind
            self.parts.append(f"<{type(error).__name__}>")

    def write_object(self, value: Any, path: str, depth: int) -> None:
        """Write what is in an object."""
        kind = type(value)
        room = kind.__module__.partition(".")[0]
        special = self.special(value, room)
        if special is not None:
            self.parts.append(special if isinstance(special, str) else "")
            if not isinstance(special, str):
                self.write(special, path, depth + 1)
            return
        base: type | None = next((base for base in CONTAINERS if isinstance(value, base)), None)
        if isinstance(value, dict):
            self.group("{", entries(value), path, depth)
        elif isinstance(value, (set, frozenset)):
            self.write_set(value, path, depth)
        elif isinstance(value, (list, tuple, collections.deque)):
            assert base is not None
            found = enumerate(base.__iter__(value))  # type: ignore[attr-defined]
            self.group("[", (("", f"[{place}]", part) for place, part in found), path, depth)
        elif isinstance(value, SCALARS):
            self.parts.append(f"({next(base for base in SCALARS if isinstance(value, base)).__repr__(value)})")
        if isinstance(value, collections.defaultdict):
            self.write(value.default_factory, path, depth + 1)
        own = attributes(value)
        if own:
            self.group("(", named(own), path, depth)
        elif own is None and base is None and not isinstance(value, SCALARS):
            self.parts.append(without_addresses(f"({value!r})"))

    def group(self, mark: str, found: Iterable[tuple[str, str, Any]], path: str, depth: int) -> None:
        """Write parts, each after its label and with its own path."""
        self.parts.append(mark)
        for label, step, part in found:
            self.parts.append(label)
            self.write(part, path + step, depth + 1)
            self.parts.append(", ")
            if self.left < 0:
                break
        self.parts.append({"{": "}", "[": "]", "(": ")"}[mark])

    def write_set(self, value: set[Any] | frozenset[Any], path: str, depth: int) -> None:
        """Write a set in an order that does not depend on hashes."""
        before, texts = self.parts, []
        for part in value:
            self.parts = []
            self.write(part, path + "{}", depth + 1)
            texts.append("".join(self.parts))
        self.parts = before
        self.parts.append("{" + ", ".join(sorted(texts)) + "}")

    def write_code(self, value: Any, path: str, depth: int) -> None:
        """Write a function, a class or a module: the notebook's own with what they hold."""
        name = getattr(value, "__qualname__", getattr(value, "__name__", "?"))
        self.parts.append(f"{type(value).__name__}:{getattr(value, '__module__', '')}.{name}")
        if isinstance(value, types.MethodType):
            self.write(value.__self__, path + ".__self__", depth + 1)
        if getattr(value, "__module__", None) != "__main__" or id(value) in self.seen:
            return
        self.seen[id(value)] = path, value
        if isinstance(value, types.FunctionType):
            closed = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
            cells = {name: contents(cell) for name, cell in closed}
            own = {"defaults": value.__defaults__, "kwdefaults": value.__kwdefaults__, **cells, **vars(value)}
            self.group("(", named(own), path, depth)
        elif isinstance(value, type):
            own = {part: held for part, held in vars(value).items() if part not in HIDDEN}
            self.group("(", named(own), path, depth)

    def special(self, value: Any, room: str) -> Any:
        """Return the text of an object of a known kind, or what is to be written in its stead; None for others."""
        kinds = {part.__module__.partition(".")[0] for part in type(value).__mro__}
        if "pandas" in kinds:  # what a class made of one of pandas' adds is no more than what pandas keeps for itself
            return pandas_form(value)
        if "numpy" in kinds:
            return numpy_form(value)
        if room in OUTER:
            return without_addresses(f"({str(value)[:2000]})")
        if isinstance(value, BaseException):
            return [str(value), attributes(value) or {}]
        if isinstance(value, types.GeneratorType):
            return [value.gi_frame is None, dict(value.gi_frame.f_locals) if value.gi_frame is not None else {}]
        if isinstance(value, functools.partial):
            return [value.func, value.args, value.keywords]
        if isinstance(value, (staticmethod, classmethod)):
            return [value.__func__]
        if isinstance(value, property):
            return [value.fget, value.fset, value.fdel]
        return list(value.__reduce__()[1:]) if type(value).__name__ in WALKED else state_form(value)


def state_form(value: Any) -> Any:
    """Return what an object of the standard library that holds a state is compared by."""
    if isinstance(value, io.StringIO):
        return [value.closed, "" if value.closed else (value.getvalue(), value.tell())]
    if isinstance(value, io.IOBase):
        return f"({getattr(value, 'name', '')}, {value.closed})"
    if isinstance(value, random.Random):
        return digest(repr(value.getstate()).encode())
    if isinstance(value, memoryview):
        return f"({bytes(value)!r})"
    return f"({value!r})" if isinstance(value, (itertools.count, array.array, bytearray)) else None


def entries(value: dict[Any, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield the keys and values of a dict, in its order."""
    for key, part in dict.items(value):
        yield "", "{}", key
        yield ": ", f"[{key!r:.40}]" if type(key) in PLAIN else "[…]", part


def named(own: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield attributes."""
    for name, part in own.items():
        yield f"{name}=", f".{name}", part


def contents(cell: types.CellType) -> Any:
    """Return what a closure holds."""
    try:
        return cell.cell_contents
    except ValueError:
        return Ellipsis


def attributes(value: Any) -> dict[str, Any] | None:
    """Return the attributes of an object, or None where it can have none."""
    own = dict(getattr(value, "__dict__", None) or {})
    slots = [name for kind in type(value).__mro__ for name in slots_of(kind)]
    found = {**own, **{name: getattr(value, name) for name in slots if hasattr(value, name)}}
    return found if slots or hasattr(value, "__dict__") else None


def slots_of(kind: type) -> Iterator[str]:
    """Yield the names of a class's slots."""
    slots = vars(kind).get("__slots__", ())
    for name in (slots,) if isinstance(slots, str) else slots:
        if name not in ("__dict__", "__weakref__"):
            yield f"_{kind.__name__.lstrip('_')}{name}" if name.startswith("__") and not name.endswith("__") else name


def numpy_form(value: Any) -> Any:
    """Return what an object of numpy is compared by."""
    import numpy as np

    if isinstance(value, np.ma.MaskedArray):
        return ["masked", value.dtype.str, np.ma.getmaskarray(value).tolist(), value.filled().tolist()]
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return ["array", value.dtype.str, value.shape, value.tolist()]
        shown = np.array2string(value.ravel()[:40], threshold=50) if value.ndim else repr(value)
        return f"({value.dtype}, {value.shape}, {value.flags.writeable}, {digest(value.tobytes())} {shown})"
    if isinstance(value, np.generic):
        return f"({value!r} {digest(value.tobytes())})"
    if isinstance(value, (np.random.RandomState, np.random.Generator)):
        return digest(repr(state_of(value)).encode())
    return without_addresses(f"({value!r})")


def state_of(numbers: Any) -> Any:
    """Return the state of a source of random numbers of numpy."""
    if hasattr(numbers, "bit_generator"):
        return numbers.bit_generator.state
    name, keys, *rest = numbers.get_state()
    return name, keys.tobytes(), rest


def pandas_form(value: Any) -> Any:
    """Return what an object of pandas is compared by."""
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        columns = [column_form(value.iloc[:, place]) for place in range(value.shape[1])]
        return ["frame", value.index, value.columns, columns, value.attrs]
    if isinstance(value, pd.Series):
        return ["series", value.index, value.name, column_form(value), value.attrs]
    if isinstance(value, pd.MultiIndex):
        return ["levels", list(value.names), value.tolist()]
    if isinstance(value, pd.Index):
        return ["index", str(getattr(value, "freqstr", "")), list(value.names), column_form(value)]
    return without_addresses(f"({value!r})")


def column_form(values: Any) -> Any:
    """Return the type and the values of a column or an index."""
    import numpy as np

    kind = values.dtype
    if isinstance(kind, np.dtype) and not kind.hasobject:
        return [str(kind), values.to_numpy()]
    return [str(kind), values.tolist()]


def states() -> dict[str, str]:
    """Return the states of the random numbers that everybody draws from."""
    found = {"random": digest(repr(random.getstate()).encode())}
    if "numpy" in sys.modules:
        import numpy as np

        found["numpy.random"] = digest(repr(state_of(np.random.mtrand._rand)).encode())
    return found
