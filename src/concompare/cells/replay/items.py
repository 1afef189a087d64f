"""The items of a loop as they are handed to workers, and kept until their tail has been replayed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from concompare.worker.transfer.object_refs import ATOMS

if TYPE_CHECKING:
    from concompare.cells.distribution.staging import Staged
    from concompare.cells.ir import Loop
    from concompare.cells.replay.front import Front
    from concompare.cells.replay.twice import Twice

CHECKED = 100
"""Items that are looked at as they are made."""


class Elsewhere(Exception):
    """Raised where what a loop walks gives something else than its copy has given before."""


def fits_twice(staged: Staged) -> bool:
    """Tell whether what a loop uses up is walked ahead, on a copy, and then again."""
    twice = staged.analysed.loop.twice
    return twice is not None and twice.fits(staged)


def twice_for(loop: Loop, *, paired: bool) -> Twice | None:
    """Return how what a loop uses up is walked twice, where it is; `paired`: with what a front has computed."""
    if loop.twice is None or not loop.twice.used:
        return None
    loop.twice.paired = paired
    return loop.twice


class Items:
    """The items of a loop: handed out once, and kept until their tail has been replayed."""

    def __init__(self, iterable: Any, twice: Twice | None = None) -> None:
        self.twice = twice
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
        item = self.known[position] if self.known is not None else self.waiting.pop(position)
        return item if self.twice is None else self.twice.take(item)

    def see(self, position: int) -> Any:
        """Return an item that was handed out, or raise LookupError."""
        item = self.known[position] if self.known is not None else self.waiting[position]
        return item if self.twice is None else self.twice.see(item)

    def close(self, front: Front | None) -> None:
        """Close the files that were opened once more, to be read ahead."""
        if self.twice is not None:
            self.twice.close()
        if front is not None:
            front.close()

    def go_on(self) -> bool:
        """Tell whether there is more in what the loop walks, once workers have done all that was seen of it ahead."""
        return self.twice is not None and self.twice.goes_on()
