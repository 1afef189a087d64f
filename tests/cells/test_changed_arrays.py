# ruff: noqa: E501
"""Items that are arrays, frames and generators of random numbers, changed in more than their elements."""

from __future__ import annotations

import pytest

from tests.cells import programs

pytest.importorskip("pandas")
SETUP = (
    programs.SLOW
    + """
import numpy as np
import pandas as pd

xs = [3, 1, 4, 1, 5, 9]

class Tagged(np.ndarray):
    pass

arrays = [np.arange(6.0) for _ in range(4)]
kept = list(arrays)
tagged = [np.zeros(3).view(Tagged) for _ in range(4)]
for array in tagged:
    array.tag = 0
records = np.zeros(4, dtype=[("a", float), ("b", int)])
df = pd.DataFrame({"v": [1.0, 2.0, 3.0]})
labels = pd.Index([1, 2], name="a")
columns = [pd.Series([1, 2], index=labels) for _ in range(4)]
frames = [pd.DataFrame({"v": [place]}) for place in range(4)]
wholes = [pd.array([1, 2], dtype="Int64") for _ in range(4)]
rng = np.random.default_rng(3)
grid = np.arange(6.0).reshape(3, 2)
q, r = np.zeros(2), np.zeros(2)
"""
)
CELLS = {
    "a shape": "found = []\nfor a in arrays:\n    a.shape = (2, 3)\n    found.append(slow(a.sum()))",
    "a type": "found = []\nfor a in arrays:\n    a.dtype = np.int64\n    found.append(slow(len(a)) + int(a[1]))",
    "a size": "found = []\nfor a in arrays:\n    a.resize(8, refcheck=False)\n    found.append(slow(a.sum()))",
    "a flag": "found = []\nfor a in arrays:\n    a[0] = 5\n    a.setflags(write=False)\n    found.append(slow(a.sum()))\n"
    "flags = [a.flags.writeable for a in arrays]",
    "an attribute": "found = []\nfor a in tagged:\n    a.tag += 1\n    found.append(slow(a.tag))\n"
    "tags = [a.tag for a in tagged]",
    "an attribute and elements": "found = []\nfor a in tagged:\n    a.tag += 1\n    a[0] = slow(a.tag)\n"
    "    found.append(a)\ntags = [a.tag for a in tagged]",
    "records": 'for r in records:\n    r["a"] = slow(2)\nr = None',
    "records by their places": 'for k in range(4):\n    r = records[k]\n    r["a"] = slow(k)\n    r["b"] = r["a"] + 1\nr = None',
    "notes": 'for x in xs:\n    df.attrs.setdefault("log", []).append(slow(x))\nlog = df.attrs',
    "notes that are read": 'df.attrs["log"] = []\nfound = []\nfor x in xs:\n    df.attrs["log"].append(slow(x))\n'
    '    found.append(len(df.attrs["log"]))\nlog = df.attrs',
    "notes by another name": 'df.attrs["log"] = log = []\nfound = []\nfor x in xs:\n    df.attrs["log"].append(slow(x))\n'
    "    found.append(slow(len(log)))",
    "notes of items": 'for d in frames:\n    d.attrs["n"] = slow(d["v"].iloc[0])\nnotes = [d.attrs for d in frames]',
    "labels that items share": "found = []\nfor c in columns:\n    found.append(slow(len(c.index.name)))\n"
    '    c.index.name += "b"\nnamed = labels.name',
    "whole numbers": "for a in wholes:\n    a[1] = slow(3)\nvalues = [a.tolist() for a in wholes]\ndel wholes, a",
    "spawning": "found = [slow(rng.spawn(1)[0].random()) for x in xs]\nafter = rng.spawn(1)[0].random()",
    "several results": "for x in xs:\n    np.divmod([7.0, 9.0], slow(x), out=(q, r))",
    "a buffer in a tuple": "found = []\nfor x in xs:\n    np.add([1.0, 2.0], slow(x), out=(q,))\n    found.append(q.sum())",
    "a walk through an array": "found = []\nfor v in grid.flat:\n    found.append(slow(v))\n    grid.T[1] = 50",
    "a walk with places": "found = []\nfor k, v in np.ndenumerate(grid):\n    found.append(slow(v))\n    grid.T[1] = 50",
    "a numbered walk": "found = []\nfor k, v in enumerate(grid.flat):\n    found.append(slow(v))\n    grid.T[1] = k",
    "a walk of elements": "found = []\nfor v in kept[0]:\n    found.append(slow(v))\n    kept[0].flat[5] = 50",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CELLS)
def test_arrays_and_frames_end_as_plainly(name: str, how: str) -> None:
    programs.alike(CELLS[name], SETUP, how)
