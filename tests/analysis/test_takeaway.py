# ruff: noqa: E501
"""The take-away code, run in a clean interpreter and compared with what the cell gives."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from concompare.analysis import pick, takeaway
from concompare.analysis.pick import Pick
from concompare.records import Comparison, Message, Probe, Subject
from concompare.run import dispatch
from tests.cells import programs
from tests.records import ENVIRONMENT, comparison, serial, trial

PRELUDE = """
import itertools
K = 3
papers = [5, 1, 4, 2]
def score(p, k=1):
    return p * 10 + k
"""

MODEL = """class Model:
    def __init__(self, x):
        self.x = x
    def fit(self):
        self.x = score(self.x)"""

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
    "nested": "out = {}\nfor a in papers:\n    for b in range(a):\n        out[a, b] = score(a, b)",
    "nested in parts": "out = []\nfor i, a in enumerate(papers):\n    for b in range(a):\n        out.append(score(b, i))\nlast = i",
    "two heavy loops": "out = []\nfor q in range(3):\n    out.append(score(q))\nd = {}\nfor p in papers:\n    d[p] = score(p)",
    "stores where it fails": "good = {}\nbad = {}\nfor p in papers:\n    try:\n        good[p] = 10 // (score(p) - 11)\n"
    "    except ZeroDivisionError as e:\n        bad[p] = str(e)",
    "an object changed": f"{MODEL}\nout = []\nfor p in papers:\n    m = Model(p)\n    m.fit()\n    out.append(m.x)",
    "an object changed and kept": f"{MODEL}\nout = []\nfor p in papers:\n    m = Model(p)\n    m.fit()\n    out.append(m)\nxs = [m.x for m in out]\ndel out, m",
    "an object changed and read after": f"{MODEL}\nout = []\nfor p in papers:\n    m = Model(p)\n    m.fit()\n    out.append(m.x)\nlast = m.x\ndel m",
    "a sum and some": "total = 0\nd = {}\nfor p in papers:\n    s = score(p)\n    total += s\n    if s > 20:\n        d[p] = total",
    "the item changed late": "out = {}\nfor p in papers:\n    out[p] = 1\n    q = score(p)\n    p = p + 1\n    out[q] = p",
    "a name twice": "out = []\nfor p in papers:\n    s = score(p)\n    out.append(s)\n    s = s + 1\n    out.append(-s)\n    s = 0",
    "a name from before": "s = 0\nout = []\nfor p in papers:\n    s = score(p)\n    out.append(s + 1)\n    s = s + 2",
    "best so far ends it": "best = 0\nfor p in papers:\n    s = score(p)\n    if s > best:\n        best = s\n    if best > 30:\n        break\n"
    "    then = s\nelse:\n    whole = True",
    "finally": "out = []\nfor p in papers:\n    try:\n        if score(p) < 20:\n            break\n    finally:\n        out.append(p)",
    "a loop over map": "out = []\nfor y in map(score, papers):\n    out.append(y + 1)",
    "names in use": "items = papers\nfound = []\ncompute = value = pool = 1\nfor p in items:\n    if p > 1:\n        found.append(score(p))\n"
    "        found.append(value)",
    "chosen by work": "out = [p for p in papers if score(p) > 20]",
    "dict chosen by work": "out = {p: -p for p in papers if score(p) > 20 and p < 5}",
    "named in a condition": "out = [y for p in papers if (y := score(p)) > 20]",
    "two comprehensions": "a = (\n    [score(p) for p in papers],\n    [score(-p) for p in papers],\n)",
    "values of the cell": "factor = 7\nout = [score(p, factor) for p in papers]\nlast = out[-1]",
}


LINES = {"two loops": 4, "two heavy loops": 5, "two comprehensions": 3}
INSIDE = {
    **{"append": "w", "inner": "y j", "an object changed": "m", "a name twice": "s", "named in a condition": "y"},
}
"""Names that only the function of the script knows: nothing that comes later in the cell reads them."""


def plain(source: str) -> dict[str, Any]:
    """Return what the plain cell leaves behind."""
    names: dict[str, Any] = {}
    exec(PRELUDE, names)
    before = set(names)
    exec(source, names)
    return {k: v for k, v in names.items() if k not in before and k != "Model"}


def compared(source: str, tmp_path: Path, line: int | None = None) -> Comparison:
    """Return a comparison of the cell, its parts taken by the lifting itself."""
    (tmp_path / "prelude.py").write_text(PRELUDE)
    names: dict[str, Any] = {}
    exec(compile(PRELUDE, str(tmp_path / "prelude.py"), "exec"), names)
    task, _ = programs.bound(source, names, assume_pure=True, line=line)
    subject = replace(dispatch.subject_of(task, blob=False), items=4)
    ran = ("processes", "threads", "spawn", "loky", "dask")
    known = comparison(serial(items=4), *(trial(backend, 2, [0.5], items=4) for backend in ran), items=4)
    return replace(known, subject=subject, environment=replace(ENVIRONMENT, start_method="forkserver"))


def script(source: str, backend: str, tmp_path: Path, line: int | None = None) -> str:
    """Return the take-away code with the notebook's other cells in their place."""
    code = pick.takeaway(compared(source, tmp_path, line), Pick(backend, 2))
    lines = [PRELUDE if line.startswith(takeaway.PLACE) else line for line in code.splitlines()]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("name", CELLS)
def test_the_script_for_threads_leaves_what_the_cell_leaves(name: str, tmp_path: Path) -> None:
    code = script(CELLS[name], "threads", tmp_path, LINES.get(name))
    names: dict[str, Any] = {}
    exec(code, names)
    expected = plain(CELLS[name])
    assert expected
    assert {k: names[k] for k in expected if k in names} == {k: v for k, v in expected.items() if k in names}
    assert sorted(expected.keys() - names.keys()) == sorted(INSIDE.get(name, "").split())
    assert "ThreadPoolExecutor(2)" in code
    assert "concompare" not in code


@pytest.mark.parametrize(
    ("name", "backend"),
    [("append", "processes"), ("values of the cell", "spawn"), ("lambda", "processes"), ("two calls", "loky")],
)
def test_the_script_for_processes_runs_in_a_clean_interpreter(name: str, backend: str, tmp_path: Path) -> None:
    expected = {k: v for k, v in plain(CELLS[name]).items() if k not in INSIDE.get(name, "").split()}
    shown = f"    print(repr({{name: globals()[name] for name in {sorted(expected)!r}}}))\n"
    path = tmp_path / "script.py"
    path.write_text(script(CELLS[name], backend, tmp_path) + shown)
    ran = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=500, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ast.literal_eval(ran.stdout) == expected


def test_values_of_the_cell_reach_the_workers_by_an_initializer(tmp_path: Path) -> None:
    code = script(CELLS["values of the cell"], "processes", tmp_path)
    assert "initializer=begin, initargs=({'factor': factor},)" in code
    assert 'if __name__ == "__main__":' in code


def test_large_captured_values_are_sent_once_per_worker(tmp_path: Path) -> None:
    known = compared("out = [score(p, K) for p in papers]", tmp_path)
    known = replace(known, subject=replace(known.subject, captured=(("K", 40_000_000), ("score → db", 1))))
    assert "initargs=({'K': K},)" in pick.takeaway(known, Pick("processes", 2))


def test_the_chunk_size_is_the_one_that_was_measured(tmp_path: Path) -> None:
    known = compared("out = [score(p, K) for p in papers]", tmp_path)
    chunked = trial("processes", 2, [0.5], items=800)
    message = known.trials[0].passes[0]
    sent = Message(0, 16, 0, 0.0, 0.0, 0.0, 0.1, 0.1, 0.1)
    chunked = replace(chunked, passes=(replace(message, items=800, messages=(sent,)),))
    known = replace(
        known, trials=(known.trials[0], chunked, trial("threads", 2, [0.5])), subject=replace(known.subject, items=800)
    )
    assert "chunksize=16" in pick.takeaway(known, Pick("processes", 2))
    assert "chunksize" not in pick.takeaway(known, Pick("threads", 2))


def test_the_plain_loop_is_the_cell_as_written(tmp_path: Path) -> None:
    known = compared(CELLS["append"], tmp_path)
    assert pick.takeaway(known, Pick("serial", 1)) == CELLS["append"]


def test_a_function_over_items_leaves_the_items_to_the_user() -> None:
    known = replace(
        comparison(trial("threads", 2, [0.5])), subject=Subject("f", "function", "def f(x):\n    return 2 * x\n")
    )
    code = pick.takeaway(known, Pick("threads", 2))
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
        ({"kind": "call"}, "threads", "its loop is written in a way that has no short form"),
    ],
)
def test_no_code_is_better_than_wrong_code_and_says_why(
    change: dict[str, Any], backend: str, reason: str, tmp_path: Path
) -> None:
    known = compared(CELLS["append"], tmp_path)
    code = pick.takeaway(replace(known, subject=replace(known.subject, **change)), Pick(backend, 2))
    assert code == f"# No script for this cell: {reason}.\n# Run it with: %%parallel -b {backend} -w 2\n"
    compile(code, "code", "exec")


def test_a_name_that_only_some_items_leave_behind_gets_no_code(tmp_path: Path) -> None:
    source = (
        "out = []\nfor p in papers:\n    s = score(p)\n    if s > 20:\n        t = 2 * s\n    out.append(s)\nlast = t"
    )
    code = pick.takeaway(compared(source, tmp_path), Pick("threads", 2))
    assert "`t` is read after the loop and assigned for some items only" in code


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        (
            "out = []\nif K:\n    for p in papers:\n        out.append(score(p))",
            None,
            "its loop stands inside another statement",
        ),
        (
            "out = []\nfor p in [2, 0]:\n    for q in range(p):\n        out.append(score(q))",
            None,
            "the last item of the outer loop has none of the inner one",
        ),
        (
            "out = []\nfor p in papers:\n    s = score(p)\n    out.append(s)\n    del s",
            None,
            "`s` is deleted in the loop",
        ),
        (
            "rows = [[1], [2]]\nfor row in rows:\n    row[0] = score(row[0])",
            None,
            "its items are changed in place",
        ),
        (
            "def slow(p):\n    return sum(score(q) for q in range(p))\ntodo, out = list(papers), []\nwhile todo:\n    p = todo.pop()\n    out.append(slow(p))",
            None,
            "the notebook computes a part of each item before it goes out",
        ),
    ],
)
def test_what_has_no_short_form_says_so(source: str, line: int | None, reason: str, tmp_path: Path) -> None:
    code = pick.takeaway(compared(source, tmp_path, line), Pick("threads", 2))
    assert code.startswith(f"# No script for this cell: {reason}.\n")


def test_a_script_says_that_workers_print_in_another_order(tmp_path: Path) -> None:
    source = "out = []\nfor p in papers:\n    s = score(p)\n    print(s)\n    out.append(s)"
    assert takeaway.SHOWN in pick.takeaway(compared(source, tmp_path), Pick("threads", 2))
    assert takeaway.SHOWN not in pick.takeaway(compared(CELLS["append"], tmp_path), Pick("threads", 2))


def test_a_script_reads_as_somebody_would_write_it(tmp_path: Path) -> None:
    code = pick.takeaway(compared(CELLS["stores where it fails"], tmp_path), Pick("threads", 2))
    assert code.split("\n\n\n")[2:] == [
        (
            "def compute(p):\n    steps = []\n    try:\n        steps.append(('good', 10 // (score(p) - 11)))\n"
            "    except ZeroDivisionError as e:\n        steps.append(('bad', str(e)))\n    return steps"
        ),
        (
            "good = {}\nbad = {}\nitems = list(papers)\nwith ThreadPoolExecutor(2) as pool:\n"
            "    for p, steps in zip(items, pool.map(compute, items)):\n        for step, value in steps:\n"
            "            if step == 'good':\n                good[p] = value\n"
            "            elif step == 'bad':\n                bad[p] = value\n"
        ),
    ]


def test_the_same_work_for_every_worker_has_no_script(tmp_path: Path) -> None:
    weak = replace(compared(CELLS["append"], tmp_path), scaling="weak")
    assert "there is none to share out" in pick.takeaway(weak, Pick("threads", 2))


@pytest.mark.parametrize(("backend", "limit"), [("threads", 1), ("processes", None)])
def test_the_script_limits_native_threads_as_they_were_measured(
    backend: str, limit: int | None, tmp_path: Path
) -> None:
    known = compared("out = [score(p) for p in papers]", tmp_path)
    known = replace(known, environment=replace(known.environment, usable=2), probe=Probe(native_share=0.5))
    code = pick.takeaway(known, Pick(backend, 2, native_threads=limit))
    counting = "max((p['num_threads'] for p in threadpool_info() if p['user_api'] == 'blas'), default=1)"
    prelude = (
        f"import numpy\nfrom threadpoolctl import threadpool_info\npapers = [1, 2]\ndef score(p): return {counting}\n"
    )
    place = next(line for line in code.splitlines() if line.startswith(takeaway.PLACE))
    path = tmp_path / "script.py"
    shown = "    print(out)\n" if backend == "processes" else "print(out)\n"
    path.write_text(code.replace(place, prelude) + shown)
    ran = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, timeout=500, check=False)
    assert (ran.stdout, ran.stderr) == ("[1, 1]\n", "")
    assert ("threadpool_limits(1), ThreadPoolExecutor(2" in code) == (backend == "threads")
    assert ('OMP_NUM_THREADS="1"' in code) == (backend == "processes")
