"""Not-a-number by identity: `nan in values`, `{nan}` and `Counter` go by which object it is; a pickle makes others.

    notebook ── (WORD, key, value) ──> worker: the same object for the same key, and for a module's its own
             <─ (WORD, key, value) ─── results: those that came, and the modules'

Python's own pickles write numbers without asking, so only what holds one is pickled again in this way.
"""

from __future__ import annotations

import functools
import io
import itertools
import os
import pickle
import sys
from collections import OrderedDict
from typing import Any

WORD = "nan"
"""What references to such numbers begin with, among those to other objects."""

MARKS = (b"G\x7f\xf8" + bytes(6), b"G\xff\xf8" + bytes(6))
"""What a pickle holds where it holds one, as Python's own arithmetic makes them; by chance elsewhere."""

START = 3
"""Bytes of a mark that are looked for first: among many noughts, as follow them, that is five times as quick."""

MODULES = ("math", "numpy", "cmath")
"""Modules that have a `nan` of their own."""

MOST = 1000
"""Numbers that a process remembers, the last ones that were sent or have arrived."""

COUNT = itertools.count()
"""Numbers for the keys of one process."""

BY_KEY: OrderedDict[str, float] = OrderedDict()
KEYS: dict[int, str] = {}


def has_nan(data: bytes) -> bool:
    """Tell whether a pickle may hold a number that is none."""
    for mark in MARKS:
        at = data.find(mark[:START])
        while at >= 0:
            if data.startswith(mark, at):
                return True
            at = data.find(mark[:START], at + 1)
    return False


def of_modules() -> dict[int, str]:
    """Return the keys of the numbers that modules have, by identity."""
    found = ((name, getattr(sys.modules.get(name), "nan", None)) for name in MODULES)
    return {id(thing): name for name, thing in found if type(thing) is float}


def known() -> dict[int, tuple[str, str, bytes]]:
    """Return what stands for the numbers that are the notebook's or a module's, by identity."""
    numbers = {id(number): number for number in BY_KEY.values()}
    keys = {identity: key for identity, key in KEYS.items() if identity in numbers} | of_modules()
    return {identity: (WORD, key, b"") for identity, key in keys.items()}


def remember(key: str, number: float) -> None:
    """Know a number by a key from now on."""
    BY_KEY[key] = number
    KEYS[id(number)] = key
    while len(BY_KEY) > MOST:
        _, old = BY_KEY.popitem(last=False)
        KEYS.pop(id(old), None)


def key_of(number: float) -> str:
    """Return what a number goes by, in this process and where it is sent."""
    key = of_modules().get(id(number)) or KEYS.get(id(number))
    if key is None:
        key = f"{os.getpid()} {next(COUNT)}"
        remember(key, number)
    return key


def number_of(key: str, data: bytes) -> float:
    """Return the number that goes by a key; one that is new here has this pickle."""
    if key in MODULES and type(getattr(sys.modules.get(key), "nan", None)) is float:
        return sys.modules[key].nan  # type: ignore[no-any-return]
    if key not in BY_KEY:
        remember(key, pickle.loads(data) if data else float("nan"))
    return BY_KEY[key]


@functools.cache
def keeping(pickler: Any) -> Any:
    """Return a pickler that writes each such number by its key."""

    class Keeping(pickler):  # type: ignore[misc]
        def persistent_id(self, thing: Any) -> Any:
            if type(thing) is float and thing != thing:
                return WORD, key_of(thing), pickle.dumps(thing, 5)
            return None

    return Keeping


class Reading(pickle.Unpickler):
    """Reads pickles in which such numbers go by their keys."""

    def persistent_load(self, reference: Any) -> float:
        """Return the number that a reference stands for."""
        _, key, data = reference
        return number_of(key, data)


def read(data: Any) -> Any:
    """Return what a pickle holds."""
    return Reading(io.BytesIO(data)).load()
