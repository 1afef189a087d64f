"""The parallel code of one cell while the cell runs: which pools it made, and what stands in for them."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from concompare.cells.forms import known_pools
from concompare.cells.ir import Loop
from concompare.cells.pools import executors, forks, mapping, multiprocess
from concompare.cells.pools.batches import Waiting
from concompare.cells.replay.binding import Lifted
from concompare.errors import CellRefused

if TYPE_CHECKING:
    from concompare.cells.program import Hook


class Session:
    """The pools of one cell.

    Args:
        hook: Runs the cell's loops.
        nodes: The expressions of the cell that may make pools, by number.
        urgent: Why no call may wait, or None.
    """

    def __init__(self, hook: Hook, nodes: list[ast.expr], urgent: str | None) -> None:
        self.hook, self.nodes, self.urgent = hook, nodes, urgent
        self.cell, self.namespace, self.runner = hook.cell, hook.namespace, hook.runner
        self.waiting: list[Waiting] = []
        self.told: list[ast.expr] = []
        self.borrowed: list[Callable[[], None]] = []
        self.trees: dict[ast.expr, ast.Module] = {}

    def inside(self, number: int, thing: Any, makers: list[ast.expr], tree: ast.Module, urgent: str | None) -> Any:
        """Return what a function that the cell calls calls in the place of one that makes a pool.

        Args:
            number: The number of the expression.
            thing: What it names.
            makers: Such expressions of the function.
            tree: The body of the function.
            urgent: Why no call of it may wait, or None.
        """
        node = makers[number]
        maker = MAKERS.get(known_pools.kind_of(thing) or "")
        if maker is None or urgent is not None:
            return thing
        if node not in self.trees:
            self.trees[node] = tree
            self.nodes.append(node)
        if forks.reused(self, node) & forks.handed_on(tree):
            return thing
        return maker(self, node, thing)

    def tree_of(self, node: ast.expr) -> ast.Module:
        """Return the code in which a pool is made: the cell, or the body of a function."""
        return self.trees.get(node, self.cell.tree)

    def stand_in(self, number: int, thing: Any) -> Any:
        """Return what the cell calls in the place of a function or class that it names."""
        kind = known_pools.kind_of(thing)
        maker = MAKERS.get(kind or "")
        if maker is None:
            if kind is not None and not self.cell.windows:
                self.as_written(self.nodes[number], thing, "it is not joined where it is started")
            return thing
        if self.urgent is not None and kind != "completed":
            self.as_written(self.nodes[number], thing, self.urgent)
            return thing
        return maker(self, self.nodes[number], thing)

    def adopt(self) -> None:
        """Stand in for the idle pools that an earlier cell has made and this one names."""
        if self.urgent is not None:
            return
        words = {node.id: node for node in ast.walk(self.cell.tree) if isinstance(node, ast.Name)}
        for name, node in words.items():
            thing = self.namespace.get(name)
            if executors.is_idle(thing):
                executors.stand_in(self, node, thing)

    def as_written(self, node: ast.expr, thing: Any, why: str) -> None:
        """Note that a pool runs as the user wrote it."""
        if node in self.told:
            return
        self.told.append(node)
        name = getattr(thing, "__name__", "pool")
        loop = Loop("pool", node.lineno, node, None, None, [], own=name)
        text = f"`{name}` runs as it is written: {why}."
        self.refuse(loop, CellRefused(text, node.lineno), lambda: None)

    def refuse(self, loop: Loop, refusal: CellRefused, play: Callable[[], None]) -> None:
        """Note that calls run as written; raises where that is to be an error."""
        from concompare.cells.program import Refused

        if self.cell.wishes.strict:
            raise refusal
        self.cell.refused.append(Refused(loop, refusal))
        self.runner.plainly(loop, refusal, play)

    def late(self, node: ast.expr, thing: Any, method: str) -> bool:
        """Tell whether processes have to be made where the cell makes them, and note that.

        Args:
            node: Where it is made.
            thing: What makes it.
            method: How its processes begin; none: it has threads.
        """
        if not method:
            return False
        why = "its processes do not know the notebook's names" if method != "fork" else forks.seen_late(self, node)
        if why is not None:
            self.as_written(node, thing, why)
        return why is not None

    def lift(self, loop: Loop, items: list[Any]) -> Lifted:
        """Return calls as a loop that can run in parallel."""
        return self.hook.lift(loop, items, None)

    def waiting_of(
        self, node: ast.expr, what: str, *, copies: bool, cloud: bool = False, chunked: bool = False
    ) -> Waiting:
        """Return where the calls of a pool wait."""
        changing = forks.changed_late(self, node)
        reused = forks.reused(self, node) if node not in self.trees else frozenset[str]()
        made = Waiting(self, node, what, copies, cloud, chunked, changing, reused)
        self.waiting.append(made)
        return made

    def settle(self) -> None:
        """Run all that waits."""
        for waiting in list(self.waiting):
            waiting.settle()

    def borrow(self, give_back: Callable[[], None]) -> None:
        """Note how an object becomes what the plain cell leaves."""
        self.borrowed.append(give_back)

    def __enter__(self) -> Session:
        self.adopt()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """Run what still waits, and leave the objects as the plain cell leaves them."""
        try:
            if error is None:
                self.settle()
            elif isinstance(error, Exception):
                with contextlib.suppress(Exception):
                    self.settle()
            else:
                for waiting in self.waiting:
                    waiting.drop(error)
        finally:
            for give_back in self.borrowed:
                give_back()


MAKERS: dict[str, Callable[[Session, ast.expr, Any], Any]] = {
    "executor": executors.maker,
    "pool": multiprocess.maker,
    "context": multiprocess.maker,
    "dummy": multiprocess.maker,
    "joblib": mapping.joblib_maker,
    "mapping": mapping.tqdm_maker,
    "completed": executors.completed_maker,
}
"""What makes the stand-in for each kind."""
