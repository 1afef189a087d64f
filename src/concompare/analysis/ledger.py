"""Ledger of a pass: divide workers × wall by the moments of its messages.

|─ sending ─|─ computing · waiting for a CPU · lock · I/O ─|─ sending ─| … |─ idle: no items left ─|
0        received                                    returned           done                   wall
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from concompare.records import Ledger, Message, Pass

HAND_OVER = 0.00005
"""Seconds to hand a message to a thread that has the GIL and a CPU."""


def blocked_per_item(passed: Pass) -> dict[int, float]:
    """Return, by position in a plain pass, the seconds each item was blocked: neither on a CPU nor ready."""
    found = {}
    for message in passed.messages:
        blocked = split(message)[2] / max(1, message.count)
        found.update(dict.fromkeys(range(message.first, message.first + message.count), blocked))
    return found


def ledger_of(passed: Pass, workers: int, blocked: Mapping[int, float], isolation: str = "process") -> Ledger:
    """Account for workers × wall of one pass.

    Time blocked is I/O as far as the plain loop is blocked for the same items, and lock beyond that. The time of a
    worker's thread that native threads (BLAS, OpenMP) computed for it counts as computing.

    Args:
        passed: The pass, with its messages.
        workers: Workers of its pool.
        blocked: Seconds the plain loop is blocked, by position in the pass.
        isolation: What the workers share. Threads and the plain loop pack nothing, so their gaps beyond `HAND_OVER` are
            waits for the same things as within items, a CPU or the GIL, and are shared out like those.
    """
    usual = sum(blocked.values()) / len(blocked) if blocked else 0.0
    computing = waiting = lock = io = sending = idle = 0.0
    told = all(message.waited is not None for message in passed.messages)
    for lane in lanes(passed.messages, workers):
        sends, idles = _gaps(lane, passed.wall)
        sending, idle = sending + sends, idle + idles
        for message in lane:
            cpu, waited, rest = split(message)
            native = min(rest, message.native_cpu)
            rest -= native
            expected = sum(blocked.get(i, usual) for i in range(message.first, message.first + message.count))
            computing += cpu + native
            waiting += waited
            io += min(rest, expected)
            lock += max(0.0, rest - expected)
    locked = lock if isolation == "thread" else 0.0  # nobody else in the plain loop has the GIL
    if isolation in ("thread", "none") and locked + waiting > 0:
        excess = max(0.0, sending - HAND_OVER * len(passed.messages))
        sending -= excess
        lock, waiting = lock + excess * locked / (locked + waiting), waiting + excess * waiting / (locked + waiting)
    return Ledger(
        total=workers * passed.wall,
        computing=computing,
        waiting=waiting if told else None,
        lock=lock,
        io=io,
        sending=sending,
        idle=idle,
    )


def lanes(messages: Sequence[Message], workers: int) -> list[list[Message]]:
    """Return the messages of each worker in the order in which it got them; empty for workers that got none."""
    found: dict[int, list[Message]] = {}
    for message in sorted(messages, key=lambda m: m.start):
        found.setdefault(message.worker, []).append(message)
    return [*found.values(), *([] for _ in range(workers - len(found)))]


def split(message: Message) -> tuple[float, float, float]:
    """Return the seconds a message's computing spent on a CPU, ready without one, and blocked; they sum to its time.

    The clocks behind them tick on their own, so what exceeds the message's time is cut off.
    """
    long = max(0.0, message.end - message.start)
    cpu = min(message.cpu, long)
    waited = min(message.waited or 0.0, long - cpu)
    return cpu, waited, long - cpu - waited


def _gaps(lane: Sequence[Message], wall: float) -> tuple[float, float]:
    """Return a worker's seconds of sending (with packing, and the way back of its last answer) and of idling."""
    if not lane:
        return 0.0, wall
    sending = lane[0].start
    for before, after in pairwise(lane):
        sending += max(0.0, after.start - before.end)
    last = lane[-1]
    back = max(last.end, min(wall, last.done))
    return sending + back - last.end, max(0.0, wall - back)


def spread(passed: Pass) -> float:
    """Return the longest item's seconds over the mean of all, 1 where all take the same."""
    seconds = item_seconds(passed)
    mean = sum(seconds) / len(seconds) if seconds else 0.0
    return max(seconds) / mean if mean > 0 else 1.0


def item_seconds(passed: Pass) -> tuple[float, ...]:
    """Return the seconds of the items, in the order of the pass; items of a bulk share its time evenly."""
    found: list[float] = []
    for message in sorted(passed.messages, key=lambda m: m.first):
        if len(message.seconds) == message.count:
            found += message.seconds
        else:
            found += [(message.end - message.start) / max(1, message.count)] * message.count
    return tuple(found)


def item_cpu(passed: Pass) -> tuple[float, ...]:
    """Return the CPU seconds of the items, native threads included, in the order of the pass."""
    found: list[float] = []
    for message in sorted(passed.messages, key=lambda m: m.first):
        found += [(message.cpu + message.native_cpu) / max(1, message.count)] * message.count
    return tuple(found)


def item_native(passed: Pass) -> tuple[float, ...]:
    """Return the CPU seconds that native threads computed for each item, in the order of the pass."""
    found: list[float] = []
    for message in sorted(passed.messages, key=lambda m: m.first):
        found += [message.native_cpu / max(1, message.count)] * message.count
    return tuple(found)
