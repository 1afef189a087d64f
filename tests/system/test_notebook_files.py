"""Reports in notebook files, as other tools convert them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from concompare.report.report import Report
from tests.report import worlds


@pytest.fixture(scope="module")
def nbconvert() -> Any:
    """Imported when it is needed: with what it imports it takes longer than all that is collected besides."""
    return pytest.importorskip("nbconvert")


@pytest.fixture(scope="module")
def notebook() -> Any:
    nbformat = pytest.importorskip("nbformat")
    bundle = Report(worlds.hostile(), worlds.NASTY_FINDINGS)._repr_mimebundle_()
    output = nbformat.v4.new_output("execute_result", data=bundle, execution_count=1)
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%%concompare", outputs=[output])])
    nbformat.validate(made)
    return made


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_html_pages_carry_the_whole_report(notebook: Any, nbconvert: Any, theme: str) -> None:
    page, _ = nbconvert.HTMLExporter(theme=theme).from_notebook_node(notebook)
    assert f'data-jp-theme-light="{str(theme == "light").lower()}"' in page
    start = page.index('<div class="concompare')
    report = page[start : page.index("</details>\n</div>", start)]
    assert report.count("<img") == 4  # time, speed-up, ledger and timeline
    assert "<script" not in report
    assert "<caption>" in report


def test_latex_gets_the_picture_that_holds_the_table(notebook: Any, nbconvert: Any) -> None:
    _, made = nbconvert.LatexExporter().from_notebook_node(notebook)
    (picture,) = made["outputs"].values()
    assert picture.startswith(b"\x89PNG")
    assert base64.b64encode(picture).decode() in notebook.cells[0].outputs[0].data["image/png"]


def test_plain_readers_get_the_text(notebook: Any, nbconvert: Any) -> None:
    text = notebook.cells[0].outputs[0].data["text/plain"]
    assert "2.01× faster" in text
    assert "\x1b" not in text
