"""A cell as a program: everything runs as written, but each loop that can run in parallel is handed to a runner.

A loop in the cell's tree becomes a call of a hook, which analyses the loop with the objects that are there by then. So
the statements around it run once, in their order, and a loop that cannot run in parallel runs there as the plain loop.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import itertools
import sys
import time
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from concompare.cells import garbage, hooks, telling_classes, waiting
from concompare.cells.forms import again, calls, finding, independent, joined, pools
from concompare.cells.hooks import HOOK, ITEMS, Walked, annotate, hook_call, hook_if_meant, hook_of, iterable, place_in
from concompare.cells.inlining.numbers import NUMBERS
from concompare.cells.ir import OURS, Allowance, Loop, TooLong
from concompare.cells.plain_errors import as_plainly, tidy
from concompare.cells.replay import bars, binding, checks, listed, row_walks, walked_ahead
from concompare.cells.replay.binding import Lifted
from concompare.cells.replay.collect import AsMapped, Collect
from concompare.cells.replay.compiling import compiled, look_up_once
from concompare.cells.replay.statement import Replay
from concompare.cells.shapes import Shapes
from concompare.cells.syntax import names, sources
from concompare.cells.syntax.definitions import remember
from concompare.cells.syntax.nodes import located, number_in
from concompare.cells.syntax.placing import placed
from concompare.cells.task import Task
from concompare.cells.wishes import Refused, Runner, Wishes
from concompare.cells.worth import Small
from concompare.errors import BadOption, CellRefused
from concompare.worker import coroutines

if TYPE_CHECKING:
    from concompare.cells.inside.cell_calls import Calls
    from concompare.cells.inside.following import Following
    from concompare.cells.pools.session import Session
    from concompare.cells.pools.started import Threads
    from concompare.cells.replay.independent import Ahead

__all__ = ["Cell", "Hook", "Refused", "Runner", "Wishes"]

DONE, POOL = OURS + "done", OURS + "pool"


@dataclass
class Cell:
    """A cell, parsed, with its loops.

    Args:
        source: The cell.
        wishes: What the user asked for.

    `makers` are the expressions with which the cell makes executors and pools of its own, `windows` the places where it
    starts threads or processes one by one and joins them.

    Raises:
        SyntaxError: As the plain cell would raise it.
        BadOption: An option names something that is not there.
    """

    source: str
    wishes: Wishes
    tree: ast.Module = field(init=False)
    loops: list[Loop] = field(init=False)
    lifted: list[Lifted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    shadowed: frozenset[str] = frozenset()
    bodies: dict[int, list[ast.stmt]] = field(default_factory=dict)
    allowance: Allowance = field(default_factory=Allowance)
    makers: list[ast.expr] = field(default_factory=list)
    windows: joined.Windows = field(default_factory=joined.Windows)
    whole: CellRefused | None = None
    unseen: str | None = None
    alone: set[int] = field(default_factory=set)
    """Loops that walk what nobody else may hold meanwhile; `whole`: why the cell runs as it is."""

    def __post_init__(self) -> None:
        with self.allowance.counted():
            garbage.later(self.read)()

    def read(self) -> None:
        """Parse the cell and find its loops."""
        self.tree = sources.parsed(self.source, self.wishes.filename, self.wishes.first_line)
        remember(self.wishes.filename, self.tree)
        self.whole = sources.waiting(self.tree)
        if self.whole is not None:
            asked = (self.wishes.over, self.wishes.function, self.wishes.inside, self.wishes.line)
            if self.wishes.strict or any(wish is not None for wish in asked):
                raise self.whole
            self.loops = []
            return
        if self.wishes.over is not None or self.wishes.function is not None:
            self.loops = [calls.over(self.tree, self.wishes.over, self.wishes.function)]
            return
        if self.wishes.inside is not None:
            from concompare.cells.inside import cell_calls

            self.loops = []
            cell_calls.check_called(self.tree, self.wishes.inside)
            return
        self.find()
        if self.wishes.line is not None and not any(self.is_meant(loop) for loop in self.loops):
            raise BadOption(f"--line {self.wishes.line}: no loop, comprehension or map starts there")

    def find(self) -> None:
        """Find the loops."""
        self.shadowed = frozenset(name for name in names.writes(*self.tree.body) if hasattr(builtins, name))
        self.loops = finding.loops_in(self.tree.body, self.shadowed) or calls.plain_call(self.tree)

    def look(self, namespace: Mapping[str, Any]) -> None:
        """Find the loops that only the notebook's objects show to be some.

        Raises:
            BadOption: Neither the cell nor the notebook has the function that the user named.
        """
        calls.check_function(self.tree, self.wishes.function, namespace)
        if any(loop.kind == "function" for loop in self.loops):
            return
        self.alone = {id(loop) for loop in self.loops if row_walks.walks_what_it_stores(loop, namespace)}
        if "numpy" not in sys.modules and "vectorize" not in self.source:
            return
        from concompare.cells.replay.calling import arrays

        if arrays.mark(self.tree, namespace):
            self.find()

    def why_unseen(self, namespace: Mapping[str, Any]) -> str | None:
        """Return why the objects must not be looked at, asked again where the cell makes such a class itself."""
        return telling_classes.why_unseen(namespace) if telling_classes.may_make(self.source) else self.unseen

    def is_meant(self, loop: Loop) -> bool:
        """Tell whether a loop is the one that the user named, if one was named."""
        return self.wishes.line in (None, loop.line)

    @property
    def beside(self) -> bool:
        """Whether the cell has more than one place where work may be, so that a loop that does little is let alone."""
        return len(self.loops) > 1 and self.wishes.line is None

    @property
    def share(self) -> float:
        """The part of a budget that each loop of the cell gets."""
        return 1 / max(1, sum(map(self.is_meant, self.loops)))

    def place_of(self, loop: Loop) -> int | None:
        """Return which statement of the cell a loop is, or is a part of; None where it stands inside a block."""
        for place, statement in enumerate(self.tree.body):
            if loop.node is statement:
                return place
            if loop.node in names.nodes_in(statement) and not isinstance(statement, finding.BLOCKS):
                return place
        return None

    def place(self, loop: Loop, lifted: Lifted) -> None:
        """Note where in the cell a loop stands."""
        lifted.statement = place = self.place_of(loop)
        if place is not None and loop.kind != "function":
            lifted.numbered = lambda: number_in(self.tree.body[place], loop.node)

    def run(self, namespace: dict[str, Any], runner: Runner) -> Any:
        """Run the cell; returns its value."""
        if self.whole is not None:
            return waiting.run(self.tree, self.refused, self.whole, self.wishes.filename, namespace, runner)
        self.unseen = telling_classes.why_unseen(namespace)
        if self.wishes.inside is None:
            self.look(namespace)
            self.settle(namespace)
            self.find_pools(namespace)
        follow = self.following(namespace, runner)
        with self.allowance.counted():
            tree = self.hooked(follow.calls if follow is not None else None)
        hook = Hook(self, namespace, runner)
        ours = {HOOK: hook} | (follow.names() if follow is not None else {})
        if (session := self.session(hook)) is not None:
            ours[POOL] = session.stand_in
        if (threads := self.threads(hook, follow)) is not None:
            ours[joined.THREADS] = threads
        before = {name: vars(builtins).get(name) for name in ours}  # a cell may run another
        vars(builtins).update(ours)  # there `locals()` and `globals()` show none of ours
        try:
            nothing = contextlib.nullcontext()
            with session or nothing, threads or nothing, follow or nothing, NUMBERS.of_a_cell():
                return self.run_statements(tree, namespace, self.ahead(hook))
        except BaseException as error:
            error.__traceback__ = as_plainly(error, Hook.__call__.__code__, unwalkable=error is hook.unwalkable)
            raise
        finally:
            for name, other in before.items():
                del vars(builtins)[name]
                if other is not None:
                    vars(builtins)[name] = other
            for name in [name for name in namespace if name.startswith(OURS)]:
                del namespace[name]

    def following(self, namespace: dict[str, Any], runner: Runner) -> Following | None:
        """Return what follows the calls of the user's functions, where the cell may have some."""
        shadowed = frozenset(names.writes(*self.tree.body) | namespace.keys())
        found = [node for node in names.nodes_in(self.tree) if isinstance(node, ast.Call)]
        if self.wishes.inside is None and not any(calls.may_enter(node, shadowed) for node in found):
            return None
        from concompare.cells.inside import cell_calls, following

        entering = cell_calls.Calls(self.tree, self.loops, self.wishes, namespace)
        return following.Following(self, namespace, runner, entering)

    def session(self, hook: Hook) -> Session | None:
        """Return what the cell's executors and pools belong to, where it may have some."""
        namespace = hook.namespace
        read = {node.id for node in names.nodes_in(self.tree) if isinstance(node, ast.Name)}
        if not self.makers and not any(pools.is_handle(namespace.get(name), 0) for name in read):
            return None
        from concompare.cells.pools.session import Session

        return Session(hook, self.makers, pools.urgent(self.tree, namespace))

    def threads(self, hook: Hook, follow: Following | None) -> Threads | None:
        """Return what starts and joins in the place of threads and processes, where the cell may have some."""
        if not self.windows and follow is None:
            return None
        from concompare.cells.pools.started import Threads

        threads = Threads(hook, self.windows)
        if follow is not None:
            follow.threads = threads
        return threads

    def settle(self, namespace: Mapping[str, Any]) -> None:
        """Take the call that the cell ends with as one item of work, where it is no method of pandas after all."""
        single = calls.plain_call(self.tree)
        if not single or not self.loops or any(loop.method is None for loop in self.loops):
            return
        owner = next((loop.method.value for loop in self.loops if loop.node is single[0].node and loop.method), None)
        if not isinstance(owner, ast.Name) or owner.id in names.writes(*self.tree.body) or owner.id not in namespace:
            return
        from concompare.cells.replay.frames import owners

        if not owners.is_owner(namespace[owner.id]):
            self.loops = single

    def find_pools(self, namespace: Mapping[str, Any]) -> None:
        """Find the parallel code that the cell has already; loops around it, or that only hand it on, are no work."""
        if self.wishes.over is None and self.wishes.function is None and self.wishes.line is None:
            self.makers = pools.makers(self.tree, namespace)
            self.windows = joined.windows_of(self.tree.body)
            held = [loop for loop in self.loops if pools.holds(loop.node, self.makers) or self.windows.holds(loop.node)]
            held += [loop for loop in self.loops if self.makers and pools.is_delayed(loop.node)]
            self.loops = [loop for loop in self.loops if loop not in held]

    def ahead(self, hook: Hook) -> Ahead | None:
        """Return what computes independent calls together, where no loop and no pool of the cell does the work."""
        if (fixed := self.fixed()) is None:
            return None
        from concompare.cells.replay.independent import Ahead

        return Ahead(hook, fixed)

    def fixed(self) -> list[ast.AST] | None:
        """Return the loops that stay as they are while independent calls run together; None where no calls do."""
        wishes, loops = self.wishes, [loop for loop in self.loops if loop.kind != "call"]
        fixed: list[ast.AST] = [loop.node for loop in loops]
        shares = wishes.measured and not all(map(independent.is_light, loops))  # then they would share the budget
        alone = wishes.points or shares or self.makers or self.windows
        return fixed if not alone and independent.may_run_together(self.tree.body, fixed) else None

    def run_statements(self, tree: ast.Module, namespace: dict[str, Any], ahead: Ahead | None) -> Any:
        """Run statements one by one as the notebook does; returns the value of a last expression."""
        body = list(tree.body)
        last = body.pop() if self.loops_value() and isinstance(body[-1], ast.Expr) else None
        for place, (own, statement) in enumerate(zip(self.tree.body, body, strict=False)):
            annotate(own, namespace)
            found = ahead.ready(place) if ahead is not None else None
            exec(compiled(ast.Module([found or statement], []), self.wishes.filename, "exec", namespace), namespace)
        if not isinstance(last, ast.Expr):
            return None
        found = ahead.ready(len(body)) if ahead is not None else None
        last = found if isinstance(found, ast.Expr) else last
        return eval(compiled(ast.Expression(last.value), self.wishes.filename, "eval", namespace), namespace)

    def loops_value(self) -> bool:
        """Tell whether the cell ends with an expression, or with the call of its function for every item."""
        over = any(loop.kind == "function" for loop in self.loops)
        return over or (bool(self.tree.body) and isinstance(self.tree.body[-1], ast.Expr))

    def inside(self, loop: Loop) -> list[ast.stmt]:
        """Return the body of a loop that runs as it is, with hooks in the place of the loops in it."""
        if id(loop) not in self.bodies:
            first = len(self.loops)
            self.loops += finding.loops_in(loop.body, self.shadowed)
            instead = again.once_instead(loop, self.instead(range(first, len(self.loops))))
            self.bodies[id(loop)] = [names.copied(statement, instead) for statement in loop.body]
        return self.bodies[id(loop)]

    def instead(self, numbers: Iterable[int], entering: Calls | None = None) -> Callable[[ast.AST], ast.AST | None]:
        """Return what gives the hook that stands in the place of a node, if there is one.

        Args:
            numbers: Of the loops.
            entering: Writes calls that may hold a loop.
        """
        places = {id(place_in(self.loops[number])): number for number in numbers}
        makers = {id(node): number for number, node in enumerate(self.makers)}

        def hook(node: ast.AST) -> ast.AST | None:
            if (started := self.windows.instead(node, hook)) is not None:
                return started
            if id(node) in makers:
                return pools.stand_in(self.makers[makers[id(node)]], makers[id(node)], POOL)
            number = places.get(id(node))
            if number is None:
                return entering.instead(node, hook) if entering is not None else None
            loop = self.loops[number]
            if loop.kind == "call" and entering is not None:
                return entering.whole(loop, hook_of(loop, number, [located(ast.Constant(None), node)]), hook)
            if loop.method is not None:
                assert isinstance(node, ast.Attribute)
                owner = located(ast.Attribute(names.copied(node.value, hook), node.attr, node.ctx), node)
                return located(ast.Attribute(hook_call(number, node, owner), node.attr, node.ctx), node)

            def inside(part: ast.AST) -> ast.AST | None:
                return hook(part) if part is not node else None

            if loop.caller is not None:
                called = names.copied(loop.caller, inside)
                made: ast.AST = hook_call(number, node, called)
                return hook_if_meant(loop, made, names.copied(called)) if loop.means else made
            walked = loop.items if id(loop) not in self.alone else None
            items = [names.copied(walked, inside)] if walked is not None else []
            made = hook_of(loop, number, items, [names.copied(part, hook) for part in loop.orelse])
            return hook_if_meant(loop, made, names.copied(node, inside)) if loop.means else made

        return hook

    def hooked(self, entering: Calls | None) -> ast.Module:
        """Return the tree with a hook in the place of each loop, and around calls that may hold one."""
        made = names.copied(self.tree, self.instead(range(len(self.loops)), entering))
        for number, loop in enumerate(self.loops):
            if loop.kind == "function":
                call = hook_of(loop, number, [loop.items] if loop.items is not None else [])
                assert isinstance(call, ast.expr)
                made.body.append(located(ast.Expr(call), loop.node))
        if not names.kinds_in(self.tree).isdisjoint(hooks.HANDLING):
            hooks.tidy_blocks(made)
        return placed(made)


@dataclass
class Hook(Shapes):
    """The object that the cell's tree calls in the place of its loops."""

    cell: Cell
    namespace: dict[str, Any]
    runner: Runner
    small: Small = field(default_factory=Small)
    codes: dict[int, types.CodeType] = field(default_factory=dict)
    depth: int = 0
    map: ClassVar[Any] = map
    starmap: ClassVar[Any] = itertools.starmap
    unwalkable: BaseException | None = None
    worked: float | None = None
    listing: listed.Listed | None = None

    @staticmethod
    def means(paths: tuple[str, ...], *found: Any) -> bool:
        """Tell whether objects are those that dotted paths name."""
        from concompare.cells.replay.calling import meaning

        return meaning.are_meant(paths, *found)

    @staticmethod
    def caught() -> None:
        """Show none of our frames and notes to what handles an error that came through a hook."""
        tidy(Hook.__call__.__code__)

    def __call__(self, number: int, items: Any = None) -> Any:
        """Run a loop: True where a statement came to its end, or the value of an expression.

        For what calls a function with items, return what is called in its stead; for a method, return what has another
        one of that name.
        """
        return self.go(number, items)

    def go(self, number: int, items: Any = None) -> Any:
        """Run a loop, called from the cell or from a function that it calls."""
        loop, self.small.reached = self.cell.loops[number], time.perf_counter()
        if loop.caller is not None:
            from concompare.cells.replay.calling.caller import Caller

            return Caller(self, loop, items) if self.cell.is_meant(loop) else items
        if loop.method is not None:
            from concompare.cells.replay.frames import methods

            return methods.instead(self, loop, items)
        annotate(loop.node, self.namespace)
        if (why := self.cell.why_unseen(self.namespace)) is not None:
            return self.refuse(loop, items, CellRefused(f"{why}.", loop.line))
        if id(loop) in self.cell.alone:
            return self.refuse(loop, items, row_walks.refusal(loop))
        if not self.cell.is_meant(loop) or id(loop) in self.small or pools.concerns(loop.node, items, self.namespace):
            return self.plain(loop, items)
        if loop.target is not None and loop.kind != "call":
            try:
                items = iterable(items)
            except TypeError as error:
                self.unwalkable = error
                raise
        given = isinstance(items, types.GeneratorType) or type(vars(type(items)).get("__iter__")) is types.FunctionType
        if given and (fused := self.fused(loop, items)) is not None:
            return self.run_fused(loop, *fused)
        return self.take(loop, items)

    def take(self, loop: Loop, items: Any) -> Any:
        """Run a loop over its items, in parallel if it can."""
        walks = isinstance(items, (itertools.groupby, types.GeneratorType))
        found = listed.listed(loop, items, self.namespace, self.may_be_walked) if walks else None
        if found is not None and found.whole:
            self.listing, self.namespace[listed.ITEMS] = found, found.items
            try:
                return self.attempt(found.loop, found.items)
            except CellRefused:
                pass
            finally:
                self.listing = None
                self.namespace.pop(listed.ITEMS, None)
                found.left(self.namespace)
        items = found.again(found.items) if found is not None and not found.touching else items
        taken: list[Any] = []
        try:
            return self.attempt(loop, items, taken)
        except CellRefused as error:
            refusal = error.with_traceback(None)  # of which the frames would keep the objects that a loop drops
        if refusal.shared:
            with contextlib.suppress(CellRefused):
                return self.attempt(replace(loop, shared=True), taken[0] if taken else items, taken)
        if (groups := self.groups(items)) is not None:
            with contextlib.suppress(CellRefused):
                return self.attempt(replace(loop, snapshot=True), groups)
        if refusal.waits is not None:
            return refusal.waits.run(self, loop, refusal)
        return self.refuse(loop, taken[0] if taken else items, refusal)

    def attempt(self, loop: Loop, items: Any, taken: list[Any] | None = None) -> Any:
        """Run a loop in parallel; `taken` gets what is left of items that were looked at.

        Raises:
            CellRefused: It has to run as it is, and nothing of it has run.
        """
        taken = [] if taken is None else taken
        walked, bar = ([None], None) if loop.kind == "call" else bars.unwrapped(items, checks.fresh(loop))
        live = walked is not items
        if bar is None and (few := self.few(loop, walked)) is not None:
            walked, live = few, False
            taken[:] = [few]
        if bar is None and (nest := self.nest(loop, walked, live)) is not None:
            return self.run_nest(loop, *nest)
        numbered = self.numbered(loop, walked) if bar is None else None  # to look at the first item takes it
        loop.twice = walked_ahead.twice_of(loop, walked, self.namespace)
        lifted = self.lift(loop, walked, taken if bar is None else None)
        if bar is None and (turns := self.turns(loop, lifted, numbered)) is not None:
            return self.run_turns(*turns)
        with self.cell.allowance.counted():
            self.cell.place(loop, lifted)
            task, side = lifted.bind(self.namespace, taken[0] if taken else walked, bar)
        side.halts = True
        try:
            return self.run(loop, lifted, task, side)
        except CellRefused:
            if bar is None:
                taken[:] = [side.remaining()]
            raise

    def lift(self, loop: Loop, walked: Any, taken: list[Any] | None) -> Lifted:
        """Return the loop as one that can run in parallel; `taken` gets what is left of items that were looked at."""
        wishes = self.cell.wishes
        loop.certain = wishes.measured
        if (short := self.short(loop)) is not None:
            raise short
        try:
            with self.cell.allowance.one() as budget:
                found = binding.lift(
                    loop,
                    self.namespace,
                    walked,
                    filename=wishes.filename,
                    source=self.cell.source,
                    assume_pure=wishes.assume_pure,
                    seeded=wishes.seeded,
                    taken=taken,
                    budget=budget,
                )
        except TooLong:
            raise CellRefused(binding.TOO_LONG, loop.line) from None
        if self.listing is not None:
            found.again = self.listing.again
            if not self.listing.keeps_still(found):
                raise CellRefused("the loop touches files while it walks through folders.", loop.line)
        if not self.is_alone(loop) and binding.is_light(found.staged):
            raise binding.nothing(loop)
        return found

    def run(self, loop: Loop, found: Lifted, task: Task, side: Replay | Collect) -> Any:
        """Let the runner run a task; returns what the cell goes on with."""
        began, reached = time.perf_counter(), self.small.reached
        try:
            self.worked = self.runner.run(task, found)
        except CellRefused:
            raise
        except BaseException as error:
            if not side.halted:  # else the plain loop goes on outside of the handler: its errors have no other before
                self.cell.lifted.append(found)
                if isinstance(side, Collect) and side.error is error:
                    return side.value
                raise
        self.cell.lifted.append(found)
        if self.depth:
            self.small.note(loop, began, reached, self.worked)
        if side.halted or (side.front is not None and side.front.failed):
            left = side.remaining()
            return self.rest(loop, side, left if found.again is None else found.again(left))
        if isinstance(side, Collect):
            return side.value
        return side.is_through()

    def rest(self, loop: Loop, side: Replay | Collect, left: Any) -> Any:
        """Run what is left of a loop as it is: nothing can be computed ahead, or it is not worth while."""
        if isinstance(side, Replay):
            return self.plain(loop, left) if side.halted or not side.stopped else side.is_through()
        return side.joined(self.plain(loop, left))

    def refuse(self, loop: Loop, items: Any, refusal: CellRefused) -> Any:
        """Run a loop that cannot run in parallel as the plain loop; raises where that is to be an error."""
        return self.refuse_play(loop, refusal, lambda: self.plain(loop, items), binding.number_of(loop, items))

    def refuse_play(self, loop: Loop, refusal: CellRefused, play: Callable[[], Any], count: int = 0) -> Any:
        """Run a loop that cannot run in parallel by `play`; raises where that is to be an error."""
        if refusal.line is None:
            refusal.line = loop.line
        if self.cell.wishes.strict or refusal.spent:
            raise refusal
        refusal.__traceback__ = None  # its frames hold the items, which the plain loop lets go of
        self.cell.refused.append(Refused(loop, refusal, count))
        self.small |= {id(loop)} if self.depth else set()
        return self.runner.plainly(loop, refusal, play)

    def plain(self, loop: Loop, items: Any) -> Any:
        """Run a loop as it is, over items that are evaluated already."""
        if loop.target is not None and loop.kind != "call":
            self.namespace[ITEMS] = Walked(self.namespace, items)
        filename = self.cell.wishes.filename
        look_up_once(loop, self.namespace, filename)
        if isinstance(loop.node, ast.stmt):
            return self.plain_statement(loop, loop.node)
        load = located(ast.Name(ITEMS, ast.Load()), loop.node)
        whole = placed(ast.Expression(self.expression(loop, load)))
        if any(isinstance(part, ast.Await) for part in sources.outside_functions(whole)):
            code = compile(whole, filename, "eval", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            return coroutines.called(lambda found: found)(eval(code, self.namespace))
        if id(loop) not in self.codes:
            self.codes[id(loop)] = compiled(whole, filename, "eval", self.namespace)
        value = eval(self.codes[id(loop)], self.namespace)
        return value if loop.plainly is None else AsMapped(value)

    def plain_statement(self, loop: Loop, node: ast.stmt) -> bool:
        """Run a statement over items that are evaluated already; tells whether it came to its end."""
        done = f"{DONE}{self.depth}"
        key = id(loop) if id(loop) in self.small else -id(loop)
        if key not in self.codes:
            with self.cell.allowance.counted():
                self.codes[key] = self.statement(loop, node, done)
        self.depth += 1
        try:
            exec(self.codes[key], self.namespace)
        finally:
            self.depth -= 1
        return bool(self.namespace.pop(done, False))

    def statement(self, loop: Loop, node: ast.stmt, done: str) -> types.CodeType:
        """Return the code of a statement that walks items under a name of ours; the loops in it are hooks."""
        once = again.once_instead(loop)
        body = [names.copied(part, once) for part in loop.body] if id(loop) in self.small else self.cell.inside(loop)
        end: ast.stmt = located(ast.Assign([ast.Name(done, ast.Store())], ast.Constant(True)), node)
        made: ast.stmt
        if isinstance(node, ast.For):
            assert loop.target is not None
            walked = node.iter if id(loop) in self.cell.alone else located(ast.Name(ITEMS, ast.Load()), node)
            made = located(ast.For(loop.target, walked, body, [end]), node)
        else:
            assert loop.test is not None
            made = located(ast.While(loop.test, body, [end]), node)
        module = placed(ast.Module([made], []))
        code: types.CodeType = compiled(module, self.cell.wishes.filename, "exec", self.namespace)
        return code
