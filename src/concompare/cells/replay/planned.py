"""Which calls of a cell's statements would run together, and why the others would not: seen before anything runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from concompare.cells.effects.interpreter import Interpreter
from concompare.cells.effects.live import World
from concompare.cells.forms import independent
from concompare.cells.ir import Analysed, Budget, Effects, Loop, Order, TooLong
from concompare.cells.replay import binding, chains, own_objects
from concompare.cells.replay.independent import BARRIERS, Window
from concompare.cells.syntax import names
from concompare.errors import CellRefused

ORDERS = {Order.RANDOM: "draws random numbers", Order.INPUT: "asks for input", Order.LOG: "logs"}
"""What a call does that keeps it in its turn, where no more is known of it."""


@dataclass
class Planned:
    """What would become of the calls of a run of simple statements.

    Attributes:
        together: The calls, or chains of statements, that run in workers at the same time, in order.
        alone: The other calls that may do work, each with the reason why it runs in its turn.
    """

    together: list[list[ast.Call | chains.Chain]] = field(default_factory=list)
    alone: list[tuple[ast.Call, str]] = field(default_factory=list)


class Planner:
    """Follows a run of statements as the cell would go through them.

    Args:
        statements: Simple statements, one after the other.
        namespace: What is known of the notebook when the first of them begins.
        assume_pure: What cannot be seen counts as harmless.
    """

    def __init__(self, statements: list[ast.stmt], namespace: dict[str, Any], *, assume_pure: bool) -> None:
        self.statements, self.namespace, self.assume_pure = statements, namespace, assume_pure
        self.done: set[ast.Call] = set()
        self.finished: set[ast.stmt] = set()
        self.planned = Planned()

    def plan(self) -> Planned:
        """Return which calls run together, and why the others do not."""
        loop = Loop("statements", self.statements[0].lineno, self.statements[0], None, None, self.statements)
        loop.__dict__["namespace"] = self.namespace
        try:
            analysed = Interpreter(World(self.namespace, assume_pure=self.assume_pure), Budget()).analyse(loop)
        except (TooLong, RecursionError):
            return self.planned
        for place, statement in enumerate(self.statements):
            if statement not in self.finished:
                if not self.done.intersection(names.nodes_in(statement)):
                    self.begin(analysed, self.statements[place:])
                self.stay(analysed, statement, place)
        return self.planned

    def begin(self, analysed: Analysed, rest: list[ast.stmt]) -> None:
        """Note what begins together when the first of some statements is reached."""
        if not any(isinstance(node, ast.Call) for node in names.nodes_in(rest[0])):
            return
        own = own_objects.together(rest, self.namespace)
        if own is not None and (lifted := self.lifted(own.loop, own.items)) is not None and own.are_own(lifted):
            self.planned.together.append([*own.calls])
            self.done.update(own.calls)
            return
        if found := chains.chains_of(analysed, rest):
            self.planned.together.append([*found])
            self.finished.update(part for chain in found for part in chain.statements)
            return
        chosen = Window(analysed, rest, set(self.done)).chosen()
        if len(chosen) > 1 and self.lifted(independent.together(chosen), list(range(len(chosen)))) is not None:
            self.planned.together.append([*chosen])
            self.done.update(chosen)

    def lifted(self, loop: Loop, items: list[Any]) -> binding.Lifted | None:
        """Return a loop over calls as one that can run in parallel, as far as can be seen; else None."""
        try:
            return binding.lift(
                loop, self.namespace, items, filename="<cell>", source="", assume_pure=self.assume_pure, seen=False
            )
        except CellRefused:
            return None

    def stay(self, analysed: Analysed, statement: ast.stmt, place: int) -> None:
        """Note the calls of a statement that run in its turn, outermost first."""
        if statement in self.finished:
            return
        for call in outermost(statement):
            early: list[ast.AST] = [node for node in names.nodes_in(call) if node in self.done]
            inside = {node for done in early for node in names.nodes_in(done)}
            own = [node for node in names.nodes_in(call) if node not in inside]
            if any(analysed.of(node).heavy for node in own):
                reason = self.reason(analysed, own, early, self.statements[:place])
                self.planned.alone.append((call, reason))

    def reason(self, analysed: Analysed, own: list[ast.AST], early: list[ast.AST], before: Sequence[ast.stmt]) -> str:
        """Return why a call, without the calls in it that run early, runs in its turn."""
        effects = Effects()
        for node in own:
            effects.add(analysed.of(node))
        if effects.doubts:
            return str(effects.doubts[0])
        if effects.hazards:
            return effects.hazards[0]
        for order in sorted(effects.order - {Order.OUTPUT}):
            return ORDERS.get(order, "needs the order of the statements")
        changed = sorted({place.obj.shown for place in effects.writes if place.obj is not None and place.obj.outer})
        named = sorted({f"the name '{place.field}'" for place in effects.writes if place.obj is None})
        if changed or named:
            return f"changes {(changed + named)[0]}"
        read = effects.globals | {node.id for node in own if isinstance(node, ast.Name)}
        needed = [f"'{name}'" for name in sorted(read & names.writes(*before))]
        needed += [f"`{ast.unparse(node)}`" for node in early]
        if needed:
            return f"needs {' and '.join(needed)}, and no other call can begin with it"
        if any(analysed.inside([part]).order & BARRIERS for part in before):
            return "comes after a statement that does more than give values"
        return "no other call can begin with it"


def outermost(statement: ast.stmt) -> Iterator[ast.Call]:
    """Yield the calls of a statement that stand in no other call."""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop(0)
        if isinstance(node, ast.Call):
            yield node
        elif not isinstance(node, (ast.Lambda, *names.COMPREHENSIONS)):
            stack += names.children_of(node)


def runs_of(statements: Sequence[ast.stmt], fixed: Sequence[ast.AST]) -> Iterator[tuple[int, list[ast.stmt]]]:
    """Yield each run of simple statements without a loop, with the place of its first."""
    place = 0
    while place < len(statements):
        found = independent.window(statements, place, lambda part: any(node in fixed for node in names.nodes_in(part)))
        if found:
            yield place, found
        place += max(1, len(found))


def in_words(planned: Planned) -> list[str]:
    """Return what would become of the calls, as lines; nothing where none would run together."""
    if not planned.together:
        return []
    lines: list[str] = []
    for found in planned.together:
        lines += ["these run in workers, at the same time:", *[f"    {shown(part)}" for part in found], ""]
    if planned.alone:
        lines += ["these run in the notebook, in their turn:"]
        lines += [f"    {shown(call)}: {reason}" for call, reason in planned.alone]
    return lines


def shown(part: ast.Call | chains.Chain) -> str:
    """Return a call, or the statements of a chain, with the line."""
    if isinstance(part, ast.Call):
        return f"line {part.lineno}: `{ast.unparse(part)}`"
    first = part.statements[0].lineno
    return f"line {first}: `{'; '.join(map(ast.unparse, part.statements))}`"


def planned_of(
    tree: ast.Module, fixed: Sequence[ast.AST], known_at: Mapping[int, dict[str, Any]], *, assume_pure: bool
) -> list[tuple[set[ast.AST], str]]:
    """Return for each run of statements the calls that it is about and what would become of them.

    Args:
        tree: The cell.
        fixed: Its loops.
        known_at: What is known of the notebook when each statement begins.
        assume_pure: What cannot be seen counts as harmless.
    """
    found: list[tuple[set[ast.AST], str]] = []
    for place, statements in runs_of(tree.body, fixed):
        planned = Planner(statements, known_at[place], assume_pure=assume_pure).plan()
        if lines := in_words(planned):
            first, last = statements[0].lineno, statements[-1].lineno
            place_of = f"at lines {first} to {last}" if first != last else f"at line {first}"
            title = f"the statements {place_of}: calls that do not need each other run together"
            nodes = {node for statement in statements for node in names.nodes_in(statement)}
            found.append((nodes, "\n".join([title, "", *lines]).rstrip()))
    return found
