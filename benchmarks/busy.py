"""Make the machine busy, the same way each time: two processes that compute, read files and sleep at random.

    python benchmarks/busy.py [--seed 1] [--processes 2]      until it is interrupted

Benchmarks take it as `--state busy`. Each process does one of the three for a random time of 20 to 800 ms, then the
next; together they take about as much as one CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator

STATES = ("quiet", "busy")
OTHER = """
import os, pathlib, random, sys, time
chance = random.Random(int(sys.argv[1]))
files = sorted(pathlib.Path(os.__file__).parent.glob("*.py"))
def compute(end):
    while time.perf_counter() < end:
        sum(i * i for i in range(2000))
def read(end):
    while time.perf_counter() < end:
        len(chance.choice(files).read_bytes().split())
def sleep(end):
    time.sleep(max(0, end - time.perf_counter()))
print("ready", flush=True)
parent = os.getppid()
while os.getppid() == parent:
    chance.choice((compute, read, sleep))(time.perf_counter() + chance.uniform(0.02, 0.8))
"""


@contextlib.contextmanager
def state(name: str, seed: int = 1, processes: int = 2) -> Iterator[None]:
    """Have the machine in this state, "quiet" (as it is) or "busy", for as long as the context lasts."""
    command = [sys.executable, "-I", "-S", "-c", OTHER]
    others = [
        subprocess.Popen([*command, str(1000 * seed + i)], stdout=subprocess.PIPE, text=True)
        for i in range(processes if name == "busy" else 0)
    ]
    try:
        for other in others:
            assert other.stdout is not None
            other.stdout.readline()
        yield
    finally:
        for other in others:
            other.kill()
            other.communicate()


def main() -> None:
    """Keep the machine busy until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt), state("busy", options.seed, options.processes):
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()
