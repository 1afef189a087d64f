from __future__ import annotations

import math
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from concompare.analysis import equality
from concompare.analysis.equality import difference, equal

NAN = float("nan")


@dataclass
class Point:
    x: float
    y: Any = None


class Bare:
    def __init__(self, value: object) -> None:
        self.value = value


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class Counting:
    asked = 0

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        Counting.asked += 1
        return True

    __hash__ = None  # type: ignore[assignment]


class Rude:
    def __init__(self, said: int = 0) -> None:
        self.said = said

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compare me not")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1),
        ("a", "a"),
        (NAN, math.nan),
        ([1.0, NAN], [1.0, float("nan")]),
        ({"a": (NAN, 1)}, {"a": (float("nan"), 1)}),
        ({1, 2}, {2, 1}),
        (np.array([1.0, NAN]), np.array([1.0, NAN])),
        (np.array(["a", "b"]), np.array(["a", "b"])),
        (np.array([{"a": NAN}, None], dtype=object), np.array([{"a": float("nan")}, None], dtype=object)),
        (np.float64(NAN), np.float64(NAN)),
        (Point(NAN, [1]), Point(float("nan"), [1])),
        (Bare([1, NAN]), Bare([1, float("nan")])),
        (Slotted(3), Slotted(3)),
        (ValueError("x"), ValueError("x")),
        (range(3), range(3)),
    ],
)
def test_the_same_value_is_equal(one: object, other: object) -> None:
    assert equal(one, other) is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (0.1 + 0.2, 0.3),  # exact: the same code on the same item gives the same bits
        ([1, 2], [2, 1]),
        ([1, 2], [1, 2, 3]),
        ((1,), [1]),
        ({"a": 1}, {"a": 2}),
        (np.array([1.0, 2.0]), np.array([1.0, 2.0000001])),
        (np.array([1, 2]), np.array([1.0, 2.0])),
        (np.array([[1, 2]]), np.array([1, 2])),
        (Point(1, [1]), Point(1, [2])),
        (Bare(1), Bare(2)),
        (np.array([1]), [1]),
        (None, 0),
    ],
)
def test_another_value_is_not(one: object, other: object) -> None:
    assert equal(one, other) is False


def test_tables_are_compared_as_tables() -> None:
    pd = pytest.importorskip("pandas")
    assert equal(pd.DataFrame({"a": [1.0, NAN]}), pd.DataFrame({"a": [1.0, NAN]})) is True
    assert equal(pd.Series([1, 2], name="s"), pd.Series([1, 2], name="s")) is True
    assert equal(pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})) is False
    assert equal(pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})) is False
    assert equal({"t": pd.Series([1])}, {"t": pd.Series([1])}) is True


class Tagged(np.ndarray):
    """An array with an attribute, which its pickle leaves out."""

    def __array_finalize__(self, made_from: object) -> None:
        self.tag = getattr(made_from, "tag", None)


def test_arrays_and_tables_with_other_attributes_are_not_the_same() -> None:
    pd = pytest.importorskip("pandas")
    array = np.arange(3).view(Tagged)
    array.tag = [1]
    table = pd.Series([1, 2])
    vars(table)["tag"] = 3

    assert equal(array, array.copy()) is True
    assert equal(array, pickle.loads(pickle.dumps(array))) is False
    assert equal(table, pickle.loads(pickle.dumps(table))) is False
    assert equal(pd.Series([1, 2]), pickle.loads(pickle.dumps(pd.Series([1, 2])))) is True


class Noting:
    """An object without anything in it whose comparison leaves a note."""

    asked = 0

    def __eq__(self, other: object) -> bool:
        Noting.asked += 1
        return True

    __hash__ = None  # type: ignore[assignment]


def test_objects_with_nothing_in_them_are_not_asked_where_their_pickles_tell() -> None:
    Noting.asked = 0
    assert equal(Noting(), Noting()) is True
    assert equal([Noting()], [Noting()]) is True
    assert Noting.asked == 0


def test_what_cannot_be_compared_is_neither() -> None:
    assert equal(Rude(1), Rude(2)) is None
    assert equal(object(), object()) in (None, True)  # equal pickles, if they can be pickled
    assert equal(iter([1]), iter([2])) is None


def test_a_structure_without_end_is_not_followed_for_ever() -> None:
    one: list[object] = []
    one.append(one)
    other: list[object] = []
    other.append(other)
    assert equal(one, other) in (True, None)


def test_the_difference_names_the_first_item() -> None:
    assert difference([1, 2], [1, 2], [4, 7]) == (True, None, False)
    assert difference([1, 3], [1, 2], [4, 7]) == (False, "item 7: 3 instead of 2", False)
    assert difference([1], [1, 2], [0, 1]) == (False, "1 results instead of 2", False)
    assert difference([1, Rude(1)], [1, Rude(2)], [0, 1]) == (None, None, False)
    assert len(difference(["x" * 1000], ["y" * 1000], [0])[1] or "") < 120


@pytest.mark.parametrize(
    ("one", "other", "off"),
    [
        (1.0, 1.0 + 2**-52, 2**-52),
        ([1.0, {"a": 2.0}], [1.0, {"a": 2.0 * (1 + 2**-52)}], 2**-52),
        (np.array([4.0, 1.0]), np.array([4.0, 1.0 + 2**-50]), 2**-52),
        ((1, "a", 1.5), (1, "a", 1.5), 0.0),
        ((1, "a"), (1, "b"), None),
        ([1.0], [1.0, 2.0], None),
        ({"a": 1.0}, {"b": 1.0}, None),
        (1.0, 1, None),
        (math.nan, 1.0, None),
        (np.array([1, 2]), np.array([1, 3]), None),
        (np.array([1.0, math.nan]), np.array([1.0, 2.0]), None),
        (np.array([1.0]), np.array([1.0, 2.0]), None),
    ],
)
def test_rounding_is_told_from_a_difference(one: object, other: object, off: float | None) -> None:
    assert equality.rounding(one, other) == (None if off is None else pytest.approx(off, rel=1e-6))


def test_what_differs_by_rounding_differs_and_says_so() -> None:
    found = equality.difference([0.1 + 0.2], [0.3], [5])
    assert found == (False, "item 5: 0.30000000000000004 instead of 0.3, 2e-16 of it: rounding", True)
    assert equality.difference([0.31], [0.3], [5]) == (False, "item 5: 0.31 instead of 0.3", False)


def test_objects_with_the_same_attributes_are_not_asked() -> None:
    """Their `__eq__` may do more than compare, which would show in the notebook."""
    before = Counting.asked
    assert equal([Counting(3)], [Counting(3)])
    assert Counting.asked == before
    assert equal(Counting(3), Counting(4))
    assert Counting.asked == before + 1


class Link:
    """One of several objects that all hold each other, as the elements of a parsed page do."""

    asked = 0

    def __init__(self, value: int) -> None:
        self.value, self.others = value, list[Link]()

    def __getattribute__(self, name: str) -> object:
        if name == "__dict__":
            Link.asked += 1
        return super().__getattribute__(name)


def linked(*values: int) -> Link:
    made = [Link(value) for value in values]
    for one in made:
        one.others = made
    return made[0]


def test_objects_that_hold_each_other_are_looked_at_once() -> None:
    Link.asked = 0
    assert equal(linked(*range(20)), linked(*range(20)))
    assert 40 <= Link.asked <= 80
    assert not equal(linked(*range(20)), linked(*range(19), 0))
