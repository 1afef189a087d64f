"""The panel of strips: what every worker did when, threads and processes on one time axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.collections import PolyCollection

from concompare import formats
from concompare.report.palette import HATCHING, INKS, PART_COLOURS, PART_HATCHES, Theme, look_of
from concompare.report.plots import bar_charts, canvas
from concompare.report.plots.line_charts import linear_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

    from concompare.report.view.model import Pictures
    from concompare.report.view.parts import Strip, Timeline

STEP = 0.17
"""Inches from one strip to the next."""
THICK = 0.78
HEADING = 0.24
TOP, BOTTOM = 0.42, 0.52
LEFT = 0.42
LEGEND = 0.24
"""Inches for the meaning of the colours, where no ledger beside it tells them."""


def height(pictures: Pictures) -> float:
    """Return the height of the panel in inches."""
    timeline = pictures.timeline
    if timeline is None:
        return 1.0
    return TOP + BOTTOM + strips_height(timeline) + (0.0 if pictures.bars else LEGEND)


def strips_height(timeline: Timeline) -> float:
    """Return the height of the strips with their headings in inches."""
    return sum(HEADING + STEP * max(1, len(group.strips)) for group in timeline.groups)


def draw(part: SubFigure, pictures: Pictures, theme: Theme, width: float, tall: float) -> None:
    """Draw the strips; within a strip the height of a colour is its share of that time."""
    timeline = pictures.timeline
    if timeline is None:
        return
    size = (width, tall)
    ink = INKS[theme]
    window = "" if timeline.whole else f" (first {formats.seconds(timeline.until, 2)})"
    canvas.title(part, size, f"Who did what when{window}", theme)
    canvas.aside(part, size, "height = share of that time", ink.muted)
    inner = strips_height(timeline)
    axes = canvas.axes_at(part, size, (LEFT, 0.2, tall - TOP - inner, TOP), theme)
    unit, name = formats.unit_of(timeline.until)
    axes.set_xlim(0, timeline.until)
    axes.set_ylim(inner, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    ticks = linear_ticks(timeline.until / unit)
    axes.set_xticks([tick * unit for tick in ticks])
    axes.set_xticklabels([f"{tick:g}" for tick in ticks])
    axes.set_xlabel({"s": "seconds", "ms": "milliseconds"}.get(name, name), color=ink.muted, size=canvas.TEXT_SIZE)
    draw_groups(axes, timeline, theme, width)
    if not pictures.bars:
        keys = {
            k for group in timeline.groups for strip in group.strips for span in strip.spans for k, _ in span.shares
        }
        bar_charts.write_legend(part, size, keys, theme, (LEFT, tall - TOP - inner - BOTTOM + 0.02))


def draw_groups(axes: Axes, timeline: Timeline, theme: Theme, width: float) -> None:
    """Draw the groups of strips from the top down, each under its name."""
    ink = INKS[theme]
    found: dict[str, list[list[tuple[float, float]]]] = {}
    y = 0.0
    for group in timeline.groups:
        words = canvas.shortened(group.label, 40)
        more = f"  and {formats.count(group.hidden, 'more worker')}" if group.hidden else ""
        colour = look_of(group.backend).colour(theme)
        canvas.write(
            axes, 0, y + HEADING * 0.6, words + more, color=colour, weight="bold", size=canvas.SMALL_SIZE, va="center"
        )
        y += HEADING
        for strip in group.strips:
            middle = y + STEP / 2
            axes.plot([0, timeline.until], [middle, middle], color=ink.grid, linewidth=0.8, zorder=1)
            canvas.write(
                axes,
                -0.06 * timeline.until / (width - LEFT - 0.2),
                middle,
                strip.label,
                size=7,
                color=ink.muted,
                ha="right",
                va="center",
            )
            add_spans(found, strip, y + STEP * (1 - THICK) / 2, STEP * THICK)
            y += STEP
    for key, shapes in found.items():
        hatch = PART_HATCHES.get(key)
        parts = PolyCollection(
            shapes,
            facecolors=PART_COLOURS[key],
            edgecolors=HATCHING if hatch else "none",
            linewidth=0,
            hatch=hatch,
            zorder=2,
        )
        axes.add_collection(parts, autolim=False)


def add_spans(found: dict[str, list[list[tuple[float, float]]]], strip: Strip, top: float, thick: float) -> None:
    """Add a strip's spans to the shapes of each colour: computing at the bottom, the rest above it."""
    for span in strip.spans:
        floor = top + thick
        for key, share in span.shares:
            roof = floor - share * thick
            found.setdefault(key, []).append(
                [(span.start, floor), (span.end, floor), (span.end, roof), (span.start, roof)]
            )
            floor = roof
