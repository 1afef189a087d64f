"""Saved reports in a browser: at every width, by keyboard, and on paper. Pictures are in `build/browser`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from concompare.records import Comparison
from concompare.report.report import Report
from tests.report import worlds
from tests.system.browser.lab import PICTURES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
else:
    pytest.importorskip("playwright.sync_api", reason="NO BROWSER TESTS: Playwright is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WIDTHS = (420, 600, 740, 860, 1200, 1600)
CUT_OFF = """() => [...document.querySelectorAll("body, .concompare, .cc-wide, td, th, img")]
    .filter(part => !part.closest("details:not([open])") && !part.closest("thead"))
    .filter(part => part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0
        || part.getBoundingClientRect().right > innerWidth + 1)
    .map(part => part.outerHTML.slice(0, 80))"""
"""What reaches beyond its place or the page."""
PANELS = "() => [...document.querySelectorAll('.cc-panel')].map(panel => Math.round(panel.getBoundingClientRect().top))"
"""How far down each panel begins."""


def long_names() -> Comparison:
    """Names that are longer than there is room for, and alike but at their ends."""
    name = "my_very_long_executor_of_the_cluster_in_the_basement_of_house"
    trials = [worlds.trial("serial", 1, 8.2)]
    for count in (1, 2, 4):
        as_written = "as written: AsynchronousDownloadThreadWorker"
        trials.append(worlds.trial("threads", count, 8.2, label=as_written, shares=worlds.LOCKED))
        limited = worlds.trial(f"{name}_a", count, 8.2 / count, shares=worlds.COMPUTES, memory=312_000_000)
        trials.append(replace(limited, native_threads=2))
        trials.append(worlds.trial(f"{name}_b", count, 8.9 / count, shares=worlds.COMPUTES))
    subject = replace(worlds.SUBJECT, name="cross_validated_score_of_every_combination_of_hyperparameters_of_a_forest")
    return replace(worlds.mocked(), trials=tuple(trials), subject=subject)


SHOWN = {**worlds.WORLDS, "long_names": long_names}


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A tab of a reader who prefers a theme."""
    context = browser.new_context(color_scheme=request.param)
    page: Any = context.new_page()
    page.theme = request.param
    yield page
    context.close()


@pytest.mark.parametrize("name", ["mocked", "twelve_backends", "many_workers", "long_names", "tie", "all_failed"])
def test_nothing_is_cut_off_at_any_width_and_panels_stand_two_by_two_from_700_on(
    name: str, page: Any, tmp_path: Path
) -> None:
    path = Report(SHOWN[name](), worlds.FINDINGS).save(tmp_path / "report.html")
    page.goto(path.as_uri())
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(CUT_OFF) == [], width
        if width >= 740:  # 40 of these are the page's margins
            tops = page.evaluate(PANELS)
            assert len(set(tops)) == (len(tops) + 1) // 2
        if width in (600, 860, 1200, 1600):
            PICTURES.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=PICTURES / f"page-{name}-{page.theme}-{width}.png", full_page=True)


def test_a_report_can_be_read_by_keyboard(page: Any, tmp_path: Path) -> None:
    page.goto(Report(worlds.mocked(), worlds.FINDINGS).save(tmp_path / "report.html").as_uri())
    reached, opened = [], 0
    for _ in range(40):
        page.keyboard.press("Tab")
        tag, outlined = page.evaluate(
            "() => [document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]"
        )
        if tag == "BODY":
            break
        assert outlined == "solid", tag
        reached.append(tag)
        if tag == "SUMMARY":
            page.keyboard.press("Enter")
            opened += 1
    assert {"DIV", "A", "SUMMARY", "PRE"} <= set(reached)
    assert opened == page.locator("details[open]").count() == page.locator("details").count()


def test_print_is_light_and_without_what_is_folded(page: Any, tmp_path: Path) -> None:
    page.goto(Report(worlds.mocked(), worlds.FINDINGS).save(tmp_path / "report.html").as_uri())
    page.locator("summary").first.click()
    page.emulate_media(media="print", color_scheme=page.theme)
    colour = "part => getComputedStyle(part).color"
    assert page.locator(".cc-verdict strong").evaluate(colour) == "rgb(0, 0, 0)"
    assert page.locator(".cc-panel img").first.evaluate("image => getComputedStyle(image).opacity") == "1"
    assert [fold.is_visible() for fold in page.locator("details").all()][:3] == [True, False, False]
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.pdf(path=PICTURES / f"print-{page.theme}.pdf", format="A4", print_background=False)
