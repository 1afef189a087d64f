"""Elements: what stands at a place of a list is known only as long as nothing has changed its places."""

from __future__ import annotations

import ast
import re

import pytest

from concompare.cells.effects.interpreter import Interpreter
from concompare.cells.effects.live import World
from concompare.cells.forms import finding
from concompare.cells.objects import ATOM
from concompare.cells.program import Cell, Wishes
from tests.cells import compiled, plainly, programs

SETUP = "xs, out, shared = [1, 2, 3, 4, 5], [], []\ndef f(x): return [x]\n"
CHANGES = [
    "held = [[]]\n    held[0] = shared",
    "held = [[]]\n    held[-1] = shared",
    "held = [[], []]\n    held.insert(0, shared)",
    "held = [[], shared]\n    held.reverse()",
    "held = [[3], shared]\n    held.sort()",
    "held = [[], shared]\n    held.pop(0)",
    "held = [[], shared]\n    del held[0]",
    "held = [[], shared]\n    held[:1] = [shared]",
    "held = [[], shared]\n    held[0], held[1] = held[1], held[0]",
    "held = [[], shared]\n    for turn in range(2):\n        held[0].append(x)\n        held.reverse()",
]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("read", ["held[0].append(x)", "first, *rest = held\n    first.append(x)"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_at_a_place_of_a_list_that_changes_may_be_any_of_its_elements(change: str, read: str, how: str) -> None:
    cell = f"for x in xs:\n    {change}\n    {read}\n    out.append(f(x))"

    different, program = compiled.differs(cell, SETUP, how, seed=3)

    assert different is None
    assert program.lifted


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_list_that_is_unpacked_after_a_change_gives_any_of_its_elements(how: str) -> None:
    cell = (
        "for x in xs:\n    held = [[], shared]\n    held.reverse()\n    one, other = held\n    one.append(x)\n    f(x)"
    )

    assert compiled.differs(cell, SETUP, how, seed=3)[0] is None


def test_a_list_that_does_not_change_is_known_by_place() -> None:
    cell = "for x in xs:\n    held = [[], shared]\n    held[0].append(f(x))\n    out.append(held[0])"

    (lifted,) = compiled.run_compiled(cell, SETUP, "threads")[1].lifted
    assert "append" in lifted.sources[0]
    assert "append(f(x))" not in lifted.sources[1]


def test_the_matches_of_a_pattern_are_known_as_such() -> None:
    cell = "for x in xs:\n    for found in line.finditer('a b'):\n        one, other = found.groups()\n        f(one)"
    namespace = plainly.fresh(SETUP + "import re\nline = re.compile('(.) (.)')")
    loop = finding.loops_in(Cell(cell, Wishes("<cell>")).tree.body)[0]

    values = Interpreter(World(namespace)).analyse(loop, namespace["xs"]).values

    named = {node.id: value for node, value in values.items() if isinstance(node, ast.Name)}
    assert {kind for obj in named["found"] for kind in obj.types or ()} == {re.Match}
    assert named["one"] == ATOM


FRAMES = """
import pandas as pd
xs, out, log = [1, 2, 3, 4], [], []
df = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
def of_loop(): return table["a"]
def load(x): log.append(x); return df
def loaded(x): return float(load(x)["a"].sum()) + x
def placed(x): return float(load(x).loc[0, "b"]) + x
def deep(m): return m{places}
m = 1
for _ in range(40): m = [m]
""".replace("{places}", "[0]" * 40)
WITH_COLUMNS = {
    "a name that the loop gives values": "for x in xs:\n    table = {'a': x}\n    out.append(of_loop())",
    "what is done to get the frame": "for x in xs:\n    out.append(loaded(x))",
    "what is done to get the frame of a cell": "for x in xs:\n    out.append(placed(x))",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", WITH_COLUMNS)
def test_a_followed_function_that_names_a_column_is_seen_to_do_all_that_it_does(name: str, how: str) -> None:
    assert compiled.differs(WITH_COLUMNS[name], FRAMES, how, seed=3)[0] is None


def test_what_a_subscript_looks_into_is_followed_once() -> None:
    program = compiled.run_compiled("for x in xs:\n    out.append(deep(m) + x)", FRAMES, "threads")[1]

    assert program.lifted


CLASSES = """
class Shape:
    def __init__(self, *size):
        self.size, self.hits = size, 0
    def area(self, n):
        for _ in range(n): self.hits += 1
        return self.size, self.hits
class Ring(Shape):
    def area(self, n):
        return super().area(n + 1)
class Odd:
    def __init__(self, size):
        out.append(size)
    def area(self, n):
        return n
zoo, out, it = [(Shape, 1), (Ring, 2), (Shape, 3)], [], {}
"""
WALKED = [
    "for i, (kind, size) in enumerate(zoo):\n    shape = kind(size)\n    out.append(shape.area(i))",
    "for i, (kind, *sizes) in enumerate(zoo):\n    shape = kind(*sizes)\n    out.append((type(shape), shape.area(i)))",
    "for (kind, size), n in zip(zoo, range(3)):\n    shape = kind(size)\n    out.append(shape.area(n))",
    "zoo = [(Ring, 2), (Shape, 4)]\nfor i, (kind, size) in enumerate(zoo):\n    out.append(kind(size).area(i))",
]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("cell", WALKED)
def test_a_class_among_what_stands_beside_it_is_called_as_a_class(cell: str, how: str) -> None:
    found = programs.alike(cell, CLASSES, how)

    assert "area(" not in programs.tail_of(found.cell.lifted[0])


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("row", ["(Odd, 2)", "(7, 2)", "(out.append, 2)", "(it.setdefault, Shape)"])
def test_what_is_called_among_what_stands_beside_it_does_what_it_does(row: str, how: str) -> None:
    cell = f"for i, (kind, size) in enumerate([*zoo, {row}, (Ring, 5)]):\n    shape = kind(size)\n    out.append(shape)"

    different, _ = compiled.differs(cell.replace("append(shape)", "append(shape.area(i))"), CLASSES, how, seed=3)

    assert different is None
    assert compiled.differs(cell.replace("(shape)", "(str(type(shape)))"), CLASSES, how, seed=3)[0] is None


TABLES = """
import operator
ORDER = {"+": (1, operator.add), "-": (1, operator.sub), "*": (2, operator.mul)}
class Terms:
    ORDER, log = ORDER, []
    def value(self, words):
        found = int(words.pop(0))
        while words:
            _, function = self.ORDER[words.pop(0)]
            found = function(found, int(words.pop(0)))
        return found
actions = {"note": (1, Terms.log.append), "sum": (2, sum)}
texts, terms, out = ["1 + 2", "3 - 4", "5 * 6 + 1"], Terms(), []
"""


@pytest.mark.parametrize("how", programs.WAYS)
def test_functions_in_rows_of_a_table_are_called_as_what_they_are(how: str) -> None:
    found = programs.alike("for text in texts:\n    out.append(terms.value(text.split()))", TABLES, how)

    assert "value(" not in programs.tail_of(found.cell.lifted[0])


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_function_in_a_row_of_a_table_that_changes_something_changes_it(how: str) -> None:
    cell = (
        "for word in ['sum', 'note', 'sum']:\n    _, action = actions[word]\n    out.append(action([len(terms.log)]))"
    )

    assert compiled.differs(cell, TABLES, how, seed=3)[0] is None


FOLDED = """
import functools, operator
from collections import Counter
def counted(word):
    found = Counter()
    for letter in word:
        found[letter] += 1
    return found
class Sum:
    def __init__(self, k):
        self.k, self.of = k, []
    def __add__(self, other):
        self.of.append(other.k)
        return self
words, out = [["a", "b"], ["b", "c"], ["c", "a", "b"]], []
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", ["add", "or_", "and_", "sub"])
def test_a_function_that_stands_for_an_operator_makes_what_that_makes(name: str, how: str) -> None:
    cell = f"total = functools.reduce(operator.{name}, map(counted, words), Counter('abc'))"

    assert programs.alike(cell, FOLDED, how).cell.lifted


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_function_that_stands_for_an_operator_runs_the_user_s_own(how: str) -> None:
    cell = "sums = [Sum(k) for k in range(3)]\nfor k in range(6):\n    out.append(operator.add(sums[k % 3], Sum(k)).of)"

    assert compiled.differs(cell, FOLDED, how, seed=3)[0] is None
    assert (
        compiled.differs("total = functools.reduce(operator.add, map(Sum, range(4)))", FOLDED, how, seed=3)[0] is None
    )
