"""The items of a loop as they are handed to workers, and kept until their tail has been replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from concompare.worker.transfer.object_refs import ATOMS

CHECKED = 100
"""Items that are looked at as they are made."""


class Items:
    """The items of a loop: handed out once, and kept until their tail has been replayed."""

    def __init__(self, iterable: Any) -> None:
        self.known: Any = iterable if type(iterable) in (list, tuple, range) else None
        self.waiting: dict[int, Any] = {}
        self.iterable = iterable
        self.unused: frozenset[int] = frozenset()
        """Places of tuples whose parts the head does not look at: they need not go to the workers."""
        self.keep = False
        """All items are kept: an earlier one may be needed again for the names that it left."""

    def handed(self, check: Callable[[list[Any]], None]) -> Iterator[Any]:
        """Yield the items, remembering those whose tail is still to come; the first ones are checked."""
        kept: list[Any] | None = [] if self.keep else None
        if kept is not None:
            self.known = kept
        for position, item in enumerate(self.iterable):
            if kept is not None:
                kept.append(item)
            else:
                self.waiting[position] = item
            if position < CHECKED:  # where it is refused, the plain loop meets it
                check([item])
            yield self.sent(item) if self.unused else item

    def sent(self, item: Any) -> Any:
        """Return an item as it goes to a worker."""
        if type(item) is not tuple or len(item) <= max(self.unused):
            return item
        return tuple(
            None if place in self.unused and type(part) not in ATOMS else part for place, part in enumerate(item)
        )

    def take(self, position: int) -> Any:
        """Return an item whose tail is replayed now."""
        return self.known[position] if self.known is not None else self.waiting.pop(position)

    def see(self, position: int) -> Any:
        """Return an item that was handed out, or raise LookupError."""
        return self.known[position] if self.known is not None else self.waiting[position]
