"""How far the pick of a comparison is from the best there is, on known work.

    python benchmarks/regret.py [--only python,sleep,…] [--blocks 3] [--budget 30] [--words] [--json FILE]
    python benchmarks/regret.py --causes FOLDER [--only wrong,changed,…] [--budget 6]

For each workload one comparison decides; then every way that it tried runs the whole work again in the same run,
interleaved, which is the truth. Regret is the pick's time over the best one's, less 1; ways with other results than the
plain loop's do not count. Printed too: whether the pick is slower than the plain loop, how long deciding took and how
much of the plan that was, what ledgers leave unexplained, and which findings there were against those expected. With
`--words` all that they say.

With `--causes`, work that is made to cause one finding each is compared and written into the folder, the guards of the
findings (`tests/data/recorded`), and what `tests/analysis/test_findings_recorded.py` expects of it is printed. That
needs a quiet machine: on a busy one most findings give way to `machine-busy`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import random
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from concompare import backends, engine
from concompare.analysis import findings as diagnose
from concompare.analysis import pick as advise
from concompare.analysis import stats
from concompare.measure import compare
from concompare.measure.compare import Progress
from concompare.records import Comparison, Subject, to_data

NAMES = ("serial", "threads", "processes")
Way = tuple[str, int, int | None]
"""Backend, workers, and native threads where they are limited."""
SERVER = """
import socketserver, time
class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(64); time.sleep(0.005); self.request.sendall(b"x" * 2000)
class Server(socketserver.ThreadingTCPServer):
    daemon_threads, request_queue_size = True, 128
server = Server(("127.0.0.1", 0), Answer)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Workload:
    """Known work.

    Attributes:
        function: One item to its result.
        items: The items.
        expected: Findings of which at least one must be there; () for any.
        absurd: Findings that must not be there.
    """

    name: str
    function: Callable[[Any], Any]
    items: Sequence[Any]
    expected: tuple[str, ...] = ()
    absurd: tuple[str, ...] = ()


def count(steps: int) -> int:
    """Compute in pure Python."""
    total = 0
    for i in range(steps):
        total += i * i
    return total


def workloads(folder: Path, port: int) -> Iterator[Workload]:
    """Yield the workloads; `folder` is for their files, `port` that of the server."""
    yield from computing()
    yield from waiting(port)
    yield from native()
    yield from texts()
    yield from moving()
    yield from of_files(folder)


def computing() -> Iterator[Workload]:
    """Yield work in pure Python; the plain loop of the long one takes over three seconds."""
    yield Workload("python", count, [60_000] * 300, ("scales-well", "gil-bound"), ("waits", "releases-gil"))
    yield Workload("long", count, [120_000] * 800, ("scales-well", "gil-bound"), ("waits", "releases-gil"))
    yield Workload("tiny", lambda x: x * x, list(range(50_000)), ("too-small",), ("gil-bound", "waits"))
    skewed = [500 * i for i in range(240)]
    yield Workload("skewed", count, skewed, ("gil-bound", "scales-well"), ("waits", "releases-gil"))
    yield Workload("few items", count, [5_000_000] * 3, ("too-few-items", "scales-well"), ("waits",))


def waiting(port: int) -> Iterator[Workload]:
    """Yield work that waits: asleep, for a server, or between computing."""

    def sleep(x: int) -> int:
        time.sleep(0.01)
        return x

    yield Workload("sleep", sleep, list(range(200)), ("waits",), ("gil-bound", "machine-busy"))

    def ask(x: int) -> int:
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(b"%d" % x)
            return len(line.recv(4096))

    yield Workload("sockets", ask, list(range(200)), ("waits",), ("gil-bound",))

    def mixed(x: int) -> int:
        time.sleep(0.004)
        return count(40_000) + x

    yield Workload("mixed", mixed, list(range(150)), ("waits", "scales-well", "releases-gil"), ())


def native() -> Iterator[Workload]:
    """Yield work in native code: without the GIL, and with threads of its own."""

    def waves(seed: int) -> float:
        x = np.random.default_rng(seed).random(400_000)
        return float(np.sqrt(np.sin(x) ** 2 + np.cos(x) ** 2).sum())

    yield Workload("numpy", waves, list(range(100)), ("releases-gil", "scales-well"), ("gil-bound", "waits"))

    def multiply(seed: int) -> float:
        a = np.random.default_rng(seed).random((500, 500))
        return float((a @ a).trace())

    seeds, wrong = list(range(60)), ("gil-bound", "waits")
    yield Workload("blas", lambda seed: round(multiply(seed), 6), seeds, ("oversubscribed",), wrong)
    yield Workload("blas digits", multiply, seeds, ("oversubscribed", "results-differ"), wrong)
    data = os.urandom(1_500_000)
    yield Workload(
        "hashing",
        lambda x: hashlib.sha256(data + b"%d" % x).hexdigest(),
        list(range(300)),
        ("releases-gil",),
        ("waits",),
    )


def texts() -> Iterator[Workload]:
    """Yield work on text, which holds the GIL."""
    document = json.dumps([{"id": i, "name": f"name {i}", "values": list(range(20))} for i in range(800)])
    yield Workload("json", lambda x: len(json.loads(document)) + x, list(range(300)), ("gil-bound",), ("waits",))
    text = "the quick brown fox 123 jumps over 4567 lazy dogs " * 400
    pattern = re.compile(r"(\w+)\s+(\d+)\s+(\w+)")
    yield Workload("regex", lambda x: len(pattern.findall(text)) + x, list(range(250)), ("gil-bound",), ("waits",))


def moving() -> Iterator[Workload]:
    """Yield work with much to send: items, results, captured values."""
    arrays = [np.full(400_000, float(i)) for i in range(80)]
    large = ("transfer-bound", "releases-gil", "scales-well")
    yield Workload("big arguments", lambda a: float(np.sqrt(a).sum()), arrays, large, ("gil-bound", "waits"))
    yield Workload("big results", lambda i: np.full(400_000, float(i)) ** 1.5, list(range(80)), large, ("waits",))
    table = {i: float(i) for i in range(400_000)}

    def look_up(x: int) -> float:
        return sum(table[(x * 7919 + i) % 400_000] for i in range(40_000))

    captured = ("gil-bound", "scales-well", "startup-bound")
    yield Workload("big captured", look_up, list(range(250)), captured, ("waits", "releases-gil"))


def of_files(folder: Path) -> Iterator[Workload]:
    """Yield work on small files and on a database."""
    paths = sorted(str(p) for p in Path(os.__file__).parent.glob("*.py"))
    words = re.compile(r"\w+")

    def read(path: str) -> int:
        return len(words.findall(Path(path).read_text(encoding="utf-8", errors="replace")))

    yield Workload("files", read, paths, ("gil-bound", "startup-bound", "too-small"), ("waits", "releases-gil"))
    path = str(folder / "numbers.sqlite")
    with contextlib.closing(sqlite3.connect(path)) as base, base:
        base.execute("create table numbers (k integer, v real)")
        base.executemany("insert into numbers values (?, ?)", [(i % 97, float(i)) for i in range(60_000)])

    def query(k: int) -> float:
        with contextlib.closing(sqlite3.connect(path)) as own:
            return float(own.execute("select sum(v) from numbers where k = ?", (k,)).fetchone()[0])

    yield Workload("sqlite", query, list(range(97)) * 3, ("releases-gil", "scales-well"), ("waits", "gil-bound"))


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
        comparison, _ = decide(work, budget, workers)
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


def decide(work: Workload, budget: float, workers: Sequence[int] | None = None) -> tuple[Comparison, float]:
    """Run the comparison; return it and the seconds until it was decided."""
    began = time.perf_counter()
    marks: list[float] = []

    def show(progress: Progress) -> None:
        if not marks and (progress.doing == "done" or "for the results" in progress.doing):
            marks.append(time.perf_counter() - began)

    found = [backends.find(name) for name in NAMES]
    subject = Subject(work.name)
    comparison, _ = compare.compare(
        work.function, work.items, backends=found, subject=subject, budget=budget, workers=workers, show=show
    )
    return comparison, marks[0]


def in_words(backend: str, workers: int, native: int | None) -> str:
    """Return a way to run work as the table shows it."""
    return f"{backend} × {workers}" + (f", {native} BLAS" if native is not None else "")


def truth(work: Workload, arms: Sequence[Way], blocks: int) -> dict[Way, float]:
    """Run all items on every arm in interleaved blocks, pools warm; return the median seconds."""
    walls: dict[Way, list[float]] = {arm: [] for arm in arms}
    options = engine.PassOptions(output="drop")
    with contextlib.ExitStack() as stack:
        pools = {
            arm: stack.enter_context(engine.lease(backends.find(arm[0]), arm[1], fresh=True, native_threads=arm[2]))
            for arm in arms
        }
        for block in range(blocks + 1):
            for arm in random.sample(list(arms), len(arms)):
                outcome = engine.run_pass(work.function, work.items, pools[arm], options, count=len(work.items))
                if block and outcome.record is not None:
                    walls[arm].append(outcome.record.wall)
    return {arm: statistics.median(found) for arm, found in walls.items()}


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
    path = folder / f"{comparison.subject.name.replace(' ', '-')}.json"
    path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


def judge(work: Workload, budget: float, blocks: int, folder: Path | None = None) -> Row:
    """Decide, find the truth, and compare the two."""
    comparison, deciding = decide(work, budget)
    if folder is not None:
        record(comparison, folder)
    pick = advise.pick(comparison)
    ran = [t for t in comparison.trials if t.problem is None or t.problem.startswith("stopped")]
    arms = list(dict.fromkeys((t.backend, t.workers, t.native_threads) for t in ran if t.same is not False))
    known = truth(work, arms, blocks)
    best = min(known, key=lambda arm: known[arm])
    mine, plain = known[pick.backend, pick.workers, pick.native_threads], known["serial", 1, None]
    findings = diagnose.find(comparison)
    codes = tuple(finding.code for finding in findings)
    return Row(
        name=work.name,
        pick=in_words(pick.backend, pick.workers, pick.native_threads),
        best=in_words(*best),
        regret=mine / known[best] - 1,
        missed=mine - known[best],
        over_plain=mine / plain - 1,
        plain=plain,
        deciding=deciding,
        planned=comparison.plan.estimate if comparison.plan is not None else 0.0,
        unexplained=unexplained(comparison),
        expected=not work.expected or bool(set(work.expected) & set(codes)) or "machine-busy" in codes,
        absurd=tuple(code for code in codes if code in work.absurd),
        findings=codes,
        words=(pick.reason, *(f"{finding.code}: {finding.summary} {finding.advice}" for finding in findings)),
    )


def show(rows: Sequence[Row]) -> None:
    """Print the table and what it comes to."""
    named = f"{'work':14} {'plain':>8} {'decided':>8} {'of plan':>7}  {'pick':14} {'best':14}"
    print(f"{named} {'regret':>7} {'vs plain':>8}  findings")
    for row in rows:
        mark = "" if row.expected else " MISSING"
        absurd = f" ABSURD: {', '.join(row.absurd)}" if row.absurd else ""
        times = f"{row.plain:7.2f}s {row.deciding:7.1f}s {row.deciding / row.planned:7.0%}"
        ways = f"{row.pick:14} {row.best:14} {row.regret:7.0%} {row.over_plain:+8.0%}"
        print(f"{row.name:14} {times}  {ways}  {', '.join(row.findings)}{mark}{absurd}")
    regrets = [row.regret if row.missed >= advise.LEAST_GAIN else 0.0 for row in rows]
    late = [r.name for r in rows if r.deciding > 30 or (r.plain > 3 and r.deciding > 4 * r.plain)]
    print(f"\nmean regret {statistics.mean(regrets):.1%}, worst {max(regrets):.0%}", end="")
    print(f" (what misses less than {1000 * advise.LEAST_GAIN:.0f} ms counts as none)")
    print(f"more than 10 % slower than the plain loop: {[r.name for r in rows if r.over_plain > 0.1] or 'none'}")
    print(f"decided too late: {late or 'none'}")
    print(f"more than 10 % over the plan: {[r.name for r in rows if r.deciding > 1.1 * r.planned] or 'none'}")
    print(f"more than 5 % unexplained: {[r.name for r in rows if r.unexplained > 0.05] or 'none'}")
    print(f"expected finding missing: {[r.name for r in rows if not r.expected] or 'none'}")
    print(f"absurd finding: {[r.name for r in rows if r.absurd] or 'none'}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of workloads, separated by commas")
    parser.add_argument("--blocks", type=int, default=3, help="timed runs of every way for the truth")
    parser.add_argument("--budget", type=float, help="seconds for a comparison; default 30, with --causes 6")
    parser.add_argument("--causes", type=Path, help="compare work that causes findings, and write it into this folder")
    parser.add_argument("--json", help="write the rows there")
    parser.add_argument("--words", action="store_true", help="print what the findings say")
    parser.add_argument("--record", type=Path, help="write the comparisons into this folder, for the tests")
    options = parser.parse_args()
    chosen = [name for name in options.only.split(",") if name]
    if options.causes:
        record_causes(options.causes, chosen, options.budget or 6.0)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            for work in workloads(Path(folder), int(server.stdout.readline())):
                if not chosen or work.name in chosen:
                    rows.append(judge(work, options.budget or 30.0, options.blocks, options.record))
                    print(".", end="", flush=True, file=sys.stderr)
        finally:
            server.kill()
            server.communicate()
    print(file=sys.stderr)
    show(rows)
    for row in rows if options.words else ():
        print(f"\n{row.name}", *row.words, sep="\n  ")
    if options.json:
        Path(options.json).write_text(json.dumps([row.__dict__ for row in rows], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
