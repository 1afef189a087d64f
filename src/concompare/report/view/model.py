"""Parts of a view as frozen data: formatted words, and the numbers that pictures draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concompare.report.view.parts import Bar, Curve, Remark, Timeline

LEDGER_PARTS = (
    ("computing", "computing"),
    ("waiting", "waiting for a CPU"),
    ("lock", "GIL or lock"),
    ("io", "I/O"),
    ("sending", "sending"),
    ("idle", "idle"),
    ("unexplained", "unexplained"),
)
"""The parts of the ledger in the order they are shown, and the one word for each."""
BLOCKED = ("blocked", "GIL, lock or I/O")
"""Parts of the strips where no plain loop was measured that could tell a lock from I/O."""
STRIP_PARTS = (*LEDGER_PARTS, BLOCKED)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its heading, what the heading means, and whether numbers stand in it."""

    key: str
    title: str
    meaning: str = ""
    numbers: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        cells: One text per column.
        kind: "pick", "plain" (the plain loop), "failed" or "other".
        note: What stands in place of the numbers of a failed row.
        backend: Whose colour the row has, or nothing.
    """

    cells: tuple[str, ...]
    kind: str = "other"
    note: str = ""
    backend: str = ""
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A caption, columns and rows."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """A detail that is folded away: a title with lines, a table or code under it."""

    title: str
    lines: tuple[str, ...] = ()
    table: Table | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The numbers that the pictures draw.

    Attributes:
        plain: Seconds of the plain loop, or None; `plain_picked` where it is what is recommended.
        capacity: What this machine really gives: ((processes, times one process's work), …).
        weak: Every worker does the same amount of work, so the ideal time is flat.
        more_bars: How many trials have no bar for lack of room.
    """

    curves: tuple[Curve, ...] = ()
    plain: float | None = None
    plain_picked: bool = False
    capacity: tuple[tuple[int, float], ...] = ()
    cpus: int = 1
    weak: bool = False
    bars: tuple[Bar, ...] = ()
    more_bars: int = 0
    timeline: Timeline | None = None


@dataclass(frozen=True, slots=True)
class View:
    """Content of a report; text and HTML are both written from it.

    Attributes:
        headline: The verdict in a few words ("4 processes: 3.60× faster").
        interval: The interval of its number, or nothing.
        change: What that means in seconds ("8.21 s → 2.28 s for 240 items").
        because: The reason in one sentence.
        line: The magic to paste, or nothing.
        notices: What to know before the numbers, one sentence each.
        doing: What is being done, while it is being measured; empty when it is complete.
        fraction: How much of it is done, 0 to 1, while it is being measured.
    """

    headline: str
    interval: str
    change: str
    because: str
    line: str
    table: Table
    remarks: tuple[Remark, ...] = ()
    folds: tuple[Fold, ...] = ()
    pictures: Pictures = Pictures()
    notices: tuple[str, ...] = ()
    doing: str = ""
    fraction: float = 1.0
