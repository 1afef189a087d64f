"""The bars of tqdm around and within what a loop walks: items go to workers as without them, and they reach the end."""

from __future__ import annotations

import io
from typing import Any

import pytest
from tqdm import tqdm

from concompare.cells import counting
from concompare.cells.replay import bars
from tests.cells import compiled

SETUP = """
import io
from tqdm import tqdm

class Bed:
    def __init__(self, number):
        self.number, self.got = number, []

    def grow(self, water):
        for _ in range(3):
            self.got.append(water)
        return sum(self.got) + self.number

def f(x):
    total = 0
    for k in range(5):
        total += k * x
    return total

class Nowhere:
    def write(self, text):
        pass
    def flush(self):
        pass

shown = Nowhere()
out, xs, beds = [], [3, 1, 2, 5, 4], [Bed(n) for n in range(5)]
"""
CELLS = {
    "numbered": "for i, x in enumerate(tqdm(xs, file=shown)):\n    out.append((i, f(x)))",
    "numbered from one, the bar by name": (
        "b = tqdm(xs, file=shown)\nfor i, x in enumerate(b, 1):\n    out.append((i, f(x)))\nout.append(b.n)\ndel b"
    ),
    "numbered in a comprehension": "out = {i: f(x) for i, x in enumerate(tqdm(xs, file=shown))}",
    "numbered objects that change": "for i, bed in enumerate(tqdm(beds, file=shown)):\n    out.append(bed.grow(i))",
    "paired with what is longer": "for x, bed in zip(tqdm(xs[:4], file=shown), beds):\n    out.append(bed.grow(x))",
    "paired with what is shorter": "out = [bed.grow(x) for x, bed in zip(xs[1:], tqdm(beds, file=shown))]",
    "two bars": "for x, y in zip(tqdm(xs, file=shown), tqdm(xs[:3], file=shown)):\n    out.append(f(x) + y)",
    "pairs beneath the bar, of objects that change": (
        "for x, bed in tqdm(zip(xs, beds), total=5, file=shown):\n    out.append(bed.grow(x))"
    ),
    "numbers beneath the bar": "for i, bed in tqdm(enumerate(beds), file=shown):\n    out.append(bed.grow(i))",
    "numbered, with an early end": (
        "for i, x in enumerate(tqdm(xs, file=shown)):\n    y = f(x)\n    if y > 40:\n        break\n"
        "    out.append((i, y))"
    ),
    "numbered, failing": (
        "try:\n    for i, x in enumerate(tqdm([3, 1, 0, 4], file=shown)):\n        out.append(f(6 / x))\n"
        "except ZeroDivisionError as error:\n    out.append((i, x, str(error)))"
    ),
    "a generator beneath": "for i, x in enumerate(tqdm((x + 1 for x in xs), file=shown)):\n    out.append((i, f(x)))",
    "a generator beside": "for a, x in zip((x + 1 for x in xs), tqdm(xs, file=shown)):\n    out.append((a, f(x)))",
}
KEPT = {
    "pairs that go on later": (
        "pairs = enumerate(xs)\nfor i, x in tqdm(pairs, file=shown):\n    out.append((i, f(x)))\n    if i == 2:\n"
        "        break\nout.append(list(pairs))\ndel pairs"
    ),
    "numbers that go on later": (
        "pairs = enumerate(tqdm(xs, file=shown))\nfor i, x in pairs:\n    out.append((i, f(x)))\n"
        "out.append(list(pairs))\ndel pairs"
    ),
    "an iterator beside that goes on later": (
        "rest = iter(xs)\nfor a, x in zip(rest, tqdm(xs[:3], file=shown)):\n    out.append((a, f(x)))\n"
        "out.append(list(rest))\ndel rest"
    ),
    "an iterator beneath that goes on later": (
        "rest = iter(xs)\nfor x in tqdm(rest, file=shown):\n    out.append(f(x))\n    if x == 2:\n        break\n"
        "out.append(list(rest))\ndel rest"
    ),
    "an iterator beneath numbers, failing": (
        "rest = iter(xs)\ntry:\n    for i, x in enumerate(tqdm(rest, file=shown)):\n        f(x / (x - 2))\n"
        "except ZeroDivisionError:\n    out.append(i)\nout.append(list(rest))\ndel rest"
    ),
    "a list that grows while it is walked": (
        "for i, x in enumerate(tqdm(xs, file=shown)):\n    out.append((i, f(x)))\n    if i < 3:\n        xs.append(i)"
    ),
    "unequal lengths": (
        "try:\n    for x, y in zip(tqdm(xs, file=shown), xs[:3], strict=True):\n        out.append(f(x) + y)\n"
        "except ValueError as error:\n    out.append(str(error))"
    ),
}


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", CELLS)
def test_a_bar_keeps_nothing_from_the_workers(name: str, how: str) -> None:
    different, program = compiled.differs(CELLS[name], SETUP, how, seed=len(name))

    assert different is None
    assert program.lifted, [str(part.refusal) for part in program.refused]


@pytest.mark.parametrize("how", ["threads", "processes"])
@pytest.mark.parametrize("name", KEPT)
def test_what_somebody_else_holds_is_left_as_the_plain_loop_leaves_it(name: str, how: str) -> None:
    different, _ = compiled.differs(KEPT[name], SETUP, how, seed=len(name))

    assert different is None


@pytest.mark.parametrize(
    "cell",
    [
        "for i, x in enumerate(tqdm(xs, file=shown)):\n    out.append(f(x))",
        "out = [f(x) for x, y in zip(tqdm(xs, file=shown), xs)]",
    ],
)
def test_a_bar_within_goes_to_its_end(cell: str) -> None:
    left, program = compiled.run_compiled(cell, f"{SETUP}\nshown = io.StringIO()\n", "threads")

    assert program.lifted
    assert "5/5" in left.names["shown"].getvalue()


def quiet(things: Any) -> Any:
    return tqdm(things, file=io.StringIO())


def test_pairs_are_listed_where_only_the_bar_has_them() -> None:
    held = zip("ab", [1, 2], strict=True)
    items, bar = bars.unwrapped(quiet(held))
    assert items is held
    assert list(held) == [("a", 1), ("b", 2)]
    items, bar = bars.unwrapped(quiet(zip("ab", [1, 2], strict=True)))
    assert (items, type(bar)) == ([("a", 1), ("b", 2)], tqdm)


def test_two_bars_move_as_one() -> None:
    one, two = quiet("abc"), quiet([1, 2])
    items, bar = bars.unwrapped(zip(one, two, strict=False), fresh=True)
    assert items == [("a", 1), ("b", 2)]
    bar.update(2)
    bar.close()
    assert (one.n, two.n, one.disable, two.disable) == (2, 2, True, True)


def test_a_walk_that_somebody_has_begun_is_left_alone() -> None:
    walk = iter(quiet([1, 2, 3]))
    next(walk)
    pairs = enumerate(walk)
    del walk
    assert bars.unwrapped(pairs, fresh=True) == (pairs, None)
    named = enumerate(quiet([1, 2]))
    assert bars.unwrapped(named) == (named, None)
    assert list(named) == [(0, 1), (1, 2)]


def test_a_strict_zip_of_unequal_lengths_is_not_copied_for_a_look() -> None:
    assert counting.another(zip([1, 2], [3], strict=True)) is None
    even = counting.another(zip([1, 2], [3, 4], strict=True))
    assert even is not None
    assert list(even) == [(1, 3), (2, 4)]
