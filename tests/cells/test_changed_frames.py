"""Items that are, or hold, frames and arrays and change them: the notebook's own objects have the changes then."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from concompare import engine
from concompare.cells import memory
from tests.cells import compiled, plainly, programs
from tests.cells.pool_cells import cells_of

pd = pytest.importorskip("pandas")
np = pytest.importorskip("numpy")
SETUP = """
import numpy as np
import pandas as pd

def g(x):
    return x * x + 1

def both(d):
    return d["a"] * 2 + d["b"]

def size(d):
    return len(d) * 3 + float(d.iloc[0, 0])

def twice(a):
    return a * 2 + 1

def fails(d):
    if len(d) == 2:
        raise ValueError("too short")
    return d["a"] + 1

class Sample:
    def __init__(self, frame):
        self.frame = frame
    def run(self):
        self.frame["z"] = both(self.frame)
        self.total = self.frame["z"].sum()

df = pd.DataFrame({"a": [1, 2, 3, 4], "b": [1.5, 2.5, 3.5, 4.5], "s": ["x", "y", "z", "w"]})
dfs = [df.copy(), df[df["a"] > 2].copy(), df[["a", "b"]] + 1]
records = [{"frame": d.copy(), "n": n} for n, d in enumerate(dfs)]
samples = [Sample(d.copy()) for d in dfs]
named = {str(n): d.copy() for n, d in enumerate(dfs)}
columns = [pd.Series(np.arange(3.0), name=f"s{n}") for n in range(3)]
arrays = [np.arange(5.0) + n for n in range(3)]
out = []
"""
LIFTED = cells_of("""
### a new column
for d in dfs:
    d["z"] = both(d)
### applied
for d in dfs:
    d["z"] = d["a"].apply(g)
### a column that is there
for d in dfs:
    d["a"] = both(d)
### cells
for d in dfs:
    d.loc[d.index[0], "b"] = size(d)
### in place
for d in dfs:
    d.insert(0, "n", size(d))
    del d["b"]
### names of columns
for d in dfs:
    d.columns = [c.upper() for c in d.columns]
    d["N"] = size(d)
### attributes
for d in dfs:
    d.attrs["size"] = size(d)
### kept as well
for d in dfs:
    d["z"] = both(d)
    out.append(d)
[a is b for a, b in zip(out, dfs)]
### frames by name
for name, d in named.items():
    d["z"] = both(d)
### records with frames
for r in records:
    r["score"] = both(r["frame"]).sum()
### frames in records
for r in records:
    r["frame"]["z"] = both(r["frame"])
### objects with frames
for s in samples:
    s.run()
### columns
for s in columns:
    s.loc["n"] = twice(s).sum()
### arrays
for a in arrays:
    a += twice(a)
""")
PLAIN = cells_of("""
### one frame twice
for d in [dfs[0], dfs[0]]:
    d["z"] = both(d)
### memory that an array shares
seen = dfs[2]["a"].to_numpy()
for d in dfs:
    d.loc[d.index[0], "a"] = 9
    d["z"] = both(d)
### objects in cells
for d in dfs:
    d["o"] = [[1]] * len(d)
for d in dfs:
    d["z"] = size(d)
    d["o"].iloc[0].append(2)
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_changed_frames_are_the_notebooks_own(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)
    assert different is None
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("name", LIFTED)
def test_changed_frames_are_the_notebooks_own_on_real_workers(name: str, pool: engine.Pool) -> None:
    plain = plainly.run_plain(LIFTED[name], SETUP)
    left = compiled.run_on_engine(LIFTED[name], SETUP, pool)
    assert plainly.difference(plain, left) is None
    for frame in left.names["dfs"]:
        frame.loc[frame.index[0], "y"] = 1.0  # what came from shared memory can be changed


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_frames_that_something_else_holds_change_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(PLAIN[name], SETUP, how)
    assert different is None
    assert len(ran.cell.refused) == len(ast.parse(PLAIN[name]).body) - (name == "memory that an array shares")


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_frame_that_is_changed_can_be_changed_again(how: str) -> None:
    ran = programs.run(LIFTED["a new column"], SETUP, how)
    for frame in ran.left.names["dfs"]:
        frame.loc[frame.index[0], "z"] = -1.0
        frame["y"] = frame["z"] * 2
        assert frame["y"].iloc[0] == -2.0


@pytest.mark.parametrize("how", programs.WAYS)
def test_frames_after_one_that_fails_are_as_they_were(how: str) -> None:
    cell = "for d in dfs:\n    d['z'] = 1\n    d['a'] = fails(d)"
    plain = plainly.run_plain(cell, SETUP)
    ran = programs.run(cell, SETUP, how)
    assert str(ran.left.error) == str(plain.error) == "too short"
    assert plainly.difference(plain, ran.left) is None


def test_memory_is_shared_where_an_array_or_a_column_is_a_part_of_it() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0], "s": ["x", "y"]})
    assert not memory.is_shared(frame)
    held: list[Any] = [frame["a"].to_numpy()]
    assert memory.is_shared(frame)
    held.clear()
    assert not memory.is_shared(frame)
    frame = pd.DataFrame(np.arange(6.0).reshape(3, 2))
    assert not memory.is_shared(frame)
