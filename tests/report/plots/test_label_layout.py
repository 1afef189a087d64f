from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concompare.report.plots.label_layout import spread_apart, thinned


@given(st.lists(st.floats(-2, 12), min_size=1, max_size=14))
def test_labels_are_apart_inside_and_in_order(wanted: list[float]) -> None:
    places = spread_apart(wanted, 0.7, 0.0, 10.0)
    assert all(-1e-9 <= place <= 10 + 1e-9 for place in places)
    assert all(b - a >= 0.7 - 1e-6 for a, b in pairwise(sorted(places)))
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    assert order == sorted(range(len(wanted)), key=lambda i: places[i])


def test_labels_with_room_stay_where_they_belong() -> None:
    assert spread_apart([1.0, 5.0, 9.0], 1.0, 0.0, 10.0) == [1.0, 5.0, 9.0]


def test_labels_that_touch_move_as_little_as_they_must() -> None:
    assert spread_apart([5.0, 5.0], 1.0, 0.0, 10.0) == pytest.approx([4.5, 5.5])


def test_without_room_the_gap_shrinks() -> None:
    assert spread_apart([1.0] * 5, 1.0, 0.0, 2.0) == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])


def test_an_axis_writes_its_ends_and_what_fits_between() -> None:
    assert thinned([0, 1, 2, 3, 10], [0.8] * 5, 0.5) == [0, 2, 4]
    assert thinned([0.0], [1.0], 0.5) == [0]
    assert thinned([], [], 0.5) == []
