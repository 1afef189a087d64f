"""A comparison of a cell that fails leaves what the plain cell leaves, also of the item that failed."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.ipython.conftest import Shell

SETUP = """
import asyncio
def f(n):
    return sum(k * n % 7 for k in range(50))
def bad(n):
    f(n)
    if n == 3:
        raise ValueError(n)
    return 10 * n
def ended(n):
    f(n)
    if n == 3:
        raise StopIteration(n)
    return n
def cancelled(n):
    f(n)
    if n == 3:
        raise asyncio.CancelledError(n)
    return n
def talking(n):
    print("begin", n)
    made = bad(n)
    print("end", n)
    return made
def source():
    yield 1
    yield 2
    raise RuntimeError("source")
class Row:
    __slots__ = ("a",)
    def __init__(self, a):
        self.a = a
xs, out, log, found = [1, 2, 3, 4, 5], [], [], {}
rows = [Row(1), Row(2)]
"""
CELLS = {
    "a finally": "for x in xs:\n    try:\n        y = bad(x)\n    finally:\n        out.append(x)",
    "what came before": "for x in xs:\n    log.append(x)\n    out.append((x, bad(x)))\n    log.append(-x)",
    "a change of the item": "for row in rows:\n    row.a = f(row.a)\n    row.c = 1",
    "statements": "a = f(1)\nb = bad(3)\nc = f(2)",
    "prints": "r = [talking(x) for x in xs]",
    "extend": "out.extend(bad(x) for x in xs)",
    "update": "found.update((x, bad(x)) for x in xs)",
    "StopIteration in a generator": "r = list(ended(x) for x in xs)",
    "StopIteration in a map": "r = list(map(ended, xs))",
    "no Exception": "for x in xs:\n    out.append(cancelled(x))",
    "items that fail": "for x in source():\n    out.append(f(x))",
    "items that fail in a comprehension": "r = [f(x) for x in source()]",
    "items of unequal number": "for a, b in zip([1, 2, 3], [1, 2], strict=True):\n    out.append(f(a) + b)",
    "items that fail at once": "for x in map(bad, [3, 1]):\n    out.append(f(x))",
}


def left_by(shell: Shell, cell: str) -> tuple[Any, ...]:
    """Run a cell after the same setup, and return what it leaves."""
    shell.shell.reset(new_session=True)
    shell.names = shell.shell.user_ns
    shell.run(SETUP)
    ran = shell.run(cell, check=False)
    names = {name: shell.names.get(name) for name in ("x", "y", "a", "b", "c", "r", "out", "log", "found")}
    printed = [line for line in ran.stdout.splitlines() if line.startswith(("begin", "end"))]
    rows = [row.a for row in shell.names["rows"]]
    return type(ran.error), str(ran.error), names, rows, printed


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_a_comparison_ends_as_the_plain_cell_does(cell: str, shell: Shell) -> None:
    plain = left_by(shell, cell)
    assert left_by(shell, f"%%concompare --no-plot --quiet --budget 0.3 -b threads,processes -w 2\n{cell}") == plain


def test_the_environment_stays_as_it_is(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KMP_DUPLICATE_LIB_OK", raising=False)
    monkeypatch.delitem(sys.modules, "threadpoolctl", raising=False)
    shell.run(SETUP + "import os\nbefore = dict(os.environ)")
    shell.run("%%concompare --no-plot --quiet --budget 0.3 -b threads -w 2\nr = [f(x) for x in xs]")
    shell.run("after = dict(os.environ)")
    assert "threadpoolctl" in sys.modules
    assert shell.names["after"] == shell.names["before"]
