"""Functions that call each other: what each does is known in full, wherever the walk entered the recursion."""

from __future__ import annotations

import math

import pytest

from concompare.cells import ir
from tests.cells import compiled, programs

SETUP = """
seen, xs, out = [], [1, 2, 3], []

def work(x):
    return x * x

def even(n):
    if n:
        odd(n - 1)
    seen.append(n)
    return work(n)

def odd(n):
    if n:
        even(n - 1)
    return work(n)

def first(n):
    if n:
        second(n - 1)
    return work(n)

def second(n):
    if n:
        third(n - 1)
    return work(n)

def third(n):
    if n:
        second(n - 1)
        first(n - 1)
    seen.append(n)

def outside(n):
    return even(n)
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in xs:\n    even(x)\n    out.append(odd(x))",
        "for x in xs:\n    outside(x)\n    out.append(odd(x + 1))",
        "for x in xs:\n    first(x)\n    out.append(second(x))\n    out.append(first(x + 1))",
        "for x in xs:\n    odd(x)\n    out.append(odd(x))",
    ],
)
def test_what_a_recursion_changes_stays_in_order_wherever_it_is_entered(cell: str, how: str) -> None:
    different, program = compiled.differs(cell, SETUP, how)

    assert different is None
    assert program.lifted or "seen" in " ".join(str(found.refusal) for found in program.refused)


LINKED = """
class Node:
    def __init__(self, data):
        self.data = data
        self.parent = self
        self.rank = 0

def top(x):
    if x is not x.parent:
        x.parent = top(x.parent)
    return x.parent

nodes = [Node(n) for n in range(6)]
for n, node in enumerate(nodes):
    node.parent = nodes[{where}]
out = []
"""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("where", ["n", "n - n % 3", "max(n - 1, 0)", "0"])
def test_what_leads_back_to_itself_is_seen_through_soon(where: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ir, "STEPS", 3_000)
    monkeypatch.setattr(ir, "SECONDS", math.inf)
    setup = LINKED.format(where=where)
    cell = "for node in nodes:\n    for other in nodes:\n        if top(node) is top(other):\n            out.append(1)"

    different, program = compiled.differs(cell, setup, how)

    assert different is None
    assert "too long" not in " ".join(str(found.refusal) for found in program.refused)
