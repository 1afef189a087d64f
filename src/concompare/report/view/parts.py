"""Parts of the view of a whole comparison besides verdict and table: findings, notes, the data of plots."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remark:
    """A finding as it is said: its code, the sentence with the number, and the next step."""

    code: str
    summary: str
    advice: str = ""


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
    """Ledger of one trial: (part, share), shares summing to 1."""

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
