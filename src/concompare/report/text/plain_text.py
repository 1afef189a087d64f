"""The text of a view of one table, as `text` writes it, without what that imports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from unicodedata import combining, east_asian_width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from concompare.report.view.model import Table, View

WIDTH = 100
GAP = 2
KEYS_OF_A_ROW = 2
"""Columns that say which row it is, repeated where a table goes on below."""
WORDS = re.compile(r"\s*\S+\s*")
FIRST_COMBINING = "\u0300"
"""The first letter that takes no column of its own; those that take two come later."""


def brief_of(view: View, width: int = WIDTH) -> str:
    """Return the verdict and the table of a view that has neither pictures, remarks nor details, as text."""
    change = view.change and f"  {view.change}"
    lines = [*wrapped(" ".join(filter(None, (view.headline, view.interval, change))), width)]
    if view.because:
        lines += wrapped(view.because, width)
    if view.table.rows:
        lines += ["", *lines_of(view.table, width)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if not text or max(text) < FIRST_COMBINING:
        return len(text)
    return sum(0 if combining(letter) else 1 + (east_asian_width(letter) in "WF") for letter in text)


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield a text in lines of at most so many columns, broken between words where they fit."""
    if columns(text) <= width:
        yield text
        return
    line = ""
    for word in WORDS.findall(text) or [text]:
        if line and columns(line) + columns(word.rstrip()) > width:
            yield line
            line = ""
        while columns(word.rstrip()) > width:
            end = next(at for at in range(len(word), 0, -1) if columns(word[:at]) <= width)
            yield word[:end]
            word = word[end:]
        line += word
    yield line


def lines_of(table: Table, width: int) -> Iterator[str]:
    """Yield the lines of a table; the columns that do not fit go on in a second one under it."""
    keys = 1 + (table.columns[1:2] != () and table.columns[1].key == "workers")
    widths = [
        max(columns(column.title), *(columns(row.cells[place]) for row in table.rows))
        for place, column in enumerate(table.columns)
    ]
    rest = list(range(keys, len(widths)))
    while rest:
        shown = list(range(keys))
        while rest and (len(shown) == keys or sum(widths[i] + GAP for i in (*shown, rest[0])) + GAP <= width):
            shown.append(rest.pop(0))
        for cells in ([column.title for column in table.columns], *(row.cells for row in table.rows)):
            yield "   " + "  ".join(placed(cells[i], widths[i], right=table.columns[i].numbers) for i in shown)
        if rest:
            yield ""


def placed(cell: str, width: int, *, right: bool) -> str:
    """Return a cell in its column."""
    room = " " * (width - columns(cell))
    return room + cell if right else cell + room
