"""How long after its cap a hopeless pass is over, its worker processes gone.

    python benchmarks/caps.py [--times 3]

Items compute or sleep far beyond the cap. Printed: by how many milliseconds the pass ended too late (at most 200 are
wanted), and how many of its worker processes still ran then. A thread inside a sleep cannot be ended: the pass ends
without it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import psutil

from concompare import backends, engine

CAP = 0.3
WANTED = 0.2


def spin(x: int) -> int:
    """Compute for much longer than the cap."""
    end = time.perf_counter() + 10 * CAP
    while time.perf_counter() < end:
        pass
    return x


def nap(x: int) -> int:
    """Sleep for much longer than the cap."""
    time.sleep(10 * CAP)
    return x


def late(name: str, function: Callable[[int], int]) -> tuple[float, int]:
    """Return the seconds after the cap at which the pass ended, and the worker processes that were left."""
    with engine.lease(backends.find(name), 2, fresh=True) as pool:
        workers = {process for process, _ in pool.present.idents} - {psutil.Process().pid}
        began = time.perf_counter()
        outcome = engine.run_pass(function, range(4), pool, engine.PassOptions(cap=CAP, output="drop"), count=4)
        over = time.perf_counter() - began - CAP
        assert outcome.stopped
        left = [p for p in workers if psutil.pid_exists(p) and psutil.Process(p).status() != psutil.STATUS_ZOMBIE]
    return over, len(left)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    times = parser.parse_args().times
    worst = 0.0
    for name in ("threads", "processes", "loky"):
        for function in (spin, nap):
            found = [late(name, function) for _ in range(times)]
            over, left = max(f[0] for f in found), max(f[1] for f in found)
            worst = max(worst, over)
            print(f"{name:10} {function.__name__:5} {1000 * over:5.0f} ms after the cap, {left} workers left")
    print(f"worst {1000 * worst:.0f} ms (wanted: at most {1000 * WANTED:.0f} ms)")


if __name__ == "__main__":
    main()
