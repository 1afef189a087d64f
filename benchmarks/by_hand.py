"""Our numbers beside a timing of the same work written by hand with concurrent.futures; they should agree within 10 %.

The two are timed in turns, in random order, and compared block by block, so that a machine that gets slower or faster
meanwhile does not pass for a difference. Every number of a report comes from passes like the ones timed here.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import concompare

WORKERS = 2
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
    parser.add_argument("--blocks", type=int, default=9, help="timings of each kind")
    parser.add_argument("--seed", type=int, default=0, help="seed of the order within the blocks")
    args = parser.parse_args()
    order = random.Random(args.seed)
    method = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
    off = 0
    print(f"{'case':26} {'backend':10} {'by hand':>10} {'concompare':>11} {'difference':>11}   of {args.blocks} blocks")
    with ThreadPoolExecutor(WORKERS) as threads, ProcessPoolExecutor(WORKERS, mp_context=method) as processes:
        pools: dict[str, Executor | None] = {"serial": None, "threads": threads, "processes": processes}
        for name, (function, items) in CASES.items():
            for backend, pool in pools.items():
                pairs = timed_in_turns(function, items, backend, pool, args.blocks, order)
                hand, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
                difference = statistics.median(b / a for a, b in pairs) - 1
                off += abs(difference) > LIMIT
                print(f"{name:26} {backend:10} {hand * 1e3:7.1f} ms {ours * 1e3:8.1f} ms {difference:+11.1%}")
    print(f"{off} of them further off than {LIMIT:.0%}")
    return 1 if off else 0


def timed_in_turns(
    function: Callable[..., object],
    items: Sequence[float],
    backend: str,
    pool: Executor | None,
    blocks: int,
    order: random.Random,
) -> list[tuple[float, float]]:
    """Return seconds by hand and by concompare for each block, after one of each that does not count."""
    chunk = max(1, len(items) // (WORKERS * 16))

    def by_hand() -> float:
        if pool is None:
            return timed(lambda: [function(item) for item in items])
        return timed(lambda: list(pool.map(function, items, chunksize=chunk)))

    def ours() -> float:
        concompare.map(function, items, backend=backend, workers=WORKERS)
        return float(concompare.last().record.wall)

    by_hand(), ours()
    pairs = []
    for _ in range(blocks):
        if order.random() < 0.5:
            pairs.append((by_hand(), ours()))
        else:
            second = ours()
            pairs.append((by_hand(), second))
    return pairs


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
