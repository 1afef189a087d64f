"""What people walk and call with frames and progress bars, each run plainly and lifted."""

from __future__ import annotations

import pytest

from tests.cells import compiled

SETUP = """
import io
import numpy as np
import pandas as pd
from tqdm import tqdm


class Nowhere:
    def write(self, text):
        pass
    def flush(self):
        pass

tqdm.pandas(file=Nowhere())
out, xs = [], [3, 1, 2, 5, 4]
configs = [{"rate": x, "steps": [x]} for x in xs]
df = pd.DataFrame({name: [1.0, 2.0 * n, 4.0] for n, name in enumerate("abcd")})

def f(x):
    total = 0
    for k in range(5):
        total += k * x
    return total

def spread(column):
    return float(column.max() - column.min()), f(len(column))
"""
CELLS = {
    "a bar that shows a figure of its items": (
        "bar = tqdm(configs, file=io.StringIO())\nfor config in bar:\n    loss = f(config['rate'])\n"
        "    bar.set_postfix(loss=loss)\n    out.append({**config, 'loss': loss})\nbar.close()\ndel bar"
    ),
    "labels of a frame stored into another with that index": (
        "summary = pd.DataFrame(index=df.columns, columns=['spread', 'n'], dtype=float)\n"
        "for c in df:\n    a, b = spread(df[c])\n    summary.loc[c] = [a, b]\n    out.append(f'{c}: {a}')"
    ),
    "columns by their labels, in place": "for c in df:\n    df[c] = df[c] + f(2)",
    "columns that the walk adds": "for c in df:\n    df[c + '2'] = df[c] * f(1)\nout.extend(df)",
    "a column with a bar": "r = df['a'].progress_apply(f)",
    "a column's elements with a bar": "r = df['b'].progress_map(lambda v: f(v) + 1)",
    "rows with a bar": "r = df.progress_apply(lambda row: f(row['a']) + row['d'], axis=1)",
    "groups with a bar": "r = df.groupby('a')['d'].progress_apply(lambda part: f(part.sum()))",
}


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", CELLS)
def test_ends_as_the_plain_cell(name: str, how: str) -> None:
    different, program = compiled.differs(CELLS[name], SETUP, how, seed=len(name))

    assert different is None
    assert program.lifted, [str(part.refusal) for part in program.refused]


def test_a_bar_goes_to_its_end_once() -> None:
    setup = f"{SETUP}\nshown = io.StringIO()\ntqdm.pandas(file=shown)\n"
    left, program = compiled.run_compiled("r = df['a'].progress_apply(f)", setup, "threads")

    assert program.lifted
    assert left.names["shown"].getvalue().count("100%") == 1
    assert "3/3" in left.names["shown"].getvalue()
