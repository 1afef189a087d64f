"""What declared calls give back: values that nobody can change, where that shows."""

from __future__ import annotations

import ast

import pytest

from concompare.cells.effects.interpreter import Interpreter
from concompare.cells.effects.live import World
from concompare.cells.forms import finding
from concompare.cells.objects import ATOM, Value
from tests.cells import compiled, plainly, programs

SETUP = """
import numpy as np
xs, numbers, lists, square = [1, 2], [3, 4], [[1], [2]], np.ones((2, 2))
rng = np.random.default_rng(1)
def given(): yield [1]
"""


def value(expression: str) -> Value:
    """Return what an expression in a loop over numbers may stand for."""
    namespace = plainly.fresh(SETUP)
    (loop,) = finding.loops_in(ast.parse(f"for x in xs:\n    r = {expression}").body)
    loop.__dict__["namespace"] = namespace
    found = Interpreter(World(namespace)).analyse(loop, namespace["xs"])
    (statement,) = loop.body
    assert isinstance(statement, ast.Assign)
    return found.values[statement.value]


@pytest.mark.parametrize("expression", ["sum(numbers)", "sum([x, 2])", "sum(x * 2 for x in numbers)", "sum((x,), 0)"])
def test_a_sum_of_numbers_is_a_number(expression: str) -> None:
    assert value(expression) == ATOM


@pytest.mark.parametrize(
    "expression",
    ["sum(lists, [])", "sum(numbers, [])", "sum(square)", "sum(given(), [])", "sum([np.ones(2), x])", "sum(eval('x'))"],
)
def test_a_sum_of_what_can_be_changed_is_something_new(expression: str) -> None:
    assert "the result of `sum`" in {obj.label for obj in value(expression)}


@pytest.mark.parametrize("draw", ["normal()", "normal(0, 1)", "uniform(0.5, high=2)", "random()", "choice(5)"])
def test_one_random_number_is_a_number(draw: str) -> None:
    assert value(f"rng.{draw}") == value(f"np.random.default_rng(x).{draw}") == ATOM


@pytest.mark.parametrize("draw", ["normal(0, 1, 3)", "random(3)", "integers(5, size=3)", "permutation(3)"])
def test_several_random_numbers_are_an_array(draw: str) -> None:
    assert {obj.types[0].__name__ for obj in value(f"rng.{draw}") if obj.types} == {"ndarray"}


@pytest.mark.parametrize("draw", ["normal((0, 1), 1)", "normal(x)", "choice(numbers)", "choice(lists)"])
def test_what_may_be_several_numbers_may_be_changed(draw: str) -> None:
    assert value(f"rng.{draw}") != ATOM


LOOKED_INTO = {
    "a deep copy": "one = copy.deepcopy(held)\n    held[0].append(x)",
    "a deep copy of an attribute's owner": "one = copy.deepcopy(box)\n    copy.copy(box).inner.append(x)",
    "a deep copy with a memo": "one = copy.deepcopy(held, {})\n    held[0].append(x)",
    "a list that is longer by the elements of another": "one = []\n    one.extend(held)\n    held.append([x])",
    "a deque that is longer": "one = collections.deque()\n    one.extendleft(held)\n    held.append([x])",
    "a pickler": "f = io.BytesIO()\n    pickle.Pickler(f).dump(held)\n    one = f.getvalue()\n    held[0].append(x)",
}
"""What an iteration makes of an object that a later statement changes."""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LOOKED_INTO)
def test_what_a_call_looks_into_is_as_the_item_before_has_left_it(name: str, how: str) -> None:
    setup = "import collections, copy, io, pickle, types\nxs, out, held = [1, 2, 3], [], [[1], [2]]\n"
    setup += "box = types.SimpleNamespace(inner=[])\ndef work(x): return x * x + 1\n"
    cell = f"for x in xs:\n    {LOOKED_INTO[name]}\n    out.append((one, work(x)))"

    different, ran = compiled.differs(cell, setup, how, seed=3)

    assert different is None
    assert ran.lifted
