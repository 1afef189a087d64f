"""Work queues: `while` loops that take the next item out of a container into which the results may put others.

What the container holds will be taken out some time, so a call that depends on the item alone can be made for all that
wait there, before the loop comes to them (the wavefront method, after Lamport, 1974). The loop itself runs as it is
written, in the notebook, and takes the result where it comes to the call.
"""

from __future__ import annotations

import ast
import collections
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from concompare.cells.distribution.speculation import Speculation
from concompare.cells.distribution.staging import Staged
from concompare.cells.forms.comprehensions import collected
from concompare.cells.ir import OURS, Loop
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.cells.syntax.renaming import load
from concompare.worker.early_calls import is_plain

if TYPE_CHECKING:
    from concompare.cells.program import Hook
    from concompare.errors import CellRefused

WAVE, ITEMS = OURS + "wave", OURS + "waiting"
PLAIN = (ast.Name, ast.Constant, ast.Subscript, ast.BinOp, ast.Tuple, ast.operator, ast.expr_context, ast.Slice)
"""What an argument may consist of, to be computed for an item before its turn."""
BUILTIN = (dict, list, tuple, str, bytes, int, float, bool, type(None))


@dataclass
class Queue:
    """How one loop takes its items out of a container, and the call that is made for those that wait there.

    Attributes:
        container: The expression of the container; `target`: what an item is bound to; `first`: the first is taken.
        pairs: Items are pairs of a key and its value, as `popitem` gives them.
        call: The call; `batch`: a loop that makes it for several items.
        loop: The `while` loop, with the result in the place of the call where there is one.
    """

    container: ast.expr
    target: ast.expr
    first: bool
    pairs: bool
    call: ast.Call
    batch: Loop
    loop: Loop

    def run(self, hook: Hook, loop: Loop, refusal: CellRefused) -> bool:
        """Run the loop, of which it was said that it runs as it is; tells whether it came to its end."""
        from concompare.cells.inlining import waves

        return waves.run(hook, self, loop, refusal)

    def waiting(self, namespace: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
        """Yield the arguments of the call for the items that wait, as far as they are plain values, the next first."""
        held = contents(live(self.container, namespace), pairs=self.pairs)
        arguments = [*self.call.args, *[word.value for word in self.call.keywords]]
        code = [compile(ast.Expression(names.copied(part)), "<waiting>", "eval") for part in arguments]
        for item in held if self.first else reversed(held):
            known = matched(self.target, item)
            if known is None:
                continue
            try:
                values = tuple(
                    eval(part, {"__builtins__": {}}, collections.ChainMap(known, namespace)) for part in code
                )
            except Exception:  # the loop meets it in its turn, if it comes to it
                continue
            if all(map(is_plain, values)):
                yield values


def live(node: ast.expr, namespace: Mapping[str, Any]) -> Any:
    """Return the object that a name, or an attribute of one, stands for, without running anything."""
    if isinstance(node, ast.Name):
        return namespace.get(node.id)
    assert isinstance(node, ast.Attribute)
    return getattr(live(node.value, namespace), "__dict__", {}).get(node.attr)


def contents(holder: Any, *, pairs: bool) -> list[Any]:
    """Return what a container of a builtin type holds; nothing for others."""
    if type(holder) is dict and pairs:
        return list(holder.items())
    return list(holder) if type(holder) in (list, collections.deque, set) and not pairs else []


def matched(target: ast.expr, item: Any) -> dict[str, Any] | None:
    """Return the names of a target with what they stand for; None where an item does not fit or is nothing plain."""
    if isinstance(target, ast.Name):
        return {target.id: item} if type(item) in BUILTIN else None
    assert isinstance(target, ast.Tuple)
    if type(item) not in (tuple, list) or len(item) != len(target.elts):
        return None
    found: dict[str, Any] = {}
    for part, value in zip(target.elts, item, strict=True):
        inner = matched(part, value)
        if inner is None and isinstance(part, ast.Name):
            inner = {}
        if inner is None:
            return None
        found |= inner
    return found


def queue_of(loop: Loop, staged: Staged) -> Queue | None:
    """Return how a `while` loop takes its items out of a container, and a call that can be made before; or None.

    Args:
        loop: The loop, as it is written.
        staged: Its stages, as a loop without a condition of its own.
    """
    taken = next(filter(None, map(taking, loop.body)), None)
    if taken is None or loop.certain or not is_lookup(taken[1]):
        return None
    target, container, first, pairs = taken
    finder = Finder(staged, names.stored(target))
    for node in [part for statement in loop.body for part in names.nodes_in(statement)]:
        if isinstance(node, ast.Call) and finder.may_be_early(node):
            return Queue(container, target, first, pairs, node, batch_of(node), with_result(loop, node))
    return None


def taking(node: ast.stmt) -> tuple[ast.expr, ast.expr, bool, bool] | None:
    """Return what a statement binds, the container that it takes that from, whether the first of it, or a pair."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.value, ast.Call):
        return None
    target, call = node.targets[0], node.value
    parts = names.nodes_in(target)
    if not all(isinstance(part, (ast.Name, ast.Tuple, ast.expr_context)) for part in parts) or call.keywords:
        return None
    func = call.func
    word = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
    if word == "heappop" and len(call.args) == 1:
        return target, call.args[0], True, False
    if not isinstance(func, ast.Attribute) or word not in {"pop", "popleft", "popitem"}:
        return None
    zero = len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
    if call.args and not (word == "pop" and zero):
        return None
    return target, func.value, word == "popleft" or zero, word == "popitem"


def is_lookup(node: ast.expr) -> bool:
    """Tell whether an expression is a name, or an attribute of one."""
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute) and is_lookup(node.value))


class Finder(Speculation):
    """Finds the calls of a `while` loop that depend on its item alone.

    Args:
        staged: The stages of the loop.
        item: The names of what it takes out of its container.
    """

    def __init__(self, staged: Staged, item: set[str]) -> None:
        super().__init__(staged)
        loop = staged.analysed.loop
        self.assigned = names.writes(*loop.body) | staged.analysed.given
        stores = [part for node in loop.body for part in names.nodes_in(node) if isinstance(part, ast.Name)]
        count = collections.Counter(part.id for part in stores if not isinstance(part.ctx, ast.Load))
        self.item = {name for name in item if count[name] == 1}

    def may_be_early(self, call: ast.Call) -> bool:
        """Tell whether a call can be made before its turn, and its result be used then."""
        effects = self.analysed.inside([call])
        if not effects.heavy or effects.trusted or effects.sees or not self.is_calm(effects):
            return False
        if self.settings_around(call) != []:
            return False
        arguments = [*call.args, *[word.value for word in call.keywords]]
        inner = [part for node in arguments for part in names.nodes_in(node)]
        if not is_lookup(call.func) or not all(isinstance(part, PLAIN) for part in inner):
            return False
        if any(word.arg is None for word in call.keywords):
            return False
        read = {part.id for part in inner if isinstance(part, ast.Name)}
        if not read & self.item or (read - self.item) & self.assigned or names.reads(call.func) & self.assigned:
            return False
        apart = self.is_apart(set(names.nodes_in(call)), always=True)
        return apart and self.changes_own(call, effects) and self.is_fresh(call)


def batch_of(call: ast.Call) -> Loop:
    """Return a comprehension that makes a call for the arguments of several items."""
    words = [f"{OURS}given_{number}" for number in range(len(call.args) + len(call.keywords))]
    given: list[ast.expr] = [load(word, call) for word in words]
    keywords = [
        located(ast.keyword(word.arg, value), word)
        for word, value in zip(call.keywords, given[len(call.args) :], strict=True)
    ]
    value = located(ast.Call(names.copied(call.func), given[: len(call.args)], keywords), call)
    target = located(ast.Tuple([located(ast.Name(word, ast.Store()), call) for word in words], ast.Store()), call)
    items = load(ITEMS, call)
    node = located(ast.ListComp(value, [ast.comprehension(target, items, [], 0)]), call)
    return collected("loop", node, target, items, value, [], [])


def with_result(loop: Loop, call: ast.Call) -> Loop:
    """Return a loop that takes the result of a call where there is one."""
    arguments = [*call.args, *[word.value for word in call.keywords]]

    def asked(word: str) -> ast.expr:
        method = located(ast.Attribute(load(WAVE, call), word, ast.Load()), call)
        return located(ast.Call(method, [names.copied(part) for part in arguments], []), call)

    instead = located(ast.IfExp(asked("ready"), asked("take"), names.copied(call)), call)
    body = [names.copied(node, lambda part: instead if part is call else None) for node in loop.body]
    return replace(loop, body=body)
