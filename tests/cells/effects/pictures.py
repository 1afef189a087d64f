"""Pictures of objects, that differ when an object has been changed, and what can be reached from an object."""

from __future__ import annotations

import collections
import contextlib
import copy
import datetime
import decimal
import fractions
import functools
import gc
import io
import ipaddress
import os
import pathlib
import random
import re
import types
import uuid
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import matplotlib.artist
import numpy as np
import pandas as pd
import PIL.Image

SCALARS = (
    *(str, bytes, int, float, complex, bool, type(None), type(Ellipsis), type(NotImplemented), range, type),
    *(types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.MethodDescriptorType),
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, decimal.Decimal, fractions.Fraction),
    *(re.Pattern, re.Match, pathlib.PurePath, uuid.UUID, np.dtype, np.number, np.bool_, np.datetime64, np.timedelta64),
    *(ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network, os.terminal_size),
    *(
        np.character,
        pd.Timestamp,
        pd.Timedelta,
        pd.Period,
        pd.Interval,
        types.GenericAlias,
        types.WrapperDescriptorType,
    ),
    *(types.MethodWrapperType, types.GetSetDescriptorType, types.MemberDescriptorType, os.stat_result, os.DirEntry),
)
ITERATORS: tuple[type, ...] = (
    types.GeneratorType,
    type(iter([])),
    type(iter(())),
    type(iter({})),
    map,
    filter,
    zip,
    enumerate,
)


class Thing:
    """An object that can be changed, and that compares and calculates with others."""

    def __init__(self, size: int = 1) -> None:
        self.size = size
        self.notes: list[int] = []

    def __lt__(self, other: Any) -> bool:
        return self.size < getattr(other, "size", 0)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return self.size


class Recorder:
    """A callable that remembers that it was called, and gives back the first that it is given."""

    def __init__(self, result: Any = None) -> None:
        self.called = False
        self.result = result
        self.__name__ = "recorder"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.called = True
        if self.result is not None:
            return self.result
        return args[0] if args else 0


class Sink(io.StringIO):
    """A stream of text that is no `io.StringIO` for the tables' sake."""


def is_atom(thing: Any, depth: int = 4) -> bool:
    """Tell whether nobody can change a value, nor anything that it refers to."""
    if isinstance(thing, (tuple, frozenset)) or type(thing).__name__ == "structseq":
        return depth > 0 and all(is_atom(part, depth - 1) for part in thing)
    if isinstance(thing, slice):
        return all(is_atom(part) for part in (thing.start, thing.stop, thing.step))
    plain = type(thing).__module__ not in ("__main__", Thing.__module__) and not isinstance(
        thing, pd.core.base.PandasObject
    )
    return isinstance(thing, SCALARS) or (
        plain
        and type(thing).__dictoffset__ == 0
        and not gc.is_tracked(thing)
        and not isinstance(thing, (np.ndarray, np.void))
        and is_frozen(thing)
    )


def is_frozen(thing: Any) -> bool:
    """Tell whether an object of a type written in C has no method that changes it."""
    return not any(hasattr(thing, name) for name in ("__setitem__", "__next__", "append", "write", "update", "clear"))


def referents(thing: Any) -> list[Any]:
    """Return what an object refers to, but types, modules and functions."""
    if issubclass(type(thing), np.ndarray):
        parts = [thing.base] if thing.base is not None else []
        return [*parts, *(thing.ravel().tolist() if thing.dtype.hasobject and thing.size < 1000 else [])]
    if issubclass(type(thing), np.flatiter):
        return [thing.base]
    if issubclass(type(thing), memoryview):
        with contextlib.suppress(ValueError):
            return [thing.obj]
        return []
    if issubclass(type(thing), io.TextIOWrapper):
        with contextlib.suppress(ValueError):
            return [] if thing.closed else [thing.buffer]
        return []
    return gc.get_referents(thing)


def reach(start: Any, most: int = 6000) -> dict[int, Any]:
    """Return all objects that can be reached from one and that can be changed, by their ids."""
    found: dict[int, Any] = {}
    seen: set[int] = set()
    held = []
    waiting = collections.deque([start])
    while waiting and len(seen) < most:
        thing = waiting.popleft()
        if id(thing) in seen or issubclass(type(thing), SCALARS):  # for `isinstance` asks the object
            continue
        seen.add(id(thing))
        held.append(thing)
        if not issubclass(type(thing), (tuple, frozenset, types.MethodType, types.CellType, types.FrameType)):
            found[id(thing)] = thing
        waiting.extend(referents(thing))
    return found


def picture(thing: Any, depth: int = 7, seen: tuple[int, ...] = ()) -> Any:
    """Return something comparable that differs when an object, or what it owns, has been changed."""
    if depth == 0 or id(thing) in seen:
        return "…"
    if issubclass(type(thing), SCALARS):
        return repr(thing) if not callable(thing) else id(thing)
    seen = (*seen, id(thing))

    def inner(part: Any) -> Any:
        return picture(part, depth - 1, seen)

    for kinds, look in LOOKS:
        if issubclass(type(thing), kinds):
            return type(thing).__name__, look(thing, inner)
    return type(thing).__name__, picture_plain(thing, inner)


def picture_plain(thing: Any, inner: Callable[[Any], Any]) -> Any:
    """Look at an object by its attributes, its state for copying, or what it prints as."""
    attributes = getattr(thing, "__dict__", None)
    if isinstance(attributes, dict) and not callable(getattr(thing, "__reduce_cython__", None)):
        kept = [name for name in attributes if not is_cache(type(thing), name)]
        if isinstance(thing, zipfile.ZipFile) and thing.mode == "r":  # counts who reads, each at a place of its own
            kept = [name for name in kept if name not in ("fp", "_fileRefCnt")]
        if isinstance(thing, PIL.Image.Image):
            return picture_image(thing), {name: inner(attributes[name]) for name in kept if name != "_im"}
        return {name: inner(attributes[name]) for name in kept}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return inner(copy.copy(thing.__reduce_ex__(4)[1:3]))
        except Exception:  # it has none
            return [id(part) for part in referents(thing) if not isinstance(part, SCALARS)]


def picture_image(image: PIL.Image.Image) -> Any:
    """Look at the pixels of an image."""
    try:
        return image.mode, image.size, image.tobytes()
    except Exception as error:  # it is closed, or what was put into it is no palette
        return str(error)


def is_cache(kind: type, name: str) -> bool:
    """Tell whether an attribute keeps what a property has computed: nobody can tell whether it has yet."""
    return name.startswith("_cache") or isinstance(getattr(kind, name, None), functools.cached_property)


def picture_stream(stream: Any, inner: Callable[[Any], Any]) -> Any:
    """Look at a stream by its place and, where it is in memory, by what it holds."""
    try:
        if stream.closed:
            return "closed"
        place = stream.tell() if stream.seekable() else 0
    except (OSError, ValueError) as error:  # it is being walked, or has been taken apart
        return str(error)
    return place, stream.getvalue() if hasattr(stream, "getvalue") else None


def picture_array(array: Any, inner: Callable[[Any], Any]) -> Any:
    if array.dtype.hasobject:
        return array.shape, [inner(part) for part in array.ravel().tolist()]
    return array.shape, str(array.dtype), array.tobytes(), array.strides, array.flags.writeable


def picture_frame(frame: Any, inner: Callable[[Any], Any]) -> Any:
    columns = [frame] if frame.ndim == 1 else [frame.iloc[:, place] for place in range(frame.shape[1])]
    parts = [(inner(column.name), [inner(part) for part in column.tolist()]) for column in columns]
    return (
        parts,
        [inner(part) for part in frame.index.tolist()],
        str(frame.attrs),
        list(frame.index.names),
        frame.flags.allows_duplicate_labels,
    )


def picture_random(source: Any, inner: Callable[[Any], Any]) -> Any:
    if isinstance(source, random.SystemRandom):
        return ""
    if isinstance(source, random.Random):
        return source.getstate()
    if isinstance(source, np.random.RandomState):
        return state_of(source.get_state(legacy=False))
    return state_of(source.bit_generator.state if isinstance(source, np.random.Generator) else source.state)


def state_of(state: Any) -> tuple[Any, ...]:
    """Return a state of numpy as something comparable."""
    inner = state["state"]
    return state["bit_generator"], *(
        part.tobytes() if isinstance(part, np.ndarray) else part for part in inner.values()
    )


def picture_iterator(walked: Any, inner: Callable[[Any], Any]) -> Any:
    if isinstance(walked, types.GeneratorType):
        return walked.gi_frame is not None and walked.gi_frame.f_lasti
    if hasattr(walked, "__length_hint__"):
        return walked.__length_hint__()
    return inner(walked.__reduce__()[1:])


def items_of(mapping: Any, inner: Callable[[Any], Any]) -> Any:
    return [(inner(key), inner(value)) for key, value in mapping.items()], inner(getattr(mapping, "__dict__", None))


def picture_artist(artist: Any, inner: Callable[[Any], Any]) -> Any:
    """Look at part of a figure by its own attributes only: everything in a figure refers to everything."""
    return [
        (name, repr(part) if is_atom(part) else (id(part), len(getattr(part, "__dict__", ()))))
        for name, part in vars(artist).items()
    ]


LOOKS: tuple[tuple[Any, Callable[[Any, Callable[[Any], Any]], Any]], ...] = (
    ((Recorder,), lambda thing, inner: ""),
    ((dict, types.MappingProxyType, collections.UserDict), items_of),
    ((set, frozenset), lambda thing, inner: sorted(map(str, map(inner, thing)))),
    ((list, tuple, collections.deque), lambda thing, inner: [*map(inner, thing), getattr(thing, "maxlen", 0)]),
    ((bytearray,), lambda thing, inner: bytes(thing)),
    ((np.ndarray,), picture_array),
    ((np.void,), lambda thing, inner: str(thing.item())),
    ((pd.DataFrame, pd.Series), picture_frame),
    ((pd.Index,), lambda thing, inner: (str(thing.tolist()), str(thing.names), str(thing.dtype))),
    ((pd.Categorical,), lambda thing, inner: str(thing.tolist())),
    ((random.Random, np.random.RandomState, np.random.Generator, np.random.BitGenerator), picture_random),
    ((io.IOBase,), picture_stream),
    ((ITERATORS), picture_iterator),
    ((types.MethodType,), lambda thing, inner: inner(thing.__self__)),
    ((matplotlib.artist.Artist,), picture_artist),
    ((re.Pattern, type(iter("")), types.FrameType, types.TracebackType), lambda thing, inner: ""),
)
