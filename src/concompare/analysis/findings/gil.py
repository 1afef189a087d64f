"""Findings on the GIL and on waiting: which of threads and processes the items can use."""

from __future__ import annotations

from concompare import formats
from concompare.analysis import pick, stats
from concompare.analysis.findings import evidence
from concompare.records import Comparison, Finding, Trial

GAIN = 1.3
"""Speed-up on threads below which they do not help."""
LOCKED = 0.5
"""Share of what a full lock would block, (workers − 1) ÷ workers, from which on threads take turns."""
STARVED = 0.15
"""Share of the time without a CPU from which on that explains slow threads."""
LONG_ENOUGH = 0.0005
"""Seconds of an item from which on handing it over does not explain slow threads."""
NEARLY_ALWAYS, FREE = 0.9, 0.4
"""Shares of the time the plain loop holds the GIL from which on threads take turns, and below which they do not."""
TURNS, SURELY_FREE = 1.2, 1.3
"""Threads that compute at once on a busy machine, below which they take turns; and on any, from which on they do not
if the GIL is free."""
ONE = 1.05
"""The same on a busy machine, where nothing else tells who holds the GIL: hashing with hogs beside it reads 1.1."""
TOGETHER = 1.7
"""Threads that compute at once, from which on they take no turns, whatever else looks like it."""
HELD = 0.6
"""Share of the time the plain loop holds the GIL that explains it where the ledger cannot tell."""
RELEASED = 1.4
"""Speed-up on threads, and threads that compute at once, from which on they run together."""
RELEASED_BUSY = 1.5
"""The same threads on a busy machine, where two that take turns get more of the CPUs than one."""
SOME, MOST_OF_IT = 1.15, 0.65
"""The same speed-up on a busy machine, where there are fewer CPUs to run together on; and where few CPUs are all there
is, the share of what they could give: items that share the memory's bandwidth gain less than their threads compute."""
AHEAD = 1.15
"""Speed-up of processes over as many threads, from which on it may be the GIL that holds these back."""


def gil_re_enabled(comparison: Comparison) -> Finding | None:
    """A free-threaded Python runs with the GIL, because an import switched it back on."""
    module = comparison.probe.gil_enabled_by
    if module is None and comparison.environment.gil != "re-enabled":
        return None
    who = f"importing {module}" if module else "an imported module"
    switched = next(((t, p) for t in comparison.trials for p in t.passes if p.gil == ("off", "re-enabled")), None)
    when = f" while {pick.name_of(switched[0])} ran" if switched is not None else ""
    return Finding(
        "gil-re-enabled",
        f"This free-threaded Python runs with the GIL on: {who} switched it back on{when}.",
        f"Use a version of {module or 'that module'} made for free-threaded Python, or start Python with -X gil=0.",
        trial=(switched[0].backend, switched[0].workers) if switched is not None else None,
    )


def contention(comparison: Comparison) -> Finding | None:
    """Without a GIL threads are slower than the plain loop, and neither CPUs nor waiting are to blame."""
    if comparison.environment.gil != "off" or evidence.is_busy(comparison) or evidence.waiting_task(comparison):
        return None
    usable = comparison.environment.usable
    trials = [t for t in evidence.ran(comparison, evidence.in_threads, least=2) if t.workers <= usable]
    trial = evidence.fastest(trials, comparison)
    between = evidence.speed(trial, comparison) if trial is not None else None
    if trial is None or between is None or stats.verdict(between) != "slower":
        return None
    waiting, mean = evidence.share(trial, "waiting"), evidence.item_mean(comparison)
    if (waiting or 0.0) > STARVED or mean is None or mean < LONG_ENOUGH:
        return None
    lock = evidence.share(trial, "lock") or 0.0
    how = f", blocked by each other {formats.percent(lock)} of the time" if lock >= LOCKED / 2 else ""
    return Finding(
        "contention",
        f"There is no GIL, and yet {trial.label or trial.backend} × {trial.workers} are only"
        f" {formats.times(between.mid)} as fast as the plain loop{how}: they share objects that only one can"
        " use at a time.",
        "Give each item its own copy of what all of them read and write (a dict, a list, a lock, an instance), or use"
        " -b processes.",
        (("speed-up", between.mid), ("lock share", lock)),
        (trial.backend, trial.workers),
    )


def gil_bound(comparison: Comparison) -> Finding | None:
    """Threads take turns: computing holds the GIL."""
    trial = held_up(comparison)
    if trial is None:
        return None
    between, lock = evidence.speed(trial, comparison), evidence.share(trial, "lock")
    probe = comparison.probe.gil_share
    if between is None:
        return None
    told = lock is not None and evidence.share(trial, "waiting") is not None
    if not takes_turns(trial, comparison):
        return None
    numbers = [("speed-up", between.mid)]
    held = ""
    if lock is not None and told:
        numbers.append(("lock share", lock))
        held = f"; they were blocked {formats.percent(lock)} of the time"
    if probe is not None:
        numbers.append(("GIL share", probe))
        held += f"; the plain loop holds the GIL about {formats.percent(probe)} of the time"
    away = "processes, once less is sent to them" if evidence.transferring(comparison) else "processes for this"
    return Finding(
        "gil-bound",
        f"Threads take turns: {trial.workers} of them are {formats.times(between.mid)} as fast as the plain loop"
        f" (below {formats.times(GAIN)}){held}.",
        f"Use {away}, or functions that release the GIL (numpy on large arrays, hashing, compression).",
        tuple(numbers),
        (trial.backend, trial.workers),
    )


def takes_turns(trial: Trial, comparison: Comparison) -> bool:
    """Say whether the threads of a trial compute one at a time: by the CPUs that they had, and by the GIL's share.

    Neither is enough by itself: others move the first, and without a CPU nobody can tell the second.
    """
    lock, waiting = evidence.share(trial, "lock"), evidence.share(trial, "waiting")
    probe, at_once = comparison.probe.gil_share, evidence.together(trial, comparison)
    if at_once is None or lock is None:
        return (probe or 0.0) >= HELD and not evidence.is_busy(comparison)
    if probe is not None and at_once < TOGETHER and probe >= NEARLY_ALWAYS:
        return True
    busy = evidence.is_busy(comparison)
    if busy and (probe < HELD if probe is not None else at_once >= ONE or not processes_ahead(trial, comparison)):
        return False  # those that run together wait as long for a CPU
    held_back = lock + (waiting or 0.0) if busy else lock
    few = at_once < (TURNS if busy else GAIN) and held_back >= LOCKED * (trial.workers - 1) / trial.workers
    return few and (probe is None or probe >= FREE)


def processes_ahead(trial: Trial, comparison: Comparison) -> bool:
    """Say whether as many processes as a trial has threads are faster, or did not run; bandwidth they share too."""
    others = [t for t in evidence.ran(comparison, evidence.is_near, least=2) if t.workers == trial.workers]
    known = [between.mid for other in others if (between := stats.speed_up(other, trial)) is not None]
    return not known or max(known) >= AHEAD


def held_up(comparison: Comparison) -> Trial | None:
    """Return the threads trial that should have been faster and was not, or None."""
    if comparison.environment.gil == "off" or evidence.waiting_task(comparison):
        return None
    if evidence.native_threads(comparison) > 1:  # waiting for native threads looks like waiting for a lock
        return None
    usable = comparison.environment.usable
    trials = evidence.ran(comparison, evidence.in_threads, least=2)
    best = evidence.fastest([t for t in trials if t.workers <= max(2, usable)] or trials, comparison)
    between = evidence.speed(best, comparison) if best is not None else None
    mean = evidence.item_mean(comparison)
    if best is None or between is None or (between.mid >= GAIN and not evidence.is_busy(comparison)):
        return None
    if evidence.capacity_at(comparison, best.workers, quiet=True) < GAIN:
        return None
    return best if mean is not None and mean >= 0.0001 else None


def releases_gil(comparison: Comparison) -> Finding | None:
    """Threads run together although items compute: they release the GIL."""
    if comparison.environment.gil == "off" or evidence.waiting_task(comparison):
        return None
    if (comparison.probe.gil_share or 0.0) >= HELD:
        return None
    best = evidence.fastest(evidence.ran(comparison, evidence.in_threads, least=2), comparison)
    between = evidence.speed(best, comparison) if best is not None else None
    if best is None or between is None or evidence.native_threads(comparison) > 1:
        return None
    at_once = evidence.together(best, comparison)
    few = len(stats.used(best)) < stats.FEW and comparison.probe.gil_share is None
    if evidence.is_busy(comparison) and few:
        return None
    if at_once is None and (evidence.is_busy(comparison) or stats.verdict(between) != "faster"):
        return None  # on a busy machine more threads get more of the CPUs, whoever holds the GIL
    free = comparison.probe.gil_share is not None and comparison.probe.gil_share < FREE
    enough = SURELY_FREE if free else RELEASED_BUSY if evidence.is_busy(comparison) else RELEASED
    if at_once is not None and at_once < enough:
        return None
    if between.mid < (RELEASED if at_once is None else least_gain(best, comparison)):
        return None
    return Finding(
        "releases-gil",
        f"The items compute without the GIL: {best.workers} threads are {formats.times(between.mid)} as fast as the"
        f" plain loop{so_many(at_once, enough)}.",
        "Threads are enough here: nothing is copied, and they start at once.",
        (("speed-up", between.mid),),
        (best.backend, best.workers),
    )


def least_gain(trial: Trial, comparison: Comparison) -> float:
    """Return the speed-up from which on threads that compute at once have gained by it."""
    if evidence.is_busy(comparison):
        return SOME
    return max(SOME, min(RELEASED, MOST_OF_IT * evidence.possible(trial, comparison)))


def so_many(at_once: float | None, enough: float) -> str:
    """Return in brackets what is known of threads that run together."""
    if at_once is None:
        return f" (from {formats.times(RELEASED)})"
    return f", and {at_once:.2g} of them compute at once as far as the machine lets them (from {enough})"


def waits(comparison: Comparison) -> Finding | None:
    """Items wait for something outside: many threads help, more CPUs do not."""
    blocked = evidence.waits(comparison)
    if blocked is None or blocked < evidence.WAITS:
        return None
    best = evidence.fastest(evidence.ran(comparison, evidence.in_threads, least=2), comparison)
    most = max((t.workers for t in evidence.ran(comparison, evidence.in_threads)), default=1)
    further = best is not None and best.workers == most
    advice = f"Try more threads than CPUs (-b threads -w {2 * most if further else most})."
    return Finding(
        "waits",
        f"The items wait {formats.percent(blocked)} of their time (from {formats.percent(evidence.WAITS)}): for files,"
        " the network, another program, or a sleep.",
        advice,
        (("share waiting", blocked),),
        (best.backend, best.workers) if best is not None else None,
    )
