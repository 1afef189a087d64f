"""What installed code does with the notebook's methods, descriptors, keywords and generators is followed."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

pytest.importorskip("numpy")
SETUP = (
    programs.SLOW
    + """
import ast, collections, copy, decimal, html.parser, random, string, textwrap
from decimal import Decimal
import numpy as np

xs = [3, 1, 4, 1, 5, 9]
seen, out, ls = [], [], []
class Param:
    def __init__(self, n): self.n = n
    def __get__(self, o, t=None): return self if o is None else o.__dict__[self.n]
    def __set__(self, o, v): seen.append(v); o.__dict__[self.n] = v
class E: a = Param("_a")
es = [E() for k in xs]
class Deco:
    def __init__(self, f): self.f = f
    def __get__(self, o, t=None): seen.append(1); return lambda x: self.f(o, x)
class M:
    @Deco
    def fit(self, x): return slow(x)
m = M()
rng, nrng, old = random.Random(5), np.random.default_rng(3), np.random.RandomState(4)
"""
)
CHANGING = cells_of("""
### set
for e, x in zip(es, xs): e.a = slow(x)
e = None
### set aug
for e in es: e._a = 1
for e, x in zip(es, xs): e.a += slow(x)
e = None
### deco
res = [m.fit(x) for x in xs]
### by name
def f(u, x): getattr(ls, u)(x); slow(1); return len(ls)
res = [f(u, x) for u, x in [("append", 1), ("append", 2), ("extend", [3]), ("append", 4)]]
### by name method kept
def f(u, x):
    put = getattr(ls, u)
    put(x); slow(1); return len(ls)
res = [f(u, x) for u, x in [("append", 1), ("append", 2), ("extend", [3]), ("append", 4)]]
### kw
kw = {"overwrite_input": True}; a = np.array([9., 1, 7, 3, 5, 2, 8])
res = [(float(np.median(a, **kw)), a.tolist(), slow(x)) for x in xs]
### copy int
a = np.array([1., float("nan")])
res = []
for x in xs:
    res.append((slow(x), str(a[1]))); np.nan_to_num(a, copy=0)
### percentile
a = np.array([9., 1, 7, 3, 5, 2, 8])
def f(q): return float(np.percentile(a, q, overwrite_input=True)), a.tolist(), slow(q)
res = [f(q) for q in (10, 90, 50, 30, 70)]
### quantile
a = np.array([9., 1, 7, 3, 5, 2, 8])
def f(q): return float(np.quantile(a, q, None, None, True)), a.tolist(), slow(1)
res = [f(q) for q in (.10, .90, .50, .30, .70)]
### callbacks
class R:
    def __init__(self, callbacks=None): self.callbacks = callbacks
    def fit(self, x):
        for c in self.callbacks or (): c(x)
        return slow(x)
base = R([lambda e: seen.append(e)])
res = []
for a in xs:
    mm = R(copy.deepcopy(base.callbacks)); res.append(mm.fit(a))
base = mm = None
### draw
draw = nrng.normal
res = [slow(x) + draw() for x in xs]
draw = None
### draw old
draw = old.normal
res = [slow(x) + draw() for x in xs]
draw = None
### context
ctx = decimal.getcontext()
def f(x): slow(x); ctx.prec = 5; return Decimal(1) / 7
res = [f(x) for x in xs]
ctx.prec = 28; ctx = None
### html
class HP(html.parser.HTMLParser):
    def handle_data(self, d): out.append(d)
def f(x): h = HP(); h.feed("<a>%d</a>" % slow(x)); h.close()
res = [f(x) for x in xs]
### visitor
class V(ast.NodeVisitor):
    def visit_Name(self, n): out.append(n.id)
def f(x): V().visit(ast.parse("a%d" % x)); return slow(x)
res = [f(x) for x in xs]
### formatter
class Fmt(string.Formatter):
    def get_value(self, key, args, kw): out.append(key); return len(out)
def f(x): return Fmt().format("{a}"), slow(x)
res = [f(x) for x in xs]
### wrapper
class TW(textwrap.TextWrapper):
    def _split(self, t): out.append(t); return super()._split(t)
def f(x): return TW().fill("a %d" % slow(x))
res = [f(x) for x in xs]
### userdict
class UD(collections.UserDict):
    def __setitem__(self, k, v): out.append(k); super().__setitem__(k, v)
def f(x): UD({x: 1}); return slow(x)
res = [f(x) for x in xs]
""")
OWN = cells_of("""
### own parser
class Own(html.parser.HTMLParser):
    def __init__(self): super().__init__(); self.found = []
    def handle_data(self, d): self.found.append(d)
def f(x):
    h = Own(); h.feed("<a>%d</a>" % slow(x)); return h.found
res = [f(x) for x in xs]
### own visitor
class VV(ast.NodeVisitor):
    def __init__(self): self.found = []
    def visit_Name(self, n): self.found.append(n.id); self.generic_visit(n)
def f(x):
    v = VV(); v.visit(ast.parse("a%d" % slow(x))); return v.found
res = [f(x) for x in xs]
### a number of the module's
res = [(slow(x), getattr(np, name)(x)) for x, name in zip(xs, ["sin", "cos", "tan", "exp", "sin", "cos"])]
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHANGING)
def test_what_installed_code_calls_ends_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(CHANGING[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", OWN)
def test_what_changes_only_the_item_s_own_stays_with_the_workers(name: str, how: str) -> None:
    ran = programs.alike(OWN[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
