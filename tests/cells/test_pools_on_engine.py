"""Cells with pools of their own, and independent statements, on real workers."""

from __future__ import annotations

import pytest

from concompare import engine
from tests.cells import compiled, plainly, test_independent, test_pools
from tests.cells.pool_cells import LIFTED

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("name", LIFTED)
def test_calls_of_a_pool_leave_the_same_on_real_workers(name: str, pool: engine.Pool) -> None:
    plain = plainly.run_plain(LIFTED[name], test_pools.SETUP)
    assert plainly.difference(plain, compiled.run_on_engine(LIFTED[name], test_pools.SETUP, pool)) is None


@pytest.mark.parametrize("source", test_independent.CELLS)
def test_independent_calls_leave_the_same_on_real_workers(source: str, pool: engine.Pool) -> None:
    plain = plainly.run_plain(source, test_independent.SETUP)
    assert plainly.difference(plain, compiled.run_on_engine(source, test_independent.SETUP, pool)) is None
