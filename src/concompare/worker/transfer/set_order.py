"""The order in which a set gives its elements, kept where it crosses to another process.

It depends on how the set came about: elements were put in one after another, where two wanted the same slot the first
one had it, and a set from which much was taken is larger than it need be. A pickle puts the elements in again in the
order of their slots, which may give another order. So it says beside the set in which order they are to be put in, and
how many slots there were; to find that out, CPython's search for a free slot is gone through backwards, and what comes
out is tried.

Elements that another process hashes otherwise (text, objects known by their address) have an order of their own there,
so they are left alone; a `frozenset`, which cannot be filled in again, too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from typing import Any

MARK = b"\x8f\x94"
"""What a pickle says where a set begins, and by chance elsewhere."""
LEAST = 8
"""Slots of the smallest set."""
EMPTY = sys.getsizeof(set())
ENTRY = 16 if sys.maxsize > 1 << 32 else 8
IN_A_ROW, SHIFT, BITS = 9, 5, sys.hash_info.width
"""Slots that are looked at beside each other, and bits of the hash that the search goes on with: `setobject.c`."""
NEAR, OPEN = 24, 24
"""Slots of an element that come into question, and ways to give out the slots so far that are followed at once."""
LARGEST = 20_000
"""Elements up to which an order is looked for."""
MOVED = 12
"""Times that an element is put in later than the others because it did not come where it was."""

Order = tuple[set[Any], list[Any], int]
"""A set, its elements as they are to be put in, and its slots."""


def moved(memo: Any) -> list[Order]:
    """Return how to fill in the sets that would have another order on the other side.

    Args:
        memo: Of the pickler that has written them.
    """
    found = [thing for _, thing in memo.copy().values() if type(thing) is set and 1 < len(thing) <= LARGEST]
    return [(thing, order, slots_of(thing)) for thing in found if (order := order_of(thing)) is not None]


class InOrder:
    """A value that is pickled with the orders of sets in it, and read as the value."""

    def __init__(self, value: Any, orders: list[Order]) -> None:
        self.value, self.orders = value, orders

    def __reduce__(self) -> Any:
        return in_order, (self.value, self.orders)


def in_order(value: Any, orders: list[Order]) -> Any:
    """Return a value whose sets have been filled in again."""
    for thing, order, slots in orders:
        fill(thing, order, slots)
    return value


def order_of(thing: set[Any]) -> list[Any] | None:
    """Return an order in which a set's elements give the set as it is; None: their own order does, or none is known."""
    wanted = list(thing)
    if list(set(wanted)) == wanted or not all(map(is_hashed_alike, wanted)):
        return None
    slots = slots_of(thing)
    found = later(wanted, slots)
    if found is None and (places := places_of(wanted, slots)) is not None:
        found = by_places(wanted, places, slots)
    return found if found is not None and list(fill(set(), found, slots)) == wanted else None


def is_hashed_alike(element: Any) -> bool:
    """Tell whether every process has the same hash for an element."""
    kind = type(element)
    if kind is int or kind is bool:
        return True
    if kind is float or kind is complex:
        return bool(element == element)  # a nan is known by its address
    return kind is tuple and all(map(is_hashed_alike, element))


def slots_of(thing: set[Any]) -> int:
    """Return how many slots a set has."""
    return max(LEAST, (sys.getsizeof(thing) - EMPTY) // ENTRY)


def fill(thing: set[Any], order: list[Any], slots: int) -> set[Any]:
    """Put elements into an emptied set one after another, and return it; it has its slots before the first.

    So many are made at once for the keys of a dict: the least power of two above twice their number. None is made
    anew where others go, as long as those are a quarter of them at the most.
    """
    thing.clear()
    at_once = max(slots // 4, 5) if slots > LEAST else 0
    beside = [object() for _ in range(at_once - len(order))]
    thing.update(dict.fromkeys([*order[:at_once], *beside]))
    thing.update(order[at_once:])
    thing.difference_update(beside)
    return thing


def later(wanted: list[Any], slots: int) -> list[Any] | None:
    """Return the elements in their order but for a few, which find their slots taken where they are put in last."""
    order, again = list(wanted), set[Any]()
    for _ in range(MOVED):
        found = list(fill(set(), order, slots))
        if found == wanted:
            return order
        mine, other = next((one, two) for one, two in zip(wanted, found, strict=True) if one is not two)
        element = other if mine in again else mine
        if element in again:
            return None
        again.add(element)
        order.remove(element)
        order.append(element)
    return None


def search(element: Any, mask: int) -> Iterator[int]:
    """Yield the slots in which an element is looked for, one after another."""
    rest = hash(element) & (1 << BITS) - 1
    slot = rest & mask
    while True:
        yield slot
        if slot + IN_A_ROW <= mask:
            yield from range(slot + 1, slot + IN_A_ROW + 1)
        rest >>= SHIFT
        slot = (slot * 5 + 1 + rest) & mask


def near(element: Any, mask: int) -> list[int]:
    """Return the first slots in which an element is looked for."""
    found: dict[int, None] = {}
    for slot, _ in zip(search(element, mask), count(), strict=False):
        found[slot] = None
        if len(found) == min(NEAR, mask + 1):
            break
    return list(found)


def places_of(wanted: list[Any], slots: int) -> list[int] | None:
    """Return slots for elements that have them in this order: those in which they are looked for as early as can be."""
    ways: list[tuple[int, int, Any]] = [(-1, 0, None)]  # the last slot, what the way has cost, the way
    for element in wanted:
        cheapest: dict[int, tuple[int, int, Any]] = {}
        for cost, slot in enumerate(near(element, slots - 1)):
            before = min((way for way in ways if way[0] < slot), key=lambda way: way[1], default=None)
            if before is not None:
                cheapest[slot] = slot, before[1] + cost, (slot, before[2])
        ways, least = [], sys.maxsize
        for _, way in sorted(cheapest.items()):  # a way that is further on has to be cheaper
            if way[1] < least:
                ways.append(way)
                least = way[1]
        ways = ways[-OPEN:]
        if not ways:
            return None
    places, way = [], min(ways, key=lambda way: way[1])[2]
    while way is not None:
        slot, way = way
        places.append(slot)
    return places[::-1]


def by_places(wanted: list[Any], places: list[int], slots: int) -> list[Any] | None:
    """Return elements so that each comes after those in whose slots it was looked for first; None: there is no such."""
    there = dict(zip(places, wanted, strict=True))
    order: dict[Any, None] = {}
    for first, place in zip(wanted, places, strict=True):
        waiting = [(first, place)]
        while waiting:
            element, slot = waiting[-1]
            before = next((one for one in earlier(element, slot, slots) if there.get(one) not in order), None)
            if before is None:
                order[element] = None
                waiting.pop()
            elif before not in there or len(waiting) > len(wanted):
                return None
            else:
                waiting.append((there[before], before))
    return list(order)


def earlier(element: Any, slot: int, slots: int) -> Iterator[int]:
    """Yield the slots in which an element is looked for before it is found in its own."""
    for one in search(element, slots - 1):
        if one == slot:
            return
        yield one
