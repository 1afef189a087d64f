"""Installed functions that draw by pyplot are known by their code."""

from __future__ import annotations

import sys
import types

import pytest

from concompare.cells.effects import declared
from concompare.cells.effects.calls.drawing import as_drawing, draws

pytest.importorskip("matplotlib.pyplot")

SOURCE = """
import functools
import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.pyplot import gca

def at_once(values):
    return plt.plot(values)

def by_name(values):
    return gca().plot(values)

def imported_inside(values):
    import matplotlib.pyplot as here
    return here.plot(values)

def by_attribute(values):
    return mpl.pyplot.plot(values)

def in_an_inner_function(values):
    return [line for one in values for line in (lambda part: plt.plot(part))(one)]

def below(values):
    return deeper(values)

def deeper(values):
    return Grid(values)

def decorated(function):
    @functools.wraps(function)
    def called(*args):
        return function(*args)
    return called

wrapped = decorated(at_once)

class Grid:
    def __init__(self, values):
        self.figure = plt.figure()

    def draw(self):
        return plt.gcf()

    def count(self):
        return 1

class Holder:
    def draw(self):
        return Grid([])

def total(values):
    return sum(values) + helper(values)

def helper(values):
    return total(values) if values else Holder
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    made = types.ModuleType("concompare_tests_drawn")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    exec(compile(SOURCE, "drawn.py", "exec"), vars(made))
    return made


DRAWING = ("at_once", "by_name", "imported_inside", "by_attribute", "in_an_inner_function", "below", "wrapped", "Grid")


@pytest.mark.parametrize("name", DRAWING)
def test_code_that_names_pyplot_draws(name: str, module: types.ModuleType) -> None:
    assert draws(getattr(module, name))
    assert as_drawing(getattr(module, name)) == declared.table("matplotlib.pyplot")["*"]


@pytest.mark.parametrize("name", ["total", "helper", "Holder"])
def test_other_code_does_not(name: str, module: types.ModuleType) -> None:
    assert as_drawing(getattr(module, name)) is None


def test_of_a_class_only_the_methods_that_are_called_count(module: types.ModuleType) -> None:
    assert draws(module.Grid.draw)
    assert draws(module.Holder.draw)
    assert not draws(module.Grid.count)
    assert not draws(len)
    assert not draws(int)
