"""Methods of pandas that call a function for every part, inside functions that a cell calls."""

from __future__ import annotations

import traceback

import pytest

from tests.cells import plainly, programs
from tests.cells.pool_cells import cells_of

pytest.importorskip("pandas")
SETUP = """
import pandas as pd
import warnings

def work(v):
    return v * 2 + 1

def both(row):
    return row["a"] + work(row["b"])

def picky(v):
    if v == 3:
        raise ValueError(f"not {v}")
    return work(v)

df = pd.DataFrame({"a": [1, 2, 3, 4], "b": [5, 6, 7, 8], "g": list("xyxy")})
seen = []

def scored(d):
    d = d.copy()
    d["s"] = d["a"].apply(work)
    return d

def rows(d, by=1):
    total = d.apply(lambda r: both(r) * by, axis=1)
    return total.sum()

def grouped(d):
    return d.groupby("g")["a"].agg(lambda part: work(part.sum()))

def deeper(d):
    def one(v):
        return work(v) + offset
    offset = len(d)
    return scored(d)["s"].map(one).tolist()

def failing(d):
    before = 1
    found = d["a"].map(picky)
    return found

def noting(d):
    return d["a"].map(lambda v: seen.append(v))

def warned(d):
    return d["a"].map(lambda v: warnings.warn("odd", stacklevel=2) or work(v))

class Model:
    def __init__(self, by):
        self.by = by
    def one(self, v):
        return work(v) * self.by
    def fit(self, d):
        self.found = d["a"].apply(self.one)
        return self

class Other:
    def apply(self, function):
        return [function(1)]
def other(thing):
    return thing.apply(work)

def several(d):
    out = []
    for name in ("a", "b"):
        out.append(d[name].apply(work).sum())
    return out
"""
LIFTED = cells_of("""
### a column
r = scored(df)
### rows with an argument
r = rows(df, by=3)
### groups
r = grouped(df)
### a function of its own
r = deeper(df)
### a method of the user's
r = Model(2).fit(df).found
### handed to pipe
r = df.pipe(scored).pipe(rows, by=2)
### in assign
r = df.assign(c=lambda d: d["a"].apply(work), e=lambda d: d["c"] + 1)
### a lambda for pipe
r = df.pipe(lambda d: d["a"].map(work))
### changes what all see
r = noting(df)
seen
### raises in it
r = failing(df)
""")
PLAIN = cells_of("""
### another thing of that name
r = other(Other())
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_methods_inside_functions_run_in_parallel(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)
    assert different is None
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_what_cannot_be_taken_out_runs_as_it_is(name: str, how: str) -> None:
    different, ran = programs.compared(PLAIN[name], SETUP, how)
    assert different is None
    assert not ran.cell.lifted


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_column_is_assigned_as_it_is(how: str) -> None:
    different, _ = programs.compared('col = df["a"] + 1\nr = df.assign(c=col)', SETUP, how)
    assert different is None


def test_an_error_inside_has_the_functions_own_frames() -> None:
    plain = plainly.run_plain(LIFTED["raises in it"], SETUP)
    ran = programs.run(LIFTED["raises in it"], SETUP, "threads")
    assert plain.error is not None
    assert ran.left.error is not None
    frames = [
        [part.name for part in traceback.extract_tb(error.__traceback__) if not part.filename.endswith(".py")]
        for error in (plain.error, ran.left.error)
    ]
    assert [name for name in frames[1] if name in ("failing", "picky")] == ["failing", "picky"]
    assert frames[1].count("<module>") <= 1
