"""What may change beyond a function is found, and whether it has changed."""

from __future__ import annotations

import array
import functools
import re
import threading
from re import sub
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from concompare.worker.changes import LARGEST, Items, digest, places
from concompare.worker.state_watch import Watch

CLASSES = """
class Total:
    count = 0
    def __init__(self): self.sum, self.seen = 0, []
    def add(self, x): self.sum += x
    def see(self, x): self.seen.append(x)
    def read(self, x): return self.sum + x
    def __call__(self, x): self.seen.append(x)
    @classmethod
    def counted(cls, x): cls.count += 1
total, seen, number, table = Total(), [], 0, {}
"""

CHANGING = {
    "a captured object": ("def f(x): seen.append(x)", "seen"),
    "an object of a function that it calls": ("def g(x): seen.append(x)\ndef f(x): g(x)", "seen"),
    "an attribute": ("def f(x): total.sum += x", "total"),
    "an object behind an attribute": ("def f(x): total.seen.append(x)", "total"),
    "a rebound global": ("def f(x):\n    global number\n    number += x", "number"),
    "a new global": ("def f(x):\n    global fresh\n    fresh = x", "fresh"),
    "a deleted global": ("def f(x):\n    global number\n    del number", "number"),
    "an attribute of a class": ("def f(x): Total.count += 1", "Total"),
    "an attribute of an object's class": ("def f(x): total.counted(x)", "Total"),
    "an attribute of the function": ("def f(x): f.last = x", "f"),
    "a default": ("def f(x, kept=[]): kept.append(x)", "a default of f"),
    "a default by name": ("def f(x, *, kept=[]): kept.append(x)", "a default of f"),
    "a nonlocal": ("def made():\n n = 0\n def f(x):\n  nonlocal n\n  n += x\n return f\nf = made()", "n"),
    "an object in a closure": ("def made():\n l = []\n def f(x): l.append(x)\n return f\nf = made()", "l"),
    "an object of a decorated function": (
        "def twice(g):\n def call(x): return g(g(x))\n return call\n@twice\ndef f(x):\n seen.append(x)\n return x",
        "seen",
    ),
    "the object of a method": ("f = total.add", "Total.add"),
    "the object of a built-in method": ("f = seen.append", "list.append"),
    "an object that is called": ("f = total", "Total"),
    "an argument of a partial": ("f = functools.partial(lambda l, x: l.append(x), seen)", "an argument of <lambda>"),
    "an attribute of a module": ("def f(x): settings.level = x", "settings.level"),
    "an object in a module": ("def f(x): settings.names.append(x)", "settings.names"),
}


def namespace_with(source: str) -> dict[str, Any]:
    settings = ModuleType("settings_of_the_user")
    settings.level, settings.names = 0, []  # type: ignore[attr-defined]
    known: dict[str, Any] = {"__name__": "__main__", "functools": functools, "settings": settings}
    exec(CLASSES + source, known)
    return known


@pytest.mark.parametrize("kind", CHANGING)
def test_what_a_call_changes_is_named(kind: str) -> None:
    source, name = CHANGING[kind]
    function = namespace_with(source)["f"]
    watch = Watch(function)
    assert watch.changed() == ()
    function(1)
    assert name in watch.changed()
    assert len(watch.changed()) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def f(x): return total.sum + number + len(seen) + len(table) + x",
        "f = total.read",
        "def f(x): return Total.count + settings.level + x",
        "def f(x):\n    seen = []\n    seen.append(x)\n    return seen",
        "def f(x):\n    own = Total()\n    own.add(x)\n    return own.sum",
        "f = abs",
        "def f(x): return total.seen",  # which is no reading of `seen`
    ],
)
def test_what_only_reads_changes_nothing(source: str) -> None:
    function = namespace_with(source)["f"]
    watch = Watch(function)
    function(1)
    assert watch.changed() == ()


def test_an_attribute_is_not_taken_for_a_global_of_its_name() -> None:
    watched = {place.name for place in places(namespace_with("def f(x): return x.seen + x.table")["f"])}
    assert watched == {"f"}


def test_caches_of_libraries_are_not_the_users_state() -> None:
    def function(x: int) -> Any:
        return sub(f"a{x}", "", "ab"), re.sub(f"b{x}", "", "ab")

    watch = Watch(function)
    function(77)
    assert watch.changed() == ()
    assert {place.name for place in places(function)} == {"function"}


def test_random_sources_are_looked_at_in_another_way() -> None:
    known: dict[str, Any] = {"source": __import__("random").Random(1)}
    exec("def f(x): return source.random()", known)
    watch = Watch(known["f"])
    known["f"](1)
    assert watch.changed() == ()


class Own:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.values = [1]


def test_an_object_that_cannot_be_pickled_is_watched_all_the_same() -> None:
    own = Own()
    before = digest(own)
    assert before is not None
    assert digest(own) == before
    own.values.append(2)
    assert digest(own) != before


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (list(range(LARGEST)), lambda value: value.append(1)),
        (dict.fromkeys(range(LARGEST)), lambda value: value.pop(0)),
        (bytearray(2 * LARGEST), lambda value: value.__setitem__(5, 1)),
        (array.array("q", [0]) * LARGEST, lambda value: value.__setitem__(5, 1)),
        (np.zeros((1000, 1000)), lambda value: value.__setitem__((5, 5), 1.0)),
        (np.zeros(3_000_000), lambda value: value.resize(7, refcheck=False)),
    ],
)
def test_changes_of_large_objects(value: Any, change: Any) -> None:
    before = digest(value)
    assert before is not None
    assert digest(value) == before
    change(value)
    assert digest(value) != before


def test_the_first_changed_item_is_named() -> None:
    items: list[Any] = [1, [1], {"a": 1}, [3]]
    watched = Items(items, 10)
    assert watched.changed() == ()
    items[2]["b"] = 2
    items[3].append(4)
    assert watched.changed() == ("item 12",)


@pytest.mark.parametrize(
    ("item", "change"),
    [
        ([1, "a"], lambda item: item.append([])),
        ([1, "a"], lambda item: item.__setitem__(0, True)),
        ({"a": 1.5}, lambda item: item.__setitem__("a", lambda: 1)),
        ({1, 2}, lambda item: item.discard(2)),
        (bytearray(b"a"), lambda item: item.append(1)),
        (np.zeros(3), lambda item: item.__setitem__(1, -0.0)),
        ([[1]], lambda item: item[0].append(2)),
        ((1, [2]), lambda item: item[1].clear()),
    ],
)
def test_a_changed_item_is_named_among_others_of_all_kinds(item: Any, change: Any) -> None:
    items = [(1, 2), [0], 5, item, {"b": 0}]
    watched = Items(items, 0)
    assert watched.changed() == ()
    change(item)
    assert watched.changed() == ("item 3",)


def test_items_that_cannot_change_cost_nothing() -> None:
    assert Items([1, "a", None, 2.5, (1, "a"), frozenset({2})], 0).before == []


def test_of_many_items_some_are_watched_from_all_over_the_chunk() -> None:
    watched = Items([[number] for number in range(1000)], 0)
    assert 60 <= len(watched.before) <= 70
    assert watched.before[-1][0] > 900


def test_a_long_chunk_is_always_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("concompare.worker.state_watch.time.perf_counter", lambda: now[0])
    watch = Watch(namespace_with("def f(x): seen.append(x)")["f"])
    watch.changed()
    watch.took = 0.001
    assert [watch.due() for _ in range(5)] == [True, True, True, False, False]
    now[0] += 0.2
    assert watch.due()
