from __future__ import annotations

from dataclasses import replace

import pytest

from concompare.measure import Progress
from concompare.records import Message, Pass, Trial
from concompare.render.live import bundle_of
from concompare.render.summary import summary_of
from tests.render import worlds


def progress(trials: int, fraction: float = 0.4) -> Progress:
    comparison = replace(worlds.mocked(), trials=worlds.mocked().trials[:trials])
    return Progress(worlds.PLAN, comparison, "block 2 of 5: threads × 4", fraction)


def test_the_table_fills_row_by_row() -> None:
    sizes = [bundle_of(progress(count))["text/html"].count("<tr") for count in (1, 4, 9)]
    assert sizes == [2, 5, 10]


def test_it_says_what_is_done_and_how_long_it_takes() -> None:
    text = bundle_of(progress(3))["text/plain"]
    assert "Comparing score" in text
    assert "about 25 s, 30 s at most" in text
    assert "- 5 interleaved blocks of 6 configurations" in text
    assert "40 %  block 2 of 5: threads × 4, about 15 s left" in text
    assert "████████████░░░░" in text


def test_rows_keep_their_places_and_warn_of_nothing_yet() -> None:
    text = bundle_of(progress(9))["text/plain"]
    names = [line.split()[:2] for line in text.splitlines() if line.startswith("   ") and "s  ±" in line]
    assert names[:3] == [["plain", "loop"], ["threads", "1"], ["threads", "2"]]
    assert names[-1] == ["processes", "8"]
    assert "!" not in text


def test_it_shows_no_verdict_and_draws_nothing_yet() -> None:
    html = bundle_of(progress(9))["text/html"]
    assert "<img" not in html
    assert "← pick" not in html
    assert '<progress max="100" value="40">' in html


def test_before_the_first_row_there_is_no_table() -> None:
    bundle = bundle_of(Progress(None, replace(worlds.mocked(), trials=(), plan=None), "probing", 0.0))
    assert "<table" not in bundle["text/html"]
    assert "0 %  probing" in bundle["text/plain"]


def test_rows_without_a_time_say_that_they_wait() -> None:
    waiting = replace(worlds.mocked(), trials=(Trial("processes", 4, "processes"),))
    assert "not measured yet" in bundle_of(Progress(None, waiting, "probing", 0.1))["text/plain"]


def test_what_is_foreign_is_harmless_while_it_runs() -> None:
    bundle = bundle_of(Progress(worlds.PLAN, worlds.hostile(), worlds.NASTY, 0.5))
    assert "<script" not in bundle["text/html"]
    assert "\x1b" not in bundle["text/plain"]


def run(**changes: object) -> Trial:
    one = Pass(100, 2.0, 7.4, bytes_in=4_000, bytes_out=1_000_000, messages=worlds.stripes(4, 1.9, 0.1, 0.95))
    changed = replace(one, **changes)  # type: ignore[arg-type]
    return Trial("processes", 4, "processes", passes=(changed,), start_up=0.13, got=4)


def test_a_run_is_summed_up_in_a_line_and_a_small_table() -> None:
    summary = summary_of(replace(worlds.mocked(), trials=(run(),)), "auto: processes × 4")
    lines = repr(summary).splitlines()
    assert lines[0] == "100 items in 2.00 s   on processes × 4, 3.69× the work done in a row, workers 92 % busy"
    assert lines[1] == "auto: processes × 4."
    heading, row = lines[3], lines[4]
    assert heading.split() == ["workers", "items", "time", "start-up", "per", "item", "CPU", "busy", "sent", "returned"]
    assert " ".join(row.split()) == "processes 4 100 2.00 s 130 ms 109 ms 7.4 s 92 % 4.00 kB 1.00 MB"


def threads(cpu: float, gil: str = "on") -> str:
    """Two threads at work for 2 s, an item a message, which got `cpu` of the CPU seconds of all that time."""
    messages = tuple(Message(n, 1, n % 2, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, cpu=2.0 * cpu) for n in range(2))
    trial = Trial("threads", 2, "threads", passes=(Pass(2, 2.0, 4.0 * cpu, messages=messages),), got=2)
    world = worlds.mocked()
    world = replace(world, trials=(trial,), environment=replace(world.environment, gil=gil))
    return repr(summary_of(world))


def test_threads_that_may_have_waited_for_the_gil_get_no_clear_speed_up() -> None:
    shown = threads(0.5)  # 2 s of CPU time in 2 s: one thread could have done it
    assert "1.00 to 2.00× the work done in a row, workers 100 % busy" in shown
    assert "may have waited for the GIL within items: %%concompare tells." in shown


def test_threads_that_cannot_have_waited_for_the_gil_get_one_number() -> None:
    assert "on threads × 2, 2.00× the work" in threads(0.01)  # for 0.04 s at most
    assert "on threads × 2, 2.00× the work" in threads(0.98)
    assert "on threads × 2, 2.00× the work" in threads(0.5, gil="off")
    assert "may have waited" not in threads(0.01)


def test_waiting_for_a_cpu_of_another_worker_is_no_work_done() -> None:
    messages = tuple(Message(n, 1, n, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0, cpu=1.0, waited=1.0) for n in range(4))
    world = replace(worlds.mocked(), trials=(run(messages=messages),))
    on_two = repr(summary_of(replace(world, environment=replace(world.environment, usable=2))))
    assert "2.00 to 4.00× the work done in a row" in on_two
    assert "may have waited for a CPU" in on_two
    assert "× 4, 4.00× the work done in a row" in repr(summary_of(world))  # with a CPU for each, others had it


def test_a_plain_run_needs_no_busy_workers() -> None:
    trial = Trial("serial", 1, "plain loop", passes=(Pass(10, 0.5, 0.5),))
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
    assert "<img" not in summary_of(comparison)._repr_mimebundle_()["text/html"]
    assert summary_of(comparison, timeline=True)._repr_mimebundle_()["text/html"].count("<img") == 1


def test_a_run_that_could_not_be_is_a_sentence() -> None:
    trial = Trial("loky", 2, "loky", problem="loky is not installed")
    assert repr(summary_of(replace(worlds.mocked(), trials=(trial,)))).splitlines() == [
        "loky × 2: nothing ran",
        "loky is not installed",
    ]
