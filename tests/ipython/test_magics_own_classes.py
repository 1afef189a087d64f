"""Classes of the notebook, and what its functions are taken apart into, are after a pass what they were before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from concompare import engine
from tests.ipython.conftest import Shell

BACKENDS = ["processes", "spawn", "fork", "loky", "auto"]

NAMED = """
from collections import namedtuple
Row = namedtuple("Row", "a b", defaults=[7])
def f(r):
    return r._replace(b=1)
rows = [Row(i, 2) for i in range(6)]
"""
TYPED = """
from typing import NamedTuple
class Row(NamedTuple):
    a: int
    b: int = 7
    def plus(self):
        return self.a + scale
scale = 10
def f(r):
    return r._replace(b=1)
rows = [Row(i, 2) for i in range(6)]
"""
DATA = """
from dataclasses import dataclass, field, replace
@dataclass(order=True)
class Row:
    a: int
    b: int = 2
    c: list = field(default_factory=list)
def f(r):
    return replace(r, b=1, c=[])
rows = [Row(i) for i in range(6)]
"""
MADE = """
from functools import lru_cache
def make(start):
    shift = start
    class Row:
        def __init__(self, a, b=2):
            super().__init__()
            self.a, self.b = a, b + shift
        def __eq__(self, other):
            return type(self) is type(other) and self.__dict__ == other.__dict__
        __hash__ = None
        def moved(self):
            return Row(self.a, 1 - shift)
    return Row
Row = make(0)
def f(r):
    return r.moved()
rows = [Row(i) for i in range(6)]
"""
SLOTS = """
class Base:
    kinds = []
    def __init_subclass__(cls, **options):
        Base.kinds.append(cls.__name__)
class Row(Base):
    __slots__ = ("a", "b")
    def __init__(self, a, b=2):
        self.a, self.b = a, b
    def __eq__(self, other):
        return type(self) is type(other) and (self.a, self.b) == (other.a, other.b)
def f(r):
    return Row(r.a, 1)
rows = [Row(i) for i in range(6)]
"""
PANDAS = """
import pandas as pd
rows = list(pd.DataFrame({"a": range(6), "b": 2}).itertuples())
Row = type(rows[0])
def f(r):
    return r._replace(b=1)
"""

SETUPS = {"namedtuple": NAMED, "typed": TYPED, "data": DATA, "made": MADE, "slots": SLOTS, "itertuples": PANDAS}

CHECK = """
kept = dict(vars(Row))
expected = [f(r) for r in rows]
"""
AFTER = """
changed = [name for name, part in kept.items() if name not in ("__doc__",) and vars(Row).get(name) is not part]
again = [f(r) for r in rows]
text = repr(rows)
same = [type(r) is Row for r in out]
"""


@pytest.fixture(autouse=True, scope="module")
def closed() -> Iterator[None]:
    yield
    engine.close_pools()


@pytest.mark.parametrize(
    ("setup", "name"),
    [
        pytest.param(setup, name, id=f"{kind}-{name}")
        for kind, setup in SETUPS.items()
        for name in BACKENDS
        if name != "loky" or kind in ("data", "itertuples")  # its workers take a second to come up, and get the same
    ],
)
def test_results_of_the_notebook_s_classes_leave_the_classes_alone(setup: str, name: str, shell: Shell) -> None:
    if setup is PANDAS:
        pytest.importorskip("pandas")
    shell.run(setup + CHECK)
    for _ in range(2):
        shell.run(f"%%parallel -b {name} -w 2 --no-plot --quiet\nout = [f(r) for r in rows]")
        shell.run(AFTER)
        assert shell.names["out"] == shell.names["expected"] == shell.names["again"]
        assert shell.names["changed"] == []
        assert all(shell.names["same"])
    if setup is SLOTS:
        assert shell.names["Row"].kinds == ["Row"]
    if setup is TYPED:
        shell.run("scale = 100\ntotal = [r.plus() for r in out]")
        assert shell.names["total"] == [100 + number for number in range(6)]


@pytest.mark.slow
@pytest.mark.parametrize("setup", [NAMED, PANDAS], ids=["namedtuple", "itertuples"])
def test_a_comparison_leaves_the_classes_alone(setup: str, shell: Shell) -> None:
    if setup is PANDAS:
        pytest.importorskip("pandas")
    shell.run(setup + CHECK)
    shell.run("%%concompare -b serial,processes -w 2 --budget 2 --no-plot --quiet\nout = [f(r) for r in rows]")
    shell.run(AFTER)
    assert shell.names["out"] == shell.names["expected"] == shell.names["again"]
    assert shell.names["changed"] == []


def test_members_of_the_notebook_s_enums_come_back_as_themselves(shell: Shell) -> None:
    shell.run(
        "from enum import Enum, Flag, IntEnum\n"
        "class Colour(Enum):\n    RED = 1\n    BLUE = 2\n    def next(self):\n        return Colour(3 - self.value)\n"
        "class Size(IntEnum):\n    S = 1\n    L = 2\n"
        "class Mark(Flag):\n    A = 1\n    B = 2\n"
        "def f(c):\n    return c.next(), Size(c.value), Mark.A | Mark.B, [c]\n"
        "kept = dict(vars(Colour))\n"
    )
    shell.run("%%parallel -b processes -w 2 --no-plot --quiet\nout = [f(c) for c in Colour]")
    shell.run(
        "own = [(a in Colour, a is c.next(), b is Size(c.value), m is Mark.A | Mark.B, e[0] is c)\n"
        "       for c, (a, b, m, e) in zip(Colour, out)]\n"
        "changed = [name for name, part in kept.items() if vars(Colour).get(name) is not part]\n"
    )
    assert all(all(entry) for entry in shell.names["own"])
    assert shell.names["changed"] == []


def test_an_error_of_a_class_of_the_notebook_leaves_that_class_alone(shell: Shell) -> None:
    shell.run(
        "class Odd(Exception):\n    told = 3\n    def __str__(self):\n        return f'odd {self.args[0]} {told}'\n"
        "told = 1\nkept = dict(vars(Odd))\n"
        "def f(n):\n    if n == 3:\n        raise Odd(n)\n    return n\n"
    )
    ran = shell.fails("%%parallel -b processes -w 2 --no-plot --quiet\nout = [f(n) for n in range(5)]")
    assert type(ran.error) is shell.names["Odd"]
    shell.run("told = 2\nchanged = [name for name, part in kept.items() if vars(Odd).get(name) is not part]")
    assert str(ran.error).startswith("odd 3 2")
    assert shell.names["changed"] == []


def test_a_class_that_was_changed_since_is_taken_over_by_warm_workers(shell: Shell) -> None:
    shell.run("class Rate:\n    factor = 2\ndef f(n):\n    return n * Rate.factor\n")
    cell = "%%parallel -b {} -w 2 --no-plot --quiet\nout = [f(n) for n in range(4)]"
    for name in ("processes", "fork"):
        for factor in (2, 5):
            shell.run(f"Rate.factor = {factor}")
            shell.run(cell.format(name))
            assert shell.names["out"] == [factor * number for number in range(4)]


def test_functions_in_results_do_not_break_those_of_the_notebook(shell: Shell) -> None:
    """What a function is taken apart into while it is sent, its cells above all, is not the notebook's."""
    shell.run(
        "def make(k):\n    seen = [k]\n    def inner(x):\n        return x + seen[0]\n    return inner\n"
        "inner = make(5)\ninner.mark = [1]\n"
        "def f(x):\n    return inner, inner(x), inner.mark\n"
    )
    shell.run("%%parallel -b processes -w 2 --no-plot --quiet\nout = [f(x) for x in range(4)]")
    shell.run("values = [one(10) for one, _, _ in out] + [inner(10)]")
    shell.run("marks = [mark is inner.mark for _, _, mark in out]")
    assert shell.names["values"] == [15] * 5
    assert all(shell.names["marks"])


def test_states_that_objects_make_for_their_pickle_are_not_taken_for_the_notebook_s(shell: Shell) -> None:
    shell.run(
        "class Made:\n"
        "    def __init__(self, n):\n        self.n, self.own = n, [n]\n"
        "    def __getstate__(self):\n        return {'n': self.n, 'own': self.own, 'fresh': []}\n"
        "    def __setstate__(self, state):\n        self.state = state\n        self.__dict__.update(state)\n"
        "things = [Made(n) for n in range(4)]\n"
        "def f(m):\n    return m.__dict__.get('state'), m.own\n"
    )
    # Unwitnessed, since such objects are others in a worker than in the notebook.
    shell.run("%%parallel -b processes -w 2 --no-plot --quiet --assume-pure\nout = [f(m) for m in things]")
    shell.run("own = [own is m.own for (_, own), m in zip(out, things)]")
    assert all(shell.names["own"])
    assert [state["fresh"] for state, _ in shell.names["out"]] == [[]] * 4


@pytest.mark.parametrize(
    ("base", "made", "step"),
    [
        ("list", "Held([1])", "held += [len(held) * n]"),
        ("set", "Held([1])", "held |= {len(held) * n}"),
        ("dict", "Held(a=1)", "held |= {len(held): n}"),
        ("collections.deque", "Held([1])", "held += [len(held) * n]"),
        ("np.ndarray", "np.arange(3.0).view(Held)", "held *= held.sum() + n"),
        ("pd.Series", "Held([1.0, 2.0])", "held *= held.sum() + n"),
    ],
)
def test_operators_of_a_base_change_the_object_once_for_each_item(
    base: str, made: str, step: str, shell: Shell
) -> None:
    shell.run("import collections\nimport numpy as np\nimport pandas as pd")
    shell.run(f"class Held({base}):\n    pass\ndef grow(held, n):\n    {step}\nheld, plain = {made}, {made}")
    shell.run("for n in [2, 3, 4]:\n    grow(plain, n)")
    shell.run("%%parallel -b threads -w 2\nfor n in [2, 3, 4]:\n    grow(held, n)")
    assert list(shell.names["held"]) == list(shell.names["plain"])
