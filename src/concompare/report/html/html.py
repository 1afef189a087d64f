"""A view as HTML: one self-contained fragment with a style sheet, no script and nothing loaded from elsewhere.

Both themes come from two transparent pictures of each panel: the light one is an `img`, the dark one a background that
the style sheet shows where the page says it is dark. Where the style sheet is stripped, the light one stays, on white.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from concompare import formats
from concompare.report.html.alt_text import alt_of
from concompare.report.html.brief import css_of, named
from concompare.report.palette import INKS
from concompare.report.view.finding_pages import address_of

if TYPE_CHECKING:
    from concompare.report.view.model import Column, View


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
    found.globals["meanings"] = meanings
    return found


def meanings(view: View) -> list[Column]:
    """Return the columns of a report whose meaning is told below too, for readers without a mouse."""
    return [column for column in view.table.columns if column.title and column.meaning and view.folds]


def html_of(view: View, *, plots: bool = True, head: str = "p") -> str:
    """Return the view as an HTML fragment, with its pictures unless `plots` is false, its verdict in a `head`."""
    pictures = pictures_of(view) if plots and not view.doing else []
    keys = [row.backend for row in view.table.rows]
    keys += [row.backend for fold in view.folds if fold.table is not None for row in fold.table.rows]
    return render(view, pictures, tuple(dict.fromkeys(filter(None, keys))), head)


def render(view: View, pictures: list[Picture], backends: tuple[str, ...], head: str) -> str:
    """Fill the templates."""
    looked_up = {backend: f"cc-k{place}" for place, backend in enumerate(backends)}
    name = named(view, backends)
    css = css_of(name, backends, [picture.dark for picture in pictures])
    return (
        templates()
        .get_template("report.html.jinja")
        .render(
            name=name,
            view=view,
            head=head,
            pictures=pictures,
            css=Markup(css),
            mark_of=lambda backend: looked_up.get(backend, "cc-none"),
        )
    )


def pictures_of(view: View) -> list[Picture]:
    """Return the panels of a view as pictures."""
    if not (view.pictures.curves or view.pictures.bars or view.pictures.timeline is not None):
        return []
    from concompare.report.plots import figure  # matplotlib takes a second to import

    found = []
    for panel in figure.panels_of(view.pictures):
        light, dark = (figure.draw_panel(view, panel, theme) for theme in ("light", "dark"))
        width, height = figure.size_of(panel, view.pictures)
        found.append(Picture(data_url(light), data_url(dark), width, height, alt_of(view, panel)))
    return found


def data_url(png: bytes) -> Markup:
    """Return a picture as a data URL."""
    return Markup(f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}")


def page_of(view: View, *, plots: bool = True) -> str:
    """Return the view as a complete page, for a file."""
    body = Markup(html_of(view, plots=plots, head="h1"))
    page = templates().get_template("page.html.jinja")
    return page.render(title=view.headline, body=body, light=INKS["light"], dark=INKS["dark"])
