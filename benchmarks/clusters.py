"""What a message costs on each kind of workers, and how long 50,000 tiny items take beside our own processes.

    python benchmarks/clusters.py [--naive]

The plain use of each engine (one task an item) is measured on fewer items with `--naive`, and scaled up in words only.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from typing import Any

from concompare import backends, engine

ITEMS = 50_000
ROUNDS = 15
WORKERS = 2
NAIVE_ITEMS = 500


def tiny() -> Any:
    """Return a function as a notebook defines one."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec("def add(x):\n    return x + 1", namespace)
    return namespace["add"]


def timed(function: Any, pool: engine.Pool) -> float:
    """Return the seconds of one pass."""
    began = time.perf_counter()
    values = engine.run_pass(function, range(ITEMS), pool).values
    took = time.perf_counter() - began
    assert values == list(range(1, ITEMS + 1))
    return took


def row(name: str, function: Any, ours: engine.Pool) -> str:
    """Return the row of one kind, measured in rounds of one pass there and one in our processes, in random order."""
    with engine.lease(backends.find(name), WORKERS) as pool:
        first, rounds = timed(function, pool), []
        for _ in range(ROUNDS):
            order = random.sample(["there", "ours"], 2)
            rounds.append({which: timed(function, pool if which == "there" else ours) for which in order})
    there, here = (1e3 * statistics.median(times[which] for times in rounds) for which in ("there", "ours"))
    low, ratio, high = statistics.quantiles(times["there"] / times["ours"] for times in rounds)
    return (
        f"{name:12} {pool.start_up:6.2f} s {1e3 * pool.cost:8.2f} ms {1e3 * first:9.1f} ms {there:9.1f} ms"
        f" {here:9.1f} ms    {ratio:.1f}× (half of them {low:.1f}–{high:.1f})"
    )


def naive_dask(function: Any) -> float:
    """Return the seconds of one item when every item is a task."""
    from distributed import Client

    connected = sys.modules["concompare.backends.clusters.cluster"]
    cluster = next(cluster for cluster in connected.clusters() if cluster.kind == "dask")
    with Client(cluster.place, set_as_default=False) as client:
        began = time.perf_counter()
        client.gather(client.map(function, range(NAIVE_ITEMS), pure=False))
        return (time.perf_counter() - began) / NAIVE_ITEMS


def main() -> None:
    """Measure one kind after the other, alone with our processes, and print a row for each."""
    function = tiny()
    print(f"{ITEMS} tiny items, {WORKERS} workers, {ROUNDS} rounds after the first: medians")
    print(f"{'':12} start-up   a message   first pass   a pass   of processes   ratio in the same round")
    for name in backends.CLUSTERS:
        try:
            with engine.lease(backends.find("processes"), WORKERS) as ours:
                timed(function, ours)
                print(row(name, function, ours))
            if name == "dask" and "--naive" in sys.argv:
                each = naive_dask(function)
                print(
                    f"{'':12} client.map, a task an item: {1e3 * each:.2f} ms an item, {each * ITEMS:.0f} s for {ITEMS}"
                )
        except Exception as error:
            print(f"{name:12} NOT MEASURED: {error}")
        engine.close_pools()


if __name__ == "__main__":
    main()
