"""The pictures of a view, drawn by matplotlib without pyplot: one panel each, or all of them in one figure.

Nothing of the user's settings takes part (style sheets, LaTeX text), nothing is shown on a screen, and no text is read
as mathematics.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import cache, lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import matplotlib
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from concompare.report.palette import INKS, Theme
from concompare.report.plots import bar_charts, line_charts, timeline
from concompare.report.plots.canvas import WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.figure import SubFigure

    from concompare.report.view.model import Pictures, View

    Panel = Callable[[SubFigure, Pictures, Theme, float, float], None]

DPI = 144
SCREEN = 96
"""Dots an inch has on a page, whatever a screen makes of them."""
CROWDED = 21_000
"""Bytes of a panel beyond which it is drawn in fewer dots."""
HEAD = 0.62
"""Inches over all panels for the verdict."""
LINE, COLUMN = 0.17, 0.0672
"""Inches of a line and of a letter written under the panels."""
COLOURS = 96
"""Colours of a saved picture's palette."""

SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "svg.hashsalt": "concompare",
    "svg.fonttype": "path",
    "text.parse_math": False,
    "text.usetex": False,
    "axes.unicode_minus": True,
    "path.simplify": True,
}


class Drawing(Figure):
    """A figure that notebooks show without pyplot and without `%matplotlib inline`."""

    def _repr_png_(self) -> bytes:
        return png_of(self)


def panels_of(pictures: Pictures) -> tuple[str, ...]:
    """Return the names of the panels that have something to show, in their order."""
    found = []
    if pictures.curves:
        found += ["time"] if line_charts.has_axis(pictures) else ["times"]
    if any(point.speed for curve in pictures.curves for point in curve.points):
        found.append("speed-up" if line_charts.has_axis(pictures) else "speed-ups")
    if pictures.bars:
        found.append("ledger")
    if pictures.timeline is not None:
        found.append("timeline")
    return tuple(found)


@cache
def drawing() -> dict[str, tuple[Callable[[Pictures], float], Panel]]:
    """Return how each panel is drawn: its height in inches and the function that draws it."""
    return {
        "time": (line_charts.height, line_charts.draw_time),
        "speed-up": (line_charts.height, line_charts.draw_speed),
        "times": (bar_charts.bars_height, bar_charts.draw_times),
        "speed-ups": (bar_charts.bars_height, bar_charts.draw_speeds),
        "ledger": (bar_charts.ledger_height, bar_charts.draw_ledger),
        "timeline": (timeline.height, timeline.draw),
    }


def height_of(panel: str, pictures: Pictures) -> float:
    """Return the height of a panel in inches."""
    return drawing()[panel][0](pictures)


@contextmanager
def our_settings() -> Iterator[None]:
    """Draw with matplotlib's defaults and ours, whatever the user has set; missing glyphs are shown as boxes."""
    with style.context("default", after_reset=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        settings: Any = matplotlib.rcParams
        settings.update(SETTINGS)
        yield


def draw_panel(view: View, panel: str, theme: Theme = "light") -> bytes:
    """Return one panel as a PNG with a transparent background; the last few are kept."""
    return kept_panel(view.pictures, panel, theme)


@lru_cache(maxsize=16)
def kept_panel(pictures: Pictures, panel: str, theme: Theme) -> bytes:
    """Draw one panel; a crowded one in fewer dots, so that a report stays small."""
    figure = draw_one(pictures, panel, theme)
    figure.patch.set_alpha(0)
    png = png_of(figure)
    if len(png) > CROWDED:
        figure.set_dpi(SCREEN)
        png = png_of(figure)
    return png


def draw_one(pictures: Pictures, panel: str, theme: Theme = "light") -> Figure:
    """Return one panel as a figure."""
    with our_settings():
        height = height_of(panel, pictures)
        figure = Drawing(figsize=(WIDTH, height), dpi=DPI, facecolor=INKS[theme].paper)
        FigureCanvasAgg(figure)
        part: Any = figure.subfigures()
        part.patch.set_alpha(0)
        drawing()[panel][1](part, pictures, theme, WIDTH, height)
        return figure


def draw(view: View, theme: Theme = "light") -> Figure:
    """Return all panels in one figure, two beside each other, under the verdict."""
    with our_settings():
        rows = rows_of(view.pictures)
        columns = max(map(len, rows), default=1)
        heights = [HEAD, *(max(height_of(name, view.pictures) for name in row) for row in rows)]
        figure = Drawing(figsize=(WIDTH * columns, sum(heights)), dpi=DPI, facecolor=INKS[theme].paper)
        FigureCanvasAgg(figure)
        write_head(figure, view, theme)
        parts: Any = figure.subfigures(len(heights), columns, squeeze=False, height_ratios=heights, wspace=0, hspace=0)
        for row, names in enumerate(rows, start=1):
            for column, name in enumerate(names):
                parts[row][column].patch.set_alpha(0)
                drawing()[name][1](parts[row][column], view.pictures, theme, WIDTH, heights[row])
        return figure


def rows_of(pictures: Pictures) -> list[tuple[str, ...]]:
    """Return the panels two by two."""
    names = panels_of(pictures)
    return [names[i : i + 2] for i in range(0, len(names), 2)]


def page_of(view: View, words: str) -> bytes:
    """Return the verdict, all panels and further words under them as one PNG on white."""
    rows = rows_of(view.pictures)
    heights = [max(height_of(name, view.pictures) for name in row) for row in rows]
    lines = words.splitlines()
    wide = max(WIDTH * max(map(len, rows), default=1), 0.24 + COLUMN * max(map(len, lines), default=0))
    tall = HEAD + sum(heights) + LINE * (len(lines) + 1)
    with our_settings():
        figure = Figure(figsize=(wide, tall), dpi=DPI, facecolor=INKS["light"].paper)
        write_head(figure, view, "light")
        look: dict[str, Any] = {"family": "DejaVu Sans Mono", "size": 8, "va": "top", "parse_math": False}
        for place, line in enumerate(lines):
            up = LINE * (len(lines) + 0.6 - place) / tall
            figure.text(0.12 / wide, up, line, color=INKS["light"].text, **look)
        image = image_of(figure)
    top = HEAD
    for row, height in zip(rows, heights, strict=True):
        for column, name in enumerate(row):
            size = (round(WIDTH * DPI), round(height_of(name, view.pictures) * DPI))
            panel = Image.open(BytesIO(draw_panel(view, name))).convert("RGBA").resize(size)
            image.alpha_composite(panel, (round(column * WIDTH * DPI), round(top * DPI)))
        top += height
    return small_png(image)


def write_head(figure: Figure, view: View, theme: Theme) -> None:
    """Write the verdict over the panels."""
    tall = figure.get_figheight()
    ink = INKS[theme]
    room = int(figure.get_figwidth() * 11)
    words = view.headline if len(view.headline) <= room else view.headline[: room - 1] + "…"
    left = 0.12 / figure.get_figwidth()
    figure.text(left, 1 - 0.16 / tall, words, size=12, weight="bold", color=ink.text, va="top", parse_math=False)
    rest = f"{view.interval}  {view.change}".strip()
    figure.text(left, 1 - 0.40 / tall, rest, size=9, color=ink.muted, va="top", parse_math=False)


def image_of(figure: Figure) -> Image.Image:
    """Return a figure as an image."""
    canvas: Any = FigureCanvasAgg(figure)
    with our_settings():
        canvas.draw()
    return Image.frombuffer("RGBA", canvas.get_width_height(), bytes(canvas.buffer_rgba()), "raw", "RGBA", 0, 1).copy()


def png_of(figure: Figure) -> bytes:
    """Return a figure as a small PNG."""
    return small_png(image_of(figure))


def small_png(image: Image.Image) -> bytes:
    """Return an image as a small PNG: a palette instead of true colours."""
    small = image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    out = BytesIO()
    small.save(out, "PNG", dpi=(DPI, DPI))  # to compress as well as can be takes seven times as long for 6 %
    return out.getvalue()


def svg_of(figure: Figure) -> bytes:
    """Return a figure as SVG, the same bytes for the same figure."""
    out = BytesIO()
    with our_settings():
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(out, metadata={"Date": None, "Creator": "concompare"})
    FigureCanvasAgg(figure)
    return out.getvalue()


def size_of(panel: str, pictures: Pictures) -> tuple[int, int]:
    """Return the width and height at which a panel is shown, in CSS pixels."""
    return round(WIDTH * SCREEN), round(height_of(panel, pictures) * SCREEN)
