"""The waves of a work queue: calls made together for all items that wait, while the loop runs as it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from concompare.cells.inlining.queues import WAVE, Queue
from concompare.cells.ir import Loop
from concompare.cells.replay.binding import Lifted
from concompare.cells.replay.collect import Collect
from concompare.errors import CellRefused
from concompare.worker.early_calls import is_plain

if TYPE_CHECKING:
    from concompare.cells.program import Hook

FIRST, MOST = 64, 4096
"""Items of the first wave, and of the largest: each may take twice as many as the one before."""
ENOUGH, WORTH = 16, 4
"""Calls from which on the use of waves is judged, and how many made may be for one that was needed."""


class Waves:
    """Makes the calls of one loop.

    Args:
        hook: Of the cell.
        found: The loop.

    Attributes:
        lifted: The calls as a loop, once there was a wave.
    """

    def __init__(self, hook: Hook, found: Queue) -> None:
        self.hook, self.queue = hook, found
        self.lifted: Lifted | None = None
        self.results: dict[str, Any] = {}
        self.size, self.made, self.used = FIRST, 0, 0
        self.ended = False

    def ready(self, *arguments: Any) -> bool:
        """Tell whether there is a result of the call, after a wave where it takes one."""
        if not all(map(is_plain, arguments)):
            return False
        key = repr(arguments)
        if key not in self.results and not self.ended:
            self.compute(key, arguments)
        return key in self.results

    def take(self, *arguments: Any) -> Any:
        """Return the result of a call; another call makes its own."""
        self.used += 1
        return self.results.pop(repr(arguments))

    def compute(self, key: str, arguments: tuple[Any, ...]) -> None:
        """Make the call for an item and those that wait behind it."""
        found = {key: arguments}
        for other in self.queue.waiting(self.hook.namespace):
            if len(found) >= self.size:
                break
            if repr(other) not in self.results:
                found.setdefault(repr(other), other)
        if len(found) < 2 or (self.made >= ENOUGH and self.used * WORTH < self.made):
            return
        self.size = min(2 * self.size, MOST)
        self.made += len(found)
        self.results |= zip(found, self.values(list(found.values())), strict=False)

    def values(self, items: list[tuple[Any, ...]]) -> list[Any]:
        """Return the results of calls, up to the first that raises: the loop meets that error in its turn."""
        side: Collect | None = None
        try:
            if self.lifted is None:
                self.lifted = self.hook.lift(self.queue.batch, items, None)
                self.hook.cell.lifted.append(self.lifted)
            task, bound = self.lifted.bind(self.hook.namespace, items)
            assert isinstance(bound, Collect)
            side = bound
            self.hook.runner.run(task, self.lifted)
        except CellRefused:
            self.ended = True
        except Exception:
            self.ended = side is None
        return side.result if side is not None else []


def run(hook: Hook, found: Queue, loop: Loop, refusal: CellRefused) -> bool:
    """Run a `while` loop as it is written, with the results of waves; tells whether it came to its end."""
    from concompare.cells.program import Hook, Refused

    waves = Waves(hook, found)
    hook.namespace[WAVE] = waves
    try:
        return bool(Hook.plain(hook, found.loop, None))
    finally:
        del hook.namespace[WAVE]
        if waves.lifted is None:
            hook.cell.refused.append(Refused(loop, refusal))
