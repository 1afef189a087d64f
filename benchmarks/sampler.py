"""What watching the workers costs: passes with `--timeline`, or with looks at the items' lines, and without, in turns.

    python benchmarks/sampler.py [--what timeline|lines] [--limit 80] [--seconds 0.5]

Within each block both run once, in random order, until the time is up. Printed per backend: the median ratio of the
wall and of the workers' CPU seconds, with a bootstrap interval over the blocks, and how often the sampler looked.
Under 2 % is wanted, and 1 % for the lines, on a quiet machine: by how much passes of the same kind spread is printed
beside it.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Sequence
from typing import Any

from concompare import backends, engine, machine
from concompare.analysis import stats
from concompare.records import Pass

WANTED = {"timeline": 0.02, "lines": 0.01}
MOST = 200


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


def measured(name: str, what: str, items: Sequence[int], seconds: float) -> list[tuple[Pass, Pass, int]]:
    """Return, per block, the pass that was watched, the one that was not, and how much was seen.

    No block begins that has no time left.
    """
    workers, found, end = machine.usable_cpus() if name != "serial" else 1, [], time.perf_counter() + seconds
    with engine.lease(backends.find(name), workers, fresh=True) as pool:
        for block in range(MOST + 1):
            pair: dict[bool, Pass] = {}
            seen = 0
            for watched in random.sample([True, False], 2):
                asked: dict[str, Any] = {what: watched}
                options = engine.PassOptions(output="drop", chunk=4, **asked)
                outcome = engine.run_pass(count, items, pool, options, count=len(items))
                assert outcome.record is not None
                pair[watched] = outcome.record
                if watched:
                    seen = sum(len(track.slices) for track in outcome.record.tracks)
                    seen += sum(counts.samples for counts in outcome.lines.values())
            if block:
                found.append((pair[True], pair[False], seen))
            if time.perf_counter() + pair[True].wall + pair[False].wall > end:
                break
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", choices=list(WANTED), default="timeline")
    parser.add_argument("--limit", type=float, default=80.0, help="seconds for all")
    parser.add_argument("--seconds", type=float, default=0.5, help="of plain work in a pass")
    options = parser.parse_args()
    items = [steps_for(options.seconds / 40)] * 40
    worst = 0.0
    names = ("threads", "processes") if options.what == "timeline" else ("serial", "threads", "processes")
    for name in names:
        pairs = measured(name, options.what, items, options.limit / len(names))
        if not pairs or not pairs[-1][2]:
            sys.exit("this system does not tell what the sampler reads")
        for what in ("wall", "cpu"):
            between = stats.interval([getattr(watched, what) / getattr(other, what) for watched, other, _ in pairs])
            spread = stats.mad([getattr(other, what) for _, other, _ in pairs]) / statistics.median(
                getattr(other, what) for _, other, _ in pairs
            )
            words = f"{between.mid - 1:+.1%} [{between.low - 1:+.1%} to {between.high - 1:+.1%}]"
            print(f"{name:10} {what:5} {words} over {between.n} blocks; passes spread by {spread:.1%}")
            worst = max(worst, between.mid - 1)
        looks = statistics.median(seen for _, _, seen in pairs)
        print(f"{name:10} {looks:.0f} slices or looks in {statistics.median(w.wall for w, _, _ in pairs):.2f} s")
    print(f"worst {worst:+.1%} (wanted: under {WANTED[options.what]:.0%})")


if __name__ == "__main__":
    main()
