"""Alternative text of a picture: the result, not the axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concompare import formats
from concompare.report.view.model import LEDGER_PARTS

if TYPE_CHECKING:
    from concompare.report.view.model import Pictures, View
    from concompare.report.view.parts import Bar, Curve, Point

MOST = 12


def alt_of(view: View, panel: str) -> str:
    """Return what the panel of this name shows, in words."""
    pictures = view.pictures
    axis = "" if panel in ("times", "speed-ups") else " against workers"
    if panel == "ledger":
        return f"Where the workers' time went. {'; '.join(map(bar_words, pictures.bars))}."
    if panel == "timeline" and pictures.timeline is not None:
        names = " and ".join(group.label for group in pictures.timeline.groups)
        return f"What every worker of {names} did in the first {formats.seconds(pictures.timeline.until, 2)} of a pass."
    if panel in ("speed-up", "speed-ups"):
        words = [f"{curve.label}: {ends(curve, speed_words)}{fitted(curve)}" for curve in pictures.curves[:MOST]]
        return f"Speed-up over the plain loop{axis}. {'; '.join(words)}.{ceiling(pictures)}"
    words = [] if pictures.plain is None else [f"plain loop: {formats.seconds(pictures.plain)}"]
    words += [f"{curve.label}: {ends(curve, time_words)}" for curve in pictures.curves[:MOST]]
    return f"Time of one pass{axis}. {'; '.join(words)}."


def ends(curve: Curve, say: object) -> str:
    """Return the first and the last point of a line in words, and its pick."""
    words = say if callable(say) else str
    first, last = curve.points[0], curve.points[-1]
    picked = [point for point in curve.points if point.picked and point not in (first, last)]
    points = [first] if first is last else [first, *picked, last]
    return ", ".join(f"{words(point)} with {point.workers}{' (the pick)' if point.picked else ''}" for point in points)


def time_words(point: Point) -> str:
    """Return a point's time."""
    return formats.seconds(point.seconds)


def speed_words(point: Point) -> str:
    """Return a point's speed-up."""
    return formats.times(point.speed[1] if point.speed else None)


def fitted(curve: Curve) -> str:
    """Return what the fitted curve promises beyond the points, to follow them."""
    if not curve.beyond:
        return ""
    workers, low, mid, high = curve.beyond[-1]
    return f", fitted {formats.times(mid)} {formats.between(low, high)} with {round(workers)}"


def ceiling(pictures: Pictures) -> str:
    """Return what the machine can give, as a sentence to follow others."""
    many = [(count, ratio) for count, ratio in pictures.capacity if count > 1]
    return f" This machine gives {formats.times(many[-1][1])} with {many[-1][0]} processes." if many else ""


def bar_words(bar: Bar) -> str:
    """Return the larger parts of a bar in words."""
    shares = dict(bar.shares)
    known = {key: round(shares.get(key, 0.0), 6) for key, _ in LEDGER_PARTS}  # Python 3.12 sums more exactly
    parts = [f"{word} {formats.percent(shares[key])}" for key, word in LEDGER_PARTS if known[key] >= 0.05]
    return f"{bar.label}: {', '.join(parts)}"
