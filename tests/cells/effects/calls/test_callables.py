"""Methods and functions that are handed to other code do there what they do where they are written out."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

pytest.importorskip("numpy")
SETUP = (
    programs.SLOW
    + """
import collections
import functools
import operator

dd = collections.defaultdict(int, {"a": 1})
words = ["ab", "bc", "cd", "de"]
out, res, lists, store, seen = [], [], [[1], [2]], {}, set()
def add(acc, c):
    acc.append(c)
    return acc
def go(w, get): return slow(1), [get(c) for c in w]
"""
)
CHANGING = cells_of("""
### map append
for w in words:
    slow(1); list(map(out.append, w))
### map append value
t = [(slow(1), list(map(out.append, w))) for w in words]
### map setdefault
t = [(slow(1), list(map(dd.setdefault, w))) for w in words]
### map add
t = [(slow(len(w)), list(map(seen.add, w))) for w in words]
### method kept
add = seen.add
t = [(slow(len(w)), [add(c) for c in w]) for w in words]
### method kept inside
for w in words:
    add = seen.add
    res.append((slow(len(w)), [add(c) for c in w]))
### filter
t = [(slow(1), list(filter(dd.__getitem__, w))) for w in words]
### sorted by pop
t = [(slow(1), sorted(w, key=dd.__getitem__)) for w in words]
### get kept
get = dd.__getitem__
t = [(slow(1), [get(c) for c in w]) for w in words]
### reduce lambda
t = [(slow(1), functools.reduce(lambda d, k: d[k], [w], dd)) for w in words]
### reduce append
t = [(slow(1), len(functools.reduce(lambda acc, c: acc.append(c) or acc, w, out))) for w in words]
### reduce add
t = [(slow(1), len(functools.reduce(add, w, out))) for w in words]
### reduce named
t = [(slow(1), functools.reduce(dict.setdefault, [w], store)) for w in words]
### reduce getitem
t = [(slow(1), functools.reduce(operator.getitem, [w], dd)) for w in words]
### reduce first
t = [(slow(1), len(functools.reduce(add, [out, *w]))) for w in words]
### reduce lists
t = [(slow(1), functools.reduce(operator.iadd, [[w], [w]], out)) for w in words]
out
### accumulate
import itertools
t = [(slow(1), list(itertools.accumulate(w, add, initial=out))[-1][-1]) for w in words]
### max default
t = [(slow(1), max([], default=out).append(w)) for w in words]
### sort key
t = [(slow(1), sorted(lists, key=lambda l: l.append(len(w)) or l[0])) for w in words]
### map lists
t = [(slow(1), list(map(lambda l: l.append(len(w)), lists))) for w in words]
### map two
t = [(slow(1), list(map(list.append, lists, w))) for w in words]
### map iadd
t = [(slow(1), list(map(operator.iadd, lists, [[1], [2]]))) for w in words]
### map dict method
t = [(slow(1), list(map(store.setdefault, w, [[], []]))) for w in words]
store
### map update
t = [(slow(1), store.update(zip(w, w))) for w in words]
### pop passed
def drain(pop): return [pop() for _ in range(2)]
stack = list(range(12))
t = [(slow(1), drain(stack.pop)) for w in words]
### iter sentinel
stack = list(range(12)) + [0]
t = [(slow(1), next(iter(stack.pop, -1))) for w in words]
### deque
q = collections.deque(maxlen=3)
t = [(slow(1), list(map(q.append, w))) for w in words]
q
### extend star
t = [(slow(1), [*map(out.extend, [w, w])]) for w in words]
### any
seen = set()
t = [(slow(1), any(map(seen.add, w))) for w in words]
sorted(seen)
### writer
import io
buf = io.StringIO()
t = [(slow(1), list(map(buf.write, w))) for w in words]
buf.getvalue()
### rng
import random
rng = random.Random(3)
t = [(slow(1), list(map(rng.choice, [w, w]))) for w in words]
### numpy rng
import numpy as np
gen = np.random.default_rng(3)
t = [(slow(1), list(map(gen.integers, [9, 9]))) for w in words]
### numpy global
np = __import__("numpy")
np.random.seed(3)
t = [(slow(1), list(map(np.random.randint, [9, 9]))) for w in words]
### array fill
np = __import__("numpy")
arr = np.zeros(3)
t = [(slow(1), list(map(arr.fill, [len(out) + 2.0]))) for w in words]
### iterator next
it = iter("abcdefgh")
t = [(slow(1), it.__next__()) for w in words]
### own method left
t = []
for w in words:
    own = []
    push = own.append
    for c in w: push((c, slow(1)))
    t.append(own)
t[-1] is push.__self__
push = None
### outer method kept in loop
for w in words:
    push = out.append
    push(slow(len(w)))
push.__self__ is out
push = None
### methods in a dict
ops = {"up": str.upper, "put": out.append}
for w in words:
    ops["put"]((ops["up"](w), slow(1)))
ops = None
### methods in own dict
for w in words:
    ops = {"up": w.upper, "put": out.append}
    ops["put"]((ops["up"](), slow(1)))
ops = None
### iterator kept
it = iter("abcdefgh")
nxt = it.__next__
t = [(slow(1), nxt()) for w in words]
left = list(it)
del nxt, it
""")
OWN = cells_of("""
### own list
t = []
for w in words:
    own = []
    list(map(own.append, w))
    slow(1)
    t.append(own)
### own method kept
t = []
for w in words:
    own = []
    push = own.append
    for c in w: push((c, slow(1)))
    t.append(own)
push = None
### sorted get
t = [(slow(1), sorted(w, key=dd.get)) for w in "ab"]
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHANGING)
def test_what_is_changed_by_a_callable_ends_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(CHANGING[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", OWN)
def test_what_changes_an_object_of_the_item_stays_with_the_workers(name: str, how: str) -> None:
    ran = programs.alike(OWN[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
