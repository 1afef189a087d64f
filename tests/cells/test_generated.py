from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, seed, settings

from concompare.errors import CellRefused
from tests.cells import grammar, notebook, plainly

EXAMPLES = int(os.environ.get("CONCOMPARE_CELLS", "300"))
"""`make generated` sets 20000."""
SEED = os.environ.get("CONCOMPARE_SEED")
"""Draws the same cells again."""


def generated(tally: plainly.Tally, cell: str) -> None:
    if not is_python(cell):
        return
    tally.generated += 1
    setup = notebook.setup_of(cell)
    for how in ("threads", "processes"):
        try:
            lifted = plainly.run_lifted(cell, setup, how, seed=len(cell))
        except CellRefused:
            return
        plain = plainly.run_plain(cell, setup)
        if plain.endless and lifted.endless:
            tally.endless += 1
            return
        different = plainly.difference(plain, lifted)
        if different:
            tally.wrong.add(cell)
        assert different is None, f"{how}: {different}\n{cell}"
    tally.generated_lifted += 1


def is_python(cell: str) -> bool:
    try:
        compile(cell, "<cell>", "exec")
    except SyntaxError:
        return False
    return True


@pytest.mark.timeout(max(60, EXAMPLES))
def test_generated_cells_leave_what_plain_execution_leaves(tally: plainly.Tally) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(cell=grammar.cells)
    def every(cell: str) -> None:
        generated(tally, cell)

    drawn = seed(int(SEED))(every) if SEED is not None else every
    drawn()
    assert not tally.wrong
    assert tally.generated > tally.generated_lifted > 0
