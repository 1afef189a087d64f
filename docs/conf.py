"""How the pages are built: Sphinx with MyST, notebooks shown with the outputs they are committed with.

What would otherwise be written twice is made here at the start of each build, into folders that git ignores:
`notebooks/` from `demo_notebooks/`, and `made/` from the options of the magics.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from tables import api_pages, option_tables  # noqa: E402

project = "concompare"
author = "The concompare authors"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # as they are written: `os.environ`, not what is in it
exclude_patterns = ["made"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Threads or processes? How many workers? Why is it not faster?",
    "page_width": "1180px",
    "show_powered_by": False,
    "font_family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    "head_font_family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    "font_size": "15px",
}
html_show_copyright = False
html_static_path = ["static", "made/static"]
html_css_files = ["pages.css", ("dark.css", {"media": "(prefers-color-scheme: dark)"})]
# Of Pygments' styles these are the ones whose every colour can be read on our backgrounds.
pygments_style = "xcode"
DARK_STYLE = "lightbulb"
nb_execution_mode = "off"
nb_merge_streams = True
# The text form comes last, so that pages show what JupyterLab shows.
nb_mime_priority_overrides = [("html", "text/html", 0)]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3


def copy_notebooks() -> None:
    """Copy the demo notebooks with links that lead to where these pages have what they lead to."""
    folder = HERE / "notebooks"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in (HERE.parent / "demo_notebooks").glob("*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = linked("".join(cell["source"]))
            for output in cell.get("outputs", ()):
                if "text/html" in output.get("data", {}):
                    page = "".join(output["data"]["text/html"])
                    output["data"]["text/html"] = re.sub(r'"\.\./docs/(findings/[a-z-]+)\.md"', r'"../\1.html"', page)
        (folder / path.name).write_text(json.dumps(notebook), encoding="utf-8")


def linked(text: str) -> str:
    """Return Markdown of a notebook with its links as they are here."""
    text = re.sub(r"\[([^][]*)\]\(#(\w+)\)", r'<a href="#\2">\1</a>', text)  # MyST knows no anchors in HTML
    return text.replace("](../docs/", "](../")


def write_tables() -> None:
    """Write the options of the magics and the public names as they are."""
    folder = HERE / "made"
    folder.mkdir(exist_ok=True)
    for name, table in option_tables().items():
        (folder / f"{name}.md").write_text(table, encoding="utf-8")
    (folder / "api.md").write_text(api_pages(), encoding="utf-8")


def write_dark_colours() -> None:
    """Write the colours of code on dark pages, for which the theme has none."""
    from pygments.formatters import HtmlFormatter

    folder = HERE / "made" / "static"
    folder.mkdir(exist_ok=True)
    rules = HtmlFormatter(style=DARK_STYLE, nobackground=True).get_style_defs(".highlight")
    plain = ".highlight span{color:inherit;background:none}\n"  # what the dark style does not colour
    (folder / "dark.css").write_text(plain + rules, encoding="utf-8")


MENDED = (
    ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    ("<h3>Navigation</h3>", "<h2>Navigation</h2>"),
    ('<h3 id="searchlabel">Quick search</h3>', '<h2 id="searchlabel">Quick search</h2>'),
    ('<div class="footer">', '<div class="footer" role="contentinfo">'),
    ("<pre>", '<pre tabindex="0">'),
    ('<th class="head"><p></p></th>', "<td></td>"),
)
"""What the theme and the parser write, and what readers who hear pages or have no mouse need instead."""


def mend(folder: Path) -> None:
    """Mend the pages in a folder."""
    for path in folder.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        for written, needed in MENDED:
            page = page.replace(written, needed)
        path.write_text(page, encoding="utf-8")


copy_notebooks()
write_tables()
write_dark_colours()


def setup(app: Any) -> None:
    """Lead links to the notebooks, which stand elsewhere in the repository, to their copies; mend what is built."""

    def lead(app: Any, name: str, content: list[str]) -> None:
        content[0] = re.sub(r"\((\.\./)+demo_notebooks/", "(/notebooks/", content[0])

    app.connect("source-read", lead)
    app.connect("build-finished", lambda app, error: mend(Path(app.outdir)))
