"""Objects of the notebook reach code by other ways than arguments: exceptions, generators, copies."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import collections
import dataclasses
import weakref

class Acc:
    def __init__(self, n): self.n, self.log = n, []
    def __eq__(self, other): return vars(self) == vars(other)
    def hit(self, v):
        self.log.append(slow(v))
        return len(self.log)
@dataclasses.dataclass
class Pair:
    a: object
    k: int
class Holder:
    def __init__(self, a): self.a = a
Named = collections.namedtuple("Named", "a k")
accs = [Acc(k) for k in range(4)]
holder, named = Holder(accs[0]), Named(accs[0], 1)
words, out = [3, 1, 4, 1], []
"""
)
CARRIED = cells_of("""
### replace made
for w in words: dataclasses.replace(Pair(accs[0], 1), k=w).a.hit(w)
### named replace
for w in words: named._replace(k=w).a.hit(w)
### named made
for w in words: Named(accs[1], w)._replace(k=w).a.hit(w)
### setattr
for w in words:
    o = Holder(None)
    setattr(o, "a", accs[0])
    o.a.hit(w)
o = None
### attr star
for w in words:
    o = Holder(None)
    for k, v in vars(holder).items(): setattr(o, k, v)
    o.a.hit(w)
o = None
### try
for w in words:
    try:
        raise KeyError(accs[0])
    except KeyError as e: e.args[0].hit(w)
### try called
def bad(): raise KeyError(accs[0])
for w in words:
    try: bad()
    except KeyError as e: e.args[0].hit(w)
### try unpack
for w in words:
    try: raise ValueError(accs[0], 1)
    except (KeyError, ValueError) as e:
        a, k = e.args
        a.hit(w)
### exception attribute
class E(Exception):
    def __init__(self, a): self.a = a
for w in words:
    try: raise E(accs[0])
    except E as e: e.a.hit(w)
### exception live
err = KeyError(accs[0])
for w in words:
    try: raise err
    except KeyError as e: e.args[0].hit(w)
err = None
### exception note
err = KeyError(1)
for w in words:
    try: raise err
    except KeyError as e: e.k = slow(w)
out.append(err.k)
err = None
### exception context
for w in words:
    try:
        try: raise KeyError(accs[0])
        except KeyError as e: raise ValueError(1) from e
    except ValueError as f: f.__cause__.args[0].hit(w)
### stop iteration
def gen():
    yield 1
    return accs[0]
for w in words:
    g = gen(); next(g)
    try: next(g)
    except StopIteration as e: e.value.hit(w)
g = None
### yield from
def gen():
    yield 1
    return accs[0]
def outer():
    a = yield from gen()
    a.hit(3)
for w in words: list(outer()); slow(w)
### send
def gen():
    while True:
        a = yield
        if a is None: return
        a.hit(2)
for w in words:
    g = gen(); next(g); g.send(accs[0]); slow(w)
g = None
### throw
def gen():
    try: yield
    except KeyError as e: e.args[0].hit(2)
    yield
for w in words:
    g = gen(); next(g); g.throw(KeyError(accs[0])); slow(w)
g = None
### close
def gen():
    try: yield
    finally: accs[0].hit(2)
for w in words:
    g = gen(); next(g); g.close(); slow(w)
g = None
### weak
r = weakref.ref(accs[0])
for w in words: r().hit(w)
r = None
""")
OWN = cells_of("""
### exception own
class E(Exception):
    def __init__(self, n): self.n = n
for w in words:
    try: raise E(slow(w))
    except E as e: out.append(e.n)
### stop iteration
def gen():
    yield 1
    return [2]
for w in words:
    g = gen(); next(g)
    try: next(g)
    except StopIteration as e: out.append((slow(w), e.value))
g = None
### setattr
t = []
for w in words:
    o = Holder(None)
    setattr(o, "a", [slow(w)])
    o.a.append(w)
    t.append(o.a)
o = None
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CARRIED)
def test_what_is_changed_after_it_was_carried_ends_as_plainly(name: str, how: str) -> None:
    different, ran = programs.compared(CARRIED[name], SETUP, how)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", OWN)
def test_what_an_item_carries_of_its_own_stays_with_the_workers(name: str, how: str) -> None:
    ran = programs.alike(OWN[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
