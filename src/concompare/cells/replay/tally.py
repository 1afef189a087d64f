"""How many of the calls that workers made early were needed: where few are, the loop goes on without them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from concompare.cells.distribution.code.generated import Generated
from concompare.cells.replay.items import Items

if TYPE_CHECKING:
    from concompare.cells.replay.front import Front

ENOUGH = 8
"""Items whose calls were made early from which on the use of that is judged."""
WORTH = 4
"""One in so many has to be needed: with as many workers, the plain loop would be no slower else."""


class Tally:
    """Counts calls that were made early, and those of them that the notebook needed.

    Args:
        made: The code of the loop.
    """

    def __init__(self, made: Generated) -> None:
        self.places = [[part.values.index(word) for word in part.early] for part in made.actions]
        self.made = self.used = self.items = 0

    def handed(self, number: int, values: Sequence[Any]) -> Sequence[Any]:
        """Return the values of an action, which takes the results of early calls one by one."""
        from concompare.worker.early_calls import Results

        found = list(values)
        for place in self.places[number]:
            found[place] = Results(found[place])
        return found

    def take(self, number: int, values: Sequence[Any]) -> None:
        """Count the calls of an action that is done."""
        self.items += 1
        for place in self.places[number]:
            self.made += values[place].made
            self.used += values[place].used

    @property
    def in_vain(self) -> bool:
        """Whether most of the calls were not needed."""
        return self.items >= ENOUGH and self.used * WORTH < self.made


def handed_out(items: Items, position: int) -> list[Any]:
    """Return the items of a loop from a position on that were handed out; all of them, where there is a list."""
    if items.known is not None:
        return list(items.known[position:])
    return [item for _, item in sorted(items.waiting.items(), key=lambda pair: pair[0])]


def left_of(items: Items, position: int, front: Front | None) -> Any:
    """Return the items of a loop from a position on; of pairs with what a front has computed, only the items."""
    if items.twice is not None:
        return items.twice.left()
    if front is not None and front.failed:
        return front.left()
    found = handed_out(items, position)
    if front is not None:
        return chain(front.items_of(found), front.walk.iterator)
    return found if items.known is items.iterable else chain(found, items.iterable)
