"""Records as what JSON can hold, and back: every name and type is checked, and nothing is executed."""

from __future__ import annotations

import math
import types
from collections.abc import Hashable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

R = TypeVar("R")


def to_data(record: Any) -> Any:
    """Return a record as what JSON can hold: dicts, lists, text, numbers; numbers that are not finite as text."""
    if is_dataclass(record) and not isinstance(record, type):
        return {f.name: to_data(getattr(record, f.name)) for f in fields(record)}
    if isinstance(record, (tuple, list)):
        return [to_data(part) for part in record]
    if record is None or isinstance(record, bool):
        return record
    if isinstance(record, str):
        return str(record)
    if isinstance(record, Integral):
        return int(record)
    if isinstance(record, Real):
        number = float(record)
        return number if math.isfinite(number) else str(number)
    raise TypeError(f"a record holds a {type(record).__name__}, which cannot be saved")


def from_data(cls: type[R], data: object, path: str = "") -> R:
    """Build a record from what `to_data` returned, checking every name and type; nothing is executed or converted.

    Raises:
        ValueError: Where the data is not of this shape, with the path to the place.
    """
    where = path or cls.__name__.lower()
    if not isinstance(data, dict):
        raise ValueError(f"{where} must be an object, not {shape(data)}")
    hints = hints_of(cast(Hashable, cls))
    unknown = [str(name) for name in data if name not in hints]
    if unknown:
        raise ValueError(f"{where} has an unknown part {unknown[0][:60]!r}")
    made: dict[str, Any] = {}
    for part in fields(cls):  # type: ignore[arg-type]
        if part.name in data:
            made[part.name] = value_from(hints[part.name], data[part.name], f"{where}.{part.name}")
        elif part.default is MISSING and part.default_factory is MISSING:
            raise ValueError(f"{where} lacks {part.name!r}")
    return cls(**made)


@cache
def hints_of(cls: type) -> dict[str, Any]:
    """Return the types of a record's parts."""
    return get_type_hints(cls)


def value_from(kind: Any, data: object, where: str) -> Any:
    """Return the data as a value of this type, or raise ValueError with the path to the place."""
    if is_dataclass(kind):
        return from_data(kind, data, where)  # type: ignore[arg-type]
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if data is None and type(None) in parts:
            return None
        (wanted,) = (part for part in parts if part is not type(None))
        return value_from(wanted, data, where)
    if origin is tuple:
        return tuple_from(parts, data, where)
    if origin is Literal:
        if data not in parts:
            raise ValueError(f"{where} must be one of {', '.join(parts)}, not {shape(data)}")
        return data
    if kind is float and isinstance(data, str) and data in ("inf", "-inf", "nan"):
        return float(data)
    accepted = (int, float) if kind is float else kind
    if not isinstance(data, accepted) or (isinstance(data, bool) and kind is not bool):
        raise ValueError(f"{where} must be {kind.__name__}, not {shape(data)}")
    return float(data) if kind is float else data


def tuple_from(parts: tuple[Any, ...], data: object, where: str) -> tuple[Any, ...]:
    """Return a list as a tuple of these types, or raise ValueError with the path to the place."""
    if not isinstance(data, list):
        raise ValueError(f"{where} must be a list, not {shape(data)}")
    kinds = parts[:1] * len(data) if parts[-1] is Ellipsis else parts
    if len(kinds) != len(data):
        raise ValueError(f"{where} must have {len(kinds)} parts, not {len(data)}")
    pairs = enumerate(zip(kinds, data, strict=True))
    return tuple(value_from(kind, part, f"{where}[{i}]") for i, (kind, part) in pairs)


def shape(data: object) -> str:
    """Return what a piece of JSON is, for messages."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(type(data), "a number")
