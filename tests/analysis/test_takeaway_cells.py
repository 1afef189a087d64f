"""The take-away code of the golden cells and of generated ones: it leaves what the cell leaves, or there is none."""

from __future__ import annotations

import ast
import concurrent.futures
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings

from concompare.analysis import pick
from concompare.analysis.pick import Pick
from concompare.run import dispatch
from tests.cells import notebook, plainly, programs, richer
from tests.cells.drawn import is_python
from tests.cells.test_golden import LIFTED, SETUP
from tests.records import comparison, serial, trial

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
"""Cells leave files open, as people do."""

EXAMPLES = int(os.environ.get("CONCOMPARE_SCRIPTS", "40"))
SEED = int(os.environ.get("CONCOMPARE_SEED", "5"))
COUNTS = ("for x in sized:\n    out.append(f(x))",)
"""Cells whose items count how often they are asked for their number."""


class Pool:
    """A pool that computes the items in another order than they come back."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def map(self, function: Callable[..., Any], *items: Any) -> Iterator[Any]:
        """Compute all items, then give their values."""
        calls = list(zip(*items, strict=False))
        found: dict[int, Any] = {}
        failed: dict[int, Exception] = {}
        for place in Random(len(calls)).sample(range(len(calls)), len(calls)):
            try:
                found[place] = function(*calls[place])
            except Exception as error:
                failed[place] = error
        for place in range(len(calls)):
            if place in failed:
                raise failed[place]
            yield found[place]


def script_of(cell: str, setup: str) -> str | None:
    """Return the take-away code of the first loop, or None where there is none."""
    namespace = plainly.fresh(setup)
    try:
        with plainly.printed_by(plainly.Left(namespace)):
            task, _ = programs.bound(cell, namespace)
    except Exception:  # it is refused, or what stands before the loop fails
        return None
    subject = replace(dispatch.subject_of(task, blob=False), items=4)
    known = replace(comparison(serial(items=4), trial("threads", 2, [0.5], items=4), items=4), subject=subject)
    code = pick.takeaway(known, Pick("threads", 2))
    return None if code.startswith("# No script") else code


def wrong(cell: str, code: str, setup: str) -> str | None:
    """Return what a script leaves otherwise than its cell, or None; names that only its function has do not count."""
    plain = plainly.run_plain(cell, setup)
    left = plainly.Left(plainly.fresh(setup))
    with plainly.ended(left):
        try:
            exec(compile(code, "<script>", "exec", dont_inherit=True), left.names)
        except BaseException as error:
            left.error = error
    if plain.endless or left.endless:
        return None
    if plain.error is not None or left.error is not None:
        return (
            None if type(plain.error) is type(left.error) else f"{plain.error!r} plainly, {left.error!r} in the script"
        )
    inside = stored_in(ast.walk(ast.parse(cell))) - stored_in(outside(ast.parse(code)))
    for name, value in plain.names.items():
        if name in inside or name.startswith("__"):
            continue
        if name not in left.names or not plainly.same(value, left.names[name]):
            return f"{name} is {value!r} plainly and {left.names.get(name)!r} in the script"
    return None


def outside(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that are not in a function or comprehension."""
    for part in ast.iter_child_nodes(node):
        if not isinstance(
            part, (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
        ):
            yield part
            yield from outside(part)


def stored_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that nodes give values."""
    found: set[str] = set()
    for part in nodes:
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            found.add(part.id)
        if isinstance(part, (ast.MatchAs, ast.MatchStar)) and part.name is not None:
            found.add(part.name)
        if isinstance(part, ast.MatchMapping) and part.rest is not None:
            found.add(part.rest)
    return found


@pytest.mark.slow
def test_the_script_of_a_golden_cell_leaves_what_the_cell_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", Pool)
    found = {name: (cell, script_of(cell, SETUP)) for name, cell in LIFTED[::4]}
    scripts = {name: (cell, code) for name, (cell, code) in found.items() if code is not None}
    different = {name: wrong(cell, code, SETUP) for name, (cell, code) in scripts.items() if cell not in COUNTS}
    assert {name: text for name, text in different.items() if text} == {}
    assert len(scripts) > 0.9 * len(found)


@pytest.mark.timeout(600 + EXAMPLES)
def test_the_script_of_a_generated_cell_leaves_what_the_cell_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", Pool)
    written = 0

    @seed(SEED)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(cell=richer.cells)
    def every(cell: str) -> None:
        nonlocal written
        setup = notebook.setup_of(cell)
        code = script_of(cell, setup) if is_python(cell) and "in stack:" not in cell else None
        if code is not None:
            written += 1
            different = wrong(cell, code, setup)
            assert different is None, f"{different}\n{cell}\n{code}"

    every()
    assert written
