from __future__ import annotations

import pytest

from concompare import engine
from tests.cells import compiled, plainly, test_golden, work_calls

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize(("name", "cell"), test_golden.LIFTED, ids=[name for name, _ in test_golden.LIFTED])
def test_a_lifted_cell_leaves_the_same_on_real_workers(
    name: str, cell: str, pool: engine.Pool, tally: work_calls.Tally
) -> None:
    plain = plainly.run_plain(cell, test_golden.SETUP)
    different = plainly.difference(plain, compiled.run_on_engine(cell, test_golden.SETUP, pool))
    if different:
        tally.wrong.add(name)
    assert different is None
