"""Loops inside one another, shared out as one."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = """
calls, out, table = [], [], {}
few, none = [1, 2, 3], []
def f(x, y):
    return x * 10 + y
def rows(x):
    calls.append(x)
    return range(x)
graph = {1: [2, 3], 2: [3], 3: []}
"""


def ran(cell: str, how: str) -> programs.Ran:
    return programs.alike(cell, SETUP, how)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in few:\n    for y in range(x):\n        out.append(f(x, y))",
        "for i, x in enumerate(few):\n    for y in few[i:]:\n        table[x, y] = f(x, y)",
        "for x in few:\n    for y in range(x):\n        if y == 1:\n            continue\n        out.append(f(x, y))",
        "for x in few:\n    for y in none:\n        for z in few:\n            out.append(f(x, y))\nelse:\n    u = 0",
        "for x in [2, 0]:\n    for y in range(x):\n        out.append(f(x, y))",
        "for x, n in zip(few, [1, 2, 1]):\n    for y in range(n):\n        out.append(f(x, y))",
        "for x in few:\n    for y in range(x):\n        z = f(x, y)\n    \nout.append(z)",
        "made = [f(x, y) for x in few if x > 1 for y in range(x) if y]",
        "made = {(x, y): f(x, y) for x in few for y in few}",
        "made = sum(f(x, y) for x in few for y in range(x))",
        "for x in few:\n    for y in range(x):\n        out.append(f(x, y) // (x - 2))",
    ],
)
def test_loops_with_few_items_are_shared_out_with_those_inside(cell: str, how: str) -> None:
    found = ran(cell, how)
    assert [part.loop.early for part in found.cell.lifted] == [True]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in few:\n    for y in rows(x):\n        out.append(f(x, y))",
        "for x in few:\n    for y in range(x):\n        if y:\n            break\n        out.append(f(x, y))",
        "for x in few:\n    n = f(x, 1)\n    for y in range(x):\n        out.append(f(n, y))",
        "for x in few:\n    for y in range(x):\n        x = f(x, y)\n        out.append(x)",
        "for x in few:\n    for x in range(x):\n        out.append(f(x, 1))",
        "for x in [1, 2]:\n    for y in graph[x]:\n        graph[2].append(f(x, y))",
        "for x in few:\n    for y in few[:n]:\n        n = f(x, y)\n        out.append(n)",
    ],
)
def test_inner_loops_that_depend_on_the_work_are_not_walked_early(cell: str, how: str) -> None:
    found = ran("n = 2\n" + cell, how)
    assert not any(part.loop.early for part in found.cell.lifted)


def test_a_loop_with_many_items_is_shared_out_by_itself() -> None:
    found = ran("for x in range(100):\n    for y in few:\n        out.append(f(x, y))", "threads")
    assert [part.loop.early for part in found.cell.lifted] == [False]


ITERTOOLS = """
import itertools
from itertools import chain, combinations, islice, permutations, product as pairs
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "made = {(x, c): f(*c) for x in [2] for c in combinations(few, x)}",
        "for x in few:\n    for y, z in pairs(range(x), few):\n        out.append(f(y, z))",
        "for x in few:\n    for c in itertools.permutations(few, 2):\n        out.append(f(x, c[0]))",
        "made = [f(x, y) for x in few for y in islice(chain(few, range(x)), 4)]",
    ],
)
def test_inner_loops_walk_what_itertools_gives(cell: str, how: str) -> None:
    found = programs.alike(cell, SETUP + ITERTOOLS, how)
    assert [part.loop.early for part in found.cell.lifted] == [True]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "taken = iter(range(9))\nmade = [f(x, y) for x in few for y in islice(taken, 2)]\nleft = list(taken)",
        "for x in [1, 2]:\n    for y, z in pairs(few, few):\n        few.append(f(y, z)) if len(few) < 5 else None",
        "def pairs(xs, _):\n    print(1)\n    return xs\nm = [f(x, y) for x in few for y in pairs(few, 2)]",
        "for x in [1, -1]:\n    for (y,) in combinations(few, x):\n        out.append(f(x, y))",
    ],
)
def test_what_itertools_walks_is_not_walked_early_where_that_shows(cell: str, how: str) -> None:
    found = programs.alike(cell, SETUP + ITERTOOLS, how)
    assert not any(part.loop.early for part in found.cell.lifted)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in d.values():\n    for y in few:\n        out.append(f(x, y))\n        d['c'] = 7",
        "for k, x in d.items():\n    for y in few:\n        d['c'] = f(x, y)",
        "for x in d.values():\n    for y in few:\n        out.append(f(x, y))\n        d['b'] = d.pop('b')",
        "try:\n    for k in d:\n        for y in few:\n            d[y] = f(1, y)\nexcept RuntimeError:\n    pass",
        "for i, x in enumerate(few):\n    for y in range(4):\n        out.append(f(x, y))\n        few[2] = 9",
        "for i, x in enumerate(few):\n    for y in range(4):\n        few[2] = f(x, y)",
        "for i, x in enumerate(few):\n    for y in few[:2]:\n        few.append(f(x, y)) if i < 2 else 0",
        "for x, z in zip(few, range(5)):\n    for y in range(4):\n        few[2] = f(x, z)",
    ],
)
def test_what_the_outer_loop_walks_is_not_walked_early_where_the_body_changes_it(cell: str, how: str) -> None:
    found = programs.alike("d = {'a': 1, 'b': 2, 'c': 3}\n" + cell, SETUP, how)
    assert not any(part.loop.early for part in found.cell.lifted)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for k, x in d.items():\n    for y in few:\n        out.append(f(x, y))",
        "for k in d:\n    for y in few:\n        table[k, y] = f(d[k], y)",
        "for k, x in d.items():\n    for y in few:\n        out.append(f(x, y))\n        d[k] = 7",
    ],
)
def test_few_entries_of_a_dictionary_are_shared_out_with_the_loop_inside(cell: str, how: str) -> None:
    found = programs.alike("d = {'a': 1, 'b': 2, 'c': 3}\n" + cell, SETUP, how)
    assert [part.loop.early for part in found.cell.lifted] == [True]
