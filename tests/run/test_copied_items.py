"""Items that a loop changes are copied for each run of several."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from typing import Any

import pytest

from concompare.cells.task import task_of
from concompare.run.copied_items import Copies, for_each_run, why_not


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
