"""Containers that store in a way of their own: a copy holds what they hold, and nothing of theirs runs for it."""

from __future__ import annotations

import collections
import io
import pickle
from typing import Any

import cloudpickle
import pytest

from concompare.worker.transfer.class_objects import container_parts
from concompare.worker.transfer.pickling import by_value

NOTEBOOK = """
import collections
log = []
class Doubled(dict):
    def __setitem__(self, key, value):
        log.append(key)
        super().__setitem__(key, 2 * value)
class Ordered(collections.OrderedDict):
    def __init__(self, *args):
        log.append("init")
        super().__init__(*args)
    def __setitem__(self, key, value):
        log.append(key)
        super().__setitem__(key, 2 * value)
class More(list):
    __slots__ = ("n", "never", "__dict__")
    def append(self, value):
        log.append(value)
        super().append(value + 1)
"""


@pytest.fixture
def names() -> dict[str, Any]:
    found: dict[str, Any] = {"__name__": "__main__"}
    exec(NOTEBOOK, found)
    return found


def copied(thing: Any) -> Any:
    file = io.BytesIO()
    by_value(cloudpickle.Pickler)(file, 5).dump(thing)
    return pickle.loads(file.getvalue())


def test_a_dictionary_that_stores_something_else_holds_the_same(names: dict[str, Any]) -> None:
    made = names["Doubled"]()
    made["a"], made.me = 4, made
    names["log"].clear()
    copy = copied(made)
    assert (dict(copy), copy.me is copy, type(copy).__name__, names["log"]) == ({"a": 8}, True, "Doubled", [])


def test_an_ordered_dictionary_keeps_its_order_and_is_not_started_again(names: dict[str, Any]) -> None:
    made = names["Ordered"]()
    made["a"], made["b"] = 1, 2
    made.move_to_end("a")
    names["log"].clear()
    assert (list(copied(made).items()), names["log"]) == ([("b", 4), ("a", 2)], [])


def test_a_list_keeps_its_elements_and_slots(names: dict[str, Any]) -> None:
    made = names["More"]([1])
    made.append(made.__len__())
    made.n, made.other = 7, [made]
    names["log"].clear()
    copy = copied(made)
    assert (list(copy), copy.n, copy.other[0] is copy, hasattr(copy, "never")) == ([1, 2], 7, True, False)
    assert names["log"] == []


class Plain(dict[str, int]):
    """A dictionary that stores as any other."""


class Saying(dict[str, int]):
    """A dictionary that says itself how it is pickled."""

    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(key, value + 1)

    def __reduce__(self) -> Any:
        return Saying, ()


@pytest.mark.parametrize("kind", [dict, list, Plain, Saying, collections.OrderedDict, collections.Counter, int])
def test_others_are_left_to_pickle(kind: type[Any]) -> None:
    assert container_parts(kind()) is None
