"""Sizes are guessed without running code of the user's, which may count, print or load something."""

from __future__ import annotations

import pytest

from concompare.cells.objects import all_atoms
from concompare.cells.replay import bars
from concompare.engine import outcome
from concompare.run import auto_history


class Asked(AssertionError):
    pass


class Shy:
    def __len__(self) -> int:
        raise Asked

    def __sizeof__(self) -> int:
        raise Asked

    @property
    def nbytes(self) -> int:
        raise Asked


class ShyList(list[int]):
    def __len__(self) -> int:
        raise Asked

    def __iter__(self) -> object:  # type: ignore[override]
        raise Asked


class ShyDict(dict[int, int]):
    def __iter__(self) -> object:  # type: ignore[override]
        raise Asked

    def values(self) -> object:  # type: ignore[override]
        raise Asked


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the classes be the notebook's."""
    for kind in (Shy, ShyList, ShyDict):
        monkeypatch.setattr(kind, "__module__", "__main__")


@pytest.mark.usefixtures("ours")
def test_no_size_is_asked_of_an_object_of_the_user_s() -> None:
    assert auto_history.size_of(Shy()) == auto_history.size_of(ShyList([1, 2])) == 1.0
    assert auto_history.size_of([1, 2, 3]) == 3.0
    assert outcome.bytes_of_one(Shy(), 1) >= 64.0


@pytest.mark.usefixtures("ours")
def test_no_element_is_taken_of_a_container_with_methods_of_the_user_s() -> None:
    assert not all_atoms(ShyList([1, 2]))
    assert not all_atoms(ShyDict({1: 2}))
    assert all_atoms([1, 2])
    items = ShyDict({1: 2})
    assert bars.unwrapped(items) == (items, None)
    assert bars.unwrapped({1: 2}) == ([1], None)
