"""Both magics in JupyterLab in a real browser: what is visible, in both themes, while it runs and afterwards."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from concompare.report.report import Report
from tests.report import worlds
from tests.system.browser.lab import PICTURES, Lab, Sheet

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, expect
else:
    expect = pytest.importorskip("playwright.sync_api", reason="NO BROWSER TESTS: Playwright is not installed").expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WIDTHS = (600, 1600)
SET_UP = "%load_ext concompare\nimport concompare, time"
WORK = "def work(n):\n    return sum(i * i for i in range(20_000 + n))"
COMPARE = "%%concompare -b serial,threads,processes -w 2 --budget 5\nresults = [work(n) for n in range(120)]"
NAP = "def nap(n):\n    time.sleep(0.1)\n    return n"
CONTRAST = """element => {
    const light = colour => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(part => {
            const share = part / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
    };
    const solid = colour => !/^rgba\\(.*, 0\\)$|^transparent$/.test(colour);
    let behind = element;
    while (behind && !solid(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
    const paper = behind ? getComputedStyle(behind).backgroundColor : "rgb(255, 255, 255)";
    const one = light(getComputedStyle(element).color), other = light(paper);
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}"""
"""The contrast ratio of an element's text to what is behind it, as WCAG 2 defines it."""
WATCH = """() => {
    window.seen = [];
    new MutationObserver(() => {
        const bars = document.querySelectorAll(".jp-Notebook progress");
        if (bars.length === 0) return;
        const rows = bars[0].closest(".concompare").querySelectorAll(".cc-table tbody tr");
        const missing = [...rows].filter(row => row.querySelector(".cc-note"));
        const state = [bars.length, bars[0].value, rows.length, rows.length - missing.length];
        const last = window.seen[window.seen.length - 1];
        if (!last || String(last.slice(0, 4)) !== String(state)) window.seen.push([...state, performance.now()]);
    }).observe(document.querySelector(".jp-Notebook"), {childList: true, subtree: true});
}"""
"""Notes every state of the live table: bars on the page, how far, rows, rows with a time, and when."""
TEXTS = ".cc-verdict strong, .cc-verdict span, .cc-line, caption, thead th, tbody th, tbody td, li, summary"


def least_contrast(report: Locator) -> float:
    """Return the lowest contrast of a report's texts to what is behind them."""
    texts = report.locator(TEXTS)
    return min(float(texts.nth(place).evaluate(CONTRAST)) for place in range(texts.count()))


def check_pictures(report: Locator, *, dark: bool) -> None:
    """Every panel is painted: by the image where the page is light, by the background where it is dark."""
    panels = report.locator(".cc-panel")
    assert panels.count() >= 1
    for place in range(panels.count()):
        panel, image = panels.nth(place), panels.nth(place).locator("img")
        assert image.evaluate("image => image.complete && image.naturalWidth > 200")
        assert len(image.get_attribute("alt") or "") > 20
        painted = panel.evaluate("panel => getComputedStyle(panel).backgroundImage.startsWith('url(\"data:image/png')")
        assert painted is dark
        assert image.evaluate("image => getComputedStyle(image).opacity") == ("0" if dark else "1")


def check_report(report: Locator) -> None:
    """A finished report shows its verdict, its line to paste, its table with a plain loop, and its details."""
    expect(report.locator(".cc-verdict strong")).to_be_visible()
    table = report.locator(".cc-table").first
    assert table.locator("caption").inner_text()
    assert table.locator("thead th[scope=col]").count() >= 4
    ways = table.locator("tbody th[scope=row] .cc-mark").all_inner_texts()
    assert {name.strip() for name in ways} == {"plain loop", "threads", "processes"}
    fold = report.locator("details", has_text="Plan and environment")
    assert not fold.locator("li").first.is_visible()
    fold.locator("summary").click()
    assert fold.locator("li").first.is_visible()
    fold.locator("summary").click()
    for part in (report, report.locator(".cc-wide").first):
        assert part.evaluate("part => part.scrollWidth <= part.clientWidth")


def check_click_selects(report: Locator, page: Page) -> None:
    """One click selects the line to paste, or all of the take-away code, to be copied."""
    line = report.locator(".cc-line")
    line.click()
    assert page.evaluate("String(getSelection())") == line.inner_text()
    fold = report.locator("details", has_text="Take-away code")
    fold.locator("summary").click()
    code = fold.locator("pre")
    code.click()
    assert page.evaluate("String(getSelection())").split() == code.inner_text().split()
    assert "import" in code.inner_text()
    fold.locator("summary").click()


def check_no_empty_room(sheet: Sheet, number: int) -> None:
    """Where a bar or a live table stood there is no room left."""
    found = sheet.outputs(number)
    places = [found.nth(place) for place in range(found.count())]
    heights = [place.evaluate("output => output.getBoundingClientRect().height") for place in places]
    assert 0 in heights
    assert [height for height, place in zip(heights, places, strict=True) if height and not place.inner_text()] == []


def check_watched(states: list[list[float]]) -> None:
    """The live table stood in one place, filled up, and changed at most four times a second."""
    assert len(states) >= 4
    assert all(bars == 1 for bars, *_ in states)
    assert [share for _, share, *_ in states] == sorted(share for _, share, *_ in states)
    measured = [done for _, _, _, done, _ in states]
    assert measured == sorted(measured)
    assert measured[0] < measured[-1]
    lasted = (states[-1][-1] - states[0][-1]) / 1000
    assert len(states) <= 4 * lasted + 2


def test_a_comparison_fills_its_table_and_ends_in_one_report(lab: Lab, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sheet = Sheet(page, lab, "compare", [SET_UP, WORK, COMPARE, "len(results), _.best is not None"])
    sheet.run(0)
    sheet.run(1)
    asked.clear()
    page.evaluate(WATCH)
    sheet.start(2)
    expect(sheet.report(2).locator("progress")).to_be_visible()
    sheet.take("live", 2)
    sheet.wait_end(2)
    report = sheet.report(2)
    expect(page.locator("progress")).to_have_count(0)
    assert report.count() == 1
    check_no_empty_room(sheet, 2)
    check_watched(page.evaluate("seen"))
    check_report(report)
    check_pictures(report, dark=False)
    assert least_contrast(report) >= 4.5
    sheet.take("report-light", 2)
    sheet.run(3)
    assert "(120, True)" in sheet.text(3)

    sheet.choose("Settings", "Theme", "JupyterLab Dark")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    check_pictures(report, dark=True)
    assert least_contrast(report) >= 4.5
    sheet.take("report-dark", 2)
    page.set_viewport_size({"width": 800, "height": 900})
    assert report.evaluate("report => report.scrollWidth <= report.clientWidth")
    sheet.take("report-narrow", 2)
    elsewhere = [url for url in asked if not url.startswith((lab.url, "data:", "blob:"))]
    assert elsewhere == []
    sheet.press("docmanager:save")
    sheet.choose("Settings", "Theme", "JupyterLab Light")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "true")
    check_saved(sheet.path, page)


def check_saved(path: Path, page: Page) -> None:
    """The saved notebook as a page of nbconvert shows the same report with scripts disabled."""
    import nbformat
    from nbconvert import HTMLExporter

    deadline = time.monotonic() + 500
    while "cc-verdict" not in path.read_text():
        assert time.monotonic() < deadline, "the notebook was not saved"
        page.wait_for_timeout(100)
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call, unused-ignore]
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    for theme in ("light", "dark"):
        exporter: Any = HTMLExporter(theme=theme)
        body, _ = exporter.from_notebook_node(notebook)
        saved = path.with_suffix(f".{theme}.html")
        saved.write_text(body, encoding="utf-8")
        plain.goto(saved.as_uri(), wait_until="domcontentloaded")
        report = plain.locator(".concompare")
        check_pictures(report, dark=theme == "dark")
        assert least_contrast(report) >= 4.5
        for width in WIDTHS:
            plain.set_viewport_size({"width": width, "height": 900})
            check_report(report)
            report.screenshot(path=PICTURES / f"nbconvert-{theme}-{width}.png")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_page_follows_the_reader_s_preference_without_scripts(
    scheme: Any, browser: Browser, tmp_path: Path
) -> None:
    Report(worlds.mocked()).save(tmp_path / "report.html")
    context = browser.new_context(java_script_enabled=False, color_scheme=scheme)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    report = page.locator(".concompare")
    check_pictures(report, dark=scheme == "dark")
    assert least_contrast(report) >= 4.5
    check_click_selects(report, page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for part in (report, report.locator(".cc-wide").first):
            assert part.evaluate("part => part.scrollWidth <= part.clientWidth")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"saved-{scheme}.png", full_page=True)
    context.close()


def test_a_run_shows_its_progress_and_then_its_summary(lab: Lab, page: Page) -> None:
    loop = "for n in range(50):\n    results.append(nap(n))\n    if n % 20 == 0:\n        print('at', n)"
    run = f"%%parallel -b threads -w 2\nresults = []\n{loop}"
    carried = "%%parallel\ntotal = 1\nfor n in range(4):\n    total = heavy(total)"
    heavy = "def heavy(n):\n    return sum(i % 7 for i in range(9000 + n % 9))"
    sheet = Sheet(page, lab, "run", [SET_UP, f"{NAP}\n{heavy}", run, "results == list(range(50))", carried])
    for number in (0, 1):
        sheet.run(number)
    sheet.start(2)
    bar = sheet.outputs(2).get_by_text(re.compile(r"\d+/50"))
    expect(bar).to_be_visible()
    assert bar.count() == 1
    sheet.take("progress", 2)
    sheet.wait_end(2)
    assert "50 items in " in sheet.text(2)
    assert re.findall(r"at \d+", sheet.text(2)) == ["at 0", "at 20", "at 40"]
    expect(bar).to_have_count(0)
    check_no_empty_room(sheet, 2)
    sheet.take("summary", 2)
    sheet.run(3)
    assert "True" in sheet.text(3)
    sheet.run(4)
    shown = sheet.text(4)
    assert re.search(r"ran as the plain loop: line 4\b.*'total'", shown), shown
    assert "Traceback" not in shown
    sheet.take("plainly", 4)


@pytest.mark.parametrize("magic", ["parallel -b processes -w 2", "concompare -b serial,processes -w 2 --budget 60"])
def test_the_interrupt_button_frees_the_cell(magic: str, lab: Lab, page: Page) -> None:
    name = magic.split()[0]
    run = f"%%{magic}\nresults = [nap(n) for n in range(900)]"
    sheet = Sheet(page, lab, f"interrupt-{name}", [SET_UP, NAP, run, "6 * 7"])
    for number in (0, 1):
        sheet.run(number)
    sheet.start(2)
    expect(sheet.cell(2).locator("progress").or_(sheet.outputs(2).get_by_text("/900")).first).to_be_visible()
    sheet.press("notebook:interrupt-kernel")
    sheet.wait_end(2)
    expect(sheet.outputs(2).filter(has_text="KeyboardInterrupt")).to_be_visible()
    assert "Traceback" not in sheet.text(2)
    expect(page.locator("progress")).to_have_count(0)
    check_no_empty_room(sheet, 2)
    sheet.take(f"interrupted-{name}", 2)
    sheet.run(3)
    assert "42" in sheet.text(3)


def test_a_restarted_kernel_leaves_no_worker_and_works_again(lab: Lab, page: Page) -> None:
    run = "%%parallel -b processes -w 2\nresults = [work(n) for n in range(40)]"
    pids = "from concompare import engine\n[pid for pool in engine.pools() for pid in pool.pids]"
    sheet = Sheet(page, lab, "restart", [SET_UP, WORK, run, pids])
    for number in range(4):
        sheet.run(number)
    old = [int(word) for word in re.findall(r"\d+", sheet.outputs(3).last.inner_text())]
    assert len(old) >= 2
    sheet.press("notebook:restart-kernel")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    deadline = time.monotonic() + 500
    while {process.pid for process in lab.family()} & set(old):
        assert time.monotonic() < deadline, "workers of the old kernel are left"
        page.wait_for_timeout(100)
    sheet.wait_idle()
    for number in range(3):
        sheet.run(number)
    assert "40 items in " in sheet.text(2)
    sheet.take("restarted")
