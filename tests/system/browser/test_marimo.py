"""marimo in a real browser: functions of cells in worker processes, an interrupt, and the report in both themes."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.system.browser.marimo_server import Marimo, Sheet

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, expect
else:
    expect = pytest.importorskip("playwright.sync_api", reason="NO BROWSER TESTS: Playwright is not installed").expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WORK = "offset = 3\ndef work(n):\n    return sum(i * i for i in range(20_000 + n)) + offset"
NAP = "def nap(n):\n    time.sleep(0.1)\n    return n"
MAP = "out = concompare.map(lambda n: (os.getpid(), work(n)), range(8), backend='processes', workers=2)\n"
MAP += "(os.getpid() in dict(out), sum(value for _, value in out))"
COMPARE = (
    "report = concompare.compare(\n    work, range(120), backends=['threads', 'processes'], workers=[2], budget=5\n)"
)
COMPARE += "\nreport"
CELLS = [
    ("", "import concompare, os, time", "concompare, os, time"),
    ("", WORK, "work"),
    ("time", NAP, "nap"),
    (
        "concompare, os, work",
        MAP,
        "",
    ),
    (
        "concompare, work",
        COMPARE,
        "report",
    ),
    (
        "concompare, nap",
        "print('be' + 'gun')\nnapped = concompare.map(nap, range(3000), backend='processes', workers=2)",
        "",
    ),
    ("", "1 + 1", ""),
]
"""What each cell takes, its code, and what it gives."""

SETUP, WORKS, NAPS, MAPS, COMPARES, LONG, NEXT = range(len(CELLS))


@pytest.fixture(scope="module")
def marimo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marimo]:
    if importlib.util.find_spec("marimo") is None:
        pytest.skip("NO BROWSER TESTS: marimo is not installed: make browser")
    with Marimo(tmp_path_factory.mktemp("marimo"), CELLS) as server:
        yield server


def test_functions_of_cells_run_in_workers_and_an_interrupt_frees_the_cell(page: Page, marimo: Marimo) -> None:
    sheet = Sheet(page, marimo)
    for number in (SETUP, WORKS, NAPS, MAPS):
        sheet.start(number)
    total = sum(sum(i * i for i in range(20_000 + n)) + 3 for n in range(8))
    expect(sheet.output(MAPS)).to_contain_text(re.compile(r"False[\s\S]*" + str(total)))
    sheet.start(LONG)
    expect(sheet.cell(LONG)).to_contain_text("begun")
    sheet.interrupt()
    expect(sheet.cell(LONG)).to_contain_text(re.compile("interrupted", re.IGNORECASE))
    sheet.start(NEXT)
    expect(sheet.output(NEXT)).to_have_text("2")


def test_a_report_is_shown_in_both_themes(page: Page, marimo: Marimo) -> None:
    sheet = Sheet(page, marimo)
    for number in (SETUP, WORKS, COMPARES):
        sheet.start(number)
    report = sheet.output(COMPARES).locator(".concompare")
    expect(report.locator(".cc-verdict strong")).to_be_visible()
    ways = report.locator(".cc-table").first.locator("tbody th[scope=row] .cc-mark").all_inner_texts()
    assert {name.strip() for name in ways} == {"plain loop", "threads", "processes"}
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator("body")).to_have_attribute("data-theme", theme)
        sheet.take(f"marimo-{theme}", COMPARES)
