"""Installed objects that hold functions of the notebook's call them: what these change is followed there."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

pytest.importorskip("numpy")
SETUP = """
import numpy as np
state = {"n": 0}
def bump(x):
    state["n"] += 1
    return x + state["n"]
class C:
    def __init__(self): self.n = 0
    def add(self, x):
        self.n += 1
        return x + self.n
counter = C()
square = np.arange(6.).reshape(2, 3)
xs = [3, 1, 4]
out = []
"""
HOLDING = cells_of("""
### vec
for n in [1, 2]: r = np.vectorize(bump, otypes=[float])(square)
### vec plain
for n in [1, 2]: r = np.vectorize(bump)(square)
### vec kept
v = np.vectorize(bump, otypes=[float])
for n in [1, 2]: r = v(square)
v = None
### vec method
for n in [1, 2]: out.append(np.vectorize(counter.add, otypes=[float])(square))
### frompy
for n in [1, 2]: out.append(np.frompyfunc(bump, 1, 1)(square))
### live frompy
fp = np.frompyfunc(bump, 1, 1)
for n in [1, 2]: out.append(fp(square))
fp = None
### reduce ufunc
fp = np.frompyfunc(lambda a, b: bump(a) + b, 2, 1)
for n in [1, 2]: out.append(fp.reduce(square.astype(object)))
fp = None
### piecewise
for n in [1, 2]: out.append(np.piecewise(square, [square < 3], [bump, 2]))
### decorated
@np.vectorize
def vb(x):
    state["n"] += 1
    return x + state["n"]
for n in [1, 2]: out.append(vb(square))
vb = None
### sig
for n in [1, 2]: out.append(np.vectorize(lambda r: bump(r.sum()), signature="(k)->()")(square))
### excluded
for n in [1, 2]: out.append(np.vectorize(lambda a, b: bump(a) + b, excluded=["b"])(square, b=1))
### key func
import functools
key = functools.cmp_to_key(lambda a, b: bump(a) - b)
for n in [1, 2]: out.append(sorted(xs, key=key))
key = None
### json encoder
import json
enc = json.JSONEncoder(default=lambda o: bump(1))
for n in [1, 2]: out.append(enc.encode({"a": counter}))
enc = None
### json decoder
import json
dec = json.JSONDecoder(object_hook=lambda d: bump(1))
for n in [1, 2]: out.append(dec.decode('{"a": 1}'))
dec = None
""")
OWN = cells_of("""
### own function
for n in [1, 2]: out.append(np.vectorize(lambda a: sum(a * k for k in range(9)), otypes=[float])(square))
### kept
v = np.vectorize(lambda a: sum(a * k for k in range(9)), otypes=[float])
for n in [1, 2]: out.append(v(square))
v = None
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", HOLDING)
def test_what_is_called_by_what_holds_it_ends_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(HOLDING[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", OWN)
def test_what_changes_nothing_stays_with_the_workers(name: str, how: str) -> None:
    ran = programs.alike(OWN[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
