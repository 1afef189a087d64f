# ruff: noqa: E501
"""Draws cells whose loops hand something from one item to the next: random numbers, counters, queues, what was seen."""

from __future__ import annotations

import random
import textwrap

SETUP = """
import heapq, itertools, random
from collections import deque
import numpy as np
random.seed(3); np.random.seed(4)
rng = random.Random(5); nrng = np.random.default_rng(6); old = np.random.RandomState(7)
data = list(range(20)); xs = [3, 1, 2, 3, 5, 1]; ys = [4, 0, 4]; todo = [5, 4, 3, 2, 1, 0]; queue = deque([1, 2, 3])
out = []; log = []; done = {}; seen = set(); i = 0; prev = 0; ema = 0.0; heap = [5, 7, 9]; batch = []; window = deque(maxlen=3)
it = iter([9, 8, 7, 6, 5, 4, 3]); ids = itertools.count(4); pairs = zip(xs, ys); shared = [0]; stop = 7; best = 0; v = w = r = k = 1; s = [1, 2]
def work(*values):
    total = 0
    for k in range(2): total += len(str(values)) * k
    return total
def fails(*values):
    for value in values:
        if value in (2, 5): raise ValueError(value)
    return work(*values)
def keep(*values):
    for value in values: pass
    return [*values]
def change(values):
    for k in range(1): values.append(7) if isinstance(values, list) else None
    return len(values)
def sometimes(*values):
    for value in values: pass
    return work(*values) % 3 == 0
class Job:
    def __init__(self, n): self.n = n
    def run(self):
        for k in range(self.n): pass
        return self.n
    def __repr__(self): return f"Job({self.n})"
class State:
    def __init__(self): self.n = 0; self.jobs = [3, 2, 1]; self.seen = set()
    def next_id(self):
        self.n += 1
        return self.n
    def fresh(self, v):
        if v in self.seen: return False
        self.seen.add(v)
        return True
state = State(); jobs = [Job(n) for n in range(5)]
def draw(): return random.gauss(0, 1)
def pick(): return rng.choice(data)
def fresh(v):
    if v in seen: return False
    seen.add(v)
    return True
def bump():
    shared[0] += 1
    return shared[0]
"""
NAMES = ["x", "i", "prev", "ema", "v", "w", "r", "k", "best", "stop", "batch", "s"]
DRAWS = [
    "random.random()", "rng.random()", "rng.choice(data)", "rng.sample(data, 3)", "float(nrng.random())", "nrng.integers(0, 9, 3)", "np.random.rand()", "old.normal()",
    "next(it)", "next(ids)", "todo.pop()", "todo.pop(0)", "queue.popleft()", "heapq.heappop(heap)", "state.next_id()", "draw()", "pick()", "bump()", "next(pairs)", "jobs.pop()", "state.jobs.pop()",
    "random.randint(0, 5)", "next(it, None)", "data.pop()", "random.shuffle(data)", "rng.sample(data, 2)[0]", "len(seen)", "len(todo)", "shared[0]", "(i := i + 1)",
]  # fmt: skip
STATEMENTS = [
    "i += 1", "prev = {v}", "ema = 0.9 * ema + {v} * 0.1 if isinstance({v}, (int, float)) else ema", "seen.add(str({v}))", "window.append({v})", "batch.append({v})", "batch = []", "batch.clear()",
    "v = {d}", "w = {d}", "s = {d}", "s = rng.sample(data, 3)", "s.sort()", "s = list(xs)", "random.shuffle(s)", "rng.shuffle(s)", "queue.append(i)", "todo.append(i)", "heapq.heappush(heap, i)", "rng.shuffle(data)", "random.shuffle(data)", "shared[0] += 1", "state.n += 1", "stop = {v}",
    "i, prev = i + 1, i", "a, b = rng.random(), {d}", "data[0] = i", "k = i % 3", "best = i", "rng.seed(i)", "t = s", "i -= 1", "del todo[0]", "state.fresh(str({v}))", "last = {v}",
]  # fmt: skip
HEAVY = [
    "out.append(work({e}))", "out.append(work({e}, {e}))", "done[str({e})] = work({e})", "r = work({e})", "out.append(fails({e}))", "out.append(keep({e}))", "out.append(({e}, work({e})))", "r = keep({e}, {e})", "out.append([work(n, {e}) for n in range(2)])",
    "best = max(best, work({e}))", "print(work({e}))", "log.append(r)", "out.append(work(batch))", "out.append(work(list(window)))", "out.append(change([{e}]))", "done[i] = fails({e})", "out.append(v)", "out.append(s)", "print(i)", "out.append(work(x) + work({e}))",
    "total = work({e}) + i", "out.append(fails(x) * 2 + work({e}))", "out.append(work(data))", "done[i] = s", "v = work({e})", "out.append({e} if sometimes({e}) else work({e}))",
]  # fmt: skip
CONDITIONS = [
    "i % 2", "{v} in seen", "str({v}) in seen", "not fresh(str({v}))", "len(todo) > 3", "{d}", "rng.random() < 0.4", "i > 3", "sometimes({e})", "prev", "queue", "state.fresh(str({v}))", "len(batch) == 2", "i == 4 and {d}", "work({e}) % 2",
]  # fmt: skip
HEADERS = [
    "for x in xs:", "for x in xs:", "for x in xs:", "for i, x in enumerate(xs):", "for x in range(5):", "while todo:", "while i < 5:", "while queue:", "while True:", "while (x := len(todo)) > 1:", "while todo and i < 9:", "for x in it:", "while heap or jobs:",
    "for x in (n for n in xs):", "while rng.random() < 0.9:", "for x, s in zip(xs, [ys, xs, ys]):", "while len(seen) < 3:", "while (x := todo.pop()):", "while data:",
]  # fmt: skip
FIRST = [
    "x = todo.pop()",
    "x = queue.popleft()",
    "i += 1",
    "x = data.pop()\nx = data.pop()\nx = data.pop()",
    "x = next(it)",
    "i += 1\nx = i",
    "x = heapq.heappop(heap)",
]
COMPREHENSIONS = [
    "r = [work(x, {d}) for x in xs]", "r = [fails(x, {d}) for x in xs]", "r = {{x: work({d}) for x in ys}}", "r = sum(work(x, {d}) for x in xs)", "r = [work({d}) for _ in range(4)]", "r = [keep(x) for x in xs if fresh(x)]", "r = list(map(lambda x: work(x, {d}), xs))",
    "r = [work({d}, fails(x), {d}) for x in xs]", "r = {{work(x, {d}) for x in xs}}", "r = [work(x, n, {d}) for x in xs for n in range(2)]", "r = max(work(x, {d}) for x in xs)", "r = any(sometimes(x, {d}) for x in xs)",
]  # fmt: skip


class Writer:
    """Writes one cell."""

    def __init__(self, random: random.Random) -> None:
        self.random = random

    def filled(self, text: str) -> str:
        """Fill a pattern."""
        while "{" in text.replace("{{", "").replace("}}", ""):
            for mark, words in (("{e}", None), ("{d}", DRAWS), ("{v}", NAMES)):
                while mark in text:
                    word = self.expression() if words is None else self.random.choice(words)
                    text = text.replace(mark, word, 1)
            break
        return text.replace("{{", "{").replace("}}", "}")

    def expression(self) -> str:
        """Return an expression of names and of what is handed on."""
        kind = self.random.random()
        if kind < 0.55:
            return self.random.choice(NAMES)
        if kind < 0.8:
            return self.random.choice(DRAWS)
        return self.random.choice(["i + 1", "x", "str(v)", "len(seen)", "i % 2", "(i, prev)", "state.n", "batch", "s"])

    def block(self, depth: int, loops: int) -> str:
        """Return a few statements."""
        return "\n".join(self.statement(depth, loops) for _ in range(self.random.randint(1, 3 if depth else 5)))

    def statement(self, depth: int, loops: int) -> str:
        """Return a statement, which may hold others."""
        kind = self.random.random()
        if depth < 2 and kind < 0.14:
            orelse = f"\nelse:\n{indented(self.block(depth + 1, loops))}" if self.random.random() < 0.3 else ""
            return (
                f"if {self.filled(self.random.choice(CONDITIONS))}:\n{indented(self.block(depth + 1, loops))}{orelse}"
            )
        if kind < 0.2:
            jump = self.random.choice(["continue", "break", "continue"])
            return f"if {self.filled(self.random.choice(CONDITIONS))}: {jump}"
        if depth < 2 and kind < 0.25:
            head = self.random.choice(
                ["for k in range(2):", "for k in range(i % 3):", "for n in ys:", "while rng.random() < 0.5:"]
            )
            return f"{head}\n{indented(self.block(depth + 1, loops + 1))}"
        if depth < 2 and kind < 0.31:
            caught = self.random.choice(["ValueError", "Exception", "(IndexError, StopIteration)", "TypeError"])
            then = self.random.choice(["pass", "continue", "break", "log.append('caught')", "i += 1", "raise"])
            return f"try:\n{indented(self.block(depth + 1, loops))}\nexcept {caught}:\n{indented(then)}"
        return self.filled(self.random.choice(STATEMENTS if kind < 0.62 else HEAVY))

    def loop(self) -> str:
        """Return a loop."""
        header = self.random.choice(HEADERS)
        body = self.block(0, 0)
        if header.startswith("while"):
            body = self.random.choice(FIRST) + "\n" + body
            if "True" in header or self.random.random() < 0.4:
                body += "\n" + self.random.choice(
                    ["if i > 4: break", "i += 1\nif i > 3: break", "if len(todo) < 3: break", "if not queue: break"]
                )
        orelse = (
            f"\nelse:\n{indented(self.random.choice(['log.append(i)', 'i += 10']))}"
            if self.random.random() < 0.15
            else ""
        )
        first = self.random.choice(["", "", "v = w = s = r = 1\n", "s = [1, 2]; v = 3; r = w = 0\n"])
        return f"{first}{header}\n{indented(body)}{orelse}"

    def cell(self) -> str:
        """Return a cell."""
        if self.random.random() < 0.12:
            return (
                self.filled(self.random.choice(COMPREHENSIONS)).replace("(i := i + 1)", "next(ids)") + "\nout.append(r)"
            )
        return self.loop()


def indented(text: str) -> str:
    """Return text, indented."""
    return textwrap.indent(text, "    ")
