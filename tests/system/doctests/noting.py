"""Notes what becomes of each loop of the decorated functions: where it ran, or why it did not."""

from __future__ import annotations

import time
from typing import Any

from concompare.cells.inside import following, work
from concompare.cells.ir import Loop
from concompare.errors import CellRefused
from concompare.run import dispatch

Place = tuple[str, int, int]
"""A loop: file, line, column."""


class Notes:
    """What was seen of loops since the last `take`.

    Attributes:
        lifted: Runs in workers, by loop; `plain`: runs that workers were tried for and that ended as the plain loop.
        refused: Kind and text of the reason, by loop.
        slowest: Seconds of computing that one look at a loop took at most, by loop.
    """

    def __init__(self) -> None:
        self.lifted: dict[Place, int] = {}
        self.plain: dict[Place, str] = {}
        self.refused: dict[Place, tuple[str, str]] = {}
        self.slowest: dict[Place, float] = {}
        self.last_note = ""

    def take(self) -> dict[str, Any]:
        """Return what was seen as JSON, and forget it."""
        found = {word: list(getattr(self, word).items()) for word in ("lifted", "plain", "refused", "slowest")}
        self.__init__()  # type: ignore[misc]
        return found


NOTES = Notes()


def place_of(hook: following.FrameHook, loop: Loop) -> Place:
    return hook.cell.wishes.filename, loop.line, loop.node.col_offset


class Noting(following.FrameHook):
    """Runs a loop as the hook does, and notes what becomes of it."""

    def lift(self, loop: Loop, walked: Any, taken: list[Any] | None) -> Any:
        began = time.thread_time()
        try:
            return super().lift(loop, walked, taken)
        finally:
            place, seconds = place_of(self, loop), time.thread_time() - began
            NOTES.slowest[place] = max(seconds, NOTES.slowest.get(place, 0.0))

    def refuse(self, loop: Loop, items: Any, refusal: CellRefused) -> Any:
        NOTES.refused.setdefault(place_of(self, loop), (str(refusal.code), str(refusal)))
        return super().refuse(loop, items, refusal)

    def run(self, loop: Loop, found: Any, task: Any, side: Any) -> Any:
        NOTES.last_note = ""
        try:
            return super().run(loop, found, task, side)
        finally:
            place = place_of(self, loop)
            if NOTES.last_note:
                NOTES.plain[place] = NOTES.last_note
            else:
                NOTES.lifted[place] = NOTES.lifted.get(place, 0) + 1


def begin(*, light: bool = False) -> None:
    """Note what becomes of loops from now on; `light`: those without a call that may take long are looked at too."""
    run = dispatch.run

    def noted(task: Any, request: Any) -> dispatch.Ran:
        ran = run(task, request)
        NOTES.last_note = ran.note
        return ran

    setattr(following, "FrameHook", Noting)  # noqa: B010 (a class in the place of another)
    setattr(dispatch, "run", noted)  # noqa: B010
    if light:
        setattr(work.Work, "is_heavy", lambda self, loop, function: True)  # noqa: B010
