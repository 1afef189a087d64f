from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings

from concompare.errors import CellRefused
from tests.cells import grammar, plainly

EXAMPLES = int(os.environ.get("CONCOMPARE_CELLS", "300"))
"""`make cells-thorough` sets 20000."""


@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(cell=grammar.cells)
def generated(tally: plainly.Tally, cell: str) -> None:
    tally.generated += 1
    for how in ("threads", "processes"):
        try:
            lifted = plainly.run_lifted(cell, grammar.SETUP, how, seed=len(cell))
        except CellRefused:
            return
        different = plainly.difference(plainly.run_plain(cell, grammar.SETUP), lifted)
        if different:
            tally.wrong.add(cell)
        assert different is None, f"{how}: {different}\n{cell}"
    tally.generated_lifted += 1


def test_generated_cells_leave_what_plain_execution_leaves(tally: plainly.Tally) -> None:
    generated(tally)
