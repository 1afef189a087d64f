"""Numbers of the names of inlined variables: the same in each run of a cell."""

from __future__ import annotations

import ast

from concompare.cells.inlining.numbers import NUMBERS
from concompare.cells.ir import INLINED
from tests.cells import programs

SETUP = """
class Plant:
    def __init__(self): self.height = 1
    def grow(self, days):
        slow(days)
        for day in range(days): self.height += day
        return self.height
class House: tallest = None
def slow(days): return days * 2
house = House()
benches = [[Plant(), Plant()], [Plant()], [Plant()]]
"""
CELL = (
    "for bench in benches:\n    for plant in bench:\n        size = plant.grow(4)\n"
    "        if house.tallest is None or size > house.tallest.height:\n            house.tallest = plant\n"
    "    total = sum(plant.height for plant in bench)\n"
    "(house.tallest is benches[0][0], total)"
)


def test_a_cell_that_runs_again_has_the_same_code() -> None:
    heads = []
    for _ in range(2):
        ran = programs.run(CELL, SETUP, "threads")
        assert ran.left.value == (True, 7)
        heads.append([ast.unparse(lifted.made.head) for lifted in ran.cell.lifted])
    assert heads[0] == heads[1]
    assert INLINED in heads[0][0]


def test_a_cell_inside_another_does_not_begin_anew() -> None:
    with NUMBERS.of_a_cell():
        first = NUMBERS.of_body()
        with NUMBERS.of_a_cell():
            assert NUMBERS.of_body() != first
    with NUMBERS.of_a_cell():
        assert NUMBERS.of_body() == first
