"""Loops inside functions on real workers."""

from __future__ import annotations

import pytest

from concompare import engine
from tests.cells import compiled, plainly, test_functions

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.mark.parametrize("name", test_functions.LIFTED)
def test_a_loop_inside_leaves_the_same_on_real_workers(name: str, pool: engine.Pool) -> None:
    cell = test_functions.LIFTED[name].lstrip("\n")
    plain = plainly.run_plain(cell, test_functions.SETUP)

    left = compiled.run_on_engine(cell, test_functions.SETUP, pool)
    assert plainly.difference(plain, left) is None
    assert left.lines[-1:] == plain.lines[-1:]  # up to Python 3.11 a comprehension has a frame of its own
