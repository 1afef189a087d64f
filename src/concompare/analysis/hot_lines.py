"""The lines of the user's code that take most, and those at which threads wait for the GIL."""

from __future__ import annotations

from typing import NamedTuple

from concompare.records import Comparison, Line, LineProfile, Trial

MOST = 3
"""Lines of a profile that are named."""
LEAST = 0.02
"""Share of the items' time from which on a line is named."""
ENOUGH = 20
"""Samples below which a profile tells nothing."""
WAITING = 0.1
"""Share of the threads' time from which on their waiting at a line is named."""
SURE = 0.5
"""Share of that at instructions that wait for nothing but the GIL, from which on it is called the GIL."""

Where = tuple[str, int, str]


class Waiting(NamedTuple):
    """A line at which threads wait for each other.

    Attributes:
        share: Of the threads' time, that which they wait there, beyond what the plain loop does on as many items.
        sure: Whether it can only be the GIL; else it may be another lock.
    """

    line: Line
    share: float
    sure: bool


def told(comparison: Comparison) -> tuple[LineProfile, ...]:
    """Return the profiles with enough samples."""
    return tuple(profile for profile in comparison.profiles if profile.samples >= ENOUGH and profile.seconds > 0)


def trial_of(profile: LineProfile, comparison: Comparison) -> Trial | None:
    """Return the trial that a profile is of."""
    wanted = (profile.backend, profile.workers, profile.native_threads)
    return next((t for t in comparison.trials if (t.backend, t.workers, t.native_threads) == wanted), None)


def where(line: Line) -> Where:
    """Return what makes the lines of two profiles the same; cells number their lines each from 1."""
    return line.file, line.line, line.text


def shares(profile: LineProfile) -> dict[Where, float]:
    """Return the share of the items' time at each line, from 0 to 1: comprehensions are functions on their line."""
    found: dict[Where, float] = {}
    for line in profile.lines:
        found[where(line)] = found.get(where(line), 0.0) + line.seconds / profile.seconds
    return found


def hottest(profile: LineProfile) -> tuple[Where, ...]:
    """Return the lines that take most, at most three, the longest first."""
    found = sorted(shares(profile).items(), key=lambda entry: -entry[1])
    return tuple(at for at, share in found[:MOST] if share >= LEAST)


def waiting_lines(comparison: Comparison) -> tuple[Waiting, ...]:
    """Return the lines at which threads wait for each other, the longest first."""
    known = [(p, trial) for p in told(comparison) if (trial := trial_of(p, comparison)) is not None]
    plain = next((p for p, trial in known if trial.plain), None)
    threads = next((p for p, trial in known if trial.threads), None)
    if threads is None:
        return ()
    usual: dict[Where, float] = {}
    if plain is not None and plain.items:
        for line in plain.lines:
            usual[where(line)] = usual.get(where(line), 0.0) + line.waiting * threads.items / plain.items
    found = []
    for line in threads.lines:
        share = (line.waiting - usual.get(where(line), 0.0)) / threads.seconds
        if share >= WAITING:
            found.append(Waiting(line, share, line.sure >= SURE * line.waiting))
    return tuple(sorted(found, key=lambda waiting: -waiting.share)[:MOST])
