from __future__ import annotations

from dataclasses import replace

import pytest

from concompare.records import Message, Pass, Trial
from concompare.report.run_summary import summary_of
from concompare.report.text.plain_text import brief_of
from concompare.report.text.text import text_of
from tests.records import bare
from tests.report import worlds


def run(**changes: object) -> Trial:
    one = Pass(100, 2.0, 7.4, bytes_in=4_000, bytes_out=1_000_000, messages=worlds.stripes(4, 1.9, 0.1, 0.95))
    changed = replace(one, **changes)  # type: ignore[arg-type]
    return bare("processes", 4, "processes", passes=(changed,), start_up=0.13, got=4)


def test_a_run_is_summed_up_in_a_line_and_a_small_table() -> None:
    summary = summary_of(replace(worlds.mocked(), trials=(run(),)), "auto: processes × 4")
    lines = repr(summary).splitlines()
    assert lines[0] == "100 items in 2.00 s   on processes × 4, 3.69× as fast as one after another, workers 92 % busy"
    assert lines[1] == "auto: processes × 4."
    heading, row = lines[3], lines[4]
    assert heading.split() == ["workers", "items", "time", "start-up", "per", "item", "CPU", "busy", "sent", "returned"]
    assert " ".join(row.split()) == "processes 4 100 2.00 s 130 ms 109 ms 7.4 s 92 % 4.00 kB 1.00 MB"


@pytest.mark.parametrize(
    "note", ["", "short", "why auto picked it, " * 15, "宽字 " * 60, "x" * 250, "naïve é́ combining " * 9]
)
@pytest.mark.parametrize("width", [60, 79, 100])
def test_the_brief_text_is_that_of_the_whole_page(note: str, width: int) -> None:
    """What is written without the library for terminals looks as if it were written with it."""
    large = run(items=123_456_789, peak_memory=10**11, failures=3, stopped="because")
    for trial in (run(), large, replace(run(), label="非常に長い", native_threads=3)):
        view = summary_of(replace(worlds.mocked(), trials=(trial,)), note).view
        assert brief_of(view, width) == text_of(view, width)


def threads(cpu: float, gil: str = "on") -> str:
    """Two threads at work for 2 s, an item a message, which got `cpu` of the CPU seconds of all that time."""
    messages = tuple(Message(n, 1, n % 2, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, cpu=2.0 * cpu) for n in range(2))
    trial = bare("threads", 2, "threads", passes=(Pass(2, 2.0, 4.0 * cpu, messages=messages),), got=2)
    world = worlds.mocked()
    world = replace(world, trials=(trial,), environment=replace(world.environment, gil=gil))
    return repr(summary_of(world))


def test_threads_that_may_have_waited_for_the_gil_get_no_clear_speed_up() -> None:
    shown = threads(0.5)  # 2 s of CPU time in 2 s: one thread could have done it
    assert "1.00 to 2.00× as fast as one after another, workers 100 % busy" in shown
    assert "may have waited for the GIL within items: %%concompare tells." in shown


def test_threads_that_cannot_have_waited_for_the_gil_get_one_number() -> None:
    assert "on threads × 2, 2.00× as fast as one" in threads(0.01)  # for 0.04 s at most
    assert "on threads × 2, 2.00× as fast as one" in threads(0.98)
    assert "on threads × 2, 2.00× as fast as one" in threads(0.5, gil="off")
    assert "may have waited" not in threads(0.01)


def test_waiting_for_a_cpu_of_another_worker_is_no_work_done() -> None:
    messages = tuple(Message(n, 1, n, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, cpu=1.0, waited=1.0) for n in range(4))
    world = replace(worlds.mocked(), trials=(run(messages=messages),))
    on_two = repr(summary_of(replace(world, environment=replace(world.environment, usable=2))))
    assert "2.00 to 4.00× as fast as one after another" in on_two
    assert "may have waited for a CPU" in on_two
    assert "× 4, 4.00× as fast as one after another" in repr(summary_of(world))  # with a CPU for each, others had it


def test_a_plain_run_needs_no_busy_workers() -> None:
    trial = bare("serial", 1, "plain loop", passes=(Pass(10, 0.5, 0.5),))
    assert (
        repr(summary_of(replace(worlds.mocked(), trials=(trial,)))).splitlines()[0]
        == "10 items in 500 ms   in the plain loop"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"failures": 2}, "2 items failed."), ({"stopped": "interrupted"}, "Stopped: interrupted."), ({}, "")],
)
def test_what_went_wrong_is_said(changes: dict[str, object], said: str) -> None:
    assert said in repr(summary_of(replace(worlds.mocked(), trials=(run(**changes),))))


def test_missing_workers_are_said() -> None:
    trial = replace(run(), got=3)
    assert "Only 3 of 4 workers answered." in repr(summary_of(replace(worlds.mocked(), trials=(trial,))))


def test_without_a_plain_loop_strips_do_not_say_what_blocked_a_worker() -> None:
    comparison = replace(worlds.mocked(), trials=(run(),))
    timeline = summary_of(comparison, timeline=True).view.pictures.timeline
    assert timeline is not None
    (group,) = timeline.groups
    parts = {part for strip in group.strips for span in strip.spans for part, _ in span.shares}
    assert parts == {"computing", "blocked", "sending"}


def test_the_timeline_is_drawn_on_request_only() -> None:
    comparison = replace(worlds.mocked(), trials=(run(),))
    assert "<img" not in summary_of(comparison).bundle["text/html"]
    assert summary_of(comparison, timeline=True).bundle["text/html"].count("<img") == 1


def test_a_run_that_could_not_be_is_a_sentence() -> None:
    trial = bare("loky", 2, "loky", problem="loky is not installed")
    assert repr(summary_of(replace(worlds.mocked(), trials=(trial,)))).splitlines() == [
        "loky × 2: nothing ran",
        "loky is not installed",
    ]


def test_a_timeline_that_the_system_cannot_tell_says_what_is_drawn_instead() -> None:
    world = replace(worlds.mocked(), trials=(run(),))
    elsewhere = replace(world, environment=replace(world.environment, untold=("waiting",)))
    words = "when workers were on a CPU cannot be told on this system (needs Linux)"
    assert words in summary_of(elsewhere, timeline=True).view.because
    assert words not in summary_of(elsewhere).view.because
    assert words not in summary_of(world, timeline=True).view.because
