# ruff: noqa: E501
"""Cells for the rules of the compiler, each run plainly and lifted: what may be told apart by exactness alone."""

from __future__ import annotations

import pytest

from tests.cells.compiled import differs

SETUP = """
import numpy as np

def f(x):
    return x * x + 1

def fails(x):
    if x == 3:
        raise ValueError(f"bad {x}")
    return x

def same(seq):
    return seq

def loud(n):
    for k in range(n):
        print("making", k)
        yield k

class Quiet:
    def __enter__(self):
        return self
    def __exit__(self, *error):
        return error[0] is KeyError

class Point:
    def __init__(self, x):
        self.x = x

class Tank:
    def __init__(self, level):
        self.level, self.notes = level, []
    def fill(self, by):
        self.level += by
        self.notes.append(by)
        return self.level
    def size(self):
        return self.level + 1
    @property
    def full(self):
        return self.level > 4

class Deep(Tank):
    def __init__(self, level):
        super().__init__(level)
        self.deep = True
    def fill(self, by):
        return super().fill(by) + 1
    def pour(self, by):
        return super(Deep, self).fill(by)
    @property
    def full(self):
        return [super().full, len(self.notes)]

class One:
    made = None
    def __new__(cls, x):
        if cls.made is None:
            cls.made = super().__new__(cls)
            cls.made.seen = []
        return cls.made
    def __init__(self, x):
        self.seen.append(x)

class Asked:
    def __init__(self, parts):
        self.parts, self.asked = parts, 0
    def __len__(self):
        self.asked += 1
        return len(self.parts)

xs = [1, 2, 3, 4, 5]
out, log, d = [], [], {}
dup = [[1], [2], [3]]
points = [Point(1), Point(2), Point(3)]
found = {p: p.x for p in points}
arr = np.arange(6.0)
asked = Asked([1, 2])
total = 0
"""
CELLS = {
    "an alias that a function gives": "for x in xs:\n    part = same(dup[0])\n    part.append(f(x))\n    out.append(len(dup[0]))",
    "an element by number and by name": "for x in xs:\n    k = len(same(dup[0])) % 3\n    part = dup[k]\n    part.append(f(x))",
    "a slice shares memory": "for x in xs:\n    part = arr[1:3]\n    part[0] = f(x)\n    out.append(float(arr[1]))",
    "a name given by a choice": "for x in xs:\n    alias = out if x > 2 else log\n    alias.append(f(x))",
    "two indices of one container": "t = dict.fromkeys(xs, 0)\nfor x, y in zip(xs, [2, 3, 4, 5, 1]):\n    t[y] = f(t[x])",
    "what the notebook raises first": "for x in xs:\n    out.append(xs[4 if x < 2 else 9])\n    y = fails(x)\n    log.append(y)",
    "output after an error of the notebook": "for x in xs:\n    for k in loud(2):\n        y = f(k)\n        out.append(xs[x * 2])",
    "finally after an error of the notebook": "for x in xs:\n    try:\n        y = f(x)\n        out.append(xs[x * 2])\n    finally:\n        z = x",
    "a handler for the notebook's error": "for x in xs:\n    try:\n        y = f(x)\n        total += xs[x * 2 % 7]\n    except IndexError:\n        log.append(y)",
    "a context that swallows": "for x in xs:\n    with Quiet():\n        y = f(x)\n        out.append({1: 1}[len(out) + 1])\n    log.append(y)",
    "names at the error": "for x in xs:\n    y = [f(x)]\n    d[x] = y\n    d[x].append(1)\n    out.append(xs[x + 1])\n    y = None",
    "a name that both bind, changed after it was read": "for x in xs:\n    if x == 1:\n        p = Point(len(out))\n        out.append(p.x)\n    p = Point(f(x))\n    total += p.x\n    p.x = 0",
    "one object under two names": "for x in xs:\n    y = [f(x)]\n    out.append(y)\n    y.append(x)\nout[-1] is y",
    "a break that the notebook decides": "for x in xs:\n    y = f(x)\n    out.append(y)\n    if len(out) > 2:\n        break\nelse:\n    z = 1",
    "an inner break that the notebook decides": "for x in xs:\n    for k in range(4):\n        y = f(k)\n        out.append(y)\n        if len(out) % 3 == 0:\n            break\n    else:\n        log.append(x)",
    "a continue in an inner loop": "for x in xs:\n    for k in range(3):\n        if len(out) % 2:\n            log.append(k)\n            continue\n        out.append(f(k))",
    "a break past a later value": "for x in xs:\n    for k in range(3):\n        y = log\n        if f(k) > x:\n            break\n        y = []\n    y.append(x)",
    "an error past a later value": "for x in xs:\n    y = []\n    try:\n        y = log\n        fails(x)\n        y = []\n    except ValueError:\n        pass\n    y.append(f(x))",
    "a name that is deleted": "for x in xs:\n    y = f(x)\n    out.append(y)\n    del y\ntry:\n    y\nexcept NameError:\n    z = 1",
    "a walrus among the notebook's values": "for x in xs:\n    if (y := f(x)) > total:\n        total = y\n    out.append((z := y) + total)",
    "the order of evaluation in a store": "for x in xs:\n    d[len(out) or missing] = fails(x)",
    "a dict that makes what it is asked for": "from collections import defaultdict\ndd = defaultdict(list)\nfor x in xs:\n    dd[x].append(fails(x))",
    "a function called later": "for x in xs:\n    y = f(x)\n    g = lambda: y\n    y = x\n    out.append(g())",
    "a container of functions": "fs = []\nfor x in xs:\n    fs.append(lambda x=x: f(x))\n    out.append(f(x))\n[g() for g in fs]",
    "what is found by identity": "for p in points:\n    out.append(f(found[p]))",
    "where an object is in a list": "out = [f(points.index(p)) for p in points]",
    "a length that is counted": "for x in xs:\n    out.append(f(len(asked)))",
    "items that are one object": "def again():\n    row = [0]\n    for x in xs:\n        row[0] = x\n        yield row\nfor row in again():\n    out.append(f(row[0]))",
    "groups that end with the next": "import itertools\nfor key, group in itertools.groupby([1, 1, 2, 3, 3]):\n    out.append((key, f(len(list(group)))))",
    "items that change": "for p in points:\n    p.x = f(p.x)\n    p.twice = [p.x]\n    p.twice.append(p.x)",
    "items that share a part": "rows = [[dup[0]], [dup[0]]]\nfor row in rows:\n    row[0].append(f(len(row[0])))",
    "items of a class that iterates": "class Bag:\n    def __iter__(self):\n        return iter(points)\nfor k, p in enumerate(Bag()):\n    p.x = f(p.x + k)",
    "several loops": "for x in xs:\n    out.append(f(x))\nfor y in out:\n    log.append(f(y))",
    "a loop under if and with": "if xs:\n    with Quiet():\n        for x in xs:\n            out.append(f(x))\n        {}[1]\nlen(out)",
    "a match": "for x in xs:\n    match [x, f(x)]:\n        case [1, y]:\n            out.append(y)\n        case [_, *rest]:\n            log.append(rest)",
    "a method of the class above": "for x in xs:\n    t = Deep(x)\n    u = t\n    u.fill(len(out))\n    out.append(len(t.notes))\n    log.append(f(x))",
    "a method of a class above by name": "for x in xs:\n    t = Deep(x)\n    t.pour(len(out))\n    out.append((t.level, f(x)))",
    "a property of the class above": "for x in xs:\n    t = Deep(x)\n    t.fill(len(out))\n    out.append(t.full)\n    log.append(f(x))",
    "objects of a class above": "for x in xs:\n    t = Deep(x)\n    t.fill(f(x))\n    out.append((t.full, t.level))",
    "a class with one object": "for x in xs:\n    t = One(x)\n    out.append(f(len(t.seen)))",
    "a change in an inner loop that the notebook makes": "for x in xs:\n    for k in range(2):\n        p = Tank(1)\n        p.fill(total)\n        out.append(p.size())\n        t = Tank\n    t = 1\n    total += f(x)",
    "a change after an error of the notebook": "for x in xs:\n    t = Tank(x)\n    d[x].append(x)\n    t.fill(f(x))\n    if x > 9:\n        t = points[0]",
    "a change after a value was handed over": "for x in xs:\n    p = Point(x)\n    total += p if x == 3 else 1\n    p.x = f(x)",
    "retries": "for x in xs:\n    for tries in range(3):\n        try:\n            y = fails(x - tries)\n            break\n        except ValueError as error:\n            log.append(str(error))\n    else:\n        y = None\n    out.append(y)",
}  # fmt: skip
PARALLEL = {
    "a name given by a choice", "one object under two names", "retries", "items that change", "several loops",
    "a loop under if and with", "a break that the notebook decides", "a dict that makes what it is asked for",
    "items of a class that iterates", "a match", "objects of a class above",
}  # fmt: skip
"""Those that must run in parallel."""


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", CELLS)
def test_ends_as_the_plain_cell(name: str, how: str) -> None:
    found, program = differs(CELLS[name], SETUP, how, seed=len(name))
    assert found is None
    if name in PARALLEL:
        assert program.lifted


def test_what_cannot_be_lifted_says_why() -> None:
    _, program = differs("for x in xs:\n    y = f(total)\n    total = total + y", SETUP, "threads")
    assert not program.lifted
    assert "total" in str(program.refused[0].refusal)
