"""Fingerprints: alike in every process, different for whatever may compute something else."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from concompare.engine.resume.fingerprint import Untold, Walker, joined, of_function

SCRIPT = """
import dataclasses, enum, functools, json, random, re
import numpy as np
from concompare.engine.resume.fingerprint import Walker, joined, of_function
{blank}
class Colour(enum.Enum):
    RED = 1
@dataclasses.dataclass
class Row:
    name: str
    tags: set = dataclasses.field(default_factory=set)
class Model:
    words = frozenset(("a", "b", "c", "d"))
    __slots__ = ("weights",)
    def __init__(self): self.weights = np.arange(6.0).reshape(2, 3)
    @property
    def size(self): return self.weights.size
    @staticmethod
    def scale(x): return x in {{"u", "v", "w"}}
model = Model()
limits = {{"low": 1, "high": [2, None]}}
pattern = re.compile("a+")
@functools.lru_cache
def inner(x): return pattern.match(x), random.random
def score(row, *, k=Colour.RED):
    return model.size, limits["low"], inner(row.name), [y for y in row.tags if Model.scale(y)], lambda: k
items = [Row("x", {{"t", "u", "v"}}), Row("y"), {{"k": {{1, 2}}}}, (1, [2, "three"]), np.array([object], object)]
print(json.dumps([of_function(score), joined(Walker(strict=True).items(items))]))
"""


def test_they_are_the_same_in_processes_that_hash_otherwise_and_whose_lines_have_moved() -> None:
    told = set()
    for seed, blank in (("1", ""), ("77", "\n\n# moved\n")):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", SCRIPT.format(blank=blank)]
        told.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(told) == 1
    assert "model" in told.pop()


def made(code: str, **names: Any) -> Callable[..., Any]:
    """Return the function `f` of some code."""
    exec(code, names)
    found: Callable[..., Any] = names["f"]
    return found


BASE = "def f(x):\n    return g(x) + K"
NAMES: dict[str, Any] = {"K": 1, "g": made("def f(x): return x"), "unused": 1}


@pytest.mark.parametrize(
    ("code", "names", "changed"),
    [
        (BASE.replace("+", "-"), {}, {"f"}),
        (BASE.replace("(x):", "(x, y=2):"), {}, {"f"}),
        (BASE, {"K": 2}, {"K"}),
        (BASE, {"K": True}, {"K"}),
        (BASE, {"K": 1.0}, {"K"}),
        (BASE, {"K": [1, (2, {3})]}, {"K"}),
        (BASE, {"g": made("def f(x): return x + 0")}, {"g"}),
        (BASE, {"g": made("def f(x): return c * x", c=3)}, {"g", "c"}),
        (BASE, {"g": made("def f(x): return K", K=3)}, {"g", "K of g"}),
        (BASE, {"g": functools.partial(int, base=10)}, {"g"}),
        (BASE, {"unused": 2}, set()),
        ("\n\n# a comment\n" + BASE, {}, set()),
    ],
)
def test_what_may_change_the_results_is_told_by_its_name(code: str, names: dict[str, Any], changed: set[str]) -> None:
    before, now = of_function(made(BASE, **NAMES)), of_function(made(code, **{**NAMES, **names}))
    assert {name for name in before | now if before.get(name) != now.get(name)} == changed


def test_what_a_function_further_down_refers_to_is_told_by_its_own_name() -> None:
    def told(k: int) -> dict[str, str]:
        inner = made("def f(x): return x if x < 1 else f(x - 1) + depth", depth=k)
        return of_function(made("def f(x): return g(x)", g=made("def f(x): return h(x)", h=inner)))

    before, now = told(1), told(2)
    assert {name for name in before | now if before[name] != now[name]} == {"depth"}


def test_deeper_changes_are_seen_too() -> None:
    def told(value: Any) -> bytes:
        return Walker(strict=True).of(value)

    pairs: list[tuple[Any, Any]] = [
        (np.arange(3), np.arange(3.0)),
        (np.arange(6), np.arange(6).reshape(2, 3)),
        (np.array([1, "a"], object), np.array([1, "b"], object)),
        ({1: 2, 3: 4}, {3: 4, 1: 2}),
        ([1, 2], (1, 2)),
        ({"a"}, frozenset("a")),
        (0.0, -0.0),
        ("a", b"a"),
        ([[1], 2], [[1, 2]]),
        (made("def f(): return {'a', 'b'}"), made("def f(): return {'a', 'c'}")),
    ]
    for one, other in pairs:
        assert told(one) != told(other), (one, other)
        assert told(one) == told(one)
    assert told({"x", "y", 3}) == told({3, "y", "x"})
    around: list[Any] = [1]
    around.append(around)
    assert told(around) != told([1, [1]])


def test_an_item_that_nothing_tells_from_others_has_none_but_in_a_function_its_type_counts() -> None:
    def generator() -> Iterator[int]:
        yield 1

    for item in (generator(), threading.Lock(), [threading.Lock()]):
        with pytest.raises(Untold):
            Walker(strict=True).items([item])
    lock, other = threading.Lock(), threading.Lock()
    code = "def f(x):\n    with lock: return x"
    assert of_function(made(code, lock=lock)) == of_function(made(code, lock=other))
    assert of_function(made(code, lock=lock)) != of_function(made(code, lock=threading.RLock()))


def test_atoms_are_told_in_one_piece_as_one_by_one() -> None:
    walker = Walker(strict=True)
    for items in (range(5), [1, "a", None, 2.5], [(1, "a"), (2, "b")], []):
        assert joined(walker.items(items)) == joined([walker.item(item) for item in items])
    assert joined(walker.items([1, 2])) != joined(walker.items([2, 1]))
