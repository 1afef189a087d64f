"""Properties, descriptors and hooks of the notebook's classes that are reached by a name which no line spells out."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import functools, inspect, operator, types, typing

xs = [3, 1, 4, 1, 5]
log = []
class P:
    def __init__(self, n): self.n = n
    @property
    def v(self): log.append(self.n); return self.n
    @v.setter
    def v(self, k): log.append(k)
    @v.deleter
    def v(self): log.append(-self.n)
ps = [P(x) for x in xs]
class Cnt:
    def __init__(self, f): self.f, self.k = f, 0
    def __call__(self, x): self.k += 1; return self.f(x)
class S:
    w = Cnt(slow)
    def __init__(self, n): self.n = n
    def go(self): return self.w(self.n)
ss = [S(x) for x in xs]
"""
)
REACHED = cells_of("""
### hasattr
for p in ps: slow(hasattr(p, "v"))
### getattr default
for p in ps: slow(getattr(p, "v", 0))
### getattr of a name
for p, a in zip(ps, "vvvvv"): slow(getattr(p, a))
### setattr of a name
for p, a in zip(ps, "vvvvv"): setattr(p, a, slow(2))
### setattr
for p in ps: setattr(p, "v", slow(2))
### delattr
for p in ps: slow(1); delattr(p, "v")
### del
for p in ps: slow(1); del p.v
### del by a hook
class K:
    def __init__(self, n): self.n = n
    def __delattr__(self, a): log.append(a); object.__delattr__(self, a)
ks = [K(x) for x in xs]
for k in ks: slow(1); del k.n
### del by a descriptor
class D:
    def __set__(self, o, v): pass
    def __delete__(self, o): log.append(o.n)
class K:
    d = D()
    def __init__(self, n): self.n = n
ks = [K(x) for x in xs]
for k in ks: slow(1); del k.d
### format
for p in ps: slow(p.n); "{0.v}".format(p)
### format_map
for p in ps: slow(p.n); "{p.v}".format_map({"p": p})
### format of a text that is made
for p in ps: slow(p.n); ("{0." + "v}").format(p)
### members
for p in ps: slow(p.n); inspect.getmembers(p)
### protocol
@typing.runtime_checkable
class HasV(typing.Protocol):
    v: int
for p in ps: slow(isinstance(p, HasV))
### match of a mapping
class MD(dict):
    def get(self, k, d=None): log.append(k); return super().get(k, d)
ms = [MD(a=x) for x in xs]
for m in ms:
    match m:
        case {"a": k}: slow(k)
### match of a sequence
class Sq(list):
    def __len__(self): log.append(1); return super().__len__()
for x in xs:
    match Sq([x, 2]):
        case [a, b]: slow(a)
### match of a class
for p in ps:
    match p:
        case P(v=1): slow(1)
        case _: slow(2)
### a descriptor of a class
class D:
    def __init__(self): self.gets = 0
    def __get__(self, o, t=None): self.gets += 1; return 2
class K: a = D()
for x in xs: slow(K.a)
n = vars(K)["a"].gets
### a descriptor that counts
class D:
    def __init__(self): self.gets = 0
    def __get__(self, o, t=None): self.gets += 1; return 2
    def __set__(self, o, v): o.__dict__["a"] = v
class K: a = D()
ks = [K() for x in xs]
for k in ks: k.a = 1
for k in ks: slow(k.a)
n = vars(K)["a"].gets
### a callable object of a class
for s in ss: s.go()
n = S.w.k
### a decorator that is an object
class CC:
    def __init__(self, f): self.f, self.n = f, 0
    def __call__(self, *a): self.n += 1; return self.f(*a)
    def __get__(self, o, t=None): return self if o is None else types.MethodType(self, o)
class K:
    @CC
    def go(self): return slow(1)
ks = [K() for x in xs]
for k in ks: k.go()
n = K.go.n
### a property that counts
class PO(property):
    hits = 0
    def __get__(self, o, t=None):
        if o is not None: self.hits += 1
        return super().__get__(o, t)
class K:
    @PO
    def v(self): return slow(2)
ks = [K() for x in xs]
for k in ks: k.v
n = vars(K)["v"].hits
### the setter of a property
class Pr:
    n = 0
    def put(self, v): self.n = v
    v = property(None, put)
po = Pr()
def f(x): Pr.v.fset(po, x); return slow(x), po.n
res = [f(x) for x in xs]
### the setter of a property by its method
class Pr:
    n = 0
    def put(self, v): self.n = v
    v = property(None, put)
po = Pr()
def f(x): Pr.v.__set__(po, x); return slow(x), po.n
res = [f(x) for x in xs]
### the function of a method
class Pr:
    n = 0
    def put(self, v): self.n = v
po = Pr()
def f(x): po.put.__func__(po, x); return slow(x), po.n
res = [f(x) for x in xs]
### a partial method
class K:
    def add(self, a, b): log.append((a, b))
    add5 = functools.partialmethod(add, 5)
def f(x): K().add5(x); return slow(x)
res = [f(x) for x in xs]
### a partial method that is kept
class K:
    def add(self, a, b): log.append((a, b))
    add5 = functools.partialmethod(add, 5)
k = K()
def f(x): put = k.add5; put(x); return slow(x)
res = [f(x) for x in xs]
### a method of one class or another
class K:
    @functools.singledispatchmethod
    def go(self, a): log.append(a)
    @go.register
    def _(self, a: str): pass
def f(x): K().go(x); return slow(x)
res = [f(x) for x in xs]
""")
SEEN = cells_of("""
### a hook for every attribute
class K:
    def __init__(self, n): self.n = n
    def __getattribute__(self, a):
        log.append(a); return object.__getattribute__(self, a)
ks = [K(x) for x in xs]
for k in ks: k.n = slow(k.n)
t = list(log); ks = k = None
### a class that tells itself
class K:
    def __init__(self, n): self.n = n
    @property
    def __class__(self): log.append(1); return K
ks = [K(x) for x in xs]
for k in ks: slow(k.n)
t = list(log); ks = k = None
### a module that tells itself
class K:
    @property
    def __module__(self): return "m"
k = K()
for x in xs: slow(x)
k = None
### objects that are looked at for a call with keys
class K:
    seen = 0
    def __init__(self, n): self.n = n
    def __getattribute__(self, a):
        K.seen += 1; return object.__getattribute__(self, a)
ordered = sorted(xs, key=lambda x: slow(K(x).n))
t = K.seen; del K
### objects that are looked at in a function
class K:
    seen = 0
    def __init__(self, n): self.n = n
    def __getattribute__(self, a):
        K.seen += 1; return object.__getattribute__(self, a)
def run(xs):
    found = []
    for x in xs: found.append(slow(K(x).n))
    return found
res = run(xs); t = K.seen; del K
""")
PLAIN = cells_of("""
### names that are known
class K:
    def __init__(self, n): self.n = n
    def total(self): self.n += 1; return slow(self.n)
ks = [K(x) for x in xs]
res = [(getattr(k, "n", 0), hasattr(k, "total"), slow(k.n)) for k in ks]
### a property that only looks
class K:
    def __init__(self, n): self.n = n
    @property
    def half(self): return self.n / 2
ks = [K(x) for x in xs]
res = [(getattr(k, a), "{0.half}".format(k), slow(k.n)) for k, a in zip(ks, ["half"] * 5)]
### a callable of a class
class K:
    norm = abs
    def __init__(self, n): self.n = n
    def go(self): return slow(self.norm(self.n))
ks = [K(x) for x in xs]
res = [k.go() for k in ks]
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", [*REACHED, *SEEN])
def test_attributes_reached_by_their_names_end_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared({**REACHED, **SEEN}[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_attributes_that_change_nothing_stay_with_the_workers(name: str, how: str) -> None:
    ran = programs.alike(PLAIN[name], SETUP, how)
    assert ({lifted.staying for lifted in ran.cell.lifted}, ran.reasons) == ({""}, "")


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_method_that_is_asked_for_by_its_name_is_called_in_the_notebook(how: str) -> None:
    setup = f"{SETUP}\nclass Kept:\n    def __init__(self): self.got = []\n    def add(self, x):\n"
    setup += "        v = slow(x)\n        getattr(self.got, 'append')(v)\n        return v\nkept = Kept()\n"
    different, ran = programs.compared("r = [kept.add(x) for x in xs]", setup, how)

    assert different is None
    assert ran.cell.lifted, ran.reasons
