# ruff: noqa: E501
"""Draws cells that do work over items otherwise than by a loop of their own: builtins, functions, pandas, numpy, pools."""

from __future__ import annotations

import re
from random import Random

from tests.cells import notebook
from tests.cells.grammar import Writer, indented

SETUP = """
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from multiprocessing.pool import ThreadPool
import pandas as pd

frame = pd.DataFrame({"a": [1, 2, 3, 4], "b": [4.0, 5.0, 6.0, 7.0], "g": ["u", "v", "u", "w"]})
square = np.arange(12.0).reshape(4, 3)
results = [None] * 6
"""

WORK = ["pure", "pure", "pure", "pure", "halve", "fails", "fails", "deeper", "(lambda v: pure(v) + {k})", "(lambda v: pure(v) + halve(v))", "bump", "note", "tell", "functools.partial(run, pure)", "Box(1).put"]  # fmt: skip
ITEMS = ["xs", "xs", "ys", "range(5)", "[1, 2, 3]", "list(table)", "xs[1:4]", "tuple(ys)", "sorted({{3, 1}} | s)", "(v + 1 for v in xs)", "arr[:4]", "map(pure, xs)", "reversed(xs)", "dup[0] * 3", "filter(None, ys)"]  # fmt: skip
BUILTINS = [
    "r = list(map({c}, {w}))", "r = [*map({c}, {w})]", "r = list(filter(lambda v: {c}(v) > {k}, {w}))", "r = list(itertools.starmap(lambda a, b: {c}(a) + b, zip({w}, {w})))", "r = sorted({w}, key={c})", "r = min({w}, key=lambda v: ({c}(v), v))", "r = max({w}, key={c}, default=None)",
    "r = any({c}(v) > {k} for v in {w})", "r = all({c}(v) < {k} for v in {w})", "r = sum(map({c}, {w}))", "r = next((v for v in {w} if {c}(v) > {k}), None)", "r = functools.reduce(lambda a, b: a + b, map({c}, {w}), 0)", "r = functools.reduce(lambda a, b: {c}(a) + b, {w})", "r = dict(zip({w}, map({c}, {w})))",
    "r = list(itertools.chain.from_iterable(map(fresh_list, map({c}, {w}))))", "a, b, *others = map({c}, {w})", "r = {{v: {c}(v) for v in {w}}}", "xs.sort(key={c})", "r = list(itertools.accumulate(map({c}, {w})))", "r = ''.join(map(str, map({c}, {w})))", "r = [(k, list(g)) for k, g in itertools.groupby(sorted({w}, key={c}), key={c})]",
    "r = list(zip(map({c}, {w}), {w}))", "r = [y for y in map({c}, {w}) if (z := {c}(y)) > {k}]", "out.extend(map({c}, {w}))", "d.update((v, {c}(v)) for v in {w})", "r = list(enumerate(map({c}, {w})))", "r = list(map(rest, map({c}, {w}), {w}))", "r = set(map({c}, {w})) | {{{c}({k})}}", "out += [{c}(v) for v in {w} if v > {k}]",
    "r = list(itertools.takewhile(lambda v: v < {k} * 3, map({c}, {w})))", "r = list(itertools.filterfalse({c}, {w}))", "r = max(map({c}, {w}), default=0)", "r = [[{c}(a + b) for b in {w}] for a in [1, 2]]", "r = [{c}(a * b) for a in {w} for b in [1, 2] if a != b]", "r = list(map(lambda a, b: {c}(a) - b, {w}, {w}))",
]  # fmt: skip
FUNCTIONS = [
    "def experiment(values, limit={k}):\n    found = []\n    for value in values:\n        found.append({c}(value) + limit)\n    return found\nr = experiment({w})", "def experiment(values):\n    return [{c}(v) for v in values]\nr = sum(experiment({w}))", "def walk(values):\n    for value in values:\n        yield {c}(value)\nr = list(walk({w}))",
    "class Lab:\n    def __init__(self):\n        self.results = {{}}\n    def run(self, values):\n        for v in values:\n            self.results[v] = {c}(v)\n        return self\nr = Lab().run({w}).results", "def outer(values):\n    def inner(part):\n        return [{c}(v) for v in part]\n    return inner(values), inner([1, 2])\nr = outer({w})",
    "def pairs_of(values):\n    table = {{}}\n    for a in values:\n        for b in [1, 2]:\n            table[a, b] = {c}(a + b)\n    return table\nr = pairs_of({w})", "def total_of(values):\n    total = 0\n    for v in values:\n        try:\n            total += {c}(v)\n        except ValueError:\n            continue\n    return total\nr = total_of({w})",
    "def keep(values):\n    for v in values:\n        log.append({c}(v))\nkeep({w})", "def best_of(values):\n    best, found = -1, None\n    for v in values:\n        score = {c}(v)\n        if score > best:\n            best, found = score, v\n    return found, best\nr = best_of({w})", "def first_over(values, limit):\n    for v in values:\n        if {c}(v) > limit:\n            return v\n    return None\nr = first_over({w}, {k})",
    "def squares(values):\n    return {{v: {c}(v) for v in values}}\ndef both(values):\n    table = squares(values)\n    return sorted(table.items())\nr = both({w})", "def chained(values):\n    last = 1\n    for v in values:\n        last = {c}(last)\n    return last\nr = chained({w})", "def counted_to(limit):\n    n, found = 0, []\n    while n < limit:\n        n += 1\n        found.append({c}(n))\n    return found\nr = counted_to({k})",
    "def parts(values):\n    found = [None] * len(values)\n    for i, v in enumerate(values):\n        found[i] = {c}(v)\n    return found\nr = parts(list({w}))", "def stepped(values):\n    tanks = []\n    for v in values:\n        made = Box(v)\n        made.put({c}(v))\n        tanks.append(made)\n    return [made.get() for made in tanks]\nr = stepped({w})",
]  # fmt: skip
FRAMES = [
    "r = frame['a'].map({c})", "r = frame['a'].apply({c})", "frame['c'] = frame['a'].apply(lambda v: {c}(v) + {k})", "r = frame.apply(lambda row: {c}(row['a']) + row['b'], axis=1)", "r = frame[['a', 'b']].apply(lambda column: {c}(float(column.sum())))", "r = frame[['a', 'b']].map({c})", "r = frame.groupby('g')['a'].apply(lambda part: {c}(int(part.sum())))",
    "r = frame.groupby('g')['b'].agg(lambda part: {c}(float(part.sum())))", "r = frame.groupby('g')['a'].transform(lambda part: part + {c}(len(part)))", "r = frame.groupby('g').filter(lambda part: {c}(len(part)) > {k})", "r = {{key: {c}(len(part)) for key, part in frame.groupby('g')}}", "r = frame['b'].rolling(2).apply(lambda part: {c}(float(part.sum())), raw=True)",
    "for i, row in frame.iterrows():\n    frame.loc[i, 'c'] = {c}(row['a'])", "for row in frame.itertuples():\n    out.append({c}(row.a) + row.b)", "for name, column in frame[['a', 'b']].items():\n    out.append({c}(float(column.sum())))", "for i in frame.index:\n    frame.loc[i, 'b'] = {c}(frame.loc[i, 'a'])", "for key, part in frame.groupby('g'):\n    d[key] = {c}(len(part))",
    "r = pd.Series({{v: {c}(v) for v in {w}}})", "r = pd.DataFrame([{{'v': v, 'w': {c}(v)}} for v in {w}])", "r = frame.assign(c=[{c}(v) for v in frame['a']])", "r = frame['a'].where(frame['b'] > {k}).dropna().map({c})", "frame['g'] = frame['g'].map(lambda text: text + str({c}({k})))",
]  # fmt: skip
ARRAYS = [
    "r = np.vectorize({c})(np.array([*{w}]))", "r = np.vectorize({c}, otypes=[float])(square[:2])", "r = np.apply_along_axis(lambda row: {c}(float(row.sum())), 1, square)", "r = np.array([{c}(v) for v in {w}])", "r = np.fromiter(map({c}, {w}), dtype=float)", "for i in range(4):\n    for j in range(3):\n        square[i, j] = {c}(i + j)",
    "for i in range(4):\n    square[i] = {c}(float(square[i].sum()))", "for place, v in np.ndenumerate(square[:2]):\n    square[place] = {c}(v)", "for i, row in enumerate(square):\n    row[0] = {c}(i)", "r = np.stack([np.full(2, {c}(v)) for v in {w}])", "r = np.array(list(map({c}, {w}))).sum()", "for i in range(6):\n    arr[i] = {c}(arr[i])", "for i in range(1, 6):\n    arr[i] = {c}(arr[i - 1])",
]  # fmt: skip
POOLS = [
    "with ThreadPoolExecutor(2) as pool:\n    r = list(pool.map({p}, {w}))", "with ThreadPoolExecutor(2) as pool:\n    futures = [pool.submit({p}, v) for v in {w}]\nr = [future.result() for future in futures]\ndel futures", "with ThreadPoolExecutor(2) as pool:\n    futures = {{pool.submit({p}, v): v for v in {w}}}\n    r = sorted((futures[future], future.result()) for future in as_completed(futures))\ndel futures, pool",
    "with ThreadPool(2) as pool:\n    r = pool.map({p}, {w})", "with ThreadPool(2) as pool:\n    r = pool.starmap(lambda a, b: {p}(a) + b, zip({w}, {w}))", "with ThreadPool(2) as pool:\n    r = list(pool.imap({p}, {w}))", "with ThreadPool(2) as pool:\n    asked = [pool.apply_async({p}, (v,)) for v in {w}]\n    r = [one.get() for one in asked]\ndel asked, pool",
    "def task(i, v):\n    results[i] = pure(v)\nthreads = [threading.Thread(target=task, args=(i, v)) for i, v in enumerate(xs)]\nfor thread in threads:\n    thread.start()\nfor thread in threads:\n    thread.join()\ndel threads, thread", "pool = ThreadPoolExecutor(2)\nfor x in {w}:\n    d[x] = pool.submit({p}, x)\nd = {{x: future.result() for x, future in d.items()}}\npool.shutdown()\ndel pool",
    "with ThreadPoolExecutor(2) as pool:\n    done, left = wait([pool.submit({p}, v) for v in {w}])\nr = sorted(str(future.exception() or future.result()) for future in done)\ndel done, left, pool",
]  # fmt: skip
STATEMENTS = [
    "a = {c}({k})\nb = {c}({k})\nc = {c}(a + b)", "a = {c}({k})\nb = {c}(a)\nc = halve(b)\nr = (a, b, c)", "left = [{c}({k}), 1]\nright = [{c}({k}), 2]\nleft.append(pure(1))\nright.append(pure(2))\nr = left + right", "a = {c}({k})\nout.append({c}({k}))\nb = {c}(len(out))", "if {c}({k}) > {k}:\n    a = pure(1)\nelse:\n    a = pure(2)\nb = pure(a)", "a, b = {c}({k}), {c}({k})\nr = {{'a': a, 'b': b, 'c': {c}(a)}}",
    "m = Box({c}({k}))\nn = Box({c}({k}))\nm.put(n.get())\nr = m.v", "a = {c}({k})\nprint(a)\nb = {c}({k})\nprint(b)",
]  # fmt: skip
FORMS = [BUILTINS, BUILTINS, FUNCTIONS, FUNCTIONS, FRAMES, ARRAYS, POOLS, STATEMENTS]


class Otherwise:
    """Writes one cell.

    Args:
        random: What it chooses by.
    """

    def __init__(self, random: Random) -> None:
        self.random = random

    def filled(self, text: str) -> str:
        """Fill the fields of a pattern."""
        text = text.replace("{{", "\0").replace("}}", "\1")
        while found := re.search(r"\{([cpwk])\}", text):
            text = (
                text[: found.start()]
                + self.part(found[1]).replace("{{", "\0").replace("}}", "\1")
                + text[found.end() :]
            )
        return text.replace("\0", "{").replace("\1", "}")

    def part(self, kind: str) -> str:
        """Return what fills a field: work, work without effects, items or a number."""
        if kind == "k":
            return self.random.choice(["1", "2", "3", "4", "5"])
        if kind == "w":
            return self.random.choice(ITEMS)
        return self.random.choice(WORK if kind == "c" else WORK[:7])

    def form(self) -> str:
        """Return one piece of work."""
        return self.filled(self.random.choice(self.random.choice(FORMS)))

    def cell(self) -> str:
        """Return a cell: a form, sometimes under a condition, after another one or before a loop."""
        text, chance = self.form(), self.random.random()
        if chance < 0.1:
            return f"if xs:\n{indented(text)}"
        if chance < 0.25:
            return f"{text}\n{self.form()}"
        if chance < 0.35:
            return f"for n in [1, 2]:\n{indented(text)}"
        if chance < 0.45:
            return f"{text}\n{Writer(self.random).loop()}"
        return text + self.random.choice(["", "", "\nlen(out)", "\nr"])


def setup_of(cell: str) -> str:
    """Return the notebook that a cell runs in."""
    return notebook.setup_of(cell) + SETUP
