"""What axe-core finds in everything that people see, in both themes: nothing.

axe-core is a program for browsers: `make browser` installs it with npm, in the version and with the hash of
`package-lock.json`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from concompare.measure.compare import Progress
from concompare.report.info_card import Card
from concompare.report.live import bundle_of
from concompare.report.report import Report
from demo_notebooks.run import write_page
from tests.report import worlds
from tests.report.views import html
from tests.system.browser.lab import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
else:
    pytest.importorskip("playwright.sync_api", reason="NO BROWSER TESTS: Playwright is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

AXE = Path(sys.prefix) / "axe" / "node_modules" / "axe-core" / "axe.min.js"
DOCS = ROOT / "build" / "docs"
THEMES: Any = ("light", "dark")
FOUND = """theirs => axe.run({include: [["html"]], exclude: theirs}, {resultTypes: ["violations"]}).then(
    result => result.violations.flatMap(found => found.nodes.map(node => [found.id, node.html.slice(0, 200)]))
)"""
PANDAS = [".dataframe"]
"""What pandas writes is its own."""


@pytest.fixture(params=THEMES)
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A tab of a reader who prefers a theme."""
    context = browser.new_context(color_scheme=request.param, bypass_csp=True, viewport={"width": 860, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def axe(browser: Browser) -> str:
    if not AXE.is_file():
        pytest.skip("NO ACCESSIBILITY TESTS: axe-core is not installed: make browser, which needs npm")
    return AXE.read_text(encoding="utf-8")


def violations(page: Page, path: Path, axe: str, theirs: list[str] | None = None) -> list[Any]:
    """Return what axe finds in a page with everything unfolded."""
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    page.evaluate(axe)
    found: list[Any] = page.evaluate(FOUND, theirs or [])
    return found


@pytest.mark.parametrize("name", ["mocked", "tie", "many_workers", "all_failed", "hostile"])
def test_axe_finds_nothing_in_a_saved_report(name: str, page: Page, axe: str, tmp_path: Path) -> None:
    path = Report(worlds.WORLDS[name](), worlds.FINDINGS).save(tmp_path / "report.html")
    assert violations(page, path, axe) == []


def test_axe_finds_nothing_in_what_stands_below_each_other_in_a_notebook(page: Page, axe: str, tmp_path: Path) -> None:
    live = bundle_of(Progress(worlds.PLAN, worlds.mocked(), "block 2 of 5: threads × 4", 0.4))["text/html"]
    card = Card((("Python", "3.14"), ("hazards", "one"), ("", "another")))._repr_html_()
    against = Report(worlds.mocked()).against(Report(worlds.tie()))._repr_mimebundle_()["text/html"]
    path = tmp_path / "page.html"
    body = f"<main><h1>A notebook</h1>{html('mocked')}{live}{card}{against}</main>"
    path.write_text(f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>x</title>{body}', encoding="utf-8")
    assert violations(page, path, axe) == []


@pytest.mark.parametrize("path", sorted((ROOT / "demo_notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_the_demo_notebooks(
    path: Path, theme: str, browser: Browser, axe: str, tmp_path: Path
) -> None:
    import nbformat

    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call, unused-ignore]
    write_page(notebook, tmp_path / "page.html", theme)
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    assert violations(context.new_page(), tmp_path / "page.html", axe, PANDAS) == []
    context.close()


def test_axe_finds_nothing_in_the_documentation(page: Page, axe: str) -> None:
    if not DOCS.is_dir():
        pytest.skip("THE DOCUMENTATION IS NOT TESTED: it is not built: make docs")
    pages = sorted(DOCS.rglob("*.html"))
    assert len(pages) > 30
    found = {str(path.relative_to(DOCS)): violations(page, path, axe, PANDAS) for path in pages}
    assert {name: what for name, what in found.items() if what} == {}
