"""Place labels so that none overlaps another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def spread_apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return a place for each label: at least `gap` apart, between `low` and `high`, as near to where they belong.

    Labels that would touch are joined into a block that sits at the mean of their places (pool adjacent violators).
    Where there is no room for all, the gap shrinks.
    """
    if not wanted:
        return []
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], i))
    if len(wanted) > 1:
        gap = min(gap, (high - low) / (len(wanted) - 1))
    blocks: list[list[float]] = []  # [sum of (place - own offset), members]
    for i in order:
        blocks.append([wanted[i], 1.0])
        while (
            len(blocks) > 1 and top_of(blocks[-2], gap, low, high) > bottom_of(blocks[-1], gap, low, high) - gap + 1e-9
        ):
            total, members = blocks.pop()
            before = blocks[-1]
            before[0] += total - members * before[1] * gap
            before[1] += members
    places: list[float] = []
    for block in blocks:
        start = bottom_of(block, gap, low, high)
        places += [start + k * gap for k in range(int(block[1]))]
    found = [0.0] * len(wanted)
    for i, place in zip(order, places, strict=True):
        found[i] = place
    return found


def bottom_of(block: list[float], gap: float, low: float, high: float) -> float:
    """Return the lowest place of a block, kept between the bounds."""
    total, members = block
    return max(low, min(total / members, high - (members - 1) * gap))


def top_of(block: list[float], gap: float, low: float, high: float) -> float:
    """Return the highest place of a block."""
    return bottom_of(block, gap, low, high) + (block[1] - 1) * gap


def thinned(places: Sequence[float], widths: Sequence[float], least: float) -> list[int]:
    """Return which labels of an axis to write: the first, the last, and those between that touch no written one."""
    if not places:
        return []
    kept = [0]
    last = len(places) - 1
    for i in range(1, last):
        left = places[kept[-1]] + widths[kept[-1]] / 2 + least
        right = places[last] - widths[last] / 2 - least
        if places[i] - widths[i] / 2 >= left and places[i] + widths[i] / 2 <= right:
            kept.append(i)
    return [*kept, last] if last else kept
