"""How long the analysis of a cell takes: one of about 100 lines, and every golden cell.

Run: python benchmarks/analysis.py
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from concompare import cells
from concompare.errors import CellRefused
from tests.cells import plainly, test_golden

PART = """
    a{n} = f(x) + {n}
    b{n} = half(a{n}) * 2
    if b{n} > 3:
        c{n} = a{n} - b{n}
    else:
        c{n} = b{n}
    values{n} = [a{n}, b{n}, c{n}]
    values{n}.append(sum(values{n}))
    out.append(max(values{n}))
"""


def long_cell(lines: int = 100) -> str:
    """Return a cell of about so many lines."""
    parts = [PART.format(n=number).strip("\n") for number in range(lines // 9)]
    return "for x in xs:\n" + "\n".join(parts)


def seconds(cell: str, repeat: int) -> list[float]:
    """Return how long it took to lift a cell, so many times."""
    namespace = plainly.fresh(test_golden.SETUP)
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        with contextlib.suppress(CellRefused):
            cells.lift(cell, namespace)
        times.append(time.perf_counter() - start)
    return times


def main() -> None:
    """Print the times."""
    cell = long_cell()
    times = seconds(cell, 30)
    median, least = statistics.median(times) * 1000, min(times) * 1000
    print(f"{len(cell.splitlines())} lines: median {median:.1f} ms, least {least:.1f} ms of {len(times)}")
    every = [statistics.median(seconds(cell, 3)) for _, cell in test_golden.LIFTED + test_golden.REFUSED]
    median, longest = statistics.median(every) * 1000, max(every) * 1000
    print(f"{len(every)} golden cells: median {median:.2f} ms, longest {longest:.1f} ms")


if __name__ == "__main__":
    main()
