"""How many messages a second the notebook's process can serve, and whether many sleeping workers do what follows.

    python benchmarks/scale.py [BACKEND:WORKERS …]

By default threads:256 processes:64 dask:32. Prints what docs/scale.md is worked out from.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from concompare import backends, engine

MESSAGES = 1_000
SLEEP = 0.2
ROUNDS = 10


def defined(source: str) -> Any:
    """Return a function as a notebook defines one."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(source, namespace)
    return namespace["f"]


def measured(name: str, workers: int) -> str:
    """Return a row: start-up, messages a second, and a sleeping pass as worked out and as it was."""
    empty, sleeping = defined("def f(x):\n    return x"), defined(f"import time\ndef f(x):\n    time.sleep({SLEEP})")
    with engine.lease(backends.find(name), workers) as pool:
        engine.run_pass(empty, range(4 * workers), pool, engine.PassOptions(chunk=1))
        began = time.perf_counter()
        engine.run_pass(empty, range(MESSAGES), pool, engine.PassOptions(chunk=1))
        rate = MESSAGES / (time.perf_counter() - began)
        items = ROUNDS * workers
        expected = max(items * SLEEP / workers, items / rate)
        began = time.perf_counter()
        engine.run_pass(sleeping, range(items), pool, engine.PassOptions(chunk=1))
        took = time.perf_counter() - began
    return (
        f"| {name} | {workers} | {pool.start_up:.2f} s | {rate:.0f} | {items / expected:.0f} | {items / took:.0f} "
        f"| {took / expected:.2f} |"
    )


def main() -> None:
    """Measure what is asked for."""
    heads = ["backend", "workers", "start-up", "messages/s", "items/s worked out", "items/s measured"]
    heads.append("seconds ÷ worked out")
    print("|", " | ".join(heads), "|")
    print("|---" * len(heads) + "|", flush=True)
    for words in sys.argv[1:] or ("threads:256", "processes:64", "dask:32"):
        name, _, workers = words.partition(":")
        print(measured(name, int(workers)), flush=True)
        engine.close_pools()


if __name__ == "__main__":
    main()
