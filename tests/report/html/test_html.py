from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from concompare.report.html.brief import DARK_PLACES
from concompare.report.html.html import html_of, page_of
from concompare.report.palette import INKS, contrast
from tests.report.views import html, view
from tests.report.worlds import NASTY, WORLDS

LARGEST = 300_000
TAGS = {
    *("div", "span", "p", "strong", "em", "code", "pre", "ul", "li", "img", "progress", "style", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "a"),
}
ATTRIBUTES = {
    *("class", "title", "src", "width", "height", "alt", "style"),
    *("scope", "align", "colspan", "max", "value", "href", "data-of"),
    *("role", "tabindex", "aria-label", "aria-live", "aria-atomic"),
}
VOID = {"img"}


class Page(HTMLParser):
    """What is in a page: tags, attributes, text outside the style sheet; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.css = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.css += data
        else:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.mark.parametrize("name", WORLDS)
def test_the_fragment_is_plain_and_well_formed(name: str) -> None:
    text = html(name)
    page = Page(text)
    assert {tag for tag, _ in page.tags} <= TAGS
    assert {name for _, attrs in page.tags for name in attrs} <= ATTRIBUTES
    check_nothing_is_loaded(text, page)
    assert len(text.encode()) < LARGEST


def check_nothing_is_loaded(text: str, page: Page) -> None:
    """Nothing is loaded from elsewhere."""
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in page.all("img"))
    assert set(re.findall(r"url\((.{0,15})", page.css)) <= {"data:image/png;"}
    assert "@import" not in page.css
    assert not re.search(r"https?://", text)


def test_every_finding_links_to_its_page_and_nothing_else_links() -> None:
    links = [link["href"] for link in Page(html("mocked")).all("a")]
    assert links == [f"../docs/findings/{remark.code}.md" for remark in view("mocked").remarks]
    assert links
    hostile = [link["href"] or "" for link in Page(html("hostile")).all("a")]
    assert all(re.fullmatch(r"\.\./docs/findings/[a-z-]+\.md", link) for link in hostile)


def test_everything_foreign_is_shown_as_text() -> None:
    text = html("hostile")
    page = Page(text)
    shown = "".join(page.text)
    assert "<script>alert(1)</script>[bold red]x[/]" in shown
    assert "{{ 7*7 }}" in shown
    assert "\\x1b[31mred\\x07 \\u202eabc" in shown
    for sign in ("\x1b", "\x07", "\u202e"):
        assert sign not in text
    assert NASTY not in text
    assert "script" not in page.css


def test_a_saved_page_is_complete_and_runs_nothing() -> None:
    page = page_of(view("hostile"))
    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert '<html lang="en">' in page


def test_a_saved_page_has_its_verdict_as_heading_within_its_main_part() -> None:
    page = page_of(view("mocked"))
    assert page.index("<main>") < page.index('<h1 class="cc-verdict"><strong>4 processes') < page.index("</main>")
    assert page.count("<h1") == page.count("</h1>") == 1
    assert "<h1" not in html("mocked")


def test_what_scrolls_can_be_reached_by_keyboard() -> None:
    page = Page(html("mocked"))
    scrolled = [attrs for tag, attrs in page.tags if tag == "pre" or attrs.get("class") == "cc-wide"]
    assert len(scrolled) == 4
    assert {attrs.get("tabindex") for attrs in scrolled} == {"0"}


def test_the_meaning_of_a_column_is_told_to_who_has_no_mouse() -> None:
    shown = "".join(Page(html("mocked")).text)
    told = shown.partition("What the columns mean")[2]
    assert "efficiency: speed-up per worker" in told
    assert all(f"{column.title}: {column.meaning}" in told for column in view("mocked").table.columns[1:])


def test_every_cell_names_its_column_where_there_is_no_room_for_columns() -> None:
    cells = [attrs for attrs in Page(html("mocked")).all("td") if "data-of" in attrs]
    assert {"time", "speed-up", "same"} < {attrs["data-of"] for attrs in cells}


def test_tables_have_captions_and_headers() -> None:
    page = Page(html("mocked"))
    assert len(page.all("caption")) == len(page.all("table")) == 2
    scopes = [attrs.get("scope") for attrs in page.all("th")]
    assert set(scopes) == {"col", "row"}
    assert scopes.count("row") == 10 + 5


def test_pictures_say_their_result() -> None:
    alts = [image["alt"] or "" for image in Page(html("mocked")).all("img")]
    assert len(alts) == 4
    assert "processes: 8.32 s with 1, 2.27 s with 4 (the pick), 2.23 s with 8" in alts[0]
    assert "processes: 0.99× with 1, 3.62× with 4 (the pick)" in alts[1]
    assert "threads × 4: computing 23 %, GIL or lock 73 %" in alts[2]
    assert "threads × 4 and processes × 4" in alts[3]


def test_the_pick_and_the_failed_are_told_by_words_too() -> None:
    text = " ".join("".join(Page(html("mocked")).text).split())
    assert "processes ← pick" in text
    assert "not possible here: numpy 2.5.5 does not load in sub-interpreters" in text


def test_without_the_style_sheet_each_picture_is_there_once_and_on_white() -> None:
    page = Page(html("mocked"))
    images = page.all("img")
    assert len(images) == len({image["src"] for image in images}) == 4
    assert {image["style"] for image in images} == {"background:#fff"}


KEPT = {"src", "width", "height", "alt", "title", "scope", "align", "colspan", "max", "value", "href"}


def sanitised(text: str) -> str:
    """Return what is left where style sheets, classes, styles and addresses with data are taken away, as on GitHub."""
    bare = re.sub(r"<style>.*?</style>", "", text, flags=re.S)
    return re.sub(r' ([a-z]+)="[^"]*"', lambda found: found[0] if found[1] in KEPT else "", bare)


def test_without_styles_and_classes_a_report_is_still_readable() -> None:
    bare = sanitised(html("mocked"))
    assert "class=" not in bare
    assert "style" not in bare
    page = Page(bare)
    words = " ".join("".join(page.text).split())
    said = view("mocked")
    assert words.startswith(
        f"{said.headline} {said.interval} {said.change} {said.because} Run it that way: {said.line}"
    )
    first = said.table.rows[0]
    assert "".join([first.cells[0], " ← pick", *first.cells[1:]]) in re.sub(r"\s+", " ", "".join(page.text))
    assert all(row.cells[0] in words and row.note in words for row in said.table.rows)
    assert all(f"{remark.code} {remark.summary} {remark.advice}" in words for remark in said.remarks)
    assert len(page.all("summary")) == len(said.folds) + 1  # and the meaning of the columns
    assert {cell.get("align") for cell in page.all("th") if cell.get("scope") == "row"} == {"left"}
    assert all(image["alt"] and image["width"] and image["height"] for image in page.all("img"))


def test_each_theme_has_its_own_picture() -> None:
    page = Page(html("mocked"))
    dark = re.findall(r"--cc-d\d:url\((.*?)\)", page.css)
    assert len(dark) == 4
    assert not {image["src"] for image in page.all("img")} & set(dark)
    for place in DARK_PLACES:
        assert place in page.css
    assert "prefers-color-scheme:dark" in page.css


@pytest.mark.parametrize(("theme", "page"), [("light", "#ffffff"), ("dark", "#111827")])
def test_the_style_sheets_colours_are_readable(theme: str, page: str) -> None:
    css = Page(html("mocked")).css
    rules = css.split("}")
    light = next(rule for rule in rules if "--cc-show:1" in rule)
    dark = next(rule for rule in rules if "--cc-show:0" in rule)
    found = dict(re.findall(r"(--cc-[a-z]+\d*):(#[0-9a-f]{6})", light if theme == "light" else dark))
    ink = INKS["light" if theme == "light" else "dark"]
    assert contrast(found["--cc-muted"], page) >= 4.5
    assert contrast(found["--cc-muted"], found["--cc-tint"]) >= 4.5
    assert contrast(ink.text, found["--cc-code"]) >= 4.5
    assert contrast(ink.text, found["--cc-tint"]) >= 4.5


def test_two_reports_on_a_page_do_not_share_their_pictures() -> None:
    one, other = (Page(html(name)).all("div")[0]["class"] or "" for name in ("mocked", "tie"))
    assert one.split()[1] != other.split()[1]


def test_without_plots_there_are_no_pictures() -> None:
    assert not Page(html_of(view("mocked"), plots=False)).all("img")
