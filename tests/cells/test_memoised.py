"""Results that are kept by the item they are of: where items repeat, the later ones take what the first has left."""

from __future__ import annotations

import pytest

from tests.cells import compiled, programs

SETUP = (
    programs.SLOW
    + """
import numpy as np

cache, out, xs = {}, [], [3, 1, 3, 2, 1, 5]
table, sums = np.zeros(6), [0] * 6

class Solver:
    def __init__(self):
        self.memo, self.hits = {}, 0

    def solve(self, n):
        if n in self.memo:
            self.hits += 1
            return self.memo[n]
        self.memo[n] = [slow(n)]
        return self.memo[n]

s = Solver()

def memo(n):
    if n in cache:
        return cache[n]
    cache[n] = [slow(n)]
    return cache[n]

def tried(n):
    try:
        return cache[n]
    except KeyError:
        cache[n] = [slow(n)]
        return cache[n]

def failing(n):
    if n in cache:
        return cache[n]
    cache[n] = 6 / slow(n - 2)
    return cache[n]
"""
)
CELLS = {
    "a function with a cache": "r = [memo(x) for x in xs]\nout.append(r[0] is r[2])",
    "a cache that has some": "cache[1] = [7]\nr = [memo(x) for x in xs]\nout.append(r[1] is cache[1])",
    "a cache that is asked first": "for x in xs:\n    out.append(tried(x))\nout.append(out[0] is out[2])",
    "an object with a cache": "r = [s.solve(x) for x in xs]\nout.append((r[0] is r[2], s.hits))",
    "a failure": "try:\n    r = [failing(x) for x in xs]\nexcept ZeroDivisionError:\n    out.append(dict(cache))",
    "the largest of each kind": "for x in xs:\n    table[x] = max(table[x], slow(x) - x)",
    "sums that begin anew": "for x in xs:\n    sums[x] += slow(x)\n    if sums[x] > 20:\n        sums[x] = 0",
    "the first of each kind": "for x in xs:\n    if sums[x] == 0:\n        sums[x] = slow(x)\n    out.append(sums[x])",
}


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", CELLS)
def test_ends_as_the_plain_cell(name: str, how: str) -> None:
    different, program = compiled.differs(CELLS[name], SETUP, how, seed=len(name))

    assert different is None
    assert program.lifted, [str(part.refusal) for part in program.refused]


@pytest.mark.parametrize("how", ["threads", "processes"])
def test_what_is_computed_from_the_element_before_keeps_its_order(how: str) -> None:
    different, program = compiled.differs("for x in xs:\n    sums[x] = slow(sums[x] + x)", SETUP, how)

    assert different is None
    assert not program.lifted
