# ruff: noqa: E501
"""Cells as people write them, each run plainly and lifted."""

from __future__ import annotations

import pytest

from tests.cells import compiled, programs

SETUP = (
    programs.SLOW
    + """
import collections, contextlib, copy, functools, heapq, itertools, json, math, random, re
import numpy as np
import pandas as pd

random.seed(1)
texts = ["the cat sat", "a dog ran far", "the dog sat", "", "birds fly far away"]
params = [0.1, 0.5, 1.0, 2.0]
data = np.arange(12.0).reshape(4, 3)
df = pd.DataFrame({"g": [1, 1, 2, 2], "v": [1.0, 2.0, 3.0, 4.0], "w": list("abcd")})
calls = 0
results, errors, seen, log = {}, {}, set(), []


def check(x):
    if x == 0.5:
        raise ValueError(f"bad {x}")
    return slow(x)

class Model:
    made = 0
    def __init__(self, rate, steps=3):
        self.rate, self.steps, self.history = rate, steps, []
    def fit(self, rows):
        self.weight = 0.0
        for _ in range(self.steps):
            self.weight += self.rate * sum(rows)
            self.history.append(self.weight)
        return self
    @property
    def score(self):
        return round(self.weight / (1 + len(self.history)), 6)

class Best(Model):
    def __init__(self, rate):
        super().__init__(rate, steps=2)
        self.best = None
    def fit(self, rows):
        super().fit(rows)
        self.best = max(self.history)
        return self

class Account:
    def __init__(self, owner):
        self.owner, self.balance, self.log = owner, 0, []
    def deposit(self, amount):
        self.balance += amount
        self.log.append(("in", amount))
    def withdraw(self, amount):
        if amount > self.balance:
            raise ValueError("too little")
        self.balance -= amount
        self.log.append(("out", amount))

accounts = [Account(name) for name in "abc"]
"""
)
CELLS = {
    "fits of a derived class": "models = []\nfor p in params:\n    m = Best(p)\n    m.fit([1, 2, 3])\n    models.append(m)\n[(m.best, m.score, m.history) for m in models]",
    "a running best": "best, best_model = -1, None\nfor p in params:\n    m = Model(p).fit([1, 2])\n    if m.score > best:\n        best, best_model = m.score, m\nbest_model.history",
    "errors beside results": "for p in params:\n    try:\n        results[p] = check(p)\n    except ValueError as e:\n        errors[p] = str(e)\n    finally:\n        last = p",
    "words in a dict of lists": "index = collections.defaultdict(list)\nfor n, text in enumerate(texts):\n    words = re.findall(r'[a-z]+', text)\n    score = slow(len(words))\n    for word in words:\n        index[word].append((n, score))\ndict(index)",
    "words counted": "counts = collections.Counter()\nfor text in texts:\n    own = collections.Counter(text.split())\n    own['all'] = slow(sum(own.values()))\n    counts.update(own)\ncounts.most_common(3)",
    "a deep copy that is changed": "base = {'rate': 0.1, 'parts': [1, 2]}\nruns = []\nfor p in params:\n    config = copy.deepcopy(base)\n    config['rate'] = p\n    config['parts'].append(slow(p))\n    runs.append(config)\nbase, runs",
    "a closure over the item": "def scaled(p):\n    def inner(x):\n        return slow(x) * p\n    return inner\nfor p in params:\n    f = scaled(p)\n    log.append([f(1), f(2)])",
    "a global counter": "def counted(x):\n    global calls\n    calls += 1\n    return slow(x)\nfor p in params:\n    log.append(counted(p))\ncalls",
    "rows of an array": "sums = np.zeros(4)\nfor i, row in enumerate(data):\n    part = row[1:]\n    sums[i] = slow(part.sum())\nsums.tolist()",
    "a view that is changed": "for i in range(4):\n    view = data[i, :2]\n    view[0] = slow(i)\ndata.tolist()",
    "rows of a frame": "for i, row in df.iterrows():\n    df.loc[i, 'c'] = slow(row['v'])\ndf.to_dict('list')",
    "groups of a frame": "means = {}\nfor key, part in df.groupby('g'):\n    part = part.copy()\n    part['z'] = part['v'].apply(slow)\n    means[key] = float(part['z'].mean())\nmeans",
    "accounts in place": "for n, account in enumerate(accounts):\n    account.deposit(slow(n))\n    try:\n        account.withdraw(5)\n    except ValueError:\n        account.log.append('no')\n[(a.owner, a.balance, a.log) for a in accounts]",
    "a random walk each": "walks = []\nfor p in params:\n    at, path = 0.0, []\n    for _ in range(3):\n        at += random.gauss(0, p)\n        path.append(at)\n    walks.append((slow(len(path)), path))\nrandom.random()",
    "a queue of jobs": "jobs = collections.deque([3, 1, 2])\nwhile jobs:\n    n = jobs.popleft()\n    if n > 2:\n        jobs.append(n - 2)\n    log.append((n, slow(n)))",
    "a generator of parts": "def parts(n):\n    for k in range(n):\n        yield slow(k)\nfor n in [1, 2, 3]:\n    log.append(list(parts(n)))",
    "sorted by work": "ranked = sorted(texts, key=lambda text: -slow(len(text)))",
    "a default argument that grows": "def kept(x, into=[]):\n    into.append(x)\n    return slow(len(into))\nfor p in params:\n    log.append(kept(p))",
    "told as it goes": "for n, p in enumerate(params):\n    m = Model(p).fit([n])\n    print(f'{n}: {m.score:.3f}')\n    log.append(m.score)",
    "a context each": "@contextlib.contextmanager\ndef noted(name):\n    log.append(('in', name))\n    yield\n    log.append(('out', name))\nfor p in params:\n    with noted(p):\n        log.append(slow(p))",
    "the first that is good": "for p in params:\n    got = slow(p)\n    if got > 4:\n        found = p\n        break\nelse:\n    found = None",
    "lines as json": "rows = [json.dumps({'n': n, 'v': slow(n)}) for n in range(4)]\n[json.loads(row)['v'] for row in rows]",
}
LIFTED = {
    "fits of a derived class", "a running best", "errors beside results", "words in a dict of lists", "words counted", "a deep copy that is changed",
    "a closure over the item", "rows of an array", "groups of a frame", "accounts in place", "a random walk each", "a queue of jobs",
    "a generator of parts", "sorted by work", "told as it goes", "the first that is good", "lines as json",
}  # fmt: skip


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", CELLS)
def test_ends_as_the_plain_cell(name: str, how: str) -> None:
    different, program = compiled.differs(CELLS[name], SETUP, how, seed=len(name))

    assert different is None
    if name in LIFTED:
        assert program.lifted, [str(part.refusal) for part in program.refused]
