"""Loops over objects that a body finds another way as well, as all pairs do: what it changes there is no item's own."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

pytest.importorskip("pandas")
SETUP = (
    programs.SLOW
    + """
import numpy as np
import pandas as pd

class Acc:
    def __init__(self, n):
        self.n, self.log = n, []
    def __eq__(self, other):
        return vars(self) == vars(other)
    def hit(self, v):
        self.log.append(slow(v))
    __hash__ = object.__hash__

accs = [Acc(k) for k in range(5)]
others = accs[::-1]
lists = [[k] for k in range(5)]
arrs = [np.zeros(3) for k in range(4)]
by = {a.n: a for a in accs}
ser = pd.Series(accs)
"""
)
CHANGED = cells_of("""
### all of them
for a in accs:
    for b in accs:
        b.log.append(slow(a.n))
### indexed
for a in accs:
    accs[0].log.append(slow(a.n))
### indexed by item
for a in accs:
    accs[(a.n + 1) % 5].log.append(slow(a.n))
### sliced
for a in accs:
    for b in accs[1:]:
        b.log.append(slow(a.n))
### others
for a in accs:
    for b in others:
        b.log.append(slow(a.n))
### not itself
for a in accs:
    for b in accs:
        if b is not a:
            b.hit(a.n)
### lists
for l in lists:
    for m in lists:
        m.append(slow(l[0]))
### arrays
for x in arrs:
    for y in arrs:
        y += slow(x[0] + 1)
### values
for a in by.values():
    for b in by.values():
        b.log.append(slow(a.n))
### keyed
for k, a in by.items():
    for j in by:
        by[j].log.append(slow(a.n))
### enumerate
for i, a in enumerate(accs):
    for j, b in enumerate(accs):
        b.log.append(slow(a.n))
### function
def hit_all(v):
    for b in accs:
        b.log.append(slow(v))
for a in accs:
    hit_all(a.n)
### function given
def hit_all(v, every):
    for b in every:
        b.log.append(slow(v))
for a in accs:
    hit_all(a.n, accs)
### reads what changes
for a in accs:
    a.n = sum(slow(b.n) for b in accs) % 17
### comprehension
t = [[b.hit(a.n) for b in accs] for a in accs]
### series
for a in ser:
    for b in ser:
        b.log.append(slow(a.n))
### map
def go(a):
    for b in accs: b.hit(a.n)
    return a
t = list(map(go, accs))
### while
for a in accs:
    k = 0
    while k < len(accs):
        accs[k].hit(a.n)
        k += 1
### sorted
for a in accs:
    for b in sorted(accs, key=lambda b: -b.n):
        b.hit(a.n)
### filter
for a in accs:
    for b in filter(lambda b: b.n != a.n, accs):
        b.hit(a.n)
### max
for a in accs:
    b = max(accs, key=lambda b: len(b.log))
    b.hit(a.n)
### reads others
for a in accs:
    a.n = sum(slow(b.n) for b in others) % 17
### reads itself indexed
for a in accs:
    a.n = slow(accs[0].n + accs[-1].n) % 17
### neighbours
for i, a in enumerate(accs):
    a.n = slow(a.n + accs[i - 1].n) % 17
### arrays read
for x in arrs:
    x += sum(slow(y[0] + 1) for y in arrs)
### dict rows same
rows = [{"n": k, "t": 0} for k in range(5)]
for r in rows:
    r["n"] = sum(slow(q["n"]) for q in rows) % 17
### tuples
pairs = [(k, [k]) for k in range(5)]
for k, l in pairs:
    for j, m in pairs:
        m.append(slow(k))
### tuples read
pairs = [(k, [k]) for k in range(5)]
for k, l in pairs:
    l.append(sum(slow(m[-1]) for j, m in pairs) % 101)
### part of holder two names
class H: pass
h = H(); h.all = accs
for a in accs:
    for b in h.all:
        b.log.append(slow(a.n))
### in a class
class World:
    def __init__(self): self.all = [Acc(k) for k in range(5)]
    def step(self):
        for a in self.all:
            for b in self.all:
                b.log.append(slow(a.n))
    def read(self):
        for a in self.all:
            a.n = slow(sum(b.n for b in self.all)) % 101
    def __eq__(self, o): return vars(self) == vars(o)
w = World()
w.step(); w.read()
[a.log for a in w.all], [a.n for a in w.all]
### dict of dicts in place
cells = {k: {"n": k, "t": 0} for k in range(5)}
for k, r in cells.items():
    r["n"] = slow(sum(cells[j]["n"] for j in cells)) % 101
### looked at while they are walked
for a in (a for a in accs if sum(b.n for b in accs) < 30):
    a.n += slow(a.n) % 7 + 3
[a.n for a in accs]
### looked at deeper
for a in (a for a in accs if sum(len(b.log) for b in accs) < 3):
    a.hit(a.n)
### looked at by a function
def calm(a):
    return sum(len(b.log) for b in accs) < 3
for k, a in enumerate(filter(calm, accs)):
    a.hit(a.n)
### looked at by a method
def calm(self):
    return sum(b.n for b in accs) < 30
Acc.calm = calm
for a in (a for a in accs if a.calm()):
    a.n += slow(a.n) % 7 + 3
[a.n for a in accs]
### looked at through the class
Acc.every = accs
for a in (a for a in accs if sum(b.n for b in a.every) < 30):
    a.n += slow(a.n) % 7 + 3
Acc.every = None
[a.n for a in accs]
### looked at by a generator function
def calm(every):
    for k, a in enumerate(every):
        if sum(len(b.log) for b in every) < 3:
            yield k, a
for k, a in calm(accs):
    a.hit(a.n)
### two that are one
accs = accs + accs
for a in (a for a in accs if a.n < 5):
    a.n += slow(a.n) % 7 + 5
[a.n for a in accs]
### neighbours in place
class B:
    def __init__(self, n): self.n, self.near, self.next = n, [], 0
    def __eq__(self, o): return vars(self) == vars(o)
    def step(self): self.n = sum(slow(o.n) for o in self.near) % 101
bs = [B(k) for k in range(5)]
for b, o in zip(bs, bs[1:]): b.near.append(o); o.near.append(b)
for b in bs: b.step()
t = [b.n for b in bs]
bs = None
b = o = None
""")
APART = cells_of("""
### looked at alone
least = 1
for a in (a for a in accs if a.n > least):
    a.n += slow(a.n)
### looked at alone by a method
def is_odd(self):
    return self.n % 2
Acc.is_odd = is_odd
for a in (a for a in accs if a.is_odd()):
    a.n += slow(a.n)
### what they hold, with their places
for k, a in enumerate(accs):
    a.hit(k)
    a.n = len(a.log)
    other = Acc(a.n)
### what they hold, with others
for size, a in zip([3, 1, 4, 1, 5], accs):
    a.log.append(slow(a.n) + size + len(a.log))
    a.n += size
### read by all
for a in accs:
    a.total = sum(slow(b.n) for b in accs)
### by another name
for a in accs:
    a.total = sum(slow(b.n) for b in others)
### calls
def pull(a, b): return slow(a.n - b.n)
for a in accs:
    a.total = sum(pull(a, b) for b in accs)
### under a condition
for a in accs:
    a.total = 0
    for b in accs:
        if b.n != a.n:
            a.total += slow(b.n)
### len
for a in accs:
    a.total = slow(len(accs) + a.n)
### handed on
def stat(a, every): return slow(len(every) + a.n + max(b.n for b in every))
for a in accs:
    a.total = stat(a, accs)
### max inline
for a in accs:
    a.total = max(slow(b.n) for b in accs)
### in a function
def stat(a, every):
    t = 0
    for b in every: t += slow(b.n)
    return t + a.n
for a in accs:
    a.total = stat(a, accs)
### method
class B:
    def __init__(self, n): self.n, self.f = n, 0
    def __eq__(self, o): return vars(self) == vars(o)
    def update(self, every):
        self.f = 0
        for o in every:
            if o.n != self.n:
                self.f += slow(self.n - o.n)
    def force(self, o): return slow(self.n - o.n)
    def total(self, every): return sum(self.force(o) for o in every)
bs = [B(k) for k in range(5)]
for b in bs: b.update(bs)
### method value
class B:
    def __init__(self, n): self.n, self.f = n, 0
    def __eq__(self, o): return vars(self) == vars(o)
    def force(self, o): return slow(self.n - o.n)
    def total(self, every): return sum(self.force(o) for o in every)
bs = [B(k) for k in range(5)]
for b in bs: b.f = b.total(bs)
### neighbours kept
class B:
    def __init__(self, n): self.n, self.near, self.next = n, [], 0
    def __eq__(self, o): return vars(self) == vars(o)
    def step(self): self.next = sum(slow(o.n) for o in self.near)
    def turn(self): self.n = self.next
bs = [B(k) for k in range(5)]
for b, o in zip(bs, bs[1:]): b.near.append(o); o.near.append(b)
for b in bs: b.step()
for b in bs: b.turn()
t = [b.n for b in bs]
bs = None
b = o = None
### how many there are
for a in accs:
    t = len(accs)
    for b in accs: t += slow(b.n)
    a.total = t
""")


ONE = """
from itertools import chain, combinations, cycle, product, repeat, zip_longest

class Counter:
    def __init__(self, n):
        self.n, self.log = n, []
    def __eq__(self, other):
        return vars(self) == vars(other)
    def hit(self, v):
        self.n += slow(v)
        self.log.append(self.n)
        return self.n

def same(count):
    one = Counter(1)
    return [one for _ in range(count)]

def given(count):
    one = Counter(1)
    for _ in range(count):
        yield one

out, every = [], []
"""
HELD_BY_SEVERAL = (
    "a, v in zip([Counter(1)] * 4, range(4))",
    "v, a in enumerate([Counter(1)] * 4)",
    "v, a in enumerate(given(4))",
    "a, v in product([Counter(1), Counter(2)], range(3))",
    "v, a in zip(range(5), cycle([Counter(1), Counter(2)]))",
    "a, v in zip(repeat(Counter(1), 3), range(3))",
    "v, a in zip(range(3), chain(same(2), [Counter(5)]))",
    "v, a in zip_longest(range(3), [Counter(4)], fillvalue=Counter(9))",
    "a, v in ((a, v) for a in [Counter(1), Counter(2)] for v in range(2))",
    "a, v in ((a, v) for a in map(Counter, range(2)) for v in range(2))",
    "a, v in ((a, 1) for a in [Counter(1)] * 3)",
)
"""What gives items that hold one object, made where the loop begins."""
OWN = (
    "a, v in zip([Counter(1), Counter(2), Counter(3)], range(3))",
    "v, a in enumerate(map(Counter, range(4)))",
    "v, a in enumerate(Counter(k) for k in range(4))",
)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("head", [*HELD_BY_SEVERAL, *OWN])
def test_what_is_made_where_a_loop_begins_may_be_in_several_items(head: str, how: str) -> None:
    cell = f"for {head}:\n    every.append(a)\n    out.append(a.hit(v))\na = None"
    different, ran = programs.compared(cell, SETUP + ONE, how)
    assert (different, ran.left.error) == (None, None)
    assert head not in OWN or "loop" in [lifted.loop.kind for lifted in ran.cell.lifted], ran.reasons


def test_pairs_of_what_is_made_where_a_loop_begins_end_as_plainly() -> None:
    cell = "for a, b in combinations([Counter(k) for k in range(4)], 2):\n    out.append(a.hit(b.n))\na = b = None"
    different, ran = programs.compared(cell, SETUP + ONE, "processes")
    assert (different, ran.left.error) == (None, None)


LISTS_GIVEN = (
    "d, v in product([[]], range(4))",
    "v, d in product(range(3), [[5], [6]])",
    "d, e in product([[1], [2]], repeat=2)",
    "d, v in zip(*[[[]] * 4, range(4)])",
    "d, v in zip_longest([[1], [2]], range(4), fillvalue=shared)",
    "d, e in combinations([[1], [2], [3]], 2)",
    "d, e in permutations([[1], [2], [3]], 2)",
    "d, e in pairwise([[1], [2], [3]])",
    "d in repeat([], 4)",
    "d in repeat(object=shared, times=4)",
    "k, (d, *r) in groupby([[1], [2], [1, 2]], key=len)",
    "k, (d, *r) in enumerate(product([[]], range(3)))",
)
"""What gives lists that an item may change, in tuples or as they are."""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("head", LISTS_GIVEN)
def test_lists_that_iterators_give_end_as_plainly(head: str, how: str) -> None:
    setup = SETUP + "from itertools import *\nshared, every = [], []\ndef grow(d):\n    d.append(slow(len(d)))\n"
    different, ran = programs.compared(f"for {head}:\n    grow(d)\n    every.append(d)\nd = e = None", setup, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHANGED)
def test_items_that_are_met_again_end_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(CHANGED[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", APART)
def test_items_of_which_others_read_what_none_changes_run_in_workers(name: str, how: str) -> None:
    ran = programs.alike(APART[name], SETUP, how)
    assert "loop" in [lifted.loop.kind for lifted in ran.cell.lifted], ran.reasons
