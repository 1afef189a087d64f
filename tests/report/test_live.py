"""A comparison while it runs."""

from __future__ import annotations

import re
from dataclasses import replace

from concompare.measure.compare import Progress
from concompare.report.live import bundle_of, doing_of
from tests.records import bare
from tests.report import worlds


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
    assert "40 %  block 2 of 5: threads × 4, about 15 s left\n" in text
    assert "████████████░░░░" in text


def test_the_pick_so_far_has_a_line_of_its_own_and_is_announced_with_the_step() -> None:
    bundle = bundle_of(progress(3))
    so_far = r"^So far the plain loop \(\d+ % sure\), an interrupt takes it$"
    assert re.search(so_far, bundle["text/plain"], re.M)
    status = re.search(r'<p role="status".*?</p>', bundle["text/html"])
    assert status is not None
    assert "about 15 s left<br>So far the plain loop (" in status[0]
    assert bundle["text/html"].count("So far") == 1
    assert re.fullmatch(r"block 2 .* left; so far the plain loop \(\d+ % sure\), an .*", doing_of(progress(3)))


def test_it_says_when_it_takes_longer_than_planned() -> None:
    late = replace(progress(3, fraction=0.99), at_most=4.0)
    said = "block 2 of 5: threads × 4, longer than planned, 4.0 s left at most; so far the plain loop"
    assert doing_of(late).startswith(said)


def test_at_the_end_there_is_no_pick_so_far() -> None:
    assert "So far" not in bundle_of(progress(9, fraction=1.0))["text/plain"]


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
    assert '<progress max="100" value="40" aria-label=' in html


def test_how_far_it_is_is_announced_when_nothing_else_is_said() -> None:
    html = bundle_of(progress(3))["text/html"]
    status = html.partition('<p role="status" aria-live="polite" aria-atomic="true">')[2].partition("</p>")[0]
    assert "40 %" in status
    assert "block 2 of 5" in status
    assert html.count("aria-live") == 1


def test_before_the_first_row_there_is_no_table() -> None:
    bundle = bundle_of(Progress(None, replace(worlds.mocked(), trials=(), plan=None), "probing", 0.0))
    assert "<table" not in bundle["text/html"]
    assert "0 %  probing" in bundle["text/plain"]


def test_rows_without_a_time_say_that_they_wait() -> None:
    waiting = replace(worlds.mocked(), trials=(bare("processes", 4, "processes"),))
    assert "not measured yet" in bundle_of(Progress(None, waiting, "probing", 0.1))["text/plain"]


def test_what_is_foreign_is_harmless_while_it_runs() -> None:
    bundle = bundle_of(Progress(worlds.PLAN, worlds.hostile(), worlds.NASTY, 0.5))
    assert "<script" not in bundle["text/html"]
    assert "\x1b" not in bundle["text/plain"]
