"""Functions that a comprehension keeps: all of them see its target as it is when they are called."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cells import programs

SETUP = """
import functools
from scipy_like import quad
def work(x):
    return x * 10
class Button:
    def __init__(self, action):
        self.action = action
kept = []
xs = [1, 2, 3]
"""
LATE = [
    ("r = [lambda: work(x) for x in xs]\n[f() for f in r]", [30, 30, 30]),
    ("r = {x: (lambda: x, work(x)) for x in xs}\n[f() for f, _ in r.values()]", [3, 3, 3]),
    ("r = dict((x, lambda: work(x)) for x in xs)\n[f() for f in r.values()]", [30, 30, 30]),
    ("r = [Button(lambda: x) for x in xs if work(x)]\n[b.action() for b in r]", [3, 3, 3]),
    ("r = [kept.append(lambda: work(x)) for x in xs]\n[f() for f in kept]", [30, 30, 30]),
    ("r = [[lambda: work(x) + y for y in range(2)] for x in xs]\n[f() for row in r for f in row]", [31] * 6),
    ("r = [lambda: work(x) + y for x in xs for y in range(x)]\n[f() for f in r]", [32] * 6),
    ("r = [(work(x + i) for i in range(2)) for x in xs]\n[list(g) for g in r]", [[30, 40]] * 3),
    ("r = [map(lambda v: v + x, [work(x)]) for x in xs]\n[list(g) for g in r]", [[13], [23], [33]]),
    ("r = [functools.partial(lambda v: v + x, work(x)) for x in xs]\n[f() for f in r]", [13, 23, 33]),
]
OWN = [
    ("r = [lambda x=x: work(x) for x in xs]\n[f() for f in r]", [10, 20, 30]),
    ("r = list(map(lambda x: (lambda: work(x)), xs))\n[f() for f in r]", [10, 20, 30]),
    ("[sorted([1, 2, 3], key=lambda v: (v * work(x)) % 7) for x in xs]", [[3, 1, 2], [3, 2, 1], [1, 2, 3]]),
    ("[(lambda: work(x))() for x in xs]", [10, 20, 30]),
    ("[list(filter(lambda v: v > x, [1, 2, work(x)])) for x in xs]", [[2, 10], [20], [30]]),
    ("[quad(lambda v: v * work(x)) for x in xs]", [20, 40, 60]),
    ("[max(work(x) - i for i in xs) for x in xs]", [9, 19, 29]),
]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a module of which nothing is declared."""
    import json
    import sys
    import types

    made = types.ModuleType("scipy_like")
    made.__file__ = json.__file__
    exec(compile("def quad(function):\n    return function(2)\n", json.__file__, "exec"), made.__dict__)
    monkeypatch.setitem(sys.modules, "scipy_like", made)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(("cell", "value"), LATE)
def test_a_kept_function_sees_the_last_item(cell: str, value: Any, how: str) -> None:
    assert programs.run(cell, SETUP, how).left.value == value


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(("cell", "value"), OWN)
def test_a_function_that_is_only_called_or_has_the_value_keeps_nothing_from_workers(
    cell: str, value: Any, how: str
) -> None:
    ran = programs.run(cell, SETUP, how)
    assert ran.left.value == value
    assert "keeps a function" not in ran.reasons


def test_the_reason_names_what_the_function_reads_and_what_to_do() -> None:
    (refused,) = programs.run("r = [lambda: work(x) for x in xs]", SETUP, "threads").cell.refused
    assert str(refused.refusal) == (
        "line 1: keeps a function that reads 'x' when it is called, as it then is for all items. "
        "Give it the value as a default: `x=x`."
    )
