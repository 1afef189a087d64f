"""Helpers of all panels: axes by inches, text that is never mathematics, measured labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from concompare import formats
from concompare.report.palette import INKS, Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure
    from matplotlib.text import Text

WIDTH = 4.75
"""Inches of a panel, shown at 96 dots an inch; small enough to be read where two stand beside each other on 700."""
TITLE_SIZE = 10
TEXT_SIZE = 9
SMALL_SIZE = 8
LONGEST_LABEL = 26


def axes_at(
    part: SubFigure, size: tuple[float, float], margins: tuple[float, float, float, float], theme: Theme
) -> Axes:
    """Return axes in a part of a figure.

    Args:
        part: Where to put them.
        size: Width and height of the part in inches.
        margins: Left, right, bottom and top in inches.
        theme: Light or dark.
    """
    (width, height), (left, right, bottom, top) = size, margins
    ink = INKS[theme]
    axes = part.add_axes(
        (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    )
    axes.patch.set_alpha(0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(ink.muted)
    axes.tick_params(colors=ink.muted, labelsize=TEXT_SIZE, length=3)
    axes.set_axisbelow(True)
    return axes


def write(axes: Axes, x: float, y: float, words: str, **looks: Any) -> Text:
    """Write text that is never read as mathematics; places are data unless `transform` says otherwise."""
    looks.setdefault("size", TEXT_SIZE)
    return axes.text(x, y, words, parse_math=False, **looks)


def title(part: SubFigure, size: tuple[float, float], words: str, theme: Theme, left: float = 0.12) -> None:
    """Write the title of a panel at its upper left."""
    width, height = size
    part.text(
        left / width,
        1 - 0.08 / height,
        words,
        size=TITLE_SIZE,
        weight="bold",
        color=INKS[theme].text,
        va="top",
        parse_math=False,
    )


def aside(part: SubFigure, size: tuple[float, float], words: str, colour: str) -> None:
    """Write a remark at the upper right of a panel."""
    width, height = size
    part.text(
        1 - 0.1 / width,
        1 - 0.10 / height,
        words,
        size=SMALL_SIZE,
        color=colour,
        va="top",
        ha="right",
        parse_math=False,
    )


def inches(words: str, points: float = TEXT_SIZE, weight: str = "normal") -> float:
    """Return how wide a text is."""
    font = FontProperties(size=points, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(words, font, ismath=False)
    return float(width) / 72


def shortened(words: str, limit: int = LONGEST_LABEL) -> str:
    """Return a label no longer than there is room for: what is left out is in its middle."""
    return formats.cut(words, limit)
