"""Items whose classes say how they are pickled do not go to processes where that shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from concompare.cells.task import task_of
from concompare.run.sent_items import why_not_sent

LOG: list[int] = []


class Plain:
    """An object that is pickled as any other."""

    def __init__(self) -> None:
        self.size = 1


class WithoutCache(Plain):
    """An object that leaves out what it can find again."""

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("cache", None)
        del state["size"]
        return state


class Counting(Plain):
    """An object that counts how often it is sent."""

    def __getstate__(self) -> dict[str, Any]:
        LOG.append(1)
        return self.__dict__


class Counted(Plain):
    """An object that keeps how often it is sent."""

    def __reduce__(self) -> Any:
        self.size += 1
        return Counted, ()


@pytest.mark.parametrize("kind", [Plain, WithoutCache])
def test_objects_that_only_say_what_is_sent_are_sent(kind: type[Plain]) -> None:
    assert why_not_sent(task_of(len, [kind(), kind()])) == ""


@pytest.mark.parametrize("kind", [Counting, Counted])
def test_objects_that_change_something_when_they_are_sent_are_not(kind: type[Plain]) -> None:
    assert f"of `{kind.__name__}` changes something" in why_not_sent(task_of(len, [kind(), kind()]))


def test_items_that_change_come_back_whole_or_are_not_sent() -> None:
    assert why_not_sent(replace(task_of(len, [Plain()]), changing=True)) == ""
    assert "`WithoutCache`" in why_not_sent(replace(task_of(len, [[WithoutCache()]]), changing=True))


def test_items_without_a_class_of_their_own_are_sent() -> None:
    several: list[Any] = [[1, 2], range(9), "ab", iter([[]])]
    assert [why_not_sent(task_of(len, items)) for items in several] == [""] * 4
