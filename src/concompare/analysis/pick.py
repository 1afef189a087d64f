"""The pick with its reasons, the choice of `auto`, and the take-away code: pure functions of records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from concompare import formats
from concompare.analysis import chances, stats
from concompare.records import PLAIN, PROCESSES, THREADS, Comparison, Isolation, Trial

REACH = 0.04
"""Of trials that are expected to lose less than this against the fastest, the cheapest is taken."""
PLAIN_REACH = 0.05
"""The same for the plain loop, which costs nothing to keep."""
LIKELY = 0.7
"""Chance of being faster than the plain loop below which it is not left."""
SURE = 0.02
"""Expected loss from which on a pick says how sure it is."""
PROMISING = 1.1
"""Speed-up that would be a difference, were it not for the noise."""
ALONE = 1.15
"""Speed-up from which a single worker may be picked."""
LEAST_GAIN = 0.010
"""Seconds per run below which nobody should change a cell."""
MOST_RUNS = 50
"""Runs after which switching must have paid for the start of the workers."""
GIL_SLACK, GIL_ROUNDING = 1.05, 0.05
"""Threads that hold the GIL for a share s of the time cannot be faster than 1 ÷ s, but for noise and rounding."""
COSTS: dict[Isolation, int] = {
    "none": 0, "thread": 45, "interpreter": 55, "process": 125, "cluster": 160, "unknown": 200,
}  # fmt: skip
"""Place of backends that do not say what they cost to have, behind those of their kind that do."""

AUTO_GAIN = 1.10
"""Times faster that a pool must promise, with `AUTO_SECONDS` saved, before `auto` leaves the plain loop."""
AUTO_SECONDS = 0.050
AUTO_THREADS = 32
OPENING, OPENING_EACH = 0.1, 0.04
"""Seconds to start worker processes by forkserver, where there are none yet, and more for each."""
WAITING = 0.5
NATIVE = 1.3
"""CPU seconds per wall second of the plain loop from which items are taken to use native threads."""
RELEASES = 1.4
"""Speed-up on two threads from which threads are taken to run together."""
DONE = "the plain loop, which was done before anything else could start"
HAND_OVER = {THREADS: 0.00002, PROCESSES: 0.0002}
BYTES_PER_SECOND = 300e6


@dataclass(frozen=True, slots=True)
class Pick:
    """What to run the cell on, and why.

    Attributes:
        speed_up: Against the plain loop; None for the plain loop itself.
        seconds: Estimated seconds of a run of the whole cell.
        reason: One sentence.
        others: For every other trial its label and one sentence.
        break_even: Runs of the cell after which starting the workers has paid, or None for the plain loop.
        line: The magic to write; empty for the plain loop.
        native_threads: Threads of each BLAS or OpenMP pool in each worker, where they are to be limited.
        chance: Probability that it is the fastest of what ran; `loss` what it is expected to lose against the fastest.
        quiet: Its speed-up as it would be if nobody else used the CPUs, where others did; None where it is not told.
    """

    backend: str
    workers: int
    speed_up: stats.Interval | None = None
    seconds: float | None = None
    reason: str = ""
    others: tuple[tuple[str, str], ...] = ()
    break_even: float | None = None
    line: str = ""
    native_threads: int | None = None
    chance: float | None = None
    loss: float | None = None
    quiet: float | None = None


def name_of(trial: Trial) -> str:
    """Return a trial as it is called in sentences: "processes × 4", "the plain loop"."""
    if trial.plain:
        return "the plain loop"
    native = f" ({formats.count(trial.native_threads, 'BLAS thread')} each)" if trial.native_threads else ""
    return f"{trial.label or trial.backend} × {trial.workers}{native}"


def cost_of(trial: Trial) -> tuple[int, int, bool]:
    """Return what sorts trials from the cheapest to have."""
    own = trial.traits.cost
    return COSTS[trial.isolation] if own is None else own, trial.workers, trial.native_threads is not None


def elsewhere(trial: Trial) -> bool:
    """Return whether a trial ran on another Python, which no pick can switch to."""
    return bool(trial.traits.python)


def workers_in_words(trial: Trial) -> str:
    """Return a trial's workers as they are called in sentences ("4 processes", "1 thread"); empty: no such name."""
    noun = trial.traits.worker
    if not noun or trial.native_threads is not None:
        return ""
    if trial.workers == 1:
        return f"1 {noun}"
    first, bracket, rest = noun.partition(" (")
    return f"{trial.workers} {first}{'es' if first.endswith('s') else 's'}{bracket}{rest}"


def candidates(comparison: Comparison, early: bool = False) -> list[Trial]:
    """Return the trials that may be picked: they ran, their results are not different ones, and they can be faster.

    With `early` those count that have run a first small pass only.

    A single worker does what the plain loop does and has to be handed its items as well: where it looks faster, the
    machine was noisy most of the time. It is a candidate where the plain loop is none, or where it is far faster over
    enough blocks: in a thread other than the first glibc keeps the memory of large arrays, which the plain loop gives
    back and asks for again with every item.
    """
    able = [t for t in comparison.trials if t.problem is None and t.same is not False and not t.as_written]
    able = [t for t in able if stats.used(t) or (early and chances.passes_of(t))]
    able = [t for t in able if not elsewhere(t) and not crowds(t, comparison)]
    plain = next((t for t in able if t.plain), None)
    return [t for t in able if t.workers > 1 or t.plain or plain is None or beats_alone(t, plain)]


def beats_alone(trial: Trial, serial: Trial) -> bool:
    """Say whether a single worker is so much faster than the plain loop that noise does not explain it."""
    between = stats.speed_up(trial, serial)
    enough = between is not None and between.n >= stats.ENOUGH and between.mid >= ALONE
    return enough and between is not None and stats.verdict(between) == "faster"


def crowds(trial: Trial, comparison: Comparison) -> bool:
    """Say whether native threads of a trial's workers crowd the CPUs: it ran with those limited too, and was no faster.

    The time of such workers is unpredictable: native threads that wait for each other without a CPU take twice or
    five times as long in one run as in the next.
    """
    if trial.native_threads is not None:
        return False
    key = (trial.backend, trial.workers)
    limited = [t for t in comparison.trials if (t.backend, t.workers) == key and t.native_threads and stats.used(t)]
    found = [stats.speed_up(trial, other) for other in limited if other.problem is None]
    return any(between is None or stats.verdict(between) != "faster" for between in found)


def believable(trial: Trial, speed_up: float, comparison: Comparison) -> float:
    """Return a speed-up, cut at what the measured share of the GIL allows threads: the rest is noise."""
    share = comparison.probe.gil_share
    if not trial.threads or not share or comparison.environment.gil == "off":
        return speed_up
    return min(speed_up, max(1.0, GIL_SLACK / (share + GIL_ROUNDING)))


def standings(comparison: Comparison, early: bool = False) -> tuple[chances.Standing, ...]:
    """Return how the trials stand that may be picked; with `early`, by first small passes where there are no others."""
    able = candidates(comparison, early)
    serial = stats.serial_of(comparison)
    if serial is not None and not chances.passes_of(serial):
        serial = None
    bounds = {id(t): 1 / believable(t, math.inf, comparison) for t in able if t.threads} if serial is not None else {}
    bounds = {key: bound for key, bound in bounds.items() if bound > 0}
    return chances.standings(able, bounds, comparison.environment.usable)


def standing_of(comparison: Comparison, early: bool = False) -> chances.Standing | None:
    """Return the standing of the trial to pick: of those expected to lose little against the fastest, the cheapest."""
    serial = stats.serial_of(comparison)
    serial = serial if serial is not None and chances.passes_of(serial) else None
    found = standings(comparison, early)
    plain = next((s for s in found if s.trial is serial), None)
    able = [
        s
        for s in found
        if plain is None or s is plain or ((s.beats is None or s.beats >= LIKELY) and worth(s, plain, comparison))
    ]
    if not able:
        return None
    least = min(s.loss for s in able)
    near = [s for s in able if s.loss - least <= (PLAIN_REACH if s.trial.plain else REACH)]
    return min(near, key=lambda s: cost_of(s.trial))


def worth(found: chances.Standing, plain: chances.Standing, comparison: Comparison) -> bool:
    """Say whether what a trial saves is worth leaving the plain loop, by its pace; yes before it has a timed pass."""
    if not stats.used(found.trial):
        return True
    saved = (stats.whole(plain.trial, comparison) or 0.0) * (1 - found.pace / plain.pace)
    return saved >= LEAST_GAIN and math.ceil((found.trial.start_up or 0.0) / saved) <= MOST_RUNS


def so_far(comparison: Comparison) -> str:
    """Return the pick so far of a comparison at work, with its number and chance; empty before there is one."""
    found = standings(comparison, early=True)
    plain, best = next((s for s in found if s.trial.plain), None), standing_of(comparison, early=True)
    if plain is None or best is None or len(found) < 2:
        return ""
    speed = "" if best.trial is plain.trial else f", {formats.times(plain.pace / best.pace)} as fast"
    return f"so far {name_of(best.trial)}{speed} ({formats.percent(best.best)} sure)"


def best_of(comparison: Comparison) -> Trial | None:
    """Return the trial to pick: of those expected to lose little against the fastest, the cheapest."""
    found = standing_of(comparison)
    return found.trial if found is not None else stats.serial_of(comparison)


def gain(trial: Trial, serial: Trial, comparison: Comparison) -> float:
    """Return the seconds that a run on this trial saves against the plain loop."""
    mine, plain = stats.whole(trial, comparison), stats.whole(serial, comparison)
    if comparison.scaling != "strong":
        between = stats.speed_up(trial, serial)
        return (plain or 0.0) * (1 - 1 / between.mid) if between is not None else 0.0
    return plain - mine if mine is not None and plain is not None else 0.0


def break_even(trial: Trial, serial: Trial, comparison: Comparison) -> float | None:
    """Return the number of runs after which the start of the workers has paid, or None when it never does."""
    saved = gain(trial, serial, comparison)
    return max(1.0, math.ceil((trial.start_up or 0.0) / saved)) if saved > 0 else None


def pays(trial: Trial, serial: Trial, comparison: Comparison) -> bool:
    """Say whether what a trial saves is worth leaving the plain loop."""
    runs = break_even(trial, serial, comparison)
    return gain(trial, serial, comparison) >= LEAST_GAIN and runs is not None and runs <= MOST_RUNS


def pick(comparison: Comparison) -> Pick:
    """Return what to run the task on, with the reason and why not the others."""
    standing, serial = standing_of(comparison), stats.serial_of(comparison)
    chosen = standing.trial if standing is not None else serial
    if chosen is None:
        return Pick(PLAIN, 1, reason="Nothing was measured.")
    others = tuple((name_of(t), why_not(t, chosen, comparison)) for t in comparison.trials if t is not chosen)
    seconds = stats.whole(chosen, comparison)
    native = chosen.native_threads
    limit = f" --native-threads {native}" if native is not None else ""
    found = Pick(PLAIN, 1, None, seconds, "", others, native_threads=native)
    if standing is not None:
        found = replace(found, chance=standing.best, loss=standing.loss)
    if chosen is serial:
        line = f"%%parallel -b serial{limit}" if limit else ""
        return replace(found, reason=reason_for_plain(comparison), line=line)
    between = stats.speed_up(chosen, serial) if serial is not None else None
    runs = break_even(chosen, serial, comparison) if serial is not None else None
    much = f"{between.mid:.3g}× as fast as the plain loop" if between is not None else "the fastest that ran"
    return replace(
        found,
        backend=chosen.backend,
        workers=chosen.workers,
        speed_up=between,
        reason=f"{name_of(chosen)} is {much}.",
        break_even=runs,
        quiet=quiet_speed_up(chosen, serial) if serial is not None else None,
        line=f"%%parallel -b {chosen.backend} -w {chosen.workers}{limit}",
    )


def quiet_speed_up(trial: Trial, serial: Trial) -> float | None:
    """Return a speed-up by the time that workers were not kept waiting for a CPU, if they waited for much of it.

    Of threads it is not told: who waits for the GIL of somebody who waits for a CPU waits for that CPU too.
    """
    waited = [stats.busy_share(t) for t in (trial, serial)]
    if trial.threads or None in waited or max(share or 0.0 for share in waited) < stats.BUSY_SHARE:
        return None
    mine, plain = stats.quiet_per_item(trial), stats.quiet_per_item(serial)
    return plain / mine if mine and plain else None


def how_sure(found: Pick) -> str:
    """Return a sentence that says how sure a pick is; empty where it is sure, and for the plain loop."""
    if found.loss is None or found.chance is None or found.loss < SURE or found.speed_up is None:
        return ""
    more = formats.percent(found.loss / max(1e-9, 1 - found.chance))
    if found.chance < 0.5:  # of ways that are about as fast the one that costs least is taken
        other = formats.percent(1 - found.chance)
        return f"Another is faster by about {more} with a probability of {other}, but costs more to have."
    chance = formats.percent(found.chance)
    return f"It is the fastest with a probability of {chance}; where it is not, another is faster by about {more}."


def reason_for_plain(comparison: Comparison) -> str:
    """Say in one sentence why the plain loop is the pick."""
    serial = stats.serial_of(comparison)
    rest = [t for t in candidates(comparison) if t is not serial]
    if serial is None or not rest:
        problem = next((t.problem for t in comparison.trials if t.problem is not None), None)
        if problem is not None:
            return f"Nothing else ran: {problem.rstrip('.')}."
        alone = any(stats.used(t) for t in comparison.trials if t is not serial and t.workers == 1)
        return "A single worker does what the plain loop does." if alone else "Nothing else was tried."
    between = {id(t): stats.speed_up(t, serial) for t in rest}
    best = max(rest, key=lambda t: b.mid if (b := between[id(t)]) is not None else 0.0)
    found = between[id(best)]
    if found is None:
        return "Nothing else was timed."
    if believable(best, found.mid, comparison) < found.mid and stats.verdict(found) == "faster":
        held = formats.percent(comparison.probe.gil_share)
        looks = f"{name_of(best)} looks {formats.times(found.mid)} as fast"
        return f"{looks}, but threads that hold the GIL {held} of the time cannot be: that is noise."
    if (share := stats.head_share(comparison)) < 0.5:
        return f"What runs in workers is {formats.percent(share)} of the loop's time; the rest stays in the notebook."
    if stats.verdict(found) == "faster":
        saved = gain(best, serial, comparison)
        return (
            f"{name_of(best)} would save {1000 * saved:.3g} ms a run (worth it from {1000 * LEAST_GAIN:.0f} ms), "
            f"and its workers take {1000 * (best.start_up or 0):.3g} ms to start: too small to gain."
        )
    if found.mid >= PROMISING:
        return f"{name_of(best)} looks {found.mid:.2f}× as fast, but that is within the noise: so take the cheaper."
    what = f"{name_of(best)}, the best of the others, is {found.mid:.2f}× as fast"
    return f"{what}: slower." if stats.verdict(found) == "slower" else f"{what}: no gain, so take the cheaper."


def why_not(trial: Trial, chosen: Trial, comparison: Comparison) -> str:
    """Say in one sentence why a trial was not picked."""
    if trial.problem is not None:
        return trial.problem
    if trial.same is False:
        return f"different results: {trial.difference}" if trial.difference else "different results"
    between = stats.speed_up(chosen, trial)
    if between is None:
        return "not timed"
    if crowds(trial, comparison) and stats.verdict(between) != "faster":
        return "its native threads oversubscribe the CPUs, so its time is unpredictable"
    if stats.verdict(between) == "faster":
        return f"takes {between.mid:.2f}× as long as the pick"
    serial = stats.serial_of(comparison)
    if stats.verdict(between) == "slower" and chosen is serial and trial.workers > 1:
        return f"saves {1000 * gain(trial, chosen, comparison):.3g} ms a run, less than it costs"
    cheaper = cost_of(chosen) < cost_of(trial)
    return "a tie with the pick, which is the cheaper" if cheaper else "not faster than the pick"


def takeaway(comparison: Comparison, pick: Pick) -> str:
    """Return plain source that runs the pick without concompare; empty where there is no short form of it."""
    from concompare.analysis import takeaway as written

    return written.takeaway(comparison, pick.backend, pick.workers, pick.native_threads)


@dataclass(frozen=True, slots=True)
class Choice:
    """What `auto` runs a cell on, and one line that says why."""

    backend: str
    workers: int
    reason: str
    seconds: float | None = None
    native_threads: int | None = None

    @property
    def plain(self) -> bool:
        """Return whether it is the plain loop."""
        return self.backend == PLAIN


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a task after its first items ran in the plain loop.

    Attributes:
        seconds: Times of the items that ran, or of several together; `cpu` their CPU seconds, native threads included.
        count: How many items these are; None: one for each time.
        left: Items still to run, or None when their number is not known.
        usable: CPUs that may be used.
        gil: Whether threads share one GIL.
        two_threads: CPUs that items on two threads had together, where it was tried.
        ratios: Of backends that were tried, how many times as long as in the plain loop an item takes there.
        moving: Seconds to pickle an item and its result, or to unpickle them.
        blob: Bytes of the function as shipped.
        start_up: Seconds until a backend's workers are there, 0 for a warm pool; None for the usual ones.
        can: Backends that can run the task.
    """

    seconds: Sequence[float]
    cpu: Sequence[float]
    left: int | None
    usable: int
    gil: bool = True
    two_threads: float | None = None
    ratios: Mapping[str, float] = field(default_factory=dict)
    moving: float = 0.0
    blob: int = 0
    start_up: Mapping[str, float] = field(default_factory=dict)
    can: tuple[str, ...] = (THREADS, PROCESSES)
    count: int | None = None

    @property
    def ran(self) -> int:
        """The number of items that ran."""
        return self.count or len(self.seconds)

    @property
    def mean(self) -> float:
        """The seconds of an item."""
        return sum(self.seconds) / self.ran


def choose(known: Known, last: Comparison | None = None) -> Choice:
    """Choose for `auto`: what the last comparison of the same cell picked, else what the first items promise.

    Args:
        known: What the first items of this run told.
        last: The last comparison of the same source with items of the same kind, if there is one.
    """
    if last is not None:
        best = pick(last)
        reason = f"{best.backend} as in the last comparison of this cell"
        return Choice(best.backend, best.workers, reason, best.seconds, best.native_threads)
    if not known.seconds:
        return Choice(PLAIN, 1, "the plain loop: nothing is known of the items")
    if known.left == 0:
        return Choice(PLAIN, 1, DONE)
    left = known.left if known.left is not None else 100 * known.ran
    plain = known.mean * left
    options = promised(known, left)
    if not options:
        why = "items use several CPUs already" if known.can else "nothing else can run this"
        return Choice(PLAIN, 1, f"the plain loop: {why}", plain)
    seconds, backend, workers, why = min(options)
    if seconds * AUTO_GAIN > plain or plain - seconds < AUTO_SECONDS:
        return Choice(PLAIN, 1, f"the plain loop: {plain:.2g} s of work left is too small to gain", plain)
    return Choice(backend, workers, f"{backend} × {workers}: {why}", seconds)


def promised(known: Known, left: int) -> list[tuple[float, str, int, str]]:
    """Return seconds, backend, workers and reason of what could run the rest."""
    mean = known.mean
    busy = min(1.0, sum(known.cpu) / max(1e-9, sum(known.seconds)))
    waits = 1 - busy
    if sum(known.cpu) > NATIVE * sum(known.seconds):
        return []
    options = []
    if THREADS in known.can:
        many = waits >= WAITING
        workers = max(1, min(left, AUTO_THREADS if many else known.usable))
        together = not known.gil or (known.two_threads or 1.0) >= RELEASES
        cpus = min(workers, known.usable) if together else 1
        seconds = left * (mean * max(busy / cpus, 1 / workers if together or many else busy) + HAND_OVER[THREADS])
        seconds = left * mean * known.ratios[THREADS] if THREADS in known.ratios and not many else seconds
        why = f"items wait {waits:.0%} of the time" if many else "threads run together here"
        options.append((seconds + known.start_up.get(THREADS, 0.005), THREADS, workers, why))
    if PROCESSES in known.can:
        workers = max(1, min(left, known.usable))
        each = max((mean + known.moving) / workers + HAND_OVER[PROCESSES] * min(1.0, mean / 0.001), known.moving)
        opening = (
            known.start_up.get(PROCESSES, OPENING + OPENING_EACH * workers) + known.blob * workers / BYTES_PER_SECOND
        )
        seconds = opening + left * (mean * known.ratios[PROCESSES] if PROCESSES in known.ratios else each)
        options.append((seconds, PROCESSES, workers, f"items compute {busy:.0%} of the time"))
    return options
