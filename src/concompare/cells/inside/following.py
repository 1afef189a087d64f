"""Calls that are followed while the cell runs: functions with hooks for their loops, in the place of the functions."""

from __future__ import annotations

import ast
import dataclasses
import functools
import itertools
import time
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from concompare.cells.decorated import meant_by
from concompare.cells.effects.live import World, definition_of
from concompare.cells.forms import joined
from concompare.cells.frame import FRAME, Frame
from concompare.cells.inside.cell_calls import ASK, Calls
from concompare.cells.inside.rules import Taken, gives_value_read, is_seen, keeps_function
from concompare.cells.inside.variant import ENTER, HOOK, POOL, RETURNED, YIELDED, Variant, given_at_once, variant_of
from concompare.cells.inside.work import DEEPEST, Work, local_names, shadowed_in, simple_function
from concompare.cells.ir import OURS, Allowance, Loop, Why
from concompare.cells.program import Hook, Refused
from concompare.cells.replay.binding import Lifted
from concompare.cells.replay.calling.caller import Caller
from concompare.cells.replay.collect import AsMapped
from concompare.cells.replay.frames.methods import Reached
from concompare.cells.replay.statement import Replay
from concompare.cells.worth import WORTH
from concompare.errors import CellRefused

if TYPE_CHECKING:
    from concompare.cells.pools.session import Session
    from concompare.cells.pools.started import Threads
    from concompare.cells.program import Cell, Runner, Wishes
    from concompare.cells.replay.collect import Collect

PACKAGE = __name__.split(".")[0]
LONGEST = 1.0
"""Seconds of computing that the loops inside functions may be looked at, in one cell."""
STORES = (list, dict, set)
LAZY = 32 | 128 | 512
"""Flags of the code of generators, coroutines and generators that await."""


@dataclass
class Plain:
    """A loop that has to run as it is from some item on; `side`: what its items so far have given."""

    items: Any
    side: Any = None


@dataclass
class Left:
    """What a hook leaves for the function that it stands in.

    Attributes:
        ran: The loop has run; else it has to run as it is, over `items`.
        ended: It came to its end, not to a `break`.
    """

    names: Mapping[str, Any]
    before: frozenset[str]
    found: Any
    error: BaseException | None = None
    map = map
    starmap = itertools.starmap
    as_mapped = AsMapped

    @property
    def ran(self) -> bool:
        """Tell whether the loop has run."""
        return not isinstance(self.found, Plain)

    @property
    def ended(self) -> bool:
        """Tell whether it came to its end."""
        return bool(self.found)

    @property
    def items(self) -> Any:
        """Return the items that are left, once."""
        items, self.found.items = self.found.items, None
        return items

    def has(self, name: str) -> bool:
        """Tell whether a name has a value now."""
        return name in self.names

    def lost(self, name: str) -> bool:
        """Tell whether a name has no value any more."""
        return name in self.before and name not in self.names

    def get(self, name: str) -> Any:
        """Return the value of a name."""
        return self.names[name]

    def yielded(self) -> Any:
        """Return what the loop would have yielded."""
        return self.names.get(YIELDED, ())

    @property
    def returned(self) -> bool:
        """Tell whether the function ends here; lets go of the names otherwise."""
        if RETURNED in self.names:
            return True
        self.names = {}
        return False

    def value(self) -> Any:
        """Return the value of an expression, or what the function returns."""
        error, self.error = self.error, None
        if error is not None:
            raise error
        found = self.names[RETURNED][0] if RETURNED in self.names else self.found
        self.names, self.found = {}, None
        return found

    def joined(self, rest: Any) -> Any:
        """Return the values so far with those of the items that were left."""
        self.names, side = {}, self.found.side
        return rest if side is None else side.joined(rest)

    def again(self) -> None:
        """Raise what the loop raised, if it did."""
        error, self.error = self.error, None
        if error is not None:
            raise error


@dataclass
class Inner:
    """A function with hooks, as the hooks of a cell know the cell."""

    cell: Cell | Script
    function: types.FunctionType
    variant: Variant
    wishes: Wishes
    source: str
    alone: frozenset[int] = frozenset()

    @property
    def loops(self) -> list[Loop]:
        """Return its loops."""
        return self.variant.loops

    def why_unseen(self, namespace: Mapping[str, Any]) -> str | None:
        """Return why the notebook's objects must not be looked at."""
        return self.cell.why_unseen(namespace)

    @functools.cached_property
    def shadowed(self) -> frozenset[str]:
        """Return the names of builtins that mean something else in it."""
        return shadowed_in(self.function)

    @functools.cached_property
    def tree(self) -> ast.Module:
        """Return its source, parsed."""
        return ast.parse(self.source)

    @property
    def beside(self) -> bool:
        """Return whether its loops are let alone where they do little: those are not looked at in the first place."""
        return False

    @property
    def allowance(self) -> Allowance:
        """Return what the analysis of the cell's loops may take."""
        return self.cell.allowance

    @property
    def lifted(self) -> list[Lifted]:
        """Return the loops of the cell that ran in parallel."""
        return self.cell.lifted

    @property
    def refused(self) -> list[Refused]:
        """Return the loops of the cell that did not."""
        return self.cell.refused

    def is_meant(self, loop: Loop) -> bool:
        """Tell whether a loop may run in parallel."""
        return True

    def place_of(self, loop: Loop) -> int | None:
        """Return which statement of the cell a loop is: none."""
        return None

    def place(self, loop: Loop, lifted: Lifted) -> None:
        """Leave a loop without a place in the cell."""


@dataclass
class FrameHook(Hook):
    """Runs one loop over the names of a function's frame.

    Attributes:
        taken_by: What takes the values of a generator one by one, if that is a loop.
    """

    taken_by: Taken | None = None

    def refuse(self, loop: Loop, items: Any, refusal: CellRefused) -> Any:
        """Let the function go on with the loop as it is."""
        if refusal.code != Why.NOTHING:
            frame: Frame = self.namespace[FRAME]
            refusal.args = (f"in `{frame.name}`, {refusal}",)
            if self.cell.wishes.strict:
                raise refusal
            self.cell.refused.append(Refused(loop, refusal))
        return Plain(items)

    def plain(self, loop: Loop, items: Any) -> Any:
        """Let the function go on with a statement as it is."""
        return Plain(items) if isinstance(loop.node, ast.stmt) else super().plain(loop, items)

    def rest(self, loop: Loop, side: Replay | Collect, left: Any) -> Any:
        """Let the function go on with the loop where nothing is computed ahead."""
        stopped = isinstance(side, Replay) and side.stopped and not side.halted
        return side.is_through() if isinstance(side, Replay) and stopped else Plain(left, side)

    def lift(self, loop: Loop, walked: Any, taken: list[Any] | None) -> Lifted:
        """Return the loop as one that can run in parallel."""
        found = super().lift(loop, walked, taken)
        analysed = found.staged.analysed
        if gives_value_read(analysed, self.namespace[FRAME]):
            text = "a function that it calls gives a global name another value, which the loop reads."
            raise CellRefused(text, loop.line)
        if keeps_function(analysed):
            raise CellRefused("it keeps functions that see the names of the function.", loop.line)
        taken_by = self.taken_by
        if taken_by is not None and is_seen(analysed, taken_by, self.namespace, self.namespace.get(YIELDED)):
            raise CellRefused("whoever takes its values may see what it does between them.", loop.line)
        return found


class LoopHook:
    """What a function with hooks calls in the place of its loops."""

    def __init__(self, inner: Inner, following: Following, taken_by: Taken | None = None) -> None:
        self.inner, self.following, self.taken_by = inner, following, taken_by

    def __call__(self, number: int, items: Any, local: dict[str, Any]) -> Left:
        """Run a loop, as far as it can run in parallel."""
        found = {name: value for name, value in local.items() if not name.startswith(OURS)}
        local.clear()  # the frame itself may keep it, and with it references to what the loop changes
        before = frozenset(found)
        if self.following.spent > LONGEST:
            return Left({}, before, Plain(items))
        namespace = self.namespace(found)
        runner = self.following.runner
        hook = FrameHook(self.inner, namespace, runner, taken_by=self.taken_by)  # type: ignore[arg-type]
        began, computed = time.perf_counter(), time.thread_time()
        left = Left(namespace, before, False)
        try:
            left.found = hook.go(number, items)
        except BaseException as error:
            left.error = as_in_function(error, namespace[FRAME].local)
        # On a busy machine next to nothing takes long: what the items took themselves tells what a loop is worth.
        took = hook.worked if hook.worked is not None else time.perf_counter() - began
        if left.ran and took >= WORTH:
            self.following.gained = True
        elif left.ran:
            self.following.small += time.thread_time() - computed
        elif left.found.side is None:
            self.following.spent += time.thread_time() - computed
        return left

    def caller(self, number: int, called: Any, local: dict[str, Any]) -> Any:
        """Return what is called in the place of something that calls a function; what has it, for a method."""
        found = {name: value for name, value in local.items() if not name.startswith(OURS)}
        local.clear()
        if self.following.spent > LONGEST:
            node = self.inner.loops[number].method
            return called if node is None else types.SimpleNamespace(**{node.attr: called})
        hook = FrameHook(self.inner, self.namespace(found), self.following.runner)  # type: ignore[arg-type]
        return hook.go(number, called)

    def namespace(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return the names that a loop of the function sees."""
        function = self.inner.function
        local = local_names(function.__code__)
        seen = function.__globals__
        names_seen = {name: thing for name, thing in seen.items() if name not in local and not name.startswith(OURS)}
        held = frozenset(id(found[name]) for name in function.__code__.co_varnames if name in found)
        code = function.__code__
        frame = Frame(code.co_name, code.co_qualname, code.co_firstlineno, seen, local, held)
        yielded: dict[str, Any] = {YIELDED: []} if self.inner.variant.yields else {}
        return {**names_seen, **found, **yielded, FRAME: frame}


def as_in_function(error: BaseException, local: frozenset[str]) -> BaseException:
    """Return an error as a function raises it: names without a value are its own there."""
    if type(error) is NameError and error.name in local:
        text = f"cannot access local variable '{error.name}' where it is not associated with a value"
        made = UnboundLocalError(text, name=error.name)
        made.__context__, made.__cause__ = error.__context__, error.__cause__
        made.__suppress_context__ = error.__suppress_context__
        return made.with_traceback(error.__traceback__)
    return error


@dataclass
class Script:
    """A function of a script, as what follows its calls knows a cell."""

    wishes: Wishes
    lifted: list[Lifted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    allowance: Allowance = field(default_factory=Allowance)
    unseen: str | None = None

    def why_unseen(self, namespace: Mapping[str, Any]) -> str | None:
        """Return why the notebook's objects must not be looked at."""
        return self.unseen


@dataclass
class Following:
    """Follows the calls of one cell, or of one call of a function.

    Attributes:
        cell: The cell, which notes what was lifted.
        namespace: The notebook.
        runner: Runs the loops.
        calls: Those of the cell, if it is one.
        threads: What starts and joins in the place of the threads of its functions, if it is one.
        spent: Seconds of computing that went into loops which then ran as they are.
        small: Those that went into loops which ran in next to no time.
        gained: A loop has run that was worth it.
        looked: Seconds in which functions were looked at.
    """

    cell: Cell | Script
    namespace: dict[str, Any]
    runner: Runner
    calls: Calls | None = None
    threads: Threads | None = None
    spent: float = 0.0
    small: float = 0.0
    gained: bool = False
    looked: float = 0.0
    made: dict[tuple[types.CodeType, bool], Variant | None] = field(default_factory=dict)
    work: Work | None = None
    session: Session | None = None
    """What the pools of its functions belong to."""

    def enter(
        self,
        called: Any,
        use: tuple[bool, tuple[str, ...], tuple[str, ...]] | None = None,
        scope: Mapping[str, Any] | None = None,
        within: tuple[types.CodeType, ...] = (),
    ) -> Any:
        """Return what to call in the place of something: the same, or a function with hooks.

        Args:
            called: What the code calls.
            use: How the values are taken (see `consumers.Use`); None: it is not known who takes them.
            scope: The names that are seen there, where a loop takes the values.
            within: The functions that the call is in.
        """
        began = time.perf_counter()  # that of the thread alone may take long to ask for
        function = simple_function(called)
        followed = function is not None and self.is_followed(function, use is not None, within)
        variant = self.variant(function, use is not None and use[0]) if function is not None and followed else None
        self.looked += time.perf_counter() - began
        if function is None or variant is None:
            return called
        taken_by: Taken | None = None
        if variant.yields and use is not None and scope is not None:
            into = [scope.get(name) for name in use[1]]
            if any(type(thing) not in STORES for thing in into) or {*use[2]} & {*function.__code__.co_freevars}:
                return called
            taken_by = Taken(into, frozenset() if within else frozenset(use[2]))
        return rebuilt(called, function, self.hooked(function, variant, within, taken_by))

    def pool(self, variant: Variant, number: int, thing: Any) -> Any:
        """Return what a function calls in the place of one that makes a pool."""
        if variant.tree is None or isinstance(self.cell, Script):
            return thing
        from concompare.cells.pools.session import Session

        if self.session is None:
            self.session = Session(Hook(self.cell, self.namespace, self.runner), [], None)
        return self.session.inside(number, thing, variant.makers, variant.tree, variant.urgent)

    def __enter__(self) -> Following:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        """Leave the pools of its functions as the plain cell leaves them."""
        if self.session is not None:
            self.session.__exit__(kind, error, trace)

    def in_vain(self) -> float:
        """Return the seconds that went into all this where no loop was worth it."""
        return 0.0 if self.gained else self.looked + self.spent + self.small

    def names(self) -> dict[str, Any]:
        """Return the names by which the cell asks for this."""
        return {ENTER: self.enter, ASK: self.ask}

    def ask(self) -> bool:
        """Tell whether there is work inside one of the calls that the cell ends with."""
        cell = types.FunctionType((lambda: None).__code__, self.namespace)
        work = Work(World(self.namespace))
        called = [part for call in self.calls.last for part in (call.func, *given_at_once(call))] if self.calls else []
        return any(work.may_hold(part, cell, 0) for part in called)

    def is_followed(self, function: types.FunctionType, taken: bool, within: tuple[types.CodeType, ...]) -> bool:
        """Tell whether a call of a function is worth a look inside."""
        code = function.__code__
        if len(within) >= DEEPEST or code in within:
            return False
        if code.co_flags & LAZY and not (taken and code.co_flags & 32):
            return False
        if self.work is None or not within:
            self.work = Work(World(self.namespace))  # the cell may have made classes since
        return self.work.holds(function)

    def variant(self, function: types.FunctionType, looks: bool) -> Variant | None:
        """Return a function with hooks, made once."""
        key = function.__code__, looks
        if key not in self.made:
            definition = definition_of(function.__code__, function.__name__)
            assert definition is not None
            assert self.work is not None
            windows = joined.Windows() if self.threads is not None else None
            self.made[key] = variant_of(function, definition, self.work, looked_at=looks, windows=windows)
            if self.threads is not None and windows:
                self.threads.windows.append(windows)
        return self.made[key]

    def hooked(
        self,
        function: types.FunctionType,
        variant: Variant,
        within: tuple[types.CodeType, ...],
        taken_by: Taken | None,
    ) -> types.FunctionType:
        """Return the function that runs instead of one."""
        code = function.__code__
        wishes = dataclasses.replace(self.cell.wishes, filename=code.co_filename, line=None)
        definition = definition_of(code, function.__name__)
        assert definition is not None
        inner = Inner(self.cell, function, variant, wishes, ast.unparse(definition))
        below = (*within, code)
        cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
        cells[HOOK] = types.CellType(LoopHook(inner, self, taken_by))
        cells[ENTER] = types.CellType(functools.partial(self.enter, within=below))
        cells[POOL] = types.CellType(functools.partial(self.pool, variant))
        closure = tuple(cells[name] for name in variant.code.co_freevars)
        made = types.FunctionType(variant.code, function.__globals__, function.__name__, function.__defaults__, closure)
        made.__kwdefaults__ = function.__kwdefaults__
        made.__qualname__, made.__module__, made.__doc__ = function.__qualname__, function.__module__, function.__doc__
        made.__dict__.update(function.__dict__)
        return made


def rebuilt(called: Any, function: types.FunctionType, made: types.FunctionType) -> Any:
    """Return what was called with another function inside."""
    if called is function or (isinstance(called, types.FunctionType) and meant_by(called) is function):
        return made
    if isinstance(called, types.MethodType):
        return types.MethodType(rebuilt(called.__func__, function, made), called.__self__)
    if not isinstance(called, functools.partial):
        return types.MethodType(made, called)
    return functools.partial(rebuilt(called.func, function, made), *called.args, **called.keywords)


def without_hooks(trace: types.TracebackType | None) -> types.TracebackType | None:
    """Return a traceback in which functions with hooks look like the functions themselves."""
    entries = list(entries_of(trace))
    callers = {Reached.__call__.__code__, Caller.__call__.__code__}
    ours = {LoopHook.__call__.__code__, Left.again.__code__, Left.value.__code__, *callers}
    if not any(entry.tb_frame.f_code in ours for entry in entries):
        return trace
    kept: list[types.TracebackType] = []
    while entries:
        entry = entries.pop(0)
        if entry.tb_frame.f_code not in ours:
            kept.append(entry)
            continue
        own = kept[-1] if kept else None
        place = place_of(own, list(itertools.takewhile(lambda part: part.tb_frame.f_code not in ours, entries)))
        if own is not None and place is not None:
            at = instruction_at(own.tb_frame.f_code, entries[place])
            if at is None:
                kept[-1] = entries[place]
            else:  # the function's own frame shows its own arguments
                kept[-1] = types.TracebackType(None, own.tb_frame, at, entries[place].tb_lineno)
            del entries[: place + 1]
        while entries and is_our_own(entries[0]):  # what runs the loop says nothing to the user
            entries.pop(0)
        if entry.tb_frame.f_code is Reached.__call__.__code__ and own is not None and calls_for(own, entries):
            entries.pop(0)
    made: types.TracebackType | None = None
    for entry in reversed(kept):
        made = types.TracebackType(made, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return made


def instruction_at(code: types.CodeType, entry: types.TracebackType) -> int | None:
    """Return where a function, which holds its loops as they are too, does what the entry of another one stands at.

    What formats tracebacks may look for a place that is not there, such as -1, for ever.
    """
    theirs, at = entry.tb_frame.f_code, max(entry.tb_lasti, 0)
    line, last, column, end = next(itertools.islice(theirs.co_positions(), at // 2, None))
    found: tuple[int | None, tuple[bool, bool]] = None, (False, False)
    for n, place in enumerate(code.co_positions()):
        if place[0] != entry.tb_lineno:
            continue
        exact = place == (line, last, column, end) and code.co_code[2 * n] == theirs.co_code[at]
        begins, ends = (place[2] or 0) <= (column or 0), (place[3] or 0) >= (end or 0)
        around = place[1] == last and begins and ends
        found = max(found, (2 * n, (exact, around)), key=lambda pair: pair[1])
    return found[0] if found[1][1] else None


def place_of(own: types.TracebackType | None, entries: list[types.TracebackType]) -> int | None:
    """Return which entry goes on in the function of another one, where the first in its file does."""
    if own is None:
        return None
    code = own.tb_frame.f_code
    places = (n for n, entry in enumerate(entries) if entry.tb_frame.f_code.co_filename == code.co_filename)
    place = next(places, None)
    return place if place is not None and is_same(code, entries[place].tb_frame.f_code) else None


def calls_for(own: types.TracebackType, entries: list[types.TracebackType]) -> bool:
    """Tell whether the next frame calls a method in the place of a function, at its line."""
    code = entries[0].tb_frame.f_code if entries else None
    return code is not None and (code.co_filename, code.co_name) == (own.tb_frame.f_code.co_filename, "<module>")


def is_our_own(entry: types.TracebackType) -> bool:
    """Tell whether a frame is of this package, and no hook."""
    module = str(entry.tb_frame.f_globals.get("__name__", ""))
    hooks = (LoopHook.__call__.__code__, Left.again.__code__, Left.value.__code__)
    return module.split(".")[0] == PACKAGE and entry.tb_frame.f_code not in hooks


def is_same(one: types.CodeType, other: types.CodeType) -> bool:
    """Tell whether two code objects look like one function in a traceback."""
    return (one.co_filename, one.co_name) == (other.co_filename, other.co_name)


def entries_of(trace: types.TracebackType | None) -> Iterator[types.TracebackType]:
    """Yield the entries of a traceback."""
    while trace is not None:
        yield trace
        trace = trace.tb_next
