"""The code of the stages as data: the head, and the actions of the tail."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from concompare.cells.distribution.code.record import RECORD
from concompare.cells.distribution.staging import Staged
from concompare.cells.ir import OURS, Loop, Stage

HELD = OURS + "held"
"""How the names begin of what the tail holds from one action to a later one."""


@dataclass
class Action:
    """A part of the tail.

    Attributes:
        number: Its number in the record.
        code: Its statements, as the user wrote them but for the values that the head has computed.
        values: The names of ours that stand for these values, in order.
        names: The user's names that it reads and the head has given values, in order.
        unsure: Those names that the head may not have given a value; they come as a dict, last.
        early: Those of the values that are calls which the head makes early.
        jumps: It may end the iteration or the loop; `ends`: as the condition of a `while` does.
        inner: What it may end is a turn of an inner loop, which is no more than the action itself.
        opens: The name that an `except … as` begins with; `closes`: the one that it deletes, however it is left.
    """

    number: int
    code: list[ast.stmt]
    values: list[str] = field(default_factory=list)
    operands: list[ast.expr] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    jumps: bool = False
    ends: bool = False
    inner: bool = False
    opens: str = ""
    closes: str = ""

    @property
    def size(self) -> int:
        """Return how many values an entry of it has."""
        return len(self.values) + len(self.names) + bool(self.unsure)


@dataclass
class Generated:
    """The code of a loop, by stage.

    Attributes:
        head: The function that workers call with an item.
        actions: What the tail does, by number.
        direct: Every item does the one action there is, last: the head gives back its values instead of a record.
        kept: The names that the head assigns and the plain loop leaves behind.
        sure: Those of them that every item assigns.
        gone: The names that the body deletes in the head, as those of an `except … as` are.
        unsent: Those of `kept` whose values cannot be handed over; `once`: the head must not run again to make them.
    """

    loop: Loop
    head: ast.FunctionDef | ast.AsyncFunctionDef
    actions: list[Action]
    direct: bool
    kept: list[str]
    sure: set[str]
    staged: Staged
    stops: bool = False
    gone: frozenset[str] = frozenset()
    unsent: frozenset[str] = frozenset()
    once: bool = False

    @property
    def temporaries(self) -> tuple[str, ...]:
        """Return the names that a failing head leaves behind for the notebook, the record among them."""
        return (*self.kept, *([RECORD] if self.recorded else []))

    def is_done_again(self, error: BaseException | None) -> bool:
        """Tell whether the plain loop goes on from an item that raised in a worker: only there is its error whole.

        The frames of functions whose bodies stand in the head are not in the error of the head.
        """
        if not self.loop.expanded or self.once or not isinstance(error, Exception):
            return False
        found = self.staged.analysed.effects.items()
        return not any(effects.order and self.staged.of(node) is Stage.HEAD for node, effects in found)

    @property
    def recorded(self) -> bool:
        """Tell whether the record of a failing head is played."""
        if self.loop.collects:
            inner = any(action.inner for action in self.actions)
            return not self.direct and (len(self.actions) > 1 or inner or self.staged.items_change)
        return not self.direct and (bool(self.actions) or self.staged.items_change)
