"""Loops over labels of rows that read some columns of a frame and store into others."""

from __future__ import annotations

import pytest

from tests.cells import programs

pytest.importorskip("pandas")
SETUP = (
    programs.SLOW
    + """
import numpy as np
import pandas as pd

df = pd.DataFrame({"a": np.arange(6.0), "b": np.arange(6.0) * 2, "c": [0.0, 1, np.nan, 3, np.nan, 5]})
df["g"] = list("xyxyxy")
scores = {"x": 1.0, "y": 2.0}

class Encoder:
    def __init__(self, scores):
        self.scores, self.unseen = scores, 0
    def transform(self, column):
        slow(2)
        found = column.map(self.scores)
        self.unseen += int(found.isna().sum())
        return found.fillna(0)

encoders = {"g": Encoder(scores), "a": Encoder({1.0: 5.0})}
"""
)
CELLS = {
    "a row of some columns": 'for i in df.index:\n    x, y = df.loc[i, ["a", "b"]]\n    df.at[i, "c"] = slow(x) + y',
    "rows that lack a value": 'known = df.dropna(subset=["c"])\nfor i in df.index[df.c.isna()]:\n'
    '    x, y = df.loc[i, ["a", "b"]]\n    df.at[i, "c"] = slow(known.c.sum() + x) + y\n    df.at[i, "q"] = True',
    "rows that are picked": 'for i in df[df["c"].isna()].index:\n    df.loc[i, "c"] = slow(df.loc[i, "a"])',
    "a list of them": 'for i in df.loc[df.c > 0].index.tolist():\n    df.loc[i, "c"] = slow(df["a"][i])',
    "some columns": 'for i in df.index:\n    df.loc[i, "c"] = slow(df[["a", "b"]].loc[i].sum())',
    "a dictionary": 'for name, encoder in encoders.items():\n    df[name + "_e"] = encoder.transform(df[name])\n'
    "del encoder",
}
PLAIN = {
    "a column that is stored": 'for i in df.index[1:]:\n    x, y = df.loc[i - 1, ["a", "c"]]\n'
    '    df.at[i, "c"] = slow(x) + y',
    "through a copy": 'for i in df.index[1:]:\n    df.loc[i, "a"] = slow(df[["a", "b"]].loc[i - 1].sum())',
    "labels that change": 'for i in list(df.index):\n    df.loc[i + slow(i), "a"] = len(df.index)',
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CELLS)
def test_rows_of_which_other_columns_are_read_run_in_workers(name: str, how: str) -> None:
    ran = programs.alike(CELLS[name] + "\nencoders = None", SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_rows_that_show_what_was_stored_end_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(PLAIN[name] + "\nencoders = None", SETUP, how)
    assert (different, ran.left.error) == (None, None)
