"""Whole reports, as text and as HTML, against stored ones.

After a wanted change: `CONCOMPARE_REWRITE=1 pytest tests/report/test_report_stored.py`, and read the difference.
"""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path

import pytest

from concompare.report.text.text import text_of
from tests.report.views import html, view
from tests.report.worlds import WORLDS

STORED = Path(__file__).parents[1] / "data" / "reports"
OWN_CLASS = re.compile(r"\bcc-[0-9a-f]{10}\b")
"""The class that keeps a report's style to itself: a digest of all it says."""
DATA_URL = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")


def stored_text(name: str, found: str) -> list[str]:
    """Return the lines of a stored report, written anew where that is asked for."""
    stored = STORED / name
    if os.environ.get("CONCOMPARE_REWRITE"):
        STORED.mkdir(parents=True, exist_ok=True)
        stored.write_text(found, encoding="utf-8")
    return stored.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", WORLDS)
def test_the_text_report_is_the_stored_one(name: str) -> None:
    found = text_of(view(name), 100)
    assert found.splitlines() == stored_text(f"{name}.txt", found)


@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_text_report_fits_the_terminal(width: int) -> None:
    said = view("mocked")
    found = text_of(said, width)
    assert found.splitlines() == stored_text(f"mocked-{width}.txt", found)
    code = {f"    {line}" for fold in said.folds for line in fold.code.splitlines()}  # it is there to be copied
    assert [line for line in found.splitlines() if len(line) > width and line not in code] == []


@pytest.mark.parametrize("width", range(60, 161, 5))
def test_no_line_ends_between_a_number_and_its_unit(width: int) -> None:
    lines = text_of(view("mocked"), width).splitlines()
    assert [pair for pair in pairwise(lines) if re.search(r"\d\n\s*(%|s|kB|MB)\b", "\n".join(pair))] == []
    assert " %" in "".join(lines)


@pytest.mark.parametrize("name", WORLDS)
def test_the_html_report_is_the_stored_one(name: str) -> None:
    found = OWN_CLASS.sub("cc-own", DATA_URL.sub("data:image/png;base64,…", html(name)))
    assert found.splitlines() == stored_text(f"{name}.html", found)


@pytest.mark.parametrize("name", WORLDS)
def test_text_and_html_say_the_same(name: str) -> None:
    said = view(name)
    text = " ".join(text_of(said, 400).split())
    for row in said.table.rows:
        for cell in (*row.cells, row.note):
            assert " ".join(cell.split()) in text
    for remark in said.remarks:
        assert remark.summary in text
        assert remark.advice in text
    assert said.headline in text
    assert said.line in text
