"""Nested loops: the time of the cell as it is written, beside the time of each of its levels shared out by hand.

Run: python benchmarks/nested.py [--rounds 5] [--workers 2] [--milliseconds 2]
3 × 1000 and 1000 × 3 items that wait, in threads and in processes. In each round, in random order: the nested loops
under `%%parallel`, the outer loop alone (an item is a whole inner loop), and each inner loop alone. The last column is
the cell's time as a multiple of the better level's.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable

SETUP = """
import functools, time
import concompare

def f(a, b):
    time.sleep({seconds})
    return a + b

def row(a):
    return [f(a, b) for b in range({inner})]
"""
NESTED = """
found = {{}}
for a in range({outer}):
    for b in range({inner}):
        found[a, b] = f(a, b)
"""
OUTER = "found = concompare.map(row, range({outer}), backend={backend!r}, workers={workers})"
INNER = """
found = [
    concompare.map(functools.partial(f, a), range({inner}), backend={backend!r}, workers={workers})
    for a in range({outer})
]
"""


def cells(outer: int, inner: int, backend: str, workers: int, seconds: float) -> dict[str, Callable[[], None]]:
    """Return the three ways to run the same calls, by name, in a notebook of their own."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "concompare")
    words = {"outer": outer, "inner": inner, "backend": backend, "workers": workers, "seconds": seconds}
    shell.run_cell(SETUP.format(**words)).raise_error()

    def nested() -> None:
        shell.run_cell_magic("parallel", f"-b {backend} -w {workers} --quiet", NESTED.format(**words))
        assert len(shell.user_ns["found"]) == outer * inner

    def by_hand(cell: str) -> Callable[[], None]:
        return lambda: shell.run_cell(cell.format(**words)).raise_error()

    return {"as written": nested, "outer level": by_hand(OUTER), "inner level": by_hand(INNER)}


def main() -> None:
    """Measure both shapes on both kinds of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--milliseconds", type=float, default=2.0)
    options = parser.parse_args()
    print("| shape | backend | as written | outer level | inner level | ÷ better level |\n|---|---|---|---|---|---|")
    for outer, inner in ((3, 1000), (1000, 3)):
        for backend in ("threads", "processes"):
            ways = cells(outer, inner, backend, options.workers, options.milliseconds / 1000)
            times: dict[str, list[float]] = {name: [] for name in ways}
            for number in range(options.rounds + 1):
                for name in random.sample(list(ways), len(ways)):
                    began = time.perf_counter()
                    ways[name]()
                    if number:  # the first opens the pools
                        times[name].append(time.perf_counter() - began)
            found = {name: statistics.median(walls) for name, walls in times.items()}
            ratio = found["as written"] / min(found["outer level"], found["inner level"])
            walls = " | ".join(f"{wall:.2f} s" for wall in found.values())
            print(f"| {outer} × {inner} | {backend} | {walls} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
