# ruff: noqa: E501
"""A loop of few items with the work in one loop inside it, beside other statements, shared out turn by turn."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = """
import statistics
out, table, seen = [], {}, []
few, many, none = [1, 2, 3], [1, 2, 3, 4, 5, 6], []
def f(x, y):
    return x * 10 + y
def step(x):
    return x + 1
def strict(x, y):
    if (x, y) == (2, 4):
        raise ValueError("no", x, y)
    return f(x, y)
class Model:
    def __init__(self, x):
        self.x, self.fits = x, 0
    def fit(self, y):
        self.fits += 1
        return self
    def score(self, y):
        return f(self.x, y) / 7
class Walk:
    def __init__(self, x):
        self.x = x
    def go(self):
        self.x = f(self.x, 1)
"""


def ran(cell: str, how: str) -> programs.Ran:
    return programs.alike(cell, SETUP, how)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in few:\n    row = []\n    for y in many:\n        row.append(f(x, y))\n    table[x] = row",
        "for x in few:\n    total = 0\n    for y in many:\n        total += f(x, y) / 7\n        print(x, total)\n    out.append(total)",
        "for x in few:\n    s = []\n    for y in many:\n        s.append(Model(x).fit(y).score(y))\n    table[x] = statistics.mean(s)",
        "for x in few:\n    print('row', x)\n    for i, y in enumerate(many[x:]):\n        out.append((i, f(x, y)))\n    print(out[-1])",
        "for x in few:\n    for y in many:\n        z = f(x, y)\n        out.append(z)\n    seen.append(z)\nx, y, z",
        "made = [[f(x, y) if y > i else None for y in many] for i, x in enumerate(few)]",
        "made = {z: [f(x, y) for y in many if y > x] for z, x in zip('abc', few)}",
        "for i, x in enumerate(few, 2):\n    row = [f(x, y) for y in many]\n    table[i] = max(row)\ni, x",
        "for i, (x, z) in enumerate(zip(few, many)):\n    for y in many:\n        out.append(f(x, y))\n    seen.append(z)\ny, z",
        "for x in few:\n    row = []\n    for y in many:\n        if y % 2:\n            row.append(f(x, y))\n    table[x] = row",
        "for x in few:\n    row = [f(x, y) for y in many]\n    table[x] = max(row)\nrow",
        "for x in few:\n    row = [f(x, y) for y in many if y > x]\n    out.append(sorted(row))",
        "for x in few:\n    table[x] = max([f(x, y) for y in many])",
        "for x in few:\n    out.append({'x': x, 'sum': sum(f(x, y) for y in many)})",
        "for x in few:\n    table[x] = {y: f(x, y) for y in many}",
        "for x in few:\n    out.append({f(x, y) % 4 for y in many})",
        "made = [[f(x, y) for y in many] for x in few]",
        "made = {x: {y: f(x, y) for y in many} for x in few}",
        "made = {x: sum(f(x, y) for y in many) for x in few}",
        "made = [max([f(x, y) for y in many[x:]]) for x in few]",
        "try:\n    for x in few:\n        row = []\n        for y in many:\n            row.append(strict(x, y))\n        table[x] = row\nexcept ValueError as e:\n    out.append(e.args)\nx, y, row",
        "try:\n    made = [[strict(x, y) for y in many] for x in few]\nexcept ValueError as e:\n    out.append(e.args)",
    ],
)
def test_turns_of_the_inner_loop_are_shared_out(cell: str, how: str) -> None:
    found = ran(cell, how)
    assert [part.loop.early for part in found.cell.lifted] == [True]
    assert not [name for name in found.left.names if "concompare" in name]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in few:\n    z = x\n    for y in many:\n        z = step(z)\n    out.append(z)",
        "for x in few:\n    w = Walk(x)\n    for y in many:\n        w.go()\n    out.append(w.x)",
        "for x in few:\n    m = Model(step(x))\n    for y in many:\n        out.append(m.score(y))",
        "for x in few:\n    for y in many:\n        out.append(f(x, y))\n    seen.append(f(x, 0))",
        "for x in few:\n    row = []\n    for y in many:\n        row.append(f(x, y))\n        if len(row) > 2:\n            break\n    table[x] = row",
        "for x in few:\n    row = []\n    for y in many:\n        if y == 2:\n            continue\n        row.append(f(x, y))\n    table[x] = row",
        "for x in few:\n    rest = many[x:]\n    for y in rest:\n        out.append(f(x, y))",
        "for x in few:\n    row = []\n    for y in many[:x - 1]:\n        row.append(f(x, y))\n    table[x] = row",
        "for x in [*many, 7]:\n    row = []\n    for y in many:\n        row.append(f(x, y))\n    table[x] = row",
        "made = [any(f(x, y) > 12 for y in many) for x in few]",
        "for i, x in enumerate(few):\n    row = [f(x, y) for y in many]\n    few.append(x) if len(few) < 4 else 0\n    out.append(row)",
        "for i, x in enumerate(few):\n    row = [f(x, y) for y in many]\n    few[-1] = max(row)\n    out.append(row)",
        "its = iter(few)\nmade = [[f(x, y) for y in many] for i, x in enumerate(its)]\nlist(its)",
        "pairs = enumerate(few)\nmade = [[f(x, y) for y in many] for i, x in pairs]\nlist(pairs)",
        "for i, x in enumerate([*many, 7]):\n    table[x] = [f(x, y) for y in many]",
    ],
)
def test_other_loops_are_shared_out_by_their_own_items(cell: str, how: str) -> None:
    found = ran(cell, how)
    assert not any(part.loop.early for part in found.cell.lifted)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in few:\n    missing\n    for y in many:\n        out.append(f(x, y))",
        "y = 'old'\nfor x in few:\n    missing\n    for y in many:\n        out.append(f(x, y))",
        "for x in few:\n    few[x + 1]\n    for y in many:\n        out.append(f(x, y))",
        "for x in few:\n    seen.append(few[x + 1])\n    for i, y in enumerate(many):\n        out.append(f(x, y))",
        "for x in few:\n    for y in many:\n        out.append(f(x, y))\n    few[x + 1]",
        "for x in few:\n    for y in many:\n        out.append(f(few[x], y))",
        "for i, x in enumerate(few):\n    for y in many:\n        out.append(strict(x, y))\n    seen.append(i)",
    ],
)
def test_an_error_before_the_inner_loop_leaves_its_names_as_they_were(cell: str, how: str) -> None:
    found = ran(cell, how)
    assert [part.loop.early for part in found.cell.lifted] == [True]


@pytest.mark.parametrize("how", programs.WAYS)
def test_what_is_walked_is_not_asked_for_its_length(how: str) -> None:
    setup = SETUP + "asked = []\nclass Own(list):\n    def __len__(self):\n        asked.append(1)\n        return 6\n"
    setup += "own = Own(many)\n"
    different, _ = programs.compared("made = [[f(x, y) for y in own] for x in few]", setup, how)
    assert different is None


def test_one_turn_of_each_is_no_gain() -> None:
    found = ran(
        "for x in few:\n    row = []\n    for y in [x]:\n        row.append(f(x, y))\n    table[x] = row", "threads"
    )
    assert [part.loop.early for part in found.cell.lifted] == [False]


@pytest.mark.parametrize("how", programs.WAYS)
def test_turns_are_shared_out_inside_functions_too(how: str) -> None:
    define = "def folds(models):\n    scores = {}\n    for x in models:\n        s = []\n        for y in many:\n"
    define += "            s.append(f(x, y))\n        scores[x] = max(s)\n    return scores, s\n"
    found = ran(define + "made = folds(few)", how)
    assert [part.loop.early for part in found.cell.lifted] == [True]


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_function_that_calls_its_own_thing_range_is_not_asked_early(how: str) -> None:
    define = (
        "def folds(models, range):\n    rows = []\n    for x in models:\n        s = []\n        for y in range(6):\n"
    )
    define += "            s.append(f(x, y))\n        rows.append(s)\n    return rows\n"
    found = ran(define + "made = folds(few, lambda n: seen.append(n) or [1, 2, 3, 4])\nseen", how)
    assert not any(part.loop.early for part in found.cell.lifted)
