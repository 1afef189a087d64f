"""Chains and calls that call a function with items, on real workers."""

from __future__ import annotations

import pytest

from concompare import engine
from tests.cells import compiled, plainly, test_callers, test_streams

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
CELLS = [
    *[("callers", name) for name in test_callers.LIFTED],
    *[("streams", name) for name in test_streams.LIFTED],
]
TABLES = {
    "callers": (test_callers.SETUP, test_callers.LIFTED),
    "streams": (test_streams.SETUP, test_streams.LIFTED),
}


@pytest.mark.parametrize(("table", "name"), CELLS)
def test_cells_leave_the_same_on_real_workers(table: str, name: str, pool: engine.Pool) -> None:
    setup, found = TABLES[table]
    assert (
        plainly.difference(plainly.run_plain(found[name], setup), compiled.run_on_engine(found[name], setup, pool))
        is None
    )
