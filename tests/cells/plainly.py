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
import linecache
import pickle
import random
import signal
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from concompare import cells, engine, parcels
from concompare.cells import bind
from concompare.errors import CellRefused

COUNTER = iter(range(10**9))
SKIPPED = {"__builtins__", "__warningregistry__"}
COMPARED: set[tuple[int, int]] = set()
"""The pairs of containers that are being compared."""
LONGEST = 1.0
"""Seconds of computing after which a cell is taken as one that never ends; the others take milliseconds."""


@dataclass
class Left:
    """What a cell left behind."""

    names: dict[str, Any]
    value: Any = None
    printed: str = ""
    error: BaseException | None = None
    lines: list[int] = field(default_factory=list)
    endless: bool = False


@dataclass
class Tally:
    """What the golden cells and the generated ones came to."""

    lifted: set[str] = field(default_factory=set)
    wrong: set[str] = field(default_factory=set)
    needless: set[str] = field(default_factory=set)
    generated: int = 0
    generated_lifted: int = 0
    endless: int = 0

    def add(self, other: Mapping[str, Any]) -> None:
        """Add the tally of another process, as data."""
        for name, found in other.items():
            mine = getattr(self, name)
            setattr(self, name, mine | set(found) if isinstance(mine, set) else mine + found)

    def sentence(self) -> str:
        """Return both figures in words."""
        could = max(1, len(self.lifted | self.needless))
        share = 100 * len(self.needless) / could
        drawn = f"; generated cells: {self.generated}, lifted {self.generated_lifted}" if self.generated else ""
        drawn += f", {self.endless} never end" if self.endless else ""
        needless = f", {len(self.needless)} needless refusals of {could} ({share:.1f} %)" if self.lifted else ""
        return f"cells: {len(self.wrong)} wrong results{needless}{drawn}"


@functools.cache
def compiled(setup: str) -> types.CodeType:
    """Compile some setup as a cell whose source can be found."""
    filename = f"<setup {next(COUNTER)}>"
    linecache.cache[filename] = (len(setup), None, setup.splitlines(keepends=True), filename)
    return compile(setup, filename, "exec", dont_inherit=True)


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
    with ended(left):
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
    if not any(isinstance(node, ast.Await) for node in ast.walk(tree)):
        return eval(bind.compiled(tree, "<cell>", mode, namespace), namespace)
    code = compile(tree, "<cell>", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    found = eval(code, namespace)
    return asyncio.run(found) if inspect.iscoroutine(found) else found


class Endless(BaseException):
    """Raised in a cell that has computed for longer than `LONGEST`."""


@contextlib.contextmanager
def ended(left: Left) -> Iterator[None]:
    """Note what is printed; a cell that walks a list and makes it longer is stopped, and noted as endless."""

    def stop(number: int, frame: types.FrameType | None) -> None:
        left.endless = True
        raise Endless

    with printed_by(left), contextlib.suppress(Endless):
        if not hasattr(signal, "setitimer"):
            yield
            return
        before = signal.signal(signal.SIGVTALRM, stop)
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST, 0.01)  # again and again: the cell may catch every exception
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)


@contextlib.contextmanager
def printed_by(left: Left) -> Iterator[None]:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        yield
    left.printed = stream.getvalue()


def lines_of(error: BaseException) -> list[int]:
    return [entry.lineno or 0 for entry in traceback.extract_tb(error.__traceback__) if entry.filename == "<cell>"]


def run_task(task: cells.Task, namespace: dict[str, Any], how: str, seed: int = 0) -> Left:
    """Carry out a bound task: results come in any order, tails are replayed in item order."""
    left = Left(namespace)
    items = list(task.items)
    results = compute_shared(task, items, seed) if how == "threads" else compute_copied(task, items, seed)
    names: dict[str, Any] = {}
    try:
        for position in range(len(items)):
            value, found, text, error, _ = results[position]
            print(text, end="")
            if error is not None:
                names.update(found)
                raise error
            names.update(found)
            if task.apply(position, value):
                break
    except BaseException:
        task.fail(names)
        raise
    left.value = task.finish(names)
    return left


def one(
    task: cells.Task, function: Callable[[Any], Any], item: Any
) -> tuple[Any, dict[str, Any], str, BaseException | None, bool]:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        try:
            value = function(item)
            value = asyncio.run(value) if inspect.iscoroutine(value) else value
        except Exception as error:
            return None, locals_of(error, task.temporaries), stream.getvalue(), error, True
    found: dict[str, Any] = {}
    if task.temporaries:
        value, found = value
    return value, found, stream.getvalue(), None, False


def locals_of(error: BaseException, temporaries: tuple[str, ...]) -> dict[str, Any]:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != "<cell>":
        trace = trace.tb_next
    if trace is None:
        return {}
    found = {name: value for name, value in trace.tb_frame.f_locals.items() if name in temporaries}
    return {**found, "_concompare_own": tuple(found)}


def shuffled(count: int, seed: int) -> list[int]:
    order = list(range(count))
    random.Random(seed).shuffle(order)
    return order


def compute_shared(task: cells.Task, items: list[Any], seed: int) -> dict[int, Any]:
    return {position: one(task, task.function, items[position]) for position in shuffled(len(items), seed)}


def compute_copied(task: cells.Task, items: list[Any], seed: int) -> dict[int, Any]:
    blob = parcels.pack(task.function)
    functions = [pickle.loads(blob), pickle.loads(blob)]
    results = {}
    for position in shuffled(len(items), seed):
        item = pickle.loads(parcels.pack(items[position]))
        value, found, text, error, last = one(task, functions[position % 2], item)
        kept = pickle.loads(parcels.pack(value))
        results[position] = (kept, crossing(found), text, error, last)
    return results


def crossing(found: dict[str, Any]) -> dict[str, Any]:
    """Return the names whose values can be sent to the notebook."""
    kept = {}
    for name, value in found.items():
        with contextlib.suppress(Exception):
            kept[name] = pickle.loads(parcels.pack(value))
    return kept


def run_lifted(cell: str, setup: str, how: str, seed: int = 0, **options: Any) -> Left:
    """Run a cell in parallel, in the manner of threads or of processes; raises CellRefused."""
    namespace = fresh(setup)
    lifted = cells.lift(cell, namespace, filename="<cell>", **options)
    left = Left(namespace)
    with ended(left):
        try:
            task = lifted.bind(namespace)
            done = run_task(task, namespace, how, seed)
            left.value = done.value
        except CellRefused:
            raise
        except BaseException as error:
            left.error = error
            left.lines = lines_of(error)
    return left


def run_on_engine(cell: str, setup: str, pool: engine.Pool) -> Left:
    """Run a cell on real workers, as the magics do."""
    namespace = fresh(setup)
    lifted = cells.lift(cell, namespace, filename="<cell>")
    left = Left(namespace)
    with printed_by(left):
        try:
            task = lifted.bind(namespace)
            options = engine.PassOptions(temporaries=task.temporaries)
            try:
                outcome = engine.run_pass(
                    task.function, task.items, pool, options, count=task.count, on_value=task.apply
                )
            except BaseException:
                task.fail(engine.last().names)
                raise
            left.value = task.finish(outcome.names)
        except BaseException as error:
            left.error = error
            left.lines = lines_of(error)
    return left


def difference(plain: Left, other: Left) -> str | None:
    """Return what differs between two runs of a cell, or None."""
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
        if not same(plain.names[name], other.names[name]):
            return f"{name} is {plain.names[name]!r} plainly and {other.names[name]!r} in parallel"
    if not same(plain.value, other.value):
        return f"the value is {plain.value!r} plainly and {other.value!r} in parallel"
    return None


def same(a: Any, b: Any) -> bool:
    """Tell whether two values have the same types and bits all the way down."""
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
        return bool(a.shape == b.shape) and same(a.tolist(), b.tolist())
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())


def same_container(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return len(a) == len(b) and same(list(a.keys()), list(b.keys())) and same(list(a.values()), list(b.values()))
    if isinstance(a, (set, frozenset)):
        return bool(a == b) and sorted(map(repr, a)) == sorted(map(repr, b))
    pair = (id(a), id(b))
    if pair in COMPARED:  # a list that holds itself
        return True
    COMPARED.add(pair)
    try:
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    finally:
        COMPARED.discard(pair)


def same_object(a: Any, b: Any) -> bool:
    if isinstance(a, BaseException):
        return str(a) == str(b)
    if hasattr(a, "__dict__") and type(a).__module__ == "__main__":
        return same(vars(a), vars(b))
    if type(a).__name__ in ("list_iterator", "tuple_iterator", "range_iterator"):
        return same(list(copy.copy(a)), list(copy.copy(b)))
    if type(a).__name__ in ("Random", "RandomState", "Generator"):
        return pickle.dumps(a) == pickle.dumps(b)
    if type(a).__name__ == "generator":
        return (a.gi_frame is None) == (b.gi_frame is None) and same(
            a.gi_frame and dict(a.gi_frame.f_locals), b.gi_frame and dict(b.gi_frame.f_locals)
        )
    if type(a).__name__ == "StringIO":
        return (a.getvalue(), a.tell()) == (b.getvalue(), b.tell())
    if isinstance(a, types.MethodType):
        return same([a.__func__, a.__self__], [b.__func__, b.__self__])
    if isinstance(a, functools.partial):
        return same([a.func, a.args, a.keywords], [b.func, b.args, b.keywords])
    if type(a).__name__ in ("count", "SimpleNamespace"):
        return repr(a) == repr(b)
    if type(a).__name__ == "DataFrame":
        return list(a.columns) == list(b.columns) and all(same(a[name], b[name]) for name in a.columns)
    if type(a).__name__ == "Series":
        return bool(a.dtype == b.dtype) and same(a.tolist(), b.tolist()) and same(a.index.tolist(), b.index.tolist())
    plain_identity: Any = object.__eq__
    return type(a).__eq__ is plain_identity or bool(a == b)


def same_state(a: Any, b: Any) -> bool:
    """Compare the hidden state of two functions or classes."""
    if type(a).__name__ == "function":
        cells_a = [cell.cell_contents for cell in a.__closure__ or ()]
        cells_b = [cell.cell_contents for cell in b.__closure__ or ()]
        return same(a.__defaults__, b.__defaults__) and same(cells_a, cells_b) and same(vars(a), vars(b))
    if isinstance(a, type) and a.__module__ == "__main__":
        kept = [name for name in vars(a) if not name.startswith("__")]
        return all(same(vars(a)[name], vars(b)[name]) for name in kept if name in vars(b))
    return True
