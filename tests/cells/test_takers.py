"""Values that a consumer takes one by one are computed in workers: of pandas, of `heapq`, of files and writers."""

from __future__ import annotations

import pytest

from tests.cells import programs

pytest.importorskip("pandas")
SETUP = (
    programs.SLOW
    + """
import csv, heapq, io, math, operator, sqlite3, statistics
from dataclasses import dataclass
from functools import reduce
import numpy as np
import pandas as pd

def one(x):
    return pd.Series([slow(x), x], name=str(x))

def strict(x):
    if x == 4:
        raise ValueError("no", x)
    return slow(x)

class Vec:
    def __init__(self, x=0.0):
        self.x = x
    def __add__(self, other):
        return Vec(self.x + other.x)

class Stats:
    def __init__(self):
        self.n, self.parts = 0, []
    def merge(self, other):
        self.n += other.n
        self.parts += other.parts
        return self
    @classmethod
    def of(cls, part):
        made = cls()
        made.n = slow(part)
        made.parts.append(part)
        return made

@dataclass
class Record:
    number: int
    shown: int = 0
    def __str__(self):
        self.shown += 1
        return str(slow(self.number))

@dataclass
class Point:
    x: int

class Kalman:
    def __init__(self):
        self.x = 0.0
    def smooth(self, signal):
        slow(3)
        for value in signal:
            self.x += value
        return signal * self.x

records, points = [Record(k) for k in range(6)], [Point(k) for k in range(6)]
signal = np.arange(24.0).reshape(2, 3, 4)
file, OPS = io.StringIO(), {"+": operator.add, "-": operator.sub}
PAIR = (math.sqrt, math.exp)
db = sqlite3.connect(":memory:")
db.execute("create table t (k, v)")
"""
)
LIFTED = {
    "concat": 'r = pd.concat(map(one, range(6)), axis="columns")',
    "frame": 'r = pd.DataFrame({"a": slow(k)} for k in range(6))',
    "rows": 'r = pd.DataFrame(map(lambda k: (k, slow(k)), range(6)), columns=["k", "s"])',
    "series": "r = pd.Series(map(slow, range(6)), index=list('abcdef'))",
    "index": "r = pd.Index(map(slow, range(6)))",
    "largest": "r = heapq.nlargest(2, (slow(k) for k in range(6)))",
    "smallest": "r = heapq.nsmallest(2, (slow(k) for k in range(6)), key=lambda v: -v)",
    "quantiles": "r = statistics.quantiles(map(slow, range(6)), n=4)",
    "writer": "csv.writer(file).writerows((k, slow(k)) for k in range(6))\nr = file.getvalue()",
    "lines": 'file.writelines(f"{slow(k)}\\n" for k in range(6))\nr = file.getvalue()',
    "database": 'db.executemany("insert into t values (?, ?)", ((k, slow(k)) for k in range(6)))\n'
    'r = db.execute("select * from t").fetchall()',
    "broken lines": 'try:\n    file.writelines(f"{strict(k)}\\n" for k in range(6))\nexcept ValueError as e:\n'
    "    print(e.args)\nr = file.getvalue()",
    "reduced": "r = reduce(lambda all, part: all.merge(part), map(Stats.of, range(6)), Stats())\nr = r.n, r.parts",
    "sum": "r = sum((Vec(slow(k)) for k in range(6)), Vec(1)).x",
    "texts": 'r = "".join(map(str, records))\nshown = [record.shown for record in records]',
    "formatted": 'r = [f"{record:>8}" for record in records]\nshown = [record.shown for record in records]',
    "generated": 'r = [f"{[point, slow(point.x)]}" for point in points]',
    "along": "r = np.apply_along_axis(lambda s: Kalman().smooth(s), axis=-1, arr=signal)",
    "operators": 'r = [slow(OPS[sign](3, 1)) for sign in "+-+-"]',
    "functions": "r = [slow(int(PAIR[k % 2](4))) for k in range(4)]",
}
PLAIN = {
    "where the file is": 'file.writelines(f"{file.tell()} {slow(k)}\\n" for k in range(6))\nr = file.getvalue()',
    "what was written": 'db.executemany("insert into t values (?, ?)", '
    '((k, slow(db.execute("select count(*) from t").fetchone()[0])) for k in range(6)))\n'
    'r = db.execute("select * from t").fetchall()',
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_what_is_taken_one_by_one_is_computed_in_workers(name: str, how: str) -> None:
    ran = programs.alike(LIFTED[name], SETUP, how)
    assert any(lifted.kind != "call" for lifted in ran.cell.lifted), ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_what_depends_on_the_values_before_stays_as_it_is(name: str, how: str) -> None:
    assert all(lifted.kind == "call" for lifted in programs.alike(PLAIN[name], SETUP, how).cell.lifted)
