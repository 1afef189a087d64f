"""What a view consists of, as frozen data: words already formatted, and the numbers that pictures draw."""

from __future__ import annotations

from dataclasses import dataclass

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
"""What strips show where no plain loop was measured that could tell a lock from I/O."""
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
class Remark:
    """A finding as it is said: its code, the sentence with the number, and the next step."""

    code: str
    summary: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Fold:
    """A detail that is folded away: a title with lines, a table or code under it."""

    title: str
    lines: tuple[str, ...] = ()
    table: Table | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """One trial as drawn: seconds and ratios as numbers; `speed` is (low, mid, high) or None."""

    workers: int
    seconds: float
    spread: float = 0.0
    speed: tuple[float, float, float] | None = None
    picked: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """The points of one backend, by workers.

    Attributes:
        fit: A law fitted to them, as speed-ups: (workers, low, mid, high), on to more workers; empty without one.
    """

    backend: str
    label: str
    points: tuple[Point, ...]
    fit: tuple[tuple[float, float, float, float], ...] = ()

    @property
    def beyond(self) -> tuple[tuple[float, float, float, float], ...]:
        """Return the part of the fit that lies beyond what was measured."""
        return tuple(point for point in self.fit if point[0] >= self.points[-1].workers)


@dataclass(frozen=True, slots=True)
class Bar:
    """Where the workers' time of one trial went: (part, share), shares summing to 1."""

    backend: str
    label: str
    shares: tuple[tuple[str, float], ...]
    picked: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one worker's time, in seconds since the pass began, and how it divides: (part, share)."""

    start: float
    end: float
    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Strip:
    """One worker's spans."""

    label: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Strips:
    """The workers of one trial on the time axis that all strips share."""

    backend: str
    label: str
    strips: tuple[Strip, ...]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """The strips of some trials over the first `until` seconds of their passes; `whole` where that is all of them."""

    groups: tuple[Strips, ...]
    until: float
    whole: bool


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
    """What is said about a comparison; text and HTML are both written from this.

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
