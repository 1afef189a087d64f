# ruff: noqa: E501
"""Functions that the items make or call, with variables that they share: `nonlocal`, and what they close over."""

from __future__ import annotations

import pytest

from tests.cells import compiled, programs

SETUP = """
out, log, xs = [], [], [3, 1, 2, 5, 4]

def f(x):
    total = 0
    for k in range(5):
        total += k * x
    return total

def counter(n=0):
    def more(by=1):
        nonlocal n
        n += by
        return n
    return more

def adder(n):
    held = [n]
    def more(by=1):
        held[0] += by
        return held[0]
    return more

def pair(n=0):
    def get():
        return n
    def put(value):
        nonlocal n
        n = value
    return get, put

def queens(size):
    count, columns = 0, []
    def place(row):
        nonlocal count
        if row == size:
            count += 1
            return
        for c in range(size):
            if all(c != d and abs(c - d) != row - k for k, d in enumerate(columns)):
                columns.append(c)
                place(row + 1)
                columns.pop()
    place(0)
    return count

def deepest(x):
    total = 0
    def deep(k):
        def deeper(j):
            nonlocal total
            total += j
        for j in range(k):
            deeper(f(j))
    deep(x)
    return total

def counts(x):
    n = x
    def more():
        nonlocal n
        n += 1
    while n < x + 3:
        yield n, more
        more()

def told(x):
    y = f(x)
    print("making", x)
    return lambda v=1: y + v

class Account:
    def __init__(self, x):
        n = x
        def add(v):
            nonlocal n
            n += v
            return n
        self.add = add

shared = counter()
get, put = pair()
"""
CELLS = {
    "a search that counts": "r = [queens(x) for x in xs]",
    "two functions deep": "r = [deepest(x) for x in xs]",
    "one that is kept": "for x in xs:\n    c = counter()\n    c(f(x))\n    out.append(c())\n    log.append(c)\nr = [c() for c in log]",
    "one with a list that is kept": "for x in xs:\n    c = adder(x)\n    c(f(x))\n    out.append(c())\n    log.append(c)\nr = [c() for c in log]",
    "two that share, changed after": "ps = [pair(f(x)) for x in xs]\nfor g, p in ps:\n    p(g() + 1)\nr = [g() for g, _ in ps]",
    "two that share, by names": "for x in xs:\n    g, p = pair()\n    p(f(x))\n    out.append(g())\n    log.append(g)\n    p(x)\nr = [g() for g in log]",
    "two that share, one in the tail": (
        "for x in xs:\n    g, p = pair()\n    p(f(x))\n    if len(out) % 2:\n        p(f(x) + len(out))\n"
        "    out.append(g())\n    p(1)\n    log.append((g(), g))\nr = [g() for _, g in log]"
    ),
    "that of the notebook": "for x in xs:\n    out.append((x, shared(f(x))))",
    "those of the notebook": "for x in xs:\n    out.append(get())\n    put(f(x))",
    "what walks reads": "for x in xs:\n    for v, more in counts(x):\n        more()\n        out.append((v, f(v)))",
    "one that an object has": "for x in xs:\n    a = Account(x)\n    a.add(f(x))\n    out.append(a.add(1))\n    log.append(a)\nr = [a.add(1) for a in log]",
    "its making shows": "for x in xs:\n    g = told(x)\n    out.append(f(g()))",
    "a name that only the function inside gives values": (
        "def run(xs):\n    best = None\n    def put(v):\n        nonlocal best\n        best = v\n"
        "    for x in xs:\n        best = 0\n        put(f(x))\n    return best\nr = run(xs)"
    ),
}  # fmt: skip
PLAIN = {"a name that only the function inside gives values"}


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", CELLS)
def test_what_functions_share_ends_as_the_plain_cell_leaves_it(name: str, how: str) -> None:
    different, program = compiled.differs(CELLS[name], SETUP, how, seed=len(name))

    assert different is None
    assert bool(program.lifted) is (name not in PLAIN), [str(part.refusal) for part in program.refused]


MADE_ON_THE_WAY = (
    programs.SLOW
    + """
class Net:
    def __init__(self):
        self.parts = []
    def attach(self, name, f):
        self.parts.append((name, f))
    def ends(self, xs):
        total = slow(1)
        while total < 5:
            total += sum(f(x) for (_, f), x in zip(self.parts, xs))
        return total

out, xs = [None] * 4, [1, 2, 3, 4]
"""
)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("made", ["g = lambda v, i=i: v + i", "def g(v, i=i):\n        return [v + i for _ in xs][0]"])
def test_functions_made_in_workers_have_the_names_that_the_plain_loop_gives_them(made: str, how: str) -> None:
    cell = f"for i in range(4):\n    net = Net()\n    {made}\n    net.attach('a', g)\n    out[i] = net.ends(xs)"
    ran = programs.alike(cell, MADE_ON_THE_WAY, how)
    kept = [function for _, function in ran.left.names["net"].parts]
    assert [function.__qualname__ for function in kept] == [kept[0].__name__]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "made",
    [
        "[(lambda v, i=i: v + i, slow(i)) for i in xs]",
        "{i: (lambda v=slow(i): v) for i in xs}",
        "list((lambda v, i=i: v + i, slow(i)) for i in xs)",
        "[[(lambda v=i: v, slow(i + j)) for j in range(3)] for i in xs]",
        "[(slow(i), lambda: (lambda: 5)) for i in xs]",
    ],
)
def test_functions_of_comprehensions_have_the_names_that_these_give_them(made: str, how: str) -> None:
    assert programs.alike(f"made = {made}", MADE_ON_THE_WAY, how).cell.lifted
