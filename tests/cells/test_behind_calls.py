"""What stands behind a call: the bits of a generator, the coefficients of a polynomial, the `__new__` of a tuple."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import collections
import numpy as np
xs, out = [3, 1, 4, 1, 5, 9], []
bits, seeds = np.random.PCG64(5), np.random.SeedSequence(7)
line, curve = np.poly1d([1, 2]), np.polynomial.Polynomial([1, 2])
class Point(collections.namedtuple("Point", "x y")):
    made = []
    def __new__(cls, x, y):
        cls.made.append(x)
        return super().__new__(cls, x, y)
class Pair(collections.namedtuple("Pair", "x y")):
    def __new__(cls, x, y=0):
        return super().__new__(cls, x, y + 1)
"""
)
CELLS = cells_of("""
### bits that generators of items share
for x in xs:
    rng = np.random.Generator(bits)
    out.append((slow(x), rng.random()))
del rng
### a generator that is given
for x in xs:
    out.append((slow(x), np.random.Generator(bits).integers(0, 99, size=x).tolist()))
### coefficients that are set
for x in xs:
    line[x] = slow(x)
    out.append(int(line(2)))
### coefficients that are added to
for x in xs:
    curve.coef[0] += slow(x)
    out.append(float(curve(1)))
### named tuples that are counted
for x in xs:
    point = Point(slow(x), 0)
    out.append((point.x, len(Point.made)))
del point
""")
APART = cells_of("""
### generators of their own
for x in xs:
    rng = np.random.default_rng(x)
    out.append((slow(x), rng.random()))
del rng
### a polynomial that stays
for x in xs:
    out.append((slow(x), int(line(x)), float(curve(x))))
### named tuples made in an own way
for x in xs:
    pair = Pair(slow(x))
    out.append(tuple(pair))
del pair
""")
END = """
left = list(Point.made), bits.state, line.coef.tolist(), curve.coef.tolist()
bits = seeds = line = curve = Point = Pair = None"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CELLS)
def test_it_is_as_in_the_plain_loop(name: str, how: str) -> None:
    for seed in range(3):
        assert programs.compared(CELLS[name] + END, SETUP, how, seed)[0] is None


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", APART)
def test_what_is_each_items_own_runs_in_workers(name: str, how: str) -> None:
    assert programs.in_workers(APART[name] + END, SETUP, how).left.error is None
