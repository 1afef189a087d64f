"""The stage of every part of a body: loop distribution over front, head and tail.

After Kennedy and Allen (Optimizing Compilers for Modern Architectures, chapter 5) and decoupled software pipelining
(Ottoni and others, 2005): parts that belong to a cycle of the dependence graph across iterations run in the notebook,
in order; all others run in workers. What depends on a part of the tail is in the tail too; where work would be lost by
that, the parts it depends on are moved to the front, if nothing of them needs the work of a worker.
"""

from __future__ import annotations

from concompare.cells.distribution.advice import Advice
from concompare.cells.distribution.control import Control
from concompare.cells.distribution.dependences import Dependences
from concompare.cells.distribution.rules import NamedRules
from concompare.cells.distribution.seeds import Seeds
from concompare.cells.distribution.staging import Body, Staged
from concompare.cells.distribution.touches import Touches
from concompare.cells.ir import Analysed, Stage


class Solver:
    """Finds the stages of one body."""

    def __init__(self, analysed: Analysed, *, seeded: bool = False) -> None:
        self.body = Body(analysed, seeded=seeded)
        touches = self.touches = Touches(analysed)
        self.seeds = Seeds(self.body, touches)
        self.dependences = Dependences(self.body, touches)
        self.control = Control(self.body)
        self.rules = NamedRules(self.body, self.control)

    def solve(self) -> Staged:
        """Return the stages."""
        self.seeds.refuse_fatal()
        self.seeds.seed()
        while self.body.changed:
            self.body.changed = False
            self.body.analysed.budget.step(len(self.body.parent))
            self.dependences.through_names()
            self.dependences.through_objects()
            self.dependences.through_operands()
            for statement in self.body.loop.body:
                if statement in self.body.holding_tail:
                    self.control.through_tree(statement)
            self.rules.apply()
        self.explain()
        return self.body.staged

    def explain(self) -> None:
        """Say why heavy calls stay in the notebook."""
        advice = Advice(self.body, self.touches)
        for node, found in self.body.analysed.effects.items():
            if found.heavy and self.body.staged.of(node) is Stage.TAIL:
                why = advice.of(node)
                self.body.staged.reasons.append(why)
                self.body.staged.stays[node] = why


def stages_of(analysed: Analysed, *, seeded: bool = False) -> Staged:
    """Return the stage of every part of a body."""
    return Solver(analysed, seeded=seeded).solve()
