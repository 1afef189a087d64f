"""What a message costs on each kind of workers, and how long 50,000 tiny items take beside our own processes.

    python benchmarks/clusters.py [--naive]

The plain use of each engine (one task an item) is measured on fewer items with `--naive`, and scaled up in words only.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from concompare import backends, engine

ITEMS = 50_000
PASSES = 7
WORKERS = 2
NAIVE_ITEMS = 500


def tiny() -> Any:
    """Return a function as a notebook defines one."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def add(x):\n    return x + 1", namespace)
    return namespace["add"]


def measured(name: str, function: Any) -> tuple[float, float, float, float]:
    """Return the seconds to open, of a message, of the first pass and of the median of the others."""
    with engine.lease(backends.find(name), WORKERS) as pool:
        times = []
        for _ in range(PASSES):
            began = time.perf_counter()
            values = engine.run_pass(function, range(ITEMS), pool).values
            times.append(time.perf_counter() - began)
            assert values == list(range(1, ITEMS + 1))
        return pool.start_up, pool.cost, times[0], statistics.median(times[1:])


def naive_dask(function: Any) -> float:
    """Return the seconds of one item when every item is a task."""
    from distributed import Client

    connected = sys.modules["concompare.backends.clusters"]
    (cluster,) = connected.clusters()
    with Client(cluster.place, set_as_default=False) as client:
        began = time.perf_counter()
        client.gather(client.map(function, range(NAIVE_ITEMS), pure=False))
        return (time.perf_counter() - began) / NAIVE_ITEMS


def main() -> None:
    """Measure and print a row for each."""
    function = tiny()
    found = {}
    print(f"{ITEMS} tiny items, {WORKERS} workers: start-up, a message, first pass, median of {PASSES - 1} others")
    for name in ("processes", *backends.CLUSTERS):
        try:
            found[name] = measured(name, function)
        except Exception as error:
            print(f"{name:12} NOT MEASURED: {error}")
            continue
        start_up, cost, first, median = found[name]
        times = f"{median / found['processes'][3]:.1f}× processes"
        print(f"{name:12} {start_up:6.2f} s {1e3 * cost:8.2f} ms {1e3 * first:8.1f} ms {1e3 * median:8.1f} ms  {times}")
        if name == "dask" and "--naive" in sys.argv:
            each = naive_dask(function)
            print(f"{'':12} client.map, a task an item: {1e3 * each:.2f} ms an item, {each * ITEMS:.0f} s for {ITEMS}")
        engine.close_pools()


if __name__ == "__main__":
    main()
