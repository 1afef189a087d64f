"""Results as bytes and back: the notebook's own objects stay themselves, its classes go by their names."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from concompare.engine.resume.pickles import Places, pickled, restored

CODE = """
class Point:
    def __init__(self, x): self.x = x
shared = [1, [2]]
other = {"a": []}
def f(item):
    return shared, other, item
"""


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    main: Any = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec(CODE, vars(main))
    found: Callable[..., Any] = main.f
    return found


def test_objects_of_items_and_function_are_the_same_again_and_others_are_copies(function: Callable[..., Any]) -> None:
    items = [{"deep": [3]}, 5, [np.arange(3)]]
    names = function.__globals__
    value = (names["shared"], names["shared"][1], items[0]["deep"], items[2][0], [9])  # type: ignore[index]
    data = pickled(value, function, Places(function, items, 0).by_identity(()))
    back = restored(data, Places(function, items, 0))
    assert all(one is other for one, other in zip(value[:4], back[:4], strict=True))
    assert back[4] == [9]
    assert back[4] is not value[4]


def test_what_has_changed_goes_by_value(function: Callable[..., Any]) -> None:
    items, names = [[1], [2]], function.__globals__
    places = Places(function, items, 10)
    data = pickled((items, names["shared"], names["other"]), function, places.by_identity(("item 11", "shared")))
    (first, second), shared, other = restored(data, Places(function, items, 10))
    assert first is items[0]
    assert second is not items[1]
    assert shared is not names["shared"]
    assert shared == names["shared"]
    assert other is names["other"]


def test_a_class_of_the_notebook_is_the_one_that_is_there_now(function: Callable[..., Any]) -> None:
    names = function.__globals__
    data = pickled([names["Point"](3)], function, {})
    exec(CODE, names)  # as after a restart
    (point,) = restored(data, Places(function, [], 0))
    assert type(point) is names["Point"]
    assert point.x == 3
    del names["Point"]
    with pytest.raises(LookupError, match="Point is not defined"):
        restored(data, Places(function, [], 0))


def test_what_has_no_name_goes_by_value(function: Callable[..., Any]) -> None:
    kind = type("Kind", (), {"__module__": "__main__", "y": 1})
    values = [kind(), lambda x: x + 1]
    one, add = restored(pickled(values, function, {}), Places(function, [], 0))
    assert one.y == 1
    assert add(1) == 2
