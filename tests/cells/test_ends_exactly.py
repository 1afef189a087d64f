# ruff: noqa: E501
"""Cells that once ended otherwise than plain ones: each stands for a kind."""

from __future__ import annotations

import calendar
import csv
import traceback

import pytest

from tests.cells import compiled, fronts, notebook, plainly, programs

SETUP = """
import math
order, log, xs, total = [], [], [1, 2, 3], 0

def note(v):
    order.append(v)
    return v

def run(*given, **named):
    return given, named

def say(x):
    print("say", x)
    return str(x)

def fails(x):
    global total
    total += x
    if total > 2:
        raise ValueError(x)
    return x
"""
STARRED = [
    "note(run)(note(1), *[note(2)], k=note(3))",
    "note(run)(*[note(2)], **{'a': note(3)})",
    "note(run)(note(1), k=note(2), *(note(x) for x in xs), **{'z': note(4)})",
    "xs[note(0) : note(2)] + [note(3)]",
]
EARLY = [
    "r = sum(say(x) for x in xs)",
    "r = sum(map(say, xs))",
    "r = math.prod(say(x) for x in xs)",
    "r = dict(say(x) for x in xs)",
    "r = set([] if x == 2 else say(x) for x in xs)",
    "r = max(say(x) if x == 2 else x for x in xs)",
    "r = str.join(',', (say(x) for x in xs), 2)",
    "a, b = (say(x) for x in [*xs, 4])",
]
NOTEBOOK = {
    "the else of a try ahead": (
        "for x in range(1, 6):\n    for j in s:\n        out.append(pure(j))\n"
        "    try:\n        fails(x)\n    except ValueError:\n        pass\n    else:\n        s.add(x)"
    ),
    "a walrus in a subject": (
        "for i in range(6):\n    match (w := u):\n        case 1:\n            ys[i], w = (pure(i), total)\n"
        "        case _:\n            i = 1\n    o = objects[1]\n    o.v += w"
    ),
    "a walrus in a condition": (
        "for x in xs:\n    if (w := x) > 2:\n        w = len(log)\n    log.append(w)\n    out.append(pure(x))"
    ),
    "a walrus in an inner condition": (
        "for x in xs:\n    n = 0\n    while (w := n) < 3:\n        n += 1\n        if pure(n) == 7:\n"
        "            w = len(out)\n            break\n    out.append(w)"
    ),
    "a part of what a name still holds": (
        "for x in xs:\n    tank = tanks[0]\n    pool = [Tank(t), 1]\n    tank = pool[0]\n"
        "    try:\n        tank.burst(u)\n    except 1:\n        out.append(1)\n    f'{tank.fill(len(out))!r}'\n    out.append(pure(x))"
    ),
    "a list that a bound method changes": (
        "pure = out.append\nfor x in reversed(xs):\n    m = Box([len(out)])\n    d[x] = m\n    m.v.append(pure(x))"
    ),
    "a list in a list": "for x in xs:\n    link[0].append(x)\n    log.append(pure(len(out)))",
    "a list that a function holds": "for x in xs:\n    log.append(pure(grow_out(x) + len(out)))",
}
AHEAD = {
    "a sum of fractions that are drawn": (
        "import fractions\nr = sum(fractions.Fraction(work(x, random.random())) for x in xs)\nz = random.random()"
    ),
    "a sum that fails at a text": (
        "def g(x, r):\n    return str(r) if x == 1 else work(r)\ntry:\n    r = sum(g(x, random.random()) for x in xs)\n"
        "except TypeError as e:\n    q = str(e)\nz = random.random()"
    ),
    "a sum of numbers of numpy": "r = sum(np.float64(work(x, random.random())) for x in xs)\nz = random.random()",
    "a sum of fractions that are told": (
        "import fractions\ndef g(x):\n    print(x)\n    return fractions.Fraction(work(x))\nr = sum(g(x) for x in xs)"
    ),
    "an attribute that has a name too": (
        "jobs2 = state.jobs\nfor x in ys:\n    n = state.jobs.pop()\n    out.append(work(n, len(jobs2)))"
    ),
    "a default that has a name too": (
        "def push(v, into=todo):\n    into.append(v)\n    return len(into)\nfor x in ys:\n    out.append(work(push(x), len(todo)))"
    ),
    "a list in another": "holder = [todo]\nfor x in ys:\n    n = holder[0].pop()\n    out.append(work(n, len(todo)))",
    "a text of what holds it": (
        "holder = [todo]\nfor x in ys:\n    todo.pop()\n    n = str(holder)\n    out.append(work(n, x))"
    ),
    "an attribute of an attribute": (
        "game = State()\ngame.inner = state\nfor x in ys:\n    n = game.inner.next_id()\n    out.append(work(n, state.n))"
    ),
    "a closure over what has a name": (
        "def make(held):\n    def take():\n        return held.pop()\n    return take\ntake = make(todo)\n"
        "for x in ys:\n    n = take()\n    out.append(work(n, len(todo)))"
    ),
}
"""Cells in which an object that could be copied ahead is reached in another way as well."""


OBJECTS = """
import collections
import numpy as np
import pandas as pd

def f(x):
    return x * x + 1

frames = [pd.DataFrame({"parts": [[1], [2]], "v": [1, 2]}) for _ in range(3)]
arrays = [np.array([[1], [2, 3]], dtype=object) for _ in range(3)]
series = [pd.Series([[1], [2]]) for _ in range(3)]
df = pd.DataFrame({"parts": [[1], [2], [3]], "v": [1, 2, 3]})
Pair = collections.namedtuple("Pair", "a b")
pairs = [Pair([1], [2]), Pair([3], [4])]
class Holder:
    def __init__(self, pair):
        self.pair = pair
holders = [Holder(Pair([1], [2])), Holder(Pair([3], [4]))]
kept = [holder.pair.a for holder in holders]
"""
INSIDE = [
    "for g in frames:\n    g['parts'].iloc[0].append(f(1))",
    "for g in frames:\n    g.at[0, 'parts'].append(f(1))",
    "for g in frames:\n    g.parts.values[0].append(f(1))",
    "for a in arrays:\n    a[0].append(f(1))",
    "for a in arrays:\n    a.flat[0].append(f(1))",
    "for s in series:\n    s.iloc[0].append(f(1))",
    "for s in series:\n    s.tolist()[0].append(f(1))",
    "for i, row in df.iterrows():\n    row['parts'].append(f(i))",
    "for row in df.itertuples():\n    row.parts.append(f(row.v))",
    "for part in df['parts']:\n    part.append(f(1))",
    "for key, g in df.groupby('v'):\n    g['parts'].iloc[0].append(f(key))",
    "for p in pairs:\n    p.a.append(f(len(p.b)))",
    "for h in holders:\n    h.pair.a.append(f(len(h.pair.b)))\n[one is h.pair.a for one, h in zip(kept, holders)]",
]
"""Cells that change what an array, a frame or a named tuple holds."""


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("cell", INSIDE)
def test_what_a_container_holds_is_changed_as_plainly(cell: str, how: str) -> None:
    assert compiled.differs(cell, OBJECTS, how, seed=3)[0] is None


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("cell", STARRED)
def test_starred_arguments_are_taken_in_order(cell: str, how: str) -> None:
    assert compiled.differs(cell, SETUP, how)[0] is None


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("cell", EARLY)
def test_a_consumer_that_raises_early_asks_for_no_more_values(cell: str, how: str) -> None:
    assert compiled.differs(cell, SETUP, how)[0] is None


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", NOTEBOOK)
def test_ends_as_the_plain_cell(name: str, how: str) -> None:
    setup = notebook.setup_of(NOTEBOOK[name])
    assert compiled.differs(NOTEBOOK[name], setup, how, seed=3)[0] is None


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", AHEAD)
def test_what_is_reached_in_two_ways_is_one_object_ahead_too(name: str, how: str) -> None:
    assert compiled.differs(AHEAD[name], fronts.SETUP, how, seed=3)[0] is None


@pytest.mark.parametrize(
    "cell",
    [
        "r = [fails(x) for x in xs]",
        "r = sum(fails(x) for x in xs)",
        "for x in xs:\n    fails(x)",
        "r = sorted(xs, key=fails)",
    ],
)
def test_an_error_of_the_user_does_not_follow_from_a_refusal(cell: str) -> None:
    left, program = compiled.run_compiled(cell, SETUP, "threads")

    assert program.refused
    assert isinstance(left.error, ValueError)
    assert left.error.__context__ is None


ONE_FILE = """
import os, pathlib, tempfile
folder = tempfile.mkdtemp()
path = os.path.join(folder, "log.txt")
def note(x):
    with open(path, "a") as file:
        file.write(f"{x} ")
    return x * 2
def note_to(x, where, end=" "):
    with open(where, "a") as file:
        file.write(f"{x}{end}")
    return x
def note_by_default(x, where=path):
    return note_to(x, where=where)
def note_half(x):
    half = x % 2
    return note_in(path + str(half), x)
def note_in(where, x):
    with open(where, "a") as file:
        file.write(f"{x} ")
def note_by_sign(text):
    with pathlib.Path(path + text[0]).open("a") as file:
        file.write(f"{text} ")
class Log:
    def __init__(self, path):
        self.path = path
    def add(self, x):
        with open(self.path, "a") as file:
            file.write(f"{x} ")
        return x
log = Log(path)
def save_to(x, where):
    return note_to(x, os.path.join(where, f"{x}.txt"), "")
def over(x):
    pathlib.Path(folder, "last.txt").write_text(str(x))
    return x
def save(x):
    with open(os.path.join(folder, f"{x}.txt"), "w") as file:
        file.write(str(x))
    return x * 2
xs = list(range(8))
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("r = [note(x) for x in xs]\npathlib.Path(path).read_text()", "0 1 2 3 4 5 6 7 "),
        (
            "for x in xs:\n    with open(path, 'a') as file:\n        file.write(str(x))\npathlib.Path(path).read_text()",
            "01234567",
        ),
        ("r = [note_to(x, path) for x in xs]\npathlib.Path(path).read_text()", "0 1 2 3 4 5 6 7 "),
        ("r = list(map(note_by_default, xs))\npathlib.Path(path).read_text()", "0 1 2 3 4 5 6 7 "),
        ("r = [log.add(x) for x in xs]\npathlib.Path(path).read_text()", "0 1 2 3 4 5 6 7 "),
        ("r = [over(x) for x in xs]\npathlib.Path(folder, 'last.txt').read_text()", "7"),
        (
            "for x in xs:\n    with open(f'{path}{x % 2}', 'a') as file:\n        file.write(str(x))\npathlib.Path(path + '1').read_text()",
            "1357",
        ),
        ("r = [note_half(x) for x in xs]\npathlib.Path(path + '1').read_text()", "1 3 5 7 "),
        ("r = [note_by_sign('+-'[x % 2] + str(x)) for x in xs]\npathlib.Path(path + '-').read_text()", "-1 -3 -5 -7 "),
    ],
)
def test_one_file_is_written_in_the_order_of_the_items(cell: str, left: str, how: str) -> None:
    assert programs.run(cell, ONE_FILE, how).left.value == left


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("call", ["save(x)", "save_to(x, folder)", "note_to(x, f'{folder}/{x}.txt')"])
def test_a_file_for_each_item_is_written_by_workers(call: str, how: str) -> None:
    ran = programs.run(f"r = [{call} for x in xs]\nsorted(os.listdir(folder))", ONE_FILE, how)
    assert ran.left.value == [f"{x}.txt" for x in range(8)]
    assert [part.line for part in ran.cell.lifted] == [1]


SETTINGS = """
import calendar, codecs, csv, io
def rows(n):
    csv.field_size_limit(1000 + n)
    return list(csv.reader(io.StringIO("a,b")))
def first(n):
    calendar.setfirstweekday(n % 7)
    return calendar.firstweekday()
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    ("cell", "left"),
    [
        ("r = [rows(n) for n in range(4)]\ncsv.field_size_limit()", 1003),
        ("r = [first(n) for n in range(4)]\nr, calendar.firstweekday()", ([0, 1, 2, 3], 3)),
        (
            "for n in range(3):\n    csv.register_dialect('mine', delimiter=str(n))\ncsv.get_dialect('mine').delimiter",
            "2",
        ),
    ],
)
def test_settings_of_the_whole_process_are_those_of_the_plain_loop(cell: str, left: object, how: str) -> None:
    limit, day = csv.field_size_limit(), calendar.firstweekday()
    try:
        assert programs.run(cell, SETTINGS, how).left.value == left
    finally:
        csv.field_size_limit(limit)
        calendar.setfirstweekday(day)


CAUGHT = """
def fails(x):
    if x % 2:
        raise ValueError(x)
    return x * 10
xs, out, d = [1, 2, 3, 4], [], {}
"""
TWICE = """
for x in xs:
    try:
        m = len(out)
        d[x] = m
    except KeyError as error:
        print(2)
    try:
        got = fails(x)
    except (ValueError, TypeError) as error:
        print('bad', error)
        {ending}
    out.append((x, got))
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "ending", ["continue", "got = str(error)", "break", "raise", "out.append(repr(error)); got = 0", "got = d['no']"]
)
def test_an_error_caught_by_workers_is_named_where_the_notebook_has_errors_of_that_name(ending: str, how: str) -> None:
    difference, ran = programs.compared("got = None" + TWICE.replace("{ending}", ending), CAUGHT, how)
    assert difference is None
    assert "error" not in ran.left.names
    if ending in ("continue", "got = str(error)"):
        assert ran.cell.lifted


PARTS = """
class Holder:
    pass

def pure(x):
    return x * 2

def sum_of(xs):
    total = 0
    for x in xs:
        total += pure(x)
        if x > 3:
            return total if total > 1 else 0

me, xs, out, places = Holder(), [3, 4, 5], [], [0, 1, 2, 3, 4]
me.parts = [1, 2, 3, 4, 5]
"""
UNDER_A_CONDITION = [
    "for x in xs:\n    j = pure(x) - 4\n    if j < 5:\n        me.parts[j] += me.parts[x - 3]",
    "for x in xs:\n    j = pure(x) - 4\n    if j < 6:\n        me.parts[places[j] - 2] += pure(x)",
    "for x in xs:\n    j = pure(x) - 6\n    while j < 4:\n        me.parts[j] += pure(j)\n        j += 1",
    "for x in xs:\n    j = pure(x) - 6\n    try:\n        me.parts[j] += pure(j)\n        me.parts[9 - j] += 1\n    except IndexError:\n        out.append(j)",
]
JUMPS = [
    "for x in xs:\n    out.append(pure(x))\n    if x > 3:\n        out.append(pure(x))\n        break",
    "for x in xs:\n    out.append(pure(x))\n    out.append(pure(x))\n    continue\n    out.append(1)",
    "r = sum_of(xs)",
]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", [*UNDER_A_CONDITION, *JUMPS])
def test_the_tail_has_what_it_needs_under_a_condition_and_before_a_jump(cell: str, how: str) -> None:
    difference, ran = programs.compared(cell, PARTS, how)
    assert difference is None
    assert ran.cell.lifted, ran.reasons


CACHED = """
import functools
def work(n):
    return n * 10
@functools.lru_cache(maxsize=4)
def told(n):
    print("asked for", n)
    return work(n)
@functools.cache
def logged(n):
    logger.warning("asked for %s", n)
    return work(n)
class Model:
    @functools.lru_cache
    def told(self, n):
        print("asked for", n)
        return work(n)
@functools.cache
def silent(n):
    return work(n)
import logging
logger = logging.getLogger("concompare.tests.cached")
seen = []
class Keep(logging.Handler):
    def emit(self, record):
        seen.append(record.getMessage())
logger.handlers[:], logger.propagate = [Keep()], False
model = Model()
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("call", ["told(n)", "logged(n)", "model.told(n)", "max(told(n), 1)"])
def test_what_a_cached_function_tells_it_tells_where_the_plain_loop_does(call: str, how: str) -> None:
    ran = programs.run(f"r = [{call} + work(n) for n in (1, 2, 1, 3, 1)]\nseen", CACHED, how)
    assert (ran.left.value or ran.left.printed.splitlines()) == ["asked for 1", "asked for 2", "asked for 3"]


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_cached_function_that_tells_nothing_goes_to_workers(how: str) -> None:
    ran = programs.run("r = [silent(n) for n in (1, 2, 1)]", CACHED, how)
    assert [part.line for part in ran.cell.lifted] == [1]


MIXED = """
class Shape:
    @classmethod
    def area(cls):
        return 1
class Sized:
    __slots__ = ("size",)
    def __init__(self, size):
        self.size = size
    def area(self):
        return self.size
shapes = {"a": Shape, "b": Sized(2), "c": Shape}
def area(name):
    return shapes[name].area()
"""


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_method_of_what_may_be_a_class_or_an_object(how: str) -> None:
    assert programs.run("r = [area(name) for name in shapes]\nr", MIXED, how).left.value == [1, 2, 1]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "r = [work(y) for y in given(4)]",
        "r = []\nfor y in given(4):\n    r.append(work(y))",
        "r = [work(y) for y in map(refused, [0, 1, 2, 3])]",
        "r = {work(y)[0]: 1 for y in map(refused, [0, 1, 2, 3])}",
    ],
)
def test_an_error_of_what_gives_the_items_has_the_cells_line(cell: str, how: str) -> None:
    setup = (
        "def refused(v):\n    if v == 2:\n        raise ValueError(v)\n    return [v]\n"
        "def given(n):\n    for v in range(n):\n        yield refused(v)\n"
        "def work(v):\n    return sum([1, 2]), v\n"
    )
    different, ran = programs.compared(cell, setup, how)
    assert different is None
    assert ran.cell.lifted
    assert ran.left.lines


BELOW = [
    "r = dict({\n    x: 1 // (x - 2)\n    for x in xs})",
    "r = [\n    note(1) and fails(x)\n    for x in xs]",
    "r = sorted({\n    str(\n        1 // (math.floor(x) - 2))\n    for x in xs})",
    "r = [math.floor(x) for x in\n    [1, 2, 'a']]",
]


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("cell", BELOW)
def test_an_error_in_a_comprehension_shows_where_that_begins_too(cell: str, how: str) -> None:
    plain = plainly.run_plain(cell, SETUP)
    left, _ = compiled.run_compiled(cell, SETUP, how)

    assert plain.error is not None
    assert type(left.error) is type(plain.error)
    assert frames_of(left.error) == frames_of(plain.error)


def frames_of(error: BaseException | None) -> list[tuple[str, int | None]]:
    """Return the frames of the cell that an error went through."""
    assert error is not None
    return [(part.name, part.lineno) for part in traceback.extract_tb(error.__traceback__) if part.filename == "<cell>"]
