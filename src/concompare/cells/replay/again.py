"""Names that an item's head gave values which no process can give back: had by computing the item again here."""

from __future__ import annotations

import contextlib
import gc
import io
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from concompare.cells.distribution.code.generated import Generated
from concompare.cells.ir import OURS
from concompare.worker.bound_names import BOUND

PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None), type, types.ModuleType})
MOST = 10_000
"""Objects that are looked at for what names hold."""
UNSENT = OURS + "unsent"
"""What names the names whose values a worker could not send, among those that came."""


class Enough(BaseException):
    """Raised by a record that has as many entries as were asked for."""


class Counted(list[Any]):
    """A record that stops its head after some entries."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def append(self, entry: Any) -> None:
        """Take an entry, or stop."""
        if len(self) >= self.most:
            raise Enough
        super().append(entry)


def unsent(made: Generated, found: Mapping[str, Any]) -> set[str]:
    """Return the names that a head has given values which no process can give back, or no other thread can use."""
    return {*found.get(UNSENT, ()), *(found.get(BOUND, ()) if not made.once else ())} & set(made.kept)


def names_again(
    made: Generated, function: Callable[..., Any], wanted: set[str], turns: Iterable[tuple[Any, int]]
) -> dict[str, Any]:
    """Return names' values by computing items again, later ones first, each as far as its record has so many entries.

    Args:
        made: The code of the loop.
        function: Its head.
        wanted: The names.
        turns: The items, and for each how many entries its record may have.
    """
    values: dict[str, Any] = {}
    for item, most in () if made.once else turns:
        if not wanted:
            break
        found = names_of(made, function, item, most)
        had = {name: value for name, value in found.items() if name in wanted}
        values |= linked(found, had) | had
        wanted = wanted - set(found)
    return values


def linked(found: Mapping[str, Any], had: Mapping[str, Any]) -> dict[str, Any]:
    """Return those other names whose objects the objects of some names hold: a writer, and the buffer that it fills."""
    names = {id(value): name for name, value in found.items() if name not in had and type(value) not in PLAIN}
    waiting, seen, values = list(had.values()), set[int](), dict[str, Any]()
    while names and waiting and len(seen) < MOST:
        thing = waiting.pop()
        if id(thing) in seen or type(thing) in PLAIN:
            continue
        seen.add(id(thing))
        if id(thing) in names:
            values[names[id(thing)]] = thing
        waiting += thing.__closure__ or () if isinstance(thing, types.FunctionType) else gc.get_referents(thing)
    return values


def names_of(made: Generated, function: Callable[..., Any], item: Any, most: int) -> Mapping[str, Any]:
    """Return the names that a head has given values when its record has so many entries."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            found: Mapping[str, Any] = function(item, None if made.direct else Counted(most))[1]
        except (Enough, Exception) as stop:
            trace = stop.__traceback__
            while trace is not None and trace.tb_frame.f_code is not function.__code__:
                trace = trace.tb_next
            local = trace.tb_frame.f_locals if trace is not None else {}
            return {name: local[name] for name in made.kept if name in local}
        return found
