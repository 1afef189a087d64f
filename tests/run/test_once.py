from __future__ import annotations

from io import StringIO

from concompare.run.once import BAR_AFTER, progress_bar


def test_a_bar_is_shown_once_the_run_is_long_enough_and_is_gone_at_the_end() -> None:
    out, now = StringIO(), [0.0]
    with progress_bar(out, "squares", lambda: now[0]) as show:
        assert show is not None
        now[0] = BAR_AFTER / 2
        show(1, 4)
        assert out.getvalue() == ""
        now[0] = BAR_AFTER
        show(3, 4)
        assert "squares" in out.getvalue()
        assert "3/4" in out.getvalue()
    assert out.getvalue().rpartition("\r")[0].rpartition("\r")[2].strip() == ""


def test_a_short_run_shows_no_bar() -> None:
    out = StringIO()
    with progress_bar(out, "squares", lambda: 0.0) as show:
        assert show is not None
        show(4, 4)
    assert out.getvalue() == ""


def test_there_is_no_bar_where_there_is_no_place_for_it() -> None:
    with progress_bar(None, "squares") as show:
        assert show is None
