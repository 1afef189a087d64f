"""Members of an enumeration that hold something, or that methods of theirs give attributes."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
from enum import Enum, Flag
xs, seen = [3, 1, 4, 1, 5, 9], []
class Color(Enum):
    RED, BLUE = 1, 2
    def __init__(self, v): self.uses, self.log = 0, []
    def use(self):
        self.uses += 1
        return self.uses
    def note(self, v):
        self.log.append(v)
        return len(self.log)
    @property
    def used(self): return self.use()
    @classmethod
    def of(cls, x): return cls.RED if x % 2 else cls.BLUE
class Box(Enum):
    A, B = [1], {"k": 0}
class Late(Enum):
    ONE = "one"
    @property
    def store(self):
        if not hasattr(self, "_store"): self._store = []
        return self._store
class Code(Enum):
    A = 1
    @classmethod
    def _missing_(cls, v):
        seen.append(v)
        return cls.A
class Planet(Enum):
    EARTH, MARS = (3, 6), (2, 3)
    def __init__(self, mass, radius): self.mass, self.radius = mass, radius
    def pull(self, x): return slow(x) * self.mass / self.radius
class Plain(Enum):
    A, B = 1, 2
    def go(self, x): return slow(x) * self.value
    @property
    def twice(self): return self.value * 2
by, mine = {0: Color.RED, 1: Color.BLUE}, Color.RED
"""
)
CHANGED = cells_of("""
### by its name
r = [(Color.RED.use(), slow(x)) for x in xs]
### by its key
r = [(Color["RED"].use(), slow(x)) for x in xs]
### in a dictionary
r = [(by[x % 2].use(), slow(x)) for x in xs]
### under a name of the notebook
r = [(mine.use(), slow(x)) for x in xs]
### by a method
r = [Color.of(x).note(slow(x)) for x in xs]
### by its value
r = [(Color(x % 2 + 1).note(x), slow(x)) for x in xs]
### by a property
r = [(Color.of(x).used, slow(x)) for x in xs]
### a list that it holds
for x in xs:
    mine.log.append(slow(x))
    r = len(Color.RED.log)
### a list that is its value
def put(x): Box.A.value.append(slow(x)); return len(Box.A.value)
r = [put(x) for x in xs]
### a dictionary that is its value
def put(x): Box["B"].value["k"] += slow(x); return dict(Box.B.value)
r = [put(x) for x in xs]
### all of them
def put(x):
    for c in Color: c.note(x)
    return slow(x), len(Color.BLUE.log)
r = [put(x) for x in xs]
### the one that is used most
def put(x):
    most = max(Color, key=lambda c: c.uses)
    most.uses += 1
    return slow(x), most.uses
r = [put(x) for x in xs]
### the mapping of all
r = [(Color.__members__["RED"].use(), slow(x)) for x in xs]
### an attribute that it is given late
def put(x): Late.ONE.store.append(slow(x)); return len(Late.ONE.store)
r = [put(x) for x in xs]
### one that is missing
r = [(Code(x).value, len(seen), slow(x)) for x in xs]
### the items themselves
r = [c.note(slow(c.value)) for c in [Color.RED, Color.BLUE, Color.RED]]
""")
STILL = cells_of("""
### methods that only look
r = [(Plain.A.go(x), Plain(x % 2 + 1).twice) for x in xs]
### members that are given back
r = [Plain.A if slow(x) > 3 else Plain.B for x in xs]
### members that hold numbers
r = [(Planet.EARTH.pull(x), Planet["MARS"].mass) for x in xs]
### members that are the items
r = {planet: planet.pull(2) for planet in Planet}
""")
END = "\nn = [(c.uses, c.log) for c in Color], [b.value for b in Box], seen, vars(Late.ONE).get('_store')"
END += "\nby = mine = None"


@pytest.mark.parametrize("name", CHANGED)
def test_members_that_change_are_changed_in_order(name: str) -> None:
    """A harness that pickles the classes has others after it, so that only threads are compared."""
    for seed in range(3):
        different, ran = programs.compared(CHANGED[name] + END, SETUP, "threads", seed)
        assert (different, ran.left.error) == (None, None)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", STILL)
def test_members_that_do_not_change_are_for_workers(name: str, how: str) -> None:
    ran = programs.alike(STILL[name] + END, SETUP, how)
    assert [lifted.staying for lifted in ran.cell.lifted][:1] == [""], ran.reasons
