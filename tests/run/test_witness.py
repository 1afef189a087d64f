from __future__ import annotations

import os
import random
import threading
from typing import Any, NamedTuple

import pytest

from concompare import backends, engine
from concompare.cells.task import task_of
from concompare.run import witness
from concompare.run.once import run_once
from concompare.run.request import request_of

ASKED, DRAWN = threading.Event(), threading.Event()


class Forgetful:
    def __init__(self) -> None:
        self.kept = self.dropped = 1

    def __getstate__(self) -> dict[str, int]:
        return {"kept": self.kept}


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


def while_another_thread_draws(item: tuple[int, int]) -> int:
    number, notebook = item
    if os.getpid() == notebook and not ASKED.is_set():
        ASKED.set()
        assert DRAWN.wait(60)
    return -number


def drawn_once(item: tuple[int, int]) -> int:
    random.random()
    return -item[0]


@pytest.mark.parametrize(("function", "said"), [(while_another_thread_draws, ""), (drawn_once, "draws from random")])
def test_what_other_threads_of_the_notebook_draw_is_not_the_item_s(function: Any, said: str) -> None:
    """As those of a client of a cluster do."""

    def draw() -> None:
        ASKED.wait(60)
        random.random()
        DRAWN.set()

    ASKED.clear()
    DRAWN.clear()
    other = threading.Thread(target=draw)
    other.start()
    try:
        random.seed(1)
        request = request_of(["processes"], 1, witnessed=True)
        items = [(number, os.getpid()) for number in range(6)]
        _, value, words = run_once(task_of(function, items), backends.find("processes"), 1, request)
    finally:
        ASKED.set()
        other.join()
    assert value == [-number for number in range(6)]
    assert said in words
    assert bool(said) == bool(words)
    expected = random.Random(1)
    for _ in range(7 if said else 1):  # those of the items, and the thread's
        expected.random()
    assert random.getstate() == expected.getstate()
