# ruff: noqa: E501
"""Cells whose statements fail half-way, or give back the notebook's own objects: each ends as the plain cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cells import programs

SETUP = """
def f(x):
    for _ in range(2): pass
    return x * x + 1
def gone(x):
    f(x)
    if x == 3:
        raise GeneratorExit("gone")
    return x
def stopped(x):
    f(x)
    if x == 3:
        raise KeyboardInterrupt("by hand")
    return x
class Point:
    __match_args__ = ("x", "y")
    def __init__(self, x, y):
        self.x, self.y = x, y
def noted(v):
    log.append(v)
    return v > 2
xs, out, d, objects, log = [1, 2, 3, 4], [], {1: 0, 2: 0}, [0], []
things = [Point(1, 2), [1, 2, 3], {"k": 5, "z": 1}, "text"]
pairs = [(1, (2, 3, 4)), (5, (6,)), (7, (8, 9))]
pair, frozen, named = (1, [2]), frozenset([3]), (4, "four")
rows = [((x, x), "row") for x in xs]
def of_pair(x):
    f(x)
    return pair
def of_frozen(x):
    f(x)
    return {"held": frozen}
def of_named(x):
    f(x)
    return named
def of_row(row):
    f(row[0][0])
    return row[0]
def of_constant(x):
    f(x)
    return (1, "a")
"""


def ends_alike(cell: str, how: str) -> programs.Ran:
    different, ran = programs.compared(cell, SETUP, how, seed=2)
    assert different is None
    return ran


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in xs:\n    objects[0] = (unknown, (u := f(x)))",
        "for x in xs:\n    objects[0] = [unknown.part, {1: (u := f(x))}]",
        "for x in xs:\n    objects[0] = (out[7], (u := f(x)))",
        "for x in xs:\n    out.missing((u := f(x)))",
        "for x in xs:\n    objects[0] = (unknown if x > 2 else x, (u := f(x)))",
    ],
)
def test_a_name_is_not_given_after_the_notebook_has_failed(cell: str, how: str) -> None:
    ran = ends_alike(cell, how)
    assert ran.cell.lifted
    assert ran.left.error is not None
    assert ("u" in ran.left.names) == ("x > 2" in cell)  # where the items before went well


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in map(f, xs):\n    if max() > best:\n        best = x",
        "for x in map(f, xs):\n    if x > best:\n        best = xs[x]",
        "for y in xs:\n    x = f(y)\n    best = max(best, xs[x])",
        "for y in xs:\n    x = f(y)\n    out.append((x, d[y]))",
    ],
)
def test_a_name_that_has_its_value_when_the_last_operand_fails_is_left(cell: str, how: str) -> None:
    ran = ends_alike("best = 0\n" + cell, how)
    assert ran.cell.lifted
    assert ran.left.error is not None
    assert "x" in ran.left.names


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in xs:\n    y = f(gone((w := x)))\n    out.append(len(out) + w)",
        "for x in xs:\n    y = [w := x, f(gone(x))]\n    out.append(len(out) + w)",
        "for x in xs:\n    f(x)\n    if x == 3:\n        raise KeyError((w := x))\n    w = len(out)\n    out.append(len(out) + w)",
        "for x in xs:\n    f(x)\n    if x == 3:\n        raise KeyError((w := x), [][w])\n    w = len(out)\n    out.append(len(out) + w)",
        "for x in xs:\n    f(x)\n    assert x < 3, (w := x)\n    out.append(len(out))\n    w = len(out)\n    out.append(w)",
    ],
)
def test_a_walrus_before_what_fails_in_its_statement_is_left(cell: str, how: str) -> None:
    ran = ends_alike(cell, how)
    assert ran.cell.lifted
    assert ran.left.names["w"] == 3


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_case_with_a_global_alone_has_a_body(how: str) -> None:
    cell = "for x in xs:\n    match x:\n        case 1:\n            out.append(f(x))\n        case _:\n            global total"
    ran = ends_alike(cell, how)
    assert ran.cell.lifted
    assert ran.left.names["out"] == [2]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for i, x in enumerate(xs):\n    if x < 2:\n        c = f(i)\n    elif x > 2:\n        out.append(f(x))\n        if len(out) > 1:\n            break",
        "for i, x in enumerate(xs):\n    if x < 2:\n        c = f(i)\n    out.append(f(x))\n    [1, 2, 3][len(out)]",
    ],
)
def test_a_name_that_an_earlier_item_of_an_iterator_gave_is_left(cell: str, how: str) -> None:
    ran = ends_alike(cell, how)
    assert ran.cell.lifted
    assert ran.left.names["c"] == 1


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_function_that_a_name_keeps_holds_the_item_itself(how: str) -> None:
    cell = "for x in boxes:\n    keep = lambda: x\n    x.append(f(len(x)))\n    out.append(len(keep()))\nkeep() is boxes[-1]"
    setup = SETUP + "boxes = [[1], [2, 3]]\n"
    different, ran = programs.compared(cell, setup, how)
    assert different is None
    assert ran.left.value is True


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_walrus_inside_work_stays_with_the_work(how: str) -> None:
    ran = ends_alike("for x in xs:\n    out.append(f((u := f(x))))", how)
    assert "f(" not in programs.tail_of(ran.cell.lifted[0])


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("fails", ["gone", "stopped"])
def test_an_item_that_raises_what_ends_a_program_leaves_its_names(fails: str, how: str) -> None:
    ran = ends_alike(f"for x in xs:\n    y = x + 1\n    out.append({fails}(x))", how)
    assert ran.cell.lifted
    assert (ran.left.names["x"], ran.left.names["y"]) == (3, 4)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "r = [of_pair(x) for x in xs]\n[one is pair for one in r]",
        "r = [of_named(x) for x in xs]\n[one is named for one in r]",
        "r = [of_frozen(x) for x in xs]\n[one['held'] is frozen for one in r]",
        "r = [of_row(row) for row in rows]\n[one is row[0] for one, row in zip(r, rows)]",
        "r = [(of_row(row), row) for row in rows]\n[one[1] is row for one, row in zip(r, rows)]",
        "r = [of_constant(x) for x in xs]\n[one is r[0] for one in r]",
        "for x in xs:\n    f(x)\n    out.append((1, 2) if f(x) else 0)\n[one is out[0] for one in out]",
    ],
)
def test_tuples_and_frozen_sets_are_the_notebooks_own(cell: str, how: str) -> None:
    ran = ends_alike(cell, how)
    assert ran.cell.lifted
    assert ran.left.value == [True] * 4


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for p in things:\n    match p:\n        case {'k': k, **more}:\n            r = (f(k), more)\n        case _:\n            r = f(1)\n    out.append(r)",
        "for p in things:\n    match p:\n        case {'k': k, **more}:\n            r = f(k)\n        case _:\n            r = f(1)\n    out.append(r)",
        "for p in things:\n    match p:\n        case [first, *rest]:\n            r = (f(first), rest)\n        case Point(a, b):\n            r = f(a) + b\n        case _:\n            r = f(1)\n    out.append(r)",
    ],
)
def test_the_names_of_patterns_are_left(cell: str, how: str) -> None:
    assert ends_alike(cell, how).cell.lifted


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in xs:\n    match x:\n        case n if noted(n):\n            out.append(f(n))\n        case m:\n            out.append(-f(m))",
        "for x in xs:\n    y = f(x)\n    match y:\n        case n if noted(n) and len(out) < 2:\n            out.append(n)\n        case _:\n            pass",
    ],
)
def test_a_guard_is_asked_once_and_in_order(cell: str, how: str) -> None:
    ran = ends_alike(cell, how)
    assert bool(ran.cell.lifted) == ("y = f(x)" in cell)  # work under a guard with effects stays behind it
    assert ran.left.names["log"] == ([2, 5, 10, 17] if "y = f(x)" in cell else [1, 2, 3, 4])  # what is asked, once each


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in xs:\n    def g(a, b=[]):\n        b.append(a)\n        return len(b)\n    out.append(g(f(x)))\n    out.append(g(1))\nout.append(g(2))",
        "for x in xs:\n    def g(a=(u := f(x)), *, b={}):\n        b[a] = u\n        return len(b)\n    out.append(g())\nout.append(g.__kwdefaults__)",
        "for x in xs:\n    def g(a, b=log):\n        return len(b) + a\n    out.append(g(f(x)))\nlog.append(1)\nout.append(g(1))",
    ],
)
def test_a_function_of_the_body_has_its_defaults_once(cell: str, how: str) -> None:
    assert ends_alike(cell, how).cell.lifted


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for a, (b, *c) in pairs:\n    out.append((f(a), b, c))\nout[-1][2] is c",
        "for a, (b, *c) in pairs:\n    c.append(f(a))\n    out.append(c)\nout[-1] is c",
        "for a, (b, *c) in pairs:\n    out.append(f(a))\nc == [9]",
        "for a, (b, *c) in pairs:\n    if f(b) > 60:\n        break\n    out.append(c)\nc == [9]",
    ],
)
def test_what_a_star_of_the_target_takes_is_one_list(cell: str, how: str) -> None:
    ran = ends_alike(cell, how)
    assert ran.cell.lifted
    assert ran.left.value is True


HOOKS = """
import copy, functools
class Made(dict):
    def __missing__(self, key):
        self[key] = [key]
        return self[key]
class Counted:
    copies = 0
    def __init__(self, v):
        self.v = v
    def __deepcopy__(self, memo):
        Counted.copies += 1
        return Counted(f(self.v))
    def __copy__(self):
        Counted.copies += 10
        return Counted(f(self.v))
@functools.cache
def kept(v):
    return f(v)
made, counted, data = Made(), Counted(2), bytearray(8)
view = memoryview(data)
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in xs:\n    made[x % 2].append(f(x))",
        "r = [made[x % 2] for x in xs if f(x)]",
        "for x in xs:\n    view[x] = f(x)\n    out.append(bytes(data[:x]))",
        "for x in xs:\n    data[x] = f(x)\n    out.append(bytes(view[:x]))",
        "r = [copy.deepcopy(counted).v + counted.copies for x in xs]",
        "r = [copy.copy(counted).v + Counted.copies for x in xs]",
        "@functools.singledispatch\ndef told(v):\n    return 'any'\nfor kind in [int, str, float]:\n    told.register(kind, lambda v, kind=kind: kind.__name__)\n    out.append((f(1), told(1), told('a'), told(1.0)))\ndel told",
        "@functools.singledispatch\ndef told(v):\n    return f(1)\ndef tell(v):\n    if v == 2: told.register(int, lambda v: -f(v))\n    return told(v)\nr = [tell(x) for x in xs]\ndel told, tell",
        "r = [kept(x) for x in (1, 2, 1, 3, 1)]\nkept.cache_info()",
        "kept(1)\nfor x in (1, 2, 1):\n    out.append(kept(x) + f(x))\nout.append(kept.cache_info())\nkept.cache_clear()",
    ],
)
def test_what_python_calls_by_itself_is_called_once_and_in_order(cell: str, how: str) -> None:
    different, _ = programs.compared(cell, SETUP + HOOKS, how, seed=2)
    assert different is None


DEEDS = """
import logging, os, sqlite3, threading
from unittest import mock
[os.remove(name) for name in os.listdir()]
for x in (1, 2, 4): open(f"gone{x}", "w").close()
with sqlite3.connect("data.sqlite") as con: con.execute("create table t (a)")
con.close()
del con
filled, asked = {}, mock.Mock(side_effect=f)
class Keep(logging.Handler):
    def emit(self, record):
        log.append(record.getMessage())
logger = logging.getLogger("concompare.tests.deeds")
logger.handlers[:], logger.propagate = [Keep()], False
logger.setLevel("WARNING")
def saved(x):
    con = sqlite3.connect("data.sqlite")
    with con: con.execute("insert into t values (?)", (f(x),))
    found = con.execute("select count(*) from t").fetchone()[0]
    con.close()
    return found
def put(x):
    filled[x] = f(x)
def in_thread(x):
    thread = threading.Thread(target=put, args=(x,))
    thread.start()
    thread.join()
    return filled[x]
def told(x):
    logger.info("item %d", x)
    if x == 2:
        logger.setLevel("INFO")
    return f(x)
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in xs:\n    out.append(f(x))\n    os.unlink(f'gone{x}')",
        "try:\n    for x in xs:\n        out.append(f(x))\n        os.unlink(f'gone{x}')\nexcept OSError:\n    out.append(os.listdir())",
        "r = [saved(x) for x in xs]",
        "r = [in_thread(x) for x in xs]",
        "r = [told(x) for x in xs]",
        "r = [asked(x) for x in xs]\nr += [asked.call_count, str(asked.call_args_list)]",
    ],
)
def test_deeds_are_done_in_the_order_of_the_items(
    cell: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    different, _ = programs.compared(cell + "\ndel logger, asked", SETUP + DEEDS, how, seed=2)
    assert different is None


ARRAYS = """
import numpy as np
def locked(x):
    made = np.full(3, f(x))
    made.flags.writeable = False
    return made
def shown(x):
    return np.broadcast_to(np.array([f(x)]), (2, 3))
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "r = [locked(x) for x in xs]\n[one.flags.writeable for one in r]",
        "r = [shown(x) for x in xs]\n[(one.flags.writeable, one.strides) for one in r]",
    ],
)
def test_what_cannot_be_written_to_stays_so(cell: str, how: str) -> None:
    different, _ = programs.compared(cell, SETUP + ARRAYS, how, seed=2)
    assert different is None


BOXES = """
class Box:
    def __init__(self, n): self.n, self.held = n, []
    def fill(self):
        for k in range(self.n): self.held.append(k * k)
        return sum(self.held)
skipped, out, todo, text = 0, [], [4, 2, 3, 2, 5], "text"
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "while todo:\n    box = Box(todo.pop())\n    if box.n == 2:\n        skipped += 1\n        continue\n    if box.fill(): out += box.held",
        "for n in todo:\n    box = Box(n)\n    if box.n == 2:\n        skipped += 1\n        continue\n    if box.fill(): out += box.held",
        "for n in todo:\n    box = Box(n)\n    if box.n != 2:\n        pass\n    else:\n        if n < 9:\n            skipped += 1\n            continue\n    if box.fill(): out += box.held",
        "for n in todo:\n    box = Box(n)\n    if n == 3:\n        text += 'end'\n        break\n    if box.fill(): out += box.held",
        "for n in todo:\n    box = Box(n)\n    if n == 3:\n        text += n\n        continue\n    if box.fill(): out += box.held",
    ],
)
def test_what_is_done_before_an_item_is_left_holds_no_work_of_others_back(cell: str, how: str) -> None:
    different, ran = programs.compared(cell, BOXES, how)
    assert different is None
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
    assert (ran.left.error is not None) == ("+= n" in cell)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for n in todo:\n    box = Box(n)\n    if n == 3:\n        text += n\n    if box.fill(): out += box.held",
        "for n in todo:\n    box = Box(n)\n    if n == 3:\n        text += n\n        if n > 9: continue\n    if box.fill(): out += box.held",
        "for n in todo:\n    box = Box(n)\n    for k in range(2):\n        if n == 3:\n            text += n\n            continue\n    if box.fill(): out += box.held",
        "for n in todo:\n    box = Box(n)\n    try:\n        if n == 3:\n            text += n\n            continue\n    except TypeError:\n        pass\n    if box.fill(): out += box.held",
        "for n in todo:\n    box = Box(n)\n    if n == 3:\n        text += n\n        box.fill()\n        continue\n    if box.fill(): out += box.held",
    ],
)
def test_what_may_still_be_done_after_a_step_that_raises_waits_for_it(cell: str, how: str) -> None:
    different, ran = programs.compared(cell, BOXES, how)
    assert different is None
    held = ran.left.names["box"].held
    assert held == ([] if "except" not in cell else [0, 1, 4, 9, 16])
