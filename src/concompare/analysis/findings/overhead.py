"""Findings on what running in parallel costs, and on items that do not fill the workers."""

from __future__ import annotations

import math

from concompare import formats
from concompare.analysis import pick, stats
from concompare.analysis.findings import evidence, gil
from concompare.analysis.stats import HOPELESS
from concompare.records import Comparison, Finding, Trial

TINY = 0.0005
"""Seconds of an item below which handing it over costs about as much as computing it."""
SHORT = 0.05
"""Seconds of a whole plain pass that leave nothing to gain."""
STARTING = 0.5
"""Start-up, in plain passes, from which on it decides whether switching pays."""
IDLE = 0.15
"""Share of workers × wall without an item to run from which on items are too few or too uneven."""
HELD = 0.2
"""Share of workers × wall waiting for a lock or a CPU from which on items hold each other up."""
ROUNDS = 4
"""Items per worker from which on a rest left over at the end matters little."""
LEAST_HEAD = 0.5
"""Share of the plain loop's time in its heads, below which workers have little to take."""
UNEVEN = 3.0
"""Longest item over the mean from which on items are uneven."""


def too_small(comparison: Comparison) -> Finding | None:
    """The whole pass, or every item, is too short for any pool."""
    serial = stats.serial_of(comparison)
    pass_seconds = stats.whole(serial, comparison) if serial is not None else None
    mean = evidence.item_mean(comparison)
    picked = evidence.picked(comparison)
    if pass_seconds is None or mean is None or picked is None or not evidence.ran(comparison) or stays(comparison):
        return None
    numbers = (("seconds of a pass", pass_seconds), ("seconds of an item", mean))
    more = "let one item do the work of many (a batch, a whole file, a numpy array)."
    item = f"An item takes {formats.seconds(mean)} (below {formats.seconds(TINY)}), about what handing it over costs"
    if not picked.plain:
        sending = handing_over(picked, comparison) if mean < TINY else None
        between = evidence.speed(picked, comparison)
        if sending is None or between is None:
            return None
        what = (
            f"{item}: {workers_of(picked)} spend {formats.percent(sending)} of their time on that (from"
            f" {formats.percent(evidence.SENDING)}), and are {formats.times(between.mid)} as fast as the plain loop."
        )
        told = (*numbers, ("sending share", sending), ("speed-up", between.mid))
        return Finding("too-small", what, f"For more, {more}", told, (picked.backend, picked.workers))
    if pass_seconds < SHORT:
        started = [(t.start_up, t) for t in evidence.ran(comparison, evidence.is_started) if t.start_up]
        start, first = min(started, key=lambda entry: entry[0], default=(None, None))
        beside = f", starting {workers_of(first)} {formats.seconds(start)}" if first is not None else ""
        whole = f"The whole pass takes {formats.seconds(pass_seconds)} (below {formats.seconds(SHORT)}){beside}"
        return Finding("too-small", f"{whole}: too small to gain.", "Keep the plain loop.", numbers)
    if mean < TINY:
        return Finding("too-small", f"{item}: too small to gain.", f"Keep the plain loop, or {more}", numbers)
    return None


def handing_over(picked: Trial, comparison: Comparison) -> float | None:
    """Return the share of a pick's time that goes into handing over small items, where that holds it back."""
    sending = evidence.share(picked, "sending")
    if sending is None or sending < evidence.SENDING or not picked.sends or evidence.transferring(comparison):
        return None
    return None if evidence.is_busy(comparison) else sending


def workers_of(trial: Trial) -> str:
    """Return the workers of a trial in words: "4 processes", "4 workers of mine"."""
    return pick.workers_in_words(trial) or f"{formats.count(trial.workers, 'worker')} of {trial.label or trial.backend}"


def stays(comparison: Comparison) -> bool:
    """Say whether more than half of the loop's time is the notebook's own part, which no worker can take."""
    return stats.head_share(comparison) < LEAST_HEAD


def stays_in_notebook(comparison: Comparison) -> Finding | None:
    """Most of the loop's time is not in what workers run."""
    serial, notebook = stats.serial_of(comparison), comparison.notebook
    whole = stats.whole(serial, comparison) if serial is not None else None
    if not stays(comparison) or whole is None or not notebook.seconds:
        return None
    rest, heads = 1 - stats.head_share(comparison), whole * stats.head_share(comparison)
    if notebook.replaying >= notebook.taking:
        what = f"{comparison.subject.staying or 'What follows in the body of the loop'} stays in the notebook"
        step = "Move the slow part into the function that computes an item, on objects made there"
    else:
        what = "Taking the items is done in the notebook"
        step = (
            "Let the items be paths or indices, and let the function that computes an item read or make what it needs"
        )
    return Finding(
        "stays-in-notebook",
        f"{what} and takes {formats.percent(rest)} of the time (from {formats.percent(1 - LEAST_HEAD)}): of"
        f" {formats.seconds(whole)} the items in the workers take {formats.seconds(heads)}.",
        f"{step}; --explain says what runs where.",
        (("share in the notebook", rest), ("seconds of the loop", whole)),
    )


def transfer_bound(comparison: Comparison) -> Finding | None:
    """Workers spend their time on sending and packing large items or results."""
    found, probe = evidence.transferring(comparison), comparison.probe
    if found is None:
        return None
    best, sending, moved = found
    most = "items" if (probe.bytes_in or 0) >= (probe.bytes_out or 0) else "results"
    instead = "a path or an index and load it in the worker" if most == "items" else "back only what is needed of it"
    return Finding(
        "transfer-bound",
        f"{best.label or best.backend} × {best.workers} spend {formats.percent(sending)} of their time on sending and"
        f" packing (from {formats.percent(evidence.SENDING)}): {formats.size(moved)} per item, most of it {most}.",
        f"Send {instead}." if gil.held_up(comparison) else f"Send {instead}, or use threads, which copy nothing.",
        (("sending share", sending), ("bytes per item", float(moved))),
        (best.backend, best.workers),
    )


def startup_bound(comparison: Comparison) -> Finding | None:
    """The workers' start takes so long that one run does not pay for it."""
    serial = stats.serial_of(comparison)
    pass_seconds = stats.whole(serial, comparison) if serial is not None else None
    best = evidence.fastest(evidence.ran(comparison, evidence.is_started), comparison)
    between = evidence.speed(best, comparison) if best is not None else None
    if best is None or between is None or pass_seconds is None or best.start_up is None:
        return None
    saved = pass_seconds * (1 - 1 / between.mid)
    if stats.verdict(between) != "faster" or best.start_up < STARTING * pass_seconds or saved >= best.start_up:
        return None
    runs = math.ceil(best.start_up / saved)
    ratios = [stats.speed_up(t, serial) for t in pick.candidates(comparison) if t.threads and serial is not None]
    helped = any(ratio is not None and stats.verdict(ratio) == "faster" for ratio in ratios)
    once = "keep the plain loop or use threads" if helped and not gil.held_up(comparison) else "keep the plain loop"
    return Finding(
        "startup-bound",
        f"Starting {workers_of(best)} takes {formats.seconds(best.start_up)}, and a run saves"
        f" {formats.seconds(saved)}: it pays back after {formats.count(runs, 'run')} while the workers stay warm.",
        f"Worth it for a cell that is run again and again; for a single run {once}.",
        (("start-up", best.start_up), ("saved per run", saved), ("runs", float(runs))),
        (best.backend, best.workers),
    )


def stopped(comparison: Comparison) -> Finding | None:
    """A trial was so much slower than the best that it was stopped before its first pass had ended."""
    found = [(t, p) for t in comparison.trials if not t.timed for p in t.passes if p.stopped is not None]
    rates = [rate for t in pick.candidates(comparison) if (rate := stats.head_per_item(t)) is not None]
    if not found or not rates:
        return None
    items = comparison.subject.items
    known = [(p.wall / (min(rates) * (p.stands_for or len(p.sample) or items or 1)), t, p) for t, p in found]
    ratio, trial, passed = max(known, key=lambda entry: entry[0])
    rows = ", ".join(pick.name_of(t) for t, _ in found)
    known_then = f" (stopped from {HOPELESS:.0f}×)" if ratio >= HOPELESS else ", which took less when that was decided"
    return Finding(
        "stopped",
        f"{rows} {'was' if len(found) == 1 else 'were'} stopped before the first pass had ended:"
        f" {pick.name_of(trial)} had run for {formats.seconds(passed.wall)}, {ratio:.1f}× what the best needs for"
        f" these items{known_then}.",
        next_of_stopped(trial, comparison),
        (("seconds", passed.wall), ("times the best", ratio), ("trials stopped", float(len(found)))),
        (trial.backend, trial.workers),
    )


def next_of_stopped(trial: Trial, comparison: Comparison) -> str:
    """Return the next step for a trial that was stopped: what explains it where that is known."""
    held, moved = comparison.probe.gil_share, (comparison.probe.bytes_in or 0) + (comparison.probe.bytes_out or 0)
    if evidence.is_busy(comparison):
        return "The machine was busy: measure again when nothing else runs."
    if trial.threads and held is not None and held >= gil.HELD:
        return f"The plain loop holds the GIL about {formats.percent(held)} of the time: use processes for this."
    if trial.sends and moved >= evidence.LARGE:
        return f"{formats.size(moved)} go there and back for an item: send less, such as a path or an index."
    return (
        f"It cannot become the fastest; to see its whole time, compare it alone: -b {trial.backend} -w {trial.workers}."
    )


def too_few_items(comparison: Comparison) -> Finding | None:
    """There are not enough items to keep the workers busy."""
    best, idle = idling(comparison)
    items = comparison.subject.items
    if best is None or idle is None or items >= ROUNDS * best.workers or unevenness(comparison) >= UNEVEN:
        return None
    rounds = math.ceil(items / best.workers)
    enough = math.ceil(items / rounds)  # workers that need as many rounds
    fewer = f", or use -w {enough}, which take as long" if 1 < enough < best.workers else ""
    return Finding(
        "too-few-items",
        f"{formats.count(items, 'item')} for {best.workers} workers: they have nothing to run"
        f" {formats.percent(idle)} of the time (from {formats.percent(IDLE)}).",
        f"Split the work into more, smaller items (at least {ROUNDS * best.workers}){fewer}.",
        (("items", float(items)), ("idle share", idle)),
        (best.backend, best.workers),
    )


def uneven_items(comparison: Comparison) -> Finding | None:
    """A few long items hold up the end of the pass."""
    best, idle = idling(comparison)
    ratio = unevenness(comparison)
    if best is None or idle is None or ratio < UNEVEN:
        return None
    longest = max(comparison.probe.item_seconds)
    return Finding(
        "uneven-items",
        f"The longest item takes {formats.seconds(longest)}, {ratio:.1f}× the mean (from {UNEVEN:.0f}×): at the end"
        f" the other workers of {best.label or best.backend} × {best.workers} have nothing to run,"
        f" {formats.percent(idle)} of the time in all.",
        "Put the longest items first, or split them.",
        (("longest over mean", ratio), ("idle share", idle)),
        (best.backend, best.workers),
    )


def unevenness(comparison: Comparison) -> float:
    """Return the longest item's seconds over the mean."""
    seconds = comparison.probe.item_seconds
    total = sum(seconds)
    return max(seconds) * len(seconds) / total if total > 0 else 1.0


def idling(comparison: Comparison) -> tuple[Trial | None, float | None]:
    """Return the fastest trial with several workers and its idle share in a pass over all items, if it idles much.

    Where a sample ran, its tail is not that of all items: then list scheduling of the item times tells, but for items
    that hold each other up, whose idle workers would not have helped.
    """
    best = evidence.fastest(evidence.ran(comparison, least=2), comparison)
    seconds, items = comparison.probe.item_seconds, comparison.subject.items
    if best is None or not seconds or not items:
        return None, None
    measured = evidence.share(best, "idle")
    ran = stats.used(best)[-1].items
    if ran < items or measured is None:
        many = [seconds[i % len(seconds)] for i in range(min(items, 20_000))]
        wall = stats.list_schedule(many, best.workers)
        scheduled = 1 - sum(many) / (best.workers * wall) if wall > 0 else 0.0
        held = (evidence.share(best, "lock") or 0.0) + (evidence.share(best, "waiting") or 0.0)
        measured = min(scheduled, measured) if measured is not None and held > HELD else scheduled
    mean = evidence.item_mean(comparison) or 0.0
    return (best, measured) if measured >= IDLE and mean >= TINY else (None, None)
