"""The style sheet of a view, and the HTML of one that is a verdict and a table, without the template engine.

Such a view is shown after every run, and the engine takes longer to load than a short run. What it says is escaped by
the same function, and is the same, letter for letter, as what the templates write.
"""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from markupsafe import escape

from concompare.report.palette import INKS, Look, look_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from concompare.report.view.model import Column, Row, Table, View

DARK_PLACES = (
    '[data-jp-theme-light="false"]',  # JupyterLab, Notebook 7
    "body.vscode-dark",
    "body.vscode-high-contrast:not(.vscode-high-contrast-light)",
    'html[theme="dark"]',  # Colab
    '[data-theme="dark"]',  # Sphinx themes
    '[data-bs-theme="dark"]',
)
"""What front ends put on their pages when these are dark."""

PLAIN_PAGE = (
    'html:not([theme]):not([data-theme="light"]):not([data-theme="dark"]):not([data-bs-theme]) '
    "body:not([data-jp-theme-light]):not([data-vscode-theme-kind]):not(.vscode-light):not(.vscode-dark)"
    ':not([data-theme="light"]):not([data-theme="dark"]):not(.notebook_app)'
)
"""A page that says nothing of a theme: the reader's own preference counts, and we bring the background too."""

NAME = "cc-name-of-the-view"
"""Stands for the class of a view in a style sheet that many have."""


@cache
def sheet() -> Template:
    """Return the style sheet, with what differs from view to view left open."""
    return Template(Path(__file__).with_name("report.css").read_text(encoding="utf-8").rstrip("\n"))


def named(view: View, backends: Sequence[str]) -> str:
    """Return the class that a view's style sheet is about, another one for another view."""
    digest = hashlib.sha256(repr((view, tuple(backends))).encode("utf-8", "backslashreplace"))
    return f"cc-{digest.hexdigest()[:10]}"


def css_of(name: str, backends: Sequence[str], dark_pictures: Sequence[str] = ()) -> str:
    """Return the style sheet of a view.

    Args:
        name: The class of the view.
        backends: Those that have a coloured mark.
        dark_pictures: The addresses of the pictures' dark versions.
    """
    looks = [look_of(backend) for backend in backends]
    places = range(len(dark_pictures))
    light, dark = INKS["light"], INKS["dark"]
    return sheet().substitute(
        light_muted=light.muted,
        light_grid=light.grid,
        light_tint=light.tint,
        dark_paper=dark.paper,
        dark_text=dark.text,
        name=name,
        marks="".join(f"--cc-k{place}:{look.light};" for place, look in enumerate(looks)),
        pictures="".join(f"--cc-d{place}:url({dark_pictures[place]});--cc-i{place}:none;" for place in places),
        no_pictures="".join(f"--cc-i{place}:none;" for place in places),
        dark_places=",".join(f"{where} .{name}" for where in DARK_PLACES),
        plain_page=PLAIN_PAGE,
        dark_rules=dark_rules(looks, len(dark_pictures)),
        panel_rules="".join(f".{name} .cc-p{place}{{background-image:var(--cc-i{place})}}\n" for place in places),
        mark_rules="".join(
            f".{name} .cc-k{place}::before{{background:var(--cc-k{place})}}\n" for place in range(len(looks))
        ),
    )


def dark_rules(looks: Sequence[Look], pictures: int) -> str:
    """Return the declarations that make a view dark."""
    ink = INKS["dark"]
    rules = {
        "--cc-muted": ink.muted,
        "--cc-grid": ink.grid,
        "--cc-tint": ink.tint,
        "--cc-code": "#2b313b",
        "--cc-show": "0",
    }
    rules |= {f"--cc-k{place}": look.dark for place, look in enumerate(looks)}
    rules |= {f"--cc-i{place}": f"var(--cc-d{place})" for place in range(pictures)}
    return "".join(f"{name}:{value};" for name, value in rules.items())


@lru_cache(maxsize=32)
def css_with_name(backends: tuple[str, ...]) -> str:
    """Return the style sheet of a view without pictures, its class still to be put in."""
    return css_of(NAME, backends)


def brief_html_of(view: View) -> str:
    """Return a view that has a verdict, a reason and a table of plain rows, and nothing else, as an HTML fragment."""
    backends = tuple(dict.fromkeys(row.backend for row in view.table.rows if row.backend))
    name = named(view, backends)
    change = f' &ensp;<span class="cc-muted">{escape(view.change)}</span>' if view.change else ""
    because = f"<p>{escape(view.because)}</p>\n" if view.because else ""
    return (
        f'<style>{css_with_name(backends).replace(NAME, name)}</style>\n<div class="concompare {name}">\n'
        f'<p class="cc-verdict"><strong>{escape(view.headline)}</strong>{change}</p>\n'
        f"{because}{table_of(view.table, backends) if view.table.rows else ''}</div>"
    )


def table_of(table: Table, backends: Sequence[str]) -> str:
    """Return a table without caption, of rows that are neither marked nor failed."""
    heads = "".join(map(head_of, table.columns))
    rows = "".join(row_of(row, table.columns, backends) for row in table.rows)
    return (
        '<div class="cc-wide" role="group" aria-label="table" tabindex="0"><table class="cc-table">\n'
        f'<thead><tr align="right">{heads}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div>\n"
    )


def aligned(column: Column) -> str:
    """Return the attribute that moves a column of words to the left."""
    return "" if column.numbers else ' align="left"'


def named_for(column: Column) -> str:
    """Return the attribute that names a cell's column where there is no room for columns."""
    return f' data-of="{escape(column.title)}"'


@lru_cache(maxsize=64)
def head_of(column: Column) -> str:
    """Return the heading of a column; one without words is no heading."""
    if not column.title:
        return "<td></td>"
    meaning = f' title="{escape(column.meaning)}"' if column.meaning else ""
    return f'<th scope="col"{aligned(column)}{meaning}>{escape(column.title)}</th>'


def row_of(row: Row, columns: Sequence[Column], backends: Sequence[str]) -> str:
    """Return a line of a table."""
    cells = zip(columns[1:], row.cells[1:], strict=True)
    shown = "".join(f"<td{named_for(column)}{aligned(column)}>{escape(cell)}</td>" for column, cell in cells)
    mark = f"cc-k{backends.index(row.backend)}" if row.backend else "cc-none"
    first = f'<th scope="row" align="left"><span class="cc-mark {mark}">{escape(row.cells[0])}</span></th>'
    return f'<tr align="right">{first}{shown}</tr>\n'
