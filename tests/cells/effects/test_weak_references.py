"""Objects that are reached through weak proxies and by what weak containers hold."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import weakref
xs = [3, 1, 4, 1, 5, 9]
class Thing:
    def __init__(self): self.n, self.log = 0, []
    def add(self, v):
        self.log.append(v)
        return len(self.log)
class Child:
    def __init__(self, parent): self.parent = weakref.proxy(parent)
    def tell(self, v):
        self.parent.n += v
        return self.parent.n
thing, things = Thing(), [Thing() for _ in range(3)]
proxy, proxies = weakref.proxy(thing), [weakref.proxy(one) for one in things]
child, children = Child(thing), [Child(one) for one in things]
named, group = weakref.WeakValueDictionary(enumerate(things)), weakref.WeakSet(things)
notes = weakref.WeakKeyDictionary({one: [] for one in things})
"""
)
CHANGED = cells_of("""
### a proxy
def f(x): proxy.n += slow(x); return thing.n
r = [f(x) for x in xs]
### a method of one
r = [(proxy.add(slow(x)), len(thing.log)) for x in xs]
### one of several
def f(x): proxies[x % 3].n += slow(x); return things[x % 3].n
r = [f(x) for x in xs]
### one that an object holds
r = [(child.tell(slow(x)), thing.n) for x in xs]
### one that each of several holds
r = [(children[x % 3].tell(slow(x)), things[x % 3].n) for x in xs]
### in a dictionary of weak values
def f(x): named[x % 3].n += slow(x); return things[x % 3].n
r = [f(x) for x in xs]
### in a weak set
def f(x):
    for one in list(group): one.n += 1
    return slow(x), things[0].n
r = [f(x) for x in xs]
### in a dictionary of weak keys
def f(x): notes[things[x % 3]].append(slow(x)); return len(notes[things[x % 3]])
r = [f(x) for x in xs]
""")
END = """
n = [(one.n, one.log) for one in [thing, *things]], [notes[one] for one in things]
proxy = proxies = child = children = named = group = notes = None
"""


@pytest.mark.parametrize("name", CHANGED)
def test_what_is_reached_is_the_object_itself(name: str) -> None:
    for seed in range(3):
        different, ran = programs.compared(CHANGED[name] + END, SETUP, "threads", seed)
        assert (different, ran.left.error) == (None, None)


def test_a_proxy_that_is_only_read_is_for_workers() -> None:
    ran = programs.alike("r = [slow(x) + proxy.n for x in xs]" + END, SETUP, "threads")
    assert [lifted.staying for lifted in ran.cell.lifted][:1] == [""], ran.reasons
