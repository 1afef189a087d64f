"""Changes that workers make to their own copies: said in the caller's line, an error, or nothing."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import concompare
from concompare import errors
from concompare.run.lost_changes import Losses
from concompare.testing import define

CHANGES = "seen = []\nkept = [1]\ndef f(x):\n    seen.append(x)\n    return kept[0] + x"


@pytest.mark.parametrize("backend", ["processes", "mp-pool", "loky"])
def test_a_change_that_is_lost_is_said_in_the_callers_line(backend: str) -> None:
    with pytest.warns(errors.LostChanges, match=r"own copies of `seen`, and here.*return what.*\"threads\"") as caught:
        assert concompare.map(define(CHANGES), range(6), backend=backend, workers=2) == [x + 1 for x in range(6)]
    assert [warning.filename for warning in caught] == [__file__]


def test_it_can_be_an_error_or_nothing() -> None:
    with pytest.raises(errors.LostChanges, match="`seen`"):
        concompare.map(define(CHANGES), range(6), backend="processes", workers=2, on_lost_changes="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        concompare.map(define(CHANGES), range(6), backend="processes", workers=2, on_lost_changes="ignore")


def test_an_item_that_is_changed_in_place_is_named() -> None:
    items: list[Any] = [{"a": 1}, {"a": 2}]
    with pytest.warns(errors.LostChanges, match=r"item [01]"):
        concompare.map(define("def f(x): x['b'] = 1"), items, backend="processes", workers=2)
    assert items == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("backend", ["serial", "threads", "thread-per-item", "mp-threads"])
def test_workers_that_share_the_objects_lose_nothing(backend: str) -> None:
    function = define(CHANGES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        concompare.map(function, range(6), backend=backend, workers=2)
    assert sorted(function.__globals__["seen"]) == list(range(6))


def test_a_function_that_changes_nothing_is_not_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = concompare.map(define("kept = [1]\ndef f(x): return kept[0] + x[0]"), [[1], [2]], backend="processes")
    assert values == [2, 3]


def test_it_is_said_of_a_pass_that_fails_too() -> None:
    function = define("seen = []\ndef f(x):\n    seen.append(x)\n    return 1 // (3 - x)")
    with pytest.warns(errors.LostChanges, match="`seen`"), pytest.raises(ZeroDivisionError):
        concompare.map(function, range(6), backend="processes", workers=1)


def test_a_value_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(errors.BadOption, match=r"on_lost_changes is 'no': use 'warn', 'raise' or 'ignore'"):
        concompare.map(abs, [1], on_lost_changes="no")


def test_a_few_of_many_names_are_said() -> None:
    losses = Losses("warn")
    losses(tuple(f"name{number}" for number in range(7)))
    losses(("name0", "item 3"))
    assert "`name0`, `name1`, `name2`, `name3`, `name4` and 3 more" in losses.words()
