from __future__ import annotations

import pytest

from concompare.report.html.brief import brief_html_of
from concompare.report.html.html import html_of
from concompare.report.view.model import Column, Row, Table, View
from tests.report.worlds import NASTY

COLUMNS = (Column("backend", "", "kind of worker", numbers=False), Column("time", "time"), Column("same", "<same>"))
ROW = Row(("threads", "1 s", "✓"), backend="threads")
NAMELESS = Row((NASTY, NASTY, ""))
VIEWS = {
    "a verdict": View("nothing ran", "", "", "", "", Table("", (), ())),
    "a reason": View("nothing ran", "", "", NASTY, "", Table("", (), ())),
    "a row": View("3 items in 1 s", "", "on threads × 2", "Because.", "", Table("", COLUMNS, (ROW,))),
    "rows": View(NASTY, "", NASTY, "", "", Table("", COLUMNS, (ROW, NAMELESS, Row(("a & b", "", ""), backend=NASTY)))),
    "one column": View("x", "", "", "", "", Table("", COLUMNS[:1], (Row(("plain loop",), backend="serial"),))),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_it_is_what_the_templates_write(view: View) -> None:
    assert brief_html_of(view) == html_of(view)


def test_it_is_text_and_holds_no_markup_of_the_user_s() -> None:
    found = brief_html_of(VIEWS["rows"])
    assert type(found) is str
    assert "<script" not in found
