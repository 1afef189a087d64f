"""What is the same in two processes has the same text, and what is not has not."""

from __future__ import annotations

import collections
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.system.alike.forms import Forms


class Point:
    def __init__(self, x: Any) -> None:
        self.x = x


class Slotted:
    __slots__ = ("__y", "x")

    def __init__(self, x: Any) -> None:
        self.x = self.__y = x


class Named(list[int]):
    name = ""


def closing(value: object) -> Callable[[], object]:
    def inner() -> object:
        return value

    inner.__module__ = "__main__"
    return inner


def holding(name: str) -> Named:
    made = Named([1])
    made.name = name
    return made


def shared(*, once: bool) -> list[list[int]]:
    part = [1]
    return [part, part if once else [1]]


def form(value: Any) -> str:
    return Forms().of(value, "name")


@pytest.mark.parametrize(
    ("make", "other"),
    [
        (lambda: 1, lambda: 1.0),
        (lambda: 1, lambda: True),
        (lambda: 0.0, lambda: -0.0),
        (lambda: [1, 2], lambda: (1, 2)),
        (lambda: {"a": 1, "b": 2}, lambda: {"b": 2, "a": 1}),
        (lambda: {"one", "two"}, lambda: {"one", "three"}),
        (lambda: collections.Counter("aab"), lambda: dict(collections.Counter("aab"))),
        (lambda: collections.defaultdict(int), lambda: collections.defaultdict(list)),
        (lambda: Point([1]), lambda: Point([2])),
        (lambda: Slotted(1), lambda: Slotted(2)),
        (lambda: holding("a"), lambda: holding("b")),
        (lambda: shared(once=True), lambda: shared(once=False)),
        (lambda: closing(1), lambda: closing(2)),
        (lambda: random.Random(1), lambda: random.Random(2)),
        (lambda: np.random.default_rng(1), lambda: np.random.default_rng(2)),
        (lambda: np.arange(1000), lambda: np.arange(1000, dtype=float)),
        (lambda: np.zeros(1000), lambda: np.eye(1000)[500]),
        (lambda: np.float64(1), lambda: 1.0),
        (lambda: np.array([Point(1)]), lambda: np.array([Point(2)])),
        (lambda: pd.Series([1, 2], name="a"), lambda: pd.Series([1, 2], name="b")),
        (lambda: pd.DataFrame({"a": [1]}), lambda: pd.DataFrame({"a": [1]}, index=[1])),
        (lambda: pd.DataFrame({"a": ["x"]}), lambda: pd.DataFrame({"a": ["y"]})),
        (lambda: iter([1, 2]), lambda: iter([2])),
        (lambda: ValueError("a"), lambda: ValueError("b")),
    ],
)
def test_a_text_tells_objects_apart(make: Callable[[], Any], other: Callable[[], Any]) -> None:
    assert form(make()) == form(make())
    assert form(make()) != form(other())


def test_objects_that_hold_themselves_and_endless_ones_come_to_an_end() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert form(loop) == "builtins.list[<same as name>, ]"
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "…" in form(deep)
    assert form([[n] for n in range(100_000)]).count("…") == 1


def test_an_object_under_two_names_is_one() -> None:
    forms, point = Forms(), Point(1)
    assert "Point(x=1, )" in forms.of(point, "a")
    assert forms.of([point], "b") == "builtins.list[<same as a>, ]"
