"""Calls that a worker makes before the notebook knows whether it needs them, and what they gave.

Nothing but the standard library may be imported.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import islice
from typing import Any

from concompare.worker import log_records
from concompare.worker.capture import LISTENING

MOST = 256
"""Calls at one place that are made for one item."""
ATOMS = (str, bytes, int, bool, type(None), complex)

Pieces = list[tuple[str, Any]]
"""What a call has printed, logged and warned of: the stream or the kind, and the text or the record as bytes."""


class EarlyCalls:
    """Results of calls, in the order in which they were made: arguments, value, and what was printed.

    Attributes:
        made: How many calls were made.
    """

    def __init__(self) -> None:
        self.results: list[tuple[tuple[Any, ...], Any, Pieces]] = []
        self.made = 0


class Results:
    """Hand the results of calls out, each to one call of the notebook.

    Attributes:
        used: How many the notebook has made use of.
    """

    def __init__(self, calls: EarlyCalls) -> None:
        self.left = deque(calls.results)
        self.made, self.used = calls.made, 0

    def holds(self, *arguments: Any) -> bool:
        """Tell whether there is a result of a call with these arguments; those before it were not needed."""
        for place, (others, _, _) in enumerate(self.left):
            if len(others) == len(arguments) and all(map(same, others, arguments)):
                for _ in range(place):
                    self.left.popleft()
                return True
        return False

    def take(self) -> Any:
        """Return the result that was found, and show what its call has printed."""
        _, value, pieces = self.left.popleft()
        self.used += 1
        show(pieces)
        return value


def early(
    calls: Iterable[tuple[tuple[Any, ...], Callable[[], Any]]], contexts: tuple[Callable[[], Any], ...] = ()
) -> EarlyCalls:
    """Make calls; those that raise are left to the notebook, which may never come to them.

    Args:
        calls: Their arguments, where they are found by these, and what makes them.
        contexts: What makes the contexts that are around all of them in the notebook.
    """
    found = EarlyCalls()
    try:
        with ExitStack() as stack:
            for context in contexts:
                stack.enter_context(context())
            for arguments, call in islice(calls, MOST):
                found.made += 1
                if all(map(is_plain, arguments)):
                    make(found, arguments, call)
    except (Exception, SystemExit):
        pass  # what the calls walk, or ask, raised: the notebook meets it in its turn
    return found


def make(found: EarlyCalls, arguments: tuple[Any, ...], call: Callable[[], Any]) -> None:
    """Make one call and keep its result."""
    recorders = LISTENING.out
    output: list[Any] = recorders[0].done.output if recorders is not None else []
    before, output[:] = list(output), []
    try:
        value = call()
        pieces = [
            (kind, what if isinstance(what, str) else log_records.sendable(kind, what)) for _, kind, what in output
        ]
        found.results.append((arguments, value, pieces))
    except (Exception, SystemExit):
        pass  # the notebook makes the call again, if it comes to it
    finally:
        output[:] = before


def piece(kind: str, what: Any) -> tuple[str, Any]:
    """Return something that was printed, logged or warned of as what any process can be given."""
    return kind, what if isinstance(what, str) else log_records.sendable(kind, what)


def show(pieces: Pieces) -> None:
    """Let the notebook show what a call has printed."""
    for kind, what in pieces:
        if kind in log_records.KINDS:
            log_records.show_here(kind, what)
        else:
            getattr(sys, kind).write(what)


def is_plain(value: Any) -> bool:
    """Tell whether a value is known by what it is, in every process."""
    if type(value) is tuple:
        return all(map(is_plain, value))
    return type(value) in ATOMS or type(value) is float


def same(one: Any, other: Any) -> bool:
    """Tell whether two plain values are alike to every function."""
    if type(one) is not type(other):
        return False
    if type(one) is tuple:
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is float:
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return type(one) in ATOMS and bool(one == other)
