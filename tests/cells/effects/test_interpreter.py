"""The walks of a loop's body: as many as it takes until another one would find nothing new."""

from __future__ import annotations

import ast
import math
from typing import Any

import pytest

from concompare.cells.effects import interpreter
from concompare.cells.effects.live import World
from concompare.cells.forms import finding
from concompare.cells.ir import Analysed, Budget
from concompare.cells.program import Cell, Wishes
from tests.cells import compiled, plainly

SETUP = """
xs, out, kept = [1, 2, 3], [], {}
class Chain:
    def __init__(self):
        self.parts, self.table = [], {}
    def feed(self, x):
        for word in [x, [x]]:
            known = self.table.setdefault(word if word is x else 0, [])
            known.append(x)
            self.parts.append(known)
        return self
def f(x): return [x]
"""


def analysed(cell: str, setup: str = SETUP, items: str = "xs") -> tuple[Analysed, int]:
    """Return what is found for the loop of a cell, and how many steps that took."""
    budget = Budget(10**9, math.inf)
    namespace = plainly.fresh(setup)
    loop = finding.loops_in(Cell(cell, Wishes("<cell>")).tree.body)[0]
    found = interpreter.Interpreter(World(namespace), budget).analyse(loop, eval(items, namespace))
    return found, 10**9 - budget.left


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the walks over the body of a loop."""
    found = [0]
    before = interpreter.Interpreter.walk

    def walk(an: interpreter.Interpreter, *given: Any) -> None:
        found[0] += 1
        before(an, *given)

    monkeypatch.setattr(interpreter.Interpreter, "walk", walk)
    return found


def test_a_body_that_stores_before_it_looks_is_walked_once(walks: list[int]) -> None:
    analysed("for x in xs:\n    a = f(x)\n    b = [a, a]\n    kept[x] = len(b[0])\n    out.append(a)")

    assert walks == [1]


@pytest.mark.parametrize(
    "body",
    [
        "    out.append(last)\n    last = f(x)",
        "    known = kept.get(0)\n    kept[0] = f(x)",
        "    c = Chain()\n    for n in range(2):\n        part = c.parts\n        c.parts = [part]\n    out.append(c)",
        "    def last(): return again\n    out.append(last())\n    again = f(x)",
    ],
    ids=["by a name", "in a container of the notebook", "in an inner loop", "by a function"],
)
def test_what_is_stored_after_a_look_up_is_found_by_another_walk(walks: list[int], body: str) -> None:
    analysed("for x in xs:\n" + body, SETUP + "last = again = []\n")

    assert walks[0] > 1


@pytest.mark.parametrize("deep", [2, 5])
def test_inner_loops_that_read_nothing_of_an_earlier_turn_are_followed_once(deep: int) -> None:
    lines = [f"{'    ' * n}for v{n} in [f(x)]:" for n in range(1, deep + 1)]
    stores = [f"w{n} = [f(x), [x]]" for n in range(20)]
    flat = "\n    ".join(["for x in xs:", *stores])
    cell = ("\n" + "    " * (deep + 1)).join(["\n".join(["for x in xs:", *lines]), *stores])

    assert analysed(cell)[1] < 1.5 * analysed(flat)[1]


def test_an_inner_loop_sees_what_its_earlier_turns_left() -> None:
    found, _ = analysed("for x in xs:\n    held = x\n    for n in xs:\n        out.append(held)\n        held = f(x)")

    turn = found.loop.body[1]
    assert isinstance(turn, ast.For)
    (read,) = [part for part in ast.walk(turn.body[0]) if isinstance(part, ast.Name) and part.id == "held"]
    assert [obj.label for obj in found.values[read]] == ["a list"]


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize(
    "cell",
    [
        "for x in xs:\n    c = Chain()\n    c.feed(x).feed(x)\n    out.append((c.parts, c.table))",
        "held = []\nfor x in xs:\n    out.append((held[-1] if held else None, f(x)))\n    held.append(f(x))",
        "for x in xs:\n    gen = (y for y in out[:1])\n    for y in gen:\n        y.append(x)\n    out.append(f(x))",
    ],
)
def test_cells_that_look_where_they_store_later_end_as_plainly(cell: str, how: str) -> None:
    assert compiled.differs(cell, SETUP, how)[0] is None


def test_a_function_is_followed_once_for_each_of_a_dozen_objects() -> None:
    def steps(count: int) -> int:
        lines = [f"    c{n} = Chain()\n    c{n}.feed(x)\n    out.append(c{n})" for n in range(count)]
        return analysed("for x in xs:\n" + "\n".join(lines))[1]

    assert steps(12) - steps(9) < 2 * (steps(4) - steps(1))


def test_methods_of_objects_of_unknown_type_make_no_more_objects_than_there_are_calls() -> None:
    setup = SETUP + "import pandas as pd\ndf = pd.DataFrame({'g': [1, 2], 'w': ['a', 'b']})"
    cell = "for key, part in df.groupby('g'):\n    a = part.copy()\n    b = a.fillna(0)\n    c = b.head()\n"

    found, _ = analysed(cell, setup, "df.groupby('g')")

    assert max(map(len, found.values.values())) <= 16


def test_a_field_that_gets_nothing_that_can_change_after_a_look_up_needs_no_other_walk(walks: list[int]) -> None:
    analysed("for x in xs:\n    a = [f(x)]\n    b = len(a[-1])\n    a.append(x)\n    out.append(b)")

    assert walks == [1]
