"""Loops over the rows of a frame that store into it: lifted where no row shows what an earlier iteration stored."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from concompare.cells.effects.kinds import copies_on_write
from concompare.cells.replay import row_walks
from tests.cells import programs
from tests.cells.pool_cells import cells_of

pd = pytest.importorskip("pandas")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
SETUP = """
import numpy as np
import pandas as pd

def g(x):
    return x * x + 1

def f(row):
    return row["a"] * 2 + row["b"]

def add(a, b):
    return a + b

df = pd.DataFrame({"a": [1, 2, 3, 4], "b": [1.5, 2.5, 3.5, 4.5]})
one = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [1.5, 2.5, 3.5, 4.5]})
twice = pd.DataFrame({"a": [1, 2, 3, 4], "b": [1.5, 2.5, 3.5, 4.5]}, index=[0, 0, 1, 1])
out = []
"""
LIFTED = cells_of("""
### the whole row into a new column
for i, row in df.iterrows():
    df.loc[i, "c"] = f(row)
### a part of the row into a new column
for i, row in df.iterrows():
    df.at[i, "c"] = g(row["a"])
### into a column that is there
df["c"] = 0.0
for i, row in df.iterrows():
    df.at[i, "c"] = f(row)
### into a column that is read
for i, row in df.iterrows():
    df.at[i, "b"] = g(row["b"])
### into the next row of a frame of several types
for i, row in df.iterrows():
    df.at[i + 1, "b"] = g(row["b"])
### two columns
for i, row in df.iterrows():
    v = f(row)
    df.loc[i, "c"] = v
    df.loc[i, "e"] = v + 1
### a list of columns
for i, row in df.iterrows():
    df.loc[i, ["c", "e"]] = [g(row["a"]), g(row["b"])]
### conditions
for i, row in df.iterrows():
    if row["a"] > 2:
        df.loc[i, "c"] = f(row)
    else:
        df.loc[i, "c"] = -1
### enumerated rows
for k, (i, row) in enumerate(df.iterrows()):
    df.loc[i, "c"] = f(row) + k
### tuples
for row in df.itertuples():
    df.at[row.Index, "c"] = g(row.a)
### tuples into a column that is read
for row in df.itertuples():
    df.at[row.Index, "a"] = g(row.a)
### enumerated tuples
for k, row in enumerate(df.itertuples()):
    df.at[k, "c"] = g(row.a)
### index
for i in df.index:
    df.loc[i, "c"] = g(df.loc[i, "a"])
### index, cell by cell
df["c"] = 0
for i in df.index:
    df.at[i, "c"] = g(df.at[i, "a"])
### positions
df["c"] = 0
for i in range(len(df)):
    df.iloc[i, 2] = g(df.iloc[i, 0])
### positions as labels
for i in range(len(df)):
    df.loc[i, "c"] = g(df["a"][i])
### columns side by side
for i, a, b in zip(df.index, df["a"], df["b"]):
    df.at[i, "c"] = add(a, b)
### columns as attributes
for i, (a, b) in enumerate(zip(df.a, df.b)):
    df.loc[i, "c"] = add(a, b)
### one column walked, another one stored into
for a in df["a"]:
    out.append(g(a))
    df.at[3, "b"] = 100.0
### text
df["s"] = ["x", "y", "z", "w"]
for i, row in df.iterrows():
    df.at[i, "t"] = row["s"] * 2 + str(g(row["a"]))
### another frame
r = pd.DataFrame(index=df.index, columns=["c"])
for i, row in df.iterrows():
    r.loc[i, "c"] = f(row)
### labels that are there twice
twice["c"] = 0.0
for i, row in twice.iterrows():
    twice.loc[i, "c"] = f(row)
### a copy of the row changes
for i, row in df.iterrows():
    again = row.copy()
    again["a"] = g(row["b"])
    out.append(again["a"])
### the index grows
for i in df.index:
    df.loc[i + 10] = [g(i), 0.5]
""")
COPIED = cells_of("""
### a frame of one type
for i, row in one.iterrows():
    one.at[i, "a"] = g(row["b"])
### the next row of a frame of one type
for i, row in one.iterrows():
    one.at[i + 1, "a"] = g(row["a"])
### a later row of a frame of one type
for i, row in one.iterrows():
    out.append(g(row["a"]))
    one.at[3, "a"] = 100.0
""")
PLAIN = cells_of("""
### tuples of a row that was changed
for row in df.itertuples():
    out.append(g(row.a))
    df.loc[3, "a"] = 100
### tuples of the row before
for row in one.itertuples():
    one.at[row.Index + 1, "a"] = g(row.a)
### tuples with labels that are there twice
for row in twice.itertuples():
    twice.loc[row.Index, "a"] = g(row.a)
### the row has another name
for i, row in one.iterrows():
    row = dict(row)
    one.at[i + 1, "a"] = g(row["a"])
### the row changes
for i, row in df.iterrows():
    row["a"] = g(row["b"])
    df.loc[i, "c"] = row["a"]
### a column that is walked
for a in one["a"]:
    out.append(g(a))
    one.at[3, "a"] = 100.0
### a column that is walked, beside the index
for i, a in zip(one.index, one["a"]):
    one.at[i + 1, "a"] = g(a)
### a column that a function walks
def walked(frame):
    found = []
    for a in frame["a"]:
        found.append(g(a))
        frame.at[3, "a"] = 100.0
    return found
out = walked(one)
### the values of a column
for a in one["a"].values:
    out.append(g(a))
    one.loc[3, "a"] = 100.0
### the row before
df["c"] = 0
for i in range(len(df) - 1):
    df.loc[i + 1, "c"] = g(df.loc[i, "c"])
### objects in cells
df["s"] = [[1], [2], [3], [4]]
for i, row in df.iterrows():
    row["s"].append(g(row["a"]))
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_rows_that_show_no_change_go_to_workers(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)
    assert different is None
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", COPIED)
def test_rows_of_one_type_go_to_workers_where_pandas_copies_on_write(name: str, how: str) -> None:
    different, ran = programs.compared(COPIED[name], SETUP, how)
    assert different is None
    assert bool(ran.cell.lifted) == copies_on_write(), ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_rows_that_may_show_a_change_are_walked_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(PLAIN[name], SETUP, how)
    assert different is None
    assert not ran.cell.lifted


@pytest.mark.parametrize(
    ("source", "walked"),
    [("zip(df['a'], df.b)", {"a", "b"}), ("df.index", set()), ("df.items()", None), ("df['a'].values", {"a"})],
)
def test_the_columns_that_are_walked_are_known_by_name(source: str, walked: Any) -> None:
    node = ast.parse(source, mode="eval").body
    assert row_walks.columns_in(node, "df", pd.Index(["a", "b"])) == walked
