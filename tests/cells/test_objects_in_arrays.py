"""Objects of the user's in arrays and columns, and classes derived from these: what numpy and pandas run of them."""

from __future__ import annotations

import pytest

from tests.cells import programs

pytest.importorskip("pandas")
SETUP = (
    programs.SLOW
    + """
import numpy as np
import pandas as pd

xs = [3, 1, 4, 1, 5, 9]
seen = []
df = pd.DataFrame({"v": [1.0, 2.0, 3.0], "n": [3, 1, 4]})

class Money:
    def __init__(self, v):
        self.v = v
    def __add__(self, other):
        seen.append(("add", self.v))
        return Money(self.v + getattr(other, "v", other))
    __radd__ = __add__
    def __mul__(self, other):
        seen.append(("mul", self.v))
        return Money(self.v * other)
    def __lt__(self, other):
        seen.append(("lt", self.v))
        return self.v < other.v
    def __eq__(self, other):
        seen.append(("eq", self.v))
        return self.v == getattr(other, "v", other)
    __hash__ = None
    def __float__(self):
        seen.append(("float", self.v))
        return float(self.v)
    def sqrt(self):
        seen.append(("sqrt", self.v))
        return self.v ** 0.5

objects = np.empty(3, object)
objects[:] = [Money(9), Money(1), Money(4)]
column = pd.Series([Money(9), Money(1), Money(4)], dtype=object)
frame = pd.DataFrame({"o": column, "v": [1.0, 2.0, 3.0]})
two = [Money(1), Money(2)]

class Seen:
    def __array_ufunc__(self, function, method, *given, **named):
        seen.append(function.__name__)
        return 5
    def __array_function__(self, function, kinds, given, named):
        seen.append(function.__name__)
        return 5

class Exposed:
    @property
    def __array_interface__(self):
        seen.append("asked")
        return ones.__array_interface__

ones, one, exposed = np.ones(3), Seen(), Exposed()

class Counted(np.ndarray):
    made = 0
    def __array_finalize__(self, other):
        type(self).made += 1
        self.number = type(self).made

class Wrapped(np.ndarray):
    def __array_wrap__(self, array, context=None, scalar=False):
        seen.append("wrap")
        return super().__array_wrap__(array, context, scalar)

class Noted(pd.DataFrame):
    _metadata = ["note"]
    @property
    def _constructor(self):
        seen.append("made")
        return Noted

counted, wrapped = np.arange(5.0).view(Counted), np.arange(5.0).view(Wrapped)
noted = Noted(df[["v"]])
noted.note = "x"
seen.clear()
Counted.made = 0
kept = np.arange(6.0)
"""
)
END = "made = Counted.made\ndel objects, column, frame, two, counted, wrapped, noted, Counted"
"""Nothing is left whose comparison would be seen."""
IN_ORDER = {
    "a sum": "slow(x) + objects.sum().v",
    "numpy's sum": "slow(x) + np.sum(objects).v",
    "sorting": "slow(x) + np.sort(objects)[0].v",
    "a product": "slow(x) + (objects * x)[1].v",
    "equality": "slow(x) + int((objects == 1).sum())",
    "a method by the name of a function": "slow(x) + np.sqrt(objects)[0]",
    "a sum of a column": "slow(x) + column.sum().v",
    "a column of a frame": 'slow(x) + frame["o"].sum().v',
    "sorting a column": "slow(x) + column.sort_values().iloc[0].v",
    "a list as an array": "slow(x) + np.asarray(two, dtype=float)[0]",
    "a store": "slow(x) + (np.zeros(2).__setitem__(0, two[0]) or 1)",
    "a ufunc": "slow(x) + np.add(one, x)",
    "an operator of an array": "slow(x) + (ones * one)",
    "a function of arrays": "slow(x) + np.concatenate([one, one])",
    "a property": "slow(x) + np.array(exposed).shape[0]",
    "a product of a derived class": "slow(x) + (counted * x).number",
    "a part of a derived class": "slow(x) + counted[x % 5 :].number",
    "a view of a derived class": "slow(x) + counted.T.number",
    "a method of a derived class": "slow(x) + counted.copy().number",
    "a result of a derived class": "slow(x) + float(np.sin(wrapped)[1])",
    "rows of a derived frame": "slow(x) + len(noted.head(x))",
    "a column of a derived frame": "slow(x) + len(noted[noted.v > x])",
}
LIFTED = {
    "numbers": "slow(x) + float((ones * x).sum())",
    "a derived class that notes": "slow(x) + float((kind * x).sum())",
    "objects that only look": "slow(x) + len(names[names > 'a'])",
}
CALM = (
    programs.SLOW
    + """
import numpy as np
import pandas as pd

class Kind(np.ndarray):
    def __array_finalize__(self, other):
        self.info = getattr(other, "info", None)

xs, ones = [3, 1, 4, 1, 5, 9], np.ones(3)
kind, names = np.arange(3.0).view(Kind), pd.Series(["a", "b"], dtype=object)
"""
)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", IN_ORDER)
def test_what_runs_of_the_users_objects_happens_in_order(name: str, how: str) -> None:
    programs.alike(f"found = [{IN_ORDER[name]} for x in xs]\n{END}", SETUP, how)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_what_changes_nothing_runs_in_workers(name: str, how: str) -> None:
    ran = programs.alike(f"found = [{LIFTED[name]} for x in xs]\nkind = None", CALM, how)
    assert [lifted.staying for lifted in ran.cell.lifted] == [""], ran.reasons
