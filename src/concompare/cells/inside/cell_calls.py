"""The calls of a cell that may be of a function with a loop inside."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from concompare.cells.forms.calls import may_enter
from concompare.cells.inside.consumers import Use, consumed_in
from concompare.cells.inside.variant import entered, named
from concompare.cells.inside.work import calls_outside
from concompare.cells.ir import OURS, Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.errors import BadOption

if TYPE_CHECKING:
    from concompare.cells.program import Wishes

ASK = OURS + "ask"
Instead = Callable[[ast.AST], ast.AST | None]


class Calls:
    """Writes the calls of a cell so that they are looked into when they are reached.

    Args:
        tree: The cell.
        loops: Its own loops.
        wishes: What the user asked for.
        namespace: The notebook.
    """

    def __init__(self, tree: ast.Module, loops: Sequence[Loop], wishes: Wishes, namespace: Mapping[str, Any]) -> None:
        known = vars(builtins).keys()
        shadowed = frozenset((known & names.writes(*tree.body)) | (known & namespace.keys()))
        self.wanted = wishes.over is None and wishes.function is None and wishes.line is None
        self.last: list[ast.Call] = []
        """The calls inside the one that the cell ends with."""
        self.consumed = consumed_in(tree.body, shadowed)
        others = [loop for loop in loops if loop.kind != "call" and loop.method is None]
        found = calls_outside(tree.body, others) if self.wanted else ()
        named_so = wishes.inside
        wanted = [call for call in found if named_so is None or name_of(call) == named_so]
        self.found = {id(call) for call in wanted if may_enter(call, shadowed)}

    def instead(self, node: ast.AST, copy: Instead) -> ast.AST | None:
        """Return what stands in the place of a call, or None."""
        if id(node) not in self.found:
            return None
        assert isinstance(node, ast.Call)
        return entered(node, self.consumed.get(id(node)), lambda part: names.copied(part, copy))

    def whole(self, loop: Loop, hook: ast.AST, copy: Instead) -> ast.AST:
        """Return what stands for a call that the cell ends with: followed inside, or else one item of work."""
        node = loop.node
        if not self.wanted:
            return hook
        self.last = [*calls_outside([node], ())]
        assert isinstance(node, ast.Call)
        assert isinstance(hook, ast.expr)
        asked = located(ast.Call(named(ASK, node), [], []), node)
        inner = entered if id(node) in self.found else as_written
        call = inner(node, None, lambda part: names.copied(part, copy))
        return located(ast.IfExp(asked, call, hook), node)


def name_of(call: ast.Call) -> str:
    """Return the name of what is called, without what it belongs to."""
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def check_called(tree: ast.Module, name: str) -> None:
    """Raise BadOption where code does not call a function of that name once."""
    if not any(name_of(call) == name for call in calls_outside(tree.body, ())):
        raise BadOption(f"--in {name}: no function of that name is called outside of loops")


def as_written(node: ast.Call, use: Use | None, copy: Any) -> ast.Call:
    """Return a call whose parts are copied."""
    parts = [copy(part) for part in node.args], [copy(part) for part in node.keywords]
    return located(ast.Call(copy(node.func), *parts), node)
