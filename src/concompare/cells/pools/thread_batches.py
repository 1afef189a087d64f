"""Threads or processes that are started together, as one loop over what they run."""

from __future__ import annotations

import ast
import contextlib
import copy
import functools
import multiprocessing
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from concompare.cells.forms import known_pools
from concompare.cells.ir import STARTED, Loop, Order, Stage, Why
from concompare.cells.objects import reachable
from concompare.cells.pools import bodies
from concompare.cells.pools.batches import called_in
from concompare.cells.pools.bodies import Made, Started
from concompare.cells.pools.thread_objects import (
    bare,
    check_class,
    end_process,
    end_thread,
    flush,
    is_queue,
    name_of,
    start_method,
    take_state,
)
from concompare.cells.replay import binding
from concompare.cells.replay.statement import Replay
from concompare.cells.syntax import names
from concompare.errors import CannotShip, CellRefused, ConcompareError, RemoteError
from concompare.worker.transfer.caught import Caught, caught_whole

if TYPE_CHECKING:
    from concompare.cells.program import Hook
    from concompare.cells.replay.binding import Lifted

TIED = "they wait for each other, or for the notebook"


class Batch:
    """Threads or processes that are started together.

    Args:
        hook: Runs the cell's loops.
        things: The threads or processes, in the order of their starts.
        place: The call that starts the first.
        looks: The code asks queues what is in them by now.
        printed: The code has printed since the first was started.

    Raises:
        CellRefused: They do not run as one loop.
    """

    def __init__(self, hook: Hook, things: list[Any], place: ast.expr, *, looks: bool, printed: bool) -> None:
        self.hook, self.things, self.place, self.looks, self.printed = hook, things, place, looks, printed
        self.namespace = hook.namespace
        self.copies = isinstance(things[0], BaseProcess)
        if any(isinstance(thing, BaseProcess) is not self.copies for thing in things):
            raise CellRefused("threads and processes are started together.")
        self.what = name_of(things[0])
        self.started = [self.started_of(thing) for thing in things]

    def started_of(self, thing: Any) -> Started:
        """Return what a thread or process runs."""
        base = BaseProcess if self.copies else threading.Thread
        if self.copies and start_method(thing) != "fork":
            raise CellRefused("its processes do not know the notebook's names.")
        run = type(thing).run
        if run is base.run:
            return called(thing)
        if not isinstance(run, types.FunctionType) or "run" in vars(thing):
            raise CellRefused("what it runs cannot be seen.")
        check_class(type(thing), base)
        own = bare(thing)
        return Started(thing, run, (own,), {}, own)

    def run(self) -> None:
        """Run them as one loop."""
        made, lifted = self.lifted()
        caught: list[tuple[int, Caught]] = []
        self.namespace[bodies.FAILED] = caught
        failed: dict[int, BaseException | None] = {}
        try:
            first = 0
            while first < len(made.items):
                error = self.run_from(made, lifted, first)
                if error is None:
                    break
                failed[error[0]], first = error[1], error[0] + 1
        finally:
            self.clear()
        self.hook.cell.lifted.append(lifted)
        self.finish(failed | {number: part.error for number, part in caught})

    def run_from(self, made: Made, lifted: Lifted, first: int) -> tuple[int, Exception] | None:
        """Run them from one on; returns which has raised what, if nothing else keeps that."""
        task, side = lifted.bind(self.namespace, made.items[first:])
        lifted.own_workers = len(self.things)
        own_way = OwnWay(self.copies, task.function, made.items, changed=lifted.staged.items_change)
        lifted.prepare, lifted.as_written = own_way.prepare, own_way.run
        assert isinstance(side, Replay)
        try:
            self.hook.runner.run(task, lifted)
        except (ConcompareError, RemoteError) as error:
            if first or side.position or not isinstance(error, (CannotShip, CellRefused, RemoteError)):
                raise
            raise CellRefused(str(error)) from error
        except Exception as error:
            if made.catches:
                raise
            return first + side.position - side.broken, error
        return None

    def lifted(self) -> tuple[Made, Lifted]:
        """Return the loop that they are."""
        refusal: CellRefused | None = None
        for make in (self.calling, self.inlining, self.inlining_bare):
            try:
                made = make()
                return made, self.lift(made)
            except CellRefused as found:
                refusal = refusal if refusal is not None and found.code == Why.TRACES.value else found
                self.clear()
        assert refusal is not None
        raise refusal

    def calling(self) -> Made:
        """Return a loop that calls their functions."""
        self.namespace |= {bodies.CAUGHT: Caught, bodies.FAILED: []}
        return bodies.calling(self.started, self.place, self.what)

    def inlining(self, *, catches: bool = True) -> Made:
        """Return a loop whose body is that of their functions."""
        for part in self.started:
            if part.own is not None:
                vars(part.own).update(part.shared)
        self.namespace |= {bodies.CAUGHT: caught_whole, bodies.FAILED: []}
        return bodies.inlining(self.started, self.place, self.what, self.namespace, catches=catches)

    def inlining_bare(self) -> Made:
        """Return the same, where the first that raises ends the loop, and another one goes on."""
        return self.inlining(catches=False)

    def clear(self) -> None:
        """Take our names out of the notebook."""
        words = (STARTED, bodies.FAILED, bodies.CAUGHT, bodies.NUMBER)
        for name in [name for name in self.namespace if name.startswith(words)]:
            del self.namespace[name]

    def lift(self, made: Made) -> Lifted:
        """Return a loop as one that can run in parallel.

        Raises:
            CellRefused: It cannot, or leaves something else than the threads do.
        """
        self.namespace.update(made.given)
        lifted = self.hook.lift(made.loop, made.items, None)
        analysed = lifted.staged.analysed
        effects = analysed.inside(analysed.loop.body)
        if not made.inlined:
            own = [node for node in called_in(analysed.loop) if is_target(node)]
            if any(lifted.staged.of(node) is not Stage.HEAD for node in own):
                reasons = lifted.staged.reasons
                raise binding.refusal(reasons) if reasons else CellRefused("they have effects.")
        if "process" in effects.sees or effects.order & {Order.PROCESS, Order.INPUT, Order.RANDOM}:
            raise CellRefused("they look at the worker that runs them, or change it.")
        if self.printed and Order.OUTPUT in effects.order:
            raise CellRefused("they print, and so does the code before they are joined.")
        if not made.catches and lifted.outside:
            said = "they leave traces outside of the notebook, which nothing takes back if one fails."
            raise CellRefused(said, code=Why.TRACES.value)
        self.check_ties(lifted, made)
        if self.copies:
            self.check_copies(lifted)
        return lifted

    def check_ties(self, lifted: Lifted, made: Made) -> None:
        """Refuse threads that wait for each other.

        Raises:
            CellRefused: They may.
        """
        analysed = lifted.staged.analysed
        approved = approved_in(made.loop, self.namespace, made.items) if made.inlined else set[int]()
        effects = analysed.inside(analysed.loop.body)
        used = {place.obj for place in effects.reads | effects.writes if place.obj is not None} | effects.deep
        things = [thing for obj in reachable(used) for thing in obj.live]
        approved |= {id(part.own) for part in self.started} | {id(thing) for thing in self.things}
        if any(known_pools.ties(thing) and id(thing) not in approved for thing in things):
            raise CellRefused(f"{TIED}.")
        for given in (part for item in made.items for part in item[2:]):
            if known_pools.ties(given) and id(given) not in approved:
                raise CellRefused(f"{TIED}.")

    def check_copies(self, lifted: Lifted) -> None:
        """Refuse what processes would do otherwise: what they change is lost, except what is made for them.

        Raises:
            CellRefused: They would.
        """
        analysed = lifted.staged.analysed
        effects = analysed.inside(analysed.loop.body)
        if effects.order & {Order.OUTPUT, Order.LOG} or "frames" in effects.sees:
            raise CellRefused("they print, log or look at what each process has of its own.")
        failed = self.namespace[bodies.FAILED]
        for place in effects.writes:
            obj = place.obj
            if obj is None and not place.field.startswith((bodies.LOCAL, bodies.NUMBER, bodies.ERROR)):
                raise CellRefused(f"what they give `{place.field}` is lost with the process.")
            if obj is None or not obj.outer:
                continue
            things = obj.live or tuple(thing for owner in obj.owner for thing in owner.live) or (None,)
            if not all(made_for_processes(thing) or thing is failed for thing in things):
                raise CellRefused(f"what they change of `{obj.label}` is lost with the process.")
        queues = any(is_queue(thing) for place in effects.writes if place.obj is not None for thing in place.obj.live)
        if queues and self.looks:
            raise CellRefused("the code asks a queue what is in it by now.")

    def finish(self, failed: dict[int, BaseException | None]) -> None:
        """Leave threads as those that have ended, and say of what they raised what they say."""
        for number, part in enumerate(self.started):
            error = failed.get(number)
            if self.copies:
                end_process(part.thing, error)
            else:
                if part.own is not None:
                    take_state(part.thing, {**vars(part.own), **part.shared})
                end_thread(part.thing, error)
        if self.copies:
            flush(self.namespace.values())


def is_target(node: ast.Call) -> bool:
    """Tell whether a call is that of a thread's function."""
    return isinstance(node.func, ast.Name) and node.func.id.startswith(bodies.TARGET)


def approved_in(loop: Loop, namespace: dict[str, Any], items: list[Any]) -> set[int]:
    """Return the objects that tie threads, of which a loop uses only what never waits, by identity."""
    held: dict[str, list[ast.AST]] = {}
    parents = {
        id(part): node for statement in loop.body for node in ast.walk(statement) for part in ast.iter_child_nodes(node)
    }
    for statement in loop.body:
        for node in names.nodes_in(statement):
            if isinstance(node, ast.Name) and known_pools.ties(namespace.get(node.id)):
                held.setdefault(node.id, []).append(parents[id(node)])
    return {
        id(namespace[name])
        for name, found in held.items()
        if all(never_waits(namespace[name], part, parents) for part in found)
    }


def never_waits(thing: Any, use: ast.AST, parents: dict[int, ast.AST]) -> bool:
    """Tell whether a use of a queue, lock or shared value waits for no other thread but for a moment."""
    if isinstance(use, ast.withitem):
        return is_lock(thing)
    if isinstance(use, ast.Subscript):
        return made_for_processes(thing)
    if not isinstance(use, ast.Attribute):
        return False
    if use.attr in ("put", "put_nowait"):
        call = parents.get(id(use))
        whole = isinstance(call, ast.Call) and len(call.args) == 1 and not call.keywords
        return whole and is_unbounded(thing)
    if use.attr == "get_lock":
        return isinstance(parents.get(id(parents.get(id(use)))), ast.withitem)
    return use.attr == "value" and made_for_processes(thing)


def is_lock(thing: Any) -> bool:
    """Tell whether an object is a lock, which one thread has at a time."""
    kinds = [type(threading.Lock()), type(threading.RLock())]
    return type(thing) in kinds or (type(thing).__module__, type(thing).__name__) in (
        ("multiprocessing.synchronize", "Lock"),
        ("multiprocessing.synchronize", "RLock"),
    )


def is_unbounded(thing: Any) -> bool:
    """Tell whether a queue takes any number of objects."""
    kind = type(thing).__module__, type(thing).__name__
    if kind == ("multiprocessing.queues", "Queue"):
        return thing._maxsize > 10_000  # type: ignore[no-any-return]
    if kind[0] == "queue":
        return thing.maxsize <= 0  # type: ignore[no-any-return]
    return kind == ("_queue", "SimpleQueue")


def made_for_processes(thing: Any) -> bool:
    """Tell whether processes share an object with the notebook."""
    words = ("queues", "sharedctypes", "synchronize")
    return type(thing).__module__ in [f"multiprocessing.{word}" for word in words]


@dataclass
class OwnWay:
    """Computes items as the code has it, one thread or process for each, to see how long that takes.

    Args:
        copies: Processes do it.
        function: Computes an item; `changed`: it changes the item.
        items: The items.
    """

    copies: bool
    function: Callable[[Any], Any]
    items: list[Any]
    changed: bool

    def prepare(self) -> None:
        """Take copies of items that are changed."""
        if self.changed:
            self.items = copy.deepcopy(self.items)

    def run(self) -> None:
        """Start one for each item, and join all."""
        kind: Any = multiprocessing.get_context("fork").Process if self.copies else threading.Thread
        started = [kind(target=self.one, args=(item,)) for item in self.items]
        for thing in started:
            thing.start()
        for thing in started:
            thing.join()

    def one(self, item: Any) -> None:
        """Compute one item; what it raises has been told of already."""
        with contextlib.suppress(Exception):
            self.function(item)


def called(thing: Any) -> Started:
    """Return what a thread with a target runs.

    Raises:
        CellRefused: The target is no function.
    """
    function: Any = thing._target
    args, named = tuple(thing._args), dict(thing._kwargs)
    while isinstance(function, (functools.partial, types.MethodType)):
        if isinstance(function, types.MethodType):
            function, args = function.__func__, (function.__self__, *args)
        else:
            args, named = (*function.args, *args), {**function.keywords, **named}
            function = function.func
    if not isinstance(function, types.FunctionType):
        raise CellRefused("what it runs cannot be seen.")
    return Started(thing, function, args, named)
