"""How far the pick of a comparison is from the best there is, on known work, on a machine quiet or busy.

    python benchmarks/regret.py [--state quiet|busy] [--budget 30] [--quick] [--only python,sleep,…] [--words]
    python benchmarks/regret.py --causes FOLDER [--only wrong,changed,…] [--budget 6]

For each workload of `workloads.py` one comparison decides; then every way that it tried runs the whole work again in
the same run and the same state of the machine, interleaved, which is the truth. Regret is the pick's time over the best
one's, less 1; ways with other results than the plain loop's do not count. Printed too: whether the pick is slower than
the plain loop, how long deciding took and how much of the plan that was, what ledgers leave unexplained, and which
findings there were against those expected. With `--words` all that they say. `--quick` takes some workloads of every
sort, `--state busy` has two other processes at work all the time (`busy.py`).

With `--causes`, work that is made to cause one finding each is compared and written into the folder, the guards of the
findings (`tests/data/recorded`), and what `tests/analysis/test_findings_recorded.py` expects of it is printed. That
needs a quiet machine.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import random
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import busy
import workloads
from concompare import backends, engine
from concompare.analysis import findings as diagnose
from concompare.analysis import pick as advise
from concompare.analysis import stats
from concompare.measure import compare
from concompare.measure.compare import Progress
from concompare.measure.trials import Wished
from concompare.record_data import to_data
from concompare.records import Comparison, Subject, Trial
from workloads import Workload, count

NAMES = ("serial", "threads", "processes")
Way = tuple[str, int, int | None]
"""Backend, workers, and native threads where they are limited."""
LEAST_BLOCKS, MOST_BLOCKS = 3, 15
"""Timed runs of every way for the truth; between the two as many as there is time for."""
MOMENTS = (1.0, 3.0, 10.0, 30.0)
"""Seconds after which the pick so far is judged too."""
FAR = 2.0
"""Times the best in the first block beyond which a way that is not the pick runs no more."""


def causes() -> Iterator[tuple[Workload, Sequence[int] | None]]:
    """Yield work that causes the finding it expects, with the worker counts to try, None for the usual ones."""
    yield Workload("gil", count, [60_000] * 200, ("gil-bound",)), None
    data = os.urandom(1_000_000)
    yield Workload("released", lambda x: hashlib.sha256(data + b"%d" % x).digest(), range(300), ("releases-gil",)), None
    yield Workload("started", count, [200_000] * 24, ("startup-bound",)), None
    yield Workload("uneven", count, [100_000] * 30 + [9_000_000], ("uneven-items",)), None
    yield Workload("crowded", count, [60_000] * 200, ("oversubscribed",)), (2, 16)
    yield Workload("wrong", lambda x: (x, count(40_000), os.getpid()), range(60), ("results-differ",)), None
    seen: list[int] = []

    def changing(x: int) -> int:
        seen.append(x)
        return count(40_000) + x

    yield Workload("changed", changing, range(60), ("hidden-state",)), None
    stream = random.Random(1)
    yield Workload("drawn", lambda x: (count(40_000), stream.random()), range(60), ("shared-random",)), None
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        yield Workload("re-enabled", old_module(), [60_000] * 100, ("gil-re-enabled",)), None
    table = np.ones(30_000_000)
    yield Workload("bandwidth", lambda x: float((table[x:] * 2.0).sum()), range(12), ("memory-bound",)), None


ANYWHERE = {"results-differ", "hidden-state", "shared-random", "gil-re-enabled"}
"""Findings that a busy machine does not make doubtful."""

OLD = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "made_for_a_gil", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_made_for_a_gil(void) { return PyModule_Create(&module); }
"""
"""An extension module that does not say it can do without a GIL: a free-threaded Python switches it on for it."""


def old_module() -> Callable[[int], int]:
    """Build such a module; return work of which every item imports it."""
    folder = Path(tempfile.mkdtemp())
    source, library = folder / "old.c", folder / "made_for_a_gil.so"
    source.write_text(OLD, encoding="utf-8")
    include = sysconfig.get_paths()["include"]
    subprocess.run(["cc", "-shared", "-fPIC", f"-I{include}", str(source), "-o", str(library)], check=True)
    path = str(folder)

    def old(steps: int) -> int:
        if path not in sys.path:
            sys.path.insert(0, path)
        importlib.import_module("made_for_a_gil")
        return count(steps)

    return old


def record_causes(folder: Path, chosen: Sequence[str], budget: float) -> None:
    """Compare the work that causes findings, write what did, and print what the tests expect of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for work, workers in causes():
        if chosen and work.name not in chosen:
            continue
        comparison, *_ = decide(work, budget, workers)
        codes = sorted({finding.code for finding in diagnose.find(comparison)})
        missing = "" if set(work.expected) & set(codes) else f"  # not written: no {', '.join(work.expected)}"
        if "machine-busy" in codes and not set(work.expected) <= ANYWHERE:
            missing = "  # not written: the machine is busy"
        if not missing:
            record(comparison, folder)
        found = ", ".join(f'"{code}"' for code in codes)
        print(f'    "{work.name}": ({{{found}}}, "{advise.pick(comparison).line}"),{missing}', flush=True)


@dataclass
class Row:
    """What came out for one workload."""

    name: str
    pick: str
    best: str
    regret: float
    missed: float
    over_plain: float
    plain: float
    deciding: float
    planned: float
    unexplained: float
    expected: bool
    absurd: tuple[str, ...]
    findings: tuple[str, ...]
    words: tuple[str, ...]
    truth: dict[str, list[float]]
    after: dict[float, float]


def decide(
    work: Workload, budget: float | None, workers: Sequence[int] | None = None
) -> tuple[Comparison, float, list[tuple[float, Way]]]:
    """Run the comparison; return it, the seconds until it was decided, and the picks so far with their moments."""
    began = time.perf_counter()
    marks: list[float] = []
    picks: list[tuple[float, Way]] = []

    def show(progress: Progress) -> None:
        now = time.perf_counter() - began
        if not marks and (progress.doing == "done" or "for the results" in progress.doing):
            marks.append(now)
        standing = advise.standing_of(progress.comparison, early=True)
        if standing is not None:
            picks.append((now, way_of(standing.trial)))

    found = [backends.find(name) for name in NAMES]
    subject = Subject(work.name)
    wished: Wished = {"workers": workers} if budget is None else {"workers": workers, "budget": budget}
    comparison, _ = compare.compare(work.function, work.items, backends=found, subject=subject, show=show, **wished)
    return comparison, marks[0], picks


def way_of(trial: Trial) -> Way:
    """Return what a trial ran on."""
    return trial.backend, trial.workers, trial.native_threads


def at_moment(picks: Sequence[tuple[float, Way]], moment: float) -> Way:
    """Return the pick so far at a moment: before the first one the plain loop."""
    return next((way for when, way in reversed(picks) if when <= moment), ("serial", 1, None))


def in_words(backend: str, workers: int, native: int | None) -> str:
    """Return a way to run work as the table shows it."""
    return f"{backend} × {workers}" + (f", {native} BLAS" if native is not None else "")


def truth(work: Workload, arms: Sequence[Way], pick: Way, seconds: float) -> dict[Way, list[float]]:
    """Run all items on every arm in interleaved blocks, pools warm, for about so many seconds; return the times."""
    walls: dict[Way, list[float]] = {arm: [] for arm in arms}
    options = engine.PassOptions(output="drop")
    with contextlib.ExitStack() as stack:
        pools = {
            arm: stack.enter_context(engine.lease(backends.find(arm[0]), arm[1], fresh=True, native_threads=arm[2]))
            for arm in arms
        }
        end, able = time.perf_counter() + seconds, list(arms)
        for block in range(MOST_BLOCKS + 1):
            for arm in random.sample(able, len(able)):
                outcome = engine.run_pass(work.function, work.items, pools[arm], options, count=len(work.items))
                if block and outcome.record is not None:
                    walls[arm].append(outcome.record.wall)
            if block == 1:
                best = min(found[0] for found in walls.values())
                able = [arm for arm in arms if walls[arm][0] <= FAR * best or arm == pick]
            if block >= LEAST_BLOCKS and time.perf_counter() > end:
                break
    return walls


def unexplained(comparison: Comparison) -> float:
    """Return the largest share of workers × wall of a pass that its ledger leaves unexplained."""
    ledgers = [
        p.ledger for t in comparison.trials for p in stats.used(t) if p.ledger is not None and p.ledger.total > 0
    ]
    return max((abs(found.unexplained) / found.total for found in ledgers), default=0.0)


def record(comparison: Comparison, folder: Path) -> None:
    """Write a comparison for the tests of the findings: as it is, but for the messages."""
    trials = tuple(replace(t, passes=tuple(replace(p, messages=()) for p in t.passes)) for t in comparison.trials)
    probe = replace(
        comparison.probe, item_seconds=comparison.probe.item_seconds[:300], item_cpu=comparison.probe.item_cpu[:300]
    )
    environment = replace(comparison.environment, platform=sys.platform, processor="", packages=(), hazards=())
    data = to_data(replace(comparison, trials=trials, probe=probe, environment=environment))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{comparison.subject.name.replace(' ', '-')}.json"
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def judge(work: Workload, budget: float | None, seconds: float, folder: Path | None = None) -> Row:
    """Decide, find the truth, and compare the two."""
    comparison, deciding, picks = decide(work, budget)
    if folder is not None:
        record(comparison, folder)
    pick = advise.pick(comparison)
    ran = [t for t in comparison.trials if t.problem is None or t.problem.startswith("stopped")]
    arms = list(dict.fromkeys(way_of(t) for t in ran if t.same is not False))
    chosen = (pick.backend, pick.workers, pick.native_threads)
    walls = truth(work, arms, chosen, seconds)
    known = {arm: statistics.median(found) for arm, found in walls.items()}
    best = min(known, key=lambda arm: known[arm])
    mine, plain = known[chosen], known["serial", 1, None]
    findings = diagnose.find(comparison)
    codes = tuple(finding.code for finding in findings)
    return Row(
        name=work.name,
        pick=in_words(*chosen),
        best=in_words(*best),
        regret=mine / known[best] - 1,
        missed=mine - known[best],
        over_plain=mine / plain - 1,
        plain=plain,
        deciding=deciding,
        planned=comparison.plan.estimate if comparison.plan is not None else 0.0,
        unexplained=unexplained(comparison),
        expected=not work.expected or bool(set(work.expected) & set(codes)),
        absurd=tuple(code for code in codes if code in work.absurd),
        findings=codes,
        words=(pick.reason, *(f"{finding.code}: {finding.summary} {finding.advice}" for finding in findings)),
        truth={in_words(*arm): found for arm, found in walls.items()},
        after={moment: known[at_moment(picks, moment)] / known[best] - 1 for moment in MOMENTS},
    )


def line_of(row: Row) -> str:
    """Return a workload's line of the table."""
    mark = "" if row.expected else " MISSING"
    absurd = f" ABSURD: {', '.join(row.absurd)}" if row.absurd else ""
    times = f"{row.plain:7.2f}s {row.deciding:7.1f}s {row.deciding / max(row.planned, 1e-9):7.0%}"
    ways = f"{row.pick:14} {row.best:14} {row.regret:7.0%} {row.over_plain:+8.0%}"
    return f"{row.name:16} {times}  {ways}  {', '.join(row.findings)}{mark}{absurd}"


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what the table comes to, line by line."""
    regrets = sorted(row.regret for row in rows)
    counted = statistics.mean(row.regret if row.missed >= advise.LEAST_GAIN else 0.0 for row in rows)
    late = [r.name for r in rows if r.deciding > 30 or (r.plain > 3 and r.deciding > 4 * r.plain)]
    at = regrets[min(len(regrets) - 1, round(0.95 * len(regrets)))]
    least = f"{1000 * advise.LEAST_GAIN:.0f} ms"
    yield f"regret: mean {statistics.mean(regrets):.1%}, median {statistics.median(regrets):.1%}, 95 % below {at:.0%}"
    yield f"  mean {counted:.1%} where what misses less than {least} counts as none; worst {max(regrets):.0%}"
    after = [statistics.mean(row.after[moment] for row in rows) for moment in MOMENTS]
    yield "mean after " + ", ".join(f"{m:g} s: {found:.1%}" for m, found in zip(MOMENTS, after, strict=True))
    yield f"picks within a tenth of the best: {statistics.mean(r <= 0.1 for r in regrets):.0%}"
    yield f"rightly explained: {statistics.mean(row.expected and not row.absurd for row in rows):.0%}"
    yield f"more than 10 % slower than the plain loop: {[r.name for r in rows if r.over_plain > 0.1] or 'none'}"
    yield f"decided too late: {late or 'none'}"
    yield f"more than 10 % over the plan: {[r.name for r in rows if r.deciding > 1.1 * r.planned] or 'none'}"
    yield f"more than 5 % unexplained: {[r.name for r in rows if r.unexplained > 0.05] or 'none'}"
    yield f"expected finding missing: {[r.name for r in rows if not r.expected] or 'none'}"
    yield f"absurd finding: {[r.name for r in rows if r.absurd] or 'none'}"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of workloads, separated by commas")
    parser.add_argument("--quick", action="store_true", help="some workloads of every sort")
    parser.add_argument("--state", choices=busy.STATES, default="quiet", help="quiet: the machine as it is")
    parser.add_argument("--seed", type=int, default=1, help="of what makes the machine busy")
    parser.add_argument("--truth", type=float, default=15.0, help="about so many seconds for the truth of a workload")
    parser.add_argument("--budget", type=float, help="seconds for a comparison; default: the usual, with --causes 6")
    parser.add_argument("--causes", type=Path, help="compare work that causes findings, and write it into this folder")
    parser.add_argument("--json", help="write the rows there")
    parser.add_argument("--words", action="store_true", help="print what the findings say")
    parser.add_argument("--record", type=Path, help="write the comparisons into this folder, for the tests")
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name] or list(workloads.QUICK if options.quick else ())
    if options.causes:
        record_causes(options.causes, chosen, options.budget or 6.0)
        return
    named = f"{'work':16} {'plain':>8} {'decided':>8} {'of plan':>7}  {'pick':14} {'best':14}"
    print(f"{named} {'regret':>7} {'vs plain':>8}  findings")
    rows = []
    with workloads.place() as here, busy.state(options.state, options.seed):
        for work in workloads.built(here, chosen):
            rows.append(judge(work, options.budget, options.truth, options.record))
            print(line_of(rows[-1]), flush=True)
            for words in rows[-1].words if options.words else ():
                print(f"    {words}")
            if options.json:
                Path(options.json).write_text(json.dumps([row.__dict__ for row in rows], indent=1), encoding="utf-8")
    print("", f"machine {options.state}, budget {options.budget or 'usual'}", *summary(rows), sep="\n")


if __name__ == "__main__":
    main()
