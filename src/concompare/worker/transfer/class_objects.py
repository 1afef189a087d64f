"""Classes that cross by value: a process that has a class keeps it as it is, whatever comes back.

A class of the notebook goes along whole with every object of it, to workers and back again. To read it must not make it
anew, nor write into the one that is there: its methods would be other ones, with other globals. Only a worker takes a
class over again from the notebook, which may have changed it since.

Lists and dictionaries of a class that stores in a way of its own cross with what they hold: pickle fills a copy by its
`append`, `extend` or `__setitem__`, which may count, or store something else than it is given.
"""

from __future__ import annotations

import collections
import copyreg
import os
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

from concompare.worker.transfer import nans

TOKENS: WeakKeyDictionary[type, str] = WeakKeyDictionary()
"""What the classes that have crossed are known by, in every process."""

BY_TOKEN: WeakValueDictionary[str, type] = WeakValueDictionary()

SENT: WeakSet[type] = WeakSet()
"""Classes that were first sent from this process: nothing is ever written into them."""

FILLED: WeakSet[type] = WeakSet()
"""Classes that have arrived in this process."""


def forget_parent() -> None:
    """Take, in a forked worker, the classes of the notebook over again when they are sent."""
    SENT.clear()
    FILLED.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_parent)


def by_token(kind: type, reduced: Any) -> Any:
    """Return how a class is pickled by value, so that whoever knows it already keeps what it has.

    Args:
        kind: The class.
        reduced: What cloudpickle would write of it: a function that makes it, and one that fills it in.
    """
    if not isinstance(reduced, tuple) or len(reduced) < 6 or reduced[5] is None:
        return reduced
    token = TOKENS.get(kind)
    if token is None:
        token = TOKENS[kind] = os.urandom(16).hex()
        BY_TOKEN[token] = kind
    if kind not in FILLED:
        SENT.add(kind)
    make, arguments, state, items, pairs, fill = reduced[:6]
    return made, (token, make, arguments), (fill, state), items, pairs, fill_in


def made(token: str, make: Callable[..., type], arguments: tuple[Any, ...]) -> type:
    """Return the class that goes by a token; the first time it is made, still empty."""
    kind = BY_TOKEN.get(token)
    if kind is None:
        kind = make(*arguments)
        TOKENS[kind] = token
        BY_TOKEN[token] = kind
    return kind


def fill_in(kind: type, filling: tuple[Callable[[type, Any], Any], Any]) -> None:
    """Fill in a class that has just been made; leave one alone that was there."""
    if kind not in SENT and kind not in FILLED:
        fill_again(kind, filling)


def fill_again(kind: type, filling: tuple[Callable[[type, Any], Any], Any]) -> None:
    """Fill in a class as its own process has it now, unless that is this one."""
    if kind not in SENT:
        FILLED.add(kind)
        fill, state = filling
        fill(kind, state)


class Arriving(nans.Reading):
    """Reads what the notebook has sent to a worker: its classes are taken over again, as they are there now."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a name in a pickle stands for."""
        if name == "fill_in" and module == __name__:
            return fill_again
        return super().find_class(module, name)


BASES: dict[type[Any], tuple[str, ...]] = {
    collections.OrderedDict: ("__setitem__", "__iter__", "items", "__init__"),
    dict: ("__setitem__", "__iter__", "items"),
    list: ("append", "extend", "__iter__"),
}
"""Containers, and the methods by which they are pickled and filled again."""
PICKLED = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__", "__getnewargs_ex__")
"""Methods by which a class says itself how its objects are pickled."""


def container_parts(thing: Any) -> Any:
    """Return what makes a container of the user's with what it holds; None where pickle does that by itself."""
    base = base_of(type(thing))
    if base is None:
        return None
    held = list(list.__iter__(thing)) if base is list else [*base.items(thing)]
    state = getattr(thing, "__dict__", None), in_slots(thing)
    return copyreg.__newobj__, (type(thing),), (base, held, *state), None, None, filled  # type: ignore[attr-defined]


def base_of(kind: type[Any]) -> type[Any] | None:
    """Return which container a class is derived from, where it stores in a way of its own and says no more of it."""
    base = next((base for base in BASES if issubclass(kind, base)), None)
    if base is None or kind is base or all(getattr(kind, name) is getattr(base, name) for name in BASES[base]):
        return None
    plain = all(getattr(kind, name, None) is getattr(base, name, None) for name in PICKLED)
    return base if plain and getattr(kind, "__new__", None) is base.__new__ else None


def in_slots(thing: Any) -> dict[str, Any]:
    """Return the slots of an object that have values."""
    found = {}
    for name in copyreg._slotnames(type(thing)):  # type: ignore[attr-defined]
        try:
            found[name] = object.__getattribute__(thing, name)
        except AttributeError:
            continue
    return found


def filled(made: Any, state: tuple[type[Any], list[Any], dict[str, Any] | None, dict[str, Any]]) -> None:
    """Give a new container what one has held, and its attributes."""
    base, held, attributes, slots = state
    if base is list:
        list.extend(made, held)
    else:
        for key, value in held:
            base.__setitem__(made, key, value)
    if attributes:
        vars(made).update(attributes)
    for name, value in slots.items():
        object.__setattr__(made, name, value)
