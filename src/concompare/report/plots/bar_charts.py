"""The panels of lying bars: where the workers' time went, and times where there is one worker count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from concompare import formats
from concompare.records import PLAIN
from concompare.report.palette import HATCHING, INKS, PART_COLOURS, PART_HATCHES, Theme, ink_on, look_of
from concompare.report.plots import canvas
from concompare.report.view.model import STRIP_PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

    from concompare.report.view.model import Pictures
    from concompare.report.view.parts import Bar, Point

STEP = 0.34
"""Inches from one bar to the next."""
THICK = 0.64
TOP = 0.45
LEGEND_STEP = 0.22
LEAST_SHARE = 0.005
LEAST_BOUNDS = 0.005
"""Share of the longest bar from which on a number's bounds are drawn: what was timed once has none."""


def ledger_height(pictures: Pictures) -> float:
    """Return the height of the ledger's panel in inches."""
    lines = len(legend_lines(keys_of(pictures.bars), canvas.WIDTH - 0.24)) + (pictures.more_bars > 0)
    return max(1.6, TOP + STEP * len(pictures.bars) + 0.16 + LEGEND_STEP * lines)


def keys_of(bars: Iterable[Bar]) -> list[str]:
    """Return the parts that are large enough to be drawn."""
    return [key for bar in bars for key, share in bar.shares if share >= LEAST_SHARE]


def draw_ledger(part: SubFigure, pictures: Pictures, theme: Theme, width: float, tall: float) -> None:
    """Draw where the workers' time of each trial went, as shares of workers × wall."""
    size = (width, tall)
    canvas.title(part, size, "Where the workers' time went", theme)
    labels = [canvas.shortened(bar.label) for bar in pictures.bars]
    left = max(canvas.inches(label, canvas.TEXT_SIZE, "bold") for label in labels) + 0.22
    bottom = tall - TOP - STEP * len(labels)
    axes = lying_axes(part, size, (left, 0.12, bottom, TOP), theme, len(labels))
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    across = width - left - 0.12
    for place, (bar, label) in enumerate(zip(pictures.bars, labels, strict=True)):
        name_bar(axes, place, label, look_of(bar.backend).colour(theme), picked=bar.picked)
        draw_shares(axes, place, bar, across)
    last = write_legend(part, size, keys_of(pictures.bars), theme, (left, bottom - 0.14))
    if pictures.more_bars:
        words = f"{formats.count(pictures.more_bars, 'more trial')} in numbers below"
        up = (last - LEGEND_STEP) / tall
        part.text(
            min(left, 1.5) / width,
            up,
            words,
            size=canvas.SMALL_SIZE,
            va="center",
            color=INKS[theme].muted,
            parse_math=False,
        )


def lying_axes(
    part: SubFigure, size: tuple[float, float], margins: tuple[float, float, float, float], theme: Theme, count: int
) -> Axes:
    """Return axes for so many lying bars, the first on top."""
    axes = canvas.axes_at(part, size, margins, theme)
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return axes


def name_bar(axes: Axes, place: int, label: str, colour: str, *, picked: bool) -> None:
    """Write a bar's name at its left."""
    canvas.write(
        axes,
        -0.012,
        place,
        label,
        transform=axes.get_yaxis_transform(),
        ha="right",
        va="center",
        color=colour,
        weight="bold" if picked else "normal",
    )


def draw_shares(axes: Axes, place: int, bar: Bar, across: float) -> None:
    """Draw one bar, its shares written where there is room for them."""
    start = 0.0
    for key, share in bar.shares:
        if share < LEAST_SHARE:
            start += share
            continue
        axes.add_patch(patch(key, start, place - THICK / 2, share, THICK))
        words = formats.percent(share)
        if share * across > canvas.inches(words, canvas.SMALL_SIZE) + 0.08:
            box = {"facecolor": PART_COLOURS[key], "edgecolor": "none", "pad": 0.8}
            canvas.write(
                axes,
                start + share / 2,
                place,
                words,
                size=canvas.SMALL_SIZE,
                ha="center",
                va="center",
                color=ink_on(PART_COLOURS[key]),
                bbox=box if key in PART_HATCHES else None,
            )
        start += share


def patch(key: str, x: float, y: float, width: float, height: float) -> Rectangle:
    """Return a part of a ledger as a rectangle, in its colour and hatching."""
    return Rectangle(
        (x, y),
        width,
        height,
        facecolor=PART_COLOURS[key],
        edgecolor=HATCHING if key in PART_HATCHES else "none",
        hatch=PART_HATCHES.get(key),
        linewidth=0,
    )


def legend_lines(keys: Iterable[str], room: float) -> list[list[tuple[str, str, float]]]:
    """Return the parts with their words and how wide they are, in as many lines as it takes."""
    known = set(keys)
    used = [(key, word) for key, word in STRIP_PARTS if key in known]
    lines: list[list[tuple[str, str, float]]] = [[]]
    for key, word in used:
        wide = 0.16 + canvas.inches(word, canvas.SMALL_SIZE) + 0.08
        if lines[-1] and sum(w for *_, w in lines[-1]) + wide > room:
            lines.append([])
        lines[-1].append((key, word, wide))
    return lines


def write_legend(
    part: SubFigure, size: tuple[float, float], keys: Iterable[str], theme: Theme, corner: tuple[float, float]
) -> float:
    """Write what the colours of these parts mean, from a corner downwards; further to the left where it needs room.

    Returns:
        The height of its last line.
    """
    width, tall = size
    axes = part.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, tall)
    lines = legend_lines(keys, width - 0.24)
    start = min(corner[0], max(0.12, width - 0.12 - max(sum(w for *_, w in line) for line in lines)))
    for place, line in enumerate(lines):
        x, y = start, corner[1] - LEGEND_STEP * place
        for key, word, wide in line:
            axes.add_patch(patch(key, x, y - 0.055, 0.13, 0.11))
            canvas.write(axes, x + 0.16, y, word, size=canvas.SMALL_SIZE, va="center", color=INKS[theme].text)
            x += wide
    return corner[1] - LEGEND_STEP * (len(lines) - 1)


@dataclass(frozen=True, slots=True)
class Lying:
    """A lying bar: its name, how long it is, what is written behind it, and the bounds of its number."""

    name: str
    value: float
    words: str
    backend: str
    picked: bool
    bounds: tuple[float, float] | None = None


def bars_height(pictures: Pictures) -> float:
    """Return the height in inches of the panels with one bar for each trial."""
    return max(1.4, TOP + STEP * (len(pictures.curves) + (pictures.plain is not None)) + 0.15)


def draw_times(part: SubFigure, pictures: Pictures, theme: Theme, width: float, tall: float) -> None:
    """Draw the times of all trials as bars with their spreads, where there is only one worker count."""
    rows = [
        Lying(
            name, p.seconds, formats.seconds(p.seconds), backend, p.picked, (p.seconds - p.spread, p.seconds + p.spread)
        )
        for name, backend, p in trials_of(pictures)
    ]
    if pictures.plain is not None:
        plain = pictures.plain
        rows.insert(0, Lying("plain loop", plain, formats.seconds(plain), PLAIN, pictures.plain_picked))
    canvas.title(part, (width, tall), "Time of one pass", theme)
    draw_bars(part, rows, theme, (width, tall))


def draw_speeds(part: SubFigure, pictures: Pictures, theme: Theme, width: float, tall: float) -> None:
    """Draw the speed-ups of all trials as bars with their intervals, where there is only one worker count."""
    rows = [Lying("plain loop", 1.0, "1×", PLAIN, pictures.plain_picked)]
    rows += [
        Lying(name, p.speed[1], formats.times(p.speed[1]), backend, p.picked, (p.speed[0], p.speed[2]))
        for name, backend, p in trials_of(pictures)
        if p.speed is not None
    ]
    canvas.title(part, (width, tall), "Speed-up over the plain loop", theme)
    axes = draw_bars(part, rows, theme, (width, tall))
    axes.axvline(1.0, color=INKS[theme].muted, linewidth=1.1, dashes=(5, 3), zorder=3)


def trials_of(pictures: Pictures) -> list[tuple[str, str, Point]]:
    """Return the trials that have a bar: name, backend and numbers."""
    return [(f"{canvas.shortened(c.label, 20)} × {p.workers}", c.backend, p) for c in pictures.curves for p in c.points]


def draw_bars(part: SubFigure, rows: Sequence[Lying], theme: Theme, size: tuple[float, float]) -> Axes:
    """Draw a bar for each row, named at its left, its number behind it and its bounds across its end."""
    left = max(canvas.inches(row.name, canvas.TEXT_SIZE, "bold") for row in rows) + 0.22
    words = [f"  {row.words}{'  pick' if row.picked else ''}" for row in rows]
    right = max(canvas.inches(said, canvas.TEXT_SIZE, "bold") for said in words) + 0.12
    axes = lying_axes(part, size, (left, right, 0.1, TOP), theme, len(rows))
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    longest = max(row.value for row in rows)
    ends = [min(max((row.value, *(row.bounds or ()))), 1.5 * longest) for row in rows]
    axes.set_xlim(0, max(ends))
    ink = INKS[theme]
    for place, (row, said, end) in enumerate(zip(rows, words, ends, strict=True)):
        colour = look_of(row.backend).colour(theme)
        name_bar(axes, place, row.name, colour, picked=row.picked)
        axes.add_patch(Rectangle((0, place - THICK / 2), row.value, THICK, facecolor=colour, linewidth=0))
        if row.bounds is not None and row.bounds[1] - row.bounds[0] > LEAST_BOUNDS * longest:
            low = max(0.0, row.bounds[0])
            bounds = [[row.value - low], [end - row.value]]
            edge = [withStroke(linewidth=3, foreground=ink.paper)]  # seen on the bar and beside it
            looks: dict[str, Any] = {"ecolor": ink.text, "elinewidth": 1.3, "capsize": 3, "path_effects": edge}
            axes.errorbar([row.value], [place], xerr=bounds, fmt="none", zorder=4, **looks)
        weight = "bold" if row.picked else "normal"
        canvas.write(axes, end, place, said, va="center", color=ink.text, weight=weight)
    return axes
