"""Loops inside others run as they are once their own figures show that nothing is gained."""

from __future__ import annotations

import time

import pytest

from concompare.cells import worth


@pytest.mark.parametrize(
    ("began", "reached", "worked", "runs"),
    [
        (99.99, 99.9, 5.0, 1),  # over in 10 ms
        (90.0, 80.0, 9.0, 1),  # 10 s to prepare what took 9 s
        (90.0, 89.0, 11.5, 2),  # 11 s of 11.5 s gained next to nothing, which the start of workers may explain once
        (90.0, 89.0, 20.0, None),
        (90.0, 80.0, None, None),
    ],
)
def test_a_loop_inside_another_is_given_up_where_it_gains_nothing(
    began: float, reached: float, worked: float | None, runs: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: 100.0)
    small, loop = worth.Small(), object()
    given_up = []
    for _ in range(4):
        small.note(loop, began, reached, worked)
        given_up.append(id(loop) in small)
    assert given_up == ([False] * 4 if runs is None else [number >= runs for number in range(1, 5)])
