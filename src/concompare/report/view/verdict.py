"""The verdict in one sentence: the pick, its number, and what it means in seconds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from concompare import formats
from concompare.analysis import pick, stats
from concompare.analysis.findings import gil
from concompare.report.view.naming import name_of
from concompare.report.view.table import is_picked, is_sampled

if TYPE_CHECKING:
    from concompare.analysis.pick import Pick
    from concompare.records import Comparison, Trial


QUIETER = 1.1
"""Times the speed-up on the machine as it was, from which on that of a quiet one is said."""


def workers_in_words(trial: Trial) -> str:
    """Return a trial as the subject of a sentence ("4 processes", "1 thread", "the plain loop")."""
    if trial.plain:
        return "the plain loop"
    return pick.workers_in_words(trial) or f"{name_of(trial)} × {trial.workers}"


def trial_of(comparison: Comparison, pick: Pick | None) -> Trial | None:
    """Return the trial that is recommended, or None where it has no time either."""
    picked = None if pick is None else (pick.backend, pick.workers, pick.native_threads)
    able = (t for t in comparison.trials if t.problem is None and stats.used(t))
    return next((t for t in able if is_picked(t, picked)), None)


def headline(comparison: Comparison, pick: Pick | None) -> tuple[str, str]:
    """Return the verdict and the interval of its number, which may be empty."""
    trial = trial_of(comparison, pick)
    timed = [t for t in comparison.trials if t.problem is None and stats.used(t)]
    if not timed:
        return ("Nothing could be measured" if comparison.trials else "Nothing was measured"), ""
    if trial is None or pick is None:
        return "No way to run it can be recommended", ""
    if trial.plain:
        return plain_headline(comparison, trial), ""
    who = workers_in_words(trial)
    if pick.speed_up is None:
        times = [stats.per_item(t) or 0.0 for t in timed]
        fastest = (stats.per_item(trial) or 0.0) <= min(times)
        return f"{who}: {'the fastest of those measured' if fastest else 'nothing else is clearly faster'}", ""
    between = pick.speed_up
    bounds = formats.between(between.low, between.high) if between.n != 1 else "(timed once)"
    word = "faster" if between.mid >= 1 else "as fast as the plain loop"
    return f"{who}: {formats.times(between.mid)} {word}", bounds


def plain_headline(comparison: Comparison, serial: Trial) -> str:
    """Return the verdict where the plain loop is recommended."""
    others = [t for t in comparison.trials if t is not serial and t.problem is None and stats.used(t)]
    if not others:
        return "The plain loop: nothing else was measured"
    able = [trial for trial in pick.candidates(comparison) if trial is not serial]
    ratios = [between for other in able if (between := stats.speed_up(other, serial)) is not None]
    faster = [t for t in able if (found := stats.speed_up(t, serial)) is not None and stats.verdict(found) == "faster"]
    if faster and not any(pick.pays(trial, serial, comparison) for trial in faster):
        return "Keep the plain loop: what is faster is not worth it"
    wrong = [between for t in others if t.same is False and (between := stats.speed_up(t, serial)) is not None]
    if any(stats.verdict(between) == "faster" for between in wrong):
        return "Keep the plain loop: what is faster gives other results"
    if any(between.mid > 1 + stats.NOISE for between in ratios):
        return "Keep the plain loop: nothing else is clearly faster"
    return "Keep the plain loop: nothing else is faster"


def change(comparison: Comparison, pick: Pick | None) -> str:
    """Return what the pick means in seconds ("8.21 s → 2.28 s for 240 items")."""
    serial, trial = stats.serial_of(comparison), trial_of(comparison, pick)
    before = stats.whole(serial, comparison) if serial is not None else None
    after = stats.whole(trial, comparison) if trial is not None else None
    items = formats.count(comparison.subject.items, "item")
    about = "≈ " if any(t is not None and is_sampled(t, comparison) for t in (serial, trial)) else ""
    if comparison.scaling == "weak":
        rates = [f"{formats.significant(rate)} items/s" for t in (serial, trial) if t and (rate := pace(t))]
        return " → ".join(dict.fromkeys(rates))
    if before is not None and after is not None and trial is not serial:
        return f"{about}{formats.seconds(before)} → {formats.seconds(after)} for {items}"
    only = after if after is not None else before
    return "" if only is None else f"{about}{formats.seconds(only)} for {items}"


def pace(trial: Trial) -> float:
    """Return a trial's items per second, or 0 where it has no time."""
    each = stats.per_item(trial)
    return 1 / each if each else 0.0


def sureness(comparison: Comparison, found: Pick | None) -> str:
    """Return how sure the pick is, whether it was taken early, and what it is on a quiet machine; or nothing."""
    if found is None:
        return ""
    said = []
    if comparison.taken is not None:
        said.append(f"Taken by an interrupt after {formats.seconds(comparison.taken)}.")
    if sure := pick.how_sure(found):
        said.append(sure)
    if found.quiet is not None and found.speed_up is not None and found.quiet > QUIETER * found.speed_up.mid:
        said.append(
            f"That is on the machine as busy as it was; with the CPUs to itself about {formats.times(found.quiet)}."
        )
    return " ".join(said)


def because(comparison: Comparison, pick: Pick | None) -> str:
    """Return why the pick is what it is, in one sentence: what the other kind of worker does, or its own reason."""
    trial = trial_of(comparison, pick)
    if pick is None or trial is None:
        return ""
    if trial.plain:
        return formats.one_line(pick.reason, 400)
    rival = rival_of(comparison, trial)
    serial = stats.serial_of(comparison)
    between = stats.speed_up(rival, serial) if rival is not None and serial is not None else None
    if rival is None or between is None:
        return formats.one_line(pick.reason, 400)
    name = name_of(rival)[:1].upper() + name_of(rival)[1:]
    if stats.verdict(between) == "faster":
        return f"{name} reach {formats.times(between.mid)} with {formats.count(rival.workers, 'worker')}."
    share = comparison.probe.gil_share
    if rival.threads and share is not None and share >= gil.HELD:
        return f"{name} do not help: the GIL is held ≈ {formats.percent(share)} of the time."
    return f"{name} do not help: {formats.times(between.mid)} at best."


def rival_of(comparison: Comparison, trial: Trial) -> Trial | None:
    """Return the best trial of the other kind: threads where processes are picked, processes where threads are."""
    serial = stats.serial_of(comparison)
    ran = [t for t in comparison.trials if t.problem is None and stats.used(t) and not pick.elsewhere(t)]
    others = [t for t in ran if (t.sends if trial.threads else t.threads)]
    rated = [(between.mid, t) for t in others if serial and (between := stats.speed_up(t, serial)) is not None]
    return max(rated, key=lambda pair: pair[0], default=(0.0, None))[1]


def break_even(pick: Pick | None) -> str:
    """Return after how many runs the pick has paid for the start of its workers, as a sentence; or nothing."""
    runs = None if pick is None else pick.break_even
    if runs is None or pick is None:
        return ""
    if runs <= 1:
        return "Pays back in the first run."
    return f"Pays back after {formats.count(math.ceil(runs), 'run')}." if runs < 1e6 else "Never pays back."
