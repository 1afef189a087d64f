"""What `last()` keeps of a pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from concompare.engine.outcome import Failure, Outcome, bytes_of
from concompare.records import Pass


@pytest.mark.parametrize(
    ("values", "least", "most"),
    [
        ([], 0, 0),
        ([1.5] * 100_000, 1e6, 1e7),
        ([bytes(1000)] * 1000, 1e6, 1.1e6),
        ([np.zeros(125_000)] * 10, 1e7, 1.1e7),
        ([np.zeros(125_000)[::-1]] * 10, 1e7, 1.1e7),
        ([{"a": [bytes(10_000)] * 10}] * 10, 1e6, 1.2e6),
        ([[bytes(1000)] * 10_000], 1e7, 1.2e7),
    ],
)
def test_what_values_take_is_guessed_from_some(values: list[Any], least: float, most: float) -> None:
    assert least <= bytes_of(values) <= most


def test_attributes_count() -> None:
    class Holder:
        def __init__(self) -> None:
            self.data = bytes(1_000_000)

    assert 1e6 <= bytes_of([Holder()]) <= 1.1e6


def test_no_method_of_a_list_s_own_is_asked() -> None:
    class Counted(list[int]):
        asked = 0

        def __len__(self) -> int:
            Counted.asked += 1
            return super().__len__()

        def __iter__(self) -> Any:
            Counted.asked += 1
            return super().__iter__()

    assert bytes_of([Counted([1, 2])]) > 100
    assert Counted.asked == 0


def test_values_go_where_they_take_too_much_and_the_list_stays_the_callers() -> None:
    values = [bytes(1000)] * 10
    outcome = Outcome(values)
    outcome.let_go(1e5)
    assert outcome.values is values
    outcome.let_go(1e3)
    assert outcome.values == []
    assert len(values) == 10


def test_values_beside_failures_stay_for_another_try() -> None:
    failure = Failure(1, "2", ValueError())
    outcome = Outcome([1, failure], (failure,))
    outcome.let_go(0)
    assert outcome.values == [1, failure]


def test_it_is_told_in_one_line() -> None:
    failure = Failure(1, "2", ValueError())
    assert repr(Outcome([1, 2])) == "<Outcome so far: 2 values>"
    assert repr(Outcome([], record=Pass(1, 0.5, 0.1))) == "<Outcome: 1 item in 500 ms>"
    assert repr(Outcome([1, 2], record=Pass(2, 2.0, 0.1))) == "<Outcome: 2 items in 2.00 s; 2 values kept (.values)>"
    failed = repr(Outcome([1, failure], (failure,), record=Pass(2, 2.0, 0.1), restored=1, stopped=True))
    words = "1 of them from a file; 1 failed (.failures; .retry() runs them again); stopped early"
    assert failed == f"<Outcome: 2 items in 2.00 s; {words}>"
