"""Runs cells plainly and as tasks, the way the engine would, and compares what they leave behind."""

from __future__ import annotations

import ast
import asyncio
import collections
import contextlib
import copy
import functools
import inspect
import io
import itertools
import linecache
import os
import pickle
import random
import signal
import string
import sys
import traceback
import types
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from concompare.cells.replay.compiling import compiled as compiled_code
from concompare.cells.syntax import sources
from concompare.cells.task import Task
from concompare.engine.ordering import add_names
from concompare.engine.transport import transport
from concompare.worker import chunk, results
from concompare.worker.transfer import object_refs, pickling
from concompare.worker.transfer.code_objects import HOME
from concompare.worker.transfer.items import read_into
from tests.cells import work_calls
from tests.cells.work_calls import CALLS, Endless

COUNTER = iter(range(10**9))
SKIPPED = {"__builtins__", "__warningregistry__"}
AT_ONCE = 32
"""Items that are taken before the first of them is replayed."""
COMPARED: dict[tuple[int, int], tuple[Any, Any]] = {}
"""The pairs of containers and objects that are being compared, or were found alike in this comparison of two cells."""
PLAIN = frozenset({int, str, bool, bytes, type(None)})
"""Types whose equal values are alike."""
LONGEST = 0.5
"""Seconds of computing after which a plain cell is taken as one that never ends; the others take milliseconds."""
LONGER = 20.0
"""Seconds of computing after which a cell that ends plainly is taken as one that does not in parallel."""


@dataclass
class Left:
    """What a cell left behind."""

    names: dict[str, Any]
    value: Any = None
    printed: str = ""
    error: BaseException | None = None
    lines: list[int] = field(default_factory=list)
    endless: bool = False


@functools.cache
def compiled(setup: str) -> types.CodeType:
    """Compile some setup as a cell whose source can be found."""
    filename = f"<setup {next(COUNTER)}>"
    linecache.cache[filename] = (len(setup), None, setup.splitlines(keepends=True), filename)
    return compile(setup, filename, "exec", dont_inherit=True)


@contextlib.contextmanager
def counting(namespace: Mapping[str, Any], setup: str) -> Iterator[None]:
    """Let the work functions count their calls, after they have been looked at and while a loop runs."""
    plain = compiled(setup)
    with (
        CALLS.early_apart(),
        work_calls.with_codes(namespace, work_calls.counting_codes(setup, plain.co_filename), plain),
    ):
        yield


def fresh(setup: str) -> dict[str, Any]:
    """Return a notebook's names after some setup, run as cells of their own."""
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    exec(compiled(setup), namespace)
    return namespace


def run_plain(cell: str, setup: str) -> Left:
    """Run a cell as the notebook would."""
    namespace = fresh(setup)
    tree = ast.parse(cell)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    left = Left(namespace)
    with ended(left), counting(namespace, setup):
        try:
            for statement in tree.body:
                execute(ast.Module([statement], []), namespace)
            if isinstance(last, ast.Expr):
                left.value = execute(ast.Expression(last.value), namespace)
        except BaseException as error:
            left.error = error
            left.lines = lines_of(error)
    return left


def execute(tree: ast.Module | ast.Expression, namespace: dict[str, Any]) -> Any:
    """Run code as the notebook does, which may await at the top."""
    mode = "exec" if isinstance(tree, ast.Module) else "eval"
    if not any(map(sources.is_wait, ast.walk(tree))):
        return eval(compiled_code(tree, "<cell>", mode, namespace), namespace)
    code = compile(tree, "<cell>", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    found = eval(code, namespace)
    return asyncio.run(found) if inspect.iscoroutine(found) else found


@contextlib.contextmanager
def ended(left: Left, longest: float = LONGEST) -> Iterator[None]:
    """Note what is printed; a cell that walks a list and makes it longer is stopped, and noted as endless."""

    def stop(number: int, frame: types.FrameType | None) -> None:
        left.endless = True
        if frame is None or frame.f_code.co_name != "gc_callback":  # hypothesis's, out of which nothing can be raised
            raise Endless

    with printed_by(left), as_it_was(), noted(left):
        if not hasattr(signal, "setitimer"):
            yield
            return
        before = signal.signal(signal.SIGVTALRM, stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, longest, 0.01)  # again and again: the cell may catch every exception
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)


@contextlib.contextmanager
def noted(left: Left) -> Iterator[None]:
    """Note a cell that was stopped as endless."""
    try:
        yield
    except Endless:
        left.endless = True
    left.endless = left.endless or isinstance(left.error, Endless)


@contextlib.contextmanager
def as_it_was() -> Iterator[None]:
    """Begin with the same random numbers each time, and leave the process as it was."""
    random.seed(11)
    np.random.seed(12)
    path, folder, held = sys.path[:], Path.cwd(), dict(vars(string))
    try:
        yield
    finally:
        sys.path[:] = path
        os.chdir(folder)
        for name in set(vars(string)) - set(held):
            delattr(string, name)


@contextlib.contextmanager
def printed_by(left: Left) -> Iterator[None]:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        yield
    left.printed = stream.getvalue()


def lines_of(error: BaseException) -> list[int]:
    return [entry.lineno or 0 for entry in traceback.extract_tb(error.__traceback__) if entry.filename == "<cell>"]


def run_task(task: Task, namespace: dict[str, Any], how: str, seed: int = 0) -> Left:
    """Carry out a bound task: results come in any order, tails are replayed in item order."""
    left = Left(namespace)
    names: dict[str, Any] = {}
    try:
        for position, (value, found, text, error, calls) in enumerate(computed(task, how, seed)):
            CALLS.take(calls)
            print(text, end="")
            add_names(names, found)
            if error is not None:
                raise error
            if task.apply(position, value):
                break
    except BaseException:
        task.fail(names)
        raise
    left.value = task.finish(names)
    return left


Computed = tuple[Any, dict[str, Any], str, BaseException | None, Counter[int]]
"""Of one item: its value, the names it leaves, what it printed, its error, and its work calls by their lines."""


def one(task: Task, function: Callable[[Any], Any], item: Any) -> Computed:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream), CALLS.in_worker() as calls:
        try:
            value = function(item)
            value = asyncio.run(value) if inspect.iscoroutine(value) else value
        except Endless:
            raise
        except BaseException as error:
            return None, locals_of(error, task.temporaries), stream.getvalue(), error, calls
    found: dict[str, Any] = {}
    if task.temporaries:
        value, found = value
    return value, found, stream.getvalue(), None, calls


def locals_of(error: BaseException, temporaries: tuple[str, ...]) -> dict[str, Any]:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != "<cell>":
        trace = trace.tb_next
    if trace is None:
        return {}
    found = {name: value for name, value in trace.tb_frame.f_locals.items() if name in temporaries}
    return {**found, "_concompare_own": tuple(found)}


def computed(task: Task, how: str, seed: int) -> Iterator[Computed]:
    """Compute the items of a task, so many at a time in any order; what their iterator raises comes after them."""
    compute = Shared(task) if how == "threads" else Copied(task)
    iterator, order, failed = iter(task.items), random.Random(seed), False
    while not failed:
        items: list[Any] = []
        try:
            with CALLS.kept_by(lambda line: "items"):
                items.extend(itertools.islice(iterator, AT_ONCE))
        except Exception as error:
            failed, end = True, error
        positions = list(range(len(items)))
        order.shuffle(positions)
        found = {position: compute(position, items[position]) for position in positions}
        yield from (found[position] for position in range(len(items)))
        if failed:
            raise end
        if len(items) < AT_ONCE:
            return


class Shared:
    """Computes items on the notebook's own objects, as threads do."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __call__(self, position: int, item: Any) -> Computed:
        return one(self.task, self.task.function, item)


class Copied:
    """Computes items on copies in two workers, as processes do."""

    def __init__(self, task: Task) -> None:
        self.task, self.workers = task, [Worker(task.function), Worker(task.function)]

    def __call__(self, position: int, item: Any) -> Computed:
        return self.workers[position % 2].one(self.task, item)


class Worker:
    """Computes items on copies, as a process does: results refer to the notebook's objects that they hold."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        picklers: list[Any] = []
        blob = pickling.pack_sent(function, None, picklers)
        self.objects, made = object_refs.written(picklers[-1], (function,))
        self.known = chunk.Known(blob + pickle.dumps(made))
        self.known.take("the pass")
        self.objects[HOME] = function.__globals__

    def one(self, task: Task, item: Any) -> Computed:
        """Compute one item; return what the notebook gets of it."""
        picklers: list[Any] = []
        data = pickling.pack_sent([item], None, picklers)
        objects, made = object_refs.parts_sent([item], data, picklers[-1])
        sources = object_refs.Sources()
        (arrived,) = read_into(sources, pickling.Parcel(data), made)
        value, found, text, error, calls = one(task, self.known.function, arrived)
        del arrived
        self.known.tell(sources)
        sent = {"items": objects, "function": self.objects}
        kept = transport.open_parcel(pickling.Parcel(results.pack_result([value], [value], None, sources)), (), sent)
        names = transport.open_parcel(results.pack_names(found, sources), (), sent)
        return kept[0], names, text, error, calls


def difference(plain: Left, other: Left) -> str | None:
    """Return what differs between two runs of a cell, or None."""
    with one_comparison():
        return found_different(plain, other)


def found_different(plain: Left, other: Left) -> str | None:
    """Find the first difference."""
    if type(plain.error) is not type(other.error) or str(plain.error) != str(other.error):
        return f"raised {plain.error!r} plainly and {other.error!r} in parallel"
    if plain.error is not None and plain.lines[:1] != other.lines[:1]:
        return f"raised at line {plain.lines} plainly and at {other.lines} in parallel"
    if plain.printed != other.printed:
        return f"printed {plain.printed!r} plainly and {other.printed!r} in parallel"
    different_files = any(type(value).__name__ == "TextIOWrapper" for value in plain.names.values())
    left, right = set(plain.names) - SKIPPED, set(other.names) - SKIPPED
    if different_files:  # the notes say so: a closed file cannot be sent, and no item runs again for it
        left = {name for name in left if type(plain.names[name]).__name__ != "TextIOWrapper"}
        right = {name for name in right if type(other.names[name]).__name__ != "TextIOWrapper"}
    if plain.error is not None:  # the notes say so: no item runs again for a generator that an error left behind
        left = {name for name in left if type(plain.names[name]).__name__ != "generator"}
        right &= left | (right - set(plain.names))
    if left != right:
        return f"names only plainly: {sorted(left - right)}, only in parallel: {sorted(right - left)}"
    for name in sorted(left):
        if plain.error is not None and hasattr(plain.names[name], "__next__"):
            continue  # the notes say so: a failing item leaves an iterator read further
        if not alike(plain.names[name], other.names[name]):
            return f"{name} is {plain.names[name]!r} plainly and {other.names[name]!r} in parallel"
    if not alike(plain.value, other.value):
        return f"the value is {plain.value!r} plainly and {other.value!r} in parallel"
    return None


@contextlib.contextmanager
def one_comparison() -> Iterator[None]:
    """Begin with nothing that was compared."""
    COMPARED.clear()
    try:
        yield
    finally:
        COMPARED.clear()


def same(a: Any, b: Any) -> bool:
    """Tell whether two values have the same types and bits all the way down."""
    with one_comparison():
        return alike(a, b)


def alike(a: Any, b: Any) -> bool:
    """Tell the same inside a comparison."""
    if type(a) in PLAIN:
        return type(a) is type(b) and bool(a == b)
    if isinstance(a, (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)):
        same_name = getattr(a, "__qualname__", None) == getattr(b, "__qualname__", None)
        return type(a) is type(b) and same_name and same_state(a, b)
    if type(a).__name__ != type(b).__name__ or type(a).__module__ != type(b).__module__:
        return False
    if isinstance(a, float):
        return bool(a.hex() == b.hex())
    if type(a).__module__ == "numpy" and hasattr(a, "dtype"):
        return same_array(a, b)
    if isinstance(a, (list, tuple, dict, set, frozenset, collections.deque)):
        return same_container(a, b)
    return same_object(a, b)


def same_array(a: Any, b: Any) -> bool:
    if a.dtype == object:
        return bool(a.shape == b.shape) and alike(a.tolist(), b.tolist())
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


def same_container(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return len(a) == len(b) and alike(list(a.keys()), list(b.keys())) and alike(list(a.values()), list(b.values()))
    if isinstance(a, (set, frozenset)):
        return bool(a == b) and sorted(map(repr, a)) == sorted(map(repr, b))
    return seen(a, b) or (len(a) == len(b) and all(alike(x, y) for x, y in zip(a, b, strict=True)))


def seen(a: Any, b: Any) -> bool:
    """Tell whether two were met before, by which they are alike unless the comparison says no: one may hold itself."""
    pair = (id(a), id(b))
    found = pair in COMPARED
    COMPARED[pair] = a, b  # held, so that no other object gets its identity
    return found


def same_object(a: Any, b: Any) -> bool:
    if isinstance(a, BaseException):
        return str(a) == str(b)
    if hasattr(a, "__dict__") and type(a).__module__ == "__main__":
        return seen(a, b) or alike(vars(a), vars(b))
    if type(a).__name__ in ("list_iterator", "tuple_iterator", "range_iterator"):
        return alike(list(copy.copy(a)), list(copy.copy(b)))
    if type(a).__name__ in ("Random", "RandomState", "Generator"):
        return pickle.dumps(a) == pickle.dumps(b)
    if type(a).__name__ == "generator":
        return (a.gi_frame is None) == (b.gi_frame is None) and alike(
            a.gi_frame and dict(a.gi_frame.f_locals), b.gi_frame and dict(b.gi_frame.f_locals)
        )
    if type(a).__name__ == "StringIO":
        return (a.getvalue(), a.tell()) == (b.getvalue(), b.tell())
    if isinstance(a, types.MethodType):
        return alike([a.__func__, a.__self__], [b.__func__, b.__self__])
    if isinstance(a, functools.partial):
        return alike([a.func, a.args, a.keywords], [b.func, b.args, b.keywords])
    if type(a).__name__ in ("count", "SimpleNamespace"):
        return repr(a) == repr(b)
    if type(a).__module__.partition(".")[0] == "pandas":
        from tests.cells import tables

        return tables.same(a, b)
    plain_identity: Any = object.__eq__
    return type(a).__eq__ is plain_identity or bool(a == b)


def closed(function: Any) -> list[Any]:
    """Return what a function closes over, without the class of a method that says `super()`."""
    return [cell.cell_contents for cell in function.__closure__ or () if not isinstance(cell.cell_contents, type)]


def same_state(a: Any, b: Any) -> bool:
    """Compare the hidden state of two functions or classes."""
    if type(a).__name__ == "function":
        if seen(a, b):  # a function may see itself
            return True
        cells_a, cells_b = closed(a), closed(b)
        return alike(a.__defaults__, b.__defaults__) and alike(cells_a, cells_b) and alike(vars(a), vars(b))
    if isinstance(a, type) and a.__module__ == "__main__":
        kept = [name for name in vars(a) if not name.startswith("__")]
        return all(alike(vars(a)[name], vars(b)[name]) for name in kept if name in vars(b))
    return True
