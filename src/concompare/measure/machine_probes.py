"""Probe the machine's capacity and who holds the GIL: small timed experiments beside the task.

The capacity probe spins processes that import nothing. The GIL probe is a heartbeat: a thread that sleeps half a
millisecond again and again wakes late when somebody holds the GIL; the time-weighted share of late wakes is the share
of time it is held. It is calibrated on an idle and on a spinning interpreter right before, and says nothing when the
idle one already looks busy.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from concompare.machine import native_pools, taken_away

__all__ = [
    "CALIBRATE",
    "SPIN",
    "Share",
    "capacity",
    "capacity_quiet",
    "gil_share",
    "known",
    "native_pools",
    "taken_away",
]

SPIN = 0.05
"""Seconds that every process of the capacity probe spins."""
BEAT = 0.0005
"""Seconds that the heartbeat sleeps."""
LATE = 1.3
"""A wake is late beyond this many times the idle 98th percentile."""
CALIBRATE = 0.1
"""Seconds of each of the two calibrations."""
TOO_BUSY = 0.05
"""Share that an idle interpreter may read before the machine is too busy to tell."""
PATIENCE = 10.0

_SPINNER = """
import sys, time
clock = time.perf_counter
print("ready", flush=True)
for line in sys.stdin:
    end, count = clock() + float(line), 0
    began = time.process_time()
    while clock() < end:
        for _ in range(200):
            count += 1
    print(count, time.process_time() - began, flush=True)
"""

Measured = tuple[tuple[int, float], ...]
_capacities: dict[tuple[int, ...], tuple[Measured, Measured]] = {}


def capacity(counts: Sequence[int], seconds: float = SPIN, again: bool = False) -> Measured:
    """Return, for n spinning processes, how many times one process's work the machine did; remembered per kernel.

    Args:
        counts: The numbers of processes to try.
        seconds: How long each spins.
        again: Measure even if it is known.
    """
    wanted = tuple(sorted({count for count in counts if count > 1}))
    if not wanted:
        return ((1, 1.0),)
    if again or wanted not in _capacities:
        _capacities[wanted] = _measure_capacity(wanted, seconds)
    return _capacities[wanted][0]


def capacity_quiet(counts: Sequence[int]) -> Measured:
    """Return the same as if nobody else had used the CPUs, as far as it was measured: by the processes' CPU seconds.

    What is left is what they do to each other: share cores, caches and the pace of a hot processor.
    """
    wanted = tuple(sorted({count for count in counts if count > 1}))
    return _capacities[wanted][1] if wanted in _capacities else ()


def known(counts: Sequence[int]) -> bool:
    """Say whether the capacity for these numbers of processes was measured before in this process."""
    return tuple(sorted({count for count in counts if count > 1})) in _capacities


def _measure_capacity(counts: tuple[int, ...], seconds: float) -> tuple[Measured, Measured]:
    command = [sys.executable, "-I", "-S", "-c", _SPINNER]
    pipe = subprocess.PIPE
    spinners = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        for _ in range(max(counts))
    ]
    try:
        if any(_line(s) != "ready" for s in spinners):
            return ((1, 1.0),), ()
        before = _spin(spinners[:1], seconds)
        done = {count: _spin(spinners[:count], seconds) for count in counts}
        after = _spin(spinners[:1], seconds)
        alone = max(before[0], after[0]) or 1.0
        now = ((1, 1.0), *((count, min(float(count), work / alone)) for count, (work, _) in done.items()))
        each = max(work / cpu if cpu > 0 else 0.0 for work, cpu in (before, after))
        paces = {count: work / cpu / each for count, (work, cpu) in done.items() if cpu > 0 and each > 0}
        return now, ((1, 1.0), *((count, count * min(1.0, pace)) for count, pace in paces.items()))
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.communicate()


def _line(spinner: subprocess.Popen[str]) -> str:
    return spinner.stdout.readline().strip() if spinner.stdout is not None else ""


def _spin(spinners: Sequence[subprocess.Popen[str]], seconds: float) -> tuple[float, float]:
    """Let the processes spin together and return the loops they did and the CPU seconds they had, all together."""
    for spinner in spinners:
        if spinner.stdin is not None:
            spinner.stdin.write(f"{seconds}\n")
            spinner.stdin.flush()
    answers = [(_line(spinner) or "0 0").split() for spinner in spinners]
    return sum(float(loops) for loops, _ in answers), sum(float(cpu) for _, cpu in answers)


@dataclass(frozen=True, slots=True)
class Share:
    """The share of time the GIL was held, from 0 to 1, or None with the reason in words."""

    value: float | None
    word: str


def late_share(gaps: Sequence[float], limit: float) -> float:
    """Return the time-weighted share of wakes later than the limit.

    Weighing by time makes up for the few wakes of a heartbeat that is kept waiting: counted, they read far too low.
    """
    total = sum(gaps)
    return sum(gap for gap in gaps if gap > limit) / total if total > 0 else 0.0


def judge(idle: Sequence[float], spinning: Sequence[float], running: Sequence[float]) -> Share:
    """Return the share from the wakes of an idle and of a spinning interpreter and of the task.

    Args:
        idle: Seconds between wakes with nothing else running.
        spinning: The same beside a pure Python loop, which holds the GIL all the time.
        running: The same beside the task.
    """
    if len(idle) < 20 or not running or not spinning:
        return Share(None, "too short to tell")
    half = len(idle) // 2
    limit = LATE * _quantile(idle[:half], 0.98)
    floor, ceiling = late_share(idle[half:], limit), late_share(spinning, limit)
    if floor > TOO_BUSY or ceiling < 0.8:
        return Share(None, "machine too busy to tell")
    share = min(1.0, max(0.0, (late_share(running, limit) - floor) / (ceiling - floor)))
    rounded = round(share * 20) / 20
    return Share(rounded, word_of(rounded))


def word_of(share: float) -> str:
    """Return the share in words."""
    if share >= 0.9:
        return "nearly always held"
    if share >= 0.6:
        return "mostly held"
    if share >= 0.3:
        return "held about half of the time"
    return "held now and then" if share >= 0.1 else "nearly always free"


def gil_share(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Share:
    """Return the share of its time for which `run` holds the GIL.

    Args:
        run: Runs some of the task's items; a quarter of a second of them is enough.
        clock: Seconds.
    """
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return Share(None, "no GIL")
    idle = beats(lambda: time.sleep(2 * CALIBRATE), clock)
    spinning = beats(lambda: spin(CALIBRATE, clock), clock)
    return judge(idle, spinning, beats(run, clock))


def spin(seconds: float, clock: Callable[[], float] = time.perf_counter) -> int:
    """Compute in pure Python for so many seconds."""
    end, count = clock() + seconds, 0
    while clock() < end:
        count += 1
    return count


def beats(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Return the seconds between the heartbeat's wakes while `run` ran."""
    gaps: list[float] = []
    stop = False

    def beat() -> None:
        before = clock()
        while not stop:
            time.sleep(BEAT)
            now = clock()
            gaps.append(now - before)
            before = now

    heart = threading.Thread(target=beat, name="concompare-heartbeat", daemon=True)
    heart.start()
    try:
        run()
    finally:
        stop = True
        heart.join(PATIENCE)
    return gaps


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
