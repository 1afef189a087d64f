"""Items whose classes say how they are pickled do not go to processes where that shows."""

from __future__ import annotations

import dataclasses
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


def test_items_without_a_class_of_their_own_are_sent() -> None:
    several: list[Any] = [[1, 2], range(9), "ab", iter([[]])]
    assert [why_not_sent(task_of(len, items)) for items in several] == [""] * 4


class Sent:
    """An object of which not all is sent."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Told:
    """An object that does something when it is dropped."""

    def __del__(self) -> None:
        pass


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """An object for which `dataclass` writes what is sent."""

    n: int


def test_items_that_change_stay_where_not_all_of_them_would_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Sent, Told, Row):
        monkeypatch.setattr(kind, "__module__", "__main__")
    changing = replace(task_of(len, [[Sent()]]), changing=True)
    assert why_not_sent(changing) == "the items change, and `Sent` says itself what of them is sent"
    assert why_not_sent(replace(changing, changing=False)) == ""
    assert why_not_sent(replace(task_of(len, [Row(1), [2]]), changing=True)) == ""


def test_what_does_something_when_it_is_dropped_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Told, "__module__", "__main__")
    told = Told()
    assert "`Told` does something when it is dropped" in why_not_sent(task_of(len, [told]))

    def function(item: Any) -> Any:
        return told

    assert "`Told`" in why_not_sent(task_of(function, [1]))
