"""What a change would bring: fewer bytes, other work in an item, more workers, other chunks; from the ledger of a pass.

A pass is taken to be messages, handed in order to whichever worker is free first (list scheduling, Graham 1969). A
message takes the seconds of its items in the worker, and its part of the ledger's *sending*: so much for each message
and so much for each byte. What the notebook's own process packs it packs one after the other, and threads compute one
after the other what they compute with the GIL; nothing is quicker than that (Amdahl 1967). The model is asked twice,
with the change and without, and only the ratio of its answers is used, on the time that was measured.

What the pass cannot tell makes the interval wide: which part of the sending goes with the bytes, how much longer items
take beside more others. To both ends comes how far the passes of the trial scatter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from concompare import formats
from concompare.analysis import ledger, stats
from concompare.analysis.findings import evidence
from concompare.analysis.pick import name_of
from concompare.errors import BadOption
from concompare.records import Comparison, Pass, Trial

SMALL = 10_000
"""Bytes of a message up to which nothing but its number costs."""
GROWTH = 1.25
"""Times as long as alone that an item may take when workers double, where no pass of several workers tells."""
HANDING = 1.2
"""Times as long as one thread that several may take which hand the GIL to each other."""
MATTERS = 1.1
"""Times by which a change has to alter a speed-up to be named in a report."""
VAGUE = 3.0
"""Upper end of an interval over the lower one beyond which a report does not show it."""
USUAL = 8
"""Workers that a report asks about, where fewer ran."""
MOST_WORKERS, MOST_ITEMS = 1024, 10**9
TIMES = {0.5: "half", 2.0: "twice"}


@dataclass(frozen=True, slots=True)
class Change:
    """What would be otherwise.

    Attributes:
        bytes: Times as many bytes of items and results; the work on them stays.
        work: Times as many seconds in each item.
        workers: So many workers, and a CPU for each where they compute.
        chunk: So many items in a message.
    """

    bytes: float = 1.0
    work: float = 1.0
    workers: int | None = None
    chunk: int | None = None

    def __str__(self) -> str:
        words = []
        if self.bytes != 1:
            words.append(f"{TIMES.get(self.bytes) or formats.times(self.bytes)} the bytes")
        if self.work != 1:
            words.append(f"items that take {TIMES.get(self.work) or formats.times(self.work)} as long")
        if self.workers is not None:
            words.append(f"{self.workers} workers, with a CPU each")
        if self.chunk is not None:
            words.append(f"chunks of {self.chunk}")
        return ", ".join(words) or "as it is"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a trial would take after a change.

    Attributes:
        trial: Backend and worker count that was measured.
        name: It in words.
        before: Seconds that were measured, of all items.
        after: Seconds after the change; `mid` is in the middle of what cannot be told.
        plain: Seconds of the plain loop after the change; `plain_before` those that were measured.
    """

    change: Change
    trial: tuple[str, int]
    name: str
    before: float
    after: stats.Interval
    plain: float
    plain_before: float

    @property
    def matters(self) -> bool:
        """Return whether it says that the trial's speed-up changes by more than a tenth, and not too vaguely."""
        return self.after.high <= VAGUE * self.after.low and abs(
            math.log(self.speed_up.mid * self.before / self.plain_before)
        ) > math.log(MATTERS)

    @property
    def speed_up(self) -> stats.Interval:
        """Return how many times as fast as the plain loop it would be."""
        after = self.after
        return replace(after, low=self.plain / after.high, mid=self.plain / after.mid, high=self.plain / after.low)

    def __str__(self) -> str:
        after, gain = self.after, self.speed_up
        return (
            f"{self.change}: {self.name} would take {formats.seconds(after.mid)}"
            f" ({formats.seconds(after.low)} to {formats.seconds(after.high)}) instead of"
            f" {formats.seconds(self.before)}, {formats.times(gain.mid)} {formats.between(gain.low, gain.high)} as fast"
            " as the plain loop"
        )


@dataclass(frozen=True, slots=True)
class Model:
    """A pass as list scheduling sees it.

    Attributes:
        seconds: Of each item, in its worker.
        sizes: Items of each message.
        fixed: Seconds of sending for each message; `varying` for each item, with its bytes.
        packing: Seconds of the notebook's own process for each message; `packed` for each item, with its bytes.
        serial: Seconds that only one worker at a time can compute: those with the GIL.
        workers: Who takes the messages.
    """

    seconds: tuple[float, ...]
    sizes: tuple[int, ...]
    fixed: float
    varying: float
    packing: float
    packed: float
    serial: float
    workers: int

    def wall(self) -> float:
        """Return the seconds of the pass."""
        chunks, at = [], 0
        for size in self.sizes:
            chunks.append(sum(self.seconds[at : at + size]) + self.fixed + self.varying * size)
            at += size
        packing = self.packing * len(self.sizes) + self.packed * at
        return max(stats.list_schedule(chunks, self.workers), packing, self.serial)


def checked(change: Change) -> Change:
    """Return a change that can be.

    Raises:
        BadOption: It changes nothing, or a number of it cannot be.
    """
    if change == Change():
        raise BadOption("what_if() needs a change: bytes=0.5, work=2, workers=8 or chunk=50")
    for name, value in (("bytes", change.bytes), ("work", change.work)):
        if not (isinstance(value, int | float) and 0 < value < 1e6):
            raise BadOption(f"{name}={value!r}: how many times as much, such as 0.5 or 2")
    for name, count, most in (("workers", change.workers, MOST_WORKERS), ("chunk", change.chunk, MOST_ITEMS)):
        if count is not None and not (isinstance(count, int) and 1 <= count <= most):
            raise BadOption(f"{name}={count!r}: a whole number from 1 to {most}")
    return change


def usual_changes(comparison: Comparison, workers: int) -> tuple[Change, ...]:
    """Return the changes that a report looks at: half the bytes, twice the work, more workers, chunks of 50."""
    more = Change(workers=USUAL if workers < USUAL else 2 * workers)
    chunks = (Change(chunk=50),) if comparison.subject.items >= 100 * workers else ()
    return (Change(bytes=0.5), Change(work=2.0), more, *chunks)


def outlooks(
    comparison: Comparison, change: Change, kind: Callable[[Trial], bool] | None = None
) -> tuple[Outlook, ...]:
    """Return what each trial would take after a change, the quickest first; those of which a pass tells too little not.

    Args:
        comparison: As measured, under strong scaling.
        change: What would be otherwise.
        kind: Tells the trials that are asked for; None: all.
    """
    checked(change)
    found = [outlook(trial, comparison, change) for trial in evidence.ran(comparison, kind)]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.after.mid))


def outlook(trial: Trial, comparison: Comparison, change: Change) -> Outlook | None:
    """Return what a trial would take after a change, or None where that cannot be told."""
    serial = stats.serial_of(comparison)
    passed = next((p for p in reversed(stats.used(trial)) if p.messages and p.ledger is not None), None)
    plain = stats.whole(serial, comparison) if serial is not None else None
    before = stats.whole(trial, comparison)
    if passed is None or plain is None or before is None or comparison.scaling != "strong":
        return None
    if passed.whole <= 0 or not trial.traits.together or (change.bytes != 1 and not trial.sends):
        return None
    seconds = ledger.item_seconds(passed)
    if not sum(seconds):
        return None
    growing = growths(trial, comparison, change, sum(seconds) / len(seconds))
    ratios = [
        changed(model, change, growth).wall() / wall
        for model in models(passed, trial, comparison, change)
        for wall in [model.wall()]
        for growth in growing
    ]
    heads, spread = before * passed.wall / passed.whole, scatter(trial, comparison)
    rest = before - heads
    low, high = min(ratios) * heads * (1 - spread) + rest, max(ratios) * heads * (1 + spread) + rest
    mid = (min(ratios) + max(ratios)) / 2 * heads + rest
    share, named = stats.head_share(comparison), name_of(replace(trial, workers=change.workers or trial.workers))
    after = stats.Interval(low, mid, high, "range", len(stats.used(trial)))
    loop = plain * (share * change.work + 1 - share)
    return Outlook(change, (trial.backend, trial.workers), named, before, after, loop, plain)


def models(passed: Pass, trial: Trial, comparison: Comparison, change: Change) -> list[Model]:
    """Return the pass as it may have been: with as little, and with as much, of the sending for the bytes as may be."""
    messages = sorted(passed.messages, key=lambda m: m.first)
    seconds, sizes = ledger.item_seconds(passed), tuple(m.count for m in messages)
    n, count = len(messages), len(seconds)
    many = max(count, min(comparison.subject.items, stats.MOST_SCHEDULED))
    if many > count or change.chunk is not None:  # the last round of a sample is not that of all items
        seconds, sizes = tuple(seconds[i % count] for i in range(many)), even(many, max(1, round(count / n)))
    sending = passed.ledger.sending if passed.ledger is not None else 0.0
    inside = sum(max(0.0, m.start - m.received) + max(0.0, m.returned - m.end) for m in messages)
    large = trial.sends and passed.bytes_in + passed.bytes_out > SMALL * n
    most = max(0.0, sending - ledger.HAND_OVER * n) if large else 0.0
    computed = sum(m.cpu for m in messages) * len(seconds) / count
    ready = sum(m.cpu + (m.waited or 0.0) for m in messages) * len(seconds) / count
    held = held_seconds(trial, comparison, computed, ready)
    return [
        Model(
            seconds, sizes, (sending - varying) / n, varying / count,
            passed.packing / n * (1 - part), passed.packing / count * part, serial, trial.workers,
        )
        for varying, part, serial in ((min(most, inside), 0.0, held[0]), (most, float(large), held[1]))
    ]  # fmt: skip


def held_seconds(trial: Trial, comparison: Comparison, computed: float, ready: float) -> tuple[float, float]:
    """Return the least and the most seconds that threads compute one after the other, with the GIL.

    Args:
        trial: The workers.
        comparison: What was measured.
        computed: CPU seconds of all items.
        ready: Those and the seconds without a CPU: who has the GIL but no CPU keeps the others waiting too.
    """
    if not trial.threads or comparison.environment.gil == "off":
        return 0.0, 0.0
    share = comparison.probe.gil_share
    least, most = (0.0, 1.0) if share is None else (share, share)
    return least * computed, most * HANDING * ready


def even(items: int, size: int) -> tuple[int, ...]:
    """Return the sizes of chunks of so many items."""
    return (*(size,) * (items // size), *((items % size,) if items % size else ()))


def growths(trial: Trial, comparison: Comparison, change: Change, took: float) -> tuple[float, float]:
    """Return the least and the most that an item may take after the change, as times what it took in its worker.

    Workers that have more to do compete for the CPUs: an item that computes takes no less than in the plain loop, and
    at the most what the capacity of the machine leaves for it. With other workers, what each of them costs the others
    may go on.

    Args:
        trial: As measured.
        comparison: What it is of.
        change: What would be otherwise.
        took: Mean seconds of an item in its worker.
    """
    usual, workers = evidence.item_mean(comparison) or took, trial.workers
    least = max(1.0, usual / took)
    most = max(least, usual / took * workers / evidence.capacity_at(comparison, workers))
    if change.workers is not None and change.workers != workers:
        grown = min(2.0, GROWTH + 2 * (evidence.busy_share(comparison) or 0.0))  # without a free CPU nothing is gained
        if workers > 1:
            grown = max(1.0, took / usual) ** (1 / math.log2(workers))
        doubled = math.log2(change.workers / workers)
        least, most = min(least, grown**doubled), max(most, grown**doubled)
    computing = 1 - (evidence.waits(comparison) or 0.0)
    return 1 + (least - 1) * computing, 1 + (most - 1) * computing


def changed(model: Model, change: Change, growth: float) -> Model:
    """Return a pass after a change."""
    return replace(
        model,
        seconds=tuple(second * change.work * growth for second in model.seconds),
        serial=model.serial * change.work,
        varying=model.varying * change.bytes,
        packed=model.packed * change.bytes,
        workers=change.workers or model.workers,
        sizes=even(len(model.seconds), change.chunk) if change.chunk is not None else model.sizes,
    )


def scatter(trial: Trial, comparison: Comparison) -> float:
    """Return by what share the ratio of two measurements like that of a trial may be off.

    That is twice their relative deviation, and no less than the noise nor than their speed-up is off, of both of them;
    and where others take the CPUs, up to half of what they take: what they leave is more at one time and less at
    another.
    """
    walls: Sequence[float] = [p.whole for p in stats.used(trial)]
    least = stats.NOISE_OF_FEW
    if len(walls) >= stats.FEW:
        noise = stats.NOISE if len(walls) >= stats.ENOUGH else stats.NOISE_OF_SOME
        least = math.sqrt(2) * max(noise, 2 * 1.4826 * stats.mad(walls) / stats.median(walls))
    between = evidence.speed(trial, comparison)
    beside = (between.high - between.low) / (2 * between.mid) if between is not None else 0.0
    taken = (evidence.busy_share(comparison) or 0.0) * (1 - (evidence.waits(comparison) or 0.0)) / 2
    return min(0.6, max(least, math.sqrt(2) * beside, math.sqrt(2) * taken))
