"""Loops inside the functions that a cell calls: they run in parallel there, and everything else as written."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from concompare.cells.explaining import explanation
from concompare.cells.inside import following
from concompare.cells.program import Cell, Wishes
from concompare.errors import BadOption, CellRefused
from tests.cells import compiled, plainly, programs

SETUP = """
import contextlib
import functools

def f(x):
    return x * x + 1

def log(text):
    seen.append(text)
    return text

def bump():
    global counter
    counter += 1
    return counter

class Part:
    def __init__(self, x):
        self.x, self.parts = x, []
    def work(self):
        self.parts.append(f(self.x))
        return sum(self.parts)

seen, out = [], []
counter = 0
x = "the notebook's"
xs = [1, 2, 3, 4]
"""

LIFTED = {
    "a list that is returned": """
def run(xs):
    rows = []
    for x in xs:
        rows.append(f(x))
    return rows

r = run(xs)
""",
    "a comprehension that is returned": """
def run(xs):
    return [f(x) for x in xs]

r = run(xs)
""",
    "a lambda": """
run = lambda xs: [f(x) for x in xs]
r = run(xs)
""",
    "names after the loop": """
def run(xs):
    for k, x in enumerate(xs):
        y = f(x)
        if y > 5:
            late = y
    return k, x, y, late

r = run(xs)
""",
    "a name that is lost": """
def run(xs):
    y = 0
    for x in xs:
        y = f(x)
        out.append(y)
        del y
    try:
        return y
    except UnboundLocalError as error:
        return str(error)

r = run(xs)
""",
    "a name of the notebook that is the function's own as well": """
def run(xs):
    for k in xs:
        y = f(k)
        out.append(y)
    try:
        return x
    except UnboundLocalError:
        x = 3
    return x

r = run(xs)
""",
    "default values": """
def run(xs, by=2, *rest, start=10, **others):
    return [f(x * by + start) for x in xs], rest, others

r = run(xs, 3, 4, k=5)
""",
    "a function inside that does the work": """
def run(xs):
    by = 3
    def work(x):
        return f(x) * by
    return [work(x) for x in xs]

r = run(xs)
""",
    "a function inside that loops": """
def run(xs):
    by = 3
    def loop():
        return [f(x) * by for x in xs]
    return loop()

r = run(xs)
""",
    "a closure": """
def make(by):
    def run(xs):
        rows = []
        for x in xs:
            rows.append(f(x) * by)
        return rows
    return run

run = make(3)
r = run(xs)
""",
    "nonlocal outside of the loop": """
def make():
    times = 0
    def run(xs):
        nonlocal times
        times += 1
        rows = [f(x) for x in xs]
        times += len(rows)
        return rows, times
    return run

run = make()
r = run(xs)
t = run(xs)
""",
    "global outside of the loop": """
def run(xs):
    global counter
    rows = [f(x) for x in xs]
    counter += len(rows)
    return rows

r = run(xs)
""",
    "a method": """
class Runner:
    by = 2
    def one(self, x):
        return f(x) * self.by
    def run(self, xs):
        self.done = 0
        rows = []
        for x in xs:
            rows.append(self.one(x))
            self.done += 1
        return rows

runner = Runner()
r = runner.run(xs)
""",
    "a method of a new object": """
class Runner:
    def __init__(self, by):
        self.by = by
    def run(self, xs):
        return [f(x) * self.by for x in xs]

r = Runner(3).run(xs)
""",
    "a method that the base class has": """
class Base:
    def run(self, xs):
        return [self.one(x) for x in xs]

class Runner(Base):
    def one(self, x):
        return f(x)
    def run(self, xs):
        log("before")
        return super().run(xs)

r = Runner().run(xs)
""",
    "private names": """
class Runner:
    def __init__(self):
        self.__by = 3
    def __one(self, x):
        return f(x) * self.__by
    def run(self, xs):
        __rows = []
        for x in xs:
            __rows.append(self.__one(x))
        return __rows

runner = Runner()
r = runner.run(xs)
""",
    "class methods and static methods": """
class Runner:
    by = 2
    @classmethod
    def run(cls, xs):
        return [f(x) * cls.by for x in xs]
    @staticmethod
    def other(xs):
        return [f(x) for x in xs]

r = Runner.run(xs), Runner.other(xs)
""",
    "annotated names": """
def run(xs: list) -> list:
    rows: list[int] = []
    for x in xs:
        y: log("never evaluated") = f(x)
        rows.append(y)
    return rows

r = run(xs)
""",
    "several levels": """
def score(xs):
    return [f(x) for x in xs]

def prepare(xs):
    return [x + 1 for x in xs]

def main(xs):
    ys = prepare(xs)
    log("prepared")
    scores = score(ys)
    return dict(zip(ys, scores))

if xs:
    r = main(xs)
""",
    "two loops": """
def run(xs):
    first = [f(x) for x in xs]
    total = 0
    for y in first:
        total += f(y)
    return first, total

r = run(xs)
""",
    "a loop in blocks": """
def run(xs):
    with contextlib.ExitStack() as stack:
        stack.callback(log, "left")
        try:
            if xs:
                for x in xs:
                    out.append(f(x))
            else:
                log("none")
        finally:
            log("at last")

run(xs)
""",
    "an error that the function catches": """
def run(xs):
    rows = []
    try:
        for x in xs:
            y = f(x) / (x - 3)
            rows.append(y)
    except ZeroDivisionError as error:
        return rows, x, y, str(error)

r = run(xs)
""",
    "an error that leaves the function": """
def run(xs):
    for x in xs:
        out.append(f(x) / (x - 3))

r = run(xs)
""",
    "an error of a comprehension": """
def run(xs):
    return [
        f(x) / (x - 3)
        for x in xs]

r = run(xs)
""",
    "break and else": """
def run(xs, most):
    for x in xs:
        y = f(x)
        out.append(y)
        if y > most:
            break
    else:
        log("to the end")
    return x

r = run(xs, 5), run(xs, 500)
""",
    "return in the loop": """
def run(xs, most):
    for x in xs:
        y = f(x)
        if y > most:
            return x, y
        out.append(y)
    return None

r = run(xs, 5), run(xs, 500)
""",
    "return in the loop, with an else": """
def run(xs, most):
    for x in xs:
        with contextlib.suppress(KeyError):
            if f(x) > most:
                return
    else:
        return "to the end"

r = run(xs, 5), run(xs, 500)
""",
    "return after the loop and before": """
def run(xs):
    if not xs:
        return "none"
    rows = [f(x) for x in xs]
    if rows:
        return rows
    return "never"

r = run([]), run(xs)
""",
    "a recursive call": """
def run(depth, xs):
    rows = [f(x) for x in xs]
    if depth:
        rows += run(depth - 1, rows)
    return rows

r = run(2, xs)
""",
    "a decorator": """
def loud(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        log("begin")
        found = function(*args, **kwargs)
        log("end")
        return found
    return wrapper

@loud
def run(xs):
    return [f(x) for x in xs]

r = run(xs)
""",
    "a partial": """
def run(by, xs):
    return [f(x) * by for x in xs]

three = functools.partial(run, 3)
r = three(xs)
""",
    "a generator that is made a list": """
def run(xs):
    log("begin")
    for x in xs:
        y = f(x)
        yield y
    yield x
    log("end")

r = list(run(xs))
""",
    "a generator that is made a dict": """
def run(xs):
    for x in xs:
        yield x, [f(x)]

r = dict(run(xs))
""",
    "a generator inside a function": """
def run(xs):
    for x in xs:
        if x != 2:
            yield f(x)
        for k in range(x):
            yield k

def main(xs):
    return [*run(xs)], sum(run(xs))

r = main(xs)
""",
    "a generator that fails": """
def run(xs):
    for x in xs:
        yield f(x) / (x - 3)

out.extend(run(xs))
""",
    "a generator in a comprehension": """
def run(xs):
    for x in xs:
        yield x, f(x)

r = {x: y for x, y in run(xs)}
""",
    "a generator that a loop stores": """
def run(xs):
    for x in xs:
        yield x, f(x)

table, rows = {}, []
for key, value in run(xs):
    table[key] = value
    rows.append((value, key))
""",
    "a generator that a loop of a function stores": """
def run(xs):
    for x in xs:
        yield x, f(x)

def main(xs):
    table = {}
    for key, value in run(xs):
        table[key] = value
    return table, key

r = main(xs)
""",
    "objects that change": """
def run(xs):
    finished = {}
    for x in xs:
        part = Part(x)
        finished[x] = part.work()
    best = max(finished, key=finished.get)
    return finished, best

r = run(xs)
""",
    "a while loop": """
def run(xs):
    todo, done = list(xs), {}
    while todo:
        x = todo.pop()
        done[x] = f(x)
    return done, todo, x

r = run(xs)
""",
    "random numbers": """
import random

def run(xs, seed):
    rng = random.Random(seed)
    rows = []
    for x in xs:
        rows.append(f(x + rng.random()))
    return rows, rng.random()

r = run(xs, 3)
""",
    "map": """
def run(xs):
    return list(map(f, xs)), sum(f(x) for x in xs)

r = run(xs)
""",
    "a call in the items of a loop": """
def run(xs):
    return [f(x) for x in xs]

for y in run(xs):
    out.append(y)
""",
    "a call as an argument": """
def run(xs):
    return [f(x) for x in xs]

log(len(run(xs)))
""",
    "a function of the item": """
def root(function):
    return function(0) + function(1)

def run(xs):
    rows = []
    for x in xs:
        y = x + 1
        rows.append(root(lambda v: v * y + f(x)))
    return rows, y

r = run(xs)
""",
    "what is done before and after the work": """
def pair(*parts):
    return parts

def run(xs):
    return [pair(log(x), f(x), log(-x)) for x in xs]

r = run(xs)
""",
    "a key function": """
def run(xs):
    by = 7
    rows = []
    for x in xs:
        rows.append(sorted([f(x), x], key=lambda v: v % by))
    return rows

r = run(xs)
""",
    "a name without a value": """
def run(xs):
    for x in xs:
        rows.append(f(x))
    rows = []

run(xs)
""",
    "a generator whose loop does more than to store": """
def run(xs):
    for k in xs:
        yield f(k)

for x in run(xs):
    log(x)
    if x > 5:
        break
""",
}
"""Cells whose function has its loop lifted."""

PLAIN = {
    "nonlocal in the loop": """
def make():
    total = 0
    def run(xs):
        nonlocal total
        for x in xs:
            total += f(x)
        return total
    return run

run = make()
r = run(xs)
""",
    "a name that a function inside sees": """
def run(xs):
    def look():
        return y
    y, rows = 0, []
    for x in xs:
        y = f(x)
        rows.append(look())
    return rows

r = run(xs)
""",
    "a name that a function inside gives a value": """
def run(xs):
    total, rows = 0, []
    def add(v):
        nonlocal total
        total += v
    for x in xs:
        add(f(x))
        rows.append(total)
    return rows, total

r = run(xs)
""",
    "global in the loop": """
def run(xs):
    global counter
    for x in xs:
        counter = f(x)
        bump()

run(xs)
""",
    "a global name that a function gives a value": """
def run(xs):
    rows = []
    for x in xs:
        bump()
        rows.append(f(x) + counter)
    return rows

r = run(xs)
""",
    "functions that the loop makes": """
def run(xs):
    made = []
    for x in xs:
        y = f(x)
        made.append(lambda: (x, y))
    y = "later"
    return made[0]()

r = run(xs)
""",
    "a function that looks at its frame": """
def run(xs):
    for x in xs:
        y = f(x)
        out.append(y)
    return sorted(locals())

r = run(xs)
""",
    "a function without names of its own that the loop keeps": """
def run(xs):
    for x in xs:
        out.append(f(x))
        out.append(lambda: counter)

run(xs)
bump()
r = out[1]()
""",
    "a generator that the loop keeps": """
def run(xs):
    made = []
    for x in xs:
        y = f(x)
        made.append(k + y for k in xs)
    y = 100
    return [k for part in made for k in part]

r = run(xs)
""",
    "a function that the loop leaves": """
def run(xs):
    for x in xs:
        y = f(x)
        out.append(y)
        def last():
            return y
    y = "later"
    return last()

r = run(xs)
""",
    "return in an inner loop": """
def run(xs):
    for x in xs:
        for y in range(x):
            if f(x) > 9 and y:
                return x, y

r = run(xs)
""",
    "what one item hands to the next": """
def run(xs):
    last = 1
    for x in xs:
        last = f(last)
    return last

r = run(xs)
""",
    "a generator that is not taken to its end": """
def run(xs):
    for x in xs:
        log(x)
        yield f(x)

made = run(xs)
r = next(made)
""",
    "a generator whose values are looked at": """
def run(xs):
    row = []
    for x in xs:
        row.append(str(f(x)))
        yield row[0]
        row[0] = "later"

r = "".join(run(xs))
""",
    "a generator that sees what its loop stores": """
def look(x):
    return x + len(out)

def run(xs):
    for x in xs:
        yield look(x)

for value in run(xs):
    out.append(value)
""",
    "a generator that sees the names of its loop": """
def look(v):
    return v, x

def run(xs):
    for k in xs:
        yield look(k)

for x in run(xs):
    out.append(1)
""",
    "a generator whose doings its loop may not come to": """
def run(xs):
    for k in xs:
        seen.append(f(k))
        yield [k]

table = {}
for x in run(xs):
    table[x] = 1
""",
    "a generator that is given what its loop stores": """
def run(xs, rows):
    for k in xs:
        yield f(k) + len(rows)

for x in run(xs, out):
    out.append(x)
""",
    "a property": """
class Runner:
    @property
    def rows(self):
        return [f(x) for x in xs]

runner = Runner()
r = runner.rows
""",
    "a plain call in a loop": """
def run(xs):
    return [f(x) for x in xs]

last = xs
for k in range(3):
    last = run(last)
""",
    "the class around": """
class Runner(Part):
    def run(self, xs):
        return [super(Runner, self).work() + f(x) for x in xs] if xs else super().work()

r = Runner(3).run([])
""",
    "a map over several iterators": """
import itertools

def run(xs):
    (a, b), (c, d) = itertools.tee(xs), itertools.tee(xs)
    next(b), next(d)
    rows = []
    for value in map(lambda one, other: f(one) + other, c, d):
        rows.append(value)
    return all(map(lambda one, other: f(one) > other, a, b)), rows

r = run(xs)
""",
    "a starmap over an iterator": """
import itertools

def run(xs):
    a, b = itertools.tee(xs)
    next(b)
    return list(itertools.starmap(lambda one, other: f(one) + other, zip(a, b)))

r = run(xs)
""",
}
"""Cells whose function runs as it is."""


def inside(ran: programs.Ran) -> list[int]:
    """Return the lines of the loops that were lifted inside functions."""
    return [lifted.line for lifted in ran.cell.lifted if lifted.filename != "<cell>" or lifted.statement is None]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_a_loop_inside_runs_in_parallel(name: str, how: str) -> None:
    difference, ran = programs.compared(LIFTED[name].lstrip("\n"), SETUP, how)
    assert difference is None
    assert inside(ran), ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_a_loop_that_cannot_runs_as_it_is(name: str, how: str) -> None:
    difference, ran = programs.compared(PLAIN[name].lstrip("\n"), SETUP, how)
    assert difference is None
    assert not inside(ran)


MODULE = """
from dataclasses import dataclass, field

factor = 2

def scale(x):
    return x * factor

def run(xs):
    rows = []
    for x in xs:
        rows.append(scale(x))
    return rows

@dataclass
class Job:
    number: int
    steps: list = field(default_factory=list)

    def work(self):
        self.steps.append(scale(self.number))
        return sum(self.steps)

class Batch:
    def __init__(self, xs):
        self.jobs = [Job(x) for x in xs]

    def run(self):
        self.done = {job.number: job.work() for job in self.jobs}
        return sum(self.done.values())
"""


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of the user's that can be imported."""
    name = "module_beside_the_notebook"
    (tmp_path / f"{name}.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.invalidate_caches()
    return name


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("r = {}.run(xs)", 11),
        ("from {} import run\nr = run(xs)", 11),
        ("batch = {}.Batch(xs)\nr = batch.run()\nsteps = [job.steps for job in batch.jobs]", 29),
    ],
)
def test_the_functions_of_a_local_module(local: str, cell: str, line: int, how: str) -> None:
    difference, ran = programs.compared(cell.format(local), SETUP + f"import {local}\n", how)
    assert difference is None
    assert [lifted.line for lifted in ran.cell.lifted][:1] == [line]
    assert ran.cell.lifted[0].filename == sys.modules[local].__file__


def test_a_global_name_of_a_local_module_is_that_module_s(local: str) -> None:
    cell = f"{local}.factor = 5\nfactor = 7\nr = {local}.run(xs)"
    for how in programs.WAYS:
        difference, ran = programs.compared(cell, SETUP + f"import {local}\n", how)
        assert difference is None
        assert ran.left.names["r"] == [5, 10, 15, 20]


def run_here(source: str, **wishes: Any) -> tuple[Cell, dict[str, Any]]:
    """Run a cell in the manner of threads, its errors raised."""
    namespace = plainly.fresh(SETUP)
    cell = Cell(source, Wishes("<cell>", **wishes))
    cell.run(namespace, compiled.Running(namespace, "threads"))
    return cell, namespace


FAILING = """
def level(x):
    return f(x) / (x - 3)

def inner(xs):
    rows = []
    for x in xs:
        y = x + 0
        rows.append(level(y))
    return rows

def outer(xs):
    return inner(xs)

r = outer(xs)
"""


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (FAILING, [(15, "<module>"), (13, "outer"), (9, "inner"), (3, "level")]),
        (
            FAILING.replace("rows.append(level(y))", "yield level(y)").replace(
                "return inner(xs)", "return list(inner(xs))"
            ),
            [(15, "<module>"), (13, "outer"), (9, "inner"), (3, "level")],
        ),
        (
            "def run(xs):\n    return [\n        f(x) / (x - 3)\n        for x in xs]\nrun(xs)",
            [(5, "<module>"), (3, "run")],
        ),
        (
            "def items():\n    yield 1\n    1 / 0\ndef run():\n    for x in items():\n        out.append(f(x))\nrun()",
            [(7, "<module>"), (5, "run"), (3, "items")],
        ),
        ("def run(xs):\n    for x in xs:\n        out.append(f(x))\n    1 / 0\nrun(xs)", [(5, "<module>"), (4, "run")]),
        ("def run(xs):\n    for x in xs:\n        out.append(f(x))\nrun(1 / 0)", [(4, "<module>")]),
    ],
)
def test_a_traceback_goes_through_the_function_s_own_lines(source: str, lines: list[tuple[int, str]]) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run_here(source)
    frames = [frame for frame in traceback.extract_tb(caught.value.__traceback__) if frame.filename == "<cell>"]
    assert [(frame.lineno, frame.name) for frame in frames] == lines
    places = [entry.tb_lasti for entry in following.entries_of(caught.value.__traceback__)]
    assert min(places) >= 0  # IPython looks for ever for the instruction at -1


def test_nothing_of_ours_is_left() -> None:
    _, namespace = run_here("def run(xs):\n    return [f(x) for x in xs]\nr = run(xs)\nsame = run is run")
    assert not [name for name in namespace if name.startswith("_concompare")]
    assert namespace["run"].__code__.co_freevars == ()


def test_what_runs_as_it_is_says_why_with_the_function_s_name() -> None:
    source = "def run(xs):\n    last = 1\n    for x in xs:\n        last = f(last)\n    return last\nr = run(xs)"
    cell, _ = run_here(source)
    (refused,) = cell.refused
    assert str(refused.refusal).startswith("in `run`, line 4: ")
    with pytest.raises(CellRefused, match="in `run`, line 4"):
        run_here(source, strict=True)


def test_a_call_is_not_followed_where_another_loop_was_named() -> None:
    source = "def run(xs):\n    return [f(x) for x in xs]\nr = run(xs)\nfor x in xs:\n    out.append(f(x))"
    cell, _ = run_here(source, line=4)
    assert [lifted.line for lifted in cell.lifted] == [4]
    cell, _ = run_here(source)
    assert [lifted.line for lifted in cell.lifted] == [2, 4]


def test_only_the_function_that_was_named_is_followed() -> None:
    source = (
        "def run(xs):\n    return [f(x) for x in xs]\ndef other(xs):\n    return [f(x) for x in xs]\n"
        "r = run(xs)\ns = other(xs)\nt = [f(x) for x in xs]"
    )
    cell, namespace = run_here(source, inside="other")
    assert [lifted.line for lifted in cell.lifted] == [4]
    assert namespace["r"] == namespace["s"] == namespace["t"] == [2, 5, 10, 17]
    assert "inside `other`" in explanation(cell, namespace)
    assert "inside `run`" not in explanation(cell, namespace)
    with pytest.raises(BadOption, match="--in nothing: no function of that name is called"):
        Cell(source, Wishes("<cell>", inside="nothing"))


def test_arguments_are_evaluated_once_and_in_order() -> None:
    source = "def run(*args, **named):\n    return [f(x) for x in args]\nr = log(run)(log(1), *[log(2)], k=log(3))\n0"
    _, namespace = run_here(source)
    assert namespace["seen"] == [namespace["run"], 1, 2, 3]


def test_the_function_that_others_know_stays_the_same() -> None:
    source = """
def run(xs):
    rows = [f(x) for x in xs]
    run.times = getattr(run, "times", 0) + 1
    return rows, run

r = run(xs)
"""
    _, namespace = run_here(source)
    assert namespace["r"][1] is namespace["run"]
    assert namespace["run"].times == 1


EXPLAINED = """
class Runner:
    by = 3
    def one(self, x):
        return f(x) * self.by
    def run(self, xs):
        rows = []
        for x in xs:
            rows.append(self.one(x))
        return rows

def carried(xs):
    last = 1
    for x in xs:
        last = f(last)
    return last

def main(xs):
    runner_of_main = Runner()
    found = [f(x) for x in xs]
    return found, carried(xs)

def gen(xs):
    for x in xs:
        yield f(x)

runner = Runner()
"""


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (
            "r = runner.run(xs)",
            ["inside `Runner.run`, the loop at line 8", "return self.one(x)", "rows.append(value)"],
        ),
        (
            "r = main(xs)",
            [
                "inside `main`, the comprehension at line 20: f",
                "inside `carried`, the loop at line 14 runs as it is: line 15: needs 'last' from the item before",
            ],
        ),
        (
            "def here(xs):\n    return [f(x) for x in xs]\nr = here(xs)",
            ["inside `here`, the comprehension at line 2: f"],
        ),
        ("r = list(gen(xs))", ["inside `gen`, the loop at line 24: f", "yielded.append(value)"]),
        ("r = f(3)", ["the call at line 1: f"]),
    ],
)
def test_what_would_happen_inside_is_explained(cell: str, words: list[str]) -> None:
    namespace = plainly.fresh(SETUP)
    exec(plainly.compiled(EXPLAINED), namespace)
    text = explanation(Cell(cell, Wishes("<cell>")), namespace)
    assert [word for word in words if word not in text] == []
    assert "_concompare" not in text
    assert text.count("the call at line") == (cell == "r = f(3)")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", ["transform", "apply", "map", "filter", "agg", "fit"])
def test_methods_named_as_those_of_pandas_are_looked_into(name: str, how: str) -> None:
    setup = f"""
class Step:
    def one(self, text):
        return text.upper()
    def {name}(self, texts):
        return [self.one(text) for text in texts]
step, texts = Step(), ["a", "b"]
"""
    difference, ran = programs.compared(f"made = step.{name}(texts)\nsize = len(made)", setup, how)
    assert difference is None
    assert 6 in [part.line for part in ran.cell.lifted]
