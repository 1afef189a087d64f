"""Calls that wait until a result is asked for, then run as one loop over them."""

from __future__ import annotations

import ast
import dataclasses
import pickle
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from concompare.cells.effects.live import is_plain_method
from concompare.cells.forms import known_pools
from concompare.cells.forms.comprehensions import collected
from concompare.cells.ir import OURS, RESULT, Loop, Order, Stage
from concompare.cells.objects import is_atom, reachable
from concompare.cells.replay import binding
from concompare.cells.replay.collect import Collect
from concompare.cells.syntax import names
from concompare.cells.syntax.nodes import located
from concompare.errors import CannotShip, CellRefused, ConcompareError, RemoteError
from concompare.worker.transfer.caught import Caught

if TYPE_CHECKING:
    from concompare.cells.distribution.code.generated import Generated
    from concompare.cells.pools.session import Session
    from concompare.cells.replay.binding import Lifted

CALLED = OURS + "called"
ERROR, CAUGHT = OURS + "error", OURS + "caught"
NUMBER, ARGS, NAMED = OURS + "number", OURS + "args", OURS + "named"
ANY_ORDER = "results that may come in any order are handed out in the order of the calls"
MOST = 20
"""Different functions in one batch."""


@dataclass
class Call:
    """A call that waits: what is called, with what, and what is told when it is done."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    named: dict[str, Any] = field(default_factory=dict)
    end: Callable[[Any, BaseException | None], None] = lambda value, error: None
    again: Callable[[], None] = lambda: None
    """Hands the call to the user's own pool after all."""


@dataclass
class Waiting:
    """The calls of one pool of the user's.

    Args:
        session: The cell's.
        node: The expression that makes the pool.
        what: What the user calls it.
        copies: Its calls get copies of their arguments and give copies of their results, as processes do.
        cloud: What is sent to them may be what plain pickling cannot send, such as a lambda.
        chunked: Its calls are made in chunks, of which one that raises leaves out the rest.
        changing: The names that the cell may change while calls wait.
        reused: The names whose objects the cell may change while calls wait that were given them.
        as_written: Runs calls as the user wrote it, to be compared; `workers`: how many workers that has.
    """

    session: Session
    node: ast.expr
    what: str
    copies: bool = False
    cloud: bool = False
    chunked: bool = False
    changing: frozenset[str] = frozenset()
    reused: frozenset[str] = frozenset()
    as_written: Callable[[list[Call]], None] | None = None
    workers: int = 1
    calls: list[Call] = field(default_factory=list)
    plain: bool = False
    seen: dict[Any, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def note(self, text: str) -> None:
        """Note what the user should know of how the calls run."""
        self.notes[text] = None

    def take(self, calls: list[Call]) -> bool:
        """Keep calls for later; False: they have to run as they are written."""
        if self.plain:
            return False
        fresh = [call for call in calls if key_of(call.function) not in self.seen]
        try:
            for call in calls:
                self.look_at((*call.args, *call.named.values(), getattr(call.function, "__self__", None)))
            if fresh:
                lifted_calls(self, list({key_of(call.function): call for call in fresh}.values()))
        except CellRefused as refusal:
            self.give_up(refusal)
            return False
        self.seen.update(dict.fromkeys(key_of(call.function) for call in fresh))
        self.calls += calls
        return True

    def drop(self, error: BaseException) -> None:
        """Let what waits fail: the cell was interrupted."""
        calls, self.calls = self.calls, []
        for call in calls:
            call.end(None, error)

    def look_at(self, given: tuple[Any, ...]) -> None:
        """Refuse to put a call off that is given something which the cell changes meanwhile, or waits for."""
        if any(map(known_pools.ties, given)):
            raise CellRefused("its calls are given something that ties them to each other.", self.node.lineno)
        for name in self.reused:
            value = self.session.namespace.get(name)
            if value is not None and any(part is value for part in given) and not is_atom(value):
                raise CellRefused(f"the cell changes `{name}`, which its calls are given.", self.node.lineno)

    def settle(self) -> None:
        """Run what waits."""
        calls, self.calls = self.calls, []
        if not calls:
            return
        try:
            lifted, outcomes = self.run(calls)
        except CellRefused as found:
            refusal = found
        except BaseException as error:
            self.calls = calls
            self.drop(error)
            raise
        else:
            self.end(calls, lifted, outcomes)
            return
        self.calls = calls
        self.give_up(refusal)

    def end(self, calls: list[Call], lifted: Lifted, outcomes: list[tuple[Any, BaseException | None]]) -> None:
        """Give calls what they came to; those after one that failed, where calls change objects, run as written."""
        self.session.cell.lifted.append(lifted)
        for call, outcome in zip(calls, outcomes, strict=False):
            call.end(*outcome)
        for call in calls[len(outcomes) :]:
            call.again()

    def run(self, calls: list[Call]) -> tuple[Lifted, list[tuple[Any, BaseException | None]]]:
        """Run calls as one loop; returns what each gave or raised."""
        lifted, items = lifted_calls(self, calls)
        lifted.notes = (*lifted.notes, *self.notes)
        if self.as_written is not None and not lifted.staged.items_change:  # each run would change them once more
            lifted.as_written = lambda: self.as_written and self.as_written(calls)
            lifted.own_workers = self.workers
        if lifted.staged.items_change:
            return lifted, self.run_changing(lifted, items)
        caught = dataclasses.replace(lifted, made=catching(lifted.made))
        self.session.namespace[CAUGHT] = Caught
        task, side = caught.bind(self.session.namespace, items)
        try:
            self.session.runner.run(task, lifted)
        except (CannotShip, RemoteError) as error:
            raise CellRefused(str(error), self.node.lineno) from error
        assert isinstance(side, Collect)
        if len(side.result) != len(calls):
            raise CellRefused("not all of its calls gave a result.", self.node.lineno)
        if any(caught is not None and caught.error is None for _, caught in side.result):
            raise CellRefused("an exception that its calls raise cannot be sent.", self.node.lineno)
        outcomes = [(value, caught and caught.error) for value, caught in side.result]
        return lifted, [sent_back(self, *outcome) if self.copies else outcome for outcome in outcomes]

    def run_changing(self, lifted: Lifted, items: list[Any]) -> list[tuple[Any, BaseException | None]]:
        """Run calls that change what they are given; returns what they came to, up to the first that raises."""
        task, side = lifted.bind(self.session.namespace, items)
        assert isinstance(side, Collect)
        failed: list[tuple[Any, BaseException | None]] = []
        try:
            self.session.runner.run(task, lifted)
        except ConcompareError:
            raise
        except Exception as error:
            failed = [(None, error)]
        return [*[(value, None) for value in side.result], *failed]

    def give_up(self, refusal: CellRefused) -> None:
        """Leave this pool, with what waits, as the user wrote it.

        Raises:
            CellRefused: That is to be an error.
        """
        self.plain = True
        calls, self.calls = self.calls, []
        refusal.line = refusal.line or self.node.lineno
        loop = Loop("pool", self.node.lineno, self.node, None, None, [], own=self.what)

        def play() -> None:
            for call in calls:
                call.again()

        self.session.refuse(loop, refusal, play)


def key_of(function: Any) -> Any:
    """Return what is the same for the same function, or the same method of the same object."""
    if isinstance(function, types.MethodType):
        own = type(function.__self__) if is_plain_method(function) else id(function.__self__)
        return own, id(function.__func__)
    return id(function)


def lifted_calls(waiting: Waiting, calls: list[Call]) -> tuple[Lifted, list[Any]]:
    """Return calls as a loop that can run in parallel, and its items.

    Raises:
        CellRefused: They have effects, so that only the user's own pool runs them as written.
    """
    session, line = waiting.session, waiting.node.lineno
    loop, items = loop_of(waiting, calls)
    lifted = session.lift(loop, items)
    analysed, staged = lifted.staged.analysed, lifted.staged
    if staged.items_change and (waiting.copies or waiting.chunked):
        raise CellRefused("its calls change what they are given.", line)
    for node in called_in(analysed.loop):
        if staged.of(node) is not Stage.HEAD:
            raise binding.refusal(staged.reasons) if staged.reasons else CellRefused("its calls have effects.", line)
    effects = analysed.inside(loop.body)
    if "process" in effects.sees or effects.order & {Order.PROCESS, Order.INPUT, Order.RANDOM}:
        raise CellRefused("its calls look at the worker that runs them, or change it.", line)
    if late := sorted(effects.globals & waiting.changing):
        raise CellRefused(f"the cell changes `{late[0]}`, which its calls read, while they may run.", line)
    used = {place.obj for place in effects.reads | effects.writes if place.obj is not None} | effects.deep
    if any(known_pools.ties(thing) for obj in reachable(used) for thing in obj.live):
        raise CellRefused("its calls use something that ties them to each other.", line)
    if waiting.copies:
        as_processes(waiting, lifted, items, calls)
    return lifted, items


def called_in(loop: Loop) -> list[ast.Call]:
    """Return the calls of the user's that are the body of a loop."""
    parts = [part for statement in loop.body for part in names.nodes_in(statement)]
    return [part for part in parts if isinstance(part, ast.Call) and not is_append(part)]


def is_append(node: ast.Call) -> bool:
    """Tell whether a call puts a value into the result."""
    func = node.func
    return isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == RESULT


def loop_of(waiting: Waiting, calls: list[Call]) -> tuple[Loop, list[Any]]:
    """Return calls as a comprehension over their arguments."""
    method = method_of(calls)
    if method:
        calls = [dataclasses.replace(call, args=(call.function.__self__, *call.args)) for call in calls]  # type: ignore[attr-defined]
    functions = list({key_of(call.function): call.function for call in calls}.values())
    if len(functions) > MOST:
        raise CellRefused(f"it calls more than {MOST} functions.", waiting.node.lineno)
    place = waiting.node
    spread = len({(len(call.args), *sorted(call.named)) for call in calls}) > 1
    words = sorted(calls[0].named)
    slots = [f"{OURS}item{number}" for number in range(len(calls[0].args) + len(words))]
    if spread:
        parameters: list[str] = [ARGS, NAMED]
        args: list[ast.expr] = [located(ast.Starred(load(ARGS, place), ast.Load()), place)]
        keywords = [located(ast.keyword(None, load(NAMED, place)), place)]
    else:
        parameters = slots
        args = [load(slot, place) for slot in slots[: len(calls[0].args)]]
        named = zip(words, slots[len(calls[0].args) :], strict=True)
        keywords = [located(ast.keyword(word, load(slot, place)), place) for word, slot in named]
    if method:
        owned = located(ast.Attribute(args[0], method, ast.Load()), place)
        values: list[ast.expr] = [located(ast.Call(owned, args[1:], keywords), place)]
    else:
        named_so = [name_of(waiting, function, place) for function in functions]
        values = [located(ast.Call(function, list(args), list(keywords)), place) for function in named_so]
    if len(functions) > 1 or not parameters:
        parameters = [NUMBER, *parameters]
    stores = [located(ast.Name(name, ast.Store()), place) for name in parameters]
    target: ast.expr = stores[0] if len(stores) == 1 else located(ast.Tuple(list(stores), ast.Store()), place)
    walked = load(OURS + "calls", place)
    loop = collected("pool", place, target, walked, chosen(values, place), [], [])
    loop.own = waiting.what
    numbers = {key_of(function): number for number, function in enumerate(functions)}
    return loop, [item_of(call, parameters, words, numbers[key_of(call.function)], spread) for call in calls]


def method_of(calls: list[Call]) -> str:
    """Return the name of the method that all calls call, of one object or another; empty where they call others."""
    (first, *rest) = [call.function for call in calls]
    if not isinstance(first, types.MethodType) or not is_plain_method(first):
        return ""
    same = all(key_of(function) == key_of(first) for function in rest)
    alike = len({(len(call.args), *sorted(call.named)) for call in calls}) == 1
    return first.__name__ if same and alike else ""


def item_of(call: Call, parameters: list[str], words: list[str], number: int, spread: bool) -> Any:
    """Return the item that stands for a call."""
    parts = [call.args, call.named] if spread else [*call.args, *[call.named[word] for word in words]]
    parts = [number, *parts] if parameters[0] == NUMBER else parts
    return parts[0] if len(parts) == 1 else tuple(parts)


def chosen(values: list[ast.expr], place: ast.AST) -> ast.expr:
    """Return the expression that is one of some, by the number of the function."""
    found = values[-1]
    for number in reversed(range(len(values) - 1)):
        asked = ast.Compare(load(NUMBER, place), [ast.Eq()], [located(ast.Constant(number), place)])
        found = located(ast.IfExp(located(asked, place), values[number], found), place)
    return found


def load(name: str, place: ast.AST) -> ast.Name:
    """Return a name that is read."""
    return located(ast.Name(name, ast.Load()), place)


def name_of(waiting: Waiting, function: Any, place: ast.AST) -> ast.expr:
    """Return a function's own name where it has it in the notebook, else one of ours."""
    namespace = waiting.session.namespace
    name = getattr(function, "__name__", "")
    if name.isidentifier() and namespace.get(name) is function:
        return load(name, place)
    number = 0
    while (made := f"{CALLED}{number}") in namespace and key_of(namespace[made]) != key_of(function):
        number += 1
    namespace[made] = function
    return load(made, place)


def catching(made: Generated) -> Generated:
    """Return code whose head gives back what it computes, or what it raised, as a pair."""
    if not made.direct:
        raise CellRefused("its calls do more than give a result.", made.loop.line)
    head = names.copied(made.head)
    for node in ast.walk(head):
        if isinstance(node, ast.Return):
            value = node.value if node.value is not None else located(ast.Constant(None), node)
            node.value = located(ast.Tuple([value, located(ast.Constant(None), node)], ast.Load()), node)
    place = head.body[0]
    caught = located(ast.Call(load(CAUGHT, place), [load(ERROR, place)], []), place)
    failed = located(ast.Tuple([located(ast.Constant(None), place), caught], ast.Load()), place)
    handler = ast.ExceptHandler(load("Exception", place), ERROR, [located(ast.Return(failed), place)])
    head.body = [located(ast.Try(head.body, [located(handler, place)], [], []), place)]
    return dataclasses.replace(made, head=head)


def sent_back(waiting: Waiting, value: Any, error: BaseException | None) -> tuple[Any, BaseException | None]:
    """Return a result as it comes back from a process."""
    try:
        if error is not None:
            found = pickle.loads(dumps_of(waiting)(error))
            found.__cause__ = error.__cause__
            return None, found.with_traceback(error.__traceback__)
        return (value if is_atom(value) else pickle.loads(dumps_of(waiting)(value))), None
    except Exception:
        raise CellRefused("a result cannot be sent from a process.") from None


def dumps_of(waiting: Waiting) -> Callable[[Any], bytes]:
    """Return what pickles for the processes of a pool."""
    found = sys.modules.get("joblib.externals.cloudpickle") or sys.modules.get("cloudpickle") if waiting.cloud else None
    return found.dumps if found is not None else pickle.dumps


def as_processes(waiting: Waiting, lifted: Lifted, items: list[Any], calls: list[Call]) -> None:
    """Refuse what processes would do otherwise: they have copies, and see the notebook as it was.

    Raises:
        CellRefused: They would.
    """
    line = waiting.node.lineno
    analysed = lifted.staged.analysed
    effects = analysed.inside(analysed.loop.body)
    if effects.order & {Order.OUTPUT, Order.LOG} or "frames" in effects.sees:
        raise CellRefused("its calls print, log or look at what each process has of its own.", line)
    given_all: list[Any] = [call.function for call in calls] + [item for item in items if not is_atom(item)]
    if not waiting.cloud and not sendable(given_all):
        raise CellRefused("not all of it can be sent to processes.", line)
    made = called_in(analysed.loop)
    given = [obj for node in made for obj in reachable(analysed.values.get(node, frozenset())) if obj.outer]
    if any(not callable(thing) for obj in given for thing in obj.live or (None,)):
        raise CellRefused("its results hold what its calls were given, of which a process has a copy.", line)


def sendable(thing: Any) -> bool:
    """Tell whether the plain pickling of processes takes an object."""
    try:
        pickle.dumps(thing)
    except Exception:
        return False
    return True
