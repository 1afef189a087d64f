"""Nested loops: the time of the cell as it is written, beside the time of each of its levels shared out by hand.

Run: python benchmarks/nested.py [--rounds 5] [--workers 2] [--milliseconds 2] [--backends threads,processes]
    [--written one,beside,called]
3 × 1000 and 1000 × 3 items: such that wait in threads, such that compute in processes. The loops are written directly
inside one another, with a statement beside the inner one, and with the inner one in a function. In each round, in
random order: the cell under `%%parallel`, the outer loop alone (an item is a whole inner loop), and each inner loop
alone. The last column is the median over the rounds of the cell's time as a multiple of the better level's, where the
better level is the one with the lower median; with its lowest and highest value.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator

SETUP = """
import functools, time
import concompare

def waits(a, b):
    time.sleep({seconds})
    return a + b

def computes(a, b):
    total = 0
    for number in range({steps}):
        total += number * number
    return a + b

f = {work}

def row(a):
    return [f(a, b) for b in range({inner})]
"""
WRITTEN = {
    "one": """
found = {{}}
for a in range({outer}):
    for b in range({inner}):
        found[a, b] = f(a, b)
""",
    "beside": """
found, sums = {{}}, []
for a in range({outer}):
    total = 0
    for b in range({inner}):
        found[a, b] = f(a, b)
        total += found[a, b]
    sums.append(total)
""",
    "called": """
found = {{}}
for a in range({outer}):
    for b, value in enumerate(row(a)):
        found[a, b] = value
""",
}
OUTER = "found = concompare.map(row, range({outer}), backend={backend!r}, workers={workers})"
INNER = """
found = [
    concompare.map(functools.partial(f, a), range({inner}), backend={backend!r}, workers={workers})
    for a in range({outer})
]
"""
WORK = {"threads": "waits", "processes": "computes"}
LEVELS = ("outer level", "inner level")


def steps_in(seconds: float) -> int:
    """Return how many steps of a loop that computes take that long here, at best."""
    tried, walls = 100_000, []
    for _ in range(5):
        began, total = time.perf_counter(), 0
        for number in range(tried):
            total += number * number
        walls.append(time.perf_counter() - began)
    return round(tried * seconds / min(walls))


def cells(written: str, words: dict[str, object]) -> dict[str, Callable[[], None]]:
    """Return the three ways to run the same calls, by name, in a notebook of their own."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    if "parallel" not in shell.magics_manager.magics["cell"]:
        shell.run_line_magic("load_ext", "concompare")
    shell.run_cell(SETUP.format(**words)).raise_error()

    def nested() -> None:
        line = f"-b {words['backend']} -w {words['workers']} --quiet"
        shell.run_cell_magic("parallel", line, WRITTEN[written].format(**words))
        assert len(shell.user_ns["found"]) == int(str(words["outer"])) * int(str(words["inner"]))

    def by_hand(cell: str) -> Callable[[], None]:
        return lambda: shell.run_cell(cell.format(**words)).raise_error()

    return {"as written": nested, "outer level": by_hand(OUTER), "inner level": by_hand(INNER)}


def measured(ways: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each way in each round; a first round, which opens the pools, is left out."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in random.sample(list(ways), len(ways)):
            began = time.perf_counter()
            ways[name]()
            if number:
                times[name].append(time.perf_counter() - began)
    return times


def line(times: dict[str, list[float]]) -> Iterator[str]:
    """Yield the columns of a row of the table."""
    yield from (f"{statistics.median(walls):.2f} s" for walls in times.values())
    better = min(LEVELS, key=lambda level: statistics.median(times[level]))
    ratios = [mine / other for mine, other in zip(times["as written"], times[better], strict=True)]
    yield f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    """Measure all shapes on both kinds of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--milliseconds", type=float, default=2.0)
    parser.add_argument("--backends", default="threads,processes")
    parser.add_argument("--written", default=",".join(WRITTEN))
    options = parser.parse_args()
    seconds = options.milliseconds / 1000
    print("| items | written as | backend | as written | outer level | inner level | ÷ better level |")
    print("|---|---|---|---|---|---|---|")
    for backend in options.backends.split(","):
        for written in options.written.split(","):
            for outer, inner in ((3, 1000), (1000, 3)):
                words = {"outer": outer, "inner": inner, "backend": backend, "workers": options.workers}
                words |= {"seconds": seconds, "steps": steps_in(seconds), "work": WORK[backend]}
                row = line(measured(cells(written, words), options.rounds))
                print(f"| {outer} × {inner} | {written} | {backend} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
