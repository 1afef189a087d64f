"""Numbers read off a comparison, which the findings share."""

from __future__ import annotations

from collections.abc import Callable

from concompare.analysis import pick, stats
from concompare.records import Comparison, Ledger, Trial

WAITS = 0.5
"""Share of the plain loop's time spent blocked from which on the items wait rather than compute."""
BUSY = 0.15
"""Share of the time ready but without a CPU, with no more workers than CPUs, on a machine that is busy."""
CAPACITY = 0.65
"""CPUs' worth per spinning process, up to the physical cores, below which the machine is busy (or shared)."""
SENDING = 0.25
"""Share of workers × wall spent sending and packing from which on it is what holds processes back."""
LARGE = 50_000
"""Bytes per item, there and back, from which on sending is about their size and not about their number."""
NATIVE = 1.3
"""CPU seconds per second of the plain loop from which on it uses native threads."""
NATIVE_SHARE = 0.25
"""The same by the share of the CPU seconds that native threads computed, where that is known."""
NATIVE_SECONDS = 0.02
"""CPU seconds beyond the plain loop's own that clocks which tick coarsely do not make up."""


def ledger_of(trial: Trial | None) -> Ledger | None:
    """Return the ledgers of a trial's passes as one, or None; those of a trial that was stopped count as well."""
    if trial is None:
        return None
    found = [p.ledger for p in stats.used(trial) or trial.passes if p.ledger is not None and p.ledger.total > 0]
    if not found:
        return None
    told = all(ledger.waiting is not None for ledger in found)
    return Ledger(
        total=sum(ledger.total for ledger in found),
        computing=sum(ledger.computing for ledger in found),
        waiting=sum(ledger.waiting or 0.0 for ledger in found) if told else None,
        lock=sum(ledger.lock for ledger in found),
        io=sum(ledger.io for ledger in found),
        sending=sum(ledger.sending for ledger in found),
        idle=sum(ledger.idle for ledger in found),
    )


def share(trial: Trial | None, part: str) -> float | None:
    """Return a part of workers × wall, from 0 to 1, or None where it is not known."""
    found = ledger_of(trial)
    value = getattr(found, part) if found is not None else None
    return value / found.total if found is not None and value is not None else None


def given(trial: Trial | None) -> float | None:
    """Return the share of the time that a trial's workers were ready, for which they had a CPU; None: not told.

    What the plain loop is neither blocked nor computing for is a wait too: nothing is sent there.
    """
    found = ledger_of(trial)
    if found is None or found.waiting is None or found.computing <= 0 or trial is None:
        return None
    ready = found.total - found.io - found.lock if trial.plain else found.computing + found.waiting
    return min(1.0, found.computing / max(ready, found.computing))


def together(trial: Trial, comparison: Comparison) -> float | None:
    """Return how many of a trial's workers compute at once, as far as the machine lets them; None: not told.

    That is the CPUs that they had, over the share of one that the plain loop had while it wanted one: where others use
    the machine both are less.
    """
    found, plain = ledger_of(trial), given(stats.serial_of(comparison))
    if found is None or found.waiting is None or plain is None:
        return None
    return trial.workers * found.computing / found.total / plain


def ran(comparison: Comparison, kind: Callable[[Trial], bool] | None = None, least: int = 1) -> list[Trial]:
    """Return the trials of a kind (any but the plain loop) that ran here with at least so many workers."""
    return [
        trial
        for trial in comparison.trials
        if trial.problem is None
        and not (trial.plain or trial.as_written or pick.elsewhere(trial))
        and stats.used(trial)
        and trial.workers >= least
        and (kind is None or kind(trial))
    ]


def in_threads(trial: Trial) -> bool:
    """Say whether the workers are threads of this process."""
    return trial.threads


def is_sent(trial: Trial) -> bool:
    """Say whether items and results are sent to the workers."""
    return trial.sends


def is_started(trial: Trial) -> bool:
    """Say whether the workers are started for the pool, outside of the notebook's own objects."""
    return trial.sends and trial.traits.starts


def is_near(trial: Trial) -> bool:
    """Say whether the workers share this machine's memory, but not the notebook's objects."""
    return trial.isolation in ("process", "interpreter")


def transferring(comparison: Comparison) -> tuple[Trial, float, int] | None:
    """Return the workers that spend much of their time on sending large items or results, with share and bytes."""
    probe = comparison.probe
    moved = (probe.bytes_in or 0) + (probe.bytes_out or 0)
    best = fastest(ran(comparison, is_sent, least=2), comparison) or fastest(ran(comparison, is_sent), comparison)
    best = best or next((t for t in comparison.trials if t.sends and ledger_of(t) is not None), None)  # was stopped
    sending = share(best, "sending")
    if best is None or sending is None or sending < SENDING or moved < LARGE:
        return None
    return best, sending, moved


def speed(trial: Trial, comparison: Comparison) -> stats.Interval | None:
    """Return a trial's speed-up against the plain loop."""
    serial = stats.serial_of(comparison)
    return stats.speed_up(trial, serial) if serial is not None else None


def fastest(trials: list[Trial], comparison: Comparison) -> Trial | None:
    """Return the trial with the highest speed-up, or None."""
    known = [(between.mid, trial) for trial in trials if (between := speed(trial, comparison)) is not None]
    return max(known, key=lambda pair: pair[0])[1] if known else None


def picked(comparison: Comparison) -> Trial | None:
    """Return the trial of the pick."""
    return pick.best_of(comparison)


def waits(comparison: Comparison) -> float | None:
    """Return the share of its time for which the plain loop is blocked: neither computing nor ready to."""
    serial = stats.serial_of(comparison)
    found = ledger_of(serial)
    if found is not None and found.waiting is not None:
        return max(0.0, min(1.0, found.io / max(1e-12, found.io + found.computing)))
    probe = comparison.probe
    total = sum(probe.item_seconds)
    if total <= 0 or not probe.item_cpu:
        return None
    return max(0.0, 1 - sum(probe.item_cpu) / total)


def waiting_task(comparison: Comparison) -> bool:
    """Say whether the items wait rather than compute."""
    blocked = waits(comparison)
    return blocked is not None and blocked >= WAITS


def item_mean(comparison: Comparison) -> float | None:
    """Return the mean seconds of an item of the plain loop: of its head, which is what workers take."""
    serial = stats.serial_of(comparison)
    return stats.head_per_item(serial) if serial is not None else None


def capacity_at(comparison: Comparison, workers: int, quiet: bool = False) -> float:
    """Return how many CPUs' worth so many spinning processes get: as measured, else the usable CPUs.

    Args:
        comparison: What was measured.
        workers: Number of processes.
        quiet: As far as nobody else uses the CPUs, by the CPU seconds that the processes had.
    """
    probe = comparison.probe
    known = dict(probe.capacity_quiet or probe.capacity if quiet else probe.capacity)
    if workers in known:
        return known[workers]
    below = [n for n in known if n <= workers]
    limit = min(workers, comparison.environment.usable)
    return min(limit, known[max(below)] * limit / max(below)) if below and max(below) > 1 else float(limit)


def possible(trial: Trial, comparison: Comparison) -> float:
    """Return the speed-up that a trial's workers could have had: of CPUs that others left them, and of waiting.

    Where the system does not tell how much others took, what spinning processes got stands for it.
    """
    blocked, mine, plain = waits(comparison) or 0.0, given(trial), given(stats.serial_of(comparison))
    if mine is None or plain is None:
        cpus = capacity_at(comparison, trial.workers)
    else:
        cpus = capacity_at(comparison, trial.workers, quiet=True) * min(1.0, mine / plain)
    return min(float(trial.workers), cpus / max(1e-9, 1 - blocked))


def busy_share(comparison: Comparison) -> float | None:
    """Return the largest share of the time that workers, with no more threads than CPUs, were ready but without one."""
    usable = comparison.environment.usable
    quota = comparison.environment.quota
    if quota is not None and quota < usable:
        usable = max(1, int(quota))
    native = native_threads(comparison)
    trials = comparison.trials
    fitting = [t for t in trials if t.plain or t.workers * (t.native_threads or native) <= usable]
    return max((found for trial in fitting if (found := share(trial, "waiting")) is not None), default=None)


def is_busy(comparison: Comparison) -> bool:
    """Say whether others use this machine so much that what was measured is not the task's doing."""
    waiting = busy_share(comparison)
    return waiting > BUSY if waiting is not None else starved(comparison) is not None


def starved(comparison: Comparison) -> tuple[int, float] | None:
    """Return the number of spinning processes, no more than the physical cores, that got far too little; or None."""
    environment = comparison.environment
    if environment.quota is not None and environment.quota < environment.usable:
        return None
    cores = min(environment.usable, environment.physical or environment.usable)
    poor = [(n, got) for n, got in comparison.probe.capacity if 1 < n <= cores and got < CAPACITY * n]
    return max(poor, default=None)


def native_threads(comparison: Comparison) -> int:
    """Return the threads of the largest native pool that the plain loop uses; 1 when it uses none."""
    probe, serial = comparison.probe, stats.serial_of(comparison)
    if serial is not None and serial.native_threads is not None:
        return serial.native_threads
    total, computed = sum(probe.item_seconds), sum(probe.item_cpu)
    few = computed < NATIVE * total or computed - total < NATIVE_SECONDS
    if probe.native_share < NATIVE_SHARE if probe.native_share is not None else few:
        return 1
    pools = probe.native_pools or comparison.environment.native_pools
    return max((pool.threads for pool in pools), default=1)
