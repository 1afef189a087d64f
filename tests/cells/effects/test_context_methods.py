"""Methods that `contextmanager` has made context managers of, whose wrapper is no code of the user's."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import contextlib
xs, log = [3, 1, 4, 1, 5, 9], []
class Stack:
    def __init__(self): self.held, self.left = [], 0
    @contextlib.contextmanager
    def holding(self, v):
        self.held.append(v)
        try: yield self
        finally: self.left += 1
    @classmethod
    @contextlib.contextmanager
    def noted(cls, v):
        log.append(v)
        yield len(log)
    def count(self, x):
        with self.holding(x): return len(self.held)
    @contextlib.contextmanager
    def beside(self, v): yield slow(v)
class Above(Stack):
    @contextlib.contextmanager
    def holding(self, v):
        with super().holding(v) as held: yield held
stack, above = Stack(), Above()
stacks = [stack, above]
"""
)
CHANGED = cells_of("""
### of an object
def f(x):
    with stack.holding(x) as s: return len(s.held), slow(x)
r = [f(x) for x in xs]
### of one of several objects
def f(x):
    with stacks[x % 2].holding(x) as s: return len(s.held), slow(x)
r = [f(x) for x in xs]
### of a class
def f(x):
    with Stack.noted(x) as n: return n, slow(x)
r = [f(x) for x in xs]
### in another method
r = [stack.count(slow(x)) for x in xs]
### above another class
def f(x):
    with above.holding(x): return len(above.held), slow(x)
r = [f(x) for x in xs]
### under a name of its own
holding = stack.holding
def f(x):
    with holding(x): return len(stack.held), slow(x)
r = [f(x) for x in xs]; holding = None
### entered by a stack of contexts
def f(x):
    with contextlib.ExitStack() as contexts:
        contexts.enter_context(stack.holding(x))
        return len(stack.held), slow(x)
r = [f(x) for x in xs]
""")
STILL = cells_of("""
### one that changes nothing
def f(x):
    with stack.beside(x) as v: return v
r = [f(x) for x in xs]
### of an object of the item's own
def f(x):
    own = Stack()
    with own.holding(x): return len(own.held), slow(x)
r = [f(x) for x in xs]
""")
END = "\nn = [(s.held, s.left) for s in stacks], log"


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CHANGED)
def test_what_they_change_is_changed_in_order(name: str, how: str) -> None:
    for seed in range(3):
        different, ran = programs.compared(CHANGED[name] + END, SETUP, how, seed)
        assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", STILL)
def test_those_that_change_nothing_of_the_notebook_are_for_workers(name: str, how: str) -> None:
    ran = programs.alike(STILL[name] + END, SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted][:1] == [""], ran.reasons
