from __future__ import annotations

import warnings
from contextvars import copy_context

import pytest

from concompare.errors import LostChanges
from concompare.executors import notices
from concompare.executors.notices import Notices
from concompare.worker.chunk import Answer


def answer(worker: int, state: bytes) -> Answer:
    return Answer((worker, worker), 0.0, drawn=(("random", state),))


def test_the_same_random_numbers_in_two_workers_are_told_once() -> None:
    told, context = Notices("concompare.Pool"), copy_context()
    told.take(answer(1, b"a"), context)
    told.take(answer(1, b"a"), context)
    with pytest.warns(RuntimeWarning, match="concompare.Pool: two workers drew the same random numbers from random"):
        told.take(answer(2, b"a"), context)
    told.take(answer(2, b"b"), context)
    told.take(answer(1, b"b"), context)


def test_a_change_is_told_once_for_each_name() -> None:
    told, context = Notices("x"), copy_context()
    with pytest.warns(LostChanges, match="`a`"):
        told.take(Answer((1, 1), 0.0, changed=("a",)), context)
    with pytest.warns(LostChanges, match="`b`"):
        told.take(Answer((1, 1), 0.0, changed=("a", "b")), context)


def test_what_an_initializer_assigns_is_meant_to_stay() -> None:
    space: dict[str, object] = {"__name__": "__main__"}
    exec("def begin():\n    global state\n    state = 1", space)
    told = Notices("x", space["begin"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        told.take(Answer((1, 1), 0.0, changed=("state",)), copy_context())
    assert caught == []


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "MOST", 4)
    told, context = Notices("x"), copy_context()
    for n in range(50):
        told.take(answer(1, str(n).encode()), context)
    assert len(told.drawn) <= 5
