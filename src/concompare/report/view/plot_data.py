"""The numbers that the pictures draw: curves against workers, ledgers as shares, the timeline's strips."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from concompare.analysis import stats
from concompare.report.view.model import LEDGER_PARTS, Pictures
from concompare.report.view.naming import configuration, name_of
from concompare.report.view.parts import Bar, Curve, Point, Span, Strip, Strips, Timeline
from concompare.report.view.table import is_picked, ordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from concompare.records import Comparison, Ledger, Message, Slice, Track, Trial
    from concompare.report.view.table import Configuration

MOST_BARS = 9
LEAST_COUNTS = 3
"""Worker counts without which no curve is fitted."""
MOST_FITS = 3
"""Fitted curves in one picture: those of the fastest backends."""
FIT_STEPS = 32
MOST_STRIPS = 8
MOST_GROUPS = 3
MESSAGES_IN_SIGHT = 24
"""The timeline shows the time in which the busiest worker handles about so many messages."""

TRACK_IN_SIGHT = 0.4
"""Seconds shown of strips seen from outside: threads pass the GIL on every few milliseconds."""


def pictures_of(comparison: Comparison, picked: Configuration | None) -> Pictures:
    """Return what the pictures draw."""
    serial = stats.serial_of(comparison)
    bars = [bar for trial in ordered(comparison, picked) if (bar := bar_of(trial, picked)) is not None]
    shown = few_bars(bars)
    return Pictures(
        curves=curves_of(comparison, picked),
        plain=plain_seconds(comparison),
        plain_picked=serial is not None and is_picked(serial, picked),
        capacity=comparison.probe.capacity,
        cpus=comparison.environment.usable,
        weak=comparison.scaling == "weak",
        bars=tuple(shown),
        more_bars=len(bars) - len(shown),
        timeline=timeline_of(comparison, picked),
    )


def plain_seconds(comparison: Comparison) -> float | None:
    """Return the seconds of the plain loop, or None where it was not timed."""
    serial = stats.serial_of(comparison)
    return None if serial is None or serial.problem is not None else stats.whole(serial, comparison)


def curves_of(comparison: Comparison, picked: Configuration | None, *, fits: bool = True) -> tuple[Curve, ...]:
    """Return one curve for each backend that was timed, in the order of the trials; one more where it was capped.

    With `fits` the fastest get a fitted law, which takes too long to be drawn again and again while measuring.
    """
    found: dict[tuple[str, bool], list[tuple[Trial, Point]]] = {}
    serial = stats.serial_of(comparison)
    usual = serial.native_threads if serial is not None else None
    for trial in comparison.trials:
        point = point_of(trial, comparison, picked)
        if point is not None and not trial.plain:
            found.setdefault((trial.backend, trial.native_threads == usual), []).append((trial, point))
    curves = tuple(
        Curve(
            backend,
            label_of([trial for trial, _ in pairs]),
            tuple(sorted((p for _, p in pairs), key=lambda p: p.workers)),
        )
        for (backend, _), pairs in found.items()
    )
    if not fits:
        return curves
    usual_ones = [curve for curve, (_, as_usual) in zip(curves, found, strict=True) if as_usual]
    best = sorted(usual_ones, key=reached, reverse=True)[:MOST_FITS]
    return tuple(replace(c, fit=fit_of(comparison, c)) if c in best else c for c in curves)


def label_of(trials: Sequence[Trial]) -> str:
    """Return what a curve through these trials of one backend is called, with the native threads of their workers."""
    limits = sorted({trial.native_threads for trial in trials if trial.native_threads is not None})
    name = name_of(replace(trials[0], native_threads=None))
    if not limits:
        return name
    return f"{name} ({limits[0]} BLAS)" if len(limits) == 1 else f"{name} ({limits[0]}–{limits[-1]} BLAS)"


def reached(curve: Curve) -> float:
    """Return the highest speed-up of a curve."""
    return max((point.speed[1] for point in curve.points if point.speed is not None), default=0.0)


def fit_of(comparison: Comparison, curve: Curve) -> tuple[tuple[float, float, float, float], ...]:
    """Return the law fitted to a curve, up to twice the largest worker count; nothing where too few counts ran."""
    if len(curve.points) < LEAST_COUNTS:
        return ()
    from concompare.analysis import scaling  # which needs numpy

    law = scaling.fit(comparison, curve.backend)
    if law is None or curve.points[-1].workers != law.measured:
        return ()
    first, steps = curve.points[0].workers, FIT_STEPS
    places = {first * (law.limit / first) ** (i / steps) for i in range(steps)} | {law.measured, law.limit}
    found = [(workers, law.at(workers)) for workers in sorted(places)]
    return tuple((workers, at.low, at.mid, at.high) for workers, at in found if at is not None)


def point_of(trial: Trial, comparison: Comparison, picked: Configuration | None) -> Point | None:
    """Return a trial as a point, or None where it has no time."""
    time = stats.whole(trial, comparison)
    if trial.problem is not None or time is None or time <= 0:
        return None
    walls = [p.whole for p in stats.used(trial)]
    scale = (stats.seconds_alone(trial, comparison) or 0.0) / (stats.median(walls) or 1.0)
    serial = stats.serial_of(comparison)
    between = stats.speed_up(trial, serial) if serial is not None else None
    speed = None if between is None else (between.low, between.mid, between.high)
    return Point(trial.workers, time, stats.mad(walls) * scale, speed, is_picked(trial, picked))


def shares_of(ledger: Ledger) -> dict[str, float]:
    """Return the parts of a ledger as shares that sum to 1."""
    parts = {key: max(0.0, getattr(ledger, key) or 0.0) for key, _ in LEDGER_PARTS}
    total = sum(parts.values())
    return {key: value / total for key, value in parts.items()} if total > 0 else {}


def trial_shares(trial: Trial) -> dict[str, float]:
    """Return where the workers' time of a trial went, as shares: the mean over its passes."""
    ledgers = [p.ledger for p in stats.used(trial) if p.ledger is not None] if trial.problem is None else []
    shares = [s for s in map(shares_of, ledgers) if s]
    return {key: sum(s[key] for s in shares) / len(shares) for key, _ in LEDGER_PARTS} if shares else {}


def bar_of(trial: Trial, picked: Configuration | None) -> Bar | None:
    """Return a trial's ledger as a bar, or None where it has none."""
    shares = trial_shares(trial)
    if not shares:
        return None
    return Bar(trial.backend, configuration(trial), tuple(shares.items()), is_picked(trial, picked))


def few_bars(bars: list[Bar]) -> list[Bar]:
    """Return the bars there is room for: of every backend its best, then the next best, in the given order."""
    seen: dict[str, int] = {}
    ranks = []
    for place, bar in enumerate(bars):
        seen[bar.backend] = seen.get(bar.backend, 0) + 1
        ranks.append((not bar.picked, seen[bar.backend], place))
    kept = {place for *_, place in sorted(ranks)[:MOST_BARS]}
    return [bar for place, bar in enumerate(bars) if place in kept]


def timeline_of(comparison: Comparison, picked: Configuration | None) -> Timeline | None:
    """Return the strips of the pick and of other backends at a like worker count, or None where none were recorded."""
    able = [t for t in ordered(comparison, picked) if not t.plain]
    recorded = [t for t in able if messages_of(t) or tracks_of(t)]
    recorded = [t for t in recorded if t.workers > 1] or recorded
    if not recorded:
        return None
    like = able[0].workers
    best: dict[str, Trial] = {}
    for trial in recorded:
        nearest = best.setdefault(trial.backend, trial)
        if abs(trial.workers - like) < abs(nearest.workers - like):
            best[trial.backend] = trial
    chosen = sorted(best.values(), key=recorded.index)[:MOST_GROUPS]
    ends = [end_of(t) for t in chosen]
    until = min(max(ends), max(in_sight(t) for t in chosen))
    if until <= 0:
        return None
    groups = tuple(strips_of(t, until) for t in sorted(chosen, key=comparison.trials.index))
    return Timeline(groups, until, whole=until >= max(ends))


def messages_of(trial: Trial) -> tuple[Message, ...]:
    """Return the messages of the last pass of which they were kept, be it one that was cut short."""
    if trial.problem is not None:
        return ()
    return next((p.messages for p in reversed(trial.passes) if p.messages), ())


def tracks_of(trial: Trial) -> tuple[Track, ...]:
    """Return what was seen of the workers from outside, where that was recorded."""
    return () if trial.problem is not None else next((p.tracks for p in reversed(trial.passes) if p.tracks), ())


def end_of(trial: Trial) -> float:
    """Return when the last of a trial's strips ends."""
    tracks = tracks_of(trial)
    if tracks:
        return max((piece.end for track in tracks for piece in track.slices), default=0.0)
    return max(m.returned for m in messages_of(trial))


def in_sight(trial: Trial) -> float:
    """Return the moment until which what the workers did can be told apart."""
    if tracks_of(trial):
        return TRACK_IN_SIGHT
    by_worker: dict[int, list[float]] = {}
    for message in messages_of(trial):
        by_worker.setdefault(message.worker, []).append(message.returned)
    busiest = max((sorted(moments) for moments in by_worker.values()), key=len)
    return busiest[min(len(busiest), MESSAGES_IN_SIGHT) - 1]


def strips_of(trial: Trial, until: float) -> Strips:
    """Return the strips of one trial up to a moment."""
    if tracks_of(trial):
        return tracked_strips_of(trial, until)
    by_worker: dict[int, list[Message]] = {}
    for message in messages_of(trial):
        if message.received < until:
            by_worker.setdefault(message.worker, []).append(message)
    lock = lock_share(trial)
    workers = sorted(by_worker)[:MOST_STRIPS]
    strips = tuple(
        Strip(str(place + 1), tuple(span for m in by_worker[worker] for span in spans_of(m, until, lock)))
        for place, worker in enumerate(workers)
    )
    return Strips(trial.backend, configuration(trial), strips, len(by_worker) - len(strips))


def tracked_strips_of(trial: Trial, until: float) -> Strips:
    """Return the strips of one trial as they were seen from outside; blocked time is drawn as lock or I/O."""
    lock = lock_share(trial)
    tracks = tracks_of(trial)
    strips = tuple(
        Strip(str(place + 1), tuple(span_of(piece, until, lock) for piece in track.slices if piece.start < until))
        for place, track in enumerate(tracks[:MOST_STRIPS])
    )
    return Strips(trial.backend, configuration(trial), strips, max(0, len(tracks) - MOST_STRIPS))


def span_of(piece: Slice, until: float, lock: float | None) -> Span:
    """Return a slice of a track as a span."""
    blocked = max(0.0, 1.0 - piece.computing - piece.waiting)
    shares = (("computing", piece.computing), ("waiting", piece.waiting), *divided(blocked, lock))
    return Span(piece.start, min(piece.end, until), tuple(s for s in shares if s[1] > 0.005))


def divided(blocked: float, lock: float | None) -> tuple[tuple[str, float], ...]:
    """Return time blocked as the lock's part and the rest, or undivided where nobody knows."""
    return (("blocked", blocked),) if lock is None else (("lock", blocked * lock), ("io", blocked * (1 - lock)))


def lock_share(trial: Trial) -> float | None:
    """Return the share of a trial's blocked time that is a lock's; None where there is no ledger to tell."""
    blocked = trial_shares(trial)
    if not blocked:
        return None
    return blocked.get("lock", 0.0) / ((blocked.get("lock", 0.0) + blocked.get("io", 0.0)) or 1.0)


def spans_of(message: Message, until: float, lock: float | None) -> list[Span]:
    """Return a message as spans: unpacking, the items (divided as its CPU time says), packing.

    Args:
        message: The message.
        until: Where the axis ends.
        lock: Share of blocked time that is a lock's, the rest is input and output; None where nobody knows.
    """
    length = message.end - message.start
    spans = []
    if length > 0:
        computing = min(1.0, (message.cpu + message.native_cpu) / length)
        waiting = min(1.0 - computing, (message.waited or 0.0) / length)
        blocked = 1.0 - computing - waiting
        shares = (("computing", computing), ("waiting", waiting), *divided(blocked, lock))
        spans.append(Span(message.start, message.end, tuple(s for s in shares if s[1] > 0.005)))
    for start, end in ((message.received, message.start), (message.end, message.returned)):
        if end > start:
            spans.append(Span(start, end, (("sending", 1.0),)))
    return [Span(s.start, min(s.end, until), s.shares) for s in spans if s.start < until]
