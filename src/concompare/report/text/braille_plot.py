"""The shape of time against workers for a terminal: a small plot of braille dots, its lines named at their ends."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from concompare import formats

if TYPE_CHECKING:
    from concompare.report.view.model import Pictures
    from concompare.report.view.parts import Curve

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character by row and column (Unicode 8.0, Braille Patterns)."""
LEAST_HEIGHT = 7
LOGARITHMIC_FROM = 20.0
"""Ratio of the longest to the shortest time from which the axis is logarithmic."""


def shape_of(pictures: Pictures, width: int) -> list[str]:
    """Return the lines of the plot, or none where there are fewer than two worker counts to plot."""
    counts = sorted({point.workers for curve in pictures.curves for point in curve.points})
    if len(counts) < 2:
        return []
    named = [(curve.label, curve) for curve in pictures.curves]
    room = max(len("plain loop"), *(len(label) for label, _ in named))
    columns = max(10, min(60, width - room - 13))
    rows = max(LEAST_HEIGHT, len(named) + 1)
    times = [point.seconds for curve in pictures.curves for point in curve.points]
    times += [pictures.plain] if pictures.plain else []
    place = Axis(times, rows * 4)
    across = positions(counts, columns * 2)
    canvas = [[0] * columns for _ in range(rows)]
    wanted: list[tuple[int, str]] = []
    if pictures.plain:
        draw_level(canvas, place.row(pictures.plain))
        wanted.append((place.row(pictures.plain), "plain loop"))
    for label, curve in named:
        draw_curve(canvas, curve, across, place)
        wanted.append((place.row(curve.points[-1].seconds), label))
    ends = spread_out(wanted, rows)
    marks = {0: place.top, rows - 1: place.bottom}
    lines = [f"time of one pass{' (logarithmic)' if place.logarithmic else ''}"]
    for i, dots in enumerate(canvas):
        drawn = "".join(chr(0x2800 + bits) if bits else " " for bits in dots)
        mark = formats.round_seconds(marks[i]) if i in marks else ""
        lines.append(f"{mark:>8} ┤{drawn} {ends.get(i, '')}".rstrip())
    lines.append(ticks(counts, across, columns))
    return lines


class Axis:
    """The vertical axis: from a time to a row of dots, 0 at the top; from zero up unless logarithmic."""

    def __init__(self, times: list[float], rows: int) -> None:
        self.top, least = max(times), min(times)
        self.logarithmic = least > 0 and self.top / least > LOGARITHMIC_FROM
        self.bottom = least if self.logarithmic else 0.0
        self.rows = rows

    def row(self, time: float) -> int:
        """Return the row of dots of a time."""
        if self.logarithmic:
            share = math.log(time / self.bottom) / math.log(self.top / self.bottom)
        else:
            share = time / self.top if self.top else 0.0
        return round((1 - min(1.0, max(0.0, share))) * (self.rows - 1))


def positions(counts: list[int], dots: int) -> dict[int, int]:
    """Return the column of dots of each worker count, on a logarithmic axis."""
    low, high = math.log(counts[0]), math.log(counts[-1])
    return {count: round((math.log(count) - low) / (high - low) * (dots - 3)) + 1 for count in counts}


def draw_level(canvas: list[list[int]], row: int) -> None:
    """Draw a dotted level."""
    for column in range(0, len(canvas[0]) * 2, 4):
        dot(canvas, column, row)


def draw_curve(canvas: list[list[int]], curve: Curve, across: dict[int, int], place: Axis) -> None:
    """Draw the line through a backend's points, and a thicker dot at each."""
    spots = [(across[point.workers], place.row(point.seconds)) for point in curve.points]
    for (x0, y0), (x1, y1) in pairwise(spots):
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for step in range(steps + 1):
            dot(canvas, round(x0 + (x1 - x0) * step / steps), round(y0 + (y1 - y0) * step / steps))
    for x, y in spots:
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            dot(canvas, x + dx, y + dy)


def dot(canvas: list[list[int]], column: int, row: int) -> None:
    """Set one dot, unless it is off the canvas."""
    if 0 <= row < len(canvas) * 4 and 0 <= column < len(canvas[0]) * 2:
        canvas[row // 4][column // 2] |= DOTS[row % 4][column % 2]


def spread_out(wanted: list[tuple[int, str]], rows: int) -> dict[int, str]:
    """Return a line for each label, as near to its wanted row of dots as the others allow, in their order."""
    ordered = sorted(wanted)
    placed: list[int] = []
    for row, _ in ordered:
        placed.append(max(row // 4, placed[-1] + 1 if placed else 0))
    limit = rows - 1
    for i in range(len(placed) - 1, -1, -1):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - 1
    return {row: label for row, (_, label) in zip(placed, ordered, strict=True)}


def ticks(counts: list[int], across: dict[int, int], columns: int) -> str:
    """Return the worker counts under the plot, those left out that would touch another."""
    line = [" "] * (columns + 4)
    free = 0
    for count in counts:
        start = across[count] // 2
        text = str(count)
        if start >= free:
            line[start : start + len(text)] = text
            free = start + len(text) + 1
    return " " * 10 + "".join(line).rstrip() + " workers"
