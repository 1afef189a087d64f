from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from concompare import backends, engine
from concompare.cells.task import task_of
from concompare.run import witness
from concompare.run.once import run_once
from concompare.run.request import request_of


class Forgetful:
    def __init__(self) -> None:
        self.kept = self.dropped = 1

    def __getstate__(self) -> dict[str, int]:
        return {"kept": self.kept}


class Stubborn:
    def __reduce_ex__(self, protocol: object) -> Any:
        raise AssertionError("it was copied or pickled")

    __deepcopy__ = __reduce_ex__


class Pair(NamedTuple):
    one: int
    other: list[int]


@pytest.mark.parametrize("item", [Forgetful(), [1, Forgetful()], {"a": Forgetful()}])
def test_nothing_is_copied_that_says_how_it_is_copied(item: object) -> None:
    """The copy may lack something, so what the notebook computes with it says nothing."""
    assert witness.copies_of(item) == []


def test_nothing_is_copied_of_which_a_library_lists_every_copy() -> None:
    """A copy of a line is one of its figure too, which pyplot would show as one more."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    before = pyplot.get_fignums()
    figure, axes = pyplot.subplots()
    try:
        (line,) = axes.plot([1, 2])
        assert [witness.copies_of(item) for item in (figure, axes, line, [line])] == [[], [], [], []]
        assert pyplot.get_fignums() == [*before, figure.number]
        figure.__dict__["never copied"] = Stubborn()
        assert witness.copies_of((axes, 1)) == witness.copies_of((0, (axes, 1))) == []
    finally:
        pyplot.close(figure)


def test_what_does_not_is_copied() -> None:
    pair = Pair(1, [2])
    (copied,) = witness.copies_of(pair)
    assert copied == pair
    assert copied.other is not pair.other


def test_the_items_computed_in_the_notebook_share_one_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """To open one takes longer than many an item."""
    lease, opened, computed = engine.lease, [], []
    own = witness.computed

    def leased(backend: Any, *arguments: Any, **options: Any) -> Any:
        opened.append(backend.name)
        return lease(backend, *arguments, **options)

    def counted(*arguments: Any) -> Any:
        computed.append(arguments)
        return own(*arguments)

    monkeypatch.setattr(engine, "lease", leased)
    monkeypatch.setattr(witness, "computed", counted)
    monkeypatch.setattr(witness, "LITTLE", 60.0)
    request = request_of(["processes"], 1, witnessed=True)
    _, value, said = run_once(task_of(abs, range(-10, 0)), backends.find("processes"), 1, request)
    assert value == list(range(10, 0, -1))
    assert not said
    assert len(computed) == witness.MOST
    assert opened == ["processes", "serial"]


@pytest.mark.parametrize("first", [0, 3])
def test_items_can_be_had_again_before_one_was_taken(first: int) -> None:
    again = witness.Again((n for n in range(5)), first)
    assert list(again.from_position(first)) == [0, 1, 2, 3, 4]
