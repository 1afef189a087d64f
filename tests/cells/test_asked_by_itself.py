"""What Python asks by itself (is it true? what are its items?) runs the user's methods, once and in the plain order."""

# ruff: noqa: E501
from __future__ import annotations

import pytest

from tests.cells import fronts, programs

SETUP = (
    fronts.SETUP
    + """
class Tank:
    def __init__(self, level): self.level = level
    def fill(self, by): self.level += by
    def __bool__(self): return self.level > 3
class Bag:
    def __init__(self): self.parts = []
    def put(self, part): self.parts.append(part)
    def __len__(self): return len(self.parts) // 2
class Asked:
    def __init__(self): self.asked = 0
    def __bool__(self):
        self.asked += 1
        return self.asked % 2 == 0
class Talks:
    def __bool__(self):
        print("asked")
        return True
class Draws:
    def __bool__(self): return random.random() < 0.5
class Counts:
    def __init__(self): self.n = 0
    def items(self):
        self.n += 1
        return [(self.n, 2)]
    @property
    def all(self):
        self.n += 1
        return [self.n, 2]
    def __getitem__(self, k):
        self.n += 1
        return self.n * k
    def __iter__(self):
        self.n += 1
        return iter(range(self.n))
class Nested:
    def __init__(self, *parts): self.parts = parts
    def __iter__(self): return iter(self.parts)
def between():
    yield 1
    print("between")
    yield 2
class Between:
    def __iter__(self): return between()
tank = Tank(0); tanks = [Tank(1), Tank(2)]; bag = Bag(); bags = [Bag(), Bag()]; asked = Asked(); talks = Talks(); draws = Draws()
counts = Counts(); both = [Counts(), Counts()]; nested = [Nested(1), Nested(2, 3)]; gaps = Between()
"""
)

AHEAD = {
    "an object that a method has changed": "for x in xs:\n    t = tanks[x % 2]\n    t.fill(x)\n    i += 1\n    if t:\n        out.append(work(x, i))",
    "an object that a method changes afterwards": "for x in xs:\n    t = tanks[x % 2]\n    i += 1\n    if t:\n        out.append(work(x, i))\n    t.fill(x)",
    "an object that the work's result changes": "for x in xs:\n    tank.fill(work(x))\n    i += 1\n    if tank:\n        out.append(work(x, i))",
    "an object that changes ahead": "for x in xs:\n    tank.fill(1)\n    i += 1\n    if tank:\n        out.append(work(x, i))",
    "how long it is": "for x in xs:\n    b = bags[x % 2]\n    b.put(x)\n    i += 1\n    if b:\n        out.append(work(x, i))",
    "how long it is, from a list": "for x in xs:\n    b = [bag]\n    b[0].put(x)\n    i += 1\n    if b[0]:\n        out.append(work(x, i))",
    "what decides how often": "while not tank:\n    i += 1\n    tank.fill(1)\n    out.append(work(i))",
    "a question that counts itself": "for x in xs:\n    i += 1\n    if asked:\n        out.append(work(x, i))",
    "a question that prints": "for x in xs:\n    i += 1\n    if talks:\n        print(work(x, i))",
    "a question that draws": "for x in xs:\n    i += 1\n    if x > 1 and draws:\n        out.append(work(x, i))",
    "a question that draws after another one": "for x in xs:\n    i += 1\n    if x > 1:\n        pass\n    elif draws:\n        out.append(work(x, i))",
    "a name that does not exist behind it": "for x in map(fresh, xs):\n    t = tanks[x]\n    t.fill(2)\n    if t:\n        out.append(work(x))\n        missing",
    "an inner loop over what a method finds": "for x in xs:\n    for k in counts.items():\n        out.append(work(x, k))",
    "two inner loops over what a method finds": "for x in xs:\n    for k in counts.items():\n        for y in ys:\n            out.append(work(x, k, y))",
    "a comprehension over what a method finds": "r = [work(x, k) for x in xs for k in counts.items()]",
}
"""Cells of whose items something is computed ahead."""

NOT_AHEAD = {
    "a question that counts itself": "for x in xs:\n    if asked:\n        out.append(work(x))",
    "a question inside an expression": "for x in xs:\n    out.append(work(x) if asked else 1)",
    "a question of a comprehension": "for x in xs:\n    out.append([work(k) for k in ys if asked])",
    "a comprehension over what counts": "for x in xs:\n    out.append([work(k) for k in counts])",
    "an inner loop over what counts": "for x in xs:\n    for k in counts:\n        out.append(work(x, k))",
    "an inner loop over an attribute that counts": "for x in xs:\n    for k in counts.all:\n        out.append(work(x, k))",
    "an inner loop over places that count": "for x in xs:\n    for k in range(counts[x]):\n        out.append(work(x, k))",
    "inner loops that print": "for x in xs:\n    for k in gaps:\n        for y in ys:\n            out.append(work(x, k, y))",
    "levels that print": "r = [work(x, k) for x in xs for k in gaps]",
    "levels with what counts in turn": "r = [work(x, k) for x in xs for k in [counts, xs][x % 2]]",
    "levels with a question that counts": "r = [work(x, k) for x in xs if asked for k in ys]",
    "levels with a pair that counts": "for x in xs:\n    for k in zip(counts, xs):\n        out.append(work(x, k))",
}
"""Cells of whose items nothing is."""


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", AHEAD)
def test_what_python_asks_ahead_of_the_items_is_asked_as_by_the_plain_loop(name: str, how: str) -> None:
    different, ran = programs.compared(AHEAD[name], SETUP, how)

    assert different is None
    assert ran.ahead, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", NOT_AHEAD)
def test_what_python_asks_is_asked_once_and_in_its_turn(name: str, how: str) -> None:
    different, _ = programs.compared(NOT_AHEAD[name], SETUP, how)

    assert different is None


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    ["for n in nested:\n    for k in n:\n        out.append(work(k))", "r = [work(k) for n in nested for k in n]"],
)
def test_items_of_the_users_that_change_nothing_are_walked_as_one_loop(cell: str, how: str) -> None:
    different, ran = programs.compared(cell, SETUP, how)

    assert different is None
    assert [lifted.loop.target is not None and lifted.loop.early for lifted in ran.cell.lifted] == [True]
