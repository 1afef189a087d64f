"""Whether `report.what_if()` holds: each change is promised from one comparison, made, and measured by another.

    python benchmarks/what_if.py [--rounds 3] [--budget 4] [--only NAME]

Printed for each round: the speed-up that was promised with its interval, and the one that was measured. Speed-ups are
of paired blocks, so a machine that gets slower meanwhile does not decide.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from concompare import backends
from concompare.measure import compare
from concompare.records import Subject
from concompare.report.report import Report


def count(steps: int) -> int:
    """Compute in pure Python."""
    total = 0
    for number in range(steps):
        total += number
    return total


def weigh(row: list[float]) -> float:
    """Compute as long for a row of any length."""
    return count(300_000) + len(row)


def fetch(seconds: float) -> float:
    """Wait, as for a request."""
    time.sleep(seconds)
    return seconds


def rows(length: int) -> list[list[float]]:
    """Return rows of numbers, which take long to send."""
    return [[float(number + row) for number in range(length)] for row in range(60)]


@dataclass(frozen=True)
class Case:
    """A change, and the same work before and after it."""

    function: Callable[[Any], Any]
    before: Sequence[Any]
    after: Sequence[Any]
    backend: str
    change: dict[str, Any]
    workers: tuple[int, int] = (2, 2)
    chunks: tuple[int | None, int | None] = (None, None)


CASES = {
    "half the bytes": Case(weigh, rows(60_000), rows(30_000), "processes", {"bytes": 0.5}),
    "a quarter of the bytes": Case(weigh, rows(60_000), rows(15_000), "processes", {"bytes": 0.25}),
    "twice the work": Case(count, [100_000] * 60, [200_000] * 60, "processes", {"work": 2}),
    "twice the waiting": Case(fetch, [0.005] * 60, [0.01] * 60, "threads", {"work": 2}),
    "two processes": Case(count, [200_000] * 40, [200_000] * 40, "processes", {"workers": 2}, (1, 2)),
    "two threads that take turns": Case(count, [200_000] * 40, [200_000] * 40, "threads", {"workers": 2}, (1, 2)),
    "eight threads that wait": Case(fetch, [0.01] * 80, [0.01] * 80, "threads", {"workers": 8}, (2, 8)),
    "chunks of 50": Case(count, [5_000] * 1500, [5_000] * 1500, "processes", {"chunk": 50}, chunks=(1, 50)),
    "chunks too long": Case(count, [100_000] * 60, [100_000] * 60, "processes", {"chunk": 40}, chunks=(1, 40)),
}


def measured(case: Case, items: Sequence[Any], at: int, budget: float) -> Report:
    """Return the report before (0) or after (1) the change."""
    comparison, _ = compare.compare(
        case.function,
        items,
        backends=[backends.find(case.backend)],
        subject=Subject(case.function.__name__),
        workers=(case.workers[at],),
        budget=budget,
        chunk=case.chunks[at],
    )
    return Report(comparison)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=4.0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    held = asked = 0
    for name, case in CASES.items():
        for _ in range(options.rounds if options.only in name else 0):
            promised = measured(case, case.before, 0, options.budget).what_if(**case.change)
            after = measured(case, case.after, 1, options.budget)
            row = next(row for row in after.rows() if row["backend"] == case.backend)
            if not promised or row["speed_up"] is None:
                print(f"{name:28} nothing can be told")
                continue
            between, got = promised[0].speed_up, row["speed_up"]
            within = between.low <= got <= between.high
            asked, held = asked + 1, held + within
            words = f"promised {between.mid:.2f} [{between.low:.2f} to {between.high:.2f}], measured {got:.2f}"
            print(f"{name:28} {words}{'' if within else '  NOT HELD'}", flush=True)
    print(f"{held} of {asked} held")


if __name__ == "__main__":
    main()
