"""The table of a comparison: one row per trial, the pick first, failed ones last with their reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from concompare import formats
from concompare.analysis import stats
from concompare.report.view.model import Column, Row, Table
from concompare.report.view.naming import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from concompare.records import Comparison, Trial

Configuration = tuple[str, int, int | None]
"""Backend, workers and native threads, where those were limited: what tells trials apart."""

COLUMNS = (
    Column("backend", "", "kind of worker", numbers=False),
    Column("workers", "workers", "workers at work at once"),
    Column("time", "time", "one pass over all items: the plain loop's median, over the speed-up"),
    Column("spread", "spread", "median absolute deviation of the passes"),
    Column("passes", "passes", "timed passes, warm-ups not counted"),
    Column("speed", "speed-up", "how many times faster than the plain loop, with its interval"),
    Column("efficiency", "efficiency", "speed-up per worker"),
    Column("cpu", "CPU", "CPU time of all workers in one pass"),
    Column("cold", "first time", "the first pass, start of the workers included"),
    Column("memory", "memory", "peak memory of all workers together"),
    Column("same", "same", "the same results as the plain loop?", numbers=False),
)

MOST_ROWS = 20
"""Rows of a table beyond which it is folded: of every backend the best stay."""

SAME = {True: "✓", False: "✗ differs", None: formats.NOTHING}


def is_picked(trial: Trial, picked: Configuration | None) -> bool:
    """Say whether a trial is the one that is recommended."""
    return picked == (trial.backend, trial.workers, trial.native_threads)


def table_of(comparison: Comparison, picked: Configuration | None, *, partial: bool = False) -> Table:
    """Return the table, without the columns that no row fills.

    Args:
        comparison: What was measured.
        picked: The trial that is recommended, or None.
        partial: Whether it is still being measured: rows stay in their places, and nothing is warned of yet.
    """
    serial = stats.serial_of(comparison)
    trials = comparison.trials if partial else ordered(comparison, picked)
    rows = [row_of(trial, comparison, serial, picked, warn=not partial) for trial in trials]
    filled = [
        i
        for i, column in enumerate(COLUMNS)
        if column.key in ("backend", "workers", "time")
        or any(row.cells[i] not in ("", formats.NOTHING) for row in rows)
    ]
    kept = tuple(Row(tuple(row.cells[i] for i in filled), row.kind, row.note, row.backend, row.workers) for row in rows)
    return Table(caption(comparison, warn=not partial), tuple(COLUMNS[i] for i in filled), kept)


def folded(table: Table) -> tuple[Table, Table | None]:
    """Return the rows to show of a table, and those to fold away where there are very many, or None."""
    if len(table.rows) <= MOST_ROWS:
        return table, None
    seen: set[str] = set()
    ranks = []
    for place, row in enumerate(table.rows):
        ranks.append((row.kind == "other" and row.cells[0] in seen, place))
        seen.add(row.cells[0])
    least = sum(not later for later, _ in ranks)
    kept = {place for _, place in sorted(ranks)[: max(least, MOST_ROWS)]}
    rest = tuple(row for place, row in enumerate(table.rows) if place not in kept)
    shown = tuple(row for place, row in enumerate(table.rows) if place in kept)
    return replace(table, rows=shown), Table("the same measurements of the other trials", table.columns, rest)


def ordered(comparison: Comparison, picked: Configuration | None) -> list[Trial]:
    """Return the trials as the table lists them: the pick, the others by time, then those without a time.

    Without a GIL threads come before the others: they are what such a Python is for.
    """
    free = comparison.environment.gil == "off"

    def place(trial: Trial) -> tuple[int, float]:
        time = stats.whole(trial, comparison)
        if trial.problem is not None or time is None:
            return 3, 0.0
        others = 1 if free and trial.threads else 2
        return (0 if is_picked(trial, picked) else others), time / work(trial, comparison)

    return sorted(comparison.trials, key=place)


def work(trial: Trial, comparison: Comparison) -> float:
    """Return what a trial's time is divided by to be compared: its items, under weak scaling; else 1."""
    passes = stats.used(trial)
    return float(passes[-1].items or 1) if comparison.scaling == "weak" and passes else 1.0


def row_of(
    trial: Trial, comparison: Comparison, serial: Trial | None, picked: Configuration | None, *, warn: bool = True
) -> Row:
    """Return one trial as a row of the table."""
    plain = trial.plain
    workers = "" if plain else str(trial.workers)
    time = stats.whole(trial, comparison)
    if trial.problem is not None or time is None:
        note = formats.one_line(trial.problem, 300) if trial.problem else waiting_note(trial)
        blank = ("",) * (len(COLUMNS) - 2)
        return Row((name_of(trial), workers, *blank), "failed", note, trial.backend, trial.workers)
    passes = stats.used(trial)
    walls = [p.whole for p in passes]
    scale = (stats.seconds_alone(trial, comparison) or 0.0) / (stats.median(walls) or 1.0)
    memory = [p.peak_memory for p in trial.passes if p.peak_memory is not None]
    cells = (
        name_of(trial),
        workers + ("" if trial.got in (None, trial.workers) else f" (got {trial.got})"),
        ("≈ " if is_sampled(trial, comparison) else "") + formats.seconds(time),
        formats.spread(stats.mad(walls) * scale, time) if len(walls) > 1 else formats.NOTHING,
        str(len(walls)) + (" !" if warn and stats.warnings_of(trial, comparison.environment.usable) else ""),
        "1×" if plain else speed_words(trial, serial),
        "" if plain else formats.percent(stats.efficiency(trial, serial) if serial else None),
        formats.seconds((stats.cpu_seconds(trial) or 0.0) * scale, 2),
        first_time(trial, comparison),
        formats.size(max(memory)) if memory else formats.NOTHING,
        "" if plain else SAME[trial.same],
    )
    kind = "pick" if is_picked(trial, picked) else "plain" if plain else "other"
    return Row(cells, kind, "", trial.backend, trial.workers)


def first_time(trial: Trial, comparison: Comparison) -> str:
    """Return the time of the first pass with the start of its workers.

    Where it ran a sample, or the workers were already there, it is what the first pass of all items would take.
    """
    time = stats.whole(trial, comparison)
    did = trial.passes[0].items if trial.passes else 0
    if trial.cold is None:
        known = trial.start_up is not None and time is not None
        return f"≈ {formats.seconds((trial.start_up or 0.0) + (time or 0.0))}" if known else formats.NOTHING
    cold = trial.cold + (trial.passes[0].beside if trial.passes else 0.0)
    if not is_sampled(trial, comparison) or not 0 < did < comparison.subject.items:
        return formats.seconds(cold)
    start = trial.start_up or 0.0
    return f"≈ {formats.seconds(start + max(0.0, cold - start) * comparison.subject.items / did)}"


def waiting_note(trial: Trial) -> str:
    """Return why a trial without a problem has no time."""
    stopped = next((p.stopped for p in reversed(trial.passes) if p.stopped), None)
    return f"stopped: {formats.one_line(stopped)}" if stopped else "not measured yet"


def is_sampled(trial: Trial, comparison: Comparison) -> bool:
    """Say whether a trial's time was measured on a sample and scaled to all items."""
    passes = stats.used(trial)
    return bool(passes) and comparison.scaling == "strong" and 0 < passes[-1].items < comparison.subject.items


def speed_words(trial: Trial, serial: Trial | None) -> str:
    """Return a speed-up with its interval and, where it is none, the word "tie"."""
    between = stats.speed_up(trial, serial) if serial else None
    if between is None:
        return formats.NOTHING
    words = formats.times(between.mid)
    if between.n > 1:
        words += f" {formats.between(between.low, between.high)}"
    return f"{words} tie" if stats.verdict(between) == "tie" else words


def caption(comparison: Comparison, *, warn: bool = True) -> str:
    """Return what the numbers of the table are."""
    subject = comparison.subject
    name = formats.one_name(subject.name, 60)
    counts = sorted({stats.used(t)[-1].items for t in comparison.trials if stats.used(t)})
    if not counts and comparison.plan is not None and comparison.plan.sampled is not None:
        counts = [comparison.plan.sampled]
    if comparison.scaling == "weak":
        what = "every worker does the same work; speed-up counts items per second"
    elif counts and counts[0] < subject.items:
        few = formats.count(counts[0]) if counts[0] == counts[-1] else f"{counts[0]:,} to {counts[-1]:,}"
        what = f"timed on {few} of the {formats.count(subject.items, 'item')} and scaled to all of them"
    else:
        what = f"the same {formats.count(subject.items, 'item')} in every pass"
    beside = "" if stats.serial_of(comparison) is None else ", block by block against the plain loop"
    words = [f"{name}: median of the passes{beside}, {what}"]
    words += interval_words(comparison.trials, stats.serial_of(comparison))
    if any(trial.same for trial in comparison.trials if not trial.plain):
        words.append("✓ same results as the plain loop")
    usable = comparison.environment.usable
    if warn and any(stats.warnings_of(t, usable) for t in comparison.trials if t.problem is None):
        words.append("! see warnings")
    return "; ".join(words)


def interval_words(trials: Sequence[Trial], serial: Trial | None) -> list[str]:
    """Return what the brackets in the table mean."""
    if serial is None:
        return []
    found = [stats.speed_up(t, serial) for t in trials if not t.plain and t.problem is None]
    kinds = {i.kind for i in found if i is not None and i.n > 1}
    if kinds == {"bootstrap"}:
        return ["[95 % interval]"]
    if kinds == {"range"}:
        return ["[lowest–highest]"]
    return ["[95 % interval, or lowest–highest of few passes]"] if kinds else []
