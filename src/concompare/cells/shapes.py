"""Loops that are shared out in another shape than they are written in: several loops as one, generators in the body.

Each shape is tried where the loop is reached. None changes what the loop does, and where it cannot run in parallel in
that shape, the loop is taken as it is written.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from concompare.cells.counting import VIEWS, another, counted, is_shared_by_others
from concompare.cells.effects.live import World
from concompare.cells.forms import again, calls, flattening
from concompare.cells.hooks import HOOK, ITEMS
from concompare.cells.inlining import coalescing
from concompare.cells.ir import Loop, Stage, TooLong
from concompare.cells.replay import bars, binding, checks, row_walks
from concompare.cells.replay.compiling import compiled
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import ends_at_once, located
from concompare.errors import CellRefused

if TYPE_CHECKING:
    from concompare.cells.inlining.generators import Fused
    from concompare.cells.program import Cell
    from concompare.cells.replay.binding import Lifted
    from concompare.cells.replay.collect import Collect
    from concompare.cells.replay.statement import Replay
    from concompare.cells.task import Task

GROUPED = ("DataFrameGroupBy", "SeriesGroupBy")
MOST = 100_000
"""Items of nested loops that are shared out as those of one."""


class Shapes:
    """What a hook does to a loop before it is lifted as it is written."""

    cell: Cell
    namespace: dict[str, Any]
    depth: int

    def lift(self, loop: Loop, walked: Any, taken: list[Any] | None) -> Lifted:
        """Return the loop as one that can run in parallel; see `Hook`."""
        raise NotImplementedError

    def run(self, loop: Loop, found: Lifted, task: Task, side: Replay | Collect) -> Any:
        """Let the runner run a task; see `Hook`."""
        raise NotImplementedError

    def expression(self, loop: Loop, load: ast.expr) -> ast.expr:
        """Return an expression that walks items which are evaluated already."""
        node = loop.plainly or loop.node
        if isinstance(node, ast.Await):
            return names.copied(node, lambda part: load if part is loop.items else None)
        assert isinstance(node, ast.expr)
        if loop.kind == "call":
            return node
        if loop.kind == "function":
            return calls.each(loop, load)
        hook = located(ast.Name(HOOK, ast.Load()), node)
        mapper = located(ast.Attribute(hook, again.word_of(node), ast.Load()), node)
        return again.plain_expression(loop, load, mapper, again.once_instead(loop))

    def is_alone(self, loop: Loop) -> bool:
        """Tell whether a loop is the only place in the cell where work may be."""
        return not (self.cell.beside or self.depth or (loop.kind == "call" and len(self.cell.tree.body) > 1))

    def short(self, loop: Loop) -> CellRefused | None:
        """Return why a loop runs as it is: it ends with its first item, or took next to nothing, beside others."""
        wishes = self.cell.wishes
        if not loop.collects and ends_at_once(loop.body):
            return CellRefused("the loop ends with its first item, unless that fails.", loop.line)
        alone = self.is_alone(loop) and len(self.cell.loops) == 1
        asked = self.depth or wishes.strict or wishes.measured or alone
        seconds = None if asked else wishes.lasted(loop.begins)
        return None if seconds is None else binding.short(loop, seconds)

    def is_harmless(self, items: ast.expr, *, alone: bool = False) -> bool:
        """Tell whether walking some items to their end, before the loop does, shows nowhere; `alone`: nor sees much."""
        try:
            binding.refuse_to_walk(items, self.namespace, self.cell.allowance, alone=alone)
        except (CellRefused, TooLong):
            return False
        return True

    def may_be_walked(self, loop: Loop) -> bool:
        """Tell whether all items may be found before the first is computed; the body leaves what gives them."""
        assert loop.items is not None
        if not self.is_harmless(loop.items):
            return False
        try:
            self.lift(replace(loop, early=True), [], None)
        except CellRefused:
            return False
        return True

    def fused(self, loop: Loop, items: Any) -> tuple[Lifted, Any, list[str]] | None:
        """Return a loop over a generator that does work with that work in its body, where that can run in parallel."""
        from concompare.cells.inlining import generators
        from concompare.cells.inside.work import Work

        holds = Work(World(self.namespace)).loops_heavy
        found = generators.walked_through(loop, items, self.namespace, self.cell.shadowed, holds)
        if found is None:
            return None
        self.namespace.update(found.given)
        taken: list[Any] = []
        try:
            walked = self.given_by_rest(found) if found.rest else bars.unwrapped(found.items)[0]
            lifted = self.lift(found.loop, walked, taken)
            lifted.again = found.again
            if not lifted.staying or self.does_more(lifted, loop, items):
                return lifted, taken[0] if taken else walked, [*found.given]
        except CellRefused:
            pass
        for name in found.given:
            del self.namespace[name]
        return None

    def given_by_rest(self, found: Fused) -> list[Any]:
        """Return all that a generator below others gives, where walking it to its end shows nowhere.

        Raises:
            CellRefused: It does, or there is no end, or the loop cannot run in parallel whatever that gives.
        """
        assert found.loop.items is not None
        harmless = self.is_harmless(found.loop.items, alone=True) and not self.lift(found.loop, [], None).staying
        given = found.given_by_rest(self.namespace) if harmless else None
        if given is None:
            raise CellRefused(checks.BETWEEN)
        return given

    def does_more(self, fused: Lifted, loop: Loop, items: Any) -> bool:
        """Tell whether workers do the work of generators, though calls of the loop's own body stay in the notebook.

        What stays may be nothing of the generators: its errors would lack their frames.
        """
        staged = fused.staged
        own = {node for statement in loop.body for node in names.nodes_in(statement)}
        stays = {node for node in staged.analysed.effects if staged.of(node) is not Stage.HEAD}
        if not stays <= own or staged.early:
            return False
        shared_out = coalescing.heavy_in_head(staged)
        try:
            written = self.lift(loop, items, None).staged
        except CellRefused:
            return bool(shared_out)
        return len(shared_out) > len(coalescing.heavy_in_head(written)) + len(written.early)

    def run_fused(self, loop: Loop, lifted: Lifted, walked: Any, ours: list[str]) -> Any:
        """Run a loop over a generator with the generator's work in its body."""
        with self.cell.allowance.counted():
            task, side = lifted.bind(self.namespace, walked)
        side.halts = True
        try:
            return self.run(loop, lifted, task, side)
        finally:
            from concompare.cells.inlining import generators

            for name in {*ours, *generators.own_names(self.namespace)} & self.namespace.keys():
                del self.namespace[name]

    def few(self, loop: Loop, items: Any) -> list[Any] | None:
        """Return what gives few items to nested loops as a list, or columns of objects, where that changes nothing."""
        if (paired := row_walks.paired(items)) is not None or flattening.levels(loop) == 1:
            return paired
        if type(items) not in (enumerate, zip, *VIEWS):
            return self.groups(items)
        number = counted(items)
        if number is None or number > self.cell.wishes.few or is_shared_by_others(items):
            return None
        return list(items) if self.may_be_walked(loop) else None  # else the loop meets what its body changes of them

    def groups(self, items: Any) -> list[Any] | None:
        """Return few groups of a frame as a list: pandas cuts them from a copy that it makes before the first."""
        known = type(items).__module__.startswith("pandas.") and type(items).__name__ in GROUPED
        return list(items) if known and items.ngroups <= self.cell.wishes.few else None

    def nest(self, loop: Loop, items: Any, live: bool) -> tuple[flattening.Flat, Lifted, list[Any]] | None:
        """Return loops inside one another as one that can run in parallel, where the outer one has few items.

        Args:
            loop: The outer loop.
            items: What it walks.
            live: That is a copy of what the plain loop walks, which would meet changes of the other.
        """
        found = flattening.flattened(loop, self.namespace) if type(items) in (list, tuple, range, dict) else None
        if found is None or not 0 < len(items) <= self.cell.wishes.few:
            return None
        if live and not self.may_be_walked(loop):
            return None
        self.namespace[flattening.ITEMS] = items
        code = ast.fix_missing_locations(ast.Expression(names.copied(found.walk)))
        rows = eval(compiled(code, self.cell.wishes.filename, "eval", self.namespace), self.namespace)
        try:
            binding.refuse_to_walk(found.walk, self.namespace, self.cell.allowance)
            pairs = list(itertools.islice(rows, MOST + 1))
            lifted = self.lift(found.loop, pairs, None) if len(pairs) <= MOST else None
        except Exception:  # the plain loop meets it in its turn
            return None
        if not (lifted and lifted.staged.surely()) or lifted.staying:
            return None
        self.cell.place(loop, lifted)
        lifted.uneven = not pairs or pairs[-1][0] is not list(items)[-1]
        return found, lifted, pairs

    def run_nest(self, loop: Loop, found: flattening.Flat, lifted: Lifted, pairs: list[Any]) -> Any:
        """Run loops inside one another as one."""
        last = list(self.namespace[flattening.ITEMS])[-1]
        whole = loop if lifted.ahead is None else found.loop  # what a front leaves is the rest of the pairs
        done = self.run(whole, lifted, *lifted.bind(self.namespace, pairs))
        if not loop.collects:
            self.bind(found.outer, last)
        return done

    def turns(self, loop: Loop, lifted: Lifted, items: Any) -> tuple[coalescing.Coalesced, Lifted, list[Any]] | None:
        """Return a loop of very few items and the loop inside it as one, where workers do as much of that."""
        known = type(items) in (list, tuple, range, dict) and 1 < len(items) <= coalescing.FEW
        if not known or self.cell.wishes.measured or lifted.ahead is not None:
            return None
        found = coalescing.coalesced(loop, self.cell.shadowed, self.namespace)
        if found is None:
            return None
        self.namespace[flattening.ITEMS] = items
        code = ast.fix_missing_locations(ast.Expression(names.copied(found.walk)))
        try:
            binding.refuse_to_walk(found.walk, self.namespace, self.cell.allowance)
            pairs = eval(compiled(code, self.cell.wishes.filename, "eval", self.namespace), self.namespace)
            rows = found.rows(itertools.islice(pairs, coalescing.FEW))
            if rows is None or not 2 * len(items) < len(rows) <= MOST:
                return None
            better = self.lift(found.loop, rows, None)
        except Exception:  # the plain loop meets it in its turn
            return None
        if not better.staged.surely() or better.ahead is not None or better.loop.expanded:
            return None
        if not coalescing.is_better(lifted.staged, better.staged, found, self.namespace):
            return None
        self.cell.place(loop, better)
        return found, better, rows

    def numbered(self, loop: Loop, items: Any) -> Any:
        """Return very few items that a loop alone pairs or numbers as a list, taking none; others as they are."""
        if type(items) not in (enumerate, zip) or not checks.fresh(loop):
            return items
        number = counted(items)
        if number is None or number > coalescing.FEW:
            return items
        found = another(items)
        return list(found) if found is not None else items

    def run_turns(self, found: coalescing.Coalesced, lifted: Lifted, rows: list[Any]) -> Any:
        """Run a loop and the one inside it as one."""
        task, side = lifted.bind(self.namespace, rows)
        before = {name: self.namespace[name] for name in found.inner_names & self.namespace.keys()}
        try:
            return self.run(found.loop, lifted, task, side)
        except Exception as error:
            if not found.loop.collects and found.is_before_turns(error, self.cell.wishes.filename):
                self.unbind_turn(found, rows[: side.position + (not side.broken)], before)
            raise
        finally:
            for word in (coalescing.FIRST, coalescing.LAST, coalescing.PARTS):
                self.namespace.pop(word, None)

    def unbind_turn(self, found: coalescing.Coalesced, rows: list[Any], before: Mapping[str, Any]) -> None:
        """Give the inner loop's names the values that they had before the last of some turns."""
        if len(rows) > 1:
            self.bind(found.inner, rows[-2][-1])
            return
        for name in found.inner_names:
            self.namespace.pop(name, None)
        self.namespace.update(before)

    def bind(self, target: ast.expr, value: Any) -> None:
        """Bind a loop's target as the plain loop does."""
        self.namespace[ITEMS] = value
        load = located(ast.Name(ITEMS, ast.Load()), target)
        module = ast.fix_missing_locations(ast.Module([located(ast.Assign([names.copied(target)], load), target)], []))
        exec(compiled(module, self.cell.wishes.filename, "exec", self.namespace), self.namespace)
