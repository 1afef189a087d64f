"""Make the picture of the README: the report in the committed quickstart notebook, as a browser shows it.

python docs/picture.py [PATH]
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
NOTEBOOK = HERE.parent / "demo_notebooks" / "01_quickstart.ipynb"
PICTURE = HERE / "static" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGE = '<!DOCTYPE html><meta charset="utf-8"><style>body{{margin:16px 20px;background:#fff}}</style>{report}'


def report_of(notebook: Path) -> str:
    """Return the report that the notebook shows, as HTML."""
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            if output["output_type"] == "execute_result" and "text/html" in output["data"]:
                return "".join(output["data"]["text/html"])
    raise LookupError(f"{notebook.name} shows no report: make refresh-notebooks")


def main(target: Path) -> None:
    """Write what a browser shows of the report."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(PAGE.format(report=report_of(NOTEBOOK)), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport={"width": 1080, "height": 800}, color_scheme="light").new_page()
        page.goto(path.as_uri())
        page.screenshot(path=target, full_page=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
