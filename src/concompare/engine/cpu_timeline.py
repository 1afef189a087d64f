"""When every worker was on a CPU, ready without one, or blocked, as `cpu_sampler` saw it from outside."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from concompare.engine import cpu_sampler
from concompare.engine.cpu_sampler import SAMPLE
from concompare.records import Slice, Track

PERIOD = 0.002
"""Seconds between two looks."""

SAME = 0.02
"""Shares that differ by less are one slice."""

READY = 0xFFFFFFFF


class Sampler:
    """Watches threads of processes from its start to its stop.

    Args:
        idents: (process id, thread id) of each worker.
    """

    def __init__(self, idents: tuple[tuple[int, int], ...]) -> None:
        self.idents = idents
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - read when the sampler has ended
        words = [f"{process}:{thread}" for process, thread in idents]
        import subprocess

        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(cpu_sampler.__file__)), str(PERIOD), *words],
            stdin=subprocess.PIPE,
            stdout=self.file,
            stderr=subprocess.DEVNULL,
        )
        while self.process.poll() is None and os.fstat(self.file.fileno()).st_size < SAMPLE.size:
            os.sched_yield()

    def stop(self, began: float, busy: dict[tuple[int, int], list[tuple[float, float]]]) -> tuple[Track, ...]:
        """End the sampler and return what it saw of the workers at work, one track per worker.

        Args:
            began: When the pass began; the tracks are in seconds since then.
            busy: When each worker had a message, as (start, end) in order; beyond that it is idle, not blocked.
        """
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.file.seek(0)
        data = self.file.read()
        self.file.close()
        seen: dict[int, list[tuple[float, int, int]]] = {}
        for moment, place, ran, waited in SAMPLE.iter_unpack(data[: len(data) // SAMPLE.size * SAMPLE.size]):
            if place != READY:
                seen.setdefault(place, []).append((moment - began, ran, waited))
        found = ((self.idents[place], slices_of(samples)) for place, samples in sorted(seen.items()))
        return tuple(Track(ident, within(slices, busy.get(ident, []))) for ident, slices in found)


def within(slices: tuple[Slice, ...], spans: list[tuple[float, float]]) -> tuple[Slice, ...]:
    """Return the parts of slices that lie within spans; both are in order and free of overlap."""
    kept: list[Slice] = []
    remaining = iter(spans)
    span = next(remaining, None)
    for piece in slices:
        while span is not None and span[1] <= piece.start:
            span = next(remaining, None)
        while span is not None and span[0] < piece.end:
            start, end = max(piece.start, span[0]), min(piece.end, span[1])
            if end > start:
                kept.append(replace(piece, start=start, end=end))
            if span[1] > piece.end:
                break
            span = next(remaining, None)
    return tuple(kept)


def slices_of(samples: list[tuple[float, int, int]]) -> tuple[Slice, ...]:
    """Return the stretches in which a thread's shares of time did not change.

    Linux adds to its counts when a thread stops running or at a tick, not all the while: what a look finds beyond the
    time since the look before belongs to the time before that. A wait is counted when it ends, before what ran.

    Args:
        samples: (seconds, nanoseconds on a CPU, nanoseconds ready without one), in order.
    """
    lengths = [end[0] - start[0] for start, end in pairwise(samples)]
    free = list(lengths)
    ran, waited = [0.0] * len(free), [0.0] * len(free)
    for place, (before, after) in enumerate(pairwise(samples)):
        lay_back(free, ran, place, (after[1] - before[1]) / 1e9)
        lay_back(free, waited, place, (after[2] - before[2]) / 1e9)
    slices: list[Slice] = []
    for (start, *_), length, on, ready in zip(samples, lengths, ran, waited, strict=False):
        if length <= 0 or start + length <= 0:
            continue
        found = Slice(max(start, 0.0), start + length, on / length, ready / length)
        last = slices[-1] if slices else None
        if last is not None and abs(last.computing - found.computing) + abs(last.waiting - found.waiting) < SAME:
            slices[-1] = replace(last, end=found.end)
        else:
            slices.append(found)
    return tuple(slices)


def lay_back(free: list[float], taken: list[float], place: int, seconds: float) -> None:
    """Lay seconds into the free time up to a place, latest first."""
    while seconds > 0 and place >= 0:
        piece = min(seconds, free[place])
        free[place] -= piece
        taken[place] += piece
        seconds -= piece
        place -= 1


def can_sample() -> bool:
    """Return whether this system counts what the sampler reads."""
    return os.path.exists("/proc/self/schedstat")
