"""Python's search for garbage while an analysis runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from concompare.cells import garbage
from concompare.cells.program import Cell, Wishes
from concompare.cells.replay import binding
from tests.cells import plainly


@pytest.fixture(autouse=True)
def searching() -> Iterator[None]:
    """Let the search be on before and after each test."""
    gc.enable()
    yield
    gc.enable()


def test_the_search_waits_for_an_analysis_and_goes_on_after_it() -> None:
    assert garbage.later(gc.isenabled)() is False
    assert gc.isenabled()


def test_the_search_goes_on_after_an_analysis_that_fails() -> None:
    with pytest.raises(ZeroDivisionError):
        garbage.later(lambda: 1 // 0)()
    assert gc.isenabled()


def test_a_search_that_the_user_has_switched_off_stays_off() -> None:
    gc.disable()
    garbage.later(gc.isenabled)()
    assert not gc.isenabled()


def test_an_analysis_inside_another_leaves_the_search_to_that() -> None:
    def outer() -> bool:
        garbage.later(gc.isenabled)()
        return gc.isenabled()

    assert garbage.later(outer)() is False
    assert gc.isenabled()


def test_code_of_the_users_runs_with_the_search_on_and_may_switch_it_off() -> None:
    def analysis() -> bool:
        with garbage.meanwhile():
            found = gc.isenabled()
            gc.disable()
        return found

    assert garbage.later(analysis)()
    assert not gc.isenabled()


def test_an_item_that_is_looked_at_first_is_made_with_the_search_on() -> None:
    namespace = plainly.fresh("import gc\ndef f(x): return x * x\ndef made():\n    yield int(gc.isenabled())")
    source = "for x in made():\n    y = f(x)"
    cell = Cell(source, Wishes("<cell>"))
    taken: list[Iterator[int]] = []
    binding.lift(cell.loops[0], namespace, namespace["made"](), filename="<cell>", source=source, taken=taken)
    assert list(taken[0]) == [1]
