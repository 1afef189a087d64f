"""The strips of the workers for a terminal: a line of blocks for each, as high as the share of the time it computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concompare import formats

if TYPE_CHECKING:
    from concompare.report.view.parts import Strip, Timeline

BLOCKS = "·▁▂▃▄▅▆▇█"
"""From not computing (waiting for a CPU, blocked, sending) to computing all the time; a blank is no item at all."""
MOST_COLUMNS = 64
MOST_STRIPS = 4
LONGEST_LABEL = 24
AT_WORK = 0.02
"""Share of a column's time from which on it is not blank."""


def strips_of(timeline: Timeline | None, width: int) -> list[str]:
    """Return the lines of the strips, none where nothing was recorded."""
    if timeline is None:
        return []
    labels = [formats.one_name(group.label, LONGEST_LABEL) for group in timeline.groups]
    room = max(map(len, labels)) + 2
    columns = max(10, min(MOST_COLUMNS, width - room - 4))
    window = "" if timeline.whole else f" (first {formats.seconds(timeline.until, 2)})"
    lines = [f"who did what when{window}  ▂█ computing  · waiting"]
    for label, group in zip(labels, timeline.groups, strict=True):
        for place, strip in enumerate(group.strips[:MOST_STRIPS]):
            name = "" if place else label
            lines.append(f"{name:{room}}{strip.label:>2} {blocks_of(strip, timeline.until, columns)}".rstrip())
        more = group.hidden + len(group.strips[MOST_STRIPS:])
        if more:
            lines.append(f"{'':{room}}   and {formats.count(more, 'more worker', 'more workers')}")
    end = formats.seconds(timeline.until, 2)
    lines.append(f"{'':{room + 3}}0{end:>{columns - 1}}")
    return lines


def blocks_of(strip: Strip, until: float, columns: int) -> str:
    """Return a worker's time as one block for each column."""
    step = until / columns
    return "".join(block(strip, place * step, (place + 1) * step) for place in range(columns))


def block(strip: Strip, start: float, end: float) -> str:
    """Return the block of a stretch of time."""
    there = computing = 0.0
    for span in strip.spans:
        overlap = max(0.0, min(end, span.end) - max(start, span.start)) / (end - start)
        there += overlap
        computing += overlap * dict(span.shares).get("computing", 0.0)
    if there < AT_WORK:
        return " "
    return BLOCKS[min(len(BLOCKS) - 1, round(computing * (len(BLOCKS) - 1)))]
