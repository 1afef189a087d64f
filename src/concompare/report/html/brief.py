"""The style sheet of a view, and the HTML of one that is a verdict and a table, without the template engine.

Such a view is shown after every run, and the engine takes longer to load than a short run. What it says is escaped by
the same markup type, and is the same, letter for letter, as what the templates write.
"""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from markupsafe import Markup

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

FRAGMENT = Markup(
    '<style>{css}</style>\n<div class="concompare {name}">\n'
    '<p class="cc-verdict"><strong>{headline}</strong>{change}</p>\n{because}{table}</div>'
)
CHANGE = Markup(' &ensp;<span class="cc-muted">{}</span>')
BECAUSE = Markup("<p>{}</p>\n")
TABLE = Markup(
    '<div class="cc-wide"><table class="cc-table">\n<thead><tr align="right">{heads}</tr></thead>\n'
    "<tbody>\n{rows}</tbody></table></div>\n"
)
HEAD = Markup('<th scope="col"{}{}>{}</th>')
LEFT = Markup(' align="left"')
MEANING = Markup(' title="{}"')
ROW = Markup(
    '<tr align="right"><th scope="row" align="left"><span class="cc-mark {mark}">{first}</span></th>{cells}</tr>\n'
)
CELL = Markup("<td{}>{}</td>")


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


def brief_html_of(view: View) -> str:
    """Return a view that has a verdict, a reason and a table of plain rows, and nothing else, as an HTML fragment."""
    backends = tuple(dict.fromkeys(row.backend for row in view.table.rows if row.backend))
    name = named(view, backends)
    found = FRAGMENT.format(
        css=Markup(css_of(name, backends)),
        name=name,
        headline=view.headline,
        change=CHANGE.format(view.change) if view.change else "",
        because=BECAUSE.format(view.because) if view.because else "",
        table=table_of(view.table, backends) if view.table.rows else "",
    )
    return str(found)


def table_of(table: Table, backends: Sequence[str]) -> Markup:
    """Return a table without caption, of rows that are neither marked nor failed."""
    return TABLE.format(
        heads=Markup("").join(map(head_of, table.columns)),
        rows=Markup("").join(row_of(row, table.columns, backends) for row in table.rows),
    )


@lru_cache(maxsize=64)
def head_of(column: Column) -> Markup:
    """Return the heading of a column."""
    meaning = MEANING.format(column.meaning) if column.meaning else ""
    return HEAD.format("" if column.numbers else LEFT, meaning, column.title)


def row_of(row: Row, columns: Sequence[Column], backends: Sequence[str]) -> Markup:
    """Return a line of a table."""
    cells = [
        CELL.format("" if column.numbers else LEFT, cell)
        for column, cell in zip(columns[1:], row.cells[1:], strict=True)
    ]
    mark = f"cc-k{backends.index(row.backend)}" if row.backend else "cc-none"
    return ROW.format(mark=mark, first=row.cells[0], cells=Markup("").join(cells))
