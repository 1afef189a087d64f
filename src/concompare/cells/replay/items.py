"""The items of a loop as they are handed to workers, and kept until their tail has been replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

CHECKED = 100
"""Items that are looked at as they are made."""


class Items:
    """The items of a loop: handed out once, and kept until their tail has been replayed."""

    def __init__(self, iterable: Any) -> None:
        self.known: Any = iterable if type(iterable) in (list, tuple, range) else None
        self.waiting: dict[int, Any] = {}
        self.iterable = iterable
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
            yield item

    def take(self, position: int) -> Any:
        """Return an item whose tail is replayed now."""
        return self.known[position] if self.known is not None else self.waiting.pop(position)

    def see(self, position: int) -> Any:
        """Return an item that was handed out, or raise LookupError."""
        return self.known[position] if self.known is not None else self.waiting[position]
