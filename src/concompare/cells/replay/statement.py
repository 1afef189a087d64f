"""The notebook's side of a `for` or `while`: plays the record of each item, and ends as the plain loop would."""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from concompare.cells.distribution.code.generated import Generated
from concompare.cells.distribution.code.record import BREAK, CHANGED, KEPT, RECORD
from concompare.cells.ir import OURS
from concompare.cells.replay import compiling
from concompare.cells.replay.again import names_again, unsent
from concompare.cells.replay.compiling import LEAVE, NEXT
from concompare.cells.replay.items import Elsewhere, Items
from concompare.cells.replay.tally import Tally, left_of
from concompare.cells.syntax.nodes import located
from concompare.cells.syntax.placing import placed
from concompare.errors import Interrupted
from concompare.worker.transfer.item_state import Keeper, Places, put_in, restore

if TYPE_CHECKING:
    from concompare.cells.replay.front import Front

OWN = OURS + "own"
"""What a worker names the names that a failing head had assigned itself, among those of the items before it."""
ITEM_NAME = OURS + "item"


class Replay:
    """Replays tails over the notebook's names.

    Args:
        made: The code of the loop.
        namespace: The notebook's names.
        items: The items.
        function: The head.
        filename: Of the cell.

    `halts` lets it end the pass where calls are made early in vain; `halted`: it has. `ended`: the condition of a
    `while` was false.
    """

    def __init__(
        self,
        made: Generated,
        namespace: dict[str, Any],
        items: Items,
        function: Callable[..., Any],
        filename: str,
    ) -> None:
        self.made, self.namespace, self.items, self.function = made, namespace, items, function
        self.filename = filename
        self.position = 0
        self.played = 0
        self.broken = self.stopped = self.failed = self.ended = False
        self.failing: Any = None
        self.left: Mapping[str, Any] = {}
        self.last: Any = None
        self.earlier: Any = None
        self.bar: Any = None
        self.front: Front | None = None
        self.keeper: Keeper | None = None
        self.actions = compiling.notebook_actions(made.actions, namespace, filename)
        self.tally = Tally(made)
        self.halts = self.halted = False
        self.only = made.actions[0] if made.direct else None
        self.gone = made.gone

    def bind_target(self, item: Any) -> None:
        """Bind the loop's target."""
        target = self.made.loop.target
        if target is None:
            return
        if isinstance(target, ast.Name):
            self.namespace[target.id] = item
            return
        if not hasattr(self, "binder"):
            value = located(ast.Name(ITEM_NAME, ast.Load()), target)
            module = ast.Module([located(ast.Assign([target], value), target)], [])
            self.binder = compiling.compiled(placed(module), self.filename, "exec", self.namespace)
        self.namespace[ITEM_NAME] = item
        try:
            exec(self.binder, self.namespace)
        finally:
            del self.namespace[ITEM_NAME]

    def apply(self, position: int, value: Any) -> bool:
        """Replay the tail of one item; True: the loop stopped here."""
        if self.front is not None and self.front.is_stale():
            return self.halt(position)
        try:
            item = self.items.take(position)
        except Elsewhere:
            return self.halt(position)
        self.earlier, self.last = self.last, item
        self.position = position + 1
        self.played, self.left = 0, {}
        self.bind_target(self.last)
        if self.bar is not None:
            self.bar.update(1)
        try:
            if self.only is not None:
                values = (value,) if self.only.size == 1 else value if self.only.size else ()
                self.stopped = self.play(0, values) == LEAVE
                self.ended = self.stopped and self.only.ends
            elif value:
                self.stopped = self.play_record(value)
        except BaseException:
            self.broken = True
            self.bind_kept(position, self.played - 1)
            raise
        if not self.stopped and self.halts and self.tally.in_vain:
            self.halted = self.stopped = True
        if self.stopped:
            self.bind_kept(position, sys.maxsize)
        return self.stopped

    def halt(self, position: int) -> bool:
        """End the pass before an item, from which on the plain loop goes on; True."""
        self.halted = self.stopped = True
        if position:
            self.bind_kept(position - 1, sys.maxsize)
        return True

    def is_through(self) -> bool:
        """Tell whether the loop has come to its end by itself, so that its `else` runs."""
        return not self.stopped or self.ended or (self.front is not None and self.front.is_end(self.last))

    def play_record(self, record: list[Any]) -> bool:
        """Play what the head asked for, in order; True: the loop stopped."""
        caught: list[str] = []
        try:
            return self.play_entries(record, caught)
        finally:
            for name in caught:
                self.namespace.pop(name, None)

    def play_entries(self, record: list[Any], caught: list[str]) -> bool:
        """Play entries; `caught` holds the names of the errors that are being handled."""
        left = False
        meant: Places = {}
        for number, *values in record:
            self.played += 1
            values = put_in(values, meant)
            if number == BREAK:  # what follows is what the blocks around it do when they are left
                self.left, left, self.ended = kept_in(record), True, bool(values)
                continue
            if number == KEPT:
                self.left = values[0]
                continue
            if number == CHANGED:
                own = self.last if not self.failed else self.failing
                meant = restore(own, values[0], values[1], self.made.staged.shared)
                continue
            told = self.play(number, values)
            part = self.made.actions[number]
            caught += [part.opens] if part.opens else []
            if part.closes:
                caught.remove(part.closes)
            if self.made.actions[number].inner:
                continue
            if told == LEAVE:
                self.left, self.ended = kept_in(record), part.ends
                return True
            if told == NEXT:
                break
        return left

    def play(self, number: int, values: Any) -> int | None:
        """Do one action."""
        part = self.made.actions[number]
        count = len(part.values)
        if part.names:
            for name, value in zip(part.names, values[count:], strict=False):
                self.namespace[name] = value
        if part.unsure:
            self.namespace.update(values[-1])
        if part.early:
            values = self.tally.handed(number, values)
        told = self.actions[number](*values[:count])
        if part.early:
            self.tally.take(number, values)
        for name in self.gone:
            self.namespace.pop(name, None)
        return told

    # -- what the loop leaves ----------------------------------------------------------------------------------------

    def bind_kept(self, position: int, played: int) -> None:
        """Bind the names that the head of the last item assigned, by computing that item once more in the notebook."""
        wanted = set(self.made.kept)
        if played == sys.maxsize:
            self.namespace.update(self.left)
            wanted -= set(self.left)
        turns = self.backwards(position)
        self.bind_again(wanted, ((item, played if place == position else sys.maxsize) for place, item in turns))

    def bind_again(self, wanted: set[str], turns: Iterable[tuple[Any, int]]) -> None:
        """Bind names by computing items once more."""
        self.namespace.update(names_again(self.made, self.function, wanted, turns))

    def remaining(self) -> Any:
        """Return the items that nothing was done with."""
        return left_of(self.items, self.position, self.front)

    def backwards(self, position: int) -> Iterator[tuple[int, Any]]:
        """Yield the last item and those before it, as far as they are still known."""
        yield position, self.last
        if self.items.known is not None:
            for earlier in range(position - 1, -1, -1):
                yield earlier, self.items.known[earlier]
        elif position:
            yield position - 1, self.earlier

    def put_back(self, first: int) -> None:
        """Give the items from a position on the states they had: the plain loop has not come that far."""
        if self.keeper is not None and self.items.known is not None:
            for item in self.items.known[first:]:
                self.keeper.put_back(item)

    def finish(self, found: Mapping[str, Any]) -> Any:
        """Bind what the head assigned; the loop has come to its end."""
        if self.stopped:
            self.put_back(self.position)
        if not self.stopped:
            self.halted = self.halted or self.items.go_on()
            found = {**found, **self.left}
            self.namespace.update({name: found[name] for name in self.made.kept if name in found})
            wanted = unsent(self.made, found) | {name for name in self.made.sure if name not in found}
            if self.position and wanted:
                self.bind_again(wanted, ((item, sys.maxsize) for _, item in self.backwards(self.position - 1)))
        self.clean()

    def fail(self, found: Mapping[str, Any]) -> None:
        """Leave the names as the plain loop would have left them when the item after the last replayed one raised."""
        self.put_back(self.position if self.broken else self.position + 1)
        if self.broken:
            self.clean()
            return
        error = sys.exc_info()[1]
        if self.made.is_done_again(error):
            self.halted = True
            self.put_back(self.position)
            if self.position:
                self.bind_kept(self.position - 1, sys.maxsize)
            self.clean()
            return
        interrupted = isinstance(error, Interrupted)
        try:
            item = self.items.see(self.position)
        except LookupError:
            item, interrupted = None, True
        kept = {name: found[name] for name in self.made.kept if name in found}
        if interrupted:
            self.namespace.update(kept)
            self.clean()
            return
        try:
            with contextlib.suppress(Exception):
                self.bind_target(item)
            own = found.get(OWN, ())
            self.namespace.update({name: value for name, value in kept.items() if name not in own})
            if RECORD in own:
                self.failed, self.failing, self.played = True, item, 0
                self.play_failing(found[RECORD], item)
            self.namespace.update(kept)
            before = self.backwards(self.position - 1) if self.position else ()
            self.bind_again(
                unsent(self.made, found), [(item, sys.maxsize), *((part, sys.maxsize) for _, part in before)]
            )
        finally:
            self.clean()

    def play_failing(self, record: list[Any], item: Any) -> None:
        """Play the record of an item whose head raised: the plain loop may not even have come that far."""
        try:
            self.play_record(record)
        except BaseException as error:
            self.earlier, self.last = self.last, item
            error.__suppress_context__ = True
            self.bind_kept(self.position, self.played - 1)
            raise

    def clean(self) -> None:
        """Close the progress bar that the loop walked through, and the files that were read ahead."""
        self.items.close(self.front)
        if self.bar is not None:
            self.bar.close()


def kept_in(record: list[Any]) -> Mapping[str, Any]:
    """Return the names that the head had when its iteration ended, as the record tells."""
    return next((entry[1] for entry in reversed(record) if entry[0] == KEPT), {})
