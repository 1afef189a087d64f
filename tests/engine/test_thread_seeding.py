"""Items of one process draw from sources of their own: the numbers are those of a process seeded for each."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from concompare.engine import thread_seeding
from concompare.worker.state_watch import sow


def numbers(item: int) -> tuple[float, ...]:
    """Draw an odd number of normal ones: the sources keep the second of a pair for the next call."""
    return random.gauss(0, 1), random.random(), random.uniform(1, 2), float(np.random.normal()), item


def seeded_here(function: Callable[[int], Any], items: range, seed: int = 7) -> list[Any]:
    with thread_seeding.seeded_modules(function):
        return list(map(thread_seeding.SeededHere(function, seed).at(count()), items))


def test_the_numbers_are_those_of_a_process_seeded_for_the_item() -> None:
    before = random.getstate(), np.random.get_state()
    expected = []
    try:
        for item in range(5):
            sow(7, item)
            expected.append(numbers(item))
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
    assert seeded_here(numbers, range(5)) == expected
    assert random.getstate() == before[0]


def test_sources_are_used_again_and_not_made_for_each_item() -> None:
    thread_seeding.FREE.clear()
    seeded_here(numbers, range(50))
    assert len(thread_seeding.FREE) == 1
    assert set(thread_seeding.FREE[0].made) == {"random", "numpy.random"}


def test_an_item_that_has_seeded_items_of_its_own_goes_on_with_its_own_stream() -> None:
    def nesting(item: int) -> tuple[float, float]:
        first = random.random()
        inner = thread_seeding.SeededHere(numbers, 1).at(count())
        inner(0)
        return first, random.random()

    def alone(item: int) -> tuple[float, float]:
        return random.random(), random.random()

    assert seeded_here(nesting, range(3)) == seeded_here(alone, range(3))
