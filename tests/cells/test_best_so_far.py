# ruff: noqa: E501
"""Objects that the items make and change, of which the best one is kept: each item's own is told from those before."""

from __future__ import annotations

import ast

import pytest

from tests.cells import compiled

SETUP = """
out, xs = [], [3, 1, 2, 5, 4]

def f(x):
    total = 0
    for k in range(5):
        total += k * x
    return total

class Model:
    def __init__(self, x, before=None):
        self.x, self.before, self.history, self.wins = x, before, [], 0

    def fit(self, by=1):
        for k in range(3):
            self.history.append(f(self.x) * k * by)
        self.score = sum(self.history) % 37
        return self

    def praise(self):
        if self.before is not None:
            self.before.wins += 1

def touch():
    if best is not None:
        best.wins += 1
    return 1

best = None
"""
KEPT = "    if best is None or m.score > best.score:\n        best = m\n"
END = "    out.append((m.score, len(best.history), best.wins))\n"
CELLS = {
    "fitted in a chain": f"for x in xs:\n    m = Model(x).fit()\n{KEPT}{END}",
    "fitted after": f"for x in xs:\n    m = Model(x)\n    m.fit()\n{KEPT}    else:\n        best.wins += 1\n    m.done = True\n{END}",
    "by another name": f"for x in xs:\n    m = Model(x)\n    other = m\n    other.fit()\n{KEPT}{END}",
}
NESTED = "for x in xs:\n    c = Model(x)\n    for by in (1, 2, 3):\n        m = Model(x + by, c)\n        m.fit(by)\n"
INNER = "        if best is None or m.score > best.score:\n            best = m\n"
SEEN = "        out.append((m.score, best.score, len(best.history), best.wins))\n"
TURNS = {
    "in an inner loop": f"{NESTED}{INNER}{SEEN}",
    "in two inner loops": "for x in xs:\n    c = Model(x)\n    for y in (5, 7):\n        for by in (1, 2, 3):\n            m = Model(x * y, c)\n            m.fit(by)\n            out.append(m.score)\n            if best is None or m.score > best.score:\n                best = m\n",
    "in a while": "for x in xs:\n    c, by = Model(x), 0\n    while by < 3:\n        m = Model(x + by, c)\n        m.fit()\n        by += 1\n        if best is None or m.score > best.score:\n            best = m\n",
    "fails in between": f"{NESTED}{INNER}        out.append((best.score, 1 // (x * by - 8)))\n",
}
FROM_BEFORE = {
    "from the turn before": f"for x in xs:\n    c = old = Model(x)\n    for by in (1, 2, 3):\n        m = Model(x + by, c)\n        m.fit(by)\n        old.fit()\n        old = m\n{INNER}{SEEN}",
    "made in some turns": f"for x in xs:\n    c = m = Model(x)\n    for by in (1, 2, 3):\n        if by != 2:\n            m = Model(x + by, c)\n        m.fit(by)\n{INNER}{SEEN}",
    "kept by an outer one": f"for x in xs:\n    c = Model(x)\n    c.kids = []\n    for by in (1, 2, 3):\n        m = Model(x + by, c)\n        c.kids.append(m)\n        c.kids[0].fit(by)\n        m.fit()\n{INNER}{SEEN}",
    "walked again": f"for x in xs:\n    c = Model(x)\n    made = [Model(x + by, c) for by in (1, 2)]\n    for m in [*made, *made]:\n        m.fit(x)\n{INNER}{SEEN}",
    "changed behind": f"{NESTED}{INNER}        m.fit()\n{SEEN}",
    "changed by a lambda": f"for x in xs:\n    c = m = Model(x)\n    again = lambda: m.fit(3)\n    for by in (1, 2, 3):\n        again()\n        m = Model(x + by, c)\n        m.fit(by)\n{INNER}{SEEN}del again",
}
CARRIED = {
    "linked": f"for x in xs:\n    m = Model(x, best)\n    m.fit()\n    m.praise()\n{KEPT}{END}",
    "sometimes the best one": f"for x in xs:\n    m = Model(x) if best is None or x != 2 else best\n    m.fit()\n{KEPT}{END}",
    "the best one too": f"for x in xs:\n    m = Model(x).fit()\n    if best is not None:\n        best.fit()\n{KEPT}{END}",
    "through a function": f"for x in xs:\n    m = Model(x).fit(touch())\n{KEPT}{END}",
    "through a lambda": f"for x in xs:\n    m = Model(x)\n    g = (lambda: best.fit(2)) if best else m.fit\n    g()\n    m.fit()\n{KEPT}{END}",
    "through methods in a list": f"steps = []\nfor x in xs:\n    m = Model(x)\n    steps.append(m.fit)\n    steps[0]()\n    m.fit()\n{KEPT}{END}",
    "through a dict": f"held = {{}}\nfor x in xs:\n    m = Model(x)\n    held.get('old', m).fit()\n    m.fit()\n    held['old'] = m\n{KEPT}{END}",
    "among all before": f"swarm = []\nfor x in xs:\n    m = Model(x)\n    for one in [m, *swarm]:\n        one.fit()\n    swarm.append(m)\n{KEPT}{END}",
    "in a pair": f"for x in xs:\n    m = Model(x)\n    m.fit()\n    pair = [m, best]\n    pair[0].wins += 1\n    if pair[1]:\n        pair[1].wins += 10\n{KEPT}{END}",
}


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", [*CELLS, *TURNS, *FROM_BEFORE, *CARRIED])
def test_the_best_one_ends_as_the_plain_cell_leaves_it(name: str, how: str) -> None:
    cell = {**CELLS, **TURNS, **FROM_BEFORE, **CARRIED}[name]
    for seed in (1, 2):
        different, program = compiled.differs(cell, SETUP, how, seed=seed)

        assert different is None
    if name in CELLS:
        assert program.lifted, [str(part.refusal) for part in program.refused]
    if name in TURNS:
        assert not any("fit" in ast.unparse(node) for part in program.lifted for node in part.staged.stays)
