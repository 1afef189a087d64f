"""Methods that are called by a name from a list: followed as if each were written out."""

from __future__ import annotations

import ast

import pytest

from concompare.cells.effects.calls import naming
from concompare.cells.ir import Loop
from tests.cells import programs
from tests.cells.pool_cells import cells_of

np = pytest.importorskip("numpy")
SETUP = """
import math
import numpy as np

class Model:
    def __init__(self, n):
        self.n, self.seen = n, []
    def twice(self, x):
        return f(x) * 2
    def more(self, x):
        return f(x) + self.n
    def keep(self, x):
        self.seen.append(x)
        return f(x) + len(self.seen)
    @property
    def scaled(self):
        return self.twice

def f(x):
    return x * x + 1

def stat(x, how="mean", *, of=np):
    return float(getattr(of, how)(values)) + f(x)

def asked(x, how="twice"):
    return getattr(model, how)(x)

def given_again(x, how="twice"):
    if x > 1:
        how = "keep"
    return getattr(model, how)(x)

def hidden(x, how="twice"):
    return [getattr(model, how)(x) for how in ("more", "keep")]

def inside(x, how="twice"):
    def call(how="keep"):
        return getattr(model, how)(x)
    return call() + len(how)

def through(x, how="twice"):
    return asked(x, how)

def other(x):
    global name
    name = "keep"
    return f(x)

model, out = Model(3), []
names, jobs = ["twice", "more", "twice", "more"], [("twice", 1), ("more", 2), ("twice", 3)]
values, by = np.arange(6.0), {"twice": 1, "more": 2}
"""
LIFTED = cells_of("""
### names of a list
for name in names:
    out.append(getattr(model, name)(3))
### names written out
for name in ("twice", "more", "scaled"):
    out.append(getattr(model, name)(3))
### pairs
for name, x in jobs:
    out.append(getattr(model, name)(x))
### items of a dict
for name, x in by.items():
    out.append(getattr(model, name)(x))
### functions of a module
for name in ["mean", "std", "max"]:
    out.append(float(getattr(np, name)(values)) + f(1))
### methods of an array
for name in ["mean", "std", "max"]:
    out.append(float(getattr(values, name)()) + f(1))
### a comprehension
out = {name: getattr(model, name)(2) for name in names}
### a name written out
for x in range(4):
    out.append(getattr(model, "more")(x))
### a name that a function is given
for x in range(4):
    out.append(stat(x, "max"))
### a name that a function is given by its own name
for x in range(4):
    out.append(stat(x, how="std"))
### a name that a function has by default
for x in range(4):
    out.append(stat(x))
### names of a list for a function
for name in ["mean", "std", "max"]:
    out.append(stat(len(name), name))
### names for a function of the user's methods
for name, x in jobs:
    out.append(asked(x, how=name))
### statements that name what they call
one, two, three = stat(1), stat(2, "max"), stat(3, how="std")
""")
CAREFUL = cells_of("""
### a method that changes the object
for name in ["twice", "keep", "more", "keep"]:
    out.append(getattr(model, name)(3))
### only methods that change it
for name, x in [("keep", 1), ("keep", 2)]:
    out.append(getattr(model, name)(x))
### another name on the way
for name in names:
    if len(out) > 1:
        name = "keep"
    out.append(getattr(model, name)(3))
### another name by a function
for name in names:
    out.append(other(2))
    out.append(getattr(model, name)(3))
### names that are added
for name in names:
    if len(names) < 7:
        names.append("keep")
    out.append(getattr(model, name)(3))
### another getattr
def getattr(thing, name):
    return thing.keep
for name in names:
    out.append(getattr(model, name)(3))
### a method of the list that is filled
for name in ["append", "insert"]:
    out.append(f(len(out)))
    getattr(out, "append")(len(out))
### a name that is not there
for name in ["twice", "none"]:
    out.append(getattr(model, name)(3))
### a name of a method that changes it, for a function
for x in range(4):
    out.append(asked(x, "keep"))
### a name of such a method beside others
for x in range(4):
    out.append((asked(x), asked(x, "keep"), asked(x, how="more"), asked(x, *["keep"])))
### names of a list for a function that one changes it by
for name in ["twice", "keep", "more"]:
    out.append(asked(3, name))
### a parameter that is given another name
for x in range(4):
    out.append(given_again(x))
### a parameter behind a variable of the same name
for x in range(4):
    out.append(hidden(x))
### a parameter of a function inside
for x in range(4):
    out.append(inside(x))
### a name that is handed on
for x in range(4):
    out.append((through(x), through(x, "keep")))
### names from a mapping of a function
out = list(map(asked, [1, 2, 3, 4], ["twice", "keep", "more", "keep"]))
### a function with some arguments
import functools
call = functools.partial(asked, how="keep")
for x in range(4):
    out.append(call(x))
### another default
asked.__defaults__ = ("keep",)
for x in range(4):
    out.append(asked(x))
### in a function of the loop
for name in names:
    call = lambda x: getattr(model, name)(x)
    out.append(call(2))
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_methods_by_known_names_run_in_workers(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)

    assert different is None
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CAREFUL)
def test_what_methods_by_name_change_ends_as_the_plain_cell(name: str, how: str) -> None:
    for seed in (1, 2):
        different, _ = programs.compared(CAREFUL[name], SETUP, how, seed=seed)

        assert different is None


def test_texts_are_known_where_all_items_give_them() -> None:
    def texts(target: str, items: object, written: str = "xs") -> dict[str, frozenset[str]]:
        node = ast.parse(f"({target})", mode="eval").body
        loop = Loop("for", 1, node, node, ast.parse(written, mode="eval").body, [])
        return naming.texts_of(loop, items, frozenset({"a", "b"}))

    assert texts("a", ["x", "y"]) == {"a": {"x", "y"}}
    assert texts("a", ["x", 1]) == texts("c", ["x"]) == texts("a", []) == {}
    assert texts("a, b", [("x", 1), ("y", 2)]) == {"a": {"x", "y"}}
    assert texts("a, b", [("x", 1), ("y",)]) == texts("a, b", ["xy"]) == {}
    assert texts("a", None, "['x', 'z']") == {"a": {"x", "z"}}
    assert texts("a", None, "['x', y]") == texts("a", iter("xy")) == {}
    assert texts("a", ["x"] * (naming.MOST + 1)) == {}
