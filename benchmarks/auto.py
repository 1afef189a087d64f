"""What choosing costs: runs on `auto` beside runs on what `auto` chose, named, in turns.

    python benchmarks/auto.py [--blocks 7] [--only work,…]

Pools are warm for both and nothing is remembered of earlier runs, so `auto` probes the first items every time. Wanted:
within 2 % on passes of over a second, within 50 ms on shorter ones.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from concompare import engine
from concompare.analysis import stats
from concompare.cells.task import task_of
from concompare.run import auto_history, dispatch
from concompare.run.request import request_of

SHARE, SECONDS = 0.02, 0.050
DATA = bytes(2_000_000)


def count(steps: int) -> int:
    """Compute in pure Python."""
    total = 0
    for i in range(steps):
        total += i * i
    return total


def nap(seconds: float) -> float:
    """Wait, as for a network."""
    time.sleep(seconds)
    return seconds


def digest(number: int) -> str:
    """Compute without the GIL."""
    return hashlib.sha256(DATA + b"%d" % number).hexdigest()


WORK: dict[str, tuple[Callable[[Any], Any], Sequence[Any]]] = {
    "tiny": (abs, range(20_000)),
    "short": (count, [20_000] * 20),
    "python": (count, [60_000] * 600),
    "long items": (count, [8_000_000] * 6),
    "sleep": (nap, [0.01] * 600),
    "hashing": (digest, range(1500)),
}


def timed(
    function: Callable[[Any], Any], items: Sequence[Any], backend: str, workers: int | None = None
) -> tuple[float, dispatch.Ran]:
    """Run once, without what was compared before; return the seconds and what ran."""
    auto_history.COMPARISONS.clear()
    getattr(auto_history, "RUNS", {}).clear()  # what earlier runs of a task took, where that is kept
    request = request_of((backend,), str(workers) if workers else None)
    began = time.perf_counter()
    ran = dispatch.run(task_of(function, items), request)
    return time.perf_counter() - began, ran


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--only", default="", help="names of work, separated by commas")
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name]
    over = []
    print(f"{'work':12} {'chosen':14} {'named':>8} {'auto':>8} {'more':>9} {'share':>7}")
    for name, (function, items) in WORK.items():
        if chosen and name not in chosen:
            continue
        trial = timed(function, items, "auto")[1].comparison.trials[0]
        ways: dict[str, int | None] = {"auto": None, trial.backend: trial.workers}
        for way, workers in ways.items():
            timed(function, items, way, workers)  # warms its pool
        pairs = []
        for _ in range(options.blocks):
            pair = {way: timed(function, items, way, ways[way])[0] for way in random.sample(list(ways), 2)}
            pairs.append((pair["auto"], pair[trial.backend]))
        named = stats.median([p[1] for p in pairs])
        more = stats.median([a - b for a, b in pairs])
        share = stats.median([a / b - 1 for a, b in pairs])
        within = share <= SHARE if named > 1 else more <= SECONDS
        over += [] if within else [name]
        way = f"{trial.backend} × {trial.workers}"
        times = f"{named:7.3f}s {named + more:7.3f}s {1000 * more:+6.0f} ms {share:+7.1%}"
        print(f"{name:12} {way:14} {times} {'' if within else 'TOO MUCH'}")
    engine.close_pools()
    print(f"too much: {', '.join(over) or 'none'} (wanted: {SHARE:.0%} over a second, {1000 * SECONDS:.0f} ms below)")


if __name__ == "__main__":
    main()
