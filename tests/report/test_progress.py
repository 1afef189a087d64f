"""How far a run is: a bar in its place, or lines where nothing can be taken back."""

from __future__ import annotations

from io import StringIO

import pytest

from concompare.engine.forecast import Standing
from concompare.ipython.display import Place
from concompare.report.progress import BAR_AFTER, progress_bar, stays_in_place


class Terminal(StringIO):
    """A stream whose carriage returns are obeyed."""

    def isatty(self) -> bool:
        return True


def test_a_bar_is_shown_once_the_run_is_long_enough_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    out, now = Terminal(), [0.0]
    with progress_bar(out, "squares", lambda: now[0]) as show:
        assert show is not None
        now[0] = BAR_AFTER / 2
        show(Standing(1, 4))
        assert out.getvalue() == ""
        now[0] = BAR_AFTER
        show(Standing(3, 4, 12.3, 2, 4))
        assert "squares" in out.getvalue()
        assert "3/4" in out.getvalue()
        assert "about 12 s left, 2 of 4 workers busy, 2 waiting" in out.getvalue()
    assert out.getvalue().rpartition("\r")[0].rpartition("\r")[2].strip() == ""


def test_a_bar_of_unknown_length_says_how_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out, now = Terminal(), [0.0]
    with progress_bar(out, "squares", lambda: now[0]) as show:
        assert show is not None
        now[0] = BAR_AFTER
        show(Standing(3, None, None, 4, 4))
        assert "3item" in out.getvalue()
        assert "4 of 4 workers busy" in out.getvalue()


def test_a_log_gets_a_line_now_and_then_and_no_carriage_return() -> None:
    out, now = StringIO(), [0.0]
    with progress_bar(out, "squares", lambda: now[0]) as show:
        assert show is not None
        for second in range(36):
            now[0] = float(second)
            show(Standing(second, 100, 100.0 - second, 2, 2))
    assert out.getvalue().splitlines() == [
        f"squares: {second} of 100 items, {second} s passed, about {100 - second} s left, 2 of 2 workers busy"
        for second in (10, 15, 23, 35)
    ]


def test_what_cannot_be_taken_back_is_told_by_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert stays_in_place(Terminal())
    assert stays_in_place(Place())
    assert not stays_in_place(StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not stays_in_place(Terminal())


def test_a_short_run_shows_nothing() -> None:
    out = Terminal()
    with progress_bar(out, "squares", lambda: 0.0) as show:
        assert show is not None
        show(Standing(4, 4))
    assert out.getvalue() == ""


def test_there_is_no_bar_where_there_is_no_place_for_it() -> None:
    with progress_bar(None, "squares") as show:
        assert show is None
