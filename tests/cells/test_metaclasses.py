"""What classes have from their metaclass: registers, counters, one object for each class, methods and operators."""

from __future__ import annotations

import pytest

from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
xs, out = [3, 1, 4, 1, 5, 9], []
class Meta(type):
    made, table, count = [], {}, 0
    def __call__(cls, *given):
        thing = super().__call__(*given)
        cls.made.append(thing.v)
        Meta.count += 1
        return thing
    def total(cls, x): cls.made.append(x); return len(cls.made)
    def near(cls, x): return x + len(cls.__name__)
    @property
    def number(cls): cls.table["n"] = cls.table.get("n", 0) + 1; return cls.table["n"]
    def __iter__(cls): cls.made.append("iter"); return iter([1, 2])
    def __len__(cls): cls.made.append("len"); return 3
    def __getitem__(cls, key): cls.table[key] = len(cls.table); return cls.table[key]
    def __contains__(cls, key): cls.made.append(key); return key % 2 == 0
class Item(metaclass=Meta):
    def __init__(self, v): self.v = v
class One(type):
    all = {}
    def __call__(cls, *given):
        if cls not in cls.all:
            cls.all[cls] = super().__call__(*given)
        return cls.all[cls]
class Settings(metaclass=One):
    def __init__(self): self.hits = 0
    def hit(self, x): self.hits += 1; return slow(x) + self.hits
"""
)
CELLS = cells_of("""
### what the class is asked for
for x in xs:
    Item(slow(x))
    out.append(len(Item.made))
### what the metaclass is asked for
for x in xs:
    Item(slow(x))
    out.append((len(Meta.made), Item.count))
### a method
for x in xs:
    out.append((slow(x), Item.total(x)))
### a method that works
def work(cls, x): cls.made.append(x); return slow(x) + len(Meta.made)
Meta.work = work
out = [Item.work(x) for x in xs]
del Meta.work
### a property
for x in xs:
    out.append(slow(x) + Item.number)
### walking
for x in xs:
    out += [slow(x + y) for y in Item]
    out.append(len(Meta.made))
### its length
for x in xs:
    out.append(slow(x) + len(Item))
    out.append(len(Meta.made))
### its elements
for x in xs:
    out.append(slow(x) + Item[x])
### what is in it
for x in xs:
    out.append((slow(x), x in Item, len(Meta.made)))
### one object for each class
for x in xs:
    out.append(Settings().hit(x))
""")
APART = cells_of("""
### a method that only looks
for x in xs:
    out.append(slow(Item.near(x)))
### objects of which only their class is counted
class Plain(metaclass=type):
    def __init__(self, v): self.v = slow(v)
for x in xs:
    out.append(Plain(x).v)
""")
END = """
left = list(Meta.made), dict(Meta.table), Meta.count, len(One.all)
Item = Settings = Meta = One = Plain = None"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CELLS)
def test_it_is_as_in_the_plain_loop(name: str, how: str) -> None:
    for seed in range(3):
        assert programs.compared(CELLS[name] + END, SETUP, how, seed)[0] is None


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", APART)
def test_what_changes_nothing_runs_in_workers(name: str, how: str) -> None:
    assert programs.in_workers(APART[name] + END, SETUP, how).left.error is None
