"""Items that the loop changes are changed once, also those that are computed in the notebook as well."""

from __future__ import annotations

import pytest

from tests.ipython.conftest import Shell

ITEMS = """
import os, time
class Record:
    def __init__(self):
        self.n, self.at = 0, 0.0
    def step(self):
        self.n += 1
        self.at = time.perf_counter()
def mixed(n):
    return sum(i * i for i in range(2000)) % 7 + n
rows = [{"n": 0} for _ in range(6)]
records = [Record() for _ in range(6)]
"""


@pytest.mark.parametrize("backend", ["threads", "processes"])
@pytest.mark.parametrize(
    ("loop", "counted", "workers"),
    [
        (
            "for d in rows:\n    d['n'] += mixed(0) * 0 + 1\n    d['at'] = time.perf_counter()",
            "d['n'] for d in rows",
            True,
        ),
        ("for r in records:\n    mixed(1)\n    r.step()", "r.n for r in records", True),
        ("for d in rows:\n    d['n'] += mixed(0) * 0 + 1\n    print(os.getpid())", "d['n'] for d in rows", False),
    ],
    ids=["a time kept in a dictionary", "a time kept in an object", "a print that tells the process"],
)
def test_items_that_differ_each_time_are_changed_once(
    loop: str, counted: str, workers: bool, backend: str, shell: Shell
) -> None:
    shell.run(ITEMS)
    ran = shell.run(f"%%parallel -b {backend} -w 2\n{loop}")
    assert shell.run(f"[{counted}]").value == [1] * 6
    if workers:
        assert f"on {backend} × 2" in ran.shown


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_frames_get_columns_by_a_function_that_maps(backend: str, shell: Shell) -> None:
    shell.run("import pandas as pd\ndef square(n):\n    return n * n")
    shell.run("frames = [pd.DataFrame({'a': [n, n + 1]}) for n in range(4)]")
    ran = shell.run(f"%%parallel -b {backend} -w 2\nfor d in frames:\n    d['z'] = d['a'].map(square)")
    assert [list(frame["z"]) for frame in shell.names["frames"]] == [[n * n, (n + 1) ** 2] for n in range(4)]
    assert "changes `square`" not in ran.stdout
