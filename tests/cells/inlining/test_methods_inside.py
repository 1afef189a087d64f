"""Methods of pandas that a function calls: their calls of the user's functions run in workers too."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = """
import pandas as pd
def work(x):
    total = 0
    for k in range(2): total += k * x
    return total
def fails(x):
    if x == 3: raise ValueError(x)
    return work(x)
df = pd.DataFrame({"a": range(6), "b": list("xyxyxy")}); log = []
class Own:
    def __init__(self, k): self.k = k
    def map(self, function): return function(self.k)
owns = [Own(k) for k in range(3)]
"""

LIFTED = {
    "columns": """
def prepare(df, by):
    df = df.copy()
    df["x"] = df["a"].apply(lambda v: work(v) + by)
    df["y"] = df.apply(lambda r: work(r["a"]), axis=1)
    return df.assign(z=df["a"].map(work))
out = prepare(df, 3)
""",
    "groups": """
def summed(df):
    return df.groupby("b")["a"].agg(lambda part: work(part.sum()))
out = summed(df)
""",
    "an error": """
def prepare(df):
    found = df["a"].apply(fails)
    return found
out = prepare(df)
""",
    "a method": """
class Cleaner:
    def __init__(self, by): self.by = by
    def one(self, v): return work(v) * self.by
    def clean(self, df):
        df["c"] = df["a"].map(self.one)
        return df
out = Cleaner(2).clean(df)
""",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_methods_of_pandas_inside_of_functions_run_in_workers(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name].lstrip("\n"), SETUP, how)

    assert different is None
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
def test_methods_of_others_inside_of_functions_are_called_as_they_are(how: str) -> None:
    cell = (
        "def run(parts):\n    one = parts[0]\n    log.append(one.map(work))\n    return one.map(fails)\nout = run(owns)"
    )

    different, ran = programs.compared(cell, SETUP, how)

    assert different is None
    assert not ran.cell.lifted
