from __future__ import annotations

from dataclasses import replace

from concompare.machine import TOLD_BY
from concompare.report.info_card import card_of
from concompare.report.view.details import (
    UNTOLD,
    environment_fold,
    environment_words,
    folds_of,
    moment_words,
    untold_fold,
)
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


def test_it_says_when_it_was_measured() -> None:
    assert moment_words("2026-11-22T10:00:59+00:00") == "2026-11-22 10:00 UTC"
    assert moment_words("2026-11-22T10:00:59") == "2026-11-22 10:00"
    assert moment_words("yesterday") == "yesterday"
    assert "measured 2026-11-22 10:00" in environment_fold(worlds.mocked()).lines
