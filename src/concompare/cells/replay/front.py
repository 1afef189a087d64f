"""The front at run time: items go out as pairs with the values that the notebook has computed for them ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from concompare.cells.distribution.ahead import shadows
from concompare.cells.distribution.ahead.rewriting import Ahead
from concompare.cells.objects import is_atom
from concompare.cells.replay import compiling

if TYPE_CHECKING:
    from concompare.cells.replay.twice import Twice

MOST = 10_000
"""Iterations of a `while` that the front runs ahead of the tail: the tail may be what ends the loop."""
TURNS = 10_000
"""Turns of inner loops that the front makes for one item: what ends a loop may be something that it leaves out."""
TURNED = -1
"""The number on the tape of how many there were."""
Tape = dict[int, Any]


class Walk:
    """The items of a loop, the last of which is kept; they are made with the notebook's own objects in place.

    Attributes:
        last: The item that was given last.
        given: Whether one was given at all.
        failed: The items themselves raised an error.
    """

    def __init__(self, front: Front, items: Any) -> None:
        self.front, self.inside = front, front.twice is not None
        self.iterator = iter(items if not self.inside else ())
        self.last: Any = None
        self.given = self.failed = False

    def __iter__(self) -> Walk:
        return self

    def __next__(self) -> Any:
        shadow = self.front.shadow if not self.inside else None
        if shadow is not None:
            shadow.leave()
        try:
            self.given = False
            self.last = next(self.iterator)
            self.given = True
        except StopIteration:
            raise
        except BaseException:
            self.failed = True
            raise
        finally:
            if shadow is not None:
                shadow.enter()
        return self.last


class Front:
    """Computes ahead of the workers, on copies of what it changes.

    Args:
        ahead: The code.
        namespace: The notebook's names.
        items: What the loop walks; None for a `while`.
        filename: Of the cell.
        twice: Walks a copy of that.

    Attributes:
        failed: It could not go on: from there on the plain loop runs, which meets whatever it was in its turn.
    """

    def __init__(
        self, ahead: Ahead, namespace: dict[str, Any], items: Any, filename: str, twice: Twice | None = None
    ) -> None:
        self.twice = twice
        self.ahead, self.namespace, self.filename = ahead, namespace, filename
        self.walk = Walk(self, items if items is not None else ())
        self.shadow: shadows.Shadows | None = None
        self.failed = False
        self.done: Callable[[], int] = lambda: 0
        """Tells how many items the tail has done."""

    def pairs(self) -> Iterator[Any]:
        """Yield each item with its tape, or the tape alone where there are no items."""
        try:
            walked = self.twice.things if self.twice is not None else []
            changed = [*self.ahead.changed, *[thing for thing in walked if not self.changes(thing)]]
            shadow = self.shadow = shadows.Shadows(changed, self.namespace)
            self.walk.iterator = self.twice.copy(shadow) if self.twice is not None else self.walk.iterator
        except (TypeError, ValueError, OSError):
            self.failed = True
            return
        try:
            yield from self.computed(shadow)
        finally:
            self.close()

    def close(self) -> None:
        """Close the files that were opened once more."""
        if self.shadow is not None:
            self.shadow.close()

    def computed(self, shadow: shadows.Shadows) -> Iterator[Any]:
        """Yield the pairs, with the copies that stand for what the front changes."""
        function = compiling.function(self.ahead.front, self.namespace, self.filename)
        starts = [shadow.of(self.namespace[name]) for name in self.ahead.begins]
        following = function(self.walk, put, keep, as_it_is, turn, *starts)
        for given in count():
            if self.ahead.loop.items is None and given - self.done() > MOST:
                self.failed = True
                return
            shadow.enter()
            try:
                pair = next(following)
            except StopIteration:
                return
            except Exception:
                if self.walk.failed and self.twice is None:
                    raise
                self.failed = True
                return
            finally:
                shadow.leave()
            yield pair

    def changes(self, thing: Any) -> bool:
        """Tell whether the front changes an object."""
        return any(one is thing for one in self.ahead.changed)

    def is_stale(self) -> bool:
        """Tell whether what was read ahead may be old by now: somebody has written to a file."""
        return self.shadow is not None and self.shadow.is_stale()

    def items_of(self, pairs: list[Any]) -> list[Any]:
        """Return the items of the loop among what goes out."""
        return [pair[0] for pair in pairs] if self.ahead.loop.items is not None else []

    def is_end(self, tape: Any) -> bool:
        """Tell whether a `while` ended here because its condition was false."""
        return self.ahead.test is not None and bool(tape.get(self.ahead.test))

    def left(self) -> Any:
        """Return the items that nothing was computed for, the one at which the front failed first."""
        return chain([self.walk.last], self.walk.iterator) if self.walk.given else self.walk.iterator


def put(tape: Tape, number: int, value: Any) -> Any:
    """Note a value that an item needs once."""
    tape[number] = value
    return value


def keep(tape: Tape, number: int, value: Any) -> Any:
    """Note a value that an item may need several times, each in its turn."""
    tape.setdefault(number, []).append(value)
    return value


def turn(tape: Tape) -> None:
    """Count a turn of an inner loop.

    Raises:
        RuntimeError: That was one too many; the plain loop goes on from here.
    """
    tape[TURNED] = tape.get(TURNED, 0) + 1
    if tape[TURNED] > TURNS:
        raise RuntimeError


def as_it_is(value: Any) -> Any:
    """Return a value that stays as it is now, though the front goes on to change the original."""
    return value if is_atom(value) else shadows.shadow_of(value)


__all__ = ["Front"]
