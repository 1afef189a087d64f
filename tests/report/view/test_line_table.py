"""The lines that take most, as a report shows them."""

from __future__ import annotations

from dataclasses import replace

from concompare.records import Line, LineProfile
from concompare.report.report import Report, from_json
from concompare.report.text.text import text_of
from concompare.report.view.line_table import lines_fold
from tests.analysis.test_hot_lines import CALL, HEAVY, profiled


def test_the_fold_says_which_line_takes_most_and_where_threads_wait() -> None:
    world = profiled(replace(HEAVY, seconds=1.2, waiting=0.8, sure=0.8), replace(CALL, seconds=0.5))
    fold = lines_fold(world)
    assert fold is not None
    assert fold.title == "Lines that take most: line 4 of score, 60 % of the plain loop"
    assert fold.lines == ("threads wait for the GIL 40 % of their time at line 4 of score: total += n",)
    assert fold.table is not None
    assert [column.title for column in fold.table.columns] == ["line", "code", "plain loop", "threads × 2"]
    assert [row.cells for row in fold.table.rows] == [
        ("line 4 of score", "total += n", "60 %", "60 %"),
        ("line 7 of score", "text = load(n)", "30 %", "25 %"),
    ]
    assert "100 of plain loop, 100 of threads × 2" in fold.table.caption


def test_a_lock_is_not_called_the_gil_where_that_is_not_sure() -> None:
    fold = lines_fold(profiled(replace(CALL, seconds=1.2, waiting=0.8)))
    assert fold is not None
    assert fold.lines == ("threads wait for the GIL or a lock 40 % of their time at line 7 of score: text = load(n)",)


def test_nothing_is_said_where_nothing_was_seen() -> None:
    world = profiled()
    assert lines_fold(replace(world, profiles=())) is None
    nowhere = LineProfile("serial", 1, 10, 100, 1.0)
    assert lines_fold(replace(world, profiles=(nowhere,))) is None


def test_code_and_names_of_the_user_s_are_harmless_in_text_and_html_and_are_saved() -> None:
    evil = Line("<b>.py", 3, "<script>", "f('</script>\x1b[31m') # " + "x" * 300, 50, 0.9)
    world = profiled()
    world = replace(world, profiles=(replace(world.profiles[0], lines=(evil,)),))
    report = Report(world, plots=False)
    page = report._repr_html_()
    assert "</script>" not in page
    assert "<b>.py" not in page
    assert "&lt;b&gt;.py line 3 of &lt;script&gt;, 90 % of the plain loop" in page
    assert "\x1b" not in text_of(report.view)
    assert from_json(report.to_json()).comparison.profiles == world.profiles
