"""Cells whose work is called through objects and functions that keep something: methods, closures, pools, pipes."""

from __future__ import annotations

import pytest

from tests.cells import plainly, programs
from tests.cells.pool_cells import cells_of

pytest.importorskip("pandas")
SETUP = """
import functools, itertools, random
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
import numpy as np
import pandas as pd

def work(v):
    return sum(ord(c) for c in str(v)) % 17

class Hive:
    def __init__(self, name, seed):
        self.name, self.honey, self.rng = name, 0.0, random.Random(seed)
    def live(self, days):
        for _ in range(days):
            self.honey += work(self.rng.random())
        return None if self.honey > 20 else days

class Season:
    def __init__(self, hives):
        self.hives, self.total, self.lost, self.history = hives, 0.0, [], {}
    def of(self, hive):
        end = hive.live(3)
        if end is not None:
            self.lost.append(hive.name)
            return 0.0
        self.history[hive.name] = hive.honey
        return hive.honey
    def run(self):
        for hive in self.hives:
            self.total += self.of(hive)
        return self

class Trainer:
    def __init__(self, folds):
        self.folds, self.scores, self.best = folds, [], -1
    def split(self):
        for k in range(self.folds):
            yield k, k + 1
    def fit(self):
        for fold, (train, test) in enumerate(self.split()):
            score = work(train * 31 + test)
            self.scores.append(score)
            if score > self.best:
                self.best, self.fold = score, fold
        return self

class Judge:
    def __init__(self):
        self.seen, self.matches = [], 0
    def look(self, thing):
        found = work(thing)
        self.matches += 1
        if found > 4:
            self.seen.append(found)
        return found

def meter_of(tariff):
    used, readings = 0.0, []
    def meter(kw):
        nonlocal used
        kwh = work(kw)
        used += kwh
        readings.append(kwh)
        return kwh * tariff
    def total():
        return used, readings
    return meter, total

filled = 0
def order(side, size, limit):
    global filled
    found = work((side, size))
    if found > limit:
        return None
    filled += 1
    return found

def mapped(xs):
    found = []
    with ThreadPoolExecutor(2) as pool:
        for x, y in zip(xs, pool.map(work, xs)):
            found.append((x, y))
    return found

def submitted(xs):
    with ThreadPoolExecutor(max_workers=2) as pool:
        return [future.result() for future in [pool.submit(work, x) for x in xs]]

def starmapped(xs):
    with ThreadPool(2) as pool:
        return pool.starmap(work, [(x,) for x in xs])

seen = []
def grown(x, into):
    into.append(len(into))
    return work(x + len(into))

factor = 2
def scaled(x):
    return work(x) * factor

def started(xs):
    pool = ThreadPoolExecutor(2)
    return [pool.submit(scaled, x) for x in xs]

def fill(box):
    box.append(work(box[0]))
    if box[0] == 4:
        raise ValueError(box)
    return len(box)

def changing(xs):
    got, buffer = [], []
    with ThreadPoolExecutor(2) as pool:
        for x in xs:
            buffer.append(x)
            got.append(pool.submit(len, buffer).result())
    return got

class Step:
    def __init__(self, by):
        self.by = by
    def fit(self, rows):
        self.mean = sum(rows) / len(rows)
        return self
    def transform(self, rows):
        return [work(row - self.mean + self.by) for row in rows]

class Pipe:
    def __init__(self, *steps):
        self.steps = dict(steps)
    def fit(self, rows):
        *before, last = self.steps.values()
        for step in before:
            rows = step.fit(rows).transform(rows)
        self.found = last.fit(rows).mean
        return self

def scored(frame, by):
    return frame.assign(s=[work(v * by) for v in frame["v"]])

xs = [3, 1, 4, 1, 5, 9]
orders = [("buy", 3, 9), ("sell", 1, 9), ("buy", 4, 1)]
df = pd.DataFrame({"g": [1, 1, 2, 2], "v": [1.0, 2.0, 3.0, 4.0], "w": list("abcd"), "k": [True, False, True, True]})
"""
LIFTED = cells_of("""
### adds what a method gives to an attribute
season = Season([Hive(name, n) for n, name in enumerate("abcdef")]).run()
season.total, season.lost, season.history, [hive.honey for hive in season.hives]
### adds to an element what a function gives that keeps something
judge, totals = Judge(), {"a": 0}
for x in xs:
    totals["a"] += judge.look(x)
totals, judge.seen, judge.matches
### folds that a method of the same object gives
trainer = Trainer(6).fit()
trainer.scores, trainer.best, trainer.fold
### a method in apply
judge = Judge()
df["n"] = df.apply(lambda row: judge.look(row["v"]), axis=1)
judge.seen, judge.matches
### a method in map
judge = Judge()
df["n"] = df["v"].map(judge.look)
judge.seen, judge.matches
### a method as a key
judge = Judge()
ranked = sorted(xs, key=lambda x: judge.look(x))
judge.seen, judge.matches
### a closure that counts
meter, total = meter_of(0.5)
bill = [meter(x) for x in xs]
total()
### a closure that counts, in a loop
meter, total = meter_of(0.5)
bill = []
for x in xs:
    cost = meter(x)
    if cost > 2:
        bill.append(cost)
total()
### arguments from a tuple
fills = []
for one in orders:
    fills.append((order(*one), filled))
filled
### too few arguments from a tuple
fills = []
for one in [*orders, ("buy", 3)]:
    fills.append(order(*one))
### too many arguments from a tuple
fills = []
for one in [*orders, ("buy", 3, 1, 2, 5)]:
    fills.append(order(*one))
### an executor in a function
r = mapped(xs)
### an executor in a function that submits
r = submitted(xs)
### a pool in a function
r = starmapped(xs)
### steps in a dict made of pairs
found = []
for by in xs:
    pipe = Pipe(("first", Step(by)), ("second", Step(2 * by)), ("last", Step(0)))
    pipe.fit([1, 2, by])
    found.append(pipe.found)
### rows of a part of a frame
r = [Hive(w, int(v)).live(2) for w, v in zip(df.w[df.k], df.v[df.k])]
### rows of groups
tables = {}
for key, part in df.groupby("g"):
    tables[key] = {row.w: work(row.v) for row in part.itertuples()}
### two pipes
r = df.pipe(scored, 3).pipe(scored, by=2)
### a grid of parameters by their names
grid = {"folds": [2, 3], "name": ["a", "b"]}
class Named:
    def __init__(self, folds, name):
        self.folds, self.name, self.steps = folds, name, []
    def fit(self):
        for fold in range(self.folds):
            self.steps.append(work((fold, self.name)))
        return self
found = []
for values in itertools.product(*grid.values()):
    params = dict(zip(grid, values))
    model = Named(**params).fit()
    found.append({**params, "steps": model.steps})
### draws in loops inside one another
np.random.seed(3)
sums = np.zeros((2, 3))
for i in range(2):
    for j in range(3):
        steps = np.random.normal(0, 1, size=4)
        if i:
            steps = -steps
        path = 10 * np.exp(steps.cumsum())
        sums[i, j] = work(float(path.max()))
sums.tolist(), np.random.rand()
### draws of which one fails in loops inside one another
found = []
try:
    for i in range(2):
        for j in range(3):
            x = random.choice([1, 2, 3][: 2 - i * j])
            found.append((i, j, work(x)))
except IndexError as error:
    found.append(str(error))
found, i, j
### as many as are counted
r = np.fromiter((work(x) for n, x in enumerate(xs)), dtype=float, count=len(xs)).tolist()
""")
PLAIN = cells_of("""
### a function whose pool is given what it changes
r = changing(xs)
### a list behind arguments from a list
for x in xs:
    found = functools.partial(grown, *[x])
    r = found(seen)
seen
### a function that leaves its pool at work
made = started(xs)
factor = 10
r = [future.result() for future in made]
### calls in chunks of which one raises
boxes = [[x] for x in xs]
try:
    with ThreadPool(1) as pool:
        r = pool.map(fill, boxes)
except ValueError as error:
    r = str(error)
boxes
### a closure that needs what it counted
def needing():
    last = 0
    def one(x):
        nonlocal last
        last = work(x + last)
        return last
    return one
one = needing()
r = [one(x) for x in xs]
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_runs_in_workers_and_ends_as_the_plain_cell(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)
    assert different is None
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_what_depends_on_the_call_before_runs_as_it_is(name: str, how: str) -> None:
    different, ran = programs.compared(PLAIN[name], SETUP, how)
    assert different is None
    assert not ran.cell.lifted


@pytest.mark.parametrize("count", [0, 1, 2, 4, 70])
def test_numbers_of_arguments_are_told_as_python_tells_them(count: int) -> None:
    cell = f"fills = []\nfor one in [*orders, tuple(range({count}))]:\n    fills.append(order(*one))"
    plain, ran = plainly.run_plain(cell, SETUP), programs.run(cell, SETUP, "threads")
    assert ran.cell.lifted
    assert isinstance(ran.left.error, TypeError)
    assert str(ran.left.error) == str(plain.error)
    assert ran.left.names["fills"] == plain.names["fills"]
