"""Findings on the machine: busy, oversubscribed, short of memory bandwidth, or too noisy to tell."""

from __future__ import annotations

from concompare import formats
from concompare.analysis import pick, stats
from concompare.analysis.findings import evidence
from concompare.records import Comparison, Finding, Trial

GROWN = 1.3
"""CPU seconds per item, over those of one worker and beyond what capacity explains, of a memory-bound task."""
CROWDED = 0.3
"""Share of the time without a CPU, with more workers than CPUs, of an oversubscribed trial."""


def machine_busy(comparison: Comparison) -> Finding | None:
    """Others use the machine: the speed-ups are those of a busy machine."""
    waiting, poor = evidence.busy_share(comparison), evidence.starved(comparison)
    if not evidence.is_busy(comparison):
        return None
    said, numbers = [], []
    if waiting is not None and waiting > evidence.BUSY:
        said.append(
            f"workers, though no more than there are CPUs, were ready to run but got none up to"
            f" {formats.percent(waiting)} of the time (from {formats.percent(evidence.BUSY)})"
        )
        numbers.append(("waiting share", waiting))
    if poor is not None:
        said.append(
            f"{poor[0]} spinning processes got {poor[1]:.2g} CPUs' worth (below {evidence.CAPACITY * poor[0]:.2g})"
        )
        numbers.append(("capacity", poor[1]))
    return Finding(
        "machine-busy",
        f"The machine was busy with something else: {'; '.join(said)}.",
        "Close what else is running and measure again; the order of the rows may hold, their speed-ups are too low.",
        tuple(numbers),
    )


def oversubscribed(comparison: Comparison) -> Finding | None:
    """More threads compute than there are CPUs: native pools in every worker, or too many workers."""
    usable, native = comparison.environment.usable, evidence.native_threads(comparison)
    trials = evidence.ran(comparison, least=2)
    crowded = [t for t in trials if t.native_threads is None and t.workers * native > usable]
    if native > 1 and crowded:
        worst = max(crowded, key=lambda t: t.workers)
        capped = next(
            (t for t in trials if (t.backend, t.workers) == (worst.backend, worst.workers) and t is not worst), None
        )
        between = stats.speed_up(capped, worst) if capped is not None else None
        gave = ""
        if capped is not None and between is not None:
            each = formats.count(capped.native_threads or 1, "native thread")
            gave = f"; with {each} each they were {formats.times(between.mid)} as fast"
        return Finding(
            "oversubscribed",
            f"Items use {native} native threads (BLAS or OpenMP) each: {worst.workers} workers make"
            f" {worst.workers * native} for {formats.count(usable, 'CPU')}{gave}.",
            limiting(comparison),
            (("native threads", float(native)), ("threads in all", float(worst.workers * native))),
            (worst.backend, worst.workers),
        )
    return too_many_workers(comparison, trials, usable)


def limiting(comparison: Comparison) -> str:
    """Return the next step where native threads crowd the CPUs: the fastest trial with a limit, if that is a gain."""
    limited = [t for t in evidence.ran(comparison, least=2) if t.native_threads is not None]
    best = evidence.fastest(limited, comparison)
    over_plain = evidence.speed(best, comparison) if best is not None else None
    if best is None or over_plain is None or stats.verdict(over_plain) != "faster":
        return (
            "The plain loop uses the CPUs already; in pools of your own set OMP_NUM_THREADS=1 before numpy is loaded."
        )
    line = f"-b {best.backend} -w {best.workers} --native-threads {best.native_threads}"
    words = f"Use {line}: {formats.times(over_plain.mid)} as fast as the plain loop"
    return f"{words}." if best.same is not False else f"{words}, where the last digits do not matter."


def too_many_workers(comparison: Comparison, trials: list[Trial], usable: int) -> Finding | None:
    """More workers than CPUs, waiting for one, on items that compute."""
    if evidence.waiting_task(comparison):
        return None
    others = evidence.busy_share(comparison) or 0.0  # what those wait for a CPU who are no more than the CPUs
    waiting = {id(t): (evidence.share(t, "waiting") or 0.0) - others for t in trials if t.workers > usable}
    worst = max((t for t in trials if waiting.get(id(t), 0.0) >= CROWDED), key=lambda t: waiting[id(t)], default=None)
    if worst is None:
        return None
    share = waiting[id(worst)]
    return Finding(
        "oversubscribed",
        f"{worst.label or worst.backend} × {worst.workers} on {formats.count(usable, 'usable CPU')}: workers were ready"
        f" but without a CPU {formats.percent(share)} of the time (from {formats.percent(CROWDED)}).",
        f"Use -w {usable}: items that compute gain nothing from more workers than CPUs.",
        (("waiting share", share), ("workers", float(worst.workers))),
        (worst.backend, worst.workers),
    )


def memory_bound(comparison: Comparison) -> Finding | None:
    """Items take more CPU time the more workers run: they share memory bandwidth or cache."""
    if evidence.native_threads(comparison) > 1 or evidence.waiting_task(comparison):
        return None
    usable = comparison.environment.usable
    trials = [t for t in evidence.ran(comparison, evidence.is_near, least=2) if t.workers <= usable]
    worst = max(trials, key=lambda t: t.workers, default=None)
    alone = next((t for t in evidence.ran(comparison, evidence.is_near) if t.workers == 1), stats.serial_of(comparison))
    many, one = evidence.ledger_of(worst), evidence.ledger_of(alone)
    if worst is None or alone is None or many is None or one is None or one.computing <= 0:
        return None
    per_item = many.computing / max(1, items_of(worst)), one.computing / max(1, items_of(alone))
    explained = worst.workers / max(1.0, evidence.capacity_at(comparison, worst.workers, quiet=True))
    grown = per_item[0] / per_item[1] / explained
    mean = evidence.item_mean(comparison) or 0.0
    if grown < GROWN or mean < 0.001:
        return None
    return Finding(
        "memory-bound",
        f"With {worst.workers} workers an item takes {grown:.2f}× the CPU time that it takes alone (from {GROWN}×),"
        " beyond what the CPUs explain: the workers share the memory's bandwidth, or the cache.",
        "Use fewer workers, smaller blocks of data or smaller types (float32); more workers will not help.",
        (("CPU time per item, times", grown),),
        (worst.backend, worst.workers),
    )


def items_of(trial: Trial) -> int:
    """Return the items of all passes of a trial whose ledgers are known, as often as they ran."""
    return sum(p.items for p in stats.used(trial) if p.ledger is not None and p.ledger.total > 0)


def too_noisy(comparison: Comparison) -> Finding | None:
    """The passes differ so much that a promising trial cannot be called faster."""
    serial = stats.serial_of(comparison)
    rest = [t for t in pick.candidates(comparison) if not t.plain and len(stats.used(t)) >= stats.FEW]
    best = evidence.fastest(rest, comparison)
    between = evidence.speed(best, comparison) if best is not None else None
    picked = pick.best_of(comparison)
    if serial is None or best is None or between is None or picked is None or not picked.plain:
        return None
    if between.mid < pick.PROMISING or stats.verdict(between) != "tie":
        return None
    return Finding(
        "too-noisy",
        f"{best.label or best.backend} × {best.workers} look {formats.times(between.mid)} as fast, but the blocks range"
        f" over {formats.between(between.low, between.high)}: the data cannot decide.",
        "Measure again with --budget 120, when nothing else runs.",
        (("speed-up", between.mid), ("low", between.low), ("high", between.high)),
        (best.backend, best.workers),
    )
