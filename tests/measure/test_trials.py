"""What a pass over a sample stands for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from concompare.measure.baseline import PlainLoop
from concompare.measure.trials import Trials
from concompare.records import Message, Pass

SAMPLE = (1.0, 1.0, 1.0, 1.0, 4.0)
"""Seconds of the items: two workers need 6, of which one has nothing to do for 4."""


def plain_loop(items: int = 500, disturbed: float = 0.0) -> PlainLoop:
    """Return a plain loop that ran the sample, each item kept from a CPU for so many seconds."""
    plain = PlainLoop(abs, range(items), cast(Any, None), cast(Any, None))
    plain.seconds = {p: seconds + disturbed for p, seconds in enumerate(SAMPLE)}
    plain.cpu = dict(enumerate(SAMPLE))
    plain.blocked = dict.fromkeys(range(len(SAMPLE)), 0.0)
    return plain


def standing(plain: PlainLoop, passed: Pass, workers: int, usable: int) -> float:
    """Return how many items a pass over the sample stands for."""
    world = SimpleNamespace(plain=plain, environment=SimpleNamespace(usable=usable), sample=range(len(SAMPLE)))
    return Trials.standing(cast(Any, world), passed, list(range(len(SAMPLE))), workers)


def passed(slower: float, waited: float | None) -> Pass:
    """Return a pass whose items took so many times as long, of which each waited for a CPU so many seconds."""
    messages = []
    for position, seconds in enumerate(SAMPLE):
        end = slower * seconds + (waited or 0.0)
        messages.append(Message(position, 1, 0, 0.0, 0.0, 0.0, end, end, end, cpu=seconds, waited=waited))
    return Pass(len(SAMPLE), 8.0, sum(SAMPLE), messages=tuple(messages))


EXPECTED = 5 * 6 * 2 / 8
"""The sample takes 6 s, all items about half of 1.6 s each: as many as 7.5 of them."""


def test_a_pass_stands_for_as_many_items_on_a_busy_machine_as_on_a_quiet_one() -> None:
    quiet = standing(plain_loop(), passed(1.0, 0.0), 2, 2)
    assert quiet == pytest.approx(EXPECTED, rel=0.1)
    assert standing(plain_loop(), passed(1.0, 3.0), 2, 2) == pytest.approx(quiet)
    assert standing(plain_loop(disturbed=2.0), passed(1.0, 3.0), 2, 2) == pytest.approx(quiet)


def test_workers_that_slow_each_other_down_would_not_have_been_faster_without_the_tail() -> None:
    assert standing(plain_loop(), passed(2.0, 0.0), 2, 2) == pytest.approx(5)
    assert standing(plain_loop(), passed(2.0, None), 2, 2) == pytest.approx(5)
    assert standing(plain_loop(), passed(1.0, 3.0), 4, 2) == pytest.approx(5), "more workers than CPUs"
