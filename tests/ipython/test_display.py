"""How far a comparison is, in a terminal."""

from __future__ import annotations

import pytest

from concompare import machine
from concompare.ipython.display import Live
from concompare.measure.compare import Progress
from concompare.records import Comparison, Plan, Subject


def test_a_terminal_shows_one_line_that_is_gone_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    comparison = Comparison(Subject("score"), machine.environment(), ())
    live = Live(notebook=False)
    live(Progress(Plan(30.0, 20.0, 1), comparison, "timing threads × 2", 0.5))
    shown = capsys.readouterr()
    assert "50%" in shown.err
    assert "timing threads × 2, about 10 s left" in shown.err
    assert shown.out == ""
    live.close()
    assert capsys.readouterr().err.endswith("\r")


def test_a_state_that_follows_at_once_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    comparison = Comparison(Subject("score"), machine.environment(), ())
    live = Live(notebook=False)
    live(Progress(None, comparison, "first", 0.1))
    live(Progress(None, comparison, "second", 0.2))
    live.close()
    assert "second" not in capsys.readouterr().err


def test_nothing_shown_is_nothing_to_clear(capsys: pytest.CaptureFixture[str]) -> None:
    Live(notebook=True).close()
    assert capsys.readouterr() == ("", "")
