"""Values of which a consumer surely takes all, whatever it does with each before it asks for the next."""

from __future__ import annotations

from typing import Any

import pytest

from concompare.cells.replay.plain_values import is_plain
from tests.cells import programs
from tests.cells.pool_cells import cells_of

SETUP = (
    programs.SLOW
    + """
words = "the heron lifted from the reeds and all was still".split()
costs = {}

def cost(word):
    costs[word] = slow(len(word))
    return costs[word], (word, None)

def nothing(word):
    costs[word] = slow(len(word))

def unlike(word):
    costs[word] = slow(len(word))
    return (1, word) if word < "l" else (1, len(word))

def growing(word):
    costs[word] = slow(len(word))
    return (1,) if word == "the" else (1, word) if word < "l" else (1, len(word))

def pair(word):
    costs[word] = slow(len(word))
    return (word, len(word)), costs[word]

def lists(word):
    costs[word] = slow(len(word))
    return word, [len(word)]
"""
)
CELLS = cells_of("""
### the best by tuples
best = min(words, key=cost)
### the best of tuples
best = max(cost(w) for w in words)
### several
import heapq
best = heapq.nlargest(3, words, key=cost)
### keys are tuples
sizes = dict(pair(w) for w in words)
### a set of tuples
seen = set(pair(w) for w in words)
### nothing has no order
best = min(words, key=nothing)
### nothing among others
best = max(nothing(w) for w in words)
### tuples without an order
best = min(words, key=unlike)
### tuples that are longer than the first
best = min(words, key=growing)
### tuples without a hash
seen = set(lists(w) for w in words)
""")


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", CELLS)
def test_values_that_are_taken_one_by_one_leave_what_the_plain_cell_does(name: str, how: str) -> None:
    assert programs.compared(CELLS[name], SETUP, how)[0] is None


@pytest.mark.parametrize(
    ("consumer", "first", "value"),
    [
        ("min", 1, 2.5),
        ("max", ("a", 1), ("b", 0.5)),
        ("nlargest", (1, ("a", None)), (2, ("b", None))),
        ("dict", None, (("a", 1), [])),
        ("set", None, ("a", (1, None))),
    ],
)
def test_what_a_consumer_surely_takes(consumer: str, first: Any, value: Any) -> None:
    assert is_plain(value, consumer, first)


@pytest.mark.parametrize(
    ("consumer", "first", "value"),
    [
        ("min", None, None),
        ("min", 1, "a"),
        ("max", (1, "a"), (1, 2)),
        ("max", (1,), (1, 2)),
        ("max", (1, []), (1, [])),
        ("dict", None, (["a"], 1)),
        ("set", None, ("a", ["b"])),
    ],
)
def test_what_a_consumer_may_fail_at(consumer: str, first: Any, value: Any) -> None:
    assert not is_plain(value, consumer, first)
