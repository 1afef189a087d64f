# ruff: noqa: E501
"""Calls that workers make before it is known whether they are needed: results, errors and order stay the plain loop's."""

from __future__ import annotations

import pytest

from concompare.cells import program, worth
from concompare.cells.explaining import explanation
from concompare.cells.program import Cell, Wishes
from concompare.cells.replay import tally
from tests.cells import compiled, grammar, notebook, plainly, programs

MORE = """
import warnings, threading, decimal, os, contextlib, time
import numpy as np
lock = threading.Lock()
precise = decimal.localcontext(decimal.Context(prec=3))
strict = np.errstate(all="raise")
@contextlib.contextmanager
def raising():
    with np.errstate(all="raise"):
        yield
@contextlib.contextmanager
def step(name):
    steps.append(name)
    yield
    steps.append("end")
steps = []
@contextlib.contextmanager
def rounded():
    with decimal.localcontext() as context:
        context.prec = 4
        yield
class Rounded:
    def __enter__(self):
        self.old = decimal.getcontext().prec
        decimal.getcontext().prec = 2
    def __exit__(self, *_):
        decimal.getcontext().prec = self.old
class Loose:
    errstate = staticmethod(lambda **settings: decimal.localcontext(prec=2))
class Timed:
    def __enter__(self):
        self.start = time.perf_counter()
        steps.append("start")
    def __exit__(self, *_):
        took.append(time.perf_counter() - self.start > 0.01)
took = []
def third(v):
    for _ in range(2): pass
    return float(decimal.Decimal(v + 1) / 7)
def inverse(v):
    for _ in range(2): pass
    return float((np.ones(2) / v).sum())
def rests(v):
    for _ in range(2): time.sleep(0.01)
    return v
def hashed(v):
    for _ in range(2): pass
    return hash(v) + 1
def length(path):
    for _ in range(2): pass
    return os.path.getsize(path)
def sized(v):
    for _ in range(2): pass
    return os.path.getsize(os.devnull) + v
cache = {}
class Reading:
    def __init__(self, v): self.v = v
    def level(self):
        for _ in range(2): pass
        return self.v + 1
readings = [Reading(v) for v in (3, 1, 2)]
def listed(v):
    for _ in range(2): pass
    return [v]
def given(box):
    for _ in range(2): pass
    return box
def warns(v):
    for _ in range(2): pass
    warnings.warn("odd", stacklevel=1)
    return v
def shown(v):
    for _ in range(2): pass
    print("shown", v)
    return v
def leaves(v):
    for _ in range(2): pass
    raise SystemExit(v)
"""

EARLY = {
    "a test before the call": "for x in xs:\n    if len(out) > 2: break\n    out.append(pure(x))\nelse:\n    log.append(0)",
    "an item left out": "for x in xs:\n    if total > 9: continue\n    total += pure(x)",
    "a step that may raise beside it": "for x in xs:\n    try:\n        out.append(pure(x) / (total - 10))\n        total += 10\n    except ZeroDivisionError as error:\n        out.append(str(error))",
    "a call that raises under try": "for x in xs:\n    try:\n        d[x] = fails(x)\n        total += d[x]\n        out.append(table[total])\n    except (ValueError, KeyError) as error:\n        out.append(repr(error))",
    "a call that raises": "for x in [*xs, 4, 1]:\n    if total < 99:\n        total += fails(x)",
    "a call that raises after the end": "for x in [*xs, 4, 1]:\n    if total > 5: break\n    total += fails(x)",
    "a call that would end the interpreter": "for x in xs:\n    if total < 99:\n        total += pure(x)\n    else:\n        leaves(x)",
    "a lock": "for x in xs:\n    with lock:\n        out.append(pure(x))",
    "a context that keeps a list": "for x in xs:\n    with step(x):\n        out.append(pure(x))\nout += steps",
    "a connection": "import sqlite3\nbase = sqlite3.connect(':memory:')\nbase.execute('create table t (v)')\nfor x in xs:\n    with base:\n        base.execute('insert into t values (?)', (pure(x),))\nout = base.execute('select v from t').fetchall()\ndel base",
    "a file that grows": "import shutil, tempfile\nplace = tempfile.mkdtemp() + '/log.txt'\nfor x in xs:\n    with open(place, 'a') as log_file:\n        log_file.write(f'{pure(x)} ')\nlog_file = open(place)\nout.append(log_file.read())\nlog_file.close()\nshutil.rmtree(os.path.dirname(place))\ndel place, log_file",
    "a setting that nobody changes": "for x in xs:\n    with lock:\n        out.append(hashed(x))",
    "a file that nobody changes": "for x in xs:\n    with lock:\n        out.append(sized(x))",
    "a condition of the item": "for x in xs:\n    if total >= 0 and x > 1:\n        total += pure(x)\n    else:\n        total += halve(x)",
    "the other branch": "for x in xs:\n    r = halve(x) if total > 9 else pure(x)\n    total += r",
    "or": "for x in xs:\n    if total > 9 or pure(x) > 8:\n        total += 1\n    out.append(total)",
    "an object of the item": "for r in readings:\n    if total > 4: continue\n    total += r.level()",
    "a fresh list": "for x in xs:\n    if len(out) > 3: break\n    out.append(listed(x))\nout[0].append(7)",
    "the same list twice": "for x in xs:\n    if len(out) > 9: break\n    one = listed(x)\n    out += [one, one]\nout[0].append(7)",
    "a name read in a function": "for x in xs:\n    if total > 20: break\n    total += late(x)",
    "a loop in it": "big = [0] * 70\nfor x in big:\n    for j in range(3):\n        if total > 30: continue\n        total += pure(j)\n        s.add(pure(x + j))",
    "a loop with arguments alike": "big = [0] * 70\nfor x in big:\n    for j in (1, True, 1.0, 1):\n        if len(out) % 3 == 1: out.append(total); continue\n        total = pure(j)\n        out.append(total)",
    "a comprehension in it": "for x in [2] * 70:\n    if total > 90: break\n    total += sum([pure(j) for j in range(x) if j])",
    "a memory": "for x in [1, 2, 1, 2, 1]:\n    if x not in cache:\n        cache[x] = pure(x)\n    out.append(cache[x])",
    "a comprehension": "out = [pure(x) for x in xs if sink.write(str(x))]",
    "a while": "while total < 30:\n    u += 1\n    total += pure(u)",
    "a while and its else": "while total < 30:\n    u += 1\n    total += pure(u)\nelse:\n    out.append('end')",
    "a while left otherwise": "while total < 30:\n    u += 1\n    total += pure(u)\n    if u > 2: break\nelse:\n    out.append('end')",
    "a part of the item": "for i, (a, b) in enumerate([(1, 2), (3, 4)]):\n    if total < 99:\n        total += pure(a + b + i)",
    "a function of the cell": "def twice(v):\n    return pure(v) * 2\nfor x in xs:\n    if total < 99:\n        total += twice(x)",
    "a context that ignores what numpy finds": "for x in xs:\n    with step(x), np.errstate(all='ignore'):\n        out.append(inverse(x - 1))\nout += steps",
    "a context inside another": "for x in xs:\n    with step(x):\n        with np.errstate(divide='ignore', invalid='raise'):\n            out.append(inverse(x - 1))\nout += steps",
    "a context around a loop": "for x in [1] * 70:\n    with step(x), np.errstate(all='ignore'):\n        for j in range(3):\n            out.append((total, inverse(j)))\n        total += 1",
    "a context raises": "for x in [1, 0, 2]:\n    with np.errstate(all='raise'):\n        try:\n            if total < 99: total += inverse(x)\n        except FloatingPointError: out.append(x)",
}
NOT_EARLY = {
    "its argument comes from the item before": "for x in xs:\n    if total < 99:\n        total += pure(x + total)",
    "it reads what the loop changes": "for x in xs:\n    if total < 99:\n        total += with_default(x, d)\n        d[x + 1] = 4",
    "it changes what the items share": "for x in xs:\n    if total < 99:\n        total += remember(x)",
    "it prints": "for x in xs:\n    if total < 3:\n        total += shown(x)",
    "it gives its argument back": "for x in boxes:\n    if total < 99:\n        total += 1\n        out.append(given(x))",
    "its argument gets its value beside it": "for x in xs:\n    if total < 99:\n        total += 1\n        y = total + x\n        out.append(pure(y))",
    "its function is another by then": "for x in xs:\n    if total < 99:\n        total += pure(x)\n        pure = halve",
    "it warns": "for x in xs:\n    if total < 9:\n        total += warns(x)",
    "it draws random numbers": "for x in xs:\n    if total < 99:\n        total += random.random() + pure(1) * 0",
    "it walks an iterator of the notebook": "it = iter([4, 5, 6])\nout = [[pure(x) for x in it] for _ in range(2)]",
    "a context rounds what it computes": "with_total = 0\nfor x in xs:\n    with decimal.localcontext() as c:\n        c.prec = 3\n        if total < 99: total += third(x)\n    out.append(total)\ndel c",
    "a context under a name rounds": "for x in xs:\n    with precise:\n        if total < 99: total += third(x)\n    out.append(total)",
    "a context of the user's rounds": "for x in xs:\n    with rounded():\n        if total < 99: total += third(x)\n    out.append(total)",
    "a context that is a class rounds": "for x in xs:\n    with Rounded():\n        if total < 99: total += third(x)\n    out.append(total)",
    "a context with numpy's errors called": "for x in xs:\n    with step(x), np.errstate(call=print):\n        out.append(inverse(x - 1))",
    "a context with errors by a name": "mode = 'ignore'\nfor x in xs:\n    with step(x), np.errstate(all=mode):\n        out.append(inverse(x))",
    "a context of decimals that is changed": "for x in xs:\n    with step(x), decimal.localcontext(prec=9) as c:\n        c.prec = 3\n        out.append(third(x))\nout += steps\ndel c",
    "a context of the loop's own": "for x in xs:\n    with step(x), np.errstate(all='ignore'):\n        out.append(third(x))\n    np = Loose",
    "a context under a name raises": "for x in [1, 0, 2]:\n    with strict:\n        try:\n            if total < 99: total += inverse(x)\n        except FloatingPointError: out.append(x)",
    "a context of the user's raises": "for x in [1, 0, 2]:\n    with raising():\n        try:\n            if total < 99: total += inverse(x)\n        except FloatingPointError: out.append(x)",
    "a context times it": "for x in xs:\n    with Timed():\n        if total < 99: total += rests(x)\nout += took",
    "a context hides warnings": "for x in xs:\n    with warnings.catch_warnings():\n        warnings.simplefilter('ignore')\n        if total < 9: total += warns(x)",
    "its file grows": "import shutil, tempfile\nplace = tempfile.mkdtemp() + '/log.txt'\nfor x in xs:\n    with open(place, 'a') as log_file:\n        log_file.write(str(total))\n    if total < 99: total += length(place)\nshutil.rmtree(os.path.dirname(place))\ndel place, log_file",
    "its object changes before": "for b in objects:\n    if total < 99:\n        b.v = total\n        total += b.get()",
}


def setup_of(cell: str) -> str:
    return notebook.setup_of(cell) + MORE


def early_of(program: Cell) -> list[str]:
    return [call for lifted in program.lifted for call in lifted.sources[0].splitlines() if "early(" in call]


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", EARLY)
def test_a_call_made_early_leaves_what_plain_execution_leaves(name: str, how: str) -> None:
    different, ran = compiled.differs(EARLY[name], setup_of(EARLY[name]), how, seed=len(name))

    assert different is None
    assert early_of(ran), [str(part.refusal) for part in ran.refused]


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", NOT_EARLY)
def test_a_call_that_is_not_free_is_made_in_its_turn(name: str, how: str) -> None:
    different, ran = compiled.differs(NOT_EARLY[name], setup_of(NOT_EARLY[name]), how, seed=len(name))

    assert different is None
    assert not [line for line in early_of(ran) if "pure(1)" not in line]


DECIMALS = """
import contextlib, decimal
steps, out, xs = [], [], [1, 2, 3]
@contextlib.contextmanager
def step(name):
    steps.append(name)
    yield
    steps.append("end")
def third(v):
    for _ in range(2): pass
    return float(decimal.Decimal(v + 1) / 7)
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "contexts",
    ["step(x), decimal.localcontext(prec=3)", "decimal.localcontext(prec=9), step(x), decimal.localcontext(prec=3)"],
)
def test_a_call_made_early_computes_with_the_precision_of_the_context_around_it(contexts: str, how: str) -> None:
    ran = programs.alike(f"for x in xs:\n    with {contexts}:\n        out.append(third(x))", DECIMALS, how)
    assert early_of(ran.cell)
    assert ran.left.names["out"] == [0.286, 0.429, 0.571]
    assert ran.left.names["steps"] == [1, "end", 2, "end", 3, "end"]


VAIN = "for x in range(60):\n    if len(out) + x == 40:\n        out.append(pure(x))\nelse:\n    out.append('end')"


@pytest.mark.parametrize("walked", ["range(60)", "reversed(range(60))", "(v for v in range(60))", "list(range(60))"])
@pytest.mark.parametrize("how", ["threads", "processes"])
def test_a_loop_goes_on_without_calls_that_are_made_in_vain(how: str, walked: str) -> None:
    for cell in (VAIN, f"def inner(values):\n{grammar.indented(VAIN)}\n    return out\nr = inner(2)"):
        setup = notebook.setup_of(cell)
        different, ran = compiled.differs(cell.replace("range(60)", walked), setup, how)
        assert different is None
        assert early_of(ran)


def test_calls_are_judged_after_some_items(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[int] = []
    plain = program.Hook.rest

    def rest(self: program.Hook, loop: object, side: object, left: object) -> object:
        found = list(left)  # type: ignore[call-overload]
        rests.append(len(found))
        return plain(self, loop, side, found)  # type: ignore[arg-type]

    monkeypatch.setattr(program.Hook, "rest", rest)
    ran = programs.run(VAIN, notebook.setup_of(VAIN), "threads")
    assert ran.left.error is None
    assert rests == [60 - tally.ENOUGH]

    rests.clear()
    programs.run(VAIN.replace("== 40", "!= 40"), notebook.setup_of(VAIN), "threads")
    assert rests == []


def test_what_is_measured_makes_only_calls_that_are_needed() -> None:
    sure = "for x in xs:\n    try:\n        out.append(pure(x) / (total - 10))\n        total += 10\n    except ZeroDivisionError:\n        pass"
    unsure = "for x in xs:\n    if total > 9: continue\n    total += pure(x)"
    for cell, made in ((sure, True), (unsure, False)):
        namespace = plainly.fresh(notebook.setup_of(cell))
        running = Cell(cell, Wishes("<cell>", measured=True))
        running.run(namespace, compiled.Running(namespace, "threads", setup=notebook.setup_of(cell)))
        assert bool(early_of(running)) is made


def test_loops_in_a_loop_of_few_items_are_shared_out_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worth, "WORTH", 0.0)
    cell = "for x in [0] * 3:\n    for j in range(5):\n        if total > 99: continue\n        total += pure(j)"
    different, ran = compiled.differs(cell, notebook.setup_of(cell), "threads")

    assert different is None
    assert [lifted.line for lifted in ran.lifted] == [2, 2, 2]


def test_the_explanation_says_that_a_call_is_made_early() -> None:
    cell = EARLY["an item left out"]
    told = explanation(Cell(cell, Wishes("<cell>")), plainly.fresh(notebook.setup_of(cell)))

    assert "early(pure(x))" in told
    assert "total += value or pure(x)" in told
    assert "line 3: `pure(x)` in a worker, before it is known whether it is needed" in told
