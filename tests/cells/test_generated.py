from __future__ import annotations

import os
from random import SystemRandom

import pytest

from tests.cells import drawn, work_calls

CELLS = int(os.environ.get("CONCOMPARE_CELLS", "100"))
"""`make generated` sets 20000, and draws others each time unless it is given a seed."""
SEED = os.environ.get("CONCOMPARE_SEED", "5") or str(SystemRandom().randrange(10**6))


@pytest.mark.slow
@pytest.mark.timeout(max(600, CELLS))
@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", drawn.KINDS)
def test_generated_cells_leave_what_plain_execution_leaves(kind: str, tally: work_calls.Tally) -> None:
    before = tally.generated, tally.generated_lifted
    setup_of = drawn.KINDS[kind][1]
    for number in range(CELLS // len(drawn.KINDS)):
        cell = drawn.draw(kind, SEED, number)
        different = drawn.wrong(cell, setup_of(cell), tally)
        if different is not None:
            small = drawn.smallest(cell, lambda one: drawn.wrong(one, setup_of(one)))
            pytest.fail(f"seed {SEED}, number {number}, {different}\n{cell}\n\nas much is wrong with\n{small}")
    assert tally.generated - before[0] >= tally.generated_lifted - before[1] > 0
