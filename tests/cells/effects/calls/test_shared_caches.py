"""Functions with a cache give one object to all that ask for the same: in workers only where nobody asks twice."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
import functools

@functools.cache
def load(x): return [slow(x)]
@functools.cache
def num(x): return slow(x)
@functools.lru_cache(maxsize=2)
def lru2(x): return [slow(x)]
class Acc:
    def __init__(self, n): self.n, self.log = n, []
    def hit(self, v): self.log.append(slow(v)); return self
@functools.cache
def fc(x): return Acc(slow(x))
def g(x): return load(x % 3), slow(x)
class M:
    @functools.lru_cache(maxsize=None)
    def get(self, x): return [slow(x)]
m = M()
out = []
"""
)
ASKED_AGAIN = cells_of("""
### dup
r = [load(x) for x in [1, 2, 1, 2, 1, 2]]
### hit
for x in [1, 2, 1, 3, 1, 2, 4, 1]: out.append(fc(x).hit(1))
### lru2
r = [lru2(x) for x in [1, 2, 1, 3, 1, 2, 4, 1]]
### before
z = load(1); r = [load(x) for x in range(6)]
### method
r = [m.get(x % 2) for x in range(6)]
### two
r = [(load(x), load(x + 1)) for x in range(6)]
### map
r = list(map(load, [1, 2, 1, 2]))
### shown only
r = [len(load(x % 3)) for x in range(6)]
""")
ASKED_ONCE = cells_of("""
### distinct
r = [load(x) for x in [1, 2, 3, 4, 5]]
### distinct dict
r = {x: load(x) for x in [1, 2, 3, 4, 5]}
### distinct loop
for x in range(6): out.append(load(x))
### map distinct
r = list(map(load, [1, 2, 3, 4]))
### numbers
r = [num(x % 3) for x in range(6)]
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", ASKED_AGAIN)
def test_what_may_be_asked_for_again_stays_in_the_notebook(name: str, how: str) -> None:
    different, ran = programs.compared(ASKED_AGAIN[name], SETUP, how)
    assert different is None
    assert all(lifted.staying for lifted in ran.cell.lifted)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", ASKED_ONCE)
def test_what_is_asked_once_goes_to_the_workers(name: str, how: str) -> None:
    ran = programs.alike(ASKED_ONCE[name], SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
