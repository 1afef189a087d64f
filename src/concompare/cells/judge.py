"""What of a loop's body may run in workers, and why not: names, objects and effects, judged for each piece of code."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from concompare.cells import elementwise, known, names, sources
from concompare.cells.loops import RESULT, Loop
from concompare.cells.parts import MOVE, PURE, Reason, flattened, reason_of, shown
from concompare.cells.purity import Analyzer
from concompare.cells.values import ITEM, LOCAL, MARKS, NOTHING, Reading, Value
from concompare.cells.world import World


class Judge:
    """Judges the pieces of a loop's body.

    Args:
        world: What the names stand for when the loop starts.
        loop: The loop.
        item: Where the items come from: NOTHING where nobody can change them.
        seeded: The random numbers that all items share are replaced by one stream per item.

    Attributes:
        in_tail: Names that the tail gives values; `altered`: objects of the iteration itself that it changes.
        passed_names: Names, and `passed_roots`: objects, that code uses which was judged fit for workers.
        started: The statements of the tail so far; `touched`: what they change; `printed`: whether they print.
    """

    def __init__(self, world: World, loop: Loop, item: Value, *, seeded: bool = False) -> None:
        self.world, self.loop, self.seeded = world, loop, seeded
        self.an = Analyzer(world)
        self.nodes = flattened(loop.body)
        named = [part for part in self.nodes if isinstance(part, ast.Name)]
        self.stores = [part.id for part in named if not isinstance(part.ctx, ast.Load)]
        written = names.writes(*loop.body)
        for name in written:
            self.an.local[name] = NOTHING
        for name in loop.bound:
            self.an.local[name] = item
        self.flow = names.flow_of(loop.body, sure=loop.bound)
        self.carried = {name: line for name, line in self.flow.exposed.items() if name in written}
        for name in self.carried:
            self.an.local.pop(name)
            self.an.local[name] = self.an.root(name)
        if loop.collects:
            self.an.local[RESULT] = Value(frozenset({RESULT}), frozenset({RESULT}))
        self.whole = self.settled()
        self.looked: dict[int, tuple[ast.AST, Reading]] = {}
        self.changed = {
            root
            for effect in self.whole.effects
            for root in effect.roots
            if effect.kind in ("change", "opaque", "rebind")
        }
        if loop.filled is not None:
            self.changed |= {root for root in self.an.look(loop.filled).roots if not root.startswith(LOCAL)}
        deep = {root for effect in self.whole.effects for root in effect.roots if not effect.direct}
        self.shallow = self.changed - deep
        self.apart = elementwise.apart(self)
        self.held = self.changed - used_otherwise(self.nodes) - self.reached()
        self.rebound = {root for effect in self.whole.effects if effect.kind == "rebind" for root in effect.roots}
        self.in_tail: dict[str, int] = {}
        self.altered: set[str] = set()
        self.touched: set[str] = set()
        self.started: list[ast.stmt] = []
        self.printed = False
        self.passed_names: set[str] = set()
        self.passed_roots: set[str] = set()

    def settled(self) -> Reading:
        """Look at the body until nothing new is learned of its names; from then on every call is followed once.

        Functions made and modules imported in the body mean something else at each place, so their calls are not kept.
        """
        made = {*names.FUNCTIONS, ast.ClassDef, ast.Import, ast.ImportFrom}
        self.an.followed = None if made & set(map(type, self.nodes)) else {}
        for _ in range(6):
            before = dict(self.an.local)
            reading = self.an.look(*self.loop.body)
            if self.an.local == before:
                self.an.settled = True
                return reading
        self.an.followed = None
        return reading

    def reached(self) -> set[str]:
        """Return the changed objects that are read by other ways than their own names."""
        written = {part.id for part in self.nodes if isinstance(part, ast.Name)}
        return {root for root in self.changed if root not in written}

    def look(self, node: ast.AST) -> Reading:
        """Return what a node reads and does, looked at once."""
        found = self.looked.get(id(node))
        if found is None:
            found = self.looked[id(node)] = (node, self.an.look(node))
        return found[1]

    def reason(self, node: ast.AST) -> Reason | None:
        """Return why a statement or expression cannot run in workers, or None."""
        reading = self.look(node)
        line = getattr(node, "lineno", self.loop.line)
        named = self.reason_of_names(node, reading, line)
        if named is not None and line <= named.line <= getattr(node, "end_lineno", line):
            other = self.reason_of_objects(reading, line) or self.reason_of_effects(reading)
            named = named if other is None or named.line == self.carried.get(named.name, 0) else other
        if blocked := annotated(node):
            return Reason(blocked, "has an annotation that only the notebook may evaluate", "Take the annotation out")
        found = named or self.reason_of_objects(reading, line)
        if found is not None and found.name and found.name in names.writes(node) and found.name not in self.carried:
            found = self.reason_of_effects(reading) or found
        if found is None:
            found = self.reason_of_effects(reading) or self.reason_of_objects(reading, line, every=True)
            if found is None:
                self.passed_names |= reading.names | names.writes(node)
                self.passed_roots |= reading.roots
            return found
        effects = self.reason_of_effects(reading)
        hidden = effects is not None and (
            effects.text.startswith("`") or " draws " in effects.text or " next of " in effects.text
        )
        return effects if hidden or found is None else found

    def reason_of_effects(self, reading: Reading) -> Reason | None:
        """Return why what code does keeps it out of the workers."""
        found = (
            reason_of(effect, self.world, seeded=self.seeded, printed=self.printed or bool(self.started))
            for effect in reading.effects
        )
        return next((reason for reason in found if reason is not None), None)

    def reason_of_names(self, node: ast.AST, reading: Reading, line: int) -> Reason | None:
        """Return why the names that code uses keep it out of the workers."""
        touched = reading.names | names.writes(node)
        for name in sorted(name for name in touched if name in self.carried):
            text = f"needs '{name}' from the item before, so the items cannot run in parallel"
            return Reason(self.carried[name], text, MOVE, name)
        for name in sorted(name for name in touched if name in self.in_tail or name in self.rebound):
            return Reason(self.in_tail.get(name, line), f"needs '{name}', which depends on the items before", MOVE)
        called = set() if self.loop.collects else self.global_reads(node) - {RESULT}
        for name in sorted(name for name in called if name in self.an.local):
            return Reason(
                line,
                f"a function called here reads the loop's '{name}' as a global name",
                f"Pass '{name}' as an argument",
            )
        return None

    def global_reads(self, node: ast.AST) -> set[str]:
        """Return the notebook's names that functions called by the code read, other than those it reads itself."""
        return self.look(node).called

    def reason_of_objects(self, reading: Reading, line: int, *, every: bool = False) -> Reason | None:
        """Return why the objects that code reads keep it out of the workers."""
        for root in sorted(reading.roots & self.altered):
            name = root.removeprefix(LOCAL)
            return Reason(line, f"needs '{name}' as a statement that stays in the notebook changes it", MOVE, name)
        roots = {root for root in reading.roots if not root.startswith(LOCAL)} - MARKS - {RESULT}
        if "*" in self.changed and roots - {"the class"}:
            return self.opaque_reason(line)
        for root in sorted(roots & self.changed):
            if root == ITEM or root in self.apart:
                if root not in self.touched:
                    continue
                return Reason(
                    line, f"reads {'the item' if root == ITEM else root} after the same iteration changed it", MOVE
                )
            if root in self.held and not every:
                continue
            text = f"every iteration changes `{shown(root)}` and reads it"
            return Reason(self.line_of_change(root), text, "Workers would each see their own copy. " + MOVE)
        return None

    def opaque_reason(self, line: int) -> Reason:
        """Return what it is that cannot be seen."""
        for effect in self.whole.effects:
            if "*" in effect.roots:
                return Reason(effect.line, effect.text, PURE)
        return Reason(line, "what changes here cannot be seen")

    def line_of_change(self, root: str) -> int:
        """Return the line at which an object changes."""
        return next((effect.line for effect in self.whole.effects if root in effect.roots), self.loop.line)


def annotated(node: ast.AST) -> int | None:
    """Return the line of an annotation that only the notebook itself evaluates and keeps, not a function."""
    if ast.AnnAssign not in names.kinds_in(node):
        return None
    inside = [part for part in sources.outside_functions(node) if isinstance(part, ast.AnnAssign)]
    return next((part.lineno for part in inside if part is not node or not isinstance(part.target, ast.Name)), None)


def used_otherwise(nodes: Sequence[ast.AST]) -> set[str]:
    """Return the names that the body uses for more than storing into what they stand for or adding to it."""
    holding: set[int] = set()
    for node in nodes:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in known.DIRECT_MUTATORS
        ):
            holding.add(id(node.func.value))
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            holding.add(id(node.value))
    return {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in holding}
