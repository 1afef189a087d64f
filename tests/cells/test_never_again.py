# ruff: noqa: E501
"""What comes of the clock or of the system's dice is kept: a head that ran again would give something else."""

from __future__ import annotations

import contextlib

import pytest

from concompare.cells.program import Cell, Wishes
from tests.cells import compiled, plainly, programs

SETUP = """
import itertools
import secrets
import time
import uuid

xs, log = list(range(40)), []

def pure(v):
    for _ in range(2): pass
    return v * 3 + 1

def fits(v):
    for _ in range(2): pass
    return v % 9 == 4

def drawn():
    return secrets.randbelow(10**9)
"""
ENDS_AT_A_BREAK = {
    "while": "while True:\n    key = drawn()\n    if fits(key):\n        found = key\n        break",
    "for": "for n in itertools.count():\n    key = secrets.randbelow(10**9)\n    if fits(key):\n        found = key\n        break",
    "inner": "for x in xs:\n    for _ in range(500):\n        key = drawn()\n        if fits(key):\n            break\n    found = key",
    "container": "for n in itertools.count():\n    key = uuid.uuid4().int\n    pair = {'v': pure(key)}\n    if fits(key):\n        found = (pair['v'] - 1) // 3\n        break",
    "clock": "for n in itertools.count():\n    key = time.perf_counter_ns()\n    if fits(key):\n        found = key\n        break",
}
FAILS = {
    "dice": "for x in xs:\n    key = secrets.token_hex(8)\n    y = pure(x)\n    log.append(key)\n    log.append(1 // (7 - x))",
    "clock": "for x in xs:\n    key = time.time_ns()\n    y = pure(x)\n    log.append(key)\n    log.append(1 // (7 - x))",
    "after a jump": "for x in xs:\n    key = 0\n    if drawn() % 2:\n        continue\n    key = x\n    y = pure(x)\n    log.append(key)\n    log.append(1 // 0)",
}


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", ENDS_AT_A_BREAK)
def test_what_a_loop_ends_with_is_what_ended_it(name: str, how: str) -> None:
    for seed in range(4):
        left, _ = compiled.run_compiled(ENDS_AT_A_BREAK[name], SETUP, how, seed=seed)

        assert left.error is None
        assert left.names["found"] == left.names["key"]
        assert left.names["key"] % 9 == 4


@pytest.mark.parametrize("how", programs.WAYS)
@pytest.mark.parametrize("name", FAILS)
def test_what_a_failing_loop_leaves_is_what_it_failed_with(name: str, how: str) -> None:
    for seed in range(4):
        left, _ = compiled.run_compiled(FAILS[name], SETUP, how, seed=seed)

        assert isinstance(left.error, ZeroDivisionError)
        assert left.names["log"][-1] == left.names["key"]


def test_they_run_in_workers_all_the_same() -> None:
    for cell in [*ENDS_AT_A_BREAK.values(), *FAILS.values()]:
        namespace = plainly.fresh(SETUP)
        found = Cell(cell, Wishes("<cell>"))
        with contextlib.suppress(ZeroDivisionError):
            found.run(namespace, compiled.Running(namespace, "threads"))
        assert found.lifted, cell


def test_what_does_not_come_of_them_stays_with_the_workers() -> None:
    cell = "for x in xs:\n    since = time.time()\n    model = [pure(x)]\n    took = time.time() - since"

    found = programs.bound(cell, plainly.fresh(SETUP))[1]

    assert found.made.kept == ["model"]
