"""A view as HTML: one self-contained fragment with a style sheet, no script and nothing loaded from elsewhere.

Both themes come from two transparent pictures of each panel: the light one is an `img`, the dark one a background that
the style sheet shows where the page says it is dark. Where the style sheet is stripped, the light one stays, on white.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from concompare import formats
from concompare.render.alt import alt_of
from concompare.render.pages import address_of
from concompare.render.palette import INKS, look_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from concompare.render.parts import View

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


@dataclass(frozen=True, slots=True)
class Picture:
    """A panel in both themes, as data URLs, with the size it is shown in and what it says."""

    light: Markup
    dark: Markup
    width: int
    height: int
    alt: str


@cache
def templates() -> Environment:
    """Return the templates; every text put into them is escaped."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, auto_reload=False
    )
    found.globals["percent"] = formats.percent
    found.globals["page"] = address_of
    return found


def html_of(view: View, *, plots: bool = True) -> str:
    """Return the view as an HTML fragment, with its pictures unless `plots` is false."""
    pictures = pictures_of(view) if plots and not view.doing else []
    keys = [row.backend for row in view.table.rows]
    keys += [row.backend for fold in view.folds if fold.table is not None for row in fold.table.rows]
    return render(view, pictures, tuple(dict.fromkeys(filter(None, keys))))


def render(view: View, pictures: list[Picture], backends: tuple[str, ...]) -> str:
    """Fill the templates."""
    looks = [look_of(backend) for backend in backends]
    looked_up = {backend: f"cc-k{place}" for place, backend in enumerate(backends)}
    digest = hashlib.sha256(repr((view, backends)).encode("utf-8", "backslashreplace"))
    name = f"cc-{digest.hexdigest()[:10]}"
    marks = [(look.light, look.dark) for look in looks]
    shared = {"name": name, "pictures": pictures, "marks": marks, "light": INKS["light"], "dark": INKS["dark"]}
    css = (
        templates()
        .get_template("report.css.jinja")
        .render(
            **shared,
            dark_places=[Markup(place) for place in DARK_PLACES],
            plain_page=Markup(PLAIN_PAGE),
            dark_rules=lambda: dark_rules(marks, len(pictures)),
        )
    )
    return (
        templates()
        .get_template("report.html.jinja")
        .render(
            name=name,
            view=view,
            pictures=pictures,
            css=Markup(css),
            mark_of=lambda backend: looked_up.get(backend, "cc-none"),
        )
    )


def dark_rules(marks: Iterable[tuple[str, str]], pictures: int) -> Markup:
    """Return the declarations that make a report dark."""
    ink = INKS["dark"]
    rules = {
        "--cc-muted": ink.muted,
        "--cc-grid": ink.grid,
        "--cc-tint": ink.tint,
        "--cc-code": "#2b313b",
        "--cc-show": "0",
    }
    rules |= {f"--cc-k{place}": dark for place, (_, dark) in enumerate(marks)}
    rules |= {f"--cc-i{place}": f"var(--cc-d{place})" for place in range(pictures)}
    return Markup("".join(f"{name}:{value};" for name, value in rules.items()))


def pictures_of(view: View) -> list[Picture]:
    """Return the panels of a view as pictures."""
    from concompare.render import figures

    found = []
    for panel in figures.panels_of(view.pictures):
        light, dark = (figures.draw_panel(view, panel, theme) for theme in ("light", "dark"))
        width, height = figures.size_of(panel, view.pictures)
        found.append(Picture(data_url(light), data_url(dark), width, height, alt_of(view, panel)))
    return found


def data_url(png: bytes) -> Markup:
    """Return a picture as a data URL."""
    return Markup(f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}")


def page_of(view: View, *, plots: bool = True) -> str:
    """Return the view as a complete page, for a file."""
    return (
        templates()
        .get_template("page.html.jinja")
        .render(title=view.headline, body=Markup(html_of(view, plots=plots)), light=INKS["light"], dark=INKS["dark"])
    )
