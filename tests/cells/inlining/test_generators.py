# ruff: noqa: E501
"""Loops over generator functions that do work: that work runs in workers, and what is done between them in its order."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = """
out, seen, total = [], [], 0
xs = [1, 2, 3, 4, 5, 6]
def work(x):
    return x * 10 + 1
def strict(x):
    if x == 4:
        raise ValueError("no", x)
    return x * 10
def plain(xs):
    for x in xs:
        yield work(x)
def pairs(xs, start=1):
    '''Number them.'''
    unit = 10
    for n, x in enumerate(xs, start):
        y = work(x)
        if y % 4 == 3:
            continue
        yield n, x, y / unit
def big(ys, least):
    for y in ys:
        if y > least:
            yield y
        else:
            yield -y
def noisy(xs):
    for x in xs:
        print("before", x)
        y = work(x)
        print("after", y)
        yield y
def counting(xs):
    n = 0
    for x in xs:
        n += 1
        yield n, work(x)
def failing(xs):
    for x in xs:
        yield strict(x)
def tidy(xs):
    for x in xs:
        try:
            yield work(x)
        finally:
            seen.append(x)
def last(xs):
    for x in xs:
        yield work(x)
    seen.append("end")
class Reader:
    def __init__(self, xs):
        self.xs, self.count = xs, 0
    def rows(self, least):
        for x in self.xs:
            if x > least:
                self.count += 1
                yield work(x)
def kept(xs):
    for x in xs:
        seen.append(x)
        yield work(x)
class Meter:
    def __init__(self):
        self.sums = {}
    def add(self, y):
        for n in range(3):
            self.sums[n] = self.sums.get(n, 0) + y
        return self.sums[2]
    def part(self, y):
        self.add(1)
        return 100 // y
meter = Meter()
def metered(xs):
    for x in xs:
        y = work(x)
        yield meter.part(y - 31)
TEXT = "1;a\\n2;b\\n\\n4;c\\n3;d"
def rows(text):
    for line in text.splitlines():
        if line:
            yield line.split(";")
def typed(rows):
    for number, word in rows:
        yield {"number": strict(int(number) + 3 * (word == "z")), "word": word}
def some(records, least):
    return (r for r in records if r["number"] >= least)
def above(values, least=25):
    '''Those that are.'''
    return (work(v) for v in values if v > least)
class Bag:
    def __init__(self, xs):
        self.xs, self.asked = xs, 0
    def __iter__(self):
        for x in self.xs:
            self.asked += 1
            yield work(x)
class Grid:
    def __init__(self, size):
        self.size = size
    def __iter__(self):
        size = self.size
        for r in range(size):
            for c in range(size):
                yield r, c, work(r * 10 + c)
def cut(text):
    for part in text.casefold().strip().split(";")[1:-1]:
        yield work(len(part))
def numbered():
    lines = TEXT.replace(";", " ").splitlines()
    for n, line in enumerate(lines):
        yield n, work(len(line))
import csv, io, itertools, random
def records(text):
    yield from csv.reader(io.StringIO(text), delimiter=";")
def given(xs):
    yield from xs
def quotients(xs):
    yield from (12 // (x - 4) for x in xs)
def told(xs):
    print("begins")
    yield from xs
    print("ends")
def closing(xs):
    try:
        yield from xs
    finally:
        seen.append("closed")
def endless():
    yield from itertools.count(1)
def drawn(n):
    yield from [random.random() for _ in range(n)]
def worked(xs):
    yield from [work(x) for x in xs]
def filled(rows):
    for row in rows:
        if row:
            yield {"number": work(int(row[0])), "word": row[1].replace("a", "A")}
class Page:
    def __init__(self, text):
        self.text = text
    def words(self):
        for n, word in enumerate(self.text.lower().split()):
            yield n, work(len(word))
class Odd(str):
    def casefold(self):
        seen.append(self)
        return "odd;" + str(self)
page = Page("Some Words on a Page")
bag, grid, text3 = Bag(xs), Grid(3), TEXT.replace("4", "3")
"""


def ran(cell: str, how: str) -> programs.Ran:
    return programs.alike(cell, SETUP, how)


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for y in plain(xs):\n    total += y\n    print(f'{y:>6} {total}')",
        "for n, x, y in pairs(xs, start=3):\n    total += y\n    out.append((n, f'{x}{y}'))\nn, x, y",
        "for y in big(plain(xs), 25):\n    if y < 0:\n        continue\n    total += y\ny",
        "for y in noisy(xs):\n    print('got', y)\n    seen.append(total)",
        "for y in plain(xs):\n    total += y\n    if total > 60:\n        break\nelse:\n    seen.append('all')\ny, total, seen",
        "for y in kept(xs):\n    out.append((y, len(seen)))",
        "for y in kept(xs):\n    seen.append(y)\n    if len(seen) > 7:\n        break",
        "for y in plain(xs):\n    out.append(meter.add(y))\n    print(meter.sums)",
        "for y in above(plain(xs), 12):\n    out.append([meter.add(z) for z in (y, 1)])\nmeter.sums",
        "for y in plain(xs):\n    total = meter.add(total + y)\n    if total > 90:\n        break\nmeter.sums",
        "for y in plain(xs):\n    out.append(meter.part(y - 31))\nmeter.sums",
        "try:\n    for y in failing(xs):\n        out.append(meter.add(y))\nexcept ValueError as e:\n    print(e, meter.sums)",
        "for y in failing(xs):\n    out.append(meter.add(y))",
        "for y in plain([]):\n    total += y",
        "try:\n    for y in failing(xs):\n        total += y\n        print(y)\nexcept ValueError as e:\n    out.append(e.args)\ntotal, y",
        "for y in failing(xs):\n    total += y\n    print(y)",
        "for y in plain(xs):\n    total += y\n    out.append(1 // (y - 41))",
        "for y in big(failing(xs), 15):\n    total += y\n    print(y)",
        "def main(xs):\n    total = 0\n    for n, x, y in pairs(xs):\n        total += y\n        print(n, total)\n    return total\nmain(xs)",
        "r = Reader(xs)\nfor y in r.rows(2):\n    total += y\n    print(y, total, r.count)",
        "def main(xs):\n    total = 0\n    for y in failing(xs):\n        total += y\n        print(total)\n    return total\nmain(xs)",
        "for r in typed(rows(text3)):\n    out.append(r)\n    print(r['word'])",
        "for r in typed(rows(TEXT)):\n    out.append(r)\n    total += r['number']",
        "for r in some(typed(rows(text3)), 20):\n    total += r['number']\n    out.append(r['word'])\nr",
        "for r in some(typed(rows(text3)), least=20):\n    if r['word'] == 'b':\n        break\nr",
        "for v in above(plain(xs), 12):\n    total += v\n    print(v)",
        "for v in above(plain(xs)):\n    total += v\n    out.append(10 // (v - 411))",
        "out = [r['number'] for r in some(typed(rows(text3)), 20)]",
        "out = {r['word']: r['number'] for r in typed(rows(text3)) if r['word'] != 'a'}\n'r' in globals()",
        "total = sum(r['number'] for r in some(typed(rows(text3)), 20))",
        "r = 7\nout = [r['number'] for r in typed(rows(TEXT))]",
        "for y in bag:\n    total += y\n    print(y, bag.asked)",
        "for y in bag:\n    total += y\n    if y > 20:\n        break\nbag.asked",
        "out = [y for y in bag if y % 2]\nbag.asked",
        "for r, c, y in grid:\n    if r == c:\n        continue\n    total += y\n    print(r, c)",
        "out = {(r, c): y for r, c, y in grid}",
        "for y in cut(TEXT):\n    total += y\n    print(total)",
        "for n, y in numbered():\n    total += y\n    out.append((n, total))",
        "for n, y in page.words():\n    total += y\n    if total > 60:\n        break\ntotal",
        "for r in filled(records(TEXT)):\n    total += r['number']\n    out.append((r, total))",
        "for r in some(filled(records(TEXT)), 20):\n    total += r['number']\n    print(r['word'])",
        "for y in plain(given(xs)):\n    total += y\n    if total > 60:\n        break\ny",
        "for y in failing(given(xs)):\n    total += y\n    print(y)",
        "for y in big(plain(given(xs)), 25):\n    out.append(1 // (y - 41))",
        "out = [y + 1 for y in plain(given(xs))]",
    ],
)
def test_the_work_of_a_generator_is_shared_out(cell: str, how: str) -> None:
    found = ran(cell, how)
    assert any(part.again is not None for part in found.cell.lifted) or "([])" in cell, found.reasons
    assert not [name for name in found.left.names if "concompare" in name]


@pytest.mark.parametrize("how", programs.WAYS)
def test_a_generator_in_an_inner_loop_runs_with_the_items_around_it(how: str) -> None:
    found = ran("for x in xs[:2]:\n    for y in plain(xs):\n        total += y\n        print(x, y)", how)
    assert [(part.loop.line, part.staying) for part in found.cell.lifted] == [(1, "")]


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize(
    "cell",
    [
        "for n, y in counting(xs):\n    total += n * y\n    print(total)",
        "for y in metered(xs):\n    total += y\n    print(total, meter.sums)",
        "for y in metered([1, 3, 5]):\n    total += y\nmeter.sums",
        "for y in tidy(xs):\n    total += y\n    print(total, seen)",
        "for y in last(xs):\n    total += y\n    print(total, seen)",
        "ys = plain(xs)\nfor y in ys:\n    total += y\n    print(total)\nnext(ys, None)",
        "ys = plain(xs)\nfor y in big(ys, 3):\n    total += y\n    print(total)\nnext(ys, None)",
        "ys = plain(xs)\nfor y in big(ys, 3):\n    total += y\n    if total > 40:\n        break\nnext(ys, None)",
        "it = iter(xs)\nfor y in plain(it):\n    total += y\n    if total > 40:\n        break\nnext(it, None)",
        "for y in plain(xs):\n    xs.append(y) if len(xs) < 8 else None\n    total += y",
        "def main(xs, work):\n    total = 0\n    for y in plain(xs):\n        total += y\n        print(total)\n    return total\nmain(xs, abs)",
        "g = [plain(xs)]\nfor y in big(*g, 3):\n    total += y\n    print(total)\nlist(g.pop())",
        "g = [plain(xs)]\ndef held():\n    return g[0]\nfor y in big(held(), 3):\n    total += y\n    print(total)\nlist(g.pop())",
        "for r, c, y in grid:\n    if r == 1:\n        break\nr, c, y",
        "for y in cut(Odd(TEXT)):\n    total += y\n    print(total, seen)",
        "it = (r for r in rows(TEXT))\nout = [work(int(a)) for a, b in it]\nnext(it, None)",
        "g = [plain(xs)]\ndef held():\n    return g[0]\nfor y in held():\n    total += y\n    print(total)\nlist(g.pop())",
        "for y in plain(told(xs)):\n    total += y\n    print(total)",
        "for y in plain(closing(xs)):\n    total += y\n    seen.append(y)\n    if total > 40:\n        break",
        "for y in plain(endless()):\n    total += y\n    if total > 90:\n        break",
        "for y in plain(quotients(xs)):\n    total += y\n    print(total)",
        "random.seed(3)\nfor y in plain(drawn(4)):\n    out.append((y, random.random()))",
        "for y in plain(worked(xs)):\n    total += y\n    print(total)",
        "for y in plain(given(xs)):\n    xs.append(y) if len(xs) < 8 else None\n    total += y",
        "for y in plain(given(xs)):\n    xs[-1] = y\n    total += y",
        "it = iter(xs)\nfor y in plain(given(it)):\n    total += y\n    if total > 40:\n        break\nnext(it, None)",
        "ys = given(xs)\nfor y in plain(ys):\n    total += y\n    print(total)\nnext(ys, None)",
        "g = [given(xs)]\ndef held():\n    return g[0]\nfor y in plain(held()):\n    total += y\n    print(total)\nlist(g.pop())",
    ],
)
def test_other_generators_give_what_they_gave(cell: str, how: str) -> None:
    assert all(part.again is None for part in ran(cell, how).cell.lifted)
