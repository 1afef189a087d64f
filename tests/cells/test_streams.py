"""Chains of `map`, `filter`, `zip` and their like that something takes one by one: what plain execution leaves."""

from __future__ import annotations

import pytest

from tests.cells import programs

SETUP = """
import collections, itertools, math, random, statistics
from collections import Counter, deque
from functools import partial, reduce
from itertools import *

def f(x):
    return x * x + 1

def told(x):
    print("told", x)
    return x * 2

def noted(x):
    seen.append(x)
    return f(x)

def bad(x):
    if x == 2:
        raise ValueError(x)
    return x * 10

def ending(x):
    if x == 2:
        raise StopIteration
    return x

def unhashed(x):
    print("key", x)
    return x if f(x) < 5 else [x]

def odd(x):
    return x % 2 == 1

def pair(x):
    return [x, -x]

def lazily(x):
    for y in (x, 0, x + 1):
        print("gives", y)
        yield y

def add(a, b):
    return a * 10 + b

def among(x):
    return x + len(seen)

def growing(n):
    for i in range(n):
        yield i + len(seen)

class Bag:
    def __init__(self):
        self.held = []
    def extend(self, values):
        self.values = values
    def update(self, values):
        self.held.append(next(iter(values)))

class Ant:
    def __init__(self, n):
        self.n, self.path = n, []
    def step(self):
        self.path.append(self.n)
        if self.n == 9:
            raise ValueError(self.n)
        return f(self.n)

ants = [Ant(1), Ant(2), Ant(3)]
xs, ys, seen, words = [1, 2, 3], [4, 5], [], ["b", "aa", "c"]
table, bag = {"a": 1, "b": 2}, Bag()
"""

LIFTED = {
    "a list of a map": "r = list(map(f, xs))",
    "a map of a map": "r = list(map(f, map(told, xs)))",
    "a map of a generator": "r = list(map(f, (told(x) for x in xs if x > 1)))",
    "a map of two iterables": "r = list(map(add, xs, map(f, ys)))",
    "a map of two maps of one list": "r = list(map(add, map(f, xs), map(told, xs)))",
    "a filter": "r = list(filter(odd, xs))",
    "a filter of a map": "r = list(filter(lambda v: v > 2, map(f, xs)))",
    "a filter of what is true": "r = list(filter(None, map(f, xs)))",
    "a filterfalse": "r = list(itertools.filterfalse(odd, map(f, xs)))",
    "a map of a filter": "r = sum(map(told, filter(odd, xs)))",
    "two filters": "r = list(filter(odd, filter(f, xs)))",
    "a filter that keeps objects": "rows = [[1], [], [2]]\nr = list(filter(lambda row: f(len(row)) > 1, rows))",
    "a starmap": "r = [*starmap(add, zip(xs, ys))]",
    "a starmap of numbered values": "r = list(starmap(add, enumerate(map(f, xs), 5)))",
    "a dict of a zip": "r = dict(zip(xs, map(told, xs)))",
    "a dict of a zip whose map is longer": "r = dict(zip(ys, map(told, xs)))",
    "a dict of a zip whose map is shorter": "r = dict(zip(xs, map(bad, ys)))",
    "a dict of a zip of what cannot be a key": "try: r = dict(zip(map(unhashed, xs), xs))\nexcept TypeError: pass",
    "a dict of a zip of keys": "r = dict(zip(map(told, xs), xs))",
    "a dict of a zip of generators": "r = dict(zip((f(x) for x in xs), (told(y) for y in xs)))",
    "a zip that has to be strict": "r = list(zip(xs, map(told, xs), strict=True))",
    "a zip that is taken apart": "a, b, c = zip(*map(pair, xs)), 1, 2\nd, e = a",
    "numbered values": "r = list(enumerate(map(told, xs), start=3))",
    "values of values": "r = list(chain.from_iterable(map(pair, xs)))",
    "values of values that come lazily": "r = list(chain.from_iterable(map(lazily, xs)))",
    "a chain": "r = list(chain([0], map(f, xs), ys))",
    "the first values": "r = list(islice(map(told, xs), 2))",
    "the first values of a filter": "r = list(islice(filter(odd, xs), 1))",
    "running sums": "r = list(accumulate(map(f, xs)))",
    "running values": "r = list(accumulate(map(f, xs), add, initial=2))",
    "a reduce": "r = reduce(add, map(f, xs))",
    "a reduce with a beginning": "r = reduce(lambda a, b: {**a, b: len(a)}, map(f, xs), {})",
    "a reduce that prints": "r = reduce(lambda a, b: told(a + b), map(f, xs), 5)",
    "a reduce of a generator": "r = reduce(add, (f(x) for x in xs))",
    "a reduce of nothing": "r = reduce(add, map(f, []))",
    "a reduce that changes what it began with": "r = reduce(lambda a, b: a.append(b) or a, map(f, xs), seen)",
    "the greatest": "r = max(map(f, xs))",
    "the greatest by a key": "r = max(map(f, xs), key=lambda v: told(-v))",
    "the least by nothing": "r = min(map(f, xs), key=None, default=3)",
    "sorted values": "r = sorted(map(f, xs), key=lambda v: -v)",
    "a text": "r = '-'.join(map(str, map(f, xs)))",
    "arguments": "print(*map(f, xs), sep='/')",
    "names": "a, *b = map(told, xs)",
    "a display": "r = [0, *map(f, xs), *filter(odd, xs)]",
    "a list that takes values": "seen.extend(map(f, xs))",
    "a list that is added to": "seen += map(f, xs)\nseen += (told(x) for x in xs)",
    "a list that is added to until an error": "seen += map(bad, xs)",
    "a counter": "r = Counter(map(f, [1, 2, 1]))",
    "a deque": "r = deque(map(f, xs), maxlen=2)",
    "a mean": "r = statistics.mean(map(f, xs))",
    "bytes": "r = bytes(map(f, xs))",
    "any of values": "r = any(map(bad, [0, 1, 2]))",
    "any of many": "r = any(told(x * y) == 2 for x in xs for y in xs)",
    "all of many": "r = all(bad(x + y) for x in [0] for y in [0, 2])",
    "any of what is kept": "r = any(filter(odd, map(told, [0, 1, 2])))",
    "the next": "r = next(map(bad, xs))",
    "the next that is kept": "r = next(filter(told, [0, 1, 2]), None)",
    "the next of nothing": "r = next(map(f, []), 'none')",
    "those before": "r = list(takewhile(lambda v: v < 5, map(f, xs)))",
    "a function that ends the map": "r = list(map(ending, xs))",
    "an error in a map": "r = list(map(bad, xs))",
    "an error in a chain of maps": "r = sum(map(f, map(bad, xs)))",
    "an error in a filter": "r = list(filter(bad, xs))",
    "an error in a zip": "r = dict(zip(xs, map(bad, xs)))",
    "an error behind the end of a zip": "r = list(zip([1], map(bad, xs)))",
    "an error behind the end of another": "r = list(zip(map(bad, xs), [1]))",
    "an error that is not asked for": "r = list(islice(map(bad, xs), 1))",
    "an error in a reduce": "r = reduce(add, map(bad, xs))",
    "an error of a reduce": "r = reduce(lambda a, b: a + [b], map(f, xs))",
    "an error among arguments": "print(*map(bad, xs))",
    "nothing": "r = list(map(f, [])), dict(zip([], map(f, [])))",
    "a for over a map": "for y in map(f, xs):\n    seen.append(y)",
    "a for over numbered values": "for i, y in enumerate(map(f, xs)):\n    seen.append((i, y))\n    if i: break",
    "a for over a zip": "for x, y in zip(xs, map(told, xs)):\n    seen.append(f(y))",
    "a for over a filter": "for x in filter(odd, xs):\n    seen.append(f(x))\nelse:\n    print('end')",
    "a for over sorted values": "for x in sorted(map(told, xs), reverse=True):\n    seen.append(f(x))",
    "a for whose values it carries": "last = 0\nfor y in map(f, xs):\n    last = last * 2 + y",
    "a lambda": "r = list(map(lambda x: told(x) + len(words), xs))",
    "a partial": "r = list(map(partial(add, 3), xs))",
    "a method": "r = list(map(table.get, map(str.lower, map(told, ['A', 'B']))))",
    "items of a dict": "r = dict(zip(table, map(f, table.values())))",
    "a shared iterator": "it = iter(xs)\nr = list(zip([1], map(f, it)))\nrest = list(it)",
    "an iterator taken in pairs": "it = iter(xs)\nr = list(zip(it, map(told, it)))",
    "objects that change": "r = [ant.step() for ant in ants], {ant.n: ant.step() for ant in ants}",
    "objects that change in a map": "r = sum(map(Ant.step, ants))",
    "objects that change until one fails": "ants.insert(1, Ant(9))\nr = [ant.step() for ant in ants]",
    "objects that change until one will do": "r = any(ant.step() == 5 for ant in ants)",
    "objects that change and are noted": "r = [seen.append(ant.step()) or ant.n for ant in ants if ant.n > 1]",
    "groups in a generator": "r = list((k, [f(len(w)) for w in g]) for k, g in groupby(words, len)), list(map(f, xs))",
    "an iterator that ends in a zip": (
        "it = iter(xs)\nr = list(map(add, zip(it, []), xs)), next(map(add, zip(it, []), xs), 0)\nrest = list(it)"
    ),
    "an error within an item": "seen.extend(map(bad, chain.from_iterable(map(lambda x: [f(x), 2], xs))))",
    "an end within an item": "r = list(map(ending, chain.from_iterable(map(lambda x: [f(x), 2], xs))))",
    "what two stages make": "r = [add(noted(x), f(x)) for x in xs], list(map(add, map(noted, xs), map(f, xs)))",
    "under a condition": "if xs:\n    r = [list(map(f, xs))]\nelse:\n    r = 0",
    "as the value": "dict(zip(xs, map(f, xs)))",
}

PLAIN = {
    "a map that nobody walks": "r = map(told, xs)\nnext(r)",
    "a chain that nobody walks": "r = chain(map(told, xs), [1])\nnext(r)",
    "maps side by side that print": "r = list(zip(map(told, xs), map(told, ys)))",
    "a function that is changed between": ("r = reduce(lambda a, b: seen.append(b) or a, map(among, xs), 5)"),
    "a key that changes what the map reads": "r = max(map(among, xs), key=lambda v: seen.append(v) or -v)",
    "running values that change what the map reads": (
        "r = list(accumulate(map(among, xs), lambda a, b: seen.append(b) or b))"
    ),
    "a function that changes what is reduced": "r = reduce(add, map(noted, xs), 5)",
    "a list that reads itself": "seen.extend(map(among, xs))",
    "a generator that reads what is added to": "seen += map(f, growing(3))\nseen += takewhile(odd, growing(3))",
    "a generator that reads what a reduce changes": "r = reduce(lambda a, b: seen.append(b) or a, map(f, growing(3)))",
    "a list that is added to and read": "seen += map(among, xs)",
    "a number that is added to": "n = 1\nn += map(told, xs)",
    "values that are not all wanted": "r = list(takewhile(odd, map(told, xs)))",
    "values without an end": "r = list(takewhile(lambda v: v < 9, map(f, count())))",
    "two things to compare": "r = max(map(f, xs), [1])",
    "a class that keeps what it is given": "bag.extend(map(told, xs))\nr = next(bag.values)",
    "a class that wants one value": "bag.update(map(told, xs))",
    "no function": "g = None\nr = list(filter(g, xs))",
    "a list that grows": "r = list(zip(xs, map(lambda x: seen.append(x) or f(x + len(seen)), xs)))",
}

SHADOWED = {
    "map": ("def map(g, items):\n    return ['mine', len(items)]", "r = list(map(told, xs))"),
    "filter": ("filter = lambda g, items: items[::-1]", "r = list(filter(odd, xs))"),
    "zip": ("def zip(*parts):\n    return [(len(parts), 1)]", "r = dict(zip(xs, map(told, xs)))"),
    "zip under map": ("def zip(*parts):\n    return [(len(parts), 1)]", "r = list(map(add, xs, xs))"),
    "list": ("def list(items):\n    return next(items)", "r = list(map(told, xs))"),
    "sum": ("def sum(items):\n    return next(items)", "r = sum(map(told, xs))"),
    "any": ("def any(items):\n    return [*items]", "r = any(map(told, xs))"),
    "enumerate": (
        "def enumerate(items):\n    return [(7, 7)]",
        "for i, y in enumerate(map(told, xs)):\n    seen.append(y)",
    ),
    "reduce": ("def reduce(g, items):\n    return next(items)", "r = reduce(add, map(told, xs))"),
    "starmap": ("def starmap(g, items):\n    return [1]", "r = list(starmap(add, [told(1)]))"),
    "chain": ("class chain:\n    from_iterable = iter", "r = list(chain.from_iterable(map(pair, xs)))"),
    "Counter": ("def Counter(items):\n    return next(items)", "r = Counter(map(told, xs))"),
    "mean": ("def mean(items):\n    return next(items)", "r = mean(map(told, xs))"),
    "in the cell": ("", "map = lambda g, items: items\nr = list(map(told, xs))"),
    "in the cell, later": ("", "r = list(map(told, xs))\nmap = 1"),
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_a_chain_that_runs_in_workers_leaves_what_plain_execution_leaves(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)
    assert different is None
    assert ran.cell.lifted, ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_a_chain_that_cannot_runs_as_it_is(name: str, how: str) -> None:
    different, ran = programs.compared(PLAIN[name], SETUP, how)
    assert different is None
    assert not any(lifted.kind != "call" for lifted in ran.cell.lifted)


@pytest.mark.parametrize("name", SHADOWED)
def test_names_that_mean_something_else_are_called_as_they_are(name: str) -> None:
    setup, cell = SHADOWED[name]
    different, ran = programs.compared(cell, f"{SETUP}{setup}\n", "threads")
    assert different is None
    assert not any(lifted.kind in ("map", "filter", "chain", "starmap") for lifted in ran.cell.lifted)


@pytest.mark.parametrize("name", LIFTED)
def test_a_chain_that_no_worker_takes_runs_as_it_is(name: str) -> None:
    assert programs.differs_without_workers(LIFTED[name], SETUP) is None


def test_a_reason_says_why_a_chain_is_not_shared_out() -> None:
    _, ran = programs.compared(PLAIN["a key that changes what the map reads"], SETUP, "threads")
    assert "uses what is changed with each value before the next is computed" in ran.reasons
    _, ran = programs.compared(PLAIN["values without an end"], SETUP, "threads")
    assert "it cannot be told how many values the plain code would take" in ran.reasons


def test_what_a_plain_chain_prints_comes_in_its_order() -> None:
    ran = programs.run("r = dict(zip(map(told, xs), map(told, xs)))", SETUP, "threads")
    assert ran.left.printed == "".join(f"told {x}\ntold {x}\n" for x in (1, 2, 3))
    assert ran.left.names["r"] == {2: 2, 4: 4, 6: 6}
    assert ran.cell.lifted
