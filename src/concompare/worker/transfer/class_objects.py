"""Classes that cross by value: a process that has a class keeps it as it is, whatever comes back.

A class of the notebook goes along whole with every object of it, to workers and back again. To read it must not make it
anew, nor write into the one that is there: its methods would be other ones, with other globals. Only a worker takes a
class over again from the notebook, which may have changed it since.
"""

from __future__ import annotations

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
