from __future__ import annotations

from dataclasses import replace

from concompare.analysis import pick as advise
from concompare.machine import TOLD_BY
from concompare.records import Finding
from concompare.report.info_card import card_of
from concompare.report.report import Report
from concompare.report.text.text import text_of
from concompare.report.view.details import (
    UNTOLD,
    environment_fold,
    environment_words,
    folds_of,
    moment_words,
    untold_fold,
    what_if_fold,
)
from concompare.report.view.view import view_of
from tests.analysis.test_what_if import worked, world
from tests.report import worlds

EVERYTHING = ("waiting", "limits", "sharing", "load")


def test_what_the_system_does_not_tell_is_said_in_reports_and_on_the_card() -> None:
    world = worlds.mocked()
    elsewhere = replace(world.environment, quota=None, untold=EVERYTHING)
    fold = untold_fold(elsewhere)
    assert fold is not None
    assert fold.title == "What cannot be told on this system (needs Linux)"
    assert len(fold.lines) == len(EVERYTHING)
    assert fold in folds_of(replace(world, environment=elsewhere), None, "")
    rows = [(name, value) for name, value in card_of(elsewhere).rows if value in fold.lines]
    assert [name for name, _ in rows] == ["needs Linux", "", "", ""]


def test_a_quota_that_is_not_known_is_not_called_none() -> None:
    here = replace(worlds.mocked().environment, quota=None)
    assert "no quota" in environment_words(here)
    assert "quota not known" in environment_words(replace(here, untold=("limits",)))
    assert "quota not known" in repr(card_of(replace(here, untold=("limits",))))
    assert "needs Linux" not in repr(card_of(here))


def test_there_are_words_for_everything_that_may_be_untold() -> None:
    assert set(UNTOLD) == {*TOLD_BY, "load"}


def test_what_makes_the_numbers_doubtful_is_said_before_them() -> None:
    busy = Finding("machine-busy", "2 spinning processes got 0.9 CPUs' worth.", "Measure again.")
    said = view_of(worlds.mocked(), (*worlds.FINDINGS, busy))
    (notice,) = said.notices
    assert notice == "Measured on a busy machine: see machine-busy."
    text = text_of(said)
    assert text.index(notice[:40]) < text.index("speed-up")
    assert view_of(worlds.mocked(), worlds.FINDINGS).notices == ()


def test_it_says_when_it_was_measured() -> None:
    assert moment_words("2026-11-22T10:00:59+00:00") == "2026-11-22 10:00 UTC"
    assert moment_words("2026-11-22T10:00:59") == "2026-11-22 10:00"
    assert moment_words("yesterday") == "yesterday"
    assert "measured 2026-11-22 10:00" in environment_fold(worlds.mocked()).lines


def test_a_report_says_what_changes_would_bring_that_matter() -> None:
    measured = world(worked())
    picked = advise.pick(measured)
    fold = what_if_fold(measured, picked)
    assert fold is not None
    assert (picked.backend, fold.title) == ("processes", "What if")
    assert [line.partition(":")[0] for line in fold.lines] == [
        "half the bytes",
        "items that take twice as long",
        "8 workers, with a CPU each",
    ]
    assert fold.lines[2].startswith("8 workers, with a CPU each: processes × 8 would take 1.50 s (")
    assert " instead of 3.00 s, 2.67× [" in fold.lines[2]
    assert fold in folds_of(measured, picked, "")
    (asked,) = Report(measured).what_if(workers=8)
    assert str(asked) == fold.lines[2]


def test_where_the_plain_loop_is_best_it_says_what_would_be_quicker_then() -> None:
    slow = world(worked(sending=2.0, inside=2.0))
    fold = what_if_fold(slow, advise.pick(slow))
    assert fold is not None
    assert advise.pick(slow).backend == "serial"
    assert fold.lines[0].startswith("half the bytes: processes × 2 would take 4.00 s (")
    assert what_if_fold(replace(slow, scaling="weak"), advise.pick(slow)) is None
