"""Attributes that are read and set by `vars` and `__dict__`, and what copies hold, end as plainly."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import copy

class Acc:
    def __init__(self, n): self.n, self.log = n, []
    def __eq__(self, o): return self.__dict__ == o.__dict__
    __hash__ = object.__hash__
    def hit(self, v):
        self.log.append(slow(v))
        return len(self.log)
    def set(self, **params):
        vars(self).update(params)
        return self
    def keep(self, name, v):
        vars(self)[name] = v
        return self
    def keep2(self, name, v):
        self.__dict__[name] = v
        return self
    def keep3(self, **kw):
        self.__dict__.update(kw)
        return self
    def pick(self): return {k: v for k, v in vars(self).items() if k != "log"}
class H:
    def __init__(self, a): self.a = a
    def __eq__(self, o): return self.a == o.a
accs = [Acc(k) for k in range(4)]
one = Acc(9)
h = H(accs[0])
words = [3, 1, 4, 1]
out = []
"""
)
SHARED = cells_of("""
### set on one
for w in words: slow(w); one.set(n=w)
### keep on one
for w in words: out.append((slow(w), one.n)); one.keep("n", w)
### keep2 on one
for w in words: out.append((slow(w), one.n)); one.keep2("n", w)
### keep3 on one
for w in words: out.append((slow(w), one.n)); one.keep3(n=w)
### set items other
for a in accs: a.set(other=one); a.other.hit(a.n)
### keep2 items other
for a in accs: a.keep2("other", one); a.other.hit(a.n)
### keep3 items other
for a in accs: a.keep3(other=one); a.other.hit(a.n)
### pick one
for w in words: out.append((slow(w), one.pick()["n"])); one.n += 1
### made update
for w in words:
    o = H(None)
    vars(o).update(a=accs[0])
    o.a.hit(w)
o = None
### made dict update
for w in words:
    o = H(None)
    o.__dict__.update(a=accs[0])
    o.a.hit(w)
o = None
### made item
for w in words:
    o = H(None)
    vars(o)["a"] = accs[0]
    o.a.hit(w)
o = None
### made new
for w in words:
    o = object.__new__(H)
    o.__dict__.update(vars(h))
    o.a.hit(w)
o = None
### made copied dict
for w in words:
    o = H(1)
    o.__dict__ = dict(vars(h))
    o.a.hit(w)
o = None
### dict kept
for w in words:
    d = vars(one)
    d["n"] += slow(w)
d = None
### dict kept outside
d = vars(one)
for w in words:
    d["n"] += slow(w)
d = None
### dict kept outside 2
d = one.__dict__
for w in words:
    one.n += slow(w)
    out.append(d["n"])
d = None
### deep set outer
for w in words: copy.deepcopy(one).set(a=accs[0]).a.hit(slow(w))
### deep inner
one.inner = Acc(3)
for w in words: copy.deepcopy(one).inner.hit(slow(w)); one.inner.n += 1
out.append(one.inner)
### deep then shared
for w in words:
    c = copy.deepcopy(one)
    c.log.append(slow(w))
    c.log = one.log
    c.log.append(w)
c = None
### deep class attr
Acc.every = []
for w in words: copy.deepcopy(one).every.append(slow(w))
out = Acc.every
del Acc.every
### deep func
one.fn = accs[0].hit
for w in words: copy.deepcopy(one).fn(slow(w))
one.fn = None
### deep lambda
one.fn = lambda v: accs[0].hit(v)
for w in words: copy.deepcopy(one).fn(slow(w))
one.fn = None
### deep tuple
one.t = (1, accs)
for w in words: copy.deepcopy(one).t[1][0].hit(slow(w))
one.t = None
### deep list
for w in words: copy.deepcopy(accs)[1].hit(slow(w))
### deep hook
class K(Acc):
    def __deepcopy__(self, memo): return accs[1]
one = K(2)
for w in words: copy.deepcopy(one).hit(slow(w))
one = None
### deep later attr
for w in words:
    one.more = accs[1]
    copy.deepcopy(one).more.hit(slow(w))
    one.more.hit(w)
one.more = None
### deep reduce
class K(Acc):
    def __reduce_ex__(self, n): return (pick, ())
def pick(): return accs[1]
one = K(2)
for w in words: copy.deepcopy(one).hit(slow(w))
one = None
### vars none
def f(w):
    q = slow(w)
    return sorted(vars())
for w in words: out.append(f(w))
### vars star
def f(*a):
    return sorted(vars(*a)), slow(1)
for w in words: out.append(f())
### dict outside, object inside
d = vars(one)
for w in words:
    d["n"] = w
    out.append(slow(one.n))
d = None
### object outside, dict inside
d = vars(one)
for w in words:
    one.n = w
    out.append(slow(d["n"]))
d = None
### both
d = vars(one)
for w in words:
    d["n"] += w
    out.append(slow(vars(one)["n"]))
d = None
### in functions
d = vars(one)
def put(w): d["n"] = w
def get(w): return slow(one.n)
for w in words:
    put(w)
    out.append(get(w))
d = None
### or
for w in words:
    one.__dict__ |= {"n": w}
    out.append(slow(one.n))
### del
for w in words:
    one.m = w
    out.append(slow(one.m))
    del one.__dict__["m"]
### pop
for w in words:
    vars(one)["m"] = w
    out.append(slow(vars(one).pop("m")))
""")
GIVEN_BACK = cells_of("""
### deep hook inner 3
class K(Acc):
    def __deepcopy__(self, memo): return accs[1]
h.k = [{"a": K(2)}]
for w in words: copy.deepcopy(h).k[0]["a"].hit(slow(w))
h.k = None
### pick shared
for w in words: slow(w); vars(one)["log"].append(w)
### pick values
for w in words: slow(w); list(vars(one).values())[1].append(w)
### pick items
for w in words:
    slow(w)
    for k, v in vars(one).items():
        if k == "log": v.append(w)
k = v = None
### deep hook inner
class K(Acc):
    def __deepcopy__(self, memo): return accs[1]
h.k = K(2)
for w in words: copy.deepcopy(h).k.hit(slow(w))
h.k = None
### deep hook deeper
class K(Acc):
    def __deepcopy__(self, memo): return accs[1]
h.k = H(H(H(H(H(K(2))))))
for w in words: copy.deepcopy(h).k.a.a.a.a.a.hit(slow(w))
h.k = None
""")
OWN = cells_of("""
### set items
for a in accs: a.set(n=slow(a.n))
### set items keep
for a in accs: a.keep("n", slow(a.n)); a.keep2("m", slow(2)); a.keep3(z=slow(a.n))
### pick
for a in accs: out.append((slow(a.n), a.pick()))
### deep set
for w in words: out.append(copy.deepcopy(one).set(n=slow(w)).n)
### deep keeps
for w in words: out.append(copy.deepcopy(one)); out[-1].hit(w)
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", SHARED)
def test_what_is_reached_by_attributes_and_copies_ends_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(SHARED[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("name", GIVEN_BACK)
def test_what_is_found_by_attributes_and_copies_ends_as_plainly(name: str) -> None:
    different, ran = programs.compared(GIVEN_BACK[name], SETUP, "threads")
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", OWN)
def test_an_item_s_attributes_and_copies_stay_with_the_workers(name: str, how: str) -> None:
    ran = programs.alike(OWN[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
