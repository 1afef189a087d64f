"""Items that the loop changes and hands on: what holds them afterwards holds the notebook's own objects."""

from __future__ import annotations

import pytest

from tests.cells import compiled, programs
from tests.cells.pool_cells import cells_of

SETUP = """
import functools
from collections import namedtuple
from dataclasses import dataclass, field

Pair = namedtuple("Pair", "who what")

class P:
    def __init__(self, n):
        self.n, self.kids, self.child = n, [], None
    def __iadd__(self, other):
        self.n += work(other)
        return self
    def fit(self, by=1):
        self.n += work(by)
        return self
    def kid(self):
        made = P(work(self.n))
        self.kids.append(made)
        return made
    def __eq__(self, other):
        return isinstance(other, P) and self.n == other.n
    __hash__ = None

class H:
    def __init__(self, n):
        self.n = n

@dataclass
class D:
    n: int
    found: list = field(default_factory=list)

class S:
    __slots__ = ("n", "held")
    def __init__(self, n):
        self.n, self.held = n, [n]

def work(v):
    return v * 2 + 1

def change(p):
    p.n += work(1)
    return p

def both(p):
    p.n += work(1)
    return p, p.n

def fails(p):
    p.n += work(1)
    if p.n > 6:
        raise ValueError(p.n)
    return p

ps = [P(i) for i in range(5)]
hs = [H(i) for i in range(5)]
ds = [D(i) for i in range(5)]
ss = [S(i) for i in range(5)]
rows = [{"n": i, "l": []} for i in range(5)]
lists = [[i] for i in range(5)]
out, by, seen, kept, best, first = [], {}, set(), [], None, None
"""

CELLS = cells_of("""
### added in place
for p in ps:
    p += 2
p is ps[-1]
### called in place
for p in ps:
    p = p.fit()
p is ps[-1]
### another name
for p in ps:
    p.n += work(p.n)
    last = p
last is ps[-1]
### another name under a condition
for p in ps:
    p.n += work(p.n)
    if p.n < 8:
        last = p
last is ps[2]
### in a list
for p in ps:
    p.n += work(p.n)
    last = [p, {"p": p}]
last[0] is ps[-1] and last[1]["p"] is ps[-1]
### in a set
for h in hs:
    h.n += work(h.n)
    last = {h}
last = last == {hs[-1]}
### in a frozenset and a named pair
for h in hs:
    h.n += work(h.n)
    last, pair = frozenset([h]), Pair(h, "x")
last = last == {hs[-1]} and pair.who is hs[-1]
### a method
for p in ps:
    p.n += work(p.n)
    m = p.fit
m.__self__ is ps[-1]
### a partial call
for p in ps:
    p.n += work(p.n)
    m = functools.partial(p.fit, 3)
m.func.__self__ is ps[-1]
### a function
for p in ps:
    p.n += work(p.n)
    m = lambda p=p: p
m() is ps[-1]
### a part of it
for row in rows:
    row["l"].append(work(row["n"]))
    l = row["l"]
l is rows[-1]["l"]
### a new part of it
for p in ps:
    last = p.kid()
last is ps[-1].kids[-1]
### a new attribute
for p in ps:
    p.child = P(work(p.n))
    c = p.child
c is ps[-1].child
### with slots
for s in ss:
    s.held.append(work(s.n))
    last, l = s, s.held
last is ss[-1] and l is ss[-1].held
### by index
for i, p in enumerate(ps):
    p.n += work(i)
    last = {"p": p, "i": i}
last["p"] is ps[-1]
### collected
for p in ps:
    out.append(change(p))
[a is b for a, b in zip(out, ps)]
### collected with something
for p in ps:
    out.append((work(p.n), change(p), both(p)))
[(a[1] is b, a[2][0] is b, a[0], a[2][1]) for a, b in zip(out, ps)]
### collected by key
for d in ds:
    d.found.append(work(d.n))
    by[d.n] = d
[by[d.n] is d for d in ds]
### collected as they were and are
for p in ps:
    kept.append(p.n)
    q = change(p)
    kept.append(q.n)
    out.append(q)
kept, [a is b for a, b in zip(out, ps)]
### collected in a set
for h in hs:
    h.n += work(h.n)
    seen.add(h)
seen = seen == set(hs)
### fitted in a list
out = [p.fit(3) for p in ps]
[a is b for a, b in zip(out, ps)]
### fitted in a dict
by = {i: p.fit(3) for i, p in enumerate(ps)}
[by[i] is p for i, p in enumerate(ps)]
### pairs in a list
out = [both(p) for p in ps]
[(a[0] is b, a[1]) for a, b in zip(out, ps)]
### named within
out = [(q := change(p)).n for p in ps]
q is ps[-1], out
### mapped
out = list(map(change, ps))
[a is b for a, b in zip(out, ps)]
### the best
for p in ps:
    q = change(p)
    if best is None or q.n > best.n:
        best = q
best is ps[-1]
### the first
for p in ps:
    q = change(p)
    if first is None:
        first = q
first is ps[0]
### until
for p in ps:
    q = change(p)
    if q.n > 5:
        break
q is p, p is ps[3], ps[4].n
### raises after
for p in ps:
    q = change(p)
    out.append(q)
    if q.n > 5:
        raise ValueError(q.n)
### raises in it
for p in ps:
    q = p
    fails(p)
### a field of one that was made in it
for p in ps:
    p.child = change(P(p.n))
    out.append(p.child)
    kept.append([p, p.child])
[(a is p.child, b[0] is p, b[1] is a) for a, b, p in zip(out, kept, ps)]
### changed again by what collects
for p in ps:
    q = change(p)
    out.append(q)
    out[-1].n += len(out)
[a is b for a, b in zip(out, ps)], [p.n for p in ps]
### shown as it is then
for p in ps:
    q = change(p)
    print(q.n, p.n)
    p.n += work(1)
[p.n for p in ps], q is ps[-1]
### in a function
def go(ps):
    for p in ps:
        q = change(p)
    return q
go(ps) is ps[-1]
### collected in a function
def go(ps):
    found = []
    for p in ps:
        found.append(change(p))
    return found
[a is b for a, b in zip(go(ps), ps)]
### lists in place
for l in lists:
    l.append(work(l[0]))
    out.append(l)
    last = l
[a is b for a, b in zip(out, lists)], last is lists[-1]
### sorted by what they are then
for p in ps:
    change(p)
    out.append(p)
    out.sort(key=lambda p: -p.n)
[a is b for a, b in zip(out, reversed(ps))]
### some of them
for a in [change(p) for p in ps if work(p.n) > 3]:
    out.append(a)
[a is b for a, b in zip(out, ps[2:])]
### the first that
q = next(change(p) for p in ps if p.n > 1)
q is ps[2], [p.n for p in ps]
### whether any
found = any(change(p).n > 5 for p in ps)
found, [p.n for p in ps]
### by what they became
out = sorted(ps, key=lambda p: -change(p).n)
[a is b for a, b in zip(out, reversed(ps))], [p.n for p in ps]
### the largest
q = max(ps, key=lambda p: change(p).n)
q is ps[-1], [p.n for p in ps]
### two that are one for the caller
out = [(change(p), p) for p in ps]
[a is b for a, b in out]
### kept and then changed in the notebook
for p in ps:
    q = change(p)
    kept.append([q])
    kept[-1][0].n += 100
[p.n for p in ps], kept[0][0] is ps[0]
### in an object that is made
for p in ps:
    holder = P(work(p.n))
    holder.child = change(p)
    out.append(holder)
[a.child is b for a, b in zip(out, ps)], holder is out[-1]
### error kept
for p in ps:
    try:
        q = fails(p)
        out.append(q)
    except ValueError as error:
        kept.append((p, str(error)))
[a is b for a, b in zip(out, ps)], [(a is ps[n + 4], b) for n, (a, b) in enumerate(kept)]
### what is popped
left = list(ps)
while left:
    p = left.pop()
    out.append(change(p))
[a is b for a, b in zip(out, reversed(ps))]
### flattened
out = [a for p in ps for a in [p.kid(), p.kid()]]
[a is b for a, b in zip(out, [k for p in ps for k in p.kids])]
### the last of a loop inside
for p in ps:
    for l in lists[:3]:
        p.n += work(l[0])
l is lists[2], p is ps[-1]
### which each keeps
for p in ps:
    for l in lists[p.n % 3 :]:
        p.kids.append(l)
        p.n += work(l[0])
[[any(k is l for l in lists) for k in p.kids] for p in ps], [len(p.kids) for p in ps]
### beside each in a list
for p in ps:
    p.n += work(p.n)
    out.append([p, rows, rows[1]["l"]])
[(a is b, c is rows, d is rows[1]["l"]) for (a, c, d), b in zip(out, ps)]
### a set in an order of its own
held = set(range(100))
held -= {*held} - {9, 16}
for p in ps:
    p.n += work(len(held))
    last = [p, held]
last[0] is ps[-1], last[1] is held, list(held)
""")


SHARING = (
    SETUP
    + """
from enum import Enum
import numpy as np

class State(Enum):
    NEW = 1
    DONE = 2

class Job:
    limits = [3, 4]
    def __init__(self, n, config, data, parent, seen):
        self.n, self.config, self.data, self.parent, self.seen = n, config, data, parent, seen
        self.state, self.own, self.next = State.NEW, [], None
    def run(self):
        self.own.append(work(self.n) * self.config["by"] + len(self.parent.name) + self.limits[0])
        self.total = float(self.data.sum()) + self.n
        self.state = State.DONE
        return self
    def note(self):
        self.seen.append(work(self.n))
    def push(self):
        self.n = work(self.n)
        self.next.n += 1
    def up(self):
        self.parent.name += str(work(self.n))

class Parent:
    def __init__(self):
        self.name, self.jobs = "all", []

config, data, parent, common = {"by": 3, "deep": [1]}, np.arange(6.0), Parent(), []
jobs = [Job(n, config, data, parent, common) for n in range(5)]
for a, b in zip(jobs, jobs[1:]):
    a.next = b

class Window:
    def __init__(self, part, lazy):
        self.part, self.lazy, self.total = part, lazy, 0
    def smooth(self):
        self.part[0] = work(int(self.part[1]))
    def look(self):
        self.total = work(self.lazy.value)
    def tick(self):
        self.lazy.times["n"] = work(self.lazy.times["n"])

class Lazy:
    def __init__(self):
        self.times = {"n": 0}
    @functools.cached_property
    def value(self):
        return work(4)

lazy = Lazy()
windows = [Window(data[n:n + 3], lazy) for n in range(4)]
views = [Window(memoryview(bytearray(range(9)))[n:n + 3], lazy) for n in range(4)]
whole = bytearray(range(9))
overlapping = [Window(memoryview(whole)[n:n + 3], lazy) for n in range(4)]
lone = [Job(n, config, data, parent, []) for n in range(5)]
"""
)
READ = cells_of("""
### what all items hold
for j in lone:
    j.run()
[j.total for j in lone], all(j.config is config and j.data is data and j.parent is parent for j in lone)
### what the cell reads too
for j in lone:
    j.run()
    j.own.append(config["by"] + len(parent.name))
[j.own for j in lone], lone[0].config is config
### and collected
out = [j.run() for j in lone]
[a is b and a.state is State.DONE for a, b in zip(out, lone)]
### a state
states = []
for j in lone:
    j.state = State(1 + work(j.n) % 2)
    states.append(j.state)
states
""")
CHANGED = cells_of("""
### a list of all
for j in jobs:
    j.note()
common
### the next one
for j in jobs:
    j.push() if j.next else j.run()
[j.n for j in jobs]
### arrays that overlap
for w in windows:
    w.smooth()
data.tolist()
### views that overlap
for w in overlapping:
    w.smooth()
list(whole)
### what all have is computed when it is asked for
for w in windows:
    w.look()
[w.total for w in windows], vars(lazy)
### a dict that all have, far down
for w in windows:
    w.tick()
lazy.times
### what the cell reads too
for j in lone:
    j.config["by"] += work(config["by"])
config
""")


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", READ)
def test_items_that_change_may_share_what_they_only_read(name: str, how: str) -> None:
    different, ran = programs.compared(READ[name], SHARING, how)
    assert different is None
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", CHANGED)
def test_items_that_change_what_they_share_run_as_the_plain_loop(name: str, how: str) -> None:
    different, ran = programs.compared(CHANGED[name], SHARING, how)
    assert different is None
    assert not ran.cell.lifted


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", CELLS)
def test_what_holds_a_changed_item_holds_the_notebooks_own(name: str, how: str) -> None:
    different, ran = programs.compared(CELLS[name], SETUP, how)
    assert different is None
    assert ran.cell.lifted, ran.reasons


def test_an_item_that_is_collected_as_it_was_stays_so() -> None:
    cell = "for p in ps:\n    out.append(p.n)\n    q = change(p)\n    out.append(q)\nout[::2], out[1] is ps[0]"
    left, program = compiled.run_compiled(cell, SETUP, "processes")
    assert program.lifted
    assert left.value == ([0, 1, 2, 3, 4], True)


@pytest.mark.parametrize("how", ["threads", "processes"])
def test_what_holds_all_items_is_changed_in_their_order(how: str) -> None:
    different, ran = programs.compared("for j in lone:\n    j.up()\nparent.name", SHARING, how)
    assert different is None
    assert ran.cell.lifted
