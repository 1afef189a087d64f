"""The user's functions that pandas and numpy are given: in lists and dictionaries, as labels, by name in a query."""

from __future__ import annotations

import pytest

from tests.cells import programs

pytest.importorskip("pandas")
SETUP = (
    programs.SLOW
    + """
import io
import numpy as np
import pandas as pd

xs = [3, 1, 4, 1, 5, 9]
seen = []
least, bounds = 3, {"least": 3}
df = pd.DataFrame({"k": list("aabbca"), "v": [1.0, 2, 3, 4, 5, 6], "n": [3, 1, 4, 1, 5, 9]})

def total(part):
    seen.append(len(part))
    return part.sum()

def text(v):
    seen.append(v)
    return v

def many(part):
    seen.append(len(part))
    return part["n"] > 3

def large(values):
    seen.append(len(values))
    return values > 2

def note(part, notes):
    notes.append(len(part))
    return part * 2

def with_note(v, notes):
    notes.append(v)
    return v

totals, spec = [total, "max"], {"v": [total, "max"]}
"""
)
CALLED = {
    "a list": 'df[["v", "n"]].agg([total, "max"]).shape[0]',
    "a list with a name": "df[['v', 'n']].agg(totals).shape[0]",
    "a dictionary of lists": 'df.groupby("k").agg(spec).shape[0]',
    "a named aggregation": 'df.groupby("k").agg(t=pd.NamedAgg("v", total))["t"].sum()',
    "a tuple": 'df.groupby("k").agg(t=("v", total))["t"].sum()',
    "a pivot table": 'df.pivot_table(index="k", values="v", aggfunc={"v": total}).size',
    "converters": 'len(pd.read_csv(io.StringIO("a,b\\n1,2\\n"), converters={"a": text}))',
    "formatters": 'len(df.to_string(formatters={"k": text}))',
    "a handler": "len(pd.Series([object()], dtype=object).to_json(default_handler=lambda o: str(text(1))))",
    "converters of numpy": "float(np.loadtxt(io.StringIO('1 2'), converters={0: lambda s: text(5.0)})[0])",
    "formatters of numpy": "len(np.array2string(np.array([x]), formatter={'int': lambda v: str(text(1))}))",
    "pieces": "float(np.piecewise(np.arange(4.0), [np.arange(4) < 2], [note, -1], seen)[1])",
    "along an axis": "float(np.apply_along_axis(note, 0, np.arange(4.0), seen)[1])",
    "more arguments": 'float(df["v"].apply(with_note, args=(seen,)).sum())',
    "rows with more arguments": "len(df.apply(note, axis=1, notes=seen))",
    "labels": "len(df.loc[many])",
    "labels of columns": 'len(df.loc[many, "v"])',
    "an index": "len(df[many])",
    "a query": 'len(df.query("@large(n)"))',
    "an evaluation": 'float(df.eval("v * @large(n)").sum())',
}
LOOKED_UP = {
    "a query": ('len(df.query("n >= @least"))', "least"),
    "an evaluation": ('float(df.eval("v * @least").sum())', "least"),
    "an expression": ('float(pd.eval("least * 2"))', "least"),
    "a part": ("len(df.query(\"n >= @bounds['least']\"))", 'bounds["least"]'),
    "a text with values": ('len(df.query(f"n >= @least and v < {x}"))', "least"),
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CALLED)
def test_functions_are_called_in_order(name: str, how: str) -> None:
    programs.alike(f"found = [slow(x) + {CALLED[name]} for x in xs]", SETUP, how)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LOOKED_UP)
def test_names_in_a_text_are_looked_up_in_order(name: str, how: str) -> None:
    use, place = LOOKED_UP[name]
    programs.alike(f"found = []\nfor x in xs:\n    found.append({use})\n    {place} = slow(x)", SETUP, how)


@pytest.mark.parametrize("name", LOOKED_UP)
def test_names_in_a_text_that_stay_as_they_are_let_it_run_in_workers(name: str) -> None:
    ran = programs.alike(f"found = [slow(x) + {LOOKED_UP[name][0]} for x in xs]", SETUP, "threads")
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons


OWN = {
    "of the loop": "    part = df.query('n == @x')\n    found.append(slow(x) + len(part))",
    "of the body": "    low = x - 1\n    found.append(slow(x) + len(df.query('n > @low and (n <= @x)')))",
    "of an inner loop": "    for k in 'ab':\n        found.append(slow(x) + len(df.query('k == @k and n >= @x')))",
    "again": "    one = df.query('n == @x')\n    x += 2\n    found.append(slow(len(one)) + len(df.query('n < @x')))",
    "of an evaluation": "    found.append(slow(x) + float(df.eval('v * @x').sum()) + float(pd.eval('x * 2')))",
}
NOT_OWN = {
    "of the item before": "    part = df.query('n > @least')\n    found.append(slow(x) + len(part))\n    least = x",
    "given to some items": "    if x > 3:\n        least = x\n    found.append(slow(x) + len(df.query('n >= @least')))",
    "deleted": "    low = x\n    if x == 4:\n        del low\n    found.append(slow(x) + len(df.query('n >= @low')))",
    "of another frame": "    low = x\n    found.append(slow(x) + sum(len(df.query('n > @low')) for _ in 'ab'))",
    "of a function": "    f = lambda frame: len(frame.query('n >= @x'))\n    found.append(slow(x) + f(df))",
    "of the frame around": "    f = lambda: len(df.query('n >= @x', level=1))\n    found.append(slow(x) + f())",
    "of a function that is called": "    found.append(slow(x) + len(df.query('@above(n)')))",
    "in a text with values": "    low = x\n    found.append(slow(x) + len(df.query(f'n >= @low and v < {x}')))",
    "of a part in the notebook": "    low = slow(x)\n    df = df.query('n > @low or n > 2')\n    found.append(len(df))",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", OWN)
def test_a_text_in_a_worker_has_the_names_that_its_iteration_gives_values(name: str, how: str) -> None:
    programs.in_workers(f"found = []\nfor x in xs:\n{OWN[name]}", SETUP, how)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", NOT_OWN)
def test_a_text_has_no_names_of_a_worker_that_are_not_its_own(name: str, how: str) -> None:
    above = "x = 0\ndef above(values):\n    return values >= x\n"
    programs.alike(f"found = []\nfor x in xs:\n{NOT_OWN[name]}", SETUP + above, how)
