"""Calls of statements that do not depend on each other, computed together before the first of them is reached.

Every statement still runs in its turn; only the values of its calls may be there already. So what a statement that
raises leaves behind, and what those before it did, is what the plain cell leaves.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterable, Mapping, Set
from typing import TYPE_CHECKING, Any

from concompare.cells.distribution.handing import BOUND_TO_THREADS, name_of
from concompare.cells.distribution.touches import Touches
from concompare.cells.effects.interpreter import Interpreter
from concompare.cells.effects.kinds import is_of_values
from concompare.cells.effects.live import World
from concompare.cells.forms import independent
from concompare.cells.ir import OURS, Analysed, Budget, Effects, Loop, Order, Stage, TooLong
from concompare.cells.objects import ATOM, Obj, reachable
from concompare.cells.replay import chains, own_objects
from concompare.cells.replay.collect import Collect
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.errors import CannotShip, CellRefused, RemoteError

if TYPE_CHECKING:
    from concompare.cells.program import Hook
    from concompare.cells.replay.binding import Lifted

VALUE = OURS + "value"
FRUITLESS = 10
"""What an analysis that finds nothing counts, of `independent.MOST`."""
LONGEST = 60
"""Statements that are looked at together."""
PLACE = (ast.Constant, ast.Name, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.keyword, ast.expr_context)
"""What only puts values together."""


SHOWING = frozenset({"print", "display", "len", "round", "float", "int", "str"})
CONSTANT = (
    ast.Constant,
    ast.List,
    ast.Tuple,
    ast.Dict,
    ast.UnaryOp,
    ast.USub,
    ast.keyword,
    ast.Slice,
    ast.expr_context,
)
SMALL = 50_000
"""Cells of a table or an array up to which no method of it is worth a worker."""


def is_small_table(thing: Any) -> bool:
    """Tell whether an object is a table of pandas or an array of numpy with few cells, of values."""
    known = type(thing).__module__.partition(".")[0] in ("pandas", "numpy") and hasattr(type(thing), "size")
    return known and isinstance(thing.size, int) and thing.size <= SMALL and is_of_values(thing)


def is_little(call: ast.Call, namespace: Mapping[str, Any], assigned: Set[str]) -> bool:
    """Tell whether a call does little: methods, with constants, of a table that is there and not large; or shows such.

    Args:
        call: The call.
        namespace: The notebook's names.
        assigned: Those that the statements around it give other values.
    """
    inner = [node for node in names.nodes_in(call) if isinstance(node, ast.Call) and node is not call]
    if isinstance(call.func, ast.Name):
        shows = call.func.id in SHOWING and call.func.id not in namespace
        return shows and all(is_little(node, namespace, assigned) for node in inner)
    root: ast.expr = call
    given: list[ast.AST] = []
    while isinstance(root, (ast.Call, ast.Attribute, ast.Subscript)):
        given += [*root.args, *root.keywords] if isinstance(root, ast.Call) else []
        given += [root.slice] if isinstance(root, ast.Subscript) else []
        root = root.func if isinstance(root, ast.Call) else root.value
    constant = all(isinstance(node, CONSTANT) for part in given for node in ast.walk(part))
    if not constant or not isinstance(root, ast.Name) or root.id in assigned:
        return False
    owner = call.func.value if isinstance(call.func, ast.Attribute) else root
    return is_small_table(namespace.get(root.id)) or is_small_container(looked_up(owner, namespace))


def looked_up(node: ast.expr, namespace: Mapping[str, Any]) -> Any:
    """Return what names and attributes that are there stand for; else None."""
    if isinstance(node, ast.Name):
        return namespace.get(node.id)
    if not isinstance(node, ast.Attribute):
        return None
    return getattr(looked_up(node.value, namespace), "__dict__", {}).get(node.attr)


def is_small_container(thing: Any) -> bool:
    """Tell whether an object is a container of the standard library with few elements, or a text."""
    known = type(thing).__module__ in ("builtins", "collections") and not isinstance(thing, type)
    return known and hasattr(type(thing), "__len__") and len(thing) <= SMALL


def before_join(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements before the first that needs what two others give which do not need each other.

    It has to wait for both, and so does what follows from it: there is nothing to gain from looking at them.
    """
    chains: dict[str, set[str]] = {}
    for place, statement in enumerate(statements):
        given, read = names.writes(statement), names.reads(statement)
        met = {id(chain): chain for name in read if (chain := chains.get(name)) is not None}
        waits = all(not names.reads(call).isdisjoint(chains) for call in calls_in(statement))
        if len(met) > 1 and waits:
            return statements[:place] if place > 1 else statements
        chain = given.union(*met.values())
        chains.update(dict.fromkeys(chain, chain))
    return statements


def any_apart(statements: list[ast.stmt], much: Set[ast.Call]) -> bool:
    """Tell whether another call that does `much` may not need those of the first statement, as far as names show.

    What needs them is looked at in its turn, when they are done.
    """
    needs: list[set[int]] = []
    last: dict[str, int] = {}
    for place, statement in enumerate(statements):
        calls = [call for call in calls_in(statement) if call in much]
        needs.append(needed(statement, last, needs))
        if any(0 not in needed(call, last, needs) for call in calls if place):
            return True
        if not place and not all(map(is_inside, calls[1:], calls)):
            return True
        last.update(dict.fromkeys(given_by(statement), place))
    return False


def calls_in(statement: ast.stmt) -> list[ast.Call]:
    """Return the calls in a statement, outer ones first; those in a lambda are made when that is called."""
    later = {part for node in names.nodes_in(statement) if isinstance(node, ast.Lambda) for part in ast.walk(node.body)}
    return [node for node in names.nodes_in(statement) if isinstance(node, ast.Call) and node not in later]


def needed(node: ast.AST, last: Mapping[str, int], needs: list[set[int]]) -> set[int]:
    """Return the statements that give what a part needs: the `last` that gave each of its names, and theirs."""
    direct = {last[name] for name in names.reads(node) if name in last}
    return direct.union(*[needs[other] for other in direct])


def is_inside(node: ast.AST, other: ast.AST) -> bool:
    """Tell whether a node is a part of another one."""
    return node in names.nodes_in(other)


def given_by(statement: ast.stmt) -> set[str]:
    """Return the names that a statement gives values, or whose objects it stores into."""
    found = set(names.writes(statement))
    for node in names.nodes_in(statement):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            found |= names.reads(node.value)
    return found


class Ahead:
    """Computes calls of a cell's statements together.

    Args:
        hook: Runs the cell's loops.
        fixed: Nodes that run by themselves: the cell's loops.
    """

    def __init__(self, hook: Hook, fixed: Iterable[ast.AST]) -> None:
        self.hook, self.fixed = hook, set(fixed)
        self.body = hook.cell.tree.body
        self.values: dict[ast.Call, str] = {}
        self.error: tuple[ast.Call, BaseException] | None = None
        self.raising: ast.Call | None = None
        self.done: set[ast.stmt] = set()
        self.left = independent.MOST

    def ready(self, place: int) -> ast.stmt | None:
        """Return a statement with the values of calls that were computed ahead; None: it runs as it is."""
        statement = self.body[place]
        found = independent.window(self.body, place, self.is_fixed)
        if not found:
            return None
        if statement in self.done:
            return self.shown(statement)
        if not any(node in self.values for node in names.nodes_in(statement)) and self.error is None:
            self.compute(found)
        if statement in self.done:
            return self.shown(statement)
        if self.error is not None and self.error[0] in names.nodes_in(statement):
            raise self.error[1]
        return self.replaced(statement)

    def is_fixed(self, statement: ast.stmt) -> bool:
        """Tell whether a loop is in a statement."""
        return bool(self.fixed) and not self.fixed.isdisjoint(names.nodes_in(statement))

    def replaced(self, statement: ast.stmt) -> ast.stmt | None:
        """Return a statement that reads the values of its calls, or None where none is there."""
        if not any(node in self.values for node in names.nodes_in(statement)):
            return None

        def instead(node: ast.AST) -> ast.AST | None:
            name = self.values.get(node) if isinstance(node, ast.Call) else None
            if name is None:
                return None
            read = located(ast.Name(name, ast.Load()), node)
            return located(ast.Call(read, [], []), node) if node is self.raising else read

        return names.copied(statement, instead)

    def compute(self, found: list[ast.stmt]) -> None:
        """Compute the calls of the first statement and of those after it that need not wait for anything."""
        if self.left <= 0 or ast.Call not in names.kinds_in(found[0]):
            return
        found = before_join(found[:LONGEST])
        assigned = names.writes(*found)
        calls = (call for part in found for call in calls_in(part))
        much = {call for call in calls if not is_little(call, self.hook.namespace, assigned)}
        if len(much) < 2 or not any_apart(found, much):
            self.left -= 1
            return
        done = len(self.values) + len(self.done)
        self.find(found)
        self.left -= 1 if len(self.values) + len(self.done) > done else FRUITLESS

    def find(self, found: list[ast.stmt]) -> None:
        """Analyse statements, and compute what can be computed."""
        if self.run_own(found):
            return
        allowance = self.hook.cell.allowance
        try:
            with allowance.one() as budget:
                analysed = self.analysed(found, budget)
        except (TooLong, RecursionError):
            return
        with allowance.counted():
            together = chains.chains_of(analysed, found)
        if together:
            with contextlib.suppress(CellRefused):
                self.run_chains(together)
                return
        with allowance.counted():
            chosen = Window(analysed, found, set(self.values)).chosen()
        if len(chosen) > 1:
            with contextlib.suppress(CellRefused):
                self.run(chosen)

    def analysed(self, found: list[ast.stmt], budget: Budget) -> Analysed:
        """Return the effects of every node of some statements."""
        cell, namespace = self.hook.cell, self.hook.namespace
        loop = Loop("statements", found[0].lineno, found[0], None, None, found)
        loop.__dict__["namespace"] = namespace
        return Interpreter(World(namespace, assume_pure=cell.wishes.assume_pure), budget).analyse(loop)

    def run_own(self, found: list[ast.stmt]) -> bool:
        """Run the calls of statements that change objects of their own; False: they are not that."""
        own = own_objects.together(found, self.hook.namespace)
        if own is None:
            return False
        try:
            lifted = self.hook.lift(own.loop, own.items, None)
            if not own.are_own(lifted):
                return False
            given, error = self.outcome(lifted, own.items)
        except CellRefused:
            return False
        self.keep(own.calls, given, None)
        if error is not None:
            self.raising = own.calls[len(given)]
            self.keep([self.raising], [own_objects.raising(error, self.hook.cell.wishes.filename)], None)
        return own.calls[0] in self.values

    def run(self, calls: list[ast.Call]) -> None:
        """Run different calls as one loop, and keep what they give."""
        self.keep(calls, *self.results(calls))

    def keep(self, calls: list[ast.Call], found: list[Any], error: BaseException | None) -> None:
        """Keep what calls have given, up to one that has raised."""
        if error is not None:
            self.error = calls[len(found)], error
        for call, value in zip(calls, found, strict=False):
            name = self.values[call] = f"{VALUE}{len(self.values)}"
            self.hook.namespace[name] = value

    def results(self, calls: list[ast.Call]) -> tuple[list[Any], BaseException | None]:
        """Return what different calls give, up to the first that raises, and what that raises."""
        loop, numbers = independent.together(calls), list(range(len(calls)))
        lifted = self.hook.lift(loop, numbers, None)
        if lifted.staged.items_change or any(lifted.staged.of(call) is not Stage.HEAD for call in calls):
            raise CellRefused("the calls depend on each other.", loop.line)
        return self.outcome(lifted, numbers)

    def outcome(self, lifted: Lifted, items: list[Any]) -> tuple[list[Any], BaseException | None]:
        """Run a loop over calls; returns what they give up to the first that raises, and what that raises."""
        task, side = lifted.bind(self.hook.namespace, items)
        assert isinstance(side, Collect)
        failed: BaseException | None = None
        try:
            self.hook.runner.run(task, lifted)
        except CellRefused:
            raise
        except BaseException as error:
            if side.error is not error or len(side.result) >= len(items):
                raise
            failed = None if isinstance(error, (CannotShip, RemoteError)) else error
        self.hook.cell.lifted.append(lifted)
        return side.result, failed

    def run_chains(self, found: list[chains.Chain]) -> None:
        """Run chains of statements together, and bind the names that they assign."""
        namespace = self.hook.namespace
        calls = []
        for number, chain in enumerate(found):
            name = chains.function_of(chain, number, namespace, self.body[-1])
            place = chain.statements[0]
            calls.append(located(ast.Call(located(ast.Name(name, ast.Load()), place), [], []), place))
        given, error = self.results(calls)
        if error is not None or len(given) < len(
            found
        ):  # nothing has happened yet: the statements show what the plain cell leaves
            self.left = 0
            return
        for chain, values in zip(found, given, strict=True):
            namespace.update(zip(chain.stored, values, strict=True))
            self.done.update(chain.statements)

    def shown(self, statement: ast.stmt) -> ast.stmt:
        """Return what stands for a statement that is done."""
        if statement is self.body[-1] and isinstance(statement, ast.Expr):
            return located(ast.Expr(located(ast.Name(chains.SHOWN, ast.Load()), statement)), statement)
        return located(ast.Pass(), statement)


class Window:
    """Finds which calls of some statements need not wait for anything.

    Args:
        analysed: The statements, as the body of a loop.
        statements: The same, in order.
        done: Calls that were computed already.
    """

    def __init__(self, analysed: Analysed, statements: list[ast.stmt], done: set[ast.Call]) -> None:
        self.analysed, self.statements, self.done = analysed, statements, done
        self.touches = Touches(analysed).by_object
        self.assigned = names.writes(*statements)
        self.before: set[ast.AST] = set()
        self.written: set[str] = set()
        self.barrier = False
        self.quiet = True

    def chosen(self) -> list[ast.Call]:
        """Return the calls that can be computed now, in the order of the plain cell."""
        found: list[ast.Call] = []
        for statement in self.statements:
            calls = [] if self.done.intersection(names.nodes_in(statement)) else self.calls_in(statement)
            own = sorted(calls, key=lambda call: self.analysed.order.get(call, 0))
            found += [call for call in own if self.may_begin(statement, call, own)]
            self.leave(statement, found)
            if not found:
                break  # the first statement has to wait for nothing, or runs as it is
        return found[: independent.MOST]

    def calls_in(self, statement: ast.stmt) -> list[ast.Call]:
        """Return the calls of a statement that can be computed now."""
        return independent.calls_in(statement, lambda call: self.is_ready(call) and self.is_first(call))

    def is_ready(self, call: ast.Call) -> bool:
        """Tell whether a call changes nothing that anybody else sees, and does work."""
        effects = self.analysed.inside([call])
        given = self.given(call)
        outer = any(place.obj is None or place.obj.outer or place.obj in given for place in effects.writes)
        calm = not (effects.doubts or effects.hazards or effects.order - {Order.OUTPUT} or "process" in effects.sees)
        unseen = any(name.startswith(".") for name in effects.trusted)  # a method of what other statements may use, too
        return effects.heavy and calm and not outer and not unseen and not self.is_of_thread(call)

    def is_of_thread(self, call: ast.Call) -> bool:
        """Tell whether a call uses what only the thread can use that made it."""
        held = [self.analysed.values.get(part, ATOM) for part in names.nodes_in(call)]
        kinds = {name_of(kind) for value in held for obj in value for kind in obj.types or ()}
        return not kinds.isdisjoint(BOUND_TO_THREADS)

    def given(self, node: ast.AST) -> set[Obj]:
        """Return the objects that an expression gets from the statements before it."""
        loads = [part for part in names.nodes_in(node) if isinstance(part, ast.Name) and part.id in self.assigned]
        return set(reachable(obj for part in loads for obj in self.analysed.values.get(part, frozenset())))

    def is_first(self, call: ast.Call) -> bool:
        """Tell whether a call depends on nothing that has to be done before."""
        effects = self.analysed.inside([call])
        nodes = set(names.nodes_in(call))
        read = effects.globals | {part.id for part in nodes if isinstance(part, ast.Name)}
        if self.barrier or read & self.written:
            return False
        for obj, touches in self.touches.items():
            changed = any(writes and node in self.before for _, node, _, writes in touches)
            if obj.outer and changed and any(node in nodes for _, node, _, _ in touches):
                return False
        return True

    def may_begin(self, statement: ast.stmt, call: ast.Call, own: list[ast.Call]) -> bool:
        """Tell whether what a statement does before a call may be done after it."""
        inside = {node for part in own for node in names.nodes_in(part)}
        order = self.analysed.order
        others = [node for node in names.nodes_in(statement) if node not in inside]
        around = [node for node in others if order.get(node, 0) < order.get(call, 0)]
        effects = self.of(around)
        if effects.order or effects.doubts or any(place.obj is None or place.obj.outer for place in effects.writes):
            return False
        printing = any(Order.OUTPUT in self.analysed.inside([part]).order for part in own)
        return not printing or (self.quiet and all(isinstance(node, (*PLACE, ast.stmt)) for node in others))

    def of(self, nodes: Iterable[ast.AST]) -> Effects:
        """Return what nodes do by themselves."""
        found = Effects()
        for node in nodes:
            found.add(self.analysed.of(node))
        return found

    def leave(self, statement: ast.stmt, found: list[ast.Call]) -> None:
        """Go on to the next statement, which has to wait for what this one does by itself."""
        inside = {node for call in found for node in names.nodes_in(call)}
        others = [node for node in names.nodes_in(statement) if node not in inside]
        effects = self.of(others)
        self.before.update(others)
        self.written |= names.writes(statement) | {place.field for place in effects.writes if place.obj is None}
        self.barrier = self.barrier or bool(effects.doubts or effects.hazards or effects.order & BARRIERS)
        self.quiet = self.quiet and all(isinstance(node, (*PLACE, ast.Assign, ast.Expr)) for node in others)


BARRIERS = {Order.PROCESS, Order.FILES, Order.PROGRAMS, Order.NETWORK, Order.INPUT}
"""What must have happened before anything after it begins."""
