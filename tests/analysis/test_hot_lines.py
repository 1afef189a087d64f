"""The lines that take most, and those at which threads wait for each other."""

from __future__ import annotations

from dataclasses import replace

from concompare.analysis import hot_lines
from concompare.records import Comparison, Line, LineProfile
from tests.records import comparison, serial, trial

HEAVY = Line("", 4, "score", "total += n", 60, 0.6)
CALL = Line("", 7, "score", "text = load(n)", 30, 0.3)
LIGHT = Line("tools.py", 2, "part", "return n", 1, 0.01)
PLAIN = LineProfile("serial", 1, 10, 100, 1.0, (HEAVY, CALL, LIGHT))


def profiled(*lines: Line, samples: int = 100, items: int = 10) -> Comparison:
    """Build a comparison with profiles of the plain loop and of two threads, of two seconds together."""
    made = comparison(serial(), trial("threads", 2, (1.0,) * 5))
    return replace(made, profiles=(PLAIN, LineProfile("threads", 2, items, samples, 2.0, lines)))


def test_the_lines_that_take_most_are_named_in_their_order_and_small_ones_are_not() -> None:
    assert hot_lines.hottest(PLAIN) == (hot_lines.where(HEAVY), hot_lines.where(CALL))
    assert hot_lines.shares(PLAIN)[hot_lines.where(CALL)] == 0.3


def test_a_comprehension_is_on_the_line_that_it_is_written_on() -> None:
    inside = replace(CALL, function="", seconds=0.4)
    profile = replace(PLAIN, lines=(HEAVY, inside, CALL))
    assert hot_lines.hottest(profile)[0] == hot_lines.where(CALL)
    assert round(hot_lines.shares(profile)[hot_lines.where(CALL)], 6) == 0.7


def test_a_line_at_which_threads_wait_is_named_with_what_is_sure_of_it() -> None:
    world = profiled(replace(HEAVY, seconds=1.2, waiting=0.8, sure=0.7), replace(CALL, seconds=0.8, waiting=0.3))
    first, second = hot_lines.waiting_lines(world)
    assert (first.line.line, first.share, first.sure) == (4, 0.4, True)
    assert (second.line.line, second.share, second.sure) == (7, 0.15, False)


def test_what_the_plain_loop_waits_at_a_line_is_no_waiting_for_each_other() -> None:
    world = profiled(replace(CALL, waiting=0.3), items=20)
    waits = replace(PLAIN, lines=(HEAVY, replace(CALL, waiting=0.1)))
    assert hot_lines.waiting_lines(world) != ()
    assert hot_lines.waiting_lines(replace(world, profiles=(waits, world.profiles[1]))) == ()  # 0.2 of 0.3, for 20


def test_few_looks_tell_nothing() -> None:
    waiting = replace(HEAVY, waiting=1.0, sure=1.0)
    assert hot_lines.waiting_lines(profiled(waiting, samples=hot_lines.ENOUGH)) != ()
    world = profiled(waiting, samples=hot_lines.ENOUGH - 1)
    assert hot_lines.waiting_lines(world) == ()
    assert hot_lines.told(world) == (PLAIN,)
