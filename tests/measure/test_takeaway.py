"""The take-away code, run in a clean interpreter and compared with what the cell gives."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from concompare import advise, cells, running, takeaway
from concompare.advise import Pick
from concompare.records import Comparison, Message, Probe, Subject
from tests.measure.records import ENVIRONMENT, comparison, serial, trial

PRELUDE = """
import itertools
K = 3
papers = [5, 1, 4, 2]
def score(p, k=1):
    return p * 10 + k
"""

CELLS = {
    "append": "out = []\nfor p in papers:\n    w = score(p, K)\n    out.append(w + 1)",
    "hoisted": "total = 0\nfor i, p in enumerate(papers):\n    total += score(p, i)",
    "two calls": "d = {}\nfor p in papers:\n    d[score(p)] = score(p, K)",
    "tail alone": "best = 0\nfor p in papers:\n    s = score(p)\n    if s > best:\n        best, arg = s, p",
    "list": "out = [score(p, K) for p in papers if p > 1]",
    "dict": "d = {p: score(p, K) for p in papers}",
    "set": "s = {score(p) for p in papers}",
    "generator": "total = sum(score(a, b) for a in papers for b in papers)",
    "map": "out = list(map(score, papers, papers))",
    "lambda": "out = list(map(lambda p: score(p, 2), papers))",
    "starmap": "out = list(itertools.starmap(score, [(1, 2), (3, 4)]))",
    "around the loop": "out = []\nk = 2\nfor p in papers:\n    out.append(score(p, k))\nprint(out)\nlast = out[-1] + k",
    "two loops": "out = []\nfor q in range(3):\n    out.append(q)\nfor p in papers:\n    out.append(score(p))",
    "tuple": "out = []\nfor i, p in enumerate(papers):\n    p = p + 1\n    out.append((i, p, score(p, i)))",
    "only when": "out = {}\nfor p in papers:\n    if p > 1:\n        out[p] = score(p) // (p - 1)",
    "goes on": "out = []\nfor p in papers:\n    s = score(p)\n    if s > 40:\n        continue\n    out.append(s)",
    "goes on early": "out = []\nfor p in papers:\n    if p == 1:\n        continue\n    out.append(score(p) / (p - 1))",
    "stops": "out = []\nfor p in papers:\n    s = score(p)\n    if s < 20:\n        break\n    out.append(s)",
    "stops or else": "for p in papers:\n    s = score(p)\n    if s < 0:\n        break\nelse:\n    none = s",
    "after": "for p in papers:\n    s = score(p)\n    t = s + 1\nsum_of_last = s + t",
    "inner": "out = []\nfor p in papers:\n    y = [score(q) for q in range(p)]\n    for j in y:\n        out.append(j)",
    "tries": "out = []\nfor p in papers:\n    try:\n        y = 10 // (score(p) - 11)\n    except ZeroDivisionError:\n"
    "        y = 0\n    out.append(y)",
    "values of the cell": "factor = 7\nout = [score(p, factor) for p in papers]\nlast = out[-1]",
}


def plain(source: str) -> dict[str, Any]:
    """Return what the plain cell leaves behind, but for what only the function of the script knows."""
    names: dict[str, Any] = {}
    exec(PRELUDE, names)
    before = set(names)
    exec(source, names)
    return {k: v for k, v in names.items() if k not in before and k != "w"}


def compared(source: str, tmp_path: Path) -> Comparison:
    """Return a comparison of the cell, its parts taken by the lifting itself."""
    (tmp_path / "prelude.py").write_text(PRELUDE)
    names: dict[str, Any] = {}
    exec(compile(PRELUDE, str(tmp_path / "prelude.py"), "exec"), names)
    task = cells.lift(source, names, assume_pure=True).bind(names)
    subject = replace(running.subject_of(task, blob=False), items=4)
    known = comparison(serial(items=4), trial("processes", 2, [0.5], items=4), items=4)
    return replace(known, subject=subject, environment=replace(ENVIRONMENT, start_method="forkserver"))


def script(source: str, backend: str, tmp_path: Path) -> str:
    """Return the take-away code with the notebook's other cells in their place."""
    code = advise.takeaway(compared(source, tmp_path), Pick(backend, 2))
    lines = [PRELUDE if line.startswith(takeaway.PLACE) else line for line in code.splitlines()]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", CELLS)
def test_the_script_for_threads_leaves_what_the_cell_leaves(name: str, tmp_path: Path) -> None:
    code = script(CELLS[name], "threads", tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    expected = plain(CELLS[name])
    assert expected
    assert {k: names.get(k) for k in expected} == expected
    assert "ThreadPoolExecutor(2)" in code
    assert "concompare" not in code


@pytest.mark.parametrize(
    ("name", "backend"),
    [("append", "processes"), ("values of the cell", "spawn"), ("lambda", "processes"), ("two calls", "loky")],
)
def test_the_script_for_processes_runs_in_a_clean_interpreter(name: str, backend: str, tmp_path: Path) -> None:
    expected = plain(CELLS[name])
    shown = f"    print(repr({{name: globals()[name] for name in {sorted(expected)!r}}}))\n"
    path = tmp_path / "script.py"
    path.write_text(script(CELLS[name], backend, tmp_path) + shown)
    ran = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=50, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ast.literal_eval(ran.stdout) == expected


def test_values_of_the_cell_reach_the_workers_by_an_initializer(tmp_path: Path) -> None:
    code = script(CELLS["values of the cell"], "processes", tmp_path)
    assert "initializer=begin, initargs=({'factor': factor},)" in code
    assert 'if __name__ == "__main__":' in code


def test_large_captured_values_are_sent_once_per_worker(tmp_path: Path) -> None:
    known = compared("out = [score(p, K) for p in papers]", tmp_path)
    known = replace(known, subject=replace(known.subject, captured=(("K", 40_000_000), ("score → db", 1))))
    assert "initargs=({'K': K},)" in advise.takeaway(known, Pick("processes", 2))


def test_the_chunk_size_is_the_one_that_was_measured(tmp_path: Path) -> None:
    known = compared("out = [score(p, K) for p in papers]", tmp_path)
    chunked = trial("processes", 2, [0.5], items=800)
    message = known.trials[0].passes[0]
    sent = Message(0, 16, 0, 0.0, 0.0, 0.0, 0.1, 0.1, 0.1)
    chunked = replace(chunked, passes=(replace(message, items=800, messages=(sent,)),))
    known = replace(known, trials=(known.trials[0], chunked), subject=replace(known.subject, items=800))
    assert "chunksize=16" in advise.takeaway(known, Pick("processes", 2))
    assert "chunksize" not in advise.takeaway(known, Pick("threads", 2))


def test_the_plain_loop_is_the_cell_as_written(tmp_path: Path) -> None:
    known = compared(CELLS["append"], tmp_path)
    assert advise.takeaway(known, Pick("serial", 1)) == CELLS["append"]


def test_a_function_over_items_leaves_the_items_to_the_user() -> None:
    known = replace(comparison(), subject=Subject("f", "function", "def f(x):\n    return 2 * x\n"))
    code = advise.takeaway(known, Pick("threads", 2))
    assert "items = []  # the items of --over" in code
    assert "results = list(pool.map(f, items))" in code


@pytest.mark.parametrize(
    ("change", "backend", "reason"),
    [
        ({}, "dask", "dask has no short form in plain Python"),
        ({"source": "for x in"}, "threads", "its source is not plain Python"),
        ({"source": "out = []\nget_ipython().run_line_magic('time', '')"}, "threads", "it uses IPython's own syntax"),
        ({"source": "async def f():\n    await g()"}, "threads", "it awaits"),
        ({"statement": None}, "threads", "its source was not kept"),
        ({"kind": "call"}, "threads", "it has no loop"),
    ],
)
def test_no_code_is_better_than_wrong_code_and_says_why(
    change: dict[str, Any], backend: str, reason: str, tmp_path: Path
) -> None:
    known = compared(CELLS["append"], tmp_path)
    code = advise.takeaway(replace(known, subject=replace(known.subject, **change)), Pick(backend, 2))
    assert code == f"# No script for this cell: {reason}.\n# Run it with: %%parallel -b {backend} -w 2\n"
    compile(code, "code", "exec")


def test_a_name_that_only_some_items_leave_behind_gets_no_code(tmp_path: Path) -> None:
    source = (
        "out = []\nfor p in papers:\n    s = score(p)\n    if s > 20:\n        t = 2 * s\n    out.append(s)\nlast = t"
    )
    code = advise.takeaway(compared(source, tmp_path), Pick("threads", 2))
    assert "`t` is read after the loop and assigned for some items only" in code


def test_the_same_work_for_every_worker_has_no_script(tmp_path: Path) -> None:
    weak = replace(compared(CELLS["append"], tmp_path), scaling="weak")
    assert "there is none to share out" in advise.takeaway(weak, Pick("threads", 2))


@pytest.mark.parametrize(("backend", "limit"), [("threads", 1), ("processes", None)])
def test_the_script_limits_native_threads_as_they_were_measured(
    backend: str, limit: int | None, tmp_path: Path
) -> None:
    known = compared("out = [score(p) for p in papers]", tmp_path)
    known = replace(known, environment=replace(known.environment, usable=2), probe=Probe(native_share=0.5))
    code = advise.takeaway(known, Pick(backend, 2, native_threads=limit))
    counting = "max((p['num_threads'] for p in threadpool_info() if p['user_api'] == 'blas'), default=1)"
    prelude = (
        f"import numpy\nfrom threadpoolctl import threadpool_info\npapers = [1, 2]\ndef score(p): return {counting}\n"
    )
    place = next(line for line in code.splitlines() if line.startswith(takeaway.PLACE))
    path = tmp_path / "script.py"
    shown = "    print(out)\n" if backend == "processes" else "print(out)\n"
    path.write_text(code.replace(place, prelude) + shown)
    ran = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=50, check=False)
    assert (ran.stdout, ran.stderr) == ("[1, 1]\n", "")
    assert ("threadpool_limits(1), ThreadPoolExecutor(2" in code) == (backend == "threads")
    assert ('OMP_NUM_THREADS="1"' in code) == (backend == "processes")
