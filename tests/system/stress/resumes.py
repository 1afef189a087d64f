"""Kill scripts that keep their results in a file at random moments, until enough were: nothing may be lost or differ.

    python -m tests.system.stress.resumes --kills 100 [--seed 7] [--backends threads,spawn]

Each script computes the same items with `resume=`, notes every call, and is killed (SIGKILL) after a random time. It is
started again until it comes to its end: then the results are those of the plain loop, and no item that was in the file
when a script began has been called by it.
"""

from __future__ import annotations

import argparse
import ast
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from concompare.engine.resume.journal import Journal

BACKENDS = ["serial", "threads", "processes", "spawn", "loky", "auto"]
ITEMS = 60

SCRIPT = """
import sys, time, concompare
path, backend, log = sys.argv[1:]

def work(x):
    with open(log, "a") as file:
        file.write(f"{{x}}\\n")
    time.sleep(0.01 * (x % 7))
    print("item", x)
    return x, [x] * (x % 5) * 100, "text" * x

if __name__ == "__main__":
    values = concompare.map(work, range({items}), backend=backend, workers=2, resume=path)
    print("ENDED", values)
"""


def positions(path: Path) -> set[int]:
    """Return the items that a file has results of."""
    if not path.exists():
        return set()
    began = time.monotonic()
    while True:
        try:
            journal = Journal(path)
        except Exception:  # the killed script is not gone yet
            if time.monotonic() - began > 30:
                raise
            time.sleep(0.01)
            continue
        heads = [entry.head for entry in journal.entries if entry.head["kind"] == "results"]
        journal.close()
        return {head["first"] + offset for head in heads for offset in range(head["count"])}


def called(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def until_ended(folder: Path, backend: str, seconds: float) -> int:
    """Run and kill one script until it ends; return how often it was killed."""
    script, path, log = (folder / name for name in ("script.py", "results", "log"))
    script.write_text(SCRIPT.format(items=ITEMS))
    for kills in range(10_000):
        log.unlink(missing_ok=True)
        there = positions(path)
        process = subprocess.Popen(
            [sys.executable, str(script), str(path), backend, str(log)], stdout=subprocess.PIPE, text=True
        )
        try:
            out, _ = process.communicate(timeout=random.uniform(0.2, seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()  # it may have come to its end just now
            seconds *= 1.1  # on a machine so slow that nothing begins before
        again = there & set(called(log))
        assert not again, f"{backend}: items {sorted(again)} were in the file and have been called again"
        if process.returncode == 0:
            values = ast.literal_eval(out.partition("ENDED ")[2])
            assert values == [(x, [x] * (x % 5) * 100, "text" * x) for x in range(ITEMS)], backend
            assert out.startswith("".join(f"item {x}\n" for x in range(ITEMS)) + "ENDED"), backend
            return kills
        assert process.returncode < 0, f"{backend}: the script failed"
    raise AssertionError("it never came to its end")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--longest", type=float, default=0.9, help="seconds until a script is killed, at the most")
    parser.add_argument("--backends", default=",".join(BACKENDS))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    random.seed(options.seed)
    kills = runs = 0
    while kills < options.kills:
        backend = random.choice(options.backends.split(","))
        with tempfile.TemporaryDirectory() as folder:
            kills += until_ended(Path(folder), backend, options.longest)
        runs += 1
    print(f"{runs} runs killed {kills} times: nothing was lost, nothing differed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
