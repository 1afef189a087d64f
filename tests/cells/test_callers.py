"""Builtins, itertools and numpy that call a function with items: what plain execution leaves, the calls in workers."""

from __future__ import annotations

from typing import Any

import pytest

from concompare.cells.replay.calling.standing import Given, StandIn, Walked
from tests.cells import programs

SETUP = """
import heapq, itertools
import numpy as np
from functools import partial
from itertools import *

def f(x):
    return x * x - 4 * x

def size(word):
    return len(word) * 2

def told(x):
    print("told", x)
    return -x

def noted(x):
    seen.append(x)
    return x

def bad(x):
    if x == 2:
        raise ValueError(x)
    return x

def odd(x):
    return x % 2 == 1

def mixed(x):
    return "two" if x == 2 else x

def add(a, b):
    return a * 10 + b

def many(x):
    return x, x * 2

def kind(x):
    return type(x).__name__

def total(row):
    return row.sum()

def spread(row):
    row = row.copy()
    row -= row.mean()
    return row

def centred(row):
    row -= row.mean()
    return row

def power(x, n=2, *, shift=0):
    return x ** n + shift

def made(n, top=1):
    def by(x, y=0):
        return round(top / (n * x + y), 3)
    return by

def counting(n):
    count = 0
    def by(x):
        nonlocal count
        count += n
        return told(x) * count
    return by

def ending(n):
    def by(x):
        if f(x) == n:
            raise StopIteration
        return x
    return by

def unfit(n):
    return lambda x: told(x) if x - n else [x]

class Ant:
    def __init__(self, n):
        self.n, self.steps = n, 0
    def step(self):
        self.steps += self.n
        return -self.steps

class Score:
    def __init__(self, n):
        self.n = n
    def of(self, x):
        return f(x) - self.n
    def __call__(self, x):
        return abs(x - self.n)

xs, seen, words = [3, 1, 2], [], ["b", "aa", "c", "ddd", "e"]
table = {"a": 3, "b": 1}
ants = [Ant(n) for n in (1, 3, 2)]
rows = [{"k": word, "n": n} for n, word in enumerate(words)]
grid = np.arange(12.0).reshape(3, 4)
halves = np.vectorize(lambda v: f(v) / 2)

@np.vectorize
def decorated(x):
    return f(x)
"""

LIFTED = {
    "sorted": "r = sorted(xs, key=f)",
    "sorted backwards": "r = sorted(words, key=size, reverse=True)",
    "sorted by a lambda": "r = sorted(xs, key=lambda x: (f(x), told(x)))",
    "sorted by a partial": "r = sorted(xs, key=partial(power, n=3))",
    "sorted by what a call gives": "def made(n):\n    return lambda x: f(x) % n\nr = sorted(xs, key=made(3))",
    "sorted by an object": "r = sorted(xs, key=Score(2))",
    "sorted by an object with a name": "score = Score(2)\nr = sorted(xs, key=score)",
    "sorted objects that change": "r = sorted(ants, key=Ant.step)",
    "sorted values of a generator": "r = sorted((x + 1 for x in xs if x), key=None) + sorted(iter(xs), key=f)",
    "sorted twice": "r = sorted(sorted(words, key=size), key=lambda w: size(w) % 4)",
    "sorted under another name": "mine = sorted\nr = sorted(xs, key=told)",
    "sorted words of a text": "r = sorted('concompare', key=lambda c: f(ord(c)))",
    "sorted by what prints": "r = sorted(xs, key=told)",
    "a list that is sorted": "words.sort(key=size)",
    "a list that is sorted in an object": "rows.sort(key=lambda row: f(row['n']), reverse=True)",
    "a key that counts": "r = sorted(xs, key=lambda x: seen.append(x) or len(seen))",
    "objects that change, one badly": "r = sorted([*ants, None], key=Ant.step)",
    "the first of objects that change": "r = list(takewhile(Ant.step, ants)), any(map(Ant.step, ants))",
    "the greatest": "r = max(xs, key=f)",
    "the greatest of a dict": "r = max(table, key=lambda name: f(table[name]))",
    "the least pair": "r = min(table.items(), key=lambda pair: told(pair[1]))",
    "the least order": "r = min(permutations(xs), key=lambda p: f(p[0]) + p[1])",
    "the least of a generator": "r = min((x for x in xs), key=f)",
    "the least or nothing": "r = min(xs, key=told, default=7)",
    "the greatest row": "r = max(grid, key=lambda row: total(row))",
    "the largest": "r = heapq.nlargest(2, words, key=size)",
    "the smallest": "r = heapq.nsmallest(1, xs, f)",
    "more than there are": "r = heapq.nsmallest(9, xs, key=told)",
    "those before": "r = list(takewhile(lambda x: told(x) < -1, xs))",
    "those before, of endless ones": "r = list(takewhile(lambda x: f(x) < 30, count()))",
    "those from there on": "r = list(dropwhile(odd, xs))",
    "those before an error": "r = list(takewhile(lambda x: bad(x) > 2, xs))",
    "groups": "r = [(k, len(list(g))) for k, g in groupby(words, key=size)]",
    "groups of rows": "r = {k: [row['n'] for row in g] for k, g in groupby(rows, lambda row: size(row['k']))}",
    "groups of what is sorted": "r = {k: list(g) for k, g in groupby(sorted(words, key=size), key=size)}",
    "groups in a loop": "for k, g in groupby(words, key=size):\n    seen.append((k, list(g)))",
    "all groups at once": "r = [k for k in dict(groupby(words, key=size))]",
    "an error in a key": "r = sorted(xs, key=bad)",
    "an error in a key of a list": "xs.sort(key=bad)",
    "an error in the greatest": "r = max(xs, key=lambda x: bad(told(x) * -1))",
    "keys that cannot be compared": "r = sorted(xs, key=mixed)",
    "vectorize": "r = np.vectorize(f)(xs)",
    "vectorize of several": "r = np.vectorize(add)(grid, [[1], [2], [3]])",
    "vectorize of another order": "r = np.vectorize(add)(grid.T, np.asfortranarray(grid.T))",
    "vectorize with types": "r = np.vectorize(add, otypes=[float])(grid.T, 5)",
    "vectorize of many values": "r, s = np.vectorize(many)(xs)",
    "vectorize of many values with types": "r, s = np.vectorize(many, otypes='dd')(xs)",
    "vectorize of names": "r = np.vectorize(power)(xs, n=[1, 2, 3], shift=1)",
    "vectorize but for a place": "r = np.vectorize(lambda x, ws: size(ws[x]), excluded={1})(xs, words)",
    "vectorize but for a name": "r = np.vectorize(power, excluded=['n'])(xs, n=3)",
    "vectorize with a signature": "r = np.vectorize(total, signature='(n)->()')(grid)",
    "vectorize to arrays": "r = np.vectorize(spread, signature='(n)->(n)')(grid)",
    "vectorize to what is new": "r = np.vectorize(lambda x: np.arange(x) * f(x), signature='()->(k)')([3, 3])",
    "vectorize that keeps the first": "r = np.vectorize(f, cache=True)(xs)",
    "vectorize shows its types": "r = np.vectorize(kind)(np.array(xs))",
    "vectorize shows its types with types": "r = np.vectorize(kind, otypes=[object])(np.array(xs))",
    "vectorize of one": "r = np.vectorize(f)(3)",
    "vectorize with a name": "r = halves(xs)",
    "vectorize that decorates": "r = decorated(grid)",
    "vectorize with a name of the cell": "g = np.vectorize(f, otypes=[int])\nr = g(xs) + g([1])",
    "vectorize with an error": "r = np.vectorize(bad)(xs)",
    "vectorize with an error at once": "r = np.vectorize(bad)([2, 3])",
    "vectorize that loses digits": "r = np.vectorize(lambda x: f(x) if x < 3 else f(x) + 0.5)([1, 3])",
    "along an axis": "r = np.apply_along_axis(total, 0, grid)",
    "along another axis": "r = np.apply_along_axis(spread, 1, grid)",
    "along an axis rounded": "r = np.apply_along_axis(lambda v: np.dot(v, v), 0, np.arange(300.0).reshape(-1, 3) / 7)",
    "along an axis with more": "r = np.apply_along_axis(lambda row, n, k: total(row) * n + k, 1, grid, 3, k=1)",
    "along an axis with an error": "r = np.apply_along_axis(lambda row: bad(int(row[0]) // 2), 1, grid)",
    "an array from values": "r = np.fromiter(map(f, xs), dtype=float)",
    "an array from some values": "r = np.fromiter((bad(x) for x in [1, 0, 2]), float, count=2)",
    "an array of values": "r = np.array([f(x) for x in xs])",
    "a map by what a call gives": "r = list(map(made(2, top=7), xs))",
    "a map by a method of what a call gives": "r = list(map(Score(2).of, xs)), sum(map(Score(4).of, xs))",
    "a map by an object that a call gives": "r = sorted(map(Score(2), xs)), [*map(Score(3), iter(xs))]",
    "a map by what is looked up": "r = list(map({'f': f}['f'], xs))",
    "a map by the one or the other": "r = set(map(f if xs else told, (x for x in xs)))",
    "a map by what ends it": "r = list(map(ending(-3), xs))",
    "a map by what fails": "r = list(map(made(0), xs))",
    "a map by what prints until it does not fit": "r = set(map(unfit(1), xs))",
    "a map of several by what a call gives": "r = list(map(made(2), xs, [5, 4]))",
    "pairs with a map": "r = dict(zip(words, map(made(2), xs))), list(enumerate(map(made(3), xs)))",
    "a map in a function": "def go(n):\n    return list(map(made(n), xs))\nr = go(2)",
    "a filter by what a call gives": "r = list(filter(Score(1), xs)), [*filterfalse(made(5, top=0), xs)]",
    "a starmap by what a call gives": "r = list(starmap(made(2), zip(xs, xs))), [*itertools.starmap(made(3), [[1]])]",
    "a comprehension over such a map": "r = [y + 1 for y in map(Score(2).of, xs)]",
}

PLAIN = {
    "a key that looks at the list": "xs.sort(key=lambda x: f(x) + len(xs))",
    "a key that is quick": "r = max(table, key=table.get), sorted(words, key=len)",
    "a key that is built in": "g = str.upper\nr = sorted(words, key=g)",
    "no key": "g = None\nr = sorted(xs, key=g)",
    "nothing to sort": "r = sorted([], key=f)",
    "the least of nothing": "r = min([], key=f)",
    "none of the largest": "r = heapq.nlargest(0, xs, key=noted)",
    "a shared iterator": "it = iter(xs)\nr = list(takewhile(f, it))\nrest = list(it)",
    "what nobody walks": "r = takewhile(told, xs)\nnext(r)",
    "groups of what changes": (
        "for k, g in groupby(rows, key=lambda row: size(row['k'])):\n    rows[-1]['k'] = 'x' * len(list(g))"
    ),
    "groups by what changes": (
        "for k, g in groupby(words, key=lambda w: size(w) + len(seen)):\n    seen.append(list(g))"
    ),
    "groups that print": "for k, g in groupby(words, key=lambda w: told(len(w))):\n    print(k)",
    "vectorize of what prints": "r = np.vectorize(told)(xs)",
    "vectorize of what is noted": "r = np.vectorize(noted)(xs)",
    "vectorize of nothing": "r = np.vectorize(f)([])",
    "vectorize of what does not fit": "r = np.vectorize(add)([1, 2], [1, 2, 3])",
    "along an axis that is not there": "r = np.apply_along_axis(total, 5, grid)",
    "along an axis, in place": "r = np.apply_along_axis(centred, 0, grid)",
    "a map by what counts": "r = list(map(counting(2), xs))",
    "a map of one iterator with itself": "it = iter(xs)\nr = list(map(made(2), it, it))",
    "a starmap of iterators": "r = list(starmap(made(2), [iter([1, 2]), iter([3])]))",
    "pairs with a map of an iterator": "it = iter(xs)\nr = list(zip('ab', map(made(2), it)))\nrest = list(it)",
    "pairs with fewer than a map prints": "r = list(zip('ab', map(counting(2), xs)))",
    "a map by what is not there": "r = list(map(unheard_of(2), xs))",
    "a map by what is quick": "r = list(map({'f': str}['f'], xs)), list(map(made(2)(1), xs))",
    "a map that nobody walks": "m = map(made(2), xs)\nr = next(m)",
    "a map of a walk that prints": "r = list(map(counting(2), (told(x) for x in xs)))",
    "unknown options": "r = sorted(xs, key=f, upwards=True)",
}

SHADOWED = {
    "sorted": ("def sorted(items, key):\n    return [key(items[-1])]", "r = sorted(xs, key=told)"),
    "max": ("max = lambda items, key: key(1)", "r = max(xs, key=told)"),
    "takewhile": ("def takewhile(g, items):\n    return [g(9)]", "r = list(takewhile(told, xs))"),
    "groupby": (
        "def groupby(items, key):\n    return [(key(5), [1])]",
        "r = [(k, list(g)) for k, g in groupby(xs, told)]",
    ),
    "nlargest": ("def nlargest(n, items, key):\n    return key(n)", "r = nlargest(2, xs, told)"),
    "sort": ("class Rows:\n    def sort(self, key):\n        return key(4)\nxs = Rows()", "r = xs.sort(key=told)"),
    "vectorize": ("def vectorize(g):\n    return lambda x: g(8)", "r = vectorize(told)(3)"),
    "map": ("def map(g, items):\n    return [g(8)]", "r = list(map(counting(2), xs))"),
    "starmap": ("def starmap(g, items):\n    return [g(8)]", "r = list(starmap(counting(2), [[1]]))"),
    "sort of a kind of list": ("class Rows(list):\n    pass\nxs = Rows(xs)", "xs.sort(key=told)"),
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", LIFTED)
def test_calls_that_run_in_workers_leave_what_plain_execution_leaves(name: str, how: str) -> None:
    different, ran = programs.compared(LIFTED[name], SETUP, how)
    assert different is None
    assert any(lifted.kind != "call" for lifted in ran.cell.lifted), ran.reasons


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", PLAIN)
def test_calls_that_cannot_run_in_workers_run_as_they_are(name: str, how: str) -> None:
    different, ran = programs.compared(PLAIN[name], SETUP, how)
    assert different is None
    assert not any(lifted.kind != "call" for lifted in ran.cell.lifted)


@pytest.mark.parametrize("name", SHADOWED)
def test_names_that_mean_something_else_are_called_as_they_are(name: str) -> None:
    setup, cell = SHADOWED[name]
    different, ran = programs.compared(cell, f"{SETUP}{setup}\n", "threads")
    assert different is None
    assert not any(lifted.kind in (name, name.partition(" ")[0]) for lifted in ran.cell.lifted)


@pytest.mark.parametrize("name", LIFTED)
def test_calls_that_no_worker_takes_run_as_they_are(name: str) -> None:
    assert programs.differs_without_workers(LIFTED[name], SETUP) is None


def test_vectorize_asks_once_more_for_the_first_element() -> None:
    source = "calls = []\ndef g(x):\n    calls.append(x)\n    return x\nr = np.vectorize(g)([5, 6])"
    ran = programs.run(source, SETUP, "threads")
    assert ran.left.names["calls"] == [5, 5, 6]
    assert "changes `calls`" in ran.reasons
    ran = programs.run(source.replace("    calls.append(x)\n", ""), SETUP, "threads")
    assert [lifted.kind for lifted in ran.cell.lifted] == ["vectorize"]


def test_an_object_made_for_a_map_that_stays_plain_is_dropped_with_it() -> None:
    setup = SETUP + "class Loud(Score):\n    def __del__(self):\n        print('gone')\n"
    different, _ = programs.compared("r = list(map(Loud(2).of, xs))\nprint('after')", setup, "threads")
    assert different is None


def test_a_call_with_a_quick_key_is_not_told_of() -> None:
    _, ran = programs.compared("r = [f(x) for x in xs]\ns = sorted(r, key=lambda v: -v)", SETUP, "threads")
    assert len(ran.cell.loops) == 1
    _, ran = programs.compared("g = lambda v: -v\nr = [f(x) for x in xs]\ns = sorted(r, key=g)", SETUP, "threads")
    assert ran.reasons == ""


def test_a_stand_in_hands_values_out_as_long_as_it_is_asked_for_them() -> None:
    asked: list[Any] = []

    def real(x: Any) -> str:
        asked.append(x)
        return "real"

    stand_in = StandIn(real, [Given((1,)), Given((2.5,)), Given((3,))], iter("abc"))
    assert [stand_in(1), stand_in(2.5)] == ["a", "b"]
    assert [stand_in(3.0), stand_in(3)] == ["real", "real"]  # another object, and then nothing is certain any more
    assert asked == [3.0, 3]


def test_a_stand_in_knows_zeros_and_their_signs_apart() -> None:
    assert not Given((0.0,)).is_same(Given((-0.0,)))
    assert not Given((1,)).is_same(Given((True,)))
    assert Given((float("nan"),)).is_same(Given((float("nan"),)))
    assert not Given(([],)).is_same(Given(([],)))
    assert not Given((), {"a": 1}).is_same(Given((), {"b": 1}))


def test_what_was_walked_can_be_walked_again() -> None:
    def items() -> Any:
        yield from (1, 2)
        raise KeyError(3)

    walked = Walked(items())
    assert next(walked) == 1
    again = walked.again()
    assert [next(again), next(again)] == [1, 2]
    with pytest.raises(KeyError):
        next(again)
    assert walked.seen == [1, 2]


def test_what_was_walked_to_its_end_ends_there_again() -> None:
    walked = Walked(zip(iter([1, 2]), iter([3]), strict=False))
    assert list(walked) == [(1, 3)]
    assert list(walked.again()) == [(1, 3)]
