"""Threads and processes that code starts one by one: they wait until one is joined, then run as one loop."""

from __future__ import annotations

import ast
import contextlib
import dis
import functools
import threading
import time
import types
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from concompare.cells.forms import known_pools
from concompare.cells.forms.joined import GETTING, Windows
from concompare.cells.forms.pools import LONG
from concompare.cells.ir import Loop, as_named
from concompare.cells.pools import bodies
from concompare.cells.pools.thread_batches import Batch
from concompare.cells.pools.thread_objects import is_startable, name_of
from concompare.errors import CellRefused

if TYPE_CHECKING:
    from concompare.cells.program import Hook

QUIET = frozenset([
    *(range, len, enumerate, zip, list, tuple, str, int, float, bool, dict, set, print, min, max, sum, sorted),
    *(reversed, abs, round, isinstance, repr, time.time, time.perf_counter, time.monotonic, time.process_time),
])  # fmt: skip
"""What the code may call between the start of a thread and its join: it neither waits for one nor sees one."""
CONTAINERS = (list, dict, set, str, tuple)


class Threads:
    """What starts and joins in the place of threads and processes.

    Args:
        hook: Runs the cell's loops.
        windows: The places of the cell where they are started and joined.
    """

    def __init__(self, hook: Hook, windows: Windows) -> None:
        self.hook, self.windows = hook, [windows]
        self.waiting: list[Any] = []
        self.told: set[str] = set()
        self.printed = False

    def start(self, thing: Any) -> Callable[..., Any]:
        """Return what starts a thread: nothing yet, where it may wait until it is joined."""
        if not is_startable(thing):
            return thing.start  # type: ignore[no-any-return]
        if late := self.read_late(thing):
            why = f"the code changes `{late}`, which they read, while they may run"
            if why in self.told:
                return thing.start  # type: ignore[no-any-return]
            self.told.add(why)
            self.waiting.append(thing)
            return functools.partial(self.go, why)
        return functools.partial(self.waiting.append, thing)

    def join(self, thing: Any, limit: float | None = None) -> Callable[..., Any]:
        """Return what joins a thread, when all that wait have run."""
        if any(part is thing for part in self.waiting):
            if limit is None or limit >= LONG:
                self.settle()
            else:
                self.go("the time-out depends on when a thread begins")
        return thing.join  # type: ignore[no-any-return]

    def call(self, called: Any) -> Any:
        """Return what the code calls between the start of a thread and its join."""
        self.printed = self.printed or (called is print and bool(self.waiting))
        if self.waiting and not is_quiet(called):
            holder = getattr(called, "__self__", None)
            if getattr(called, "__name__", "") in GETTING and holder is not None and known_pools.ties(holder):
                self.settle()
            else:
                name = getattr(called, "__qualname__", None) or repr(called)
                self.go(f"`{name}` is called before they are joined")
        return called

    def end(self) -> None:
        """Start what the code has not joined."""
        if self.waiting:
            self.go("not all of them are joined")

    def go(self, why: str) -> None:
        """Start what waits, as the code has it."""
        started, self.waiting = self.waiting, []
        if not started:
            return
        self.as_written(started, CellRefused(f"{why}."))

    def as_written(self, started: list[Any], refusal: CellRefused) -> None:
        """Start threads as the code has it, and note why.

        Raises:
            CellRefused: That is to be an error.
        """
        call = self.call_of(started)
        text = f"`{name_of(started[0])}` runs as it is written: {as_named(str(refusal))}"
        refusal = CellRefused(text, None, refusal.code)
        refusal.line = call.lineno
        loop = Loop("pool", call.lineno, call, None, None, [], own=name_of(started[0]))

        def play() -> None:
            for thing in started:
                thing.start()

        self.hook.refuse_play(loop, refusal, play, len(started))

    def call_of(self, started: list[Any]) -> ast.expr:
        """Return the call of the code at which what waits was started, as far as that is known."""
        starts = [call for windows in self.windows for call in windows.calls if windows.words[id(call)] == "start"]
        return starts[0] if starts else ast.Constant(None, lineno=1, col_offset=0)

    def read_late(self, thing: Any) -> str:
        """Return a name that what a thread runs reads and that the code changes while it may run, or nothing."""
        free, read = set[str](), set[str]()
        for code in codes_run_by(thing, self.hook.namespace):
            free |= set(code.co_freevars)
            read |= read_in(code)
        for windows in self.windows:
            late = (windows.changed & (free if windows.local else read | free)) | (windows.mutated & (read | free))
            if late:
                return min(late)
        return ""

    def settle(self) -> None:
        """Run what waits."""
        started, self.waiting = self.waiting, []
        if len(started) < 2:
            self.as_written(started, CellRefused("there is only one of them.")) if started else None
            return
        printed, self.printed = self.printed, False
        try:
            place, looks = self.call_of(started), any(windows.looks for windows in self.windows)
            Batch(self.hook, started, place, looks=looks, printed=printed).run()
        except CellRefused as found:
            refusal = found
        else:
            return
        self.as_written(started, refusal)

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Start what still waits: the cell ends in the middle."""
        with contextlib.suppress(CellRefused):
            self.end()


def codes_run_by(thing: Any, namespace: dict[str, Any]) -> list[types.CodeType]:
    """Return the code that a thread runs, with that of the notebook's functions and methods that it may call."""
    kind = type(thing)
    stack: list[Any] = [getattr(thing, "_target", None)]
    if kind.run not in (threading.Thread.run, BaseProcess.run):
        stack += [part for base in kind.__mro__ for name, part in vars(base).items() if name != "__init__"]
    found: dict[int, types.CodeType] = {}
    while stack:
        part = stack.pop()
        if isinstance(part, (functools.partial, types.MethodType)):
            part = part.func if isinstance(part, functools.partial) else part.__func__
        code = part if isinstance(part, types.CodeType) else getattr(part, "__code__", None)
        if isinstance(part, type) and part.__module__ == namespace.get("__name__"):
            stack += vars(part).values()
        if not isinstance(code, types.CodeType) or id(code) in found:
            continue
        if isinstance(part, types.FunctionType) and part.__globals__ is not namespace:
            continue
        found[id(code)] = code
        stack += [const for const in code.co_consts if isinstance(const, types.CodeType)]
        stack += [namespace[name] for name in code.co_names if name in namespace]
        stack += [bodies.content(cell) for cell in getattr(part, "__closure__", None) or ()]
    return list(found.values())


def read_in(code: types.CodeType) -> set[str]:
    """Return the names of the notebook that code reads."""
    return {str(step.argval) for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}


def is_quiet(called: Any) -> bool:
    """Tell whether a call neither waits for a thread nor sees one."""
    if isinstance(called, type):
        if issubclass(called, (threading.Thread, BaseProcess)):
            return True
        return called in QUIET or called.__module__ in ("queue", "_queue")
    if isinstance(called, types.BuiltinMethodType) and type(called.__self__) in CONTAINERS:
        return True
    try:
        return called in QUIET
    except TypeError:
        return False
