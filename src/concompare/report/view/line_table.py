"""The lines of the user's code that take most, as a detail of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from concompare import formats
from concompare.analysis import hot_lines
from concompare.report.view.model import Column, Fold, Row, Table
from concompare.report.view.naming import configuration

if TYPE_CHECKING:
    from concompare.analysis.hot_lines import Where
    from concompare.records import Comparison, Line, LineProfile

LONGEST_CODE = 60


def lines_fold(comparison: Comparison) -> Fold | None:
    """Return the three lines that take most in each profile, and where threads wait; None where nothing was seen."""
    profiles = [p for p in hot_lines.told(comparison) if hot_lines.trial_of(p, comparison) is not None]
    first = next((top for profile in profiles if (top := hot_lines.hottest(profile))), ())
    if not first:
        return None
    known: dict[Where, Line] = {}
    for line in (line for profile in profiles for line in profile.lines):
        known.setdefault(hot_lines.where(line), line)
    wanted = dict.fromkeys(at for profile in profiles for at in hot_lines.hottest(profile))
    shares = [hot_lines.shares(profile) for profile in profiles]
    names = [name_of(profile, comparison) for profile in profiles]
    columns = [Column("place", "line", numbers=False), Column("code", "code", numbers=False)]
    columns += [Column(f"share-{place}", name) for place, name in enumerate(names)]
    rows = tuple(
        Row((place_of(known[at]), code_of(known[at]), *(formats.percent(found.get(at, 0.0)) for found in shares)))
        for at in wanted
    )
    seen = ", ".join(f"{profile.samples} of {name}" for profile, name in zip(profiles, names, strict=True))
    caption = f"Share of the items' time, library calls counted at the line that makes them; looks: {seen}"
    share = formats.percent(shares[0].get(first[0], 0.0))
    title = f"Lines that take most: {place_of(known[first[0]])}, {share} of the {names[0]}"
    return Fold(title, tuple(waiting_words(comparison)), Table(caption, tuple(columns), rows))


def name_of(profile: LineProfile, comparison: Comparison) -> str:
    """Return the trial of a profile as shown."""
    trial = hot_lines.trial_of(profile, comparison)
    return configuration(trial) if trial is not None else ""


def place_of(line: Line) -> str:
    """Return where a line is ("line 4 of score", "helpers.py line 12")."""
    file = f"{formats.one_line(line.file, 40)} " if line.file else ""
    return f"{file}line {line.line}{f' of {formats.one_line(line.function, 40)}' if line.function else ''}"


def code_of(line: Line) -> str:
    """Return what is written at a line."""
    return formats.one_line(line.text, LONGEST_CODE)


def waiting_words(comparison: Comparison) -> list[str]:
    """Return where threads wait for each other, a sentence for each line."""
    return [
        f"threads wait for {'the GIL' if sure else 'the GIL or a lock'} {formats.percent(share)} of their time at"
        f" {place_of(line)}: {code_of(line)}"
        for line, share, sure in hot_lines.waiting_lines(comparison)
    ]
