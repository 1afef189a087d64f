"""What `methodcaller`, `attrgetter` and `itemgetter` ask for is followed as if it were written out."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = (
    programs.SLOW
    + """
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import attrgetter, itemgetter, methodcaller

class Colony:
    def __init__(self, number):
        self.number, self.size = number, number
        self.curve, self.asked = [number], []
    def grow(self, hours, by=1):
        for _ in range(hours):
            self.size += slow(by)
            self.curve.append(self.size)
        return self.size
    @property
    def weight(self):
        self.asked.append(slow(self.number))
        return self.asked[-1]
    def __getitem__(self, place):
        self.asked.append(place)
        return slow(place)

class Plate:
    def __init__(self, number):
        self.colony = Colony(number)

colonies = [Colony(number) for number in range(6)]
plates = [Plate(number) for number in range(6)]
grow = methodcaller("grow", 2, by=3)
"""
)
CELLS = {
    "map": 'sizes = list(map(methodcaller("grow", 3), colonies))',
    "words": 'sizes = list(map(methodcaller("grow", 2, by=5), colonies))',
    "there": "sizes = [grow(colony) for colony in colonies]",
    "partial": 'sizes = list(map(partial(methodcaller("grow", hours=2)), colonies))',
    "pool": """
with ThreadPoolExecutor(2) as pool:
    sizes = list(pool.map(grow, colonies))
""",
    "property": 'weights = list(map(attrgetter("weight"), colonies))',
    "dotted": 'weights = list(map(attrgetter("colony.weight", "colony.number"), plates))',
    "item": "found = list(map(itemgetter(2), colonies))",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CELLS)
def test_what_a_getter_changes_is_as_it_is_plainly(name: str, how: str) -> None:
    ran = programs.alike(CELLS[name], SETUP, how)
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_method_whose_name_is_computed_keeps_the_loop_in_the_notebook(how: str) -> None:
    cell = 'names = ["grow"] * 6\nsizes = [methodcaller(name, 2)(colony) for name, colony in zip(names, colonies)]'
    assert not programs.alike(cell, SETUP, how).cell.lifted
