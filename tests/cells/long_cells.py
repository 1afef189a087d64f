"""Long cells: some of 100 lines as users write them, and some that are made so that an analysis of them is slow."""

from __future__ import annotations

from dataclasses import dataclass

SETUP = """
import math
import random
import re

import numpy as np

class Ridge:
    def __init__(self, alpha=1.0):
        self.alpha = alpha
        self.coef = None
        self.notes = []

    def fit(self, X, y):
        A = X.T @ X + self.alpha * np.eye(X.shape[1])
        self.coef = np.linalg.solve(A, X.T @ y)
        return self

    def predict(self, X):
        return X @ self.coef

    def score(self, X, y):
        rest = y - self.predict(X)
        if rest.max() > 1:
            self.notes.append("far off")
        return float(1 - (rest @ rest) / ((y - y.mean()) @ (y - y.mean())))

class Chain:
    def __init__(self, order=1):
        self.order = order
        self.table = {}

    def feed(self, sentence):
        words = sentence.split()
        for i in range(len(words) - self.order):
            self.table.setdefault(tuple(words[i:i + self.order]), []).append(words[i + self.order])

    def generate(self, n, seed):
        rng = random.Random(seed)
        state = sorted(self.table)[0]
        out = list(state)
        for _ in range(n):
            following = self.table.get(state)
            if not following:
                break
            out.append(rng.choice(following))
            state = tuple(out[-self.order:])
        return " ".join(out)

def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b)))

def simulate(seed, steps):
    rng = np.random.default_rng(seed)
    path = [0.0]
    for _ in range(steps):
        path.append(path[-1] + rng.normal())
    return path

def readability(text):
    words = text.split()
    return len(words) / 2 + 10 * sum(len(word) > 5 for word in words) / len(words)

def f(x):
    return x * x + 1

def half(x):
    return x / 2

X = np.arange(24.0).reshape(8, 3) % 5
y = X @ np.array([1.0, -2.0, 0.5])
docs = ["the boat left the harbour before the storm", "the captain sold the boat and bought a house"]
points = [(0.0, 1.0), (2.0, 3.0), (4.0, 1.5)]
LINE = re.compile(r"(\\\\w+) (\\\\w+)")
xs = [1, 2, 3]
out, results, errors, totals = [], {}, {}, []
"""

BODIES = {
    "arithmetic": """
    a{n} = f(x) + {n}
    b{n} = half(a{n}) * 2
    if b{n} > 3:
        c{n} = a{n} - b{n}
    else:
        c{n} = b{n}
    values{n} = [a{n}, b{n}, c{n}]
    values{n}.append(sum(values{n}))
    out.append(max(values{n}))
""",
    "models": """
    model{n} = Ridge(alpha=x + {n})
    model{n}.fit(X, y)
    guess{n} = model{n}.predict(X)
    spread{n} = float(np.abs(guess{n} - y).mean())
    try:
        results[x, {n}] = model{n}.score(X, y) / spread{n}
    except ZeroDivisionError as error:
        errors[x, {n}] = str(error)
    totals.append((x, spread{n}, len(model{n}.notes)))
""",
    "texts": """
    chain{n} = Chain(order=1 + x % 2)
    for doc in docs:
        chain{n}.feed(doc)
        for found in LINE.finditer(doc):
            first, second = found.groups()
            if first != second:
                chain{n}.feed(first + " " + second)
    text{n} = chain{n}.generate(12, seed=x)
    out.append(f"{{x}} {{text{n}.upper()}} {{readability(text{n}):.2f}}")
    print(len(text{n}))
""",
    "simulations": """
    path{n} = simulate(x, 20)
    best{n}, position{n} = path{n}[0], 0
    for step, place in enumerate(path{n}):
        if place > best{n}:
            best{n}, position{n} = place, step
        elif place < -5:
            break
    ends{n} = [math.exp(-abs(place)) for place in path{n} if place > 0]
    results[x, {n}] = {{"best": best{n}, "at": position{n}, "mean": sum(ends{n}) / max(1, len(ends{n}))}}
""",
}
LOOPS = """
ranks{n} = {{}}
for x in xs:
    model = Ridge(alpha=x)
    model.fit(X, y)
    ranks{n}[x] = model.score(X, y)
    near = sorted(points, key=lambda point: distance(point, (x, {n})))
    out.append(near[0])
print(max(ranks{n}.values()))
paths{n} = [simulate(x, 10)[-1] for x in xs]
"""


ONE_LIST = "xs, out = [1, 2], []\n"
F = "def f(x): return x"


@dataclass(frozen=True)
class Long:
    """A cell, and the notebook before it."""

    cell: str
    setup: str = SETUP


def repeated(body: str, lines: int = 100, start: str = "for x in xs:\n") -> str:
    """Return a cell of about so many lines: a body again and again, with names of its own each time."""
    text = body.strip("\n")
    return start + "\n".join(text.format(n=number) for number in range(lines // len(text.splitlines())))


REALISTIC = {
    **{name: Long(repeated(body)) for name, body in BODIES.items()},
    "all bodies": Long(repeated("\n".join(body.strip("\n") for body in BODIES.values()))),
    "ten loops": Long(repeated(LOOPS, start="")),
}


def grid(deep: int) -> Long:
    """Return generators inside generators, which give one value each as `more` is empty."""
    functions = ["more = []\ndef g0(x):\n    yield x\n    if more:\n        yield [x]"]
    for n in range(1, deep):
        functions.append(f"def g{n}(x):\n    for a in g{n - 1}(x):\n        for b in g{n - 1}([a]) if more else ():")
        functions.append("            yield [a, b]\n        yield a")
    return Long(f"for x in xs:\n    out.append(list(g{deep - 1}([x])))", ONE_LIST + "\n".join(functions))


def inline_grid(deep: int) -> Long:
    """Return comprehensions inside comprehensions, each over the one inside it."""
    text = "[x]"
    for n in range(deep):
        text = f"([v{n}, f(v{n})] for v{n} in {text} for w{n} in [v{n}])"
    return Long(f"for x in xs:\n    out.append(list({text}))", ONE_LIST + F)


def iterables(count: int) -> Long:
    """Return classes with `__iter__` that walk each other."""
    setup = [ONE_LIST + F]
    for n in range(count):
        made = f"I{n - 1}(self.value)" if n else "[self.value]"
        setup.append(f"class I{n}:\n    def __init__(self, value): self.value = value")
        setup.append(
            f"    def __iter__(self):\n        for a in {made}:\n            yield a\n        if not self.value:"
        )
        setup.append(f"            for b in {made}:\n                yield [b, self]")
    return Long(f"for x in xs:\n    for part in I{count - 1}(x):\n        out.append(f(part))", "\n".join(setup))


def mutual(count: int, width: int = 3) -> Long:
    """Return functions that all call several of the others."""
    setup = [ONE_LIST]
    for n in range(count):
        calls = "\n".join(
            f"    held.append(h{(n * width + place + 1) % count}([x, held], depth - 1))" for place in range(width)
        )
        setup.append(
            f"def h{n}(x, depth):\n    held = [x]\n    if depth <= 0:\n        return held\n{calls}\n    return held"
        )
    return Long("for x in xs:\n    out.append(h0([x], 1))", "\n".join(setup))


def nested(deep: int) -> Long:
    """Return blocks inside blocks."""
    lines = ["for x in xs:"]
    for n in range(deep):
        lines.append("    " * (n + 1) + f"for v{n} in [f(x), [x, {n}]][:1]:")
        lines.append("    " * (n + 2) + f"w{n} = [v{n}, out]")
    lines.append("    " * (deep + 1) + "out.append(len(w0))")
    return Long("\n".join(lines), ONE_LIST + "def f(x): return [x]")


def parentheses(deep: int) -> Long:
    """Return an expression inside an expression, many times."""
    return Long("for x in xs:\n    out.append(" + "f(" * deep + "x" + ")" * deep + ")", ONE_LIST + F)


def wide_sum(count: int) -> Long:
    """Return a sum of many calls, which is as deep as it is long."""
    return Long("for x in xs:\n    out.append(" + " + ".join(["f(x)"] * count) + ")", ONE_LIST + F)


def chained(count: int, methods: bool = False) -> Long:
    """Return functions or methods that call each other one after the other."""
    if methods:
        setup = "class Q:\n    def __init__(self): self.parts = []\n    def add(self, x):\n"
        setup += "        self.parts.append(x)\n        return self\n"
        return Long("for x in xs:\n    out.append(Q()" + ".add(x)" * count + ".parts)", setup + ONE_LIST)
    setup = "def c0(x): return x\n" + "\n".join(f"def c{n}(x): return c{n - 1}([x][0])" for n in range(1, count))
    return Long(f"for x in xs:\n    out.append(c{count - 1}(x))", setup + "\n" + ONE_LIST)


def crowded(names: int) -> Long:
    """Return a notebook of many names, some of large containers that hold each other."""
    setup = f"""
def f(x, parts): return len(parts) + x
class Node:
    def __init__(self, n): self.n, self.near = n, []
nodes = [Node(n) for n in range({names})]
for node in nodes: node.near = nodes[node.n // 50 * 50:][:3]
table = {{n: [n, node] for n, node in enumerate(nodes)}}
rows = [[{{"n": n}}] for n in range({names} * 4)]
for n in range({names}):
    globals()[f"name{{n}}"] = [rows[n], nodes[n]]
xs, out = [1, 2, 3], []
"""
    body = "for x in xs:\n    out.append(f(x, rows))\n    table[x][0] = nodes[x].n\n    nodes[x].near.append(name5)\n"
    return Long(body + "\n".join(f"    name{n}.append(x)" for n in range(90)), setup)


def shared_lists(count: int) -> Long:
    """Return many names that are given each other's lists in inner loops."""
    lines = ["for x in xs:", *(f"    a{n} = [x]" for n in range(count)), "    while f(x):"]
    lines += [f"        a{n}, a{(n * 7 + 1) % count} = [a{(n * 3 + 2) % count}], a{n}" for n in range(count)]
    return Long("\n".join([*lines, "        break", "    out.append(a0)"]), ONE_LIST + F)


def chain_of_conditions(count: int, start: str = "for x in xs:", then: str = "out.append(f(x))") -> Long:
    """Return an `if` with many an `elif`, which is as deep as it is long."""
    lines = [start, "    if f(1) == 0:", "        y = 0"]
    for n in range(1, count):
        lines += [f"    elif f(1) == {n}:", f"        y = f({n})"]
    return Long("\n".join([*lines, f"    {then}" if start.startswith("for") else then]), ONE_LIST + F)


def subscripts(deep: int) -> Long:
    """Return a function that looks for something deep inside what it is given."""
    setup = f"def found(held): return held{'[0]' * deep}\nheld = 1\nfor _ in range({deep}): held = [held]\n"
    return Long("for x in xs:\n    out.append(f(x) + found(held))", setup + ONE_LIST + F)


def literal(count: int) -> Long:
    """Return a large literal whose parts differ from item to item."""
    parts = ", ".join(f"({n}, 'n{n}', [x, {n}])" for n in range(count))
    return Long(f"for x in xs:\n    out.append(f(len([{parts}])))", ONE_LIST + F)


def functions(count: int) -> Long:
    """Return many functions that are called one after the other."""
    setup = "\n".join(f"def h{n}(x, held):\n    held = [x, held]\n    return held" for n in range(count))
    calls = "\n".join(f"    y{n} = h{n}(x, xs)" for n in range(count))
    return Long(f"for x in xs:\n{calls}\n    out.append(f(x))", setup + "\n" + ONE_LIST + F)


def statements(count: int, chained: bool = False) -> Long:
    """Return many calls that have nothing to do with each other, or of which each needs the one before."""
    calls = [f"y{n} = f({f'y{n - 1}' if chained and n else n})" for n in range(count)]
    return Long("\n".join(calls), ONE_LIST + F)


SLOW = {
    "grid of generators": grid(14),
    "grid of comprehensions": inline_grid(18),
    "classes with __iter__": iterables(16),
    "mutual recursion": mutual(40),
    "mutual recursion, wide": mutual(25, 12),
    "nested loops": nested(15),
    "deep parentheses": parentheses(90),
    "a wide sum": wide_sum(900),
    "chain of functions": chained(400),
    "chain of methods": chained(80, methods=True),
    "chain of conditions": chain_of_conditions(700),
    "chain of conditions before": chain_of_conditions(700, "if xs:", "for x in xs:\n    out.append(f(x))"),
    "deep subscripts": subscripts(150),
    "a large literal": literal(1000),
    "500 functions": functions(500),
    "500 calls": statements(500),
    "2000 calls, one after the other": statements(2000, chained=True),
    "5000 names": crowded(5000),
    "lists that change places": shared_lists(60),
    **{f"2000 lines: {name}": Long(repeated(body, 2000)) for name, body in BODIES.items()},
    "2000 lines: loops": Long(repeated(LOOPS, 2000, start="")),
}
