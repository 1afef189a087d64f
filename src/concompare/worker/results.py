"""Pack a worker's results: values, names and output as bytes; a value that cannot be sent is its item's error."""

from __future__ import annotations

import contextlib
import functools
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from concompare.worker import log_records
from concompare.worker.caches import forget_caches
from concompare.worker.capture import PACKING
from concompare.worker.transfer import nans
from concompare.worker.transfer.closed_files import FILES, any_file, with_files
from concompare.worker.transfer.code_objects import HOME, rebuilt
from concompare.worker.transfer.object_refs import (
    Reference,
    Rows,
    Sources,
    beginning_with,
    holds_nothing,
    may_hold,
    only_atoms,
    place_of,
    referring,
)
from concompare.worker.transfer.pickling import LARGE_BUFFER, Parcel, Raw, pack, put, text_of, way_to_unpicklable

if TYPE_CHECKING:
    from concompare.worker.compute import Computed


WITH_FUNCTION = rebuilt.__name__.encode()
"""What a pickle holds where a function goes by value."""


PACKING[:] = [pack]


class CannotReturn(TypeError):
    """Raised for an item whose result cannot be sent back from its worker."""


def pack_result(
    value: Any,
    parts: Any,
    buffers: list[pickle.PickleBuffer] | None,
    sources: Sources | None,
    base: Callable[[Any], Any] | None = None,
) -> bytes:
    """Pack values, with references in the places of objects that were sent to this worker and are unchanged.

    Where items have been changed, all items go by value; what the function captures may be referred to all the same.

    Args:
        value: A list or dictionary of values.
        parts: The values.
        buffers: As for `pack`.
        sources: What was sent; None: no references.
        base: Makes the pickler's class, from the usual one; None for that.
    """
    data, known = packed_apart(value, parts, buffers, sources, base)
    asked = data is None or nans.has_nan(data)
    others: dict[int, Reference] = dict(nans.known()) if sources is not None and asked else {}
    if sources is not None and sources.names is not None and (data is None or WITH_FUNCTION in data):
        others[sources.names] = ("function", HOME)
    while sources is not None and (referred_to := known | others):
        used: set[Reference] = set()
        beside: list[pickle.PickleBuffer] | None = None if buffers is None else []
        referred = pack(value, beside, [], dress_of(base, referred_to, used))
        stale = sources.stale(used, pack, forget_caches)
        if not stale:
            sources.used |= used
            if buffers is not None:
                buffers[:] = beside or []
            return referred
        known = {name: found for name, found in known.items() if place_of(found) not in stale}
    if data is not None:
        return data
    return pack(value, buffers) if base is None else pack(value, buffers, [], base)


def dress_of(
    base: Callable[[Any], Any] | None, known: dict[int, Reference], used: set[Reference]
) -> Callable[..., Any]:
    """Return what makes a pickler that writes references, from the usual one."""
    return lambda kind: functools.partial(referring(kind if base is None else base(kind)), known, used)


def packed_apart(
    value: Any,
    parts: Any,
    buffers: list[pickle.PickleBuffer] | None,
    sources: Sources | None,
    base: Callable[[Any], Any] | None,
) -> tuple[bytes | None, dict[int, Reference]]:
    """Return values packed without references, and what they may hold of what was sent; see `pack_result`.

    Not packed are those that hold objects of the notebook's classes, which would go by value: they surely refer to
    the classes that were sent.
    """
    atoms = only_atoms(parts)
    alone = sources is None or (atoms and holds_nothing(parts))
    if base is None and atoms and alone:
        return pickle.dumps(value, 5), {}
    plainly: tuple[Any, ...] = () if base is None else ([], base)
    if sources is None or not sources.places or (alone and "items" in sources.places):
        return pack(value, buffers, *plainly), {}
    known = sources.by_identity()
    if atoms and base is None and known.keys().isdisjoint(map(id, parts)):
        return pickle.dumps(value, 5), {}
    if not known:
        return pack(value, buffers, *plainly), {}
    picklers: list[Any] = []
    data = pack(value, buffers, picklers, *plainly[1:], plainly=True)
    if not data:
        return None, known
    return data, known if may_hold(picklers[-1].memo.copy(), known, arrays=b"numpy" in data) else {}


def pack_list(values: list[Any], buffers: list[pickle.PickleBuffer] | None, sources: Sources | None) -> bytes:
    """Pack values as `pack_result` does, by a pickler that begins with the items where these have no parts."""
    if sources is None:
        return pack(values, buffers)
    held, rows = sources.held(), sources.places.get("items")
    sources.with_items = isinstance(rows, Rows) and not rows.arrays and held == ["items"]
    if isinstance(rows, Rows) and sources.with_items:
        data = pack(values, buffers, [], beginning_with(rows.memo(pack)))
    elif held:
        return pack_result(values, values, buffers, sources)
    else:
        data = pack(values, buffers)
    if not (nans.has_nan(data) or (sources.names is not None and WITH_FUNCTION in data)):
        return data
    sources.with_items = False
    if buffers is not None:
        buffers.clear()
    return pack_result(values, values, buffers, sources)


def pack_referring(sources: Sources | None) -> Callable[[Any], bytes] | None:
    """Return what packs one value with references to what was sent to this worker; None: nothing was."""
    return None if sources is None else lambda value: pack_result(value, (value,), None, sources)


def sendable(printed: tuple[int, str, Any]) -> tuple[int, str, Any]:
    """Return a piece of output that can cross: displayed objects packed, or their reprs where they cannot be."""
    offset, kind, what = printed
    if kind in log_records.KINDS:
        return offset, kind, log_records.sendable(kind, what)
    if kind != "display" or isinstance(what, bytes):
        return printed
    try:
        return offset, kind, pack(what)
    except Exception:
        return offset, "stdout", "".join(f"{shown!r}\n" for shown in what[0])


def pack_values(
    done: Computed, room: tuple[str, int, int] | None, sources: Sources | None = None
) -> tuple[Parcel, int]:
    """Pack the values, their large buffers into the room if they fit; what cannot be sent becomes that item's error.

    Returns:
        The parcel, and the bytes of room that would have been needed where the room was too small.
    """
    buffers: list[pickle.PickleBuffer] = []
    beside = buffers if room is not None else None
    values, large = with_bytes_beside(done.values) if room is not None else (done.values, 0)
    try:
        data = pack_list(values, beside, sources)
    except BaseException:  # its own `__reduce__` may raise anything
        refuse_values(done)
        buffers.clear()
        values, large = done.values, 0
        data = pack_list(values, beside, sources)
    if room is None:
        return Parcel(data), 0
    parcel, wanted = put(data, buffers, room)
    if parcel is None:
        parcel = Parcel(pack_list(done.values, None, sources) if buffers else data)
    return parcel._replace(passing=0 < len(buffers) == large), wanted


MOST_BESIDE = 300
"""Values up to which there may be large ones: a message of more has small ones."""


def with_bytes_beside(values: list[Any]) -> tuple[list[Any], int]:
    """Return values with what lets large bytes among them lie beside the pickle, and how many of these there are."""
    if len(values) > MOST_BESIDE:
        return values, 0
    large = {id(value): Raw(value) for value in values if type(value) is bytes and len(value) >= LARGE_BUFFER}
    return [large.get(id(value), value) for value in values] if large else values, len(large)


def refuse_values(done: Computed) -> None:
    """Put None and an error in the place of every value that cannot be sent."""
    for offset, value in enumerate(done.values):
        try:
            pack(value)
        except BaseException as error:
            done.values[offset] = None
            way = way_to_unpicklable(value, "result")
            done.errors.append((offset, CannotReturn(f"the result cannot be sent back: {way}: {text_of(error)}")))
    done.errors.sort(key=lambda entry: entry[0])


def pack_names(names: dict[str, Any], sources: Sources | None = None) -> Parcel:
    """Pack the names that can be sent, and which are left out, as an earlier item's value must not stand for them."""
    if not any_file(names):
        with contextlib.suppress(BaseException):
            return Parcel(pack_result(names, names.values(), None, sources))
    kept = {}
    for name, value in names.items():
        with contextlib.suppress(BaseException):
            again = pickle.loads(pack_result(value, (value,), None, None, with_files))
            if type(again) in FILES:
                again.close()
            kept[name] = value
    left_out = tuple(name for name in names if name not in kept)
    found = {**kept, "_concompare_unsent": left_out} if left_out else kept
    try:
        return Parcel(pack_result(found, found.values(), None, sources, with_files))
    except BaseException:  # a `__reduce__` that counts its calls
        return Parcel(pack({"_concompare_unsent": tuple(names)}))
