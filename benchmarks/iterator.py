"""Memory and time of a loop over an iterator of ten million items, whose number nobody knows beforehand.

Run: python benchmarks/iterator.py [--items 10000000] [--backends serial,threads,processes]
Each backend runs in a fresh interpreter; memory is the growth of the notebook's own process, looked at ten times a
second. Beside it the time per item of as many items in a list, ten times fewer.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time

import psutil

CELL = "total = 0\nfor x in {items}:\n    total += f(x)"


def run(backend: str, count: int) -> None:
    """Run the loop once in this interpreter and print what it took."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "concompare")
    shell.run_cell("def f(x): return x & 1\ntotal = 0")

    def seconds(items: str) -> float:
        began = time.perf_counter()
        shell.run_cell_magic("parallel", f"-b {backend} -w 2 --quiet", CELL.format(items=items))
        return time.perf_counter() - began

    seconds("(i for i in range(10_000))")
    shell.run_cell(f"known = [*range({count // 10})]")
    known = seconds("known") / (count // 10)
    here, done, most = psutil.Process(), threading.Event(), [0]
    before = here.memory_info().rss

    def watch() -> None:
        while not done.wait(0.1):
            most[0] = max(most[0], here.memory_info().rss - before)

    threading.Thread(target=watch, daemon=True).start()
    took = seconds(f"(i for i in range({count}))")
    done.set()
    assert shell.user_ns["total"] == count // 2
    print(
        f"{backend:10} {took:6.1f} s, {took / count * 1e6:.2f} µs an item (in bulk {known * 1e6:.2f} µs), "
        f"at most {most[0] / 1e6:+.1f} MB",
        flush=True,
    )


def main() -> None:
    """Run every backend in an interpreter of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--backends", default="serial,threads,processes")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        run(options.backends, options.items)
        return
    for backend in options.backends.split(","):
        command = [sys.executable, __file__, "--here", "--backends", backend, "--items", str(options.items)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
