"""Stand-in for `sorted` in `sorted(xs, key=f)`: it has the keys computed in workers first."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concompare.cells.forms import callers
from concompare.cells.ir import Loop, Why
from concompare.cells.replay import purity
from concompare.cells.replay.calling import plans
from concompare.cells.replay.calling.plans import Plan
from concompare.cells.replay.calling.standing import Singly, StandIn, Walked
from concompare.errors import CellRefused

if TYPE_CHECKING:
    from concompare.cells.program import Hook


@dataclass
class Caller:
    """Calls what is called, with the values of its function computed before.

    Args:
        hook: Of the cell.
        loop: The call as it is written.
        called: What is called.
    """

    hook: Hook
    loop: Loop
    called: Any

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Make the call."""
        plan = plans.plan_of(self.loop, self.called, args, named, self.hook.namespace)
        if plan is None:
            return self.called(*args, **named)
        word = self.name_function(plan)
        walked = plan.items if type(plan.items) is list else Walked(iter(plan.items))
        again = walked.again() if isinstance(walked, Walked) else walked
        values = self.values(plan, walked)
        if isinstance(values, CellRefused):
            if word is not None:
                self.hook.namespace.pop(word, None)  # the plain cell drops it with the call
            if is_trifle(values) and len(self.hook.cell.loops) > 1:
                return plan.again(again, plan.function)
            return self.hook.refuse_play(plan.loop, values, lambda: plan.again(again, plan.function))
        expected = plan.given or Singly(walked.seen if isinstance(walked, Walked) else walked, spread=plan.spread)
        return plan.again(again, StandIn(plan.function, expected, values))

    def refused(self, plan: Plan, again: Any, refusal: CellRefused) -> Any:
        """Make the call as it is written."""
        if is_trifle(refusal) and len(self.hook.cell.loops) > 1:
            return plan.again(again, plan.function)
        return self.hook.refuse_play(plan.loop, refusal, lambda: plan.again(again, plan.function))

    def name_function(self, plan: Plan) -> str | None:
        """Give the function a name of ours, where the cell makes it in the call; returns that."""
        call = plan.loop.plainly.elt if plan.loop.plainly is not None else None
        func = call.func if isinstance(call, ast.Call) else None
        if isinstance(func, ast.Name) and func.id.startswith(callers.FUNCTION):
            self.hook.namespace[func.id] = plan.function
            return func.id
        return None

    def values(self, plan: Plan, walked: Any) -> Iterator[Any] | CellRefused:
        """Return what the function gives for each item, or why it cannot be computed so; raises where it raised.

        A reason is returned, not raised, lest it becomes the context of what the plain call raises.
        """
        try:
            return self.computed(plan, walked)
        except CellRefused as refusal:
            return refusal

    def computed(self, plan: Plan, walked: Any) -> Iterator[Any]:
        """Return what the function gives for each item."""
        hook, loop = self.hook, plan.loop
        if (why := hook.cell.why_unseen(hook.namespace)) is not None:
            raise CellRefused(f"{why}.", loop.line)
        found = hook.lift(loop, plan.items, None)
        if loop.timeless:
            purity.timeless(found.staged, plan.items, hook.cell.tree)
        found.statement = hook.cell.place_of(self.loop)
        task, side = found.bind(hook.namespace, walked, plan.bar)
        return iter(hook.run(loop, found, task, side))


def is_trifle(refusal: CellRefused) -> bool:
    """Tell whether there is nothing in a loop that is worth a worker."""
    return refusal.code == Why.NOTHING
