"""What calls a function for every item (`sorted` with a key and its kin), inside functions that a cell calls."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

pytest.importorskip("numpy")
SETUP = """
import functools
import numpy as np

def work(v):
    return v * v % 7 + 1

def picky(v):
    if v == 4:
        raise ValueError(v)
    return work(v)

seen = []

def noting(v):
    seen.append(v)
    return work(v)

def ordered(xs):
    return sorted(xs, key=work)

def largest(xs, by=2):
    return max(xs, key=lambda v: work(v) * by)

def kept(xs):
    return list(filter(lambda v: work(v) > 3, xs))

def each(xs):
    return np.vectorize(work)(xs).tolist()

def along(a):
    return np.apply_along_axis(lambda row: row * work(int(row[0])), 1, a).tolist()

def in_place(xs):
    ys = list(xs)
    ys.sort(key=work)
    return ys

def folded(xs):
    return functools.reduce(lambda a, b: a * 10 + b, (work(x) for x in xs))

def own(xs):
    offset = len(xs)
    def one(v):
        return work(v) - offset
    return sorted(xs, key=one)

class Ranking:
    def __init__(self, by):
        self.by = by
    def one(self, v):
        return work(v) * self.by
    def best(self, xs):
        return min(xs, key=self.one)

def shadowed(xs):
    sorted = lambda xs, key: [key(x) for x in xs]
    return sorted(xs, key=work)

def failing(xs):
    return sorted(xs, key=picky)

def not_comparable(xs):
    return sorted(xs, key=lambda v: work(v) if v % 2 else str(work(v)))

def all_seen(xs):
    return sorted(xs, key=noting)
"""
LIFTED = cells_of("""
### sorted
r = ordered(range(9))
### max with a lambda
r = largest(range(9), by=-3)
### filter
r = kept(range(9))
### vectorize
r = each(np.arange(9))
### along an axis
r = along(np.arange(18).reshape(9, 2))
### sorted in place
r = in_place(range(9))
### reduced
r = folded(range(5))
### a function of its own
r = own(range(9))
### a method
r = Ranking(-1).best(range(9))
### raises in it
r = failing(range(9))
### raises after it
r = not_comparable(range(9))
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_what_calls_a_function_runs_in_parallel_inside_functions(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)
    assert different is None
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", ["r = shadowed(range(9))", "r = all_seen(range(9))\nseen"])
def test_what_is_something_else_or_changes_what_all_see_is_as_it_was(cell: str, how: str) -> None:
    different, _ = programs.compared(cell, SETUP, how)
    assert different is None
