# ruff: noqa: E501
"""A grammar of cells: loops with stores, branches, aliases, inner loops, helpers with hidden state, errors, early exits."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

SETUP = """
import random
from collections import defaultdict

def pure(v):
    return v * 3 + 1

def halve(v):
    return v / 2

def fails(v):
    if v % 5 == 4:
        raise ValueError(f"bad {v}")
    return v + 1

def tell(v):
    print("tell", v)
    return v + 2

def remember(v, store=[]):
    store.append(v)
    return len(store)

def note(v):
    log.append(v)
    return v

def peek(v):
    return v + len(log)

def bump(v):
    global state
    state += v
    return state

def see(v):
    return v + state

def look(v):
    return v + t

def touch(box):
    box["k"] = box.get("k", 0) + 1
    return box["k"]

def first(seq):
    return seq[0]

def fresh_list(v):
    made = [v, v + 1]
    made.append(v + 2)
    return made

def same(seq):
    return seq

def counter():
    n = 0
    def up(v):
        nonlocal n
        n += v
        return n
    return up

class Box:
    made = 0
    def __init__(self, v):
        self.v = v
    def get(self):
        return self.v + 1
    def put(self, v):
        self.v = v
        return v
    def count(self):
        Box.made += 1
        return Box.made

xs = [1, 2, 3, 4, 5, 6]
ys = [3, 1, 4, 1, 5, 9]
zs = ys
dup = [[1], [2], [3]]
row = dup[0]
dup2 = [row, row, dup[1]]
boxes = [{"k": 1}, {"k": 2}, {"k": 3}]
objects = [Box(1), Box(2), Box(3)]
out = []
out2 = out
log = []
d = {}
dd = defaultdict(list)
table = {1: 10, 2: 20, 3: 30, 4: 40, 5: 50, 6: 60}
s = set()
total = 0.5
best = -1
t = 0
u = 1
state = 0
up = counter()
box = Box(7)
rng = random.Random(3)
it = iter([9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2, 3])
"""

NAMES = ["t", "u", "w"]
CALLS = [
    "pure",
    "pure",
    "pure",
    "pure",
    "halve",
    "fails",
    "tell",
    "remember",
    "note",
    "peek",
    "bump",
    "see",
    "look",
    "up",
]
MUTATED = ["out", "out", "out2", "log", "ys", "zs"]
STATEFUL = [
    "box.get()", "box.count()", "odd[1]", "odd + 1", "next(it)", "rng.random()", "d.get(1, 0)", "objects[0].put(4)", "objects[1].get()",
]  # fmt: skip
EXPRESSIONS = [
    "{c}({e})", "{c}({e})", "pure({e})", "pure({e})", "halve({e})", "({e} + {e})", "({e} * {e})", "({e} if {e} > 3 else {e})", "ys[int({e}) % 6]",
    "zs[0]", "zs[-1]", "table.get({e}, 0)", "sum([pure(v) for v in xs[:int({e}) % 3]])", "max({e}, {e})", "(u := {e})",
    "len(same(dup[0])) + {e}", "first(fresh_list({e}))", "touch(boxes[int({e}) % 3])", "{s}", "len({{{e}: {e}}})", "sorted([{e}, {e}], key=lambda v: -v)[0]",
    "(lambda v: v + {e})({e})", "int(f'{{{e}}}'[:1] == '1')", "len([*ys, {e}])",
]  # fmt: skip
CONDITIONS = ["{e} > {e}", "{e} % 2", "{e} in s", "{e} and {e} < 4", "not {e}", "{v} % 2", "{v} > 3", "pure({v}) > 8"]
SIMPLE = [
    "{n} = {e}", "{n} = {e}", "{n} = pure({v})", "out.append({e})", "out.append({e})", "out.append(({v}, {e}))", "{m}.append({e})", "d[{e}] = {e}", "dd[{e}].append({e})",
    "total += {e}", "{n} += {e}", "best = max(best, {e})", "s.add({e})", "print({e}, {e})", "ys[int({e}) % 6] = {e}", "ys[0] += {e}",
    "{n} = ys", "alias = dup[int({e}) % 3]\nalias.append({e})", "made = [{e}]\nmade.append({e})\nout.append(made)",
    "made = fresh_list({e})\nmade.sort()\nout.append(made[0])", "part = same(dup[0])\npart.append({e})", "box.v = {e}", "box.v += {e}",
    "table[{v}] = pure(table[{v}])", "ys[i] = pure(ys[i])", "a, b = {e}, {e}", "{e}", "pass", "del w", "xs[0] = 5", "dup2[0].append(2)", "state = state + 1",
    "out.append(lambda: u)", "out.extend(out2[:1])", "out.extend([{e}, {e}])", "d.setdefault({e}, []).append({e})", "w: int = {e}", "{v} = {e}",
    "g = pure\nout.append(g({e}))", "o = Box({e})\no.put({e})\nout.append(o.get())", "o = Box({e})\nout.append(o)", "assert {e} >= -9, {e}", "t, u = u, {e}", "row = boxes[int({e}) % 3]\nrow['z'] = {e}",
]  # fmt: skip
ITERABLES = [
    "range(3)",
    "ys[:2]",
    "fresh_list(2)",
    "fresh_list({v})",
    "xs[:2]",
    "list(dup[0])",
    "out[:2]",
    "[{e}, {e}]",
    "table.items() and [1, 2]",
]
HEADERS = [
    ("for x in xs:", ["x"]), ("for x in xs:", ["x"]), ("for x in list(xs):", ["x"]), ("for i, x in enumerate(xs):", ["i", "x"]),
    ("for i, x in enumerate(ys):", ["i", "x"]), ("for x in range(1, 6):", ["x"]), ("for x in table:", ["x"]), ("for x, y in table.items():", ["x", "y"]),
    ("for x, y in zip(xs, zs):", ["x", "y"]), ("for x in it:", ["x"]), ("for x in (pure(v) for v in xs):", ["x"]), ("for x in map(note, xs):", ["x"]),
    ("for x in map(pure, xs):", ["x"]), ("for t in xs:", ["t"]), ("for i in range(6):", ["i"]),
]  # fmt: skip
ODD = "class Odd:\n    def __init__(self): self.n = 0\n    def __add__(self, v):\n        self.n += 1\n        return self.n + v\n    def __getitem__(self, v):\n        self.n += v\n        return self.n\nodd = Odd()\n"
DEFINITIONS = [
    "",
    "",
    "",
    "w = 2\n",
    "zs = list(ys)\n",
    "def pure(v):\n    return v - 1\n",
    "best = 0.0\nout = []\n",
    ODD,
    "log = out\n",
    "ys = [n + 1 for n in xs]\n",
]
ENDINGS = ["", "", "\nlen(out)", "\nelse:\n    u = 9", "\nout.append(t)\nt"]
FORMS = [
    "r = [{i}]", "[{i}]", "r = sum({i})", "r = max(({i}), default=0)", "r = sorted({i})", "out.extend({i})", "r = any({i})", "r = next(({i}), None)", "s.update({i})",
    "r = {{{i}}}", "r = {{{e}: {i}}}", "r = list(map({c}, {w}))", "r = all({i})", "r = len([{i}]) + u", "total += sum({i})",
]  # fmt: skip
SOURCES = ["xs", "xs", "ys", "range(5)", "it", "list(table)", "(v + 1 for v in xs)"]


class Writer:
    """Writes cells, choosing by a source of random numbers."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.variables = ["x"]

    def fill(self, choices: list[str], depth: int) -> str:
        """Return one of the choices with its fields filled in."""
        text = self.random.choice(choices)
        parts = {
            "c": lambda: self.random.choice(CALLS),
            "n": lambda: self.random.choice(NAMES),
            "m": lambda: self.random.choice(MUTATED),
        }
        parts |= {
            "v": lambda: self.random.choice(self.variables),
            "s": lambda: self.random.choice(STATEFUL),
            "e": lambda: self.expression(depth - 1),
        }
        parts |= {"i": lambda: self.inner(), "w": lambda: self.random.choice(SOURCES)}
        made, position = "", 0
        while position < len(text):
            two = text[position : position + 2]
            if two in ("{{", "}}"):
                made, position = made + two[0], position + 2
            elif text[position] == "{":
                made, position = made + parts[text[position + 1]](), position + 3
            else:
                made, position = made + text[position], position + 1
        return made

    def expression(self, depth: int = 2) -> str:
        """Return an expression that is a number."""
        if depth <= 0 or self.random.random() < 0.4:
            return self.random.choice(
                [
                    *self.variables,
                    *self.variables,
                    *self.variables,
                    "1",
                    "2",
                    "total",
                    "best",
                    "len(out)",
                    "u",
                    "t",
                    "w",
                ]
            )
        return self.fill(EXPRESSIONS, depth)

    def block(self, depth: int) -> str:
        """Return statements one after the other."""
        return "\n".join(self.statement(depth) for _ in range(self.random.choice([1, 2, 2, 3, 4])))

    def statement(self, depth: int) -> str:
        """Return a statement, often with blocks inside."""
        if depth <= 0 or self.random.random() < 0.5:
            return self.fill(SIMPLE, 2)
        test = self.fill(CONDITIONS, 1)
        body, other = indented(self.block(depth - 1)), indented(self.block(depth - 1))
        handled = self.random.choice(["continue", "pass", "w = 0", f"out.append(str({self.variables[0]}))"])
        leave = self.random.choice(["continue", "continue", "break"])
        kept, self.variables = self.variables, [*self.variables, "j"]
        inner = f"for j in {self.fill(ITERABLES, 1)}:\n{indented(self.block(depth - 1))}"
        self.variables = kept
        return self.random.choice([
            f"if {test}:\n{body}", f"if {test}:\n{body}\nelse:\n{other}", f"if {test}:\n    {leave}", inner, inner,
            f"try:\n{body}\nexcept ValueError as error:\n{other}", f"try:\n{body}\nexcept ValueError:\n    {handled}", f"try:\n{body}\nfinally:\n{other}",
            f"n = 3\nwhile n > 0:\n    n = n - 1\n{body}",
            f"match {self.expression(1)}:\n    case 1:\n{indented(body)}\n    case _:\n{indented(other)}",
            f"with open('/dev/null') as handle:\n{body}",
        ])  # fmt: skip

    def loop(self) -> str:
        """Return a cell with a `for` loop."""
        header, self.variables = self.random.choice(HEADERS)
        body = indented(self.block(self.random.choice([0, 1, 1, 2])))
        return self.random.choice(DEFINITIONS) + header + "\n" + body + self.random.choice(ENDINGS)

    def inner(self) -> str:
        """Return the inside of a comprehension."""
        element, where = self.expression(2), self.random.choice(SOURCES)
        test = self.random.choice(["", "", " if " + self.fill(CONDITIONS, 1)])
        return f"{element} for x in {where}{test}{self.random.choice(['', '', '', ' for j in range(x % 3)'])}"

    def comprehension(self) -> str:
        """Return a cell with a comprehension, generator or map."""
        return (
            self.random.choice(DEFINITIONS) + self.fill(FORMS, 1) + self.random.choice(["", "", "\nr2 = len(out)\nr2"])
        )

    def cell(self) -> str:
        """Return a cell."""
        return self.loop() if self.random.random() < 0.75 else self.comprehension()


def indented(text: str) -> str:
    """Return lines set in by one level."""
    return "\n".join("    " + line for line in text.splitlines())


cells = st.randoms(use_true_random=False).map(lambda random: Writer(random).cell())
