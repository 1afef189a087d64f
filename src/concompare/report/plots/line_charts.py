"""The panels with workers on the axis: time of one pass, and speed-up, each line named at its end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib import ticker

from concompare import formats
from concompare.report.palette import INKS, Theme, look_of
from concompare.report.plots import canvas
from concompare.report.plots.label_layout import spread_apart, thinned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

    from concompare.report.view.model import Pictures
    from concompare.report.view.parts import Curve, Point

HEIGHT = 3.0
LABEL_GAP = 0.155
"""Inches from one end label to the next."""
LEFT, BOTTOM, TOP = 0.62, 0.5, 0.42
MOST_BOUNDS = 48
MARKER = 5.0
"""Points across a marker."""
LOGARITHMIC_FROM = 20.0
"""Ratio of the greatest to the least value from which the vertical axis is logarithmic."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A label at the right of a line: where the line ends, in data, and what to call it."""

    x: float
    y: float
    words: str
    colour: str
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """The vertical axis: its ends and whether it is logarithmic."""

    low: float
    high: float
    logarithmic: bool

    def share(self, value: float) -> float:
        """Return where a value lies between the ends, 0 to 1."""
        if self.logarithmic:
            value = max(value, self.low / 1e3)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def has_axis(pictures: Pictures) -> bool:
    """Say whether there are different worker counts to draw an axis of."""
    return len(counts_of(pictures)) > 1


def counts_of(pictures: Pictures, *, fits: bool = False) -> list[int]:
    """Return the worker counts, in order; with `fits` those up to which curves are fitted as well."""
    counts = {point.workers for curve in pictures.curves for point in curve.points}
    return sorted(counts | {round(curve.beyond[-1][0]) for curve in pictures.curves if fits and curve.beyond})


def height(pictures: Pictures) -> float:
    """Return the height of these panels in inches: higher where many lines want their names."""
    return max(HEIGHT, BOTTOM + TOP + LABEL_GAP * (len(pictures.curves) + 4))


def scale_of(values: Sequence[float]) -> Scale:
    """Return the axis for these values: from zero up, or logarithmic where they differ much."""
    known = [v for v in values if math.isfinite(v) and v > 0]
    least, most = min(known, default=1.0), max(known, default=1.0)
    if most / least > LOGARITHMIC_FROM:
        return Scale(least / 1.3, most * 1.3, logarithmic=True)
    return Scale(0.0, most * 1.1, logarithmic=False)


def draw_time(part: SubFigure, pictures: Pictures, theme: Theme, width: float, tall: float) -> None:
    """Draw the time of one pass against workers, with the plain loop, the ideal and what the machine can give."""
    values = [p.seconds for c in pictures.curves for p in c.points] + ([pictures.plain] if pictures.plain else [])
    most = max(values)
    tops = [min(p.seconds + p.spread, 1.5 * most) for c in pictures.curves for p in c.points]
    scale = scale_of([*values, *tops])
    endings = [(look_of(c.backend), c.label, c.points[-1].workers, c.points[-1].seconds) for c in pictures.curves]
    named = [Ending(math.log2(n), y, label, look.colour(theme), bold=True) for look, label, n, y in endings]
    counts = counts_of(pictures)
    guides = guide_lines(pictures, counts) if pictures.plain else []
    plain = pictures.plain or 0.0
    guides = [(name, dashes, [(n, plain / ratio) for n, ratio in points]) for name, dashes, points in guides]
    if pictures.plain:
        guides.insert(0, ("plain loop", (5, 3), [(counts[0], plain), (counts[-1], plain)]))
    axes = prepared(part, counts, theme, (width, tall), named, guides, scale)
    time_ticks(axes, scale, theme)
    for curve in pictures.curves:
        bounds = [(max(p.seconds - p.spread, scale.low), p.seconds, p.seconds + p.spread) for p in curve.points]
        draw_curve(axes, curve.backend, theme, curve.points, bounds, bars=has_bars(curve, pictures))
    canvas.title(part, (width, tall), "Time of one pass", theme)
    name_pick(part, pictures, theme, (width, tall))


def draw_speed(part: SubFigure, pictures: Pictures, theme: Theme, width: float, tall: float) -> None:
    """Draw the speed-up with its interval against workers, with the ideal and what the machine can give."""
    found = [(c, [p for p in c.points if p.speed is not None]) for c in pictures.curves]
    known = [(c, points) for c, points in found if points]
    values = [v for _, points in known for p in points if p.speed for v in p.speed] + [1.0]
    values += [v for curve, _ in known for _, *bounds in curve.beyond for v in bounds]
    counts = counts_of(pictures, fits=True)
    guides = guide_lines(pictures, counts, flat=False)
    scale = scale_of([*values, min(max(values) * 1.25, counts[-1])])
    named = [
        Ending(math.log2(ending[0]), ending[1], c.label, look_of(c.backend).colour(theme), bold=True)
        for c, points in known
        if (ending := end_of(c, points)) is not None
    ]
    guides.insert(0, ("plain loop", (5, 3), [(counts[0], 1.0), (counts[-1], 1.0)]))
    axes = prepared(part, counts, theme, (width, tall), named, guides, scale)
    ratio_ticks(axes, scale)
    if any(curve.beyond for curve, _ in known):
        axes.set_xlabel("workers (dashed: fitted, not measured)", color=INKS[theme].muted, size=canvas.TEXT_SIZE)
    for curve, points in known:
        draw_fit(axes, curve, theme)
        speeds = [p.speed for p in points if p.speed]
        draw_curve(axes, curve.backend, theme, points, speeds, bars=has_bars(curve, pictures))
    canvas.title(part, (width, tall), "Speed-up over the plain loop", theme)
    name_pick(part, pictures, theme, (width, tall))


def end_of(curve: Curve, points: Sequence[Point]) -> tuple[float, float] | None:
    """Return where a curve of speed-ups ends, with what is fitted beyond its points."""
    if curve.beyond:
        workers, _, mid, _ = curve.beyond[-1]
        return workers, mid
    last = points[-1]
    return (last.workers, last.speed[1]) if last.speed is not None else None


def draw_fit(axes: Axes, curve: Curve, theme: Theme) -> None:
    """Draw the fitted law beyond what was measured: dashed, its interval as a light band."""
    beyond = curve.beyond
    if not beyond:
        return
    colour = look_of(curve.backend).colour(theme)
    xs = [math.log2(workers) for workers, *_ in beyond]
    axes.plot(xs, [mid for *_, mid, _ in beyond], color=colour, linewidth=1.4, dashes=(3, 2), zorder=2.8, label="fit")
    lows, highs = [low for _, low, _, _ in beyond], [high for *_, high in beyond]
    axes.fill_between(xs, lows, highs, color=colour, alpha=0.16, linewidth=0, zorder=1.3)


Guide = tuple[str, tuple[float, ...], list[tuple[int, float]]]


def guide_lines(pictures: Pictures, counts: list[int], flat: bool = True) -> list[Guide]:
    """Return the ideal and the ceiling of the machine as ratios to one worker, by workers.

    Args:
        pictures: What is drawn.
        counts: The worker counts at the axis.
        flat: Whether weak scaling makes the ideal flat (time does, speed-up does not).
    """
    if pictures.weak and flat:
        return [("ideal", (1, 1.5), [(n, 1.0) for n in counts])]
    dense = sorted({*counts, *(round(counts[0] * (counts[-1] / counts[0]) ** (i / 24)) for i in range(25))})
    guides: list[Guide] = [("ideal", (1, 1.5), [(n, float(n)) for n in dense])]
    ceiling = [(n, ratio) for n, ratio in pictures.capacity if counts[0] <= n <= counts[-1]]
    if ceiling and pictures.cpus <= ceiling[-1][0] < counts[-1]:
        ceiling.append((counts[-1], ceiling[-1][1]))
    if len(ceiling) > 1:
        guides.append(("CPU ceiling", (4, 1.5, 1, 1.5), ceiling))
    return guides


def prepared(
    part: SubFigure,
    counts: list[int],
    theme: Theme,
    size: tuple[float, float],
    named: list[Ending],
    guides: list[Guide],
    scale: Scale,
) -> Axes:
    """Return axes with the worker counts, the guides, and every line's name at its end."""
    ink = INKS[theme]
    endings = [Ending(e.x, e.y, canvas.shortened(e.words), e.colour, e.bold) for e in named]
    endings += [Ending(math.log2(p[-1][0]), p[-1][1], name, ink.muted) for name, _, p in guides]
    widest = max(canvas.inches(e.words, canvas.TEXT_SIZE, "bold" if e.bold else "normal") for e in endings)
    axes = canvas.axes_at(part, size, (LEFT, widest + 0.34, BOTTOM, TOP), theme)
    axes.grid(axis="y", color=ink.grid, linewidth=0.7)
    low, high = math.log2(counts[0]), math.log2(counts[-1])
    pad = (high - low) * 0.04
    axes.set_xlim(low - pad, high + pad)
    if scale.logarithmic:
        axes.set_yscale("log")
    axes.set_ylim(scale.low, scale.high)
    for _, dashes, points in guides:
        xs, ys = [math.log2(n) for n, _ in points], [value for _, value in points]
        axes.plot(xs, ys, color=ink.muted, linewidth=1.1, dashes=dashes, zorder=1.5)
    across = size[0] - LEFT - widest - 0.34
    worker_ticks(axes, counts, across, theme)
    write_endings(axes, endings, scale, (across, size[1] - BOTTOM - TOP), ink.muted)
    return axes


def worker_ticks(axes: Axes, counts: list[int], across: float, theme: Theme) -> None:
    """Mark the worker counts, and write as many of them as there is room for."""
    low, high = axes.get_xlim()
    places = [(math.log2(n) - low) / (high - low) * across for n in counts]
    written = set(thinned(places, [canvas.inches(str(n)) for n in counts], 0.06))
    axes.set_xticks([math.log2(n) for n in counts])
    axes.set_xticklabels([str(n) if i in written else "" for i, n in enumerate(counts)])
    axes.minorticks_off()
    axes.set_xlabel("workers", color=INKS[theme].muted, size=canvas.TEXT_SIZE)


def write_endings(axes: Axes, endings: list[Ending], scale: Scale, size: tuple[float, float], muted: str) -> None:
    """Write the names at the right, as near to their lines' ends as the others allow, each led to its line."""
    across, tall = size
    wanted = [min(1.0, max(0.0, scale.share(e.y))) * tall for e in endings]
    places = spread_apart(wanted, LABEL_GAP, 0.0, tall)
    low, high = axes.get_xlim()
    for ending, want, place in zip(endings, wanted, places, strict=True):
        end = (ending.x - low) / (high - low)
        clipped = scale.share(ending.y) > 1
        words = f"{ending.words} ↗" if clipped else ending.words
        weight = "bold" if ending.bold else "normal"
        canvas.write(
            axes,
            1 + 0.16 / across,
            place / tall,
            words,
            transform=axes.transAxes,
            color=ending.colour,
            weight=weight,
            va="center",
        )
        if clipped:
            continue
        axes.plot(
            [end + 0.05 / across, 1 + 0.06 / across, 1 + 0.14 / across],
            [want / tall, want / tall, place / tall],
            transform=axes.transAxes,
            color=ending.colour if ending.bold else muted,
            linewidth=0.6,
            alpha=0.7,
            clip_on=False,
            zorder=1.2,
        )


def has_bars(curve: Curve, pictures: Pictures) -> bool:
    """Say whether a line shows the bounds of its points; among very many points only the line with the pick does."""
    few = sum(len(other.points) for other in pictures.curves) <= MOST_BOUNDS
    return few or any(point.picked for point in curve.points)


def draw_curve(
    axes: Axes,
    backend: str,
    theme: Theme,
    points: Sequence[Point],
    bounds: Sequence[tuple[float, float, float]],
    *,
    bars: bool = True,
) -> None:
    """Draw one backend's line with its bounds (unless there are too many to tell apart), a ring around the pick."""
    look = look_of(backend)
    colour = look.colour(theme)
    xs = [math.log2(p.workers) for p in points]
    middles = [middle for _, middle, _ in bounds]
    line = axes.plot(xs, middles, color=colour, linewidth=1.8, marker=look.marker, markersize=MARKER, zorder=3)[0]
    if not bars:
        line.set_markevery([0, len(xs) - 1])
    if look.dashes:
        line.set_dashes(look.dashes)
    if bars:
        draw_bounds(axes, colour, xs, bounds)
    for x, point, middle in zip(xs, points, middles, strict=True):
        if point.picked:
            axes.plot(
                [x],
                [middle],
                "o",
                markersize=12,
                markerfacecolor="none",
                markeredgecolor=colour,
                markeredgewidth=1.8,
                zorder=4,
                clip_on=False,
            )


def draw_bounds(axes: Axes, colour: str, xs: Sequence[float], bounds: Sequence[tuple[float, float, float]]) -> None:
    """Draw the bounds of a line's points, but for those that would hide behind their markers."""
    dots = MARKER / 72 * axes.figure.dpi
    ends = [[axes.transData.transform((x, value))[1] for value in found] for x, found in zip(xs, bounds, strict=True)]
    seen = [place for place, (low, _, high) in enumerate(ends) if high - low > 1.6 * dots]
    below = [max(0.0, bounds[i][1] - bounds[i][0]) for i in seen]
    above = [max(0.0, bounds[i][2] - bounds[i][1]) for i in seen]
    places, middles = [xs[i] for i in seen], [bounds[i][1] for i in seen]
    looks: dict[str, Any] = {"ecolor": colour, "elinewidth": 1.3, "capsize": 3.5, "capthick": 1.3}
    axes.errorbar(places, middles, yerr=[below, above], fmt="none", zorder=3, **looks)


def name_pick(part: SubFigure, pictures: Pictures, theme: Theme, size: tuple[float, float]) -> None:
    """Say at the upper right what the ring means, or that the plain loop is the pick."""
    if pictures.plain_picked:
        canvas.aside(part, size, "pick: the plain loop", INKS[theme].muted)
    for curve in pictures.curves:
        for point in curve.points:
            if point.picked:
                words = f"◯ pick: {canvas.shortened(curve.label, 18)} × {point.workers}"
                canvas.aside(part, size, words, look_of(curve.backend).colour(theme))


def time_ticks(axes: Axes, scale: Scale, theme: Theme) -> None:
    """Write times at the vertical axis: in one unit, or each with its own where the axis is logarithmic."""
    if scale.logarithmic:
        log_ticks(axes, scale, lambda value: formats.seconds(value, 1))
        return
    unit, name = formats.unit_of(scale.high)
    names = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "µs": "microseconds", "ms": "milliseconds"}
    ticks = linear_ticks(scale.high / unit)
    axes.set_yticks([tick * unit for tick in ticks])
    axes.set_yticklabels([f"{tick:g}" for tick in ticks])
    axes.set_ylabel(names.get(name, name), color=INKS[theme].muted, size=canvas.TEXT_SIZE)


def ratio_ticks(axes: Axes, scale: Scale) -> None:
    """Write ratios at the vertical axis."""
    if scale.logarithmic:
        log_ticks(axes, scale, lambda value: f"{value:g}×")
        return
    ticks = linear_ticks(scale.high)
    axes.set_yticks(ticks)
    axes.set_yticklabels([f"{tick:g}×" for tick in ticks])


def linear_ticks(high: float) -> list[float]:
    """Return round numbers from 0 to an axis's end."""
    found = ticker.MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(0, high)
    return [round(float(tick), 12) for tick in found if 0 <= tick <= high * 1.0001]


def log_ticks(axes: Axes, scale: Scale, say: Callable[[float], str]) -> None:
    """Write round numbers at a logarithmic axis: 1, 2, 5 of each decade where there are few decades."""
    decades = math.log10(scale.high / scale.low)
    steps = (1, 2, 5) if decades < 2.5 else (1,)
    every = max(1, math.ceil(decades / 7))
    powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    ticks = [step * 10.0**power for power in powers if power % every == 0 for step in steps]
    shown = [tick for tick in ticks if scale.low <= tick <= scale.high]
    axes.set_yticks(shown)
    axes.set_yticklabels([say(tick) for tick in shown])
    axes.minorticks_off()
