"""The findings' pages: what each finding means, in a few sentences, and where its page is."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2]
FOLDERS = (PACKAGE / "findings", PACKAGE.parents[1] / "docs" / "findings")
"""Where the pages are: in an installed package, and in a checkout."""
ADDRESS = "../docs/findings/"
"""The same, seen from `demo_notebooks/` and `build/` of a checkout."""
CODE = re.compile(r"[a-z]+(-[a-z]+)*")


@cache
def meaning_of(code: str) -> str:
    """Return what a finding means, in one paragraph; empty for what is not the code of one."""
    path = page_of(code)
    if path is None:
        return ""
    _, _, rest = path.read_text(encoding="utf-8").partition("## What it means\n")
    return " ".join(rest.partition("\n## ")[0].split())


def page_of(code: str) -> Path | None:
    """Return the file of a finding's page, or None where there is none."""
    if code == "index" or not CODE.fullmatch(code):
        return None
    return next((path for folder in FOLDERS if (path := folder / f"{code}.md").is_file()), None)


def address_of(code: str) -> str:
    """Return the address of a finding's page, or nothing outside a checkout, where a link would lead nowhere."""
    path = page_of(code)
    return f"{ADDRESS}{code}.md" if path is not None and path.parent == FOLDERS[1] else ""
