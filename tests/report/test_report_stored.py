"""Whole reports, as text and as HTML, against stored ones.

After a wanted change: `CONCOMPARE_REWRITE=1 pytest tests/render/test_whole_reports.py`, and read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from concompare.report.text.text import text_of
from tests.report.views import html, view
from tests.report.worlds import WORLDS

STORED = Path(__file__).parents[1] / "data" / "reports"
OWN_CLASS = re.compile(r"\bcc-[0-9a-f]{10}\b")
"""The class that keeps a report's style to itself: a digest of all it says."""
DATA_URL = re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+")


def compare(found: str, name: str) -> None:
    stored = STORED / name
    if os.environ.get("CONCOMPARE_REWRITE"):
        STORED.mkdir(parents=True, exist_ok=True)
        stored.write_text(found, encoding="utf-8")
    assert found.splitlines() == stored.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", WORLDS)
def test_the_text_report_is_the_stored_one(name: str) -> None:
    compare(text_of(view(name), 100), f"{name}.txt")


@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_text_report_fits_the_terminal(width: int) -> None:
    compare(text_of(view("mocked"), width), f"mocked-{width}.txt")


@pytest.mark.parametrize("name", WORLDS)
def test_the_html_report_is_the_stored_one(name: str) -> None:
    found = DATA_URL.sub("data:image/png;base64,…", html(name))
    compare(OWN_CLASS.sub("cc-own", found), f"{name}.html")


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
