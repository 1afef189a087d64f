"""The progress bar around the items of a loop: its items are walked without it, and it moves as results come."""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

from concompare.cells.counting import another, counted, is_shared_by_others
from concompare.cells.objects import gives_its_own_way
from concompare.cells.replay import row_walks

VIEWS = ("dict_items", "dict_keys", "dict_values")
MOST = 100_000
"""Pairs that are listed."""
HELD_BY_CALLERS = 2
"""The names of `unwrapped` and `pairs_of` that hold what a bar walks."""


def unwrapped(items: Any, fresh: bool = False) -> tuple[Any, Any]:
    """Return what is walked as something with a fixed order, and the progress bar around it, if there is one.

    Args:
        items: What the loop walks.
        fresh: Whether the loop's own expression makes it, so that nobody else sees that another iterator is walked.
    """
    own = fresh and type(items) in (zip, enumerate)
    bar, items = within(items) if own else beneath(items)
    items = row_walks.labels_of(items)
    plain = isinstance(items, (dict, set, frozenset)) and not gives_its_own_way(type(items))
    if plain or type(items).__name__ in VIEWS:
        items = list(items)
    return (items if bar is None else pairs_of(bar, items, own)), bar


def beneath(items: Any) -> tuple[Any, Any]:
    """Return the bar that the items are, and what it walks; no bar, and the items, where they are none."""
    if is_bar(items) and hasattr(items, "iterable"):
        return items, items.iterable
    return None, items


def within(items: Any) -> tuple[Any, Any]:
    """Return the bars that a `zip` or `enumerate` walks as one, and the same over what they walk."""
    if is_shared_by_others(items):
        return None, items
    _, parts, *strict = items.__reduce__()
    bars = [bar for bar in map(begun_by, parts) if bar is not None]
    if not bars:
        return None, items
    walked = [beside(part) if (bar := begun_by(part)) is None else iter(bar.iterable) for part in parts]
    bar = bars[0] if len(bars) == 1 else Several(bars)
    if type(items) is enumerate:
        return bar, enumerate(*walked)
    return bar, zip(*walked, strict=bool(strict and strict[0]))


def beside(part: Any) -> Any:
    """Return an iterator that gives the same and leaves this one to the plain loop, where there can be one."""
    found = another(part) if hasattr(type(part), "__next__") else None
    return part if found is None else found


class Several:
    """Bars that move together, as those of two things that are walked side by side."""

    def __init__(self, bars: list[Any]) -> None:
        self.bars = bars

    def update(self, n: int) -> None:
        """Say that so many items more are done."""
        for bar in self.bars:
            bar.update(n)

    def close(self) -> None:
        """Leave the bars as they are."""
        for bar in self.bars:
            bar.close()


def pairs_of(bar: Any, items: Any, own: bool) -> Any:
    """Return the pairs of a `zip` or `enumerate` that only the bar has as a list, to be looked at; else the items."""
    number = counted(items) if type(items) in (zip, enumerate) else None
    if number is None or number > MOST or not (own or is_alone(bar)):
        return items
    found = another(items)
    return items if found is None else list(found)


def is_alone(bar: Any) -> bool:
    """Tell whether what a bar walks is held by the bar only."""
    alone = types.SimpleNamespace(iterable=zip(()))
    # Both are counted here while their callers' names hold the one more often than the other.
    return sys.getrefcount(bar.iterable) - HELD_BY_CALLERS <= sys.getrefcount(alone.iterable)


def begun_by(iterator: Any) -> Any:
    """Return the bar that made an iterator of which nothing has been asked yet, else None."""
    if type(iterator) is not types.GeneratorType or inspect.getgeneratorstate(iterator) != inspect.GEN_CREATED:
        return None
    bar = inspect.getgeneratorlocals(iterator).get("self")
    own = getattr(type(bar), "__iter__", None)
    made = is_bar(bar) and getattr(own, "__code__", None) is iterator.gi_code
    return bar if made and getattr(bar, "iterable", None) is not None else None


def is_bar(thing: Any) -> bool:
    """Tell whether an object is a bar of tqdm's."""
    return type(thing).__module__.partition(".")[0] == "tqdm"
