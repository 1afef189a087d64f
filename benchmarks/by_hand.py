"""Our numbers beside a timing of the same work written by hand with concurrent.futures; they should agree within 10 %.

Each case is timed by hand, then compared by `concompare.compare`, then timed by hand again, so that a machine that gets
slower or faster meanwhile does not pass for a difference. Run it on a quiet machine: `make by-hand`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import concompare

WORKERS = 2
PASSES = 5
LIMIT = 0.10


def count(load: int) -> int:
    """Compute for about as many 50 ns as `load` says."""
    total = 0
    for number in range(load):
        total += number * number
    return total


def wait(seconds: float) -> float:
    """Wait, as for a network."""
    time.sleep(seconds)
    return seconds


CASES: dict[str, tuple[Callable[..., object], Sequence[float]]] = {
    "100 items that compute": (count, [120_000] * 100),
    "60 uneven items": (count, [40_000 * (1 + n % 7) for n in range(60)]),
    "60 items that wait 10 ms": (wait, [0.01] * 60),
    "2000 small items": (count, [4_000] * 2000),
}


def main() -> int:
    """Print the table; return 1 if a number is further off than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", type=float, default=10.0, help="seconds for each comparison")
    args = parser.parse_args()
    off = 0
    print(f"{'case':26} {'backend':10} {'by hand':>10} {'concompare':>11} {'difference':>11}")
    for name, (function, items) in CASES.items():
        before = timed_by_hand(function, items)
        report = concompare.compare(function, items, workers=WORKERS, budget=args.budget)
        after = timed_by_hand(function, items)
        for trial in report.comparison.trials:
            if trial.workers != (1 if trial.backend == "serial" else WORKERS) or not trial.timed:
                continue
            hand = statistics.median(before[trial.backend] + after[trial.backend])
            ours = statistics.median(one.wall * len(items) / one.items for one in trial.timed)
            difference = ours / hand - 1
            off += abs(difference) > LIMIT
            print(f"{name:26} {trial.backend:10} {hand * 1e3:7.1f} ms {ours * 1e3:8.1f} ms {difference:+11.1%}")
    print(f"{off} of them further off than {LIMIT:.0%}")
    return 1 if off else 0


def timed_by_hand(function: Callable[..., object], items: Sequence[float]) -> dict[str, list[float]]:
    """Return the seconds of several passes of the plain loop, of threads and of processes, interleaved."""
    method = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
    seconds: dict[str, list[float]] = {"serial": [], "threads": [], "processes": []}
    with ThreadPoolExecutor(WORKERS) as threads, ProcessPoolExecutor(WORKERS, mp_context=method) as processes:
        pools: dict[str, Executor] = {"threads": threads, "processes": processes}
        for pool in pools.values():
            list(pool.map(wait, [0.1] * WORKERS))
        for _ in range(PASSES):
            seconds["serial"].append(timed(lambda: [function(item) for item in items]))
            for name, pool in pools.items():
                chunk = max(1, len(items) // (WORKERS * 16))
                seconds[name].append(timed(lambda p=pool, c=chunk: list(p.map(function, items, chunksize=c))))  # type: ignore[misc]
    return seconds


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
