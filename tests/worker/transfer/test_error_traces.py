"""Exceptions as values cross with their tracebacks, causes and contexts."""

from __future__ import annotations

import pickle
import threading
import traceback
from typing import Any

from concompare.worker.transfer import error_traces, pickling


class Stubborn(Exception):
    """Cannot be made again of its arguments."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(f"{number}: {text}")


def divided(number: int) -> float:
    return 1 / number


def raised(text: str) -> BaseException:
    try:
        try:
            divided(0)
        except ZeroDivisionError as error:
            raise ValueError(text) from error
    except ValueError as error:
        error.add_note("noted")
        return error
    raise AssertionError("it was not raised")


def places(error: BaseException | None) -> list[tuple[str, int | None]]:
    assert error is not None
    return [(part.name, part.lineno) for part in traceback.extract_tb(error.__traceback__)]


def again(value: Any) -> Any:
    return pickle.loads(pickling.pack(value))


def test_where_it_was_raised_and_what_led_to_it_go_along() -> None:
    error = raised("text")
    found = again({"x": [error]})["x"][0]
    assert places(found) == places(error)
    assert places(found.__cause__) == places(error.__cause__)
    assert found.__cause__ is found.__context__
    assert (str(found), found.__notes__, found.__suppress_context__) == ("text", ["noted"], True)


def test_one_that_was_never_raised_is_pickled_as_any_object() -> None:
    assert error_traces.reduced(ValueError(1), pickling.can_pack) is NotImplemented
    assert again(ValueError(1)).args == (1,)


def test_what_cannot_cross_is_left_out() -> None:
    error = raised("text")
    error.__cause__ = Stubborn(1, "a")
    error.__context__ = KeyError(threading.Lock())
    found = again(error)
    assert (found.__cause__, found.__context__) == (None, None)
    assert places(found) == places(error)


def test_a_text_that_looks_like_one_is_a_text() -> None:
    assert again(["an Error"]) == ["an Error"]
