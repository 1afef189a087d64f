"""Run the tests several times while other processes keep every CPU busy: no test may fail for that.

    python -m tests.system.stress.busy --runs 3 --spinners 4 -- tests/engine

What stands after `--` goes to pytest. Only the processes that this script started are ended by it, and they end
themselves when it is gone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

SPIN = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def spinning(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keep so many processes computing meanwhile."""
    started = [subprocess.Popen([sys.executable, "-c", SPIN, str(os.getpid())]) for _ in range(count)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=3, help="how often the tests run (default: 3)")
    parser.add_argument("--spinners", type=int, default=4, help="how many processes spin meanwhile (default: 4)")
    parser.add_argument("tests", nargs="*", help="what pytest is given")
    options = parser.parse_args()
    outcomes = []
    with spinning(options.spinners) as spinners:
        for _ in range(options.runs):
            began = time.monotonic()
            failed = subprocess.run([sys.executable, "-m", "pytest", *options.tests], check=False).returncode
            outcomes.append(f"{'FAILED' if failed else 'passed'} in {time.monotonic() - began:.0f} s")
            if any(process.poll() is not None for process in spinners):
                outcomes[-1] += ", but not every process was spinning any more"
    for number, outcome in enumerate(outcomes, 1):
        print(f"run {number} of {options.runs} beside {options.spinners} spinning processes: {outcome}")
    return int(not all(outcome.startswith("passed") and "," not in outcome for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
