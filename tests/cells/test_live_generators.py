"""Generators and builtin iterators that are there when the loop begins, with code of the user's behind them."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import contextlib
from collections import Counter, deque
xs, log, counted, k = [3, 1, 4, 1, 5, 9], [], Counter(), 0
class Source:
    def __init__(self): self.n, self.steps = 0, self.run()
    def run(self):
        while True:
            self.n += (yield self.n) or 1
def sink(to):
    while True:
        to.append((yield))
def passing(on):
    while True:
        on.send((yield))
def counting(key):
    while True:
        counted[key] += (yield)
def handling():
    while True:
        try: yield
        except ValueError as error: log.append(str(error))
def ending(key):
    try:
        while True: yield key
    finally: log.append(key)
def numbers():
    global k
    while True:
        k += 1
        yield
def told(v):
    log.append(v)
    return v
def through(values):
    for v in values: yield told(v)
def around(values):
    yield from through(values)
def printing(values):
    for v in values:
        print("given", v)
        yield v
def begun(iterator):
    next(iterator)
    return iterator
def make():
    kept = []
    def step():
        while True:
            kept.append(1)
            yield
    steps = step()
    return (lambda: next(steps)), (lambda: len(kept))
class Own:
    def __iter__(self): return self
    def __next__(self): return told(len(log))
@contextlib.contextmanager
def within(v):
    log.append(v)
    yield
    log.append(-v)
def windows(values):
    held = deque(maxlen=2)
    for v in values:
        held.append(v)
        yield tuple(held)
source, onward, size = Source(), *make()
"""
)
CHANGING = cells_of("""
### what is sent
it = begun(sink(log))
def f(x): it.send(slow(x)); return len(log)
r = [f(x) for x in xs]
### what is sent on
it = begun(passing(begun(sink(log))))
def f(x): it.send(slow(x)); return len(log)
r = [f(x) for x in xs]
### what is sent to one of several
it = {True: begun(counting("odd")), False: begun(counting("even"))}
def f(x): it[x % 2 == 1].send(slow(x)); return dict(counted)
r = [f(x) for x in xs]
### what is thrown
it = begun(handling())
def f(x): y = slow(x); it.throw(ValueError(x)); return y, len(log)
r = [f(x) for x in xs]
### what is closed
its = [ending(x) for x in xs]
it = begun(iter(its))
def f(x): next(it).close(); return len(log), slow(x)
r = [f(x) for x in xs[1:]]; its = None
### an attribute of its object
begun(source.steps)
def f(x): source.steps.send(slow(x)); return source.n
r = [f(x) for x in xs]; source.steps = it = None
### a name
it = numbers()
def f(x): next(it); return k, slow(x)
r = [f(x) for x in xs]
### a variable of a function
def f(x): onward(); return size(), slow(x)
r = [f(x) for x in xs]; del onward, size, f; it = None
### a generator expression
it = (told(v) for v in range(20))
def f(x): next(it); return len(log), slow(x)
r = [f(x) for x in xs]
### the second on its line
it = (v for v in (told(v) for v in range(20)))
def f(x): next(it); return len(log), slow(x)
r = [f(x) for x in xs]
### a generator behind a generator
it = around(range(20))
def f(x): next(it); return len(log), slow(x)
r = [f(x) for x in xs]
### a function that is mapped
it = map(told, range(20))
def f(x): next(it); return len(log), slow(x)
r = [f(x) for x in xs]
### what is mapped
it = map(lambda v: v.append(1) or v, [log] * 20)
def f(x): next(it); return len(log), slow(x)
r = [f(x) for x in xs]
### an iterator of a class, in pairs
it = zip(Own(), range(20))
def f(x): next(it); return len(log), slow(x)
r = [f(x) for x in xs]
### a generator that is numbered
it = enumerate(through(range(20)))
def f(x): next(it); return len(log), slow(x)
r = [f(x) for x in xs]
### a context that is entered and left by its methods
def f(x):
    context = within(x)
    context.__enter__()
    y = slow(x)
    context.__exit__(None, None, None)
    return y, len(log)
r = [f(x) for x in xs]; it = None
### one that prints between the items
it = printing(range(6))
for v in it: print(slow(v))
### one that the items look at
it = through(range(6))
r = [(slow(v), len(log)) for v in it]
### one that the items look at, mapped
it = map(told, range(6))
for v in it:
    w = slow(v)
    print(w, log)
""")
STILL = cells_of("""
### a generator expression
it = (v * 2 for v in xs)
r = [slow(v) for v in it]
### a generator with a list of its own
it = windows(xs)
r = [slow(sum(v)) for v in it]
### a function that is mapped
it = map(lambda v: v + 1, xs)
for v in it: print(slow(v))
### a generator of rows
rows = [{"v": x} for x in xs]
it = (row for row in rows if row["v"] > 1)
r = [slow(row["v"]) for row in it]
""")
END = "\nn = list(log), dict(counted), k\nit = source = None"


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHANGING)
def test_what_they_change_when_they_go_on_is_seen(name: str, how: str) -> None:
    different, ran = programs.compared(CHANGING[name] + END, SETUP, how, seed=1)
    assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", STILL)
def test_those_that_change_nothing_else_are_walked_by_workers(name: str, how: str) -> None:
    ran = programs.alike(STILL[name] + END, SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons


def test_their_variables_are_not_kept() -> None:
    text = """
import weakref
class Thing: pass
def once(thing):
    yield 1
    thing = None
    while True: yield 2
thing = Thing()
seen = weakref.ref(thing)
it = once(thing)
thing = None
next(it)
def f(x): next(it); return slow(x)
r = [f(x) for x in xs]
gone = seen() is None
seen = None
"""
    ran = programs.alike(text + END, SETUP, "threads")
    assert ran.left.names["gone"] is True
