from __future__ import annotations

import math
import pickle
from functools import partial
from operator import neg
from typing import Any

import pytest

from concompare.worker import capture, early_calls
from concompare.worker.compute import Computed
from concompare.worker.early_calls import Results, early


def fails() -> Any:
    raise ValueError("no")


def test_results_are_handed_out_in_order_and_through_a_pickle() -> None:
    made = early(((), partial(list, (value,))) for value in (1, 2))
    found = Results(pickle.loads(pickle.dumps(made)))

    assert [found.take() for _ in range(2) if found.holds()] == [[1], [2]]
    assert not found.holds()
    assert (found.made, found.used) == (2, 2)


def test_a_call_that_raises_is_left_to_the_notebook() -> None:
    assert not Results(early([((), fails)])).holds()
    assert early([((), fails)]).made == 1


def test_what_the_calls_walk_may_raise() -> None:
    def calls() -> Any:
        yield (1,), lambda: "one"
        raise KeyError

    found = Results(early(calls()))
    assert found.holds(1)
    assert found.take() == "one"


def test_a_result_is_found_by_its_arguments_and_those_before_it_are_dropped() -> None:
    found = Results(early(((value,), partial(neg, value)) for value in (1, 2, 3)))

    assert found.holds(2)
    assert found.take() == -2
    assert not found.holds(1)
    assert found.holds(3)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (1, 1.0), (0.0, -0.0), (math.nan, math.nan), ((1, 2), (1, 2.0)), ("1", 1), ((1,), (1, 2)), (b"a", "a")],
)
def test_arguments_that_a_function_can_tell_apart_are_not_the_same(one: Any, other: Any) -> None:
    assert not Results(early([((one,), lambda: 5)])).holds(other)
    assert not early_calls.same(one, other)


def test_a_call_with_an_argument_that_is_known_by_identity_is_not_made() -> None:
    assert early([(([1],), lambda: 5)]).results == []


def test_no_more_than_some_calls_are_made_of_what_has_no_end() -> None:
    def calls() -> Any:
        while True:
            yield (), lambda: None

    assert early(calls()).made == early_calls.MOST


def test_what_a_call_prints_is_shown_where_its_result_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    done = Computed()
    with capture.doors(), capture.recording(done):
        print("before")
        made = early([((), lambda: print("within"))])
        print("after")
    assert [text for _, _, text in done.output] == ["before\nafter\n"]
    capsys.readouterr()

    found = Results(made)
    assert found.holds()
    found.take()
    assert capsys.readouterr().out == "within\n"


def test_an_interrupt_is_not_kept_back() -> None:
    def interrupted() -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        early([((), interrupted)])
