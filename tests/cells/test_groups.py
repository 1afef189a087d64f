"""Loops over the groups and parts of frames: what only reads them goes to workers, what changes what they hold not."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from concompare.cells.effects import declared
from concompare.cells.replay.binding import Lifted
from tests.cells import programs
from tests.cells.pool_cells import cells_of

pytest.importorskip("pandas")
SETUP = """
import decimal
import numpy as np
import pandas as pd

def f(x):
    return float(np.sum(x)) * 2

df = pd.DataFrame({"g": [1, 1, 2, 2, 3, 3], "v": [3.0, 1.0, 2.0, 5.0, 4.0, 0.0], "s": list("abcabc")})
arrays = [np.arange(4.0) + k for k in range(4)]
out = []
"""
OBJECTS = (
    SETUP
    + """
class Held:
    def __init__(self, n):
        self.n, self.seen = n, []
    def max(self):
        self.seen.append(self.n)
        return self.n
    def add(self, n):
        self.n += n
        return self
    def __repr__(self):
        return f"Held({self.n}, {self.seen})"
    def __eq__(self, other):
        return repr(self) == repr(other)
    __hash__ = object.__hash__

def bump(held):
    held.n += 1
    return held.n

one = Held(1)
of_objects = pd.DataFrame({"g": [1, 1, 2, 2], "h": pd.Series([one, Held(2), one, Held(3)], dtype=object)})
"""
)
READ = cells_of("""
### a new frame under the old name
for g, part in df.groupby("g"):
    part = part.assign(z=f(part["v"]))
    out.append((g, part["z"].max(), part["v"].min()))
### a copy that is changed
for g, part in df.groupby("g"):
    part = part.copy()
    part["z"] = f(part["v"])
    part = part.sort_values("v").reset_index(drop=True)
    out.append((part["z"].iloc[0], part.loc[:, "v"].max(), part["v"].idxmax()))
### parts that are picked
for g in df["g"].unique():
    sub = df[df["g"] == g].dropna()
    x = f(sub["v"].values)
    out.append(x / sub["v"].max() if sub["v"].max() > 0 else 0)
### a function for each value
for g, part in df.groupby("g"):
    m = part["v"].apply(lambda v: v + 1)
    out.append(f(m) + m.max())
### tables made of tables
for g, part in df.groupby("g"):
    m = pd.concat([part, part]).merge(df, on="g")
    t = part.set_index("s")[["v"]].T
    out.append(f(m["v_x"]) + m["v_y"].max() + t.max().max())
### windows and groups of a group
for g, part in df.groupby("g"):
    m = part["v"].rolling(2).mean()
    k = part.groupby("s")["v"].sum()
    out.append(f(m.dropna()) + m.max() + k.max())
### text
for g, part in df.groupby("g"):
    m = part["s"].str.upper()
    out.append((f(part["v"]), m.max(), part["v"].describe()["max"]))
### a cell that is added to under a condition
df["w"] = 0.0
for i, row in df.iterrows():
    df.loc[i, "w"] = f(row.v)
    if row.v > 3:
        df.loc[i, "s"] += "*"
### arrays under the old name
for a in arrays:
    a = a[a > 1]
    b = a.reshape(-1)
    out.append((f(b), b.max(), a.min(), (a / a.sum()).max()))
""")
CHANGED = cells_of("""
### a method of what a column holds
for g, part in of_objects.groupby("g"):
    h = part["h"].iloc[0]
    out.append((f([g]), h.max(), len(h.seen)))
### a method that columns have as well
for g, part in of_objects.groupby("g"):
    out.append((f([one.n]), part["h"].iloc[0].add(2) is one))
### of a frame made of it
for g, part in of_objects.groupby("g"):
    part = part.assign(k=g)
    out.append((f([one.n]), part["h"].iloc[0].add(2).n))
### a function that changes what a column holds
for g, part in of_objects.groupby("g"):
    out.append((f([one.n]), part["h"].apply(bump).max()))
### a column of objects made on the way
for g, part in df.groupby("g"):
    part = part.assign(h=[one, one])
    out.append((f([one.n]), part["h"].iloc[0].add(1).n))
### a column of objects put into a copy
for g, part in df.groupby("g"):
    part = part.copy()
    part["h"] = [one, one]
    out.append((f([one.n]), part["h"].iloc[0].add(1).n))
### aggregates by objects of the notebook's classes
for g, part in of_objects.groupby("g"):
    out.append((f([one.n]), part["h"].agg(lambda h: h.iloc[0].add(1)).n))
### added in place
total = df["v"].head(2).copy()
for g, part in df.groupby("g"):
    total += part["v"].max()
    out.append((f(total), total.max()))
""")


def staying(lifted: Lifted) -> list[str]:
    """Return the calls that stay in the notebook, but for those that store."""
    calls = [ast.unparse(node) for node in lifted.staged.stays if isinstance(node, ast.Call)]
    return [call for call in calls if not call.startswith("out.append")]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", READ)
def test_what_only_reads_a_part_runs_in_workers(name: str, how: str) -> None:
    different, ran = programs.compared(READ[name], SETUP, how)

    assert different is None
    assert ran.cell.lifted, ran.reasons
    assert staying(ran.cell.lifted[0]) == []


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHANGED)
def test_what_changes_what_a_part_holds_ends_as_the_plain_cell(name: str, how: str) -> None:
    for seed in (1, 2):
        different, _ = programs.compared(CHANGED[name], OBJECTS, how, seed=seed)

        assert different is None


def test_methods_that_need_more_arguments_are_not_meant() -> None:
    assert any("self" in entry.changes for entry in declared.methods_named("max"))
    assert not any("self" in entry.changes for entry in declared.methods_named("max", 1))
    assert any("self" in entry.changes for entry in declared.methods_named("max", 2))
    assert any("self" in entry.changes for entry in declared.methods_named("append", 1))


def test_methods_that_take_fewer_arguments_or_others_are_not_meant() -> None:
    def renames(*given: Any, **words: Any) -> bool:
        entries = declared.methods_named("replace", len(given), words)
        return any("files" in entry.order for entry in entries)

    assert renames("target")  # of a path
    assert renames(target="target")
    assert not renames()
    assert not renames(",", ".")  # of a text
    assert not renames(year=2026, day=1)  # of a date
    assert any("files" in entry.order for entry in declared.methods_named("replace"))
    assert declared.methods_named("replace", None) == declared.methods_named("replace")


def test_groups_of_values_are_known_whatever_else_is_loaded() -> None:
    """A method of an unknown type counts as all that have its name: `sum` of pillow's `Stat` changes its receiver."""
    pytest.importorskip("PIL.ImageStat")
    different, ran = programs.compared(READ["windows and groups of a group"], SETUP, "threads")
    assert different is None
    assert ran.cell.lifted, ran.reasons


STORED = cells_of("""
### a column by the group's labels
df["z"] = np.nan
for g, part in df.groupby("g", sort=False):
    part = part.sort_values("v")
    mean = f(part["v"])
    df.loc[part.index, "z"] = mean
    out.append(mean)
### a column that the groups have
for g, part in df.groupby("g"):
    df.loc[part.index, "v"] = f(part["v"]) + part["v"].max()
### the column that is grouped by
for g, part in df.groupby("g"):
    df.loc[part.index, "g"] = g + int(f(part["v"]))
### of a column
for g, part in df.groupby("g")["v"]:
    df.loc[df["g"] == g, "v"] = f(part)
### in an order of their own
df = df.iloc[[5, 0, 3, 2, 1, 4]]
for g, part in df.groupby("g"):
    df.loc[part.index, "v"] = f(part["v"])
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", STORED)
def test_groups_of_a_frame_that_is_stored_into_are_what_they_were_before(name: str, how: str) -> None:
    """Pandas cuts all of them from a copy that it makes before it gives the first."""
    ran = programs.alike(STORED[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
def test_what_is_read_of_the_frame_that_is_stored_into_is_read_in_its_turn(how: str) -> None:
    cell = 'for g, part in df.groupby("g"):\n    df.loc[part.index, "v"] = f(part["v"]) + df["v"].sum()'
    ran = programs.alike(cell, SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == ["`df['v'].sum` at line 2"], ran.reasons
