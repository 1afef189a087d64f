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


COUNTING = """
import random
def heavy(v):
    return sum(range(400)) * 0 + v
class Model:
    def __init__(self, n, rng=None):
        self.n, self.fits, self.log, self.rng = n, 0, [], rng
    def fit(self, k):
        self.fits += 1
        self.log.append(heavy(k))
        return self
    def draw(self):
        self.log.append(heavy(self.rng.random()))
def once():
    return [Model(n) for n in range(8)]
models = once()
drawing = [Model(n, random.Random(n)) for n in range(8)]
"""


@pytest.mark.parametrize("magic", ["%%concompare --no-plot --budget 0.3", "%%parallel"])
@pytest.mark.parametrize(
    ("loop", "check"),
    [
        ("for m in models:\n    m.fit(3)", "[(m.fits, m.log) for m in models] == [(1, [3])] * 8"),
        ("out = [m.fit(3) for m in models]", "all(a is b and a.fits == 1 for a, b in zip(out, models))"),
        ("for m in models:\n    last = m.fit(3)", "last is models[-1] and last.fits == 1"),
        (
            "for m in drawing:\n    m.draw()",
            "[m.log for m in drawing] == [[random.Random(n).random()] for n in range(8)]",
        ),
    ],
    ids=["changed", "collected", "named", "with random numbers of their own"],
)
def test_runs_that_are_made_several_times_change_items_once(loop: str, check: str, magic: str, shell: Shell) -> None:
    shell.run(COUNTING)
    ran = shell.run(f"{magic} -b threads,processes -w 2\n{loop}")
    assert shell.run(check).value is True
    assert "results other than" not in ran.stdout


CANNOT = (
    COUNTING
    + """
import threading
class Locked(Model):
    def __init__(self, n):
        super().__init__(n)
        self.lock = threading.Lock()
models = [Locked(n) for n in range(8)]
"""
)


def test_a_comparison_of_items_that_cannot_be_copied_is_the_plain_loop(shell: Shell) -> None:
    shell.run(CANNOT)
    ran = shell.run("%%concompare --no-plot --budget 0.3 -b threads -w 2\nfor m in models:\n    m.fit(3)")
    assert shell.run("[m.fits for m in models]").value == [1] * 8
    assert "an item cannot be copied as it is (TypeError: cannot pickle '_thread.lock' object)" in ran.stdout


def test_the_first_of_several_ways_runs_alone_where_items_cannot_be_copied(shell: Shell) -> None:
    shell.run(CANNOT)
    ran = shell.run("%%parallel -b threads,serial -w 2\nfor m in models:\n    m.fit(3)")
    assert shell.run("[m.fits for m in models]").value == [1] * 8
    assert "not run: the loop changes its items, and an item cannot be copied" in ran.shown
