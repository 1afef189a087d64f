"""A function as bytes: by value, once per worker, and named by its path where it cannot be sent."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from concompare.engine.transport.remade import Remade
from concompare.errors import CannotShip
from concompare.worker.transfer.object_refs import written
from concompare.worker.transfer.pickling import (
    function_parts,
    inner_function,
    pack,
    pack_sent,
    undressed,
    way_to_unpicklable,
)

LARGE_BLOB = 256 * 2**10
"""Bytes from which a function travels as a file instead of inside every message, and its captured values are named."""

REMEDIES = {
    "Connection": "open it inside the function",
    "Cursor": "open it inside the function",
    "socket": "open it inside the function",
    "TextIOWrapper": "open the file inside the function",
    "BufferedReader": "open the file inside the function",
    "BufferedWriter": "open the file inside the function",
    "lock": "make it inside the function, or use -b threads, whose workers share it",
    "RLock": "make it inside the function, or use -b threads, whose workers share it",
    "Condition": "use -b threads, whose workers share it",
    "generator": "make it inside the function, or turn it into a list first",
    "thread": "use -b threads",
    "frame": "do not keep frames",
}


@dataclass(frozen=True, slots=True)
class Shipment:
    """A function ready to be sent.

    Attributes:
        key: What workers remember it by.
        blob: The pickled function with its captured values; behind it, the numbers of what was made for the pickle.
        captured: Name and bytes of the captured values when the blob is large, largest first.
        objects: Those of the notebook's that went along, by their numbers in the pickle.
        remade: A sentence on each object that workers make again; they let go of it at the end of a pass.
    """

    key: str
    blob: bytes
    captured: tuple[tuple[str, int], ...] = ()
    objects: dict[int, Any] = field(default_factory=dict, compare=False, repr=False)
    remade: tuple[str, ...] = ()


def ship(function: Callable[[Any], Any], *, here: bool = True) -> Shipment:
    """Pickle a function by value with what it captures.

    Args:
        function: Takes an item.
        here: It goes to processes of this machine, which may make connections and open files again.

    Raises:
        CannotShip: Something in it cannot be pickled; named by its path, with the remedy.
    """
    name = getattr(function, "__name__", type(function).__name__)
    picklers: list[Any] = []
    remade = Remade(function) if here else None
    dress = remade.dress if remade is not None else undressed
    try:
        blob = pack_sent(function, None, picklers, dress)
    except Exception as error:
        raise CannotShip(refusal(function, name, error, remade)) from None
    captured = captured_sizes(function) if len(blob) > LARGE_BLOB else ()
    objects, made = written(picklers[-1], (function,))
    blob += pickle.dumps(made, 5)
    again = tuple(map(str, remade.recipes.values())) if remade is not None else ()
    return Shipment(hashlib.blake2b(blob, digest_size=16).hexdigest(), blob, captured, objects, again)


def refusal(value: Any, name: str, error: Exception, remade: Remade | None = None) -> str:
    """Return one line on what cannot be sent, nor made again where that was looked at, and what to do instead."""
    way = way_to_unpicklable(value, name, dress=remade.dress if remade is not None else undressed)
    kind = way.rpartition("→")[2].strip().rpartition(".")[2]
    remedy = REMEDIES.get(kind, "make it inside the function, or use -b threads, whose workers share it")
    again = ""
    if remade is not None and (reason := remade.refused) is not None:
        again = f", nor made again there: {reason}"
        remedy = f"{reason.remedy}, or {remedy}" if reason.remedy else remedy
    return f"{way} cannot be sent to another process{again}: {remedy}. ({type(error).__name__}: {error})"


def captured_sizes(function: Callable[[Any], Any]) -> tuple[tuple[str, int], ...]:
    """Return name and pickled bytes of what a function captures, largest first."""
    inner = inner_function(function)
    if inner is None:
        return ()
    sizes = [(name.partition(" ")[2], len(pack(part))) for name, part in function_parts(inner)]
    return tuple(sorted(sizes, key=lambda entry: -entry[1])[:5])
