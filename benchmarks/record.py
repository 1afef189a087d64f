"""Record comparisons that guard the findings: work made to cause one finding each.

    python benchmarks/record.py FOLDER [--only wrong,changed,…] [--budget 6]

Writes a file per work into the folder (`tests/data/recorded`) and prints what `tests/measure/test_recorded.py` expects
of it. To be run on a quiet machine: on a busy one most findings give way to `machine-busy`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from regret import NAMES, Workload, count, record

from concompare import advise, backends, diagnose, measure
from concompare.records import Subject


def work() -> Iterator[tuple[Workload, Sequence[int] | None]]:
    """Yield work with the worker counts to try, None for the usual ones; its expected findings name what it causes."""
    yield Workload("gil", count, [60_000] * 200, ("gil-bound",)), None
    data = os.urandom(1_000_000)
    yield Workload("released", lambda x: hashlib.sha256(data + b"%d" % x).digest(), range(300), ("releases-gil",)), None
    yield Workload("started", count, [200_000] * 24, ("startup-bound",)), None
    yield Workload("uneven", count, [100_000] * 30 + [9_000_000], ("uneven-items",)), None
    yield Workload("crowded", count, [60_000] * 200, ("oversubscribed",)), (2, 16)
    yield Workload("wrong", lambda x: (x, count(40_000), os.getpid()), range(60), ("results-differ",)), None
    seen: list[int] = []

    def changing(x: int) -> int:
        seen.append(x)
        return count(40_000) + x

    yield Workload("changed", changing, range(60), ("hidden-state",)), None
    stream = random.Random(1)
    yield Workload("drawn", lambda x: (count(40_000), stream.random()), range(60), ("shared-random",)), None
    table = np.ones(30_000_000)
    yield Workload("bandwidth", lambda x: float((table[x:] * 2.0).sum()), range(12), ("memory-bound",)), None


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="names of work, separated by commas")
    parser.add_argument("--budget", type=float, default=6.0)
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name]
    options.folder.mkdir(parents=True, exist_ok=True)
    for made, workers in work():
        if chosen and made.name not in chosen:
            continue
        comparison, _ = measure.compare(
            made.function,
            made.items,
            backends=[backends.find(name) for name in NAMES],
            subject=Subject(made.name),
            budget=options.budget,
            workers=workers,
            seed=1,
        )
        codes = sorted({finding.code for finding in diagnose.find(comparison)})
        missing = "" if set(made.expected) & set(codes) else f"  # not written: no {', '.join(made.expected)}"
        if not missing:
            record(comparison, options.folder)
        found = ", ".join(f'"{code}"' for code in codes)
        print(f'    "{made.name}": ({{{found}}}, "{advise.pick(comparison).line}"),{missing}', flush=True)


if __name__ == "__main__":
    main()
