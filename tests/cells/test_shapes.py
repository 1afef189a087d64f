"""Loops that are shared out in another shape, or as they are written where that cannot be."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = """
from itertools import groupby
out, table = [], {}
words = ["apple", "ant", "bee", "bear", "cat"]
def f(x, y=0):
    return x * 10 + y
def first(word):
    return word[0]
def given(xs):
    for x in xs:
        yield f(x)
"""
CELLS = {
    "levels": "for x in [1, 2, 3]:\n    for y in range(x):\n        out.append(f(x, y))",
    "turns": "for x in [1, 2]:\n    row = []\n    for y in range(5):\n        row.append(f(x, y))\n    table[x] = row",
    "generator": "for x in given([1, 2, 3, 4]):\n    out.append(x)\n    print(len(out), x)",
    "groups": "for key, part in groupby(words, first):\n    table[key] = f(len(list(part)))",
    "as written": "for x in [1, 2, 3]:\n    out.append(f(x))",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_a_loop_has_one_shape(cell: str, how: str) -> None:
    different, found = programs.compared(cell, SETUP, how)
    assert different is None
    assert len({id(part.loop) for part in found.cell.lifted if part.kind != "groupby"}) == 1, found.reasons
    assert not [name for name in found.left.names if "concompare" in name]


def test_an_iterator_that_is_refused_gives_its_first_item_to_the_plain_loop() -> None:
    body = "    out.append((key, f(len(list(part)))))\n    if key == 'b':\n        break"
    cell = f"for key, part in groupby(words, first):\n{body}"
    different, _ = programs.compared(cell, SETUP, "threads")
    assert different is None
