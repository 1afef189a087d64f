# ruff: noqa: E501
"""Calls that stay in the notebook for a part of what they do: the rest of their functions runs in workers."""

from __future__ import annotations

import pytest

from tests.cells import compiled, programs

SETUP = """
import functools, random
import numpy as np
random.seed(3)
def work(*values):
    total = 0
    for k in range(2): total += len(str(values)) * k
    return total
def fails(x):
    if x == 3: raise ValueError(x)
    return work(x)
xs = [2, 0, 3, 1, 2]; out = []; log = []; n = 0; text = ""; stats = {"odd": 0}
def counted(x):
    global n
    n += 1
    return work(x)
def counted_after(x, by=2):
    global n
    y = work(x) % by
    if y: n += x
    return y
def noted(x):
    stats["odd"] += x % 2
    log.append(x)
    return [work(x)]
def chosen(x):
    if x > 2:
        log.append("large")
        return work(x)
    elif x == 1:
        return "one"
    y = work(x + 1)
    log.append(y)
    return y
def branches(x):
    log.append(x)
    if x == 0: return "none"
    elif x == 1:
        log.append("one")
    elif x > 2:
        if work(x) > 99: return "never"
    log.append("after")
    return work(x, 1)
def first_of(x):
    for part in (x, x + 1, x + 2):
        if part % 3 == 0:
            log.append(part)
            return work(part)
    return -1
def drawn(x):
    a = random.random()
    return a + work(x)
rng = np.random.default_rng(4)
def given(rng, x, *, scale=1):
    return rng.normal() * scale + work(x)
def tried(x):
    try:
        return fails(x)
    except ValueError as error:
        log.append(str(error))
        return None
def raising(x):
    log.append(x)
    return fails(x)
def written(x):
    global text
    text += f"<{x}"
    y = work(x)
    text += f"{y}>"
    return y
def memoised(function):
    cache = {}
    @functools.wraps(function)
    def inner(*arguments):
        if arguments not in cache:
            cache[arguments] = function(*arguments)
        return cache[arguments]
    inner.cache = cache
    return inner
@memoised
def memo(x): return [work(x)]
def logged(function):
    def inner(*arguments, **named):
        log.append((function.__name__, arguments))
        inner.calls += 1
        return function(*arguments, **named)
    inner.calls = 0
    return inner
@logged
def logging(x, by=1): return work(x, by)
@logged
@logged
def twice(x): return work(x)
class Made:
    count = 0
    def __init__(self, x, scale=1):
        Made.count += 1
        self.number = Made.count
        self.x, self.scale = x, scale
    def value(self):
        log.append(self.number)
        return work(2) * self.scale
class Memo:
    def __init__(self, function): self.function, self.known, self.hits = function, {}, 0
    def __call__(self, x):
        if x in self.known: self.hits += 1
        else: self.known[x] = self.function(x)
        return self.known[x]
known = Memo(work)
class Trainer:
    def __init__(self): self.losses, self.best = [], None
    def step(self, x):
        loss = work(x)
        self.losses.append(loss)
        if self.best is None or loss < self.best: self.best = loss
        return loss
trainer = Trainer()
def closed():
    seen = []
    def inner(x):
        seen.append(x)
        return work(x)
    return inner
inner = closed()
"""

LIFTED = {
    "a counter": "for x in xs:\n    out.append(counted(x))",
    "a counter in a comprehension": "out = [counted(x) for x in xs]",
    "a counter that a result decides about": "for x in xs:\n    y = counted_after(x, by=3)\n    out.append(y)",
    "a default": "out = [counted_after(x) for x in xs]",
    "containers": "for x in xs:\n    found = noted(x)\n    found.append(n)\n    out.append(found)",
    "several ends": "out = [chosen(x) for x in xs]",
    "an end inside a loop": "for x in xs:\n    out.append((x, first_of(x)))",
    "random numbers": "for x in xs:\n    out.append(drawn(x))\nout.append(random.random())",
    "a generator that is given": "out = [given(rng, x, scale=x) for x in xs]\nout.append(rng.normal())",
    "an error that is caught": "for x in xs:\n    out.append(tried(x))",
    "text": "for x in xs:\n    out.append(written(x))",
    "a memo": "for x in xs:\n    out.append(memo(x))\nlog = [a is b for a, b in zip(out, out[::-1])]",
    "a decorator": "for x in xs:\n    out.append(logging(x, by=x))",
    "two decorators": "out = [twice(x) for x in xs]",
    "objects that count": "for x in xs:\n    made = Made(x, scale=2)\n    out.append((made.number, made.value()))",
    "an object that is called": "for x in xs:\n    out.append(known(x))",
    "ends of branches": "out = [branches(x) for x in xs]",
    "a method of the notebook's object": "for x in xs:\n    out.append(trainer.step(x))",
    "a variable of a function around": "for x in xs:\n    out.append(inner(x))",
    "a condition": "for x in xs:\n    if counted(x) > 1:\n        out.append(x)\n    else:\n        log.append(x)",
    "parts before it": "for x in xs:\n    out.append((n, counted(x), n))",
    "inner loops": "for x in xs:\n    row = []\n    for y in range(x):\n        row.append(noted(y))\n    out.append(row)",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_what_a_function_does_in_order_stays_and_its_work_goes_to_workers(name: str, how: str) -> None:
    different, program = compiled.differs(LIFTED[name], SETUP, how)

    assert different is None
    assert program.lifted
    assert program.lifted[0].loop.expanded
    assert "work" not in program.lifted[0].staying


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for x in xs:\n    out.append(raising(x))",
        "out = [raising(x) for x in xs]",
        "for x in xs:\n    try:\n        out.append(raising(x))\n    except ValueError as error:\n        log.append(error.args)",
        "for x in xs:\n    v = raising(x)\n    out.append(counted(v))",
    ],
)
def test_an_error_of_an_inlined_function_is_that_of_the_plain_loop(cell: str, how: str) -> None:
    different, program = compiled.differs(cell, SETUP, how)

    assert different is None
    assert program.lifted


PLAIN = {
    "a function that changes itself": "for x in xs:\n    counted_after.__defaults__ = (x + 1,)\n    out.append(counted_after(x))",
    "a class that is changed": "for x in xs:\n    Made.value = lambda self: x\n    out.append(Made(x).value())\n    log.append(counted(x))",
    "an unbound name": "def odd(x):\n    if x % 2: y = work(x)\n    log.append(x)\n    return y\nfor x in xs:\n    try:\n        out.append(odd(x))\n    except UnboundLocalError: out.append(0)",
    "names of the frame": "def local(x):\n    log.append(sorted(locals()))\n    return work(x)\nfor x in xs: out.append(local(x))",
    "closures": "def late(x):\n    log.append(lambda: x)\n    return work(x)\nfor x in xs: out.append(late(x))\nlog = [part() for part in log]",
    "an argument that it changes": "def shift(x, n):\n    global total\n    total = n\n    return work(x) + n\ntotal = 1\nfor x in xs: out.append(shift(x, total) + total)",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_what_cannot_be_inlined_leaves_what_the_plain_loop_leaves(name: str, how: str) -> None:
    different, program = compiled.differs(PLAIN[name], SETUP, how)

    assert different is None
    assert program.lifted or program.refused


KEYED = """
class Net:
    def __init__(self):
        self.edges, self.asked = {k: [k + 1, k + 2] for k in range(9)}, 0

    def distances(self, start):
        self.asked += 1
        found = {start: 0}
        for step in self.edges[start]:
            found[step] = work(step)
        return found

net, k = Net(), 7

def farthest(net, stop):
    found = net.distances(stop)
    far = max(found, key=lambda s: (found[s], s))
    return far, min(found.items(), key=lambda pair: -pair[1])

def shadowing(net, a, b):
    found = net.distances(a)
    return sorted(found, key=lambda a: -found[a] * b + a)

def ordering(net, stop):
    rows = [*net.distances(stop).items()]
    rows.sort(key=lambda row: row[1] + k)
    return rows

def outside(net, stop):
    found = net.distances(stop)
    return max(found, key=lambda k: found[k]) + k
"""
KEYS = {
    "beside the target's name": "out = {s: farthest(net, s) for s in xs}",
    "a parameter like a variable": "for x in xs:\n    out.append(shadowing(net, x, x))",
    "a list in place": "for row in xs:\n    out.append(ordering(net, row))",
    "a parameter like a name of the notebook": "out = [outside(net, x) for x in xs]",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", KEYS)
def test_functions_that_order_by_a_key_are_inlined(name: str, how: str) -> None:
    different, program = compiled.differs(KEYS[name], SETUP + KEYED, how)

    assert different is None
    assert program.lifted
    assert program.lifted[0].loop.expanded
    assert "distances" not in program.lifted[0].staying


def test_a_key_that_is_kept_is_not_inlined() -> None:
    setup = f"{SETUP}\nkept = []\ndef max(found, key):\n    kept.append(key)\n    return key(found[0])\n"
    setup += "def late(x):\n    log.append(x)\n    return max([work(x)], key=lambda v: v + x)\n"
    cell = "for x in xs:\n    out.append(late(x))\nkept = [part(1) for part in kept]"
    different, program = compiled.differs(cell, setup, "threads")

    assert different is None
    assert not program.lifted or not program.lifted[0].loop.expanded
