"""What watching the workers costs: passes with `--timeline` and without, in turns.

    python benchmarks/sampler.py [--blocks 15] [--seconds 1.0]

Within each block both run once, in random order. Printed per backend: the median ratio of the wall seconds and of the
workers' CPU seconds, with a bootstrap interval, and how often the sampler looked. Under 2 % is wanted.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Sequence

from concompare import backends, engine, machine, stats
from concompare.records import Pass

WANTED = 0.02


def count(steps: int) -> int:
    """Compute in pure Python."""
    total = 0
    for i in range(steps):
        total += i * i
    return total


def steps_for(seconds: float) -> int:
    """Return the steps that take about so long here."""
    began, steps = time.process_time(), 200_000
    count(steps)
    return max(1, int(steps * seconds / (time.process_time() - began)))


def measured(name: str, items: Sequence[int], blocks: int) -> list[tuple[Pass, Pass]]:
    """Return, per block, the pass that was watched and the one that was not."""
    workers, found = machine.usable_cpus(), []
    with engine.lease(backends.find(name), workers, fresh=True) as pool:
        for block in range(blocks + 1):
            pair: dict[bool, Pass] = {}
            for watched in random.sample([True, False], 2):
                options = engine.PassOptions(output="drop", timeline=watched, chunk=1)
                record = engine.run_pass(count, items, pool, options, count=len(items)).record
                assert record is not None
                pair[watched] = record
            if block:
                found.append((pair[True], pair[False]))
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="of plain work in a pass")
    options = parser.parse_args()
    items = [steps_for(options.seconds / 40)] * 40
    worst = 0.0
    for name in ("threads", "processes"):
        pairs = measured(name, items, options.blocks)
        tracks = [watched.tracks for watched, _ in pairs]
        if not tracks or not tracks[-1]:
            sys.exit("this system does not count what the sampler reads")
        for what in ("wall", "cpu"):
            between = stats.interval([getattr(watched, what) / getattr(other, what) for watched, other in pairs])
            print(f"{name:10} {what:5} {between.mid - 1:+.1%} [{between.low - 1:+.1%} to {between.high - 1:+.1%}]")
            worst = max(worst, between.mid - 1)
        slices = statistics.median(sum(len(track.slices) for track in found) for found in tracks)
        print(f"{name:10} {slices:.0f} slices in {statistics.median(w.wall for w, _ in pairs):.2f} s")
    print(f"worst {worst:+.1%} (wanted: under {WANTED:.0%})")


if __name__ == "__main__":
    main()
