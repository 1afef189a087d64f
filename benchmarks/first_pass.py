"""What the first run of a loop on `auto` costs, against the best way to run it: each run in a fresh process.

    python benchmarks/first_pass.py [--seconds 4] [--state quiet] [--rounds 3] [--quick | --only python,sleep,…]

Each of the workloads is repeated until its plain loop takes so many seconds. Then the plain loop, `auto`, 2 and 16
threads and 2 processes named by hand run in turns, in random order. The time is from the call to the results, with the
import of concompare and the start of workers; nothing is known of earlier runs. Wanted: `auto` takes 1.10 times the
best in the mean, and never more than 1.10 times the plain loop.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import busy
import workloads

WAYS = {"plain": ("", 1), "auto": ("auto", 0), "threads × 2": ("threads", 2), "threads × 16": ("threads", 16),
        "processes × 2": ("processes", 2)}  # fmt: skip
WANTED = 1.10


def child(name: str, way: str, times: int, here: workloads.Place) -> None:
    """Run a workload in one way; print the seconds, and what `auto` says."""
    [work] = workloads.built(here, [name])
    work = work.repeated(times)
    backend, workers = WAYS[way]
    note = ""
    began = time.perf_counter()
    if way == "plain":
        values = [work.function(item) for item in work.walk(work.items)]
    else:
        from concompare.cells.task import task_of
        from concompare.run import dispatch
        from concompare.run.request import request_of

        walked = work.walk(work.items)
        items = work.items if work.walk is iter else walked
        ran = dispatch.run(task_of(work.function, items), request_of([backend], workers or None, kept=0))
        values, note = ran.value, ran.note
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "note": note, "items": len(values)}))


def measured(name: str, way: str, times: int, here: workloads.Place) -> tuple[float, str]:
    """Run a workload in one way in a fresh process; return its seconds, and what `auto` says."""
    words = [sys.executable, __file__, "--child", name, way, str(times), str(here.folder), str(here.port)]
    variables = {**os.environ, "CONCOMPARE_CACHE": "off"}
    done = subprocess.run(words, capture_output=True, text=True, env=variables)
    if done.returncode:
        raise SystemExit(f"{name}, {way}: {done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    return found["seconds"], found["note"]


def judge(name: str, seconds: float, rounds: int, here: workloads.Place) -> tuple[dict[str, float], str]:
    """Return the median seconds of a workload in each way, and what `auto` says in the end."""
    once, _ = measured(name, "plain", 1, here)
    times = max(1, math.ceil(0.8 * seconds / once))
    once, _ = measured(name, "plain", times, here)
    times = max(1, round(times * seconds / once))
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    note = ""
    for _ in range(rounds):
        for way in random.sample(list(WAYS), len(WAYS)):
            took, said = measured(name, way, times, here)
            found[way].append(took)
            note = said or note
    return {way: statistics.median(took) for way, took in found.items()}, note


def show(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print what it comes to."""
    best = [row["auto"] / min(took for way, took in row.items() if way != "auto") for row in rows.values()]
    plain = [row["auto"] / row["plain"] for row in rows.values()]
    for words, ratios in (("the best", best), ("the plain loop", plain)):
        mean, median, worst = statistics.mean(ratios), statistics.median(ratios), max(ratios)
        which = list(rows)[ratios.index(worst)]
        print(f"auto over {words}: mean {mean:.3f}, median {median:.3f}, worst {worst:.2f} ({which})")
    slower = [name for name, ratio in zip(rows, plain, strict=True) if ratio > WANTED]
    print(f"over {WANTED:.2f} times the plain loop: {', '.join(slower) or 'none'}")


def run(options: argparse.Namespace, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Measure the workloads, and print a row for each."""
    rows = {}
    print(f"{'work':18} " + " ".join(f"{way:>13}" for way in WAYS) + f" {'/ best':>7} {'/ plain':>7}  auto says")
    with workloads.place() as here, busy.state(options.state):
        for name in names:
            row, note = judge(name, options.seconds, options.rounds, here)
            rows[name] = row
            best = min(took for way, took in row.items() if way != "auto")
            ratios = f"{row['auto'] / best:7.2f} {row['auto'] / row['plain']:7.2f}"
            times = " ".join(f"{took:12.2f}s" for took in row.values())
            print(f"{name:18} {times} {ratios}  {note.removeprefix('auto: ')[:90]}", flush=True)
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of the plain loop")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--state", choices=busy.STATES, default="quiet")
    parser.add_argument("--only", default="", help="names of workloads, separated by commas")
    parser.add_argument("--quick", action="store_true", help="some of the workloads")
    parser.add_argument("--json", type=Path, help="write the seconds there")
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, way, times, folder, port = options.child
        child(name, way, int(times), workloads.Place(Path(folder), int(port)))
        return
    only = [name for name in options.only.split(",") if name]
    names = only or (workloads.QUICK if options.quick else list(workloads.KINDS))
    rows = run(options, names)
    show(rows)
    print(f"{options.state} machine, load {os.getloadavg()[0]:.1f}, plain loops of {options.seconds:g} s")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
