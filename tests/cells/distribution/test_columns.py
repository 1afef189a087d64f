# ruff: noqa: E501
"""Columns of a frame under labels of the items: which loops may read them ahead, and that no other one does."""

from __future__ import annotations

import pytest

from concompare.cells.distribution import columns
from concompare.cells.effects.kinds import copies_on_write
from concompare.cells.explaining import explanation
from concompare.cells.program import Cell, Wishes
from tests.cells import plainly, programs

pytest.importorskip("pandas")

SETUP = """
import concurrent.futures
import numpy as np, pandas as pd
def work(value):
    total = 0.0
    for k in range(3): total += float(value) * k
    return total
def scaled(column):
    low = column.min()
    for _ in range(2): low = low + 0
    return (column - low) / 2
class Scaler:
    def fit_transform(self, column):
        self.mean = column.mean()
        for _ in range(2): pass
        return column - self.mean
d = pd.DataFrame({"g": list("aabb"), "v": np.arange(4.0), "w": [4.0, 3.0, 2.0, 1.0]})
names = ["v", "w"]; out = {}; r = []
"""

APART = {
    "a column under its own label": "for c in names:\n    d[c] = d[c].map(work)",
    "what pandas computes": "for c in names:\n    d[c] = (d[c] - d[c].mean()) / d[c].std()",
    "a function of the user's": "for c in names:\n    d[c] = scaled(d[c])",
    "a new column beside it": "for c in names:\n    d[c + '_n'] = d[c].map(work)",
    "a new column of a fixed one": "for lag in (1, 2, 3):\n    d[f'lag{lag}'] = scaled(d['v'].shift(lag))",
    "pairs of labels": "for a, b in [('v', 'p'), ('w', 'q')]:\n    d[b] = d[a].map(work)",
    "numbered items": "for i, c in enumerate(names):\n    d[c] = d[c].map(work) * i",
    "items side by side": "for c, k in zip(names, [1, 2]):\n    d[c] = d[c].map(work) * k",
    "the frame's own labels": "for c in d.columns:\n    if c != 'g':\n        d[c] = scaled(d[c])",
    "a single label": "for c in ['v']:\n    d[c] = scaled(d[c])",
    "the new column is looked at": "for c in names:\n    d[c] = scaled(d[c])\n    out[c] = float(d[c].sum())",
    "an object of each": "for c in names:\n    out[c] = Scaler()\n    d[c] = out[c].fit_transform(d[c])\nout = [s.mean for s in out.values()]",
    "a label that is not there": "for c in ['v', 'no', 'w']:\n    d[c] = scaled(d[c])",
}
VIEWS = {
    "rows of a column": "for c in names:\n    d.loc[d[c] > 1, c] = work(d[c].mean())",
    "a column that is looked up before": "for c in names:\n    s = d[c]\n    d.loc[0, c] = 50.0\n    d[c + '2'] = scaled(s)",
    "a fixed one": "for k in range(3):\n    s = d['v']\n    d.loc[0, 'v'] = 50.0 + k\n    r.append(work(s.sum()))",
    "a column that is filled": "for c in names:\n    d[c].fillna(0.5, inplace=True)\n    d[c + '2'] = scaled(d[c])",
    "a part of a column that is stored": "for c in names:\n    s = d[c]\n    s.iloc[0] = 70.0\n    d[c + '2'] = scaled(d[c])",
    "a column that is added to": "for c in names:\n    s = d['v']\n    s += 1\n    r.append(work(d['v'].sum()))",
    "a column that is added to in the frame": "for c in names:\n    s = d[c]\n    d[c] += 1\n    r.append(work(s.sum()))",
}
"""Loops whose results depend on whether a column shares the memory of its frame."""

ENTANGLED = {
    "a label twice": "for c in ['v', 'w', 'v']:\n    d[c] = scaled(d[c]) + 1",
    "a label that another item reads": "for a, b in [('v', 'w'), ('w', 'x')]:\n    d[b] = scaled(d[a])",
    "a fixed column that one item stores": "for c in ['u', 'v', 'w']:\n    d[c] = scaled(d['v']) + 1",
    "a fixed column by a name": "c = 'v'\nfor k in range(3):\n    d[c] = scaled(d['v']) + 1",
    "a fixed column by its place": "for k in range(3):\n    d.iloc[:, 1] = scaled(d['v']) + 1",
    "a fixed column as an attribute": "for c in ['u', 'v', 'w']:\n    d[c] = scaled(d.v) + 1",
    "a fixed column that is set as an attribute": "for k in range(3):\n    d.v = scaled(d['v']) + 1",
    "a fixed column that is added to as an attribute": "for k in range(3):\n    r.append(work(d['v'].sum()))\n    d.v += 1",
    "columns that get other names": "for c in ('x', 'y'):\n    r.append(scaled(d[d.columns[1]]).sum())\n    d.columns = ['g', c, 'w']\n    r.append(work(d[c].sum()))",
    "a fixed column that is looked at before": "for c in ['u', 'v', 'w']:\n    r.append(work(d['v'].sum()))\n    d[c] = d['v'] + 1",
    "the same column by another name": "e = d\nfor c in names:\n    d[c] = scaled(e['v']) + 1",
    "an inner loop": "for c in names:\n    for k in range(2):\n        d[c] = scaled(d[c]) + 1",
    "the whole frame": "for c in names:\n    d[c] = scaled(d[['v', 'w']].sum(axis=1))",
    "true is one": "f = pd.DataFrame({1: [1.0, 2.0]})\nfor c in (True, 2):\n    f[c] = scaled(f[1]) + 1\nd = f",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", APART)
def test_columns_of_the_items_own_are_read_ahead(name: str, how: str) -> None:
    different, ran = programs.compared(APART[name], SETUP, how)

    assert different is None
    assert ran.ahead, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", ENTANGLED)
def test_columns_that_other_items_store_are_read_in_their_turn(name: str, how: str) -> None:
    different, _ = programs.compared(ENTANGLED[name], SETUP, how)

    assert different is None


@pytest.mark.filterwarnings("ignore")  # that is what the oldest pandas says of most of them
@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", VIEWS)
def test_columns_are_views_where_pandas_has_them_as_views(name: str, how: str) -> None:
    different, ran = programs.compared(f"{VIEWS[name]}\ns = None", SETUP, how)

    assert different is None
    assert not (ran.cell.lifted and "s = d" in VIEWS[name] and "loc" in VIEWS[name]) or copies_on_write()


@pytest.mark.parametrize("how", programs.WAYS)
def test_names_of_functions_change_nothing(how: str) -> None:
    cell = "for k in (1, 2):\n    out[k] = d.groupby('g')['v'].agg(['min', 'max']).map(work)"
    different, ran = programs.compared(cell, SETUP, how)

    assert different is None
    assert ran.cell.lifted, ran.reasons

    changing = "def first(s):\n    s.iloc[0] = 9.0\n    return s.sum()\n" + cell.replace("'min'", "first")
    assert programs.compared(changing, SETUP, how)[0] is None


@pytest.mark.parametrize(
    ("written", "read", "apart"),
    [
        ("column <c>", "column <c>", True),
        ("column <twice>", "column <twice>", False),
        ("column <c + '_n'>", "column <c>", True),
        ("column <c>", "column 'v'", False),
        ("column <c>", "column 'x'", True),
        ("column 'x'", "column <c>", True),
        ("column 'v'", "column 'v'", False),
        ("column <k>", "column <c>", True),
        ("column <c + k>", "column 'v'", False),
        ("column <real>", "column 'v'", False),
        ("column <gone>", "column 'v'", False),
        ("column #1", "column 'v'", False),
        ("[]", "column <c>", False),
        ("*", "column <c>", False),
    ],
)
def test_labels_are_compared_over_all_items(written: str, read: str, apart: bool) -> None:
    targets: dict[str, list[object]] = {"c": ["v", "w"], "twice": ["v", "v"], "k": [1, 2], "real": [1.5, 2.5]}
    written, read = written.replace(">", ""), read.replace(">", "")

    assert columns.are_apart(written, read, targets) is apart


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("last", ["r.append(part)", "r.append((k, part))", "out[k] = part"])
def test_a_frame_that_a_name_is_left_for_is_the_one_that_was_stored(last: str, how: str) -> None:
    setup = f"{SETUP}def grade(x):\n    for k in range(3): pass\n    return (x * 7 + hash((x, k)) % 7) % 13\n"
    cell = f"for k in 'ab':\n    part = d[d['g'] == k].copy()\n    part['r'] = part['v'].rank().map(grade)\n    {last}"
    different, ran = programs.compared(cell, setup, how)

    assert different is None
    assert ran.cell.lifted, ran.reasons
    told = explanation(Cell(cell, Wishes("<cell>")), plainly.fresh(setup))
    assert "leaves in the notebook" not in told  # it would be sent apart from what was stored, and be another one
