"""Items that a loop changes are copied for each run of several."""

from __future__ import annotations

import dataclasses
import io
import random
from dataclasses import replace
from typing import Any

import pytest

from concompare.cells.task import task_of
from concompare.run.copied_items import Copies, for_each_run, kept_from_processes, why_not


class Own:
    """An object with a way of its own to be copied."""

    def __deepcopy__(self, memo: Any) -> Own:
        return self


def test_everybody_gets_a_copy_and_the_items_stay() -> None:
    items = [[1], [2], [3]]
    copies = Copies(items)
    copies[0].append(9)
    copies[1:][0].append(9)
    for item in copies:
        item.append(9)
    assert items == [[1], [2], [3]]
    items[2].append(9)
    assert len(copies) == 3
    assert copies[-1] == [3]


def test_what_items_share_and_only_read_is_not_copied() -> None:
    data = [1, 2]
    items = [{"data": data, "own": [number]} for number in range(3)]
    copies = Copies(items, frozenset([id(data)]))
    for copied, item in zip(copies, items, strict=True):
        assert copied == item
        assert copied["data"] is data
        assert copied["own"] is not item["own"]
    task = replace(task_of(len, items), changing=True, shared=frozenset([id(data)]))
    assert for_each_run(task, items)[0]["data"] is data


def test_only_items_that_change_are_copied() -> None:
    items = [[1], [2]]
    task = task_of(len, items)
    assert for_each_run(task, items) is items
    copies = for_each_run(replace(task, changing=True), items)
    assert list(copies) == items
    assert copies[0] is not items[0]


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ([1, {"a": [2]}], ""),
        (random.Random(1), ""),
        ([io.StringIO("x")], "StringIO"),
        ([io.BytesIO(b"x")], "BytesIO"),
        ([Own()], "Own"),
    ],
    ids=["plain", "random", "a file", "a file of bytes", "copied its own way"],
)
def test_what_cannot_be_copied_is_named(item: Any, why: str) -> None:
    found = why_not(replace(task_of(len, [item]), changing=True))
    assert (why in found) if why else (found == "")
    assert why_not(task_of(len, [item])) == ""


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
    assert kept_from_processes(changing) == "the items change, and `Sent` says itself what of them is sent"
    assert kept_from_processes(replace(changing, changing=False)) == ""
    assert kept_from_processes(replace(task_of(len, [Row(1), [2]]), changing=True)) == ""


def test_what_does_something_when_it_is_dropped_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Told, "__module__", "__main__")
    told = Told()
    assert "`Told` does something when it is dropped" in kept_from_processes(task_of(len, [told]))

    def function(item: Any) -> Any:
        return told

    assert "`Told`" in kept_from_processes(task_of(function, [1]))
